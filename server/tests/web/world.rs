//! A server in memory, and people in it.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use gatelodge_core::{
    Environment, Parts, Platform,
    access::Caller,
    environment::{ManualClock, SeededRandom},
    messages::Messages,
    model::{Grant, ProviderId, Tenant, TenantId, TenantName, User, UserName},
    provider::{Message, Provider, Registry},
    seal::MasterKey,
    secret::{Secret, Token},
    service::{InitialCredential, NewTenant, NewUser},
};
use gatelodge_provider_suite::Post;
use gatelodge_server::{
    app::App,
    config::{Config, resolve_origin},
    pages::{PageOptions, Renderer},
};
use gatelodge_storage_suite::memory::MemoryStorage;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::browser::Browser;

const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
/// What everybody's password is unless a test says otherwise.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

pub(crate) struct World {
    pub(crate) router: Router,
    pub(crate) platform: Platform,
    pub(crate) post: Arc<Post>,
    clock: Arc<ManualClock>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::with_ways(change, Vec::new()).await
    }

    /// With what mails links, and mailboxes.
    pub(crate) async fn with_mail() -> Self {
        let config = gatelodge_provider_one_time_token::Config::default();
        let mailed = gatelodge_provider_one_time_token::OneTimeTokenProvider::new(config);
        let ways: Vec<(&str, Arc<dyn Provider>)> = vec![("one-time-token", Arc::new(mailed))];
        Self::with_ways(|_| {}, ways).await
    }

    /// All mails to an address so far.
    pub(crate) async fn mails(&self, to: &str) -> Vec<Message> {
        while self.platform.deliver().await.unwrap().is_some() {}
        self.post.at(to)
    }

    /// The newest mail to an address.
    pub(crate) async fn mail(&self, to: &str) -> Message {
        while self.platform.deliver().await.unwrap().is_some() {}
        self.post.at(to).pop().expect("a mail")
    }

    /// With more ways to sign in, each offered after the password.
    pub(crate) async fn with_ways(
        change: impl FnOnce(&mut Config),
        ways: Vec<(&str, Arc<dyn Provider>)>,
    ) -> Self {
        Self::made(change, json!({}), ways).await
    }

    /// With these ways to sign in and no other.
    pub(crate) async fn without_password(ways: Vec<(&str, Arc<dyn Provider>)>) -> Self {
        Self::made(|_| {}, Value::Null, ways).await
    }

    /// With rules for passwords of its own.
    pub(crate) async fn with_rules(password: Value) -> Self {
        Self::made(|_| {}, password, Vec::new()).await
    }

    async fn made(
        change: impl FnOnce(&mut Config),
        mut password: Value,
        ways: Vec<(&str, Arc<dyn Provider>)>,
    ) -> Self {
        let mut config = Config::default();
        config.limits.network_free_tries = 10_000;
        config.limits.flows_per_network_per_minute = 10_000;
        change(&mut config);
        let clock = ManualClock::at(Timestamp::from_second(1_790_000_000).unwrap());
        let policy = resolve_origin(&config, LISTEN).unwrap();
        let mut providers = Registry::new();
        gatelodge_provider_password::register(&mut providers);
        if let Some(rules) = password.as_object_mut() {
            rules.insert("threads".to_owned(), 2.into());
            let id = ProviderId::new("password").unwrap();
            providers.configure(id, "password", rules.clone()).unwrap();
        }
        for (id, provider) in ways {
            providers
                .add(ProviderId::new(id).unwrap(), provider)
                .unwrap();
        }
        let post = Arc::new(Post::default());
        let platform = Platform::open(Parts {
            storage: Arc::new(MemoryStorage::new()),
            environment: Environment::new(clock.clone(), SeededRandom::new(1)),
            master_key: MasterKey::new([7; 32]),
            providers,
            settings: config.effective_settings(),
            limits: config.limit_policy(),
            messages: Messages::written_by(post.clone()).sent_by(post.clone()),
            outbound: std::sync::Arc::new(gatelodge_core::provider::Nowhere),
            origins: policy.origins().clone(),
            session_memory: 1_000,
            key_policy: gatelodge_core::tokens::KeyPolicy::default(),
        })
        .await
        .unwrap();
        let renderer = Renderer::new(PageOptions::default()).unwrap();
        let app = App::new(platform.clone(), policy, renderer, config);
        Self {
            router: gatelodge_server::http::router(app),
            platform,
            post,
            clock,
        }
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.router.clone())
    }

    pub(crate) async fn set_up_token(&self) -> Token {
        self.platform.set_up().prepare().await.unwrap().unwrap()
    }

    pub(crate) async fn tenant(&self, name: &str) -> Tenant {
        let new = NewTenant {
            name: TenantName::new(name).unwrap(),
            display_name: None,
        };
        let tenants = self.platform.tenants();
        tenants.create(&Caller::operator(), new).await.unwrap()
    }

    pub(crate) async fn user(&self, tenant: TenantId, name: &str, grants: &[Grant]) -> User {
        let new = NewUser {
            user_name: UserName::new(name).unwrap(),
            display_name: None,
            email: None,
            credential: InitialCredential::Given {
                password: Secret::new(PASSWORD),
                must_change: false,
            },
        };
        let users = self.platform.users();
        let operator = Caller::operator();
        let (user, _) = users.create(&operator, tenant, new).await.unwrap();
        for grant in grants {
            let place = (tenant, user.id);
            users
                .set_grant(&operator, place, *grant, true)
                .await
                .unwrap();
        }
        user
    }

    /// A browser in which somebody of a tenant signed in at the tenant's address.
    pub(crate) async fn signed_in(&self, tenant: &str, user: &str) -> Browser {
        let mut browser = self.browser();
        browser
            .sign_in(&format!("/t/{tenant}"), user, PASSWORD)
            .await;
        browser
    }

    /// A tenant `acme` with its administrator `ada` and with `bob`.
    pub(crate) async fn acme() -> (Self, Tenant) {
        let world = Self::new().await;
        let tenant = world.tenant("acme").await;
        world.user(tenant.id, "ada", &Grant::ALL).await;
        world.user(tenant.id, "bob", &[]).await;
        (world, tenant)
    }
}
