//! Third parties that say who somebody is: whom that is linked to, who is new, what ends.

mod anew;
mod barred;
mod callbacks;
mod linking;
mod newcomers;
mod offered;
mod rechecking;
mod signing_in;
mod switching;
mod unlinking;
mod ways;

use std::{collections::BTreeMap, sync::Arc};

use gatelodge_core::{
    Result,
    access::Caller,
    engine::{Progress, ReplyAnswer, StartFlow, StepBody, Transport},
    model::{Email, RegistrationSettings, Tenant, TenantSettings, User},
    provider::{Admission, Form, Intent, NewAccounts, Offering, Provider},
    service::LinkedIdentity,
    storage::Page,
};

use crate::{
    providers::{Abroad, Keeper, Person},
    support::{Browser, Plan, World, provider},
};

const NEW: &str = "duty:new-account";

/// A platform with the connections `google` and `twin`, which are one third party, and
/// devices that keep people signed in.
struct House {
    world: World,
    abroad: Arc<Abroad>,
    acme: Tenant,
}

async fn house() -> House {
    house_with(|_| ()).await
}

async fn house_with(change: impl FnOnce(&mut Plan)) -> House {
    let abroad = Arc::new(Abroad::default());
    let made: Arc<dyn Provider> = abroad.clone();
    let world = World::with(|plan| {
        plan.more = vec![
            ("google", made.clone()),
            ("twin", made),
            ("keeper", Arc::new(Keeper)),
        ];
        change(plan);
    })
    .await;
    let acme = world.tenant("acme").await;
    House {
        world,
        abroad,
        acme,
    }
}

/// The same with a rule for those who come by `google`.
async fn house_where(rule: impl FnOnce(&mut Admission)) -> House {
    let mut admission = Admission::default();
    rule(&mut admission);
    house_with(|plan| plan.offerings = offering(admission)).await
}

fn offering(admission: Admission) -> BTreeMap<&'static str, Offering> {
    let tenants = None;
    [("google", Offering { tenants, admission })].into()
}

fn creating(admission: &mut Admission) {
    admission.new_accounts = Some(NewAccounts::Create);
}

impl House {
    /// A user with a word, whose name is `name`.
    async fn user(&self, name: &str) -> User {
        self.world.user(&self.acme, name, &word_of(name)).await
    }

    /// A user with an address.
    async fn user_at(&self, name: &str, address: &str, verified: bool) -> User {
        let user = self.user(name).await;
        let place = (self.acme.id, user.id);
        let address = Email::new(address).unwrap();
        let change = self.world.alter_user(place, |user| {
            user.email = Some(address);
            user.email_verified = verified;
        });
        change.await;
        self.world.read_user(place).await
    }

    /// Somebody comes to the tenant's page by `google`.
    async fn comes(&self, code: &str, person: Person) -> (Browser, Progress) {
        self.abroad.says(code, person);
        let mut browser = Browser::at_tenant(&self.world, &self.acme).await;
        let progress = come(&self.world, &mut browser, "google", code).await;
        (browser, progress)
    }

    /// A user of the tenant, signed in by word, who has linked an identity.
    async fn linked(&self, name: &str, connection: &str, person: Person) -> Browser {
        linked_in(self, &self.acme, name, (connection, person)).await
    }

    async fn register(&self, registration: RegistrationSettings) {
        let settings = TenantSettings {
            registration,
            ..TenantSettings::default()
        };
        self.world.put_settings(&self.acme, settings).await;
    }

    /// Lets people of the tenant register themselves.
    async fn open_registration(&self) {
        self.register(RegistrationSettings {
            enabled: Some(true),
            ..RegistrationSettings::default()
        })
        .await;
    }

    /// The tenant's users by name.
    async fn names(&self) -> Vec<String> {
        let users = self.world.platform.users();
        let operator = Caller::operator();
        let listed = users.list(&operator, self.acme.id, None, Page::first(100));
        let mut names: Vec<_> = listed
            .await
            .unwrap()
            .items
            .into_iter()
            .map(|user| user.user_name.to_string())
            .collect();
        names.sort_unstable();
        names
    }

    async fn links(&self, user: &User) -> Vec<LinkedIdentity> {
        links_of(&self.world, &self.acme, user).await
    }
}

async fn links_of(world: &World, tenant: &Tenant, user: &User) -> Vec<LinkedIdentity> {
    let users = world.platform.users();
    let operator = Caller::operator();
    let links = users.identities(&operator, tenant.id, user.id);
    links.await.unwrap()
}

fn word_of(name: &str) -> String {
    format!("{name}'s own word")
}

/// A user of a tenant, signed in by word, who has linked an identity.
async fn linked_in(
    house: &House,
    tenant: &Tenant,
    name: &str,
    (connection, person): (&str, Person),
) -> Browser {
    let code = format!("{name} links at {}", tenant.name);
    house.abroad.says(&code, person);
    let world = &house.world;
    let browser = world.signed_in(tenant, name, &word_of(name)).await;
    let mut linking = link(world, &browser, connection).await.unwrap();
    linking.word(world, name, &word_of(name)).await.unwrap();
    let progress = come(world, &mut linking, connection, &code).await;
    assert!(matches!(progress, Progress::Complete(_)), "{progress:?}");
    linking
}

/// Begins to link an identity, in a browser's session.
async fn link(world: &World, browser: &Browser, connection: &str) -> Result<Browser> {
    let start = StartFlow {
        intent: Intent::Link,
        session: Some(world.session(browser).await),
        target: Some(provider(connection)),
        ..StartFlow::sign_in(Transport::Cookie)
    };
    browser.again(world, start).await
}

/// Goes to the third party and comes back with a code.
async fn come(world: &World, browser: &mut Browser, connection: &str, code: &str) -> Progress {
    try_come(world, browser, connection, code).await.unwrap()
}

async fn try_come(
    world: &World,
    browser: &mut Browser,
    connection: &str,
    code: &str,
) -> Result<Progress> {
    let state = leave(world, browser, connection).await;
    let parameters = [("state", state.as_str()), ("code", code)];
    browser.come_back(world, connection, &parameters).await
}

/// Goes to the third party; answers the `state` parameter.
async fn leave(world: &World, browser: &mut Browser, connection: &str) -> String {
    browser.go(world, connection).await.unwrap();
    let Some(StepBody::Redirect { url, .. }) = browser.view.step.clone().map(|step| step.body)
    else {
        panic!("the browser is sent away");
    };
    let url: url::Url = url.parse().unwrap();
    let mut pairs = url.query_pairs();
    let state = pairs.find(|(name, _)| name == "state");
    state.map(|(_, value)| value.into_owned()).unwrap()
}

/// The form that a browser sees.
fn form_of(browser: &Browser) -> Form {
    let Some(StepBody::Prompt { form, .. }) = browser.view.step.clone().map(|step| step.body)
    else {
        panic!("a form: {:?}", browser.asked_by());
    };
    form
}

fn fields_of(browser: &Browser) -> Vec<(String, Option<String>)> {
    let fields = form_of(browser).fields.into_iter();
    fields.map(|field| (field.name, field.value)).collect()
}

fn buttons_of(browser: &Browser) -> Vec<String> {
    let actions = form_of(browser).actions.into_iter();
    actions.map(|action| action.id).collect()
}

fn press(button: &str) -> ReplyAnswer {
    ReplyAnswer::Action(button.to_owned())
}
