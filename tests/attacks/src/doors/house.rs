//! A server in memory, for doors that are reached by requests only.

use std::{cell::RefCell, collections::BTreeMap, net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, Request, StatusCode},
};
use gatelodge_core::{
    Environment, Parts, Platform, Result,
    access::Caller,
    engine::{Progress, Reply, ReplyAnswer, StartFlow, Transport},
    environment::{ManualClock, SeededRandom},
    messages::Messages,
    model::{ClientFacts, FactorClass, Grant, ProviderId, TenantId, TenantName, UserId, UserName},
    provider::{
        Answer, Context, Description, Entry, Field, FieldKind, Form, Proof, Provider, Registry,
        Role, State, Turn, Who,
    },
    seal::MasterKey,
    secret::Secret,
    service::{InitialCredential, NewTenant, NewUser},
};
use gatelodge_server::{
    app::App,
    config::{Config, resolve_origin},
    pages::{PageOptions, Renderer},
};
use gatelodge_storage_suite::memory::MemoryStorage;
use jiff::Timestamp;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;

/// After so many requests it is built anew: what they leave there must not fill the memory.
const REQUESTS: u32 = 20_000;
/// The host that requests have to name.
pub(super) const HOST: &str = "localhost:8080";

pub(super) struct House {
    runtime: Runtime,
    router: Router,
    /// The session token of an administrator of the tenant `home`.
    pub(super) token: String,
    requests: u32,
}

/// What came back.
pub(super) struct Reaction {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Does something in this thread's house.
pub(super) fn at_home<T>(act: impl FnOnce(&mut House) -> T) -> T {
    thread_local! {
        static HOUSE: RefCell<Option<House>> = const { RefCell::new(None) };
    }
    HOUSE.with_borrow_mut(|house| {
        if house
            .as_ref()
            .is_some_and(|house| house.requests > REQUESTS)
        {
            *house = None;
        }
        act(house.get_or_insert_with(House::build))
    })
}

pub(super) fn runtime() -> Runtime {
    let builder = &mut Builder::new_current_thread();
    builder.enable_time().build().expect("a runtime")
}

impl House {
    fn build() -> Self {
        let runtime = runtime();
        let (router, token) = runtime.block_on(build()).expect("a server in memory");
        Self {
            runtime,
            router,
            token,
            requests: 0,
        }
    }

    /// Sends a request. No answer is a fault of the server, none has an odd header.
    pub(super) fn send(&mut self, mut request: Request<Body>) -> Reaction {
        self.requests += 1;
        let peer = SocketAddr::from(([192, 0, 2, 1], 40_000));
        request.extensions_mut().insert(ConnectInfo(peer));
        let what = format!("{} {}", request.method(), request.uri());
        let router = self.router.clone();
        let (parts, body) = self.runtime.block_on(async {
            let (parts, body) = router
                .oneshot(request)
                .await
                .expect("an answer")
                .into_parts();
            (
                parts,
                axum::body::to_bytes(body, 16 << 20).await.expect("a body"),
            )
        });
        assert!(!parts.status.is_server_error(), "{what}: {}", parts.status);
        for value in parts.headers.values() {
            assert!(value.to_str().is_ok(), "{what}: {value:?}");
        }
        Reaction {
            status: parts.status,
            headers: parts.headers,
            body: body.to_vec(),
        }
    }
}

async fn build() -> Result<(Router, String)> {
    let mut config = Config::default();
    config.limits.network_free_tries = 1_000_000;
    config.limits.flows_per_network_per_minute = 1_000_000;
    let listen = SocketAddr::from(([127, 0, 0, 1], 8080));
    let policy = resolve_origin(&config, listen).expect("the default is good");
    let mut providers = Registry::new();
    providers.add(ProviderId::new("ticket")?, Arc::new(Ticket))?;
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let platform = Platform::open(Parts {
        storage: Arc::new(MemoryStorage::new()),
        environment: Environment::new(clock, SeededRandom::new(1)),
        master_key: MasterKey::new([7; 32]),
        providers,
        settings: config.effective_settings(),
        limits: config.limit_policy(),
        messages: Messages::none(),
        outbound: std::sync::Arc::new(gatelodge_core::provider::Nowhere),
        origins: policy.origins().clone(),
        session_memory: 1_000,
        key_policy: gatelodge_core::tokens::KeyPolicy::default(),
    })
    .await?;
    let token = populate(&platform).await?;
    let renderer = Renderer::new(PageOptions::default()).expect("our own pages");
    let app = App::new(platform, policy, renderer, config);
    Ok((gatelodge_server::http::router(app), token))
}

/// Makes a tenant with an administrator and a few others; answers the token of a session.
async fn populate(platform: &Platform) -> Result<String> {
    let operator = Caller::operator();
    let tenant = NewTenant {
        name: TenantName::new("home")?,
        display_name: None,
    };
    let tenant = platform.tenants().create(&operator, tenant).await?.id;
    let mut first = None;
    for name in ["ada", "grace", "linus"] {
        let user = NewUser {
            user_name: UserName::new(name)?,
            display_name: None,
            email: None,
            credential: InitialCredential::None,
        };
        let user = platform.users().create(&operator, tenant, user).await?.0.id;
        first.get_or_insert(user);
    }
    let ada = first.expect("three users");
    let administrator = Grant::TenantAdministrator;
    platform
        .users()
        .set_grant(&operator, (tenant, ada), administrator, true)
        .await?;

    let client = ClientFacts::default();
    let flow = StartFlow::sign_in(Transport::Token);
    let flow = platform.sign_in().start(flow, &client).await?;
    let ticket = BTreeMap::from([("ticket".to_owned(), Secret::new(format!("{tenant} {ada}")))]);
    let reply = Reply {
        step: None,
        provider: "ticket".to_owned(),
        answer: ReplyAnswer::Fields(ticket),
        device: None,
        stay: false,
    };
    match platform
        .sign_in()
        .answer(&flow.handle, reply, &client)
        .await?
    {
        Progress::Complete(done) => Ok(done.token.expose().to_owned()),
        _ => Err(gatelodge_core::Error::internal("the ticket was not taken")),
    }
}

/// Believes whoever names a tenant and a user by their ids, which nobody guesses.
struct Ticket;

#[async_trait]
impl Provider for Ticket {
    fn describe(&self) -> Description {
        Description {
            kind: "ticket".to_owned(),
            label: "Ticket".to_owned(),
            class: FactorClass::Possession,
            amr: "tkt".to_owned(),
            first_step: true,
            second_factor: false,
            backup: false,
            enrolment: false,
            finds_tenant: true,
            inline: true,
            links: Vec::new(),
            silent: false,
            third_party: false,
            mark: gatelodge_core::provider::Mark::default(),
            refusal_floor_ms: 0,
        }
    }

    async fn begin(&self, _: &Context<'_>, _: Entry) -> Result<Turn> {
        let fields = vec![Field::new(
            "ticket",
            FieldKind::Code,
            Role::Code,
            "Ticket",
            "off",
        )];
        Ok(Turn::prompt(Form {
            fields,
            ..Form::default()
        }))
    }

    async fn resume(&self, _: &Context<'_>, _: State, answer: Answer) -> Result<Turn> {
        let ticket = answer
            .field("ticket")
            .map(Secret::expose)
            .unwrap_or_default();
        let ids = ticket.split_once(' ').and_then(|(tenant, user)| {
            Some((
                tenant.parse::<TenantId>().ok()?,
                user.parse::<UserId>().ok()?,
            ))
        });
        Ok(match ids {
            Some(ids) => Turn::proven(Proof::of(Who::Candidates { users: vec![ids] })),
            None => Turn::refused("no_ticket"),
        })
    }
}
