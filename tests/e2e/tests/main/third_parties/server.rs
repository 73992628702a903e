//! A server in this process, and the third party that its buttons lead to.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::{
    Router,
    http::{HeaderMap, StatusCode, header},
    response::{Html, Redirect},
    routing::get,
};
use gatelodge_core::{
    Environment, Parts, Platform, Result,
    access::Caller,
    messages::Messages,
    model::{FactorClass, ProviderId, TenantName},
    provider::{
        Answer, Context, Description, Entry, Finding, Mark, Nowhere, Provider, Rechecked, Registry,
        Shape, State, Step, ThirdParty, Turn,
    },
    seal::MasterKey,
    service::NewTenant,
    tokens::KeyPolicy,
};
use gatelodge_server::{
    app::App,
    config::{Config, resolve_origin},
    pages::{PageOptions, Renderer},
};
use gatelodge_storage_suite::memory::MemoryStorage;
use reqwest::Url;
use tokio::net::TcpListener;

/// The text of a preset, as the provider's crate holds it.
macro_rules! preset {
    ($file:literal) => {
        include_str!(concat!("../../../../../providers/", $file))
    };
}

/// The services, with the presets that hold the pictures on their buttons.
pub(crate) const MARKS: [(&str, &str, &str); 8] = [
    ("google", "Google", preset!("oidc/presets/google.toml")),
    (
        "microsoft",
        "Microsoft",
        preset!("oidc/presets/microsoft.toml"),
    ),
    ("apple", "Apple", preset!("oidc/presets/apple.toml")),
    ("github", "GitHub", preset!("oauth2/presets/github.toml")),
    (
        "facebook",
        "Facebook",
        preset!("oauth2/presets/facebook.toml"),
    ),
    (
        "linkedin",
        "LinkedIn",
        preset!("oidc/presets/linkedin.toml"),
    ),
    ("gitlab", "GitLab", preset!("oidc/presets/gitlab.toml")),
    ("discord", "Discord", preset!("oauth2/presets/discord.toml")),
];

/// A third party at two origins: the first sends everybody on to the second.
pub(crate) struct Elsewhere {
    pub(crate) origins: [String; 2],
    referrers: Arc<Mutex<Vec<String>>>,
}

impl Elsewhere {
    pub(crate) async fn start() -> Self {
        let referrers = Arc::new(Mutex::new(Vec::new()));
        let seen = referrers.clone();
        let there = async move |headers: HeaderMap| {
            let referrer = headers.get(header::REFERER);
            let referrer = referrer.map_or("none", |value| value.to_str().unwrap());
            seen.lock().unwrap().push(referrer.to_owned());
            let icon = "<link rel=\"icon\" href=\"data:,\">";
            Html(format!("<!doctype html>{icon}<title>There</title>There"))
        };
        let last = serve(Router::new().route("/there", get(there))).await;
        let onward = format!("{last}/there?a=1&b=2");
        let onward = get(async move || Redirect::to(&onward));
        Self {
            origins: [serve(Router::new().route("/authorize", onward)).await, last],
            referrers,
        }
    }

    /// One that shows nothing, so that the browser stays where it is.
    pub(crate) async fn mute() -> Self {
        let nothing = get(async || StatusCode::NO_CONTENT);
        let first = serve(Router::new().route("/authorize", nothing)).await;
        Self {
            origins: [first.clone(), first],
            referrers: Arc::default(),
        }
    }

    pub(crate) fn referrers(&self) -> Vec<String> {
        self.referrers.lock().unwrap().clone()
    }

    pub(crate) fn visits(&self) -> usize {
        self.referrers().len()
    }
}

/// Serves until the test ends; answers the origin.
async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// A server with a tenant `home`, the password and every service; answers its origin.
pub(crate) async fn house(elsewhere: &Elsewhere) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = Config::default();
    let policy = resolve_origin(&config, address).unwrap();
    let platform = Platform::open(Parts {
        storage: Arc::new(MemoryStorage::new()),
        environment: Environment::system(),
        master_key: MasterKey::new([7; 32]),
        providers: ways(elsewhere),
        settings: config.effective_settings(),
        limits: config.limit_policy(),
        messages: Messages::none(),
        outbound: Arc::new(Nowhere),
        origins: policy.origins().clone(),
        session_memory: 1_000,
        key_policy: KeyPolicy::default(),
    })
    .await
    .unwrap();
    let new = NewTenant {
        name: TenantName::new("home").unwrap(),
        display_name: None,
    };
    let tenants = platform.tenants();
    tenants.create(&Caller::operator(), new).await.unwrap();
    let origin = policy.links_base();
    let renderer = Renderer::new(PageOptions::default()).unwrap();
    let router = gatelodge_server::http::router(App::new(platform, policy, renderer, config));
    tokio::spawn(async move { axum::serve(listener, router).await });
    origin
}

fn ways(elsewhere: &Elsewhere) -> Registry {
    let mut providers = Registry::new();
    gatelodge_provider_password::register(&mut providers);
    let id = ProviderId::new("password").unwrap();
    providers
        .configure(id, "password", Default::default())
        .unwrap();
    let [first, _] = &elsewhere.origins;
    for (id, label, mark) in MARKS {
        let service = Service {
            label,
            mark: mark_of(mark),
            url: format!("{first}/authorize").parse().unwrap(),
        };
        let id = ProviderId::new(id).unwrap();
        providers.add(id, Arc::new(service)).unwrap();
    }
    providers
}

/// The tables `[[mark]]` of a preset.
fn mark_of(text: &str) -> Mark {
    let value = |line: &str| line.split('"').nth(1).unwrap().to_owned();
    let tables = text.split("[[mark]]").skip(1);
    let shapes = tables.map(|table| {
        let find = |key: &str| table.lines().find(|line| line.starts_with(key));
        Shape {
            path: find("path").map(value).unwrap(),
            fill: find("fill").map(value),
        }
    });
    Mark::new(shapes.collect()).unwrap()
}

struct Service {
    label: &'static str,
    mark: Mark,
    url: Url,
}

#[async_trait]
impl Provider for Service {
    fn describe(&self) -> Description {
        Description {
            kind: "service".to_owned(),
            label: self.label.to_owned(),
            class: FactorClass::Federated,
            amr: "fed".to_owned(),
            first_step: true,
            second_factor: false,
            backup: false,
            enrolment: false,
            finds_tenant: true,
            inline: false,
            links: Vec::new(),
            silent: false,
            third_party: true,
            mark: self.mark.clone(),
            refusal_floor_ms: 0,
        }
    }

    async fn begin(&self, _: &Context<'_>, _: Entry) -> Result<Turn> {
        let url = self.url.clone();
        Ok(Turn::step(Step::Redirect { url }))
    }

    async fn resume(&self, _: &Context<'_>, _: State, _: Answer) -> Result<Turn> {
        Ok(Turn::refused("unknown"))
    }

    fn third_party(&self) -> Option<&dyn ThirdParty> {
        Some(self)
    }
}

#[async_trait]
impl ThirdParty for Service {
    async fn refresh(&self, _: &Context<'_>) -> Result<()> {
        Ok(())
    }

    async fn recheck(&self, _: &Context<'_>, _: &State) -> Result<Rechecked> {
        Ok(Rechecked::Unknown {})
    }

    fn proves_anew(&self) -> bool {
        true
    }

    async fn sign_out(&self, _: &Context<'_>, _: &Url) -> Option<Url> {
        None
    }

    async fn diagnose(&self, _: &Context<'_>) -> Vec<Finding> {
        Vec::new()
    }
}
