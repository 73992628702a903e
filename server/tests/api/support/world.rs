use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{Router, http::Method};
use gatelodge_core::{
    Environment, Parts, Platform,
    environment::{ManualClock, SeededRandom},
    messages::Messages,
    model::ProviderId,
    provider::{Nowhere, Outbound, Registry},
    seal::MasterKey,
    storage::Storage,
};
use gatelodge_postgres::Database;
use gatelodge_provider_suite::Post;
use gatelodge_server::{
    app::App,
    config::{Config, resolve_origin},
    pages::{PageOptions, Renderer},
};
use gatelodge_storage_postgres::{PostgresConfig, PostgresStorage};
use gatelodge_storage_sqlite::{SqliteConfig, SqliteStorage};
use gatelodge_storage_suite::memory::MemoryStorage;
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Call, ticket::Ticket};

/// Where clients come from unless a test says otherwise.
pub(crate) const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// What a server is made of, where it differs from the usual.
pub(crate) struct Plan {
    pub(crate) config: Config,
    pub(crate) storage: Arc<dyn Storage>,
    /// Whether a link by mail is a way to sign in.
    pub(crate) mailed_sign_in: bool,
    /// Whether there is another kind of app, `work-app`.
    pub(crate) second_app: bool,
    /// Connections to OpenID providers: id and table.
    pub(crate) connections: Vec<(String, Value)>,
    /// What lies outside.
    pub(crate) outside: Arc<dyn Outbound>,
    /// Keys of the password's table.
    password: Value,
    ground: Ground,
}

/// What a storage lies in, removed in the end.
enum Ground {
    Memory,
    Folder { _keep: TempDir },
    Database { _keep: Database },
}

/// A server and what it stands on.
pub(crate) struct World {
    pub(crate) router: Router,
    pub(crate) platform: Platform,
    pub(crate) clock: Arc<ManualClock>,
    /// The origin of its pages.
    pub(crate) origin: String,
    pub(crate) post: Arc<Post>,
    /// Another server on the same storage, where a ticket signs anybody in.
    pub(super) issuer: Platform,
    config: Config,
    mailed_sign_in: bool,
    second_app: bool,
    connections: Vec<(String, Value)>,
    outside: Arc<dyn Outbound>,
    storage: Arc<dyn Storage>,
    password: Value,
    ground: Ground,
}

impl Plan {
    pub(crate) fn in_memory() -> Self {
        Self::on(Arc::new(MemoryStorage::new()))
    }

    pub(crate) fn on(storage: Arc<dyn Storage>) -> Self {
        let mut config = Config::default();
        // The tests of limits set their own.
        config.limits.network_free_tries = 100_000;
        config.limits.flows_per_network_per_minute = 100_000;
        Self {
            config,
            storage,
            password: json!({"threads": 2}),
            mailed_sign_in: false,
            second_app: false,
            connections: Vec::new(),
            outside: Arc::new(Nowhere),
            ground: Ground::Memory,
        }
    }

    pub(crate) async fn on_sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("gatelodge.db").display());
        let config: SqliteConfig = serde_json::from_value(json!({"url": url})).unwrap();
        let opened = SqliteStorage::open(config).await.unwrap();
        Self {
            ground: Ground::Folder { _keep: folder },
            ..Self::on(Arc::new(opened))
        }
    }

    pub(crate) async fn on_postgres() -> Self {
        let database = Database::new();
        let config = PostgresConfig::at(database.url());
        let opened = PostgresStorage::open(config).await.unwrap();
        Self {
            ground: Ground::Database { _keep: database },
            ..Self::on(Arc::new(opened))
        }
    }
}

impl World {
    pub(crate) async fn in_memory() -> Self {
        Self::of(Plan::in_memory()).await
    }

    pub(crate) async fn on_sqlite() -> Self {
        Self::of(Plan::on_sqlite().await).await
    }

    pub(crate) async fn on_postgres() -> Self {
        Self::of(Plan::on_postgres().await).await
    }

    /// An empty one on the same kind of storage.
    pub(crate) async fn another_like_this(&self) -> Self {
        self.another_with(|_| {}).await
    }

    /// An empty one on the same kind of storage, with a configuration of its own.
    pub(crate) async fn another_with(&self, change: impl FnOnce(&mut Config)) -> Self {
        self.another_by(|plan| change(&mut plan.config)).await
    }

    /// An empty one on the same kind of storage, with rules for passwords of its own.
    pub(crate) async fn another_with_rules(&self, mut password: Value) -> Self {
        password["threads"] = 2.into();
        self.another_by(|plan| plan.password = password).await
    }

    /// An empty one on the same kind of storage, with a plan of its own.
    pub(crate) async fn another_by(&self, change: impl FnOnce(&mut Plan)) -> Self {
        let mut plan = match self.ground {
            Ground::Memory => Plan::in_memory(),
            Ground::Folder { .. } => Plan::on_sqlite().await,
            Ground::Database { .. } => Plan::on_postgres().await,
        };
        change(&mut plan);
        Self::of(plan).await
    }

    /// A second server on the same storage, as another node has it or the same
    /// one after a restart. It lives no longer than this one; one is enough.
    pub(crate) async fn second_server(&self) -> Self {
        self.later_server(3, |_| {}).await
    }

    /// The same with a plan of its own. A server's chances follow from its seed, so that
    /// no two on one storage may have the same: take odd ones from 3 on.
    pub(crate) async fn later_server(&self, seed: u64, change: impl FnOnce(&mut Plan)) -> Self {
        let mut plan = Plan {
            config: self.config.clone(),
            storage: self.storage.clone(),
            mailed_sign_in: self.mailed_sign_in,
            second_app: self.second_app,
            connections: self.connections.clone(),
            outside: self.outside.clone(),
            password: self.password.clone(),
            ground: Ground::Memory,
        };
        change(&mut plan);
        Self::start(plan, self.clock.clone(), seed).await
    }

    /// In memory, with a configuration of its own.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut plan = Plan::in_memory();
        change(&mut plan.config);
        Self::of(plan).await
    }

    pub(crate) async fn of(plan: Plan) -> Self {
        let clock = ManualClock::at(Timestamp::from_second(1_790_000_000).unwrap());
        Self::start(plan, clock, 1).await
    }

    async fn start(plan: Plan, clock: Arc<ManualClock>, seed: u64) -> Self {
        let policy = resolve_origin(&plan.config, LISTEN).unwrap();
        let origin = policy.links_base();
        let post = Arc::new(Post::default());
        let messages = Messages::written_by(post.clone()).sent_by(post.clone());
        let providers = real_providers(&plan);
        let platform = open(&plan, &clock, policy.origins(), (providers, messages), seed).await;
        let mut tickets = Registry::new();
        let id = ProviderId::new("ticket").unwrap();
        tickets.add(id, Arc::new(Ticket)).unwrap();
        let issuer = open(
            &plan,
            &clock,
            policy.origins(),
            (tickets, Messages::none()),
            seed + 1,
        )
        .await;
        let renderer = Renderer::new(PageOptions::default()).unwrap();
        let app = App::new(platform.clone(), policy, renderer, plan.config.clone());
        Self {
            router: gatelodge_server::http::router(app),
            platform,
            clock,
            origin,
            post,
            issuer,
            config: plan.config,
            mailed_sign_in: plan.mailed_sign_in,
            second_app: plan.second_app,
            connections: plan.connections,
            outside: plan.outside,
            storage: plan.storage,
            password: plan.password,
            ground: plan.ground,
        }
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// The host that requests name.
    pub(crate) fn host(&self) -> &str {
        self.origin.split_once("://").unwrap().1
    }

    pub(crate) fn call(&self, method: Method, path: impl Into<String>) -> Call<'_> {
        Call::new(self, method, path.into())
    }

    pub(crate) fn get(&self, path: impl Into<String>) -> Call<'_> {
        self.call(Method::GET, path)
    }

    pub(crate) fn post(&self, path: impl Into<String>) -> Call<'_> {
        self.call(Method::POST, path)
    }

    pub(crate) fn put(&self, path: impl Into<String>) -> Call<'_> {
        self.call(Method::PUT, path)
    }

    pub(crate) fn patch(&self, path: impl Into<String>) -> Call<'_> {
        self.call(Method::PATCH, path)
    }

    pub(crate) fn delete(&self, path: impl Into<String>) -> Call<'_> {
        self.call(Method::DELETE, path)
    }

    /// Follows the change feed, as a serving process does, so that sessions are
    /// checked from memory. Returns when the feed is known to work.
    pub(crate) async fn follow(&self) {
        let platform = self.platform.clone();
        tokio::spawn(async move { platform.follow_changes().await });
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
}

/// The password, what confirms a sign-in, and what leads back into an account.
fn real_providers(plan: &Plan) -> Registry {
    let mut providers = Registry::new();
    gatelodge_provider_password::register(&mut providers);
    gatelodge_provider_totp::register(&mut providers);
    gatelodge_provider_recovery_code::register(&mut providers);
    gatelodge_provider_remember_device::register(&mut providers);
    gatelodge_provider_one_time_token::register(&mut providers);
    gatelodge_provider_oidc::register(&mut providers);
    let password = plan.password.as_object().unwrap().clone();
    let links = json!({"sign_in": plan.mailed_sign_in});
    let links = links.as_object().unwrap().clone();
    for (kind, table) in [
        ("password", password),
        ("totp", Default::default()),
        ("recovery-code", Default::default()),
        ("remember-device", Default::default()),
        ("one-time-token", links),
    ] {
        let id = ProviderId::new(kind).unwrap();
        providers.configure(id, kind, table).unwrap();
    }
    for (id, table) in &plan.connections {
        let id = ProviderId::new(id).unwrap();
        let table = table.as_object().unwrap().clone();
        providers.configure(id, "oidc", table).unwrap();
    }
    if plan.second_app {
        let id = ProviderId::new("work-app").unwrap();
        providers.configure(id, "totp", Default::default()).unwrap();
    }
    providers
}

async fn open(
    plan: &Plan,
    clock: &Arc<ManualClock>,
    origins: &gatelodge_core::Origins,
    (providers, messages): (Registry, Messages),
    seed: u64,
) -> Platform {
    let parts = Parts {
        storage: plan.storage.clone(),
        environment: Environment::new(clock.clone(), SeededRandom::new(seed)),
        master_key: MasterKey::new([7; 32]),
        providers,
        settings: plan.config.effective_settings(),
        limits: plan.config.limit_policy(),
        messages,
        outbound: plan.outside.clone(),
        origins: origins.clone(),
        session_memory: 1_000,
        key_policy: plan.config.key_policy(),
    };
    Platform::open(parts).await.unwrap()
}
