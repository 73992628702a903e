//! T14: a tenant's setting of which ways to sign in are offered, in force everywhere.

use std::sync::Arc;

use gatelodge_core::{
    Error, ErrorKind, Result,
    access::Caller,
    engine::{Progress, Reply, ResumeDevice, Resumed, StartFlow, SwitchTenant, Transport},
    model::{
        Grant, RegistrationSettings, SecondFactorRule, SecondFactorSettings, SignInSettings,
        Tenant, TenantSettings,
    },
    provider::{Intent, LinkPurpose},
    secret::Secret,
    service::TenantRef,
};

use super::{House, NEW, Person, come, house, house_where, house_with, leave, link, linked_in};
use crate::{
    providers::{Finder, Link},
    support::{Browser, WRONG, World, fields, kind, provider, refused, sign_in_at},
};

fn only(ids: &[&str]) -> TenantSettings {
    TenantSettings {
        sign_in: SignInSettings {
            providers: Some(ids.iter().copied().map(provider).collect()),
        },
        ..TenantSettings::default()
    }
}

async fn put(world: &World, tenant: &Tenant, settings: TenantSettings) -> Result<()> {
    let (tenants, operator) = (world.platform.tenants(), Caller::operator());
    let put = tenants.put_settings(&operator, tenant.id, None, settings);
    put.await.map(|_| ())
}

async fn offer(house: &House, ids: &[&str]) {
    house.world.put_settings(&house.acme, only(ids)).await;
}

/// The first thing that is wrong: the field, and what is said of it.
fn wrong(put: Result<()>) -> (String, String) {
    let error: Error = put.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let field = error.field().unwrap_or_default().to_owned();
    (field, error.message().to_owned())
}

#[tokio::test]
async fn only_what_is_offered_starts_a_sign_in_or_an_account() {
    let house = house().await;
    let world = &house.world;
    let other = world.tenant("other").await;
    let open = TenantSettings {
        registration: RegistrationSettings {
            enabled: Some(true),
            ..RegistrationSettings::default()
        },
        ..only(&["google", "keeper"])
    };
    world.put_settings(&house.acme, open).await;
    let here = Browser::at_tenant(world, &house.acme).await;
    assert_eq!(here.asked_by(), ["google"]);
    let sign_up = StartFlow {
        intent: Intent::SignUp,
        ..sign_in_at(&house.acme)
    };
    let here = Browser::start(world, sign_up).await.unwrap();
    assert_eq!(here.asked_by(), ["google"]);
    let there = Browser::at_tenant(world, &other).await;
    assert_eq!(there.asked_by(), ["password", "google", "twin"]);
}

#[tokio::test]
async fn what_is_unset_is_offered_and_each_tenant_has_its_own() {
    let house = house().await;
    let world = &house.world;
    let (tenants, operator) = (world.platform.tenants(), Caller::operator());
    let (_, _, inherited) = tenants.settings(&operator, house.acme.id).await.unwrap();
    assert_eq!(inherited.sign_in_providers, None);
    offer(&house, &["twin"]).await;
    let (own, _, in_force) = tenants.settings(&operator, house.acme.id).await.unwrap();
    assert_eq!(own, only(&["twin"]));
    assert_eq!(in_force.sign_in_providers, Some(vec![provider("twin")]));
    let ways = tenants.ways(&house.acme).into_iter();
    let ways: Vec<_> = ways.map(|way| way.id.to_string()).collect();
    assert_eq!(ways, ["password", "code", "google", "twin", "keeper"]);
    let events = world.audit(Some(house.acme.id)).await;
    let changed = events
        .iter()
        .find(|event| event.action == "settings.update");
    let new = changed.unwrap().changes[0].new.clone().unwrap();
    assert!(new.contains(r#""sign_in":{"providers":["twin"]}"#), "{new}");
}

#[tokio::test]
async fn what_is_not_there_cannot_be_offered() {
    let house = house().await;
    let (world, acme) = (&house.world, &house.acme);
    let (field, message) = wrong(put(world, acme, only(&["password", "github"])).await);
    assert_eq!(field, "sign_in.providers");
    assert_eq!(
        message,
        "there is no provider `github` here, only `password`, `code`, `google`, `twin`, `keeper`"
    );
    let (_, message) = wrong(put(world, acme, only(&["password", "password"])).await);
    assert_eq!(message, "names `password` twice");
    for nobody in [&[][..], &["code"], &["keeper", "code"]] {
        let (field, message) = wrong(put(world, acme, only(nobody)).await);
        assert_eq!(field, "sign_in.providers");
        assert_eq!(
            message,
            "must name at least one way that a sign-in can start with"
        );
    }
}

#[tokio::test]
async fn a_second_factor_that_is_required_stays_possible() {
    let house = house().await;
    let (world, acme) = (&house.world, &house.acme);
    let required = |ids: &[&str]| TenantSettings {
        second_factor: SecondFactorSettings {
            administrators: Some(SecondFactorRule::Required),
            ..SecondFactorSettings::default()
        },
        ..only(ids)
    };
    let (field, _) = wrong(put(world, acme, required(&["password"])).await);
    assert_eq!(field, "second_factor.administrators");
    put(world, acme, required(&["password", "code"]))
        .await
        .unwrap();
    // Where the platform requires one, too.
    let house = house_with(|plan| {
        plan.settings.second_factor_everyone = SecondFactorRule::Required;
    })
    .await;
    let (field, message) = wrong(put(&house.world, &house.acme, only(&["password"])).await);
    assert_eq!(field, "sign_in.providers");
    assert_eq!(
        message,
        "must name a way that can be set up as a second factor: one is required"
    );
}

#[tokio::test]
async fn where_addresses_have_to_be_verified_they_can_be() {
    let house = house().await;
    let (world, acme) = (&house.world, &house.acme);
    let settings = TenantSettings {
        registration: RegistrationSettings {
            email_verified: Some(true),
            ..RegistrationSettings::default()
        },
        ..only(&["password"])
    };
    let (field, message) = wrong(put(world, acme, settings).await);
    assert_eq!(field, "sign_in.providers");
    assert_eq!(
        message,
        "must name what verifies addresses: nobody is let in without"
    );
}

/// What was begun before it was switched off comes to nothing.
#[tokio::test]
async fn s40_a_way_that_is_switched_off_meanwhile_lets_nobody_in() {
    let house = house().await;
    let world = &house.world;
    house.user("ada").await;
    house.linked("ada", "google", Person::new("1")).await;
    house.abroad.says("known", Person::new("1"));
    let mut by_word = Browser::at_tenant(world, &house.acme).await;
    let mut away = Browser::at_tenant(world, &house.acme).await;
    let mut about_to_go = Browser::at_tenant(world, &house.acme).await;
    let state = leave(world, &mut away, "google").await;
    let brought = house.abroad.brought("known");

    offer(&house, &["twin"]).await;

    let answered = by_word.word(world, "ada", "ada's own word").await;
    assert_eq!(kind(answered), ErrorKind::Denied);
    let gone = about_to_go.go(world, "google").await;
    assert_eq!(kind(gone), ErrorKind::Denied);
    let parameters = [("state", state.as_str()), ("code", "known")];
    let back = away.come_back(world, "google", &parameters).await;
    assert_eq!(kind(back), ErrorKind::Denied);
    assert_eq!(house.abroad.brought("known"), brought, "nobody is asked");
    // What is left is shown then.
    let sign_in = world.platform.sign_in();
    for browser in [&mut by_word, &mut away, &mut about_to_go] {
        browser.view = sign_in
            .view(&browser.handle, &browser.client)
            .await
            .unwrap();
        assert_eq!(browser.asked_by(), ["twin"]);
        assert!(browser.token().is_none());
    }
}

#[tokio::test]
async fn s40_nobody_makes_an_account_by_a_way_that_is_off() {
    let house = house_where(|rule| {
        rule.new_accounts = Some(gatelodge_core::provider::NewAccounts::Ask);
    })
    .await;
    let world = &house.world;
    house.open_registration().await;
    let sign_up = StartFlow {
        intent: Intent::SignUp,
        ..sign_in_at(&house.acme)
    };
    let mut typed = Browser::start(world, sign_up).await.unwrap();
    house.abroad.says("new", Person::new("2").called("eve"));
    let mut asked = Browser::at_tenant(world, &house.acme).await;
    come(world, &mut asked, "google", "new").await;
    assert_eq!(asked.asked_by(), [NEW]);
    let closed = TenantSettings {
        registration: RegistrationSettings {
            enabled: Some(true),
            ..RegistrationSettings::default()
        },
        ..only(&["twin"])
    };
    world.put_settings(&house.acme, closed).await;
    let values = [("user_name", "ada"), ("new_password", "ada's own word")];
    let made = typed.fill(world, "password", &values).await;
    assert_eq!(kind(made), ErrorKind::Denied);
    let made = asked.fill(world, NEW, &[("user_name", "eve")]).await;
    assert!(refused(&made.unwrap()));
    assert!(house.names().await.is_empty());
}

/// Where the tenant only follows from the name, nobody learns that somebody is there.
#[tokio::test]
async fn s40_the_tenant_that_is_found_decides() {
    let finder = Arc::new(Finder::default());
    let made = finder.clone();
    let world = World::with(|plan| plan.more = vec![("finder", made)]).await;
    let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
    let ada = world.user(&acme, "ada", "ada's word").await;
    let bob = world.user(&other, "bob", "bob's word").await;
    world.put_settings(&acme, only(&["finder"])).await;
    let mut browser = Browser::anywhere(&world).await;
    let known = browser.word(&world, "ada", "ada's word").await.unwrap();
    let mut stranger = Browser::anywhere(&world).await;
    let unknown = stranger.word(&world, "nobody", WRONG).await.unwrap();
    assert!(refused(&known) && refused(&unknown));
    assert!(browser.token().is_none());
    let asked = [
        ("user_name", "ada"),
        ("password", "ada's word"),
        ("tenant", "acme"),
    ];
    assert!(refused(
        &browser.fill(&world, "password", &asked).await.unwrap()
    ));
    // Of two accounts, the one that may come this way.
    world.put_settings(&acme, only(&["password"])).await;
    finder.issue("both", vec![(acme.id, ada.id), (other.id, bob.id)]);
    finder.issue("one", vec![(acme.id, ada.id)]);
    let mut browser = Browser::anywhere(&world).await;
    let none = browser.fill(&world, "finder", &[("ticket", "one")]).await;
    assert!(refused(&none.unwrap()));
    browser
        .fill(&world, "finder", &[("ticket", "both")])
        .await
        .unwrap();
    assert_eq!(world.session(&browser).await.user.id, bob.id);
}

#[tokio::test]
async fn a_choice_between_tenants_is_asked_of_the_one_that_is_chosen() {
    let house = house().await;
    let world = &house.world;
    let other = world.tenant("other").await;
    house.user("ada").await;
    world.user(&other, "ada", "ada's own word").await;
    house.linked("ada", "google", Person::new("1")).await;
    linked_in(&house, &other, "ada", ("google", Person::new("1"))).await;
    house.abroad.says("code", Person::new("1"));
    let mut browser = Browser::anywhere(world).await;
    come(world, &mut browser, "google", "code").await;
    let duty = "duty:choose-tenant";
    assert_eq!(browser.asked_by(), [duty]);
    offer(&house, &["password"]).await;
    let chosen = browser.fill(world, duty, &[("tenant", "acme")]).await;
    assert!(refused(&chosen.unwrap()));
    assert!(browser.token().is_none());
    let mut browser = Browser::anywhere(world).await;
    come(world, &mut browser, "google", "code").await;
    assert_eq!(world.session(&browser).await.tenant.id, other.id);
}

#[tokio::test]
async fn nothing_is_linked_or_counted_that_is_not_offered() {
    let house = house().await;
    let world = &house.world;
    let user = house.user("ada").await;
    let signed_in = house.linked("ada", "google", Person::new("1")).await;
    house.abroad.says("twin", Person::new("2"));
    let mut linking = link(world, &signed_in, "twin").await.unwrap();
    linking.word(world, "ada", "ada's own word").await.unwrap();
    let state = leave(world, &mut linking, "twin").await;
    offer(&house, &["google", "code"]).await;
    let parameters = [("state", state.as_str()), ("code", "twin")];
    let back = linking.come_back(world, "twin", &parameters).await;
    assert_eq!(kind(back), ErrorKind::Denied);
    assert_eq!(house.links(&user).await.len(), 1);
    assert_eq!(
        kind(link(world, &signed_in, "twin").await),
        ErrorKind::NotFound
    );
    let (caller, accounts) = (world.caller(&signed_in).await, world.platform.accounts());
    let connections = accounts.connections(&caller).await.unwrap().into_iter();
    let connections: Vec<_> = connections.map(|c| c.id.to_string()).collect();
    assert_eq!(connections, ["google"]);
    let methods = accounts.sign_in_methods(&caller).await.unwrap();
    let methods: Vec<_> = methods.iter().map(|m| m.provider.to_string()).collect();
    assert_eq!(methods, ["code"], "the word can be changed nowhere");
    let target = StartFlow {
        intent: Intent::Enrol,
        session: Some(world.session(&signed_in).await),
        target: Some(provider("password")),
        ..StartFlow::sign_in(Transport::Cookie)
    };
    assert_eq!(
        kind(signed_in.again(world, target).await),
        ErrorKind::Denied
    );
    // The word that is left would let nobody in.
    let last = StartFlow {
        intent: Intent::Remove,
        session: Some(world.session(&signed_in).await),
        factor: Some(house.links(&user).await[0].id),
        ..StartFlow::sign_in(Transport::Cookie)
    };
    assert_eq!(kind(signed_in.again(world, last).await), ErrorKind::Refused);
}

/// No account gets weaker by what is switched off: whoever has a second factor is asked.
#[tokio::test]
async fn a_second_factor_that_somebody_has_is_asked_for_all_the_same() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    world.user(&acme, "bob", "bob's word").await;
    world.enrol_code(&acme, "ada", "ada's word", "123456").await;
    let bob = world.signed_in(&acme, "bob", "bob's word").await;
    let mut bobs = bob.enrolling(&world, "code").await;
    bobs.word(&world, "bob", "bob's word").await.unwrap();
    world.put_settings(&acme, only(&["password"])).await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    browser.word(&world, "ada", "ada's word").await.unwrap();
    assert_eq!(browser.asked_by(), ["code"]);
    assert!(refused(&browser.code(&world, "654321").await.unwrap()));
    browser.code(&world, "123456").await.unwrap();
    assert!(world.knows(&browser).await);
    browser.enrolling(&world, "code").await;
    // Nobody sets one up any more, whenever it was begun.
    let kept = bobs.fill(&world, "code", &[("new_code", "111111")]).await;
    assert!(refused(&kept.unwrap()));
    let refusals = world.refusals(Some(acme.id)).await;
    assert!(refusals.contains(&"not_offered".to_owned()));
    let caller = world.caller(&bob).await;
    let methods = world.platform.accounts().sign_in_methods(&caller).await;
    let methods: Vec<_> = methods
        .unwrap()
        .iter()
        .map(|m| m.provider.to_string())
        .collect();
    assert_eq!(methods, ["password"]);
}

#[tokio::test]
async fn only_what_is_offered_is_asked_to_be_set_up() {
    let house = house_with(|plan| {
        let other = Arc::new(crate::providers::Code::default());
        plan.more.push(("other", other));
        plan.settings.second_factor_everyone = SecondFactorRule::Required;
    })
    .await;
    house.user("ada").await;
    offer(&house, &["password", "other"]).await;
    let mut browser = Browser::at_tenant(&house.world, &house.acme).await;
    let word = browser.word(&house.world, "ada", "ada's own word").await;
    word.unwrap();
    assert_eq!(browser.asked_by(), ["other"]);
}

#[tokio::test]
async fn s40_no_device_keeps_anybody_signed_in_where_none_is_offered() {
    let house = house().await;
    let (world, acme) = (&house.world, &house.acme);
    house.user("ada").await;
    let sign_in = world.platform.sign_in();
    let kept = async |browser: &mut Browser| {
        let reply = Reply {
            step: None,
            provider: "password".to_owned(),
            answer: fields(&[("user_name", "ada"), ("password", "ada's own word")]),
            device: None,
            stay: true,
        };
        browser.send(world, reply).await.unwrap();
        browser.done.clone().unwrap().kept
    };
    let mut browser = Browser::at_tenant(world, acme).await;
    let token = kept(&mut browser).await.unwrap().token;
    assert!(
        sign_in
            .remembers_for(Some(acme.id))
            .await
            .unwrap()
            .is_some()
    );
    let resume = || ResumeDevice {
        token: token.clone(),
        tenant: None,
        transport: Transport::Cookie,
        application: None,
        return_to: None,
        lane: None,
    };
    offer(&house, &["password"]).await;
    assert!(
        sign_in
            .remembers_for(Some(acme.id))
            .await
            .unwrap()
            .is_none()
    );
    let resumed = sign_in.resume_device(resume(), &browser.client).await;
    assert!(!matches!(resumed, Ok(Resumed::Known { .. })), "{resumed:?}");
    let mut another = Browser::at_tenant(world, acme).await;
    assert!(kept(&mut another).await.is_none());
    offer(&house, &["password", "keeper"]).await;
    let resumed = sign_in.resume_device(resume(), &browser.client).await;
    assert!(matches!(resumed, Ok(Resumed::Known { .. })), "{resumed:?}");
}

#[tokio::test]
async fn nobody_switches_to_where_the_way_is_off() {
    let house = house().await;
    let world = &house.world;
    let other = world.tenant("other").await;
    house.user("ada").await;
    world.user(&other, "ada", "ada's own word").await;
    house.linked("ada", "google", Person::new("1")).await;
    linked_in(&house, &other, "ada", ("google", Person::new("1"))).await;
    let (browser, _) = house.comes("code", Person::new("1")).await;
    let (caller, accounts) = (world.caller(&browser).await, world.platform.accounts());
    assert_eq!(accounts.elsewhere(&caller).await.unwrap().len(), 1);
    world.put_settings(&other, only(&["password"])).await;
    assert!(accounts.elsewhere(&caller).await.unwrap().is_empty());
    let switch = SwitchTenant {
        session: world.session(&browser).await,
        tenant: TenantRef::Id(other.id),
        return_to: None,
        device: None,
    };
    let sign_in = world.platform.sign_in();
    let switched = sign_in.switch(switch, &browser.client).await;
    assert_eq!(kind(switched), ErrorKind::NotFound);
}

#[tokio::test]
async fn s40_a_link_that_is_under_way_lets_nobody_in() {
    let made = Arc::new(Link { scope: None });
    let world = World::with(|plan| plan.more = vec![("link", made)]).await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    let mut making = browser.enrolling(&world, "link").await;
    making.word(&world, "ada", "ada's word").await.unwrap();
    let token = "a token that nobody guesses";
    making
        .fill(&world, "link", &[("token", token)])
        .await
        .unwrap();
    let follow = async || {
        let start = StartFlow {
            link: Some((LinkPurpose::SignIn, Secret::new(token))),
            ..sign_in_at(&acme)
        };
        Browser::start(&world, start).await
    };
    let mut opened = follow().await.unwrap();
    world.put_settings(&acme, only(&["password"])).await;
    assert_eq!(kind(follow().await), ErrorKind::Denied);
    let confirmed = opened.answer(&world, "link", super::press("confirm")).await;
    assert_eq!(kind(confirmed), ErrorKind::Denied);
    assert!(opened.token().is_none());
}

#[tokio::test]
async fn no_first_password_is_set_where_none_is_offered() {
    let house = house().await;
    offer(&house, &["google"]).await;
    let new = gatelodge_core::service::NewUser {
        user_name: gatelodge_core::model::UserName::new("ada").unwrap(),
        display_name: None,
        email: None,
        credential: gatelodge_core::service::InitialCredential::Given {
            password: Secret::new("ada's word"),
            must_change: false,
        },
    };
    let (users, operator) = (house.world.platform.users(), Caller::operator());
    let made = users.create(&operator, house.acme.id, new).await;
    assert_eq!(kind(made), ErrorKind::Invalid);
    assert!(house.names().await.is_empty());
}

/// Who may change the setting: whoever may change the tenant's others.
#[tokio::test]
async fn an_administrator_decides_for_their_own_tenant_only() {
    let house = house().await;
    let world = &house.world;
    let other = world.tenant("other").await;
    let grant = Grant::TenantAdministrator;
    let (_, caller) = world.administrator(&house.acme, "root", grant).await;
    let tenants = world.platform.tenants();
    let own = only(&["password"]);
    let put = tenants.put_settings(&caller, house.acme.id, None, own.clone());
    put.await.unwrap();
    let put = tenants.put_settings(&caller, other.id, None, own).await;
    assert!(matches!(kind(put), ErrorKind::NotFound | ErrorKind::Denied));
}

/// Everything that can be tried in a flow without a tenant, in short: progress that
/// lets nobody in tells nobody apart.
#[tokio::test]
async fn a_name_where_the_way_is_off_looks_like_a_name_that_nobody_has() {
    let house = house().await;
    let world = &house.world;
    house.user("ada").await;
    offer(&house, &["google"]).await;
    let mut views = Vec::new();
    for (name, word) in [("ada", "ada's own word"), ("ada", WRONG), ("nobody", WRONG)] {
        let mut browser = Browser::anywhere(world).await;
        let progress = browser.word(world, name, word).await.unwrap();
        assert!(matches!(progress, Progress::Refused { .. }), "{name}");
        views.push(browser.view);
    }
    assert!(
        views
            .iter()
            .all(|view| crate::support::views_equal(view, &views[0]))
    );
}
