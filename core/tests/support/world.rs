use std::{collections::BTreeMap, sync::Arc, time::Duration};

use gatelodge_core::{
    CheckedSession, Environment, Origins, Parts, Platform, Result,
    access::Caller,
    environment::{ManualClock, SeededRandom},
    limits::LimitPolicy,
    messages::Messages,
    model::{
        AuditEvent, AuditFilter, ClientFacts, EffectiveSettings, Grant, Outcome, Tenant, TenantId,
        TenantName, TenantSettings, User, UserId, UserName,
    },
    provider::{Offering, Provider, Registry},
    seal::MasterKey,
    secret::{Secret, Token},
    service::{InitialCredential, NewTenant, NewUser, TenantRef},
    storage::{Mode, Page, Scope, Storage},
};
use jiff::Timestamp;

use super::{Browser, Watched, provider};
use crate::providers::{Code, Word};

/// What a world is made of, where it differs from the usual.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) settings: EffectiveSettings,
    pub(crate) limits: LimitPolicy,
    pub(crate) messages: Messages,
    pub(crate) more: Vec<(&'static str, Arc<dyn Provider>)>,
    /// For whom some of them are there.
    pub(crate) offerings: BTreeMap<&'static str, Offering>,
    /// The tenants with a host of their own.
    pub(crate) hosts: Vec<(&'static str, &'static str)>,
    /// Leaves the second factor `code` out.
    pub(crate) only_word: bool,
}

/// A platform and what it stands on.
pub(crate) struct World {
    pub(crate) platform: Platform,
    pub(crate) storage: Arc<Watched>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) word: Arc<Word>,
    pub(crate) code: Arc<Code>,
    plan: Plan,
}

impl World {
    /// With the secret word as `password` and the second factor as `code`.
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Plan)) -> Self {
        let mut plan = Plan::default();
        change(&mut plan);
        let start = Timestamp::from_second(1_790_000_000).unwrap();
        let (storage, clock) = (Arc::new(Watched::default()), ManualClock::at(start));
        let (word, code) = (Arc::new(Word::default()), Arc::new(Code::default()));
        let parts = parts(&plan, &storage, &clock, (&word, &code), 1);
        Self {
            platform: Platform::open(parts).await.unwrap(),
            storage,
            clock,
            word,
            code,
            plan,
        }
    }

    /// Another server on the same storage.
    pub(crate) async fn another_node(&self) -> Platform {
        let providers = (&self.word, &self.code);
        let parts = parts(&self.plan, &self.storage, &self.clock, providers, 2);
        Platform::open(parts).await.unwrap()
    }

    /// A server like this one on another storage.
    pub(crate) async fn node_on(&self, storage: Arc<dyn Storage>) -> Result<Platform> {
        let providers = (&self.word, &self.code);
        let parts = parts(&self.plan, &self.storage, &self.clock, providers, 3);
        Platform::open(Parts { storage, ..parts }).await
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.platform.now()
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    pub(crate) async fn tenant(&self, name: &str) -> Tenant {
        let new = NewTenant {
            name: TenantName::new(name).unwrap(),
            display_name: None,
        };
        let (tenants, operator) = (self.platform.tenants(), Caller::operator());
        tenants.create(&operator, new).await.unwrap()
    }

    /// A tenant that is there, by its name.
    pub(crate) async fn found(&self, name: &str) -> Tenant {
        let tenants = self.platform.tenants();
        let found = tenants.find(&TenantRef::parse(name)).await.unwrap();
        found.expect("the tenant is there")
    }

    /// A user who signs in with a word.
    pub(crate) async fn user(&self, tenant: &Tenant, name: &str, word: &str) -> User {
        let credential = InitialCredential::Given {
            password: Secret::new(word),
            must_change: false,
        };
        self.user_with(tenant, name, credential).await.0
    }

    pub(crate) async fn user_with(
        &self,
        tenant: &Tenant,
        name: &str,
        credential: InitialCredential,
    ) -> (User, Option<Secret>) {
        let new = NewUser {
            user_name: UserName::new(name).unwrap(),
            display_name: None,
            email: None,
            credential,
        };
        let (users, operator) = (self.platform.users(), Caller::operator());
        users.create(&operator, tenant.id, new).await.unwrap()
    }

    pub(crate) async fn grant(&self, user: (TenantId, UserId), grant: Grant) {
        let (users, operator) = (self.platform.users(), Caller::operator());
        let granted = users.set_grant(&operator, user, grant, true);
        granted.await.unwrap();
    }

    /// A user with a grant, signed in.
    pub(crate) async fn administrator(
        &self,
        tenant: &Tenant,
        name: &str,
        grant: Grant,
    ) -> (User, Caller) {
        let user = self.user(tenant, name, "an administrator's word").await;
        self.grant((tenant.id, user.id), grant).await;
        let browser = self
            .signed_in(tenant, name, "an administrator's word")
            .await;
        (user, self.caller(&browser).await)
    }

    /// A browser that signed in by word.
    pub(crate) async fn signed_in(&self, tenant: &Tenant, name: &str, word: &str) -> Browser {
        let mut browser = Browser::at_tenant(self, tenant).await;
        browser.word(self, name, word).await.unwrap();
        assert!(browser.token().is_some(), "`{name}` is signed in");
        browser
    }

    /// Sets the second factor up; answers the browser that did.
    pub(crate) async fn enrol_code(
        &self,
        tenant: &Tenant,
        name: &str,
        word: &str,
        code: &str,
    ) -> Browser {
        let browser = self.signed_in(tenant, name, word).await;
        let mut browser = browser.enrolling(self, "code").await;
        browser.word(self, name, word).await.unwrap();
        browser
            .fill(self, "code", &[("new_code", code)])
            .await
            .unwrap();
        if browser.token().is_none() {
            browser.code(self, code).await.unwrap();
        }
        assert!(browser.token().is_some(), "the second factor is set up");
        browser
    }

    pub(crate) async fn check(&self, token: &Token) -> Option<Arc<CheckedSession>> {
        self.platform.sessions().check(token).await.unwrap()
    }

    /// Whether a browser is signed in.
    pub(crate) async fn knows(&self, browser: &Browser) -> bool {
        self.check(browser.token().unwrap()).await.is_some()
    }

    pub(crate) async fn session(&self, browser: &Browser) -> Arc<CheckedSession> {
        let checked = self.check(browser.token().unwrap()).await;
        checked.expect("the session is valid")
    }

    pub(crate) async fn caller(&self, browser: &Browser) -> Caller {
        Caller {
            principal: self.session(browser).await.principal(),
            client: browser.client.clone(),
        }
    }

    /// A tenant's audit events, oldest first; of no tenant for `None`. Those of
    /// one moment are in no order.
    pub(crate) async fn audit(&self, tenant: Option<TenantId>) -> Vec<AuditEvent> {
        let scope = tenant.map_or(Scope::Platform, Scope::Tenant);
        let mut unit = self.storage.begin(scope, Mode::Read).await.unwrap();
        let filter = AuditFilter::default();
        let mut events = unit
            .audit()
            .list(&filter, Page::first(5_000))
            .await
            .unwrap();
        events.reverse();
        events
    }

    pub(crate) async fn actions(&self, tenant: &Tenant) -> Vec<String> {
        let events = self.audit(Some(tenant.id)).await;
        let mut actions: Vec<_> = events.into_iter().map(|event| event.action).collect();
        actions.sort_unstable();
        actions
    }

    /// How often something was recorded.
    pub(crate) async fn count(&self, tenant: &Tenant, action: &str) -> usize {
        let actions = self.actions(tenant).await.into_iter();
        actions.filter(|recorded| recorded == action).count()
    }

    /// Why sign-ins were refused, sorted.
    pub(crate) async fn refusals(&self, tenant: Option<TenantId>) -> Vec<String> {
        let events = self.audit(tenant).await.into_iter();
        let refused = events.filter(|event| event.outcome == Outcome::Refused);
        let mut reasons: Vec<_> = refused.filter_map(|event| event.reason).collect();
        reasons.sort_unstable();
        reasons
    }

    pub(crate) async fn read_user(&self, (tenant, user): (TenantId, UserId)) -> User {
        let users = self.platform.users();
        let read = users.read(&Caller::operator(), tenant, user).await;
        read.unwrap().user
    }

    /// Changes a user behind the platform's back.
    pub(crate) async fn alter_user(
        &self,
        (tenant, user): (TenantId, UserId),
        change: impl FnOnce(&mut User),
    ) {
        let mut user = self.read_user((tenant, user)).await;
        change(&mut user);
        let scope = Scope::Tenant(tenant);
        let mut unit = self.storage.begin(scope, Mode::Write).await.unwrap();
        unit.users().update(&user).await.unwrap();
        unit.commit().await.unwrap();
    }

    pub(crate) async fn put_settings(&self, tenant: &Tenant, settings: TenantSettings) {
        let (tenants, operator) = (self.platform.tenants(), Caller::operator());
        let put = tenants.put_settings(&operator, tenant.id, None, settings);
        put.await.unwrap();
    }

    pub(crate) async fn lock_user(&self, place: (TenantId, UserId)) -> Result<User> {
        let users = self.platform.users();
        users
            .lock(&Caller::operator(), place, Default::default())
            .await
    }

    pub(crate) async fn lock_tenant(&self, tenant: &Tenant) -> Result<Tenant> {
        let tenants = self.platform.tenants();
        tenants
            .lock(&Caller::operator(), tenant.id, Default::default())
            .await
    }
}

fn parts(
    plan: &Plan,
    storage: &Arc<Watched>,
    clock: &Arc<ManualClock>,
    (word, code): (&Arc<Word>, &Arc<Code>),
    seed: u64,
) -> Parts {
    let mut providers = Registry::new();
    let usual: [(&str, Arc<dyn Provider>); 2] =
        [("password", word.clone()), ("code", code.clone())];
    let usual = usual.into_iter().take(if plan.only_word { 1 } else { 2 });
    for (id, made) in usual.chain(plan.more.iter().cloned()) {
        let offering = plan.offerings.get(id).cloned().unwrap_or_default();
        let added = providers.add_for(provider(id), made, offering);
        added.unwrap();
    }
    let mut origins = Origins::new("https://id.example.com/".parse().unwrap());
    for (tenant, host) in &plan.hosts {
        origins = origins.with_host(&TenantName::new(tenant).unwrap(), host);
    }
    Parts {
        storage: storage.clone(),
        environment: Environment::new(clock.clone(), SeededRandom::new(seed)),
        master_key: MasterKey::new([7; 32]),
        providers,
        settings: plan.settings.clone(),
        limits: plan.limits,
        messages: plan.messages.clone(),
        outbound: std::sync::Arc::new(gatelodge_core::provider::Nowhere),
        origins,
        session_memory: 1_000,
        key_policy: gatelodge_core::tokens::KeyPolicy::default(),
    }
}

/// A client in a network of its own.
pub(crate) fn client(network: &str) -> ClientFacts {
    ClientFacts {
        address: Some(network.to_owned()),
        network: Some(network.to_owned()),
        user_agent: Some("test".to_owned()),
        request_id: None,
    }
}
