//! From a provider's wish to a mail server: with a real database, real servers and
//! a real connection.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use axum::{body::Body, extract::ConnectInfo, http::Request};
use gatelodge_core::{
    Environment, Parts, Platform, Result,
    access::Caller,
    engine::{Progress, Reply, ReplyAnswer, StartFlow, Transport},
    environment::{ManualClock, SeededRandom, later},
    limits::LimitPolicy,
    messages::{CLAIM, Delivery, Messages},
    model::{
        AuditFilter, ClientFacts, EffectiveSettings, Email, FactorClass, ProviderId, Tenant,
        TenantName, UserName,
    },
    provider::{
        Answer, Context, Description, Effect, Entry, Field, FieldKind, Form, LinkPurpose, Message,
        Provider, Registry, Role, State, Step, Turn,
    },
    seal::MasterKey,
    secret::Secret,
    service::{InitialCredential, NewTenant, NewUser, TenantRef},
    storage::{Mode, Page, RowKind, Scope, Storage},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt as _;
use tracing_subscriber::fmt::MakeWriter;

use super::{
    super::MessageRenderer,
    CANARY, config,
    server::{Encryption, MailServer, Manner},
    smtp,
};
use crate::{
    app::App,
    config::{Config, MailTls, StorageConfig, StorageUrl, resolve_origin},
    http, loops,
    pages::{PageOptions, Renderer},
    plugins,
};

const ORIGIN: &str = "https://id.example.org";
const ADDRESS: &str = "ada@example.com";

/// Mails a link to whoever names themselves.
struct Mailer;

#[async_trait]
impl Provider for Mailer {
    fn describe(&self) -> Description {
        Description {
            kind: "mailer".to_owned(),
            label: "Mail".to_owned(),
            class: FactorClass::Possession,
            amr: "mail".to_owned(),
            first_step: true,
            second_factor: false,
            backup: false,
            enrolment: false,
            finds_tenant: false,
            inline: true,
            links: Vec::new(),
            silent: false,
            third_party: false,
            mark: gatelodge_core::provider::Mark::default(),
            refusal_floor_ms: 0,
        }
    }

    async fn begin(&self, _: &Context<'_>, _: Entry) -> Result<Turn> {
        let (kind, role) = (FieldKind::Text, Role::Identifier);
        Ok(Turn::prompt(Form {
            fields: vec![Field::new("name", kind, role, "Name", "username")],
            ..Form::default()
        }))
    }

    async fn resume(&self, context: &Context<'_>, _: State, _: Answer) -> Result<Turn> {
        let hour = later(context.now(), Duration::from_secs(3_600));
        let message =
            Message::mail("magic_link", hour).with_link(LinkPurpose::SignIn, Secret::new(CANARY));
        let wait = Step::Wait {
            poll_after_ms: 2_000,
        };
        Ok(Turn::step(wait).with_effect(Effect::Send { message }))
    }
}

/// A database, a clock, and the tenant with Ada in it.
struct Place {
    clock: Arc<ManualClock>,
    storages: Mutex<Vec<Arc<dyn Storage>>>,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            clock: ManualClock::at(Timestamp::from_second(1_790_000_000).unwrap()),
            storages: Mutex::default(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A server on the database that sends mails to this port.
    async fn node(&self, port: u16, seed: u64) -> Platform {
        let mut mail = config(port, MailTls::None);
        mail.timeout_seconds = 1;
        let renderer = MessageRenderer::new(
            &PageOptions::default(),
            gatelodge_core::Origins::new(ORIGIN.parse().unwrap()),
        )
        .unwrap();
        let messages = Messages::written_by(Arc::new(renderer)).sent_by(Arc::new(smtp(&mail)));
        let url = format!("sqlite:{}/gatelodge.db", self.folder.path().display());
        let config = StorageConfig {
            url: Some(url.parse::<StorageUrl>().unwrap()),
            ..StorageConfig::default()
        };
        let storage = plugins::storage(&config).await.unwrap();
        self.storages.lock().unwrap().push(storage.clone());
        let mut providers = Registry::new();
        let id = ProviderId::new("mailer").unwrap();
        providers.add(id, Arc::new(Mailer)).unwrap();
        let parts = Parts {
            storage,
            environment: Environment::new(self.clock.clone(), SeededRandom::new(seed)),
            master_key: MasterKey::new([7; 32]),
            providers,
            settings: EffectiveSettings::default(),
            limits: LimitPolicy::default(),
            messages,
            outbound: std::sync::Arc::new(gatelodge_core::provider::Nowhere),
            origins: gatelodge_core::Origins::new(ORIGIN.parse().unwrap()),
            session_memory: 10,
            key_policy: gatelodge_core::tokens::KeyPolicy::default(),
        };
        Platform::open(parts).await.unwrap()
    }

    async fn close(self) {
        let storages = std::mem::take(&mut *self.storages.lock().unwrap());
        for storage in storages {
            storage.close().await;
        }
    }
}

async fn ada(platform: &Platform) -> Tenant {
    let operator = Caller::operator();
    let new = NewTenant {
        name: TenantName::new("acme").unwrap(),
        display_name: None,
    };
    let acme = platform.tenants().create(&operator, new).await.unwrap();
    let user = NewUser {
        user_name: UserName::new("ada").unwrap(),
        display_name: None,
        email: Some(Email::new(ADDRESS).unwrap()),
        credential: InitialCredential::None,
    };
    let users = platform.users();
    let (mut user, _) = users.create(&operator, acme.id, user).await.unwrap();
    user.email_verified = true;
    let scope = Scope::Tenant(acme.id);
    let mut unit = platform.storage().begin(scope, Mode::Write).await.unwrap();
    unit.users().update(&user).await.unwrap();
    unit.commit().await.unwrap();
    acme
}

/// Asks for a mail to Ada.
async fn ask(platform: &Platform, acme: &Tenant) {
    let client = ClientFacts::default();
    let start = StartFlow {
        tenant: Some(TenantRef::Id(acme.id)),
        ..StartFlow::sign_in(Transport::Cookie)
    };
    let started = platform.sign_in().start(start, &client).await.unwrap();
    let values = BTreeMap::from([("name".to_owned(), Secret::new("ada"))]);
    let reply = Reply {
        step: started.view.step.as_ref().map(|step| step.id.clone()),
        provider: "mailer".to_owned(),
        answer: ReplyAnswer::Fields(values),
        device: None,
        stay: false,
    };
    let answered = platform
        .sign_in()
        .answer(&started.handle, reply, &client)
        .await;
    assert!(matches!(answered.unwrap(), Progress::Next { .. }));
}

async fn once(platform: &Platform) -> Option<Delivery> {
    platform.deliver().await.unwrap()
}

async fn waiting(platform: &Platform, acme: &Tenant) -> usize {
    let scope = Scope::Tenant(acme.id);
    let mut unit = platform.storage().begin(scope, Mode::Read).await.unwrap();
    let rows = unit.archive().rows(RowKind::Message, None, 99).await;
    rows.unwrap().len()
}

async fn failures(platform: &Platform, acme: &Tenant) -> Vec<String> {
    let scope = Scope::Tenant(acme.id);
    let mut unit = platform.storage().begin(scope, Mode::Read).await.unwrap();
    let filter = AuditFilter {
        action: Some("message.send".to_owned()),
        ..AuditFilter::default()
    };
    let events = unit.audit().list(&filter, Page::first(99)).await.unwrap();
    let written = serde_json::to_string(&events).unwrap();
    assert!(!written.contains(CANARY) && !written.contains(ADDRESS));
    events
        .into_iter()
        .filter_map(|event| event.reason)
        .collect()
}

#[tokio::test]
async fn a_link_arrives_once_and_leads_to_the_configured_origin() {
    let (place, server) = (Place::new(), MailServer::start(Encryption::None).await);
    let platform = place.node(server.port, 1).await;
    let acme = ada(&platform).await;
    ask(&platform, &acme).await;
    assert_eq!(once(&platform).await, Some(Delivery::Sent));
    assert_eq!(once(&platform).await, None);
    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, [ADDRESS]);
    let text = mails[0].decoded();
    let link = format!("{ORIGIN}/t/{}/link/sign-in?token={CANARY}", acme.id);
    assert!(text.contains(&link), "{text}");
    assert_eq!(waiting(&platform, &acme).await, 0);
    place.close().await;
}

#[tokio::test]
async fn what_a_mail_server_missed_arrives_once_it_is_back() {
    let (place, server) = (Place::new(), MailServer::start(Encryption::None).await);
    let port = server.port;
    drop(server);
    let platform = place.node(port, 1).await;
    let acme = ada(&platform).await;
    ask(&platform, &acme).await;
    assert_eq!(once(&platform).await, Some(Delivery::Postponed));
    assert_eq!(waiting(&platform, &acme).await, 1);
    let server = MailServer::at(port, Encryption::None).await;
    assert_eq!(once(&platform).await, None, "not at once");
    place.clock.advance(Duration::from_secs(10));
    assert_eq!(once(&platform).await, Some(Delivery::Sent));
    place.clock.advance(Duration::from_secs(3_600));
    assert_eq!(once(&platform).await, None);
    assert_eq!(server.mails().len(), 1);
    assert!(failures(&platform, &acme).await.is_empty());
    place.close().await;
}

#[tokio::test]
async fn s07_no_header_of_a_request_gets_into_a_mail() {
    let (place, server) = (Place::new(), MailServer::start(Encryption::None).await);
    let platform = place.node(server.port, 1).await;
    let acme = ada(&platform).await;
    let mut config = Config::default();
    config.server.origin = Some(ORIGIN.parse().unwrap());
    let policy = resolve_origin(&config, config.server.listen).unwrap();
    let renderer = Renderer::new(PageOptions::default()).unwrap();
    let router = http::router(App::new(platform.clone(), policy, renderer, config));
    let evil = [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("forwarded", "host=evil.example;proto=http"),
        ("x-original-host", "evil.example"),
        ("x-host", "evil.example"),
        ("referer", "https://evil.example/"),
    ];
    let call = async |path: String, host: &str, body: Value| {
        let mut request = Request::post(path).header("host", host);
        for (name, value) in evil {
            request = request.header(name, value);
        }
        let request = request.header("content-type", "application/json");
        let mut request = request.body(Body::from(body.to_string())).unwrap();
        let peer = SocketAddr::from(([192, 0, 2, 1], 4_000));
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = router.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await;
        let body: Value = serde_json::from_slice(&bytes.unwrap()).unwrap();
        (status, body)
    };
    let flows = "/api/v1/sign-in/flows";
    let start = json!({"tenant": "acme", "transport": "token"});
    for host in ["evil.example", "id.example.org:444"] {
        let (status, _) = call(flows.to_owned(), host, start.clone()).await;
        assert_eq!(status, 421, "{host}");
    }
    let (status, _) = call(
        format!("https://evil.example{flows}"),
        "id.example.org",
        start.clone(),
    )
    .await;
    assert_eq!(status, 421, "an absolute address");
    let (status, flow) = call(flows.to_owned(), "id.example.org", start).await;
    assert_eq!(status, 201, "{flow}");
    let path = format!("{flows}/{}", flow["id"].as_str().unwrap());
    let answer = json!({"provider": "mailer", "answer": {"name": "ada"}});
    let (status, answered) = call(path, "id.example.org", answer).await;
    assert_eq!(status, 200, "{answered}");
    assert_eq!(once(&platform).await, Some(Delivery::Sent));
    let mail = server.mails().remove(0);
    let text = mail.decoded();
    let link = format!("{ORIGIN}/t/{}/link/sign-in?token={CANARY}", acme.id);
    assert!(text.contains(&link), "{text}");
    assert!(!text.contains("evil"), "{text}");
    place.close().await;
}

/// v5.0.0-16.5.2
#[tokio::test]
async fn what_a_mail_server_refuses_is_given_up_and_audited() {
    let (place, server) = (Place::new(), MailServer::start(Encryption::None).await);
    let platform = place.node(server.port, 1).await;
    let acme = ada(&platform).await;
    server.behave(Manner::Says("550 5.1.1 there is no ada@example.com"));
    ask(&platform, &acme).await;
    assert_eq!(once(&platform).await, Some(Delivery::GivenUp));
    assert_eq!(waiting(&platform, &acme).await, 0);
    assert_eq!(failures(&platform, &acme).await, ["rejected"]);
    place.close().await;
}

#[tokio::test]
async fn whoever_asks_does_not_wait_for_a_mail_server_that_hangs() {
    let (place, server) = (Place::new(), MailServer::start(Encryption::None).await);
    server.behave(Manner::Hangs);
    let platform = place.node(server.port, 1).await;
    let acme = ada(&platform).await;
    let config = Config::default();
    let (stop, stopped) = watch::channel(false);
    let mut loops = loops::start(&platform, &config, &stopped);
    ask(&platform, &acme).await;
    server.is_hanging().await;
    // Others go on asking, and are answered, while the first mail hangs.
    ask(&platform, &acme).await;
    while waiting(&platform, &acme).await < 2 {
        tokio::task::yield_now().await;
    }
    stop.send_replace(true);
    while loops.join_next().await.is_some() {}
    assert!(server.mails().is_empty());
    place.close().await;
}

#[tokio::test]
async fn two_servers_on_one_database_send_each_mail_once() {
    let (place, server) = (Place::new(), MailServer::start(Encryption::None).await);
    let one = place.node(server.port, 1).await;
    let other = place.node(server.port, 2).await;
    let acme = ada(&one).await;
    for asked in 0..8 {
        ask(if asked % 2 == 0 { &one } else { &other }, &acme).await;
    }
    let drain = async |platform: &Platform| while once(platform).await.is_some() {};
    tokio::join!(drain(&one), drain(&other), drain(&one), drain(&other));
    let mails = server.mails();
    let mut ids: Vec<_> = mails.iter().map(|m| m.header("Message-ID")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), mails.len()), (8, 8));
    place.close().await;
}

#[tokio::test]
async fn a_mail_that_was_sent_and_not_noted_comes_again_under_the_same_id() {
    let (place, server) = (Place::new(), MailServer::start(Encryption::None).await);
    let one = place.node(server.port, 1).await;
    let other = place.node(server.port, 2).await;
    let acme = ada(&one).await;
    ask(&one, &acme).await;
    // The server takes the mail, and the node dies before it hears of that.
    let dying = tokio::spawn({
        let one = one.clone();
        async move { one.deliver().await }
    });
    while server.mails().is_empty() {
        tokio::task::yield_now().await;
    }
    dying.abort();
    let is_noted = dying.await.is_ok();
    place.clock.advance(CLAIM);
    assert_eq!(once(&other).await.is_some(), !is_noted);
    let mails = server.mails();
    assert!(
        mails
            .iter()
            .all(|m| m.header("Message-ID") == mails[0].header("Message-ID"))
    );
    assert_eq!(waiting(&other, &acme).await, 0);
    place.close().await;
}

#[derive(Clone, Default)]
pub(super) struct Log(pub(super) Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn s17_no_link_and_no_address_is_in_any_line_of_the_log() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_max_level(tracing::Level::TRACE)
        .finish();
    // Beside a second one, or a test on another thread decides what this one sees:
    // of a single subscriber `tracing` asks the thread that comes first.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let kept = tracing::subscriber::set_default(subscriber);
    let (place, server) = (Place::new(), MailServer::start(Encryption::None).await);
    let platform = place.node(server.port, 1).await;
    let acme = ada(&platform).await;
    for manner in [
        Manner::Takes,
        Manner::HangsUp,
        Manner::Hangs,
        Manner::Says("451 4.3.0 later, ada@example.com canary-8d1f4c2e"),
        Manner::Says("554 5.7.1 refused: ada@example.com canary-8d1f4c2e"),
        Manner::Says("550 5.7.1 refused: ada@example.com canary-8d1f4c2e"),
    ] {
        server.behave(manner);
        ask(&platform, &acme).await;
        assert!(once(&platform).await.is_some());
    }
    place
        .clock
        .advance(Duration::from_secs(3_600) + CLAIM + Duration::from_secs(1));
    platform.tidy().await.unwrap();
    let mut reasons = failures(&platform, &acme).await;
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        ["expired", "expired", "expired", "expired", "rejected"]
    );
    place.close().await;
    drop(kept);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("a message was sent") && log.contains("a message was refused"));
    let lines = log
        .lines()
        .filter(|line| line.contains(CANARY) || line.contains(ADDRESS));
    assert_eq!(lines.collect::<Vec<_>>(), Vec::<&str>::new());
}
