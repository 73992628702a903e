//! Codes as a second factor, from setting an address up to signing in: by the JSON
//! API, with a real database, a real mail server and a web hook.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Method, Request},
};
use futures_util::future::join_all;
use gatelodge_core::{
    Environment, Parts, Platform,
    access::Caller,
    environment::{ManualClock, SeededRandom},
    messages::Delivery,
    model::{AuditFilter, Email, Tenant, TenantName, UserName},
    seal::MasterKey,
    secret::Secret,
    service::{InitialCredential, NewTenant, NewUser},
    storage::{Mode, Page, Scope, Storage},
};
use gatelodge_postgres::Database;
use jiff::Timestamp;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{
    delivery::Log,
    hook::{self, Hook},
    server::{Encryption, MailServer, Manner},
};
use crate::{
    app::App,
    config::{Loaded, Overrides, load},
    http,
    messages::messages,
    pages::{PageOptions, Renderer},
    plugins,
};

const PASSWORD: &str = "quiet harbour lantern 41";
const FLOWS: &str = "/api/v1/sign-in/flows";
const MAIL: &str = "mail-code";
const SMS: &str = "sms-code";
const MAILBOX: &str = "ada.lovelace@codes.example";
const TELEPHONE: &str = "+49 30 1234711";
const MINUTE: Duration = Duration::from_secs(60);

/// A database with somebody in it, a mail server, and a web hook.
struct Town {
    clock: Arc<ManualClock>,
    storages: Mutex<Vec<Arc<dyn Storage>>>,
    loaded: Loaded,
    mails: MailServer,
    hook: Hook,
    /// All that was answered.
    answers: Mutex<Vec<String>>,
    _folder: tempfile::TempDir,
}

/// A server of it.
struct Node {
    platform: Platform,
    router: Router,
}

/// A status and a body.
type Answer = (u16, Value);

impl Town {
    async fn on_sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/gatelodge.db", folder.path().display());
        Self::at(folder, &url).await
    }

    async fn at(folder: tempfile::TempDir, url: &str) -> Self {
        let mails = MailServer::start(Encryption::None).await;
        let (hook, place) = hook::start().await;
        let port = mails.port;
        let text = format!(
            "[server]\norigin = \"https://id.example.org\"\n\
             [storage]\nurl = \"{url}\"\n\
             [limits]\nnetwork_free_tries = 100000\nfree_tries = 99\n\
             [mail]\nsender = \"Example Ltd <id@example.org>\"\nhost = \"localhost\"\n\
             port = {port}\ntls = \"none\"\ntimeout_seconds = 1\n\
             [sms]\nurl = \"http://{place}/send\"\nsecret = \"hook secret\"\n\
             [[providers]]\nkind = \"password\"\nthreads = 2\n\
             [[providers]]\nkind = \"one-time-code\"\nid = \"{MAIL}\"\nchannel = \"mail\"\n\
             [[providers]]\nkind = \"one-time-code\"\nid = \"{SMS}\"\nchannel = \"sms\"\n"
        );
        let file = folder.path().join("gatelodge.toml");
        std::fs::write(&file, text).unwrap();
        let overrides = Overrides {
            config: Some(file),
            ..Overrides::default()
        };
        let none: [(&str, &str); 0] = [];
        Self {
            clock: ManualClock::at(Timestamp::from_second(1_790_000_000).unwrap()),
            storages: Mutex::default(),
            loaded: load(&overrides, none).unwrap(),
            mails,
            hook,
            answers: Mutex::default(),
            _folder: folder,
        }
    }

    async fn node(&self, seed: u64) -> Node {
        let config = &self.loaded.config;
        let policy = self.loaded.origin_policy(config.server.listen).unwrap();
        let storage = plugins::storage(&config.storage).await.unwrap();
        self.storages.lock().unwrap().push(storage.clone());
        let parts = Parts {
            storage,
            environment: Environment::new(self.clock.clone(), SeededRandom::new(seed)),
            master_key: MasterKey::new([7; 32]),
            providers: plugins::providers(config).unwrap(),
            settings: config.effective_settings(),
            limits: config.limit_policy(),
            messages: messages(&self.loaded, &policy, &PageOptions::default()).unwrap(),
            outbound: std::sync::Arc::new(gatelodge_core::provider::Nowhere),
            origins: policy.origins().clone(),
            key_policy: gatelodge_core::tokens::KeyPolicy::default(),
            session_memory: 10,
        };
        let platform = Platform::open(parts).await.unwrap();
        let renderer = Renderer::new(PageOptions::default()).unwrap();
        let app = App::new(platform.clone(), policy, renderer, config.clone());
        Node {
            platform,
            router: http::router(app),
        }
    }

    async fn close(self) {
        let storages = std::mem::take(&mut *self.storages.lock().unwrap());
        for storage in storages {
            storage.close().await;
        }
    }

    async fn call(&self, node: &Node, path: &str, bearer: Option<&str>, body: Value) -> Answer {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header("host", "id.example.org")
            .header("content-type", "application/json");
        if let Some(token) = bearer {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut request = request.body(Body::from(body.to_string())).unwrap();
        let peer = SocketAddr::from(([192, 0, 2, 1], 4_000));
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = node.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (answer.status().as_u16(), format!("{:?}", answer.headers()));
        let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await;
        let text = String::from_utf8(bytes.unwrap().to_vec()).unwrap();
        let body = serde_json::from_str(&text).unwrap();
        self.answers.lock().unwrap().push(headers + &text);
        (status, body)
    }

    async fn reply(&self, node: &Node, flow: &Value, reply: Value) -> Answer {
        let path = format!("{FLOWS}/{}", flow["id"].as_str().unwrap());
        self.call(node, &path, None, reply).await
    }

    /// Answers a step, which leads on.
    async fn on(&self, node: &Node, flow: &Value, reply: Value) -> Value {
        let (status, next) = self.reply(node, flow, reply).await;
        assert_eq!(status, 200, "{next}");
        next
    }

    async fn begin(&self, node: &Node, bearer: Option<&str>, more: Value) -> Value {
        let mut body = json!({"transport": "token"});
        let more = more.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(more);
        let (status, flow) = self.call(node, FLOWS, bearer, body).await;
        assert_eq!(status, 201, "{flow}");
        flow
    }

    /// A sign-in in which the password is proven.
    async fn half(&self, node: &Node) -> Value {
        let flow = self.begin(node, None, json!({"tenant": "acme"})).await;
        let answer = json!({"user_name": "ada", "password": PASSWORD});
        self.on(
            node,
            &flow,
            json!({"provider": "password", "answer": answer}),
        )
        .await
    }

    /// The same, with a code asked for.
    async fn asked(&self, node: &Node, provider: &str) -> Value {
        let half = self.half(node).await;
        assert_eq!(half["step"]["providers"][0]["id"], provider, "{half}");
        self.on(node, &half, button(provider, "send")).await
    }

    /// Begins to set an address up; the code is on its way.
    async fn name(&self, node: &Node, token: &str, provider: &str, address: &str) -> Value {
        let start = json!({"intent": "enrol", "provider": provider});
        let flow = self.begin(node, Some(token), start).await;
        let proof = json!({"provider": "password", "answer": {"password": PASSWORD}});
        let flow = self.on(node, &flow, proof).await;
        let named = json!({"provider": provider, "answer": {"address": address}});
        self.on(node, &flow, named).await
    }

    /// Sets an address up.
    async fn set_up(&self, node: &Node, provider: &str, address: &str) -> Value {
        let token = session_of(&self.half(node).await);
        let flow = self.name(node, &token, provider, address).await;
        let code = self.code(node, provider).await;
        self.on(node, &flow, code_of(provider, &code)).await
    }

    /// The newest code, as the mail or the text message says it.
    async fn code(&self, node: &Node, provider: &str) -> String {
        while node.platform.deliver().await.unwrap().is_some() {}
        let text = match provider {
            MAIL => {
                let mails = self.mails.mails();
                let mail = mails.last().unwrap();
                assert_eq!(mail.to, [MAILBOX]);
                mail.decoded()
            }
            _ => {
                let got = self.hook.got.lock().unwrap();
                let (_, _, body) = got.last().unwrap();
                assert_eq!(body["to"], "+49301234711");
                body["text"].as_str().unwrap().to_owned()
            }
        };
        code_in(&text)
    }

    /// How often a code was sent or tried to be, by mail or SMS.
    fn count(&self) -> usize {
        self.mails.mails().len() + self.hook.got.lock().unwrap().len()
    }
}

fn button(provider: &str, action: &str) -> Value {
    json!({"provider": provider, "action": action})
}

fn code_of(provider: &str, code: &str) -> Value {
    json!({"provider": provider, "answer": {"code": code}})
}

fn session_of(done: &Value) -> String {
    assert_eq!(done["state"], "complete", "{done}");
    done["session"]["token"].as_str().unwrap().to_owned()
}

/// The eight digits in a text, as they stand there.
fn code_in(text: &str) -> String {
    let is_code = |word: &&str| {
        let digits = word.replace(' ', "");
        digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let lines = text.lines().map(str::trim);
    let first_words = text.lines().filter_map(|line| line.split(' ').next());
    let found = lines.chain(first_words).find(is_code);
    found
        .unwrap_or_else(|| panic!("no code in {text}"))
        .to_owned()
}

fn plain(code: &str) -> String {
    code.replace(' ', "")
}

/// Another code than this one.
fn wrong(code: &str) -> String {
    let digits = plain(code);
    let (first, rest) = digits.split_at(1);
    let other = if first == "1" { "2" } else { "1" };
    format!("{other}{rest}")
}

/// Makes Ada, with a password.
async fn ada(node: &Node) -> Tenant {
    let operator = Caller::operator();
    let new = NewTenant {
        name: TenantName::new("acme").unwrap(),
        display_name: None,
    };
    let tenants = node.platform.tenants();
    let acme = tenants.create(&operator, new).await.unwrap();
    let user = NewUser {
        user_name: UserName::new("ada").unwrap(),
        display_name: None,
        email: Some(Email::new("ada@example.com").unwrap()),
        credential: InitialCredential::Given {
            password: Secret::new(PASSWORD),
            must_change: false,
        },
    };
    let users = node.platform.users();
    users.create(&operator, acme.id, user).await.unwrap();
    acme
}

/// The reasons of what was refused.
async fn refusals(node: &Node, acme: &Tenant) -> Vec<String> {
    let scope = Scope::Tenant(acme.id);
    let storage = node.platform.storage();
    let mut unit = storage.begin(scope, Mode::Read).await.unwrap();
    let filter = AuditFilter::default();
    let events = unit.audit().list(&filter, Page::first(199)).await.unwrap();
    let events = events.into_iter().filter_map(|event| event.reason);
    events.collect()
}

#[tokio::test]
async fn codes_by_mail_and_sms_are_set_up_and_confirm_every_sign_in_from_then_on() {
    for (provider, address, masked, amr) in [
        (MAIL, MAILBOX, "a…@codes.example", "otp"),
        (SMS, TELEPHONE, "… 4711", "sms"),
    ] {
        let town = Town::on_sqlite().await;
        let node = town.node(1).await;
        ada(&node).await;
        let done = town.set_up(&node, provider, address).await;
        session_of(&done);

        // Opening a page sends nothing.
        let count = town.count();
        let half = town.half(&node).await;
        let offers = half["step"]["providers"].as_array().unwrap();
        assert_eq!(offers.len(), 1, "{half}");
        let form = &offers[0]["form"];
        assert_eq!(form["display"][0]["value"], masked);
        assert_eq!(form["actions"][0]["id"], "send");
        assert_eq!(
            town.code(&node, provider).await.len(),
            8 + usize::from(provider == MAIL)
        );
        assert_eq!(town.count(), count);

        let asked = town.on(&node, &half, button(provider, "send")).await;
        assert_eq!(asked["step"]["kind"], "prompt");
        let field = &asked["step"]["form"]["fields"][0];
        assert_eq!(
            (&field["name"], &field["autocomplete"]),
            (&json!("code"), &json!("one-time-code"))
        );
        assert!(
            asked["step"]["form"]["message"]
                .as_str()
                .unwrap()
                .contains(masked)
        );
        let code = town.code(&node, provider).await;
        assert_eq!(town.count(), count + 1);
        let reply = code_of(provider, &wrong(&code));
        let (status, refused) = town.reply(&node, &asked, reply).await;
        assert_eq!((status, &refused["code"]), (401, &json!("sign_in_refused")));
        let done = town.on(&node, &asked, code_of(provider, &code)).await;
        session_of(&done);
        assert_eq!(done["session"]["amr"], json!(["pwd", amr, "mfa"]));

        // The code is spent, also in a flow that asks for another one too early.
        let half = town.half(&node).await;
        let early = town.on(&node, &half, button(provider, "send")).await;
        let words = early["step"]["form"]["message"].as_str().unwrap();
        assert!(words.contains("in a minute"), "{words}");
        let (status, _) = town.reply(&node, &early, code_of(provider, &code)).await;
        assert_eq!(status, 422, "there is nothing to enter it into");
        town.clock.advance(MINUTE);
        let asked = town.on(&node, &early, button(provider, "send")).await;
        let (status, _) = town.reply(&node, &asked, code_of(provider, &code)).await;
        assert_eq!(status, 401);
        town.close().await;
    }
}

#[tokio::test]
async fn what_is_sent_says_what_it_is_for_and_is_bound_to_this_server() {
    let town = Town::on_sqlite().await;
    let node = town.node(1).await;
    ada(&node).await;
    town.set_up(&node, MAIL, MAILBOX).await;
    let proof = town.mails.mails().remove(0);
    assert_eq!(proof.header("Subject").unwrap(), "Your code for acme");
    assert!(proof.decoded().contains("this address is yours"));
    town.asked(&node, MAIL).await;
    town.code(&node, MAIL).await;
    let mail = town.mails.mails().pop().unwrap();
    let subject = mail.header("Subject").unwrap();
    assert_eq!(subject, "Your code to sign in to acme");
    let text = mail.decoded();
    assert!(text.contains("10 minutes"), "{text}");
    assert!(text.contains("knows your password"), "{text}");
    town.close().await;

    let town = Town::on_sqlite().await;
    let node = town.node(1).await;
    ada(&node).await;
    town.set_up(&node, SMS, TELEPHONE).await;
    town.asked(&node, SMS).await;
    let code = town.code(&node, SMS).await;
    let got = town.hook.got.lock().unwrap().clone();
    let text = got[1].2["text"].as_str().unwrap();
    let last = text.lines().last().unwrap();
    assert_eq!(last, format!("@id.example.org #{code}"));
    assert!(text.starts_with(&format!("{code} is your code to sign in to acme.")));
    town.close().await;
}

/// R5, S18, v5.0.0-6.5.1: 64 answers at once at two servers.
async fn race(town: Town) {
    let (one, other) = (town.node(1).await, town.node(2).await);
    ada(&one).await;
    town.set_up(&one, MAIL, MAILBOX).await;
    let asked = town.asked(&one, MAIL).await;
    let code = town.code(&one, MAIL).await;
    let answers = (0..64).map(|number| {
        let node = if number % 2 == 0 { &one } else { &other };
        town.reply(node, &asked, code_of(MAIL, &code))
    });
    let answers = join_all(answers).await;
    let statuses: Vec<_> = answers.iter().map(|(status, _)| *status).collect();
    let confirmed = statuses.iter().filter(|status| **status == 200);
    assert_eq!(confirmed.count(), 1, "{statuses:?}");
    let known = |status: &u16| [200, 401, 409].contains(status);
    assert!(statuses.iter().all(known), "{statuses:?}");
    town.close().await;
}

#[tokio::test]
async fn s18_of_64_answers_with_one_code_one_succeeds_on_sqlite() {
    race(Town::on_sqlite().await).await;
}

#[tokio::test]
async fn s18_of_64_answers_with_one_code_one_succeeds_on_postgres() {
    let database = Database::new();
    let folder = tempfile::tempdir().unwrap();
    race(Town::at(folder, &database.url()).await).await;
}

/// v5.0.0-16.5.2
#[tokio::test]
async fn whoever_asks_is_answered_while_the_mail_server_is_down_and_gets_the_code_later() {
    let town = Town::on_sqlite().await;
    let node = town.node(1).await;
    ada(&node).await;
    town.set_up(&node, MAIL, MAILBOX).await;
    let count = town.count();
    town.mails.behave(Manner::Says("451 4.3.0 later"));
    let asked = town.asked(&node, MAIL).await;
    assert_eq!(asked["step"]["kind"], "prompt");
    let delivered = node.platform.deliver().await.unwrap();
    assert_eq!(delivered, Some(Delivery::Postponed));
    town.mails.behave(Manner::Takes);
    assert_eq!(node.platform.deliver().await.unwrap(), None, "not at once");
    town.clock.advance(Duration::from_secs(10));
    let code = town.code(&node, MAIL).await;
    assert_eq!(town.count(), count + 1);
    session_of(&town.on(&node, &asked, code_of(MAIL, &code)).await);
    town.close().await;
}

#[tokio::test]
async fn a_code_that_could_not_be_sent_within_its_life_is_never_sent() {
    let town = Town::on_sqlite().await;
    let node = town.node(1).await;
    let acme = ada(&node).await;
    town.set_up(&node, MAIL, MAILBOX).await;
    let count = town.count();
    town.mails.behave(Manner::Says("451 4.3.0 later"));
    town.asked(&node, MAIL).await;
    for wait in [0, 10, 30, 120] {
        town.clock.advance(Duration::from_secs(wait));
        assert!(node.platform.deliver().await.unwrap().is_some());
    }
    town.mails.behave(Manner::Takes);
    town.clock.advance(10 * MINUTE);
    assert_eq!(node.platform.deliver().await.unwrap(), None);
    node.platform.tidy().await.unwrap();
    assert_eq!(town.count(), count);
    assert_eq!(refusals(&node, &acme).await, ["expired"]);
    // Whoever is still there asks for another one.
    let asked = town.asked(&node, MAIL).await;
    let code = town.code(&node, MAIL).await;
    session_of(&town.on(&node, &asked, code_of(MAIL, &code)).await);
    town.close().await;
}

/// S11, v5.0.0-6.6.3: across flows and codes, where one signs in and where one sets
/// an address up.
#[tokio::test]
async fn s11_guessing_a_code_is_limited_across_flows() {
    let mut town = Town::on_sqlite().await;
    town.loaded.config.limits.free_tries = 10;
    let node = town.node(1).await;
    ada(&node).await;
    let token = session_of(&town.half(&node).await);
    let flow = town.name(&node, &token, MAIL, MAILBOX).await;
    let code = town.code(&node, MAIL).await;
    for _ in 0..10 {
        let reply = code_of(MAIL, &wrong(&code));
        assert_eq!(town.reply(&node, &flow, reply).await.0, 401);
    }
    let right = code_of(MAIL, &code);
    assert_eq!(town.reply(&node, &flow, right.clone()).await.0, 429);
    town.clock.advance(Duration::from_secs(31));
    session_of(&town.on(&node, &flow, right).await);
    // A code of one's own that was entered rightly has no wrong ones behind it.
    let mut asked = Value::Null;
    for _ in 0..2 {
        asked = town.asked(&node, MAIL).await;
        let code = town.code(&node, MAIL).await;
        for _ in 0..5 {
            let reply = code_of(MAIL, &wrong(&code));
            assert_eq!(town.reply(&node, &asked, reply).await.0, 401);
        }
        town.clock.advance(MINUTE);
    }
    let code = town.code(&node, MAIL).await;
    let reply = code_of(MAIL, &wrong(&code));
    let (status, _) = town.reply(&node, &asked, reply).await;
    assert_eq!(status, 401, "after the wait");
    let asked = town.asked(&node, MAIL).await;
    let right = code_of(MAIL, &town.code(&node, MAIL).await);
    assert_eq!(town.reply(&node, &asked, right.clone()).await.0, 429);
    town.clock.advance(2 * MINUTE);
    session_of(&town.on(&node, &asked, right).await);
    town.close().await;
}

/// S17, v5.0.0-16.2.5: a code stands in its message, and in no answer and no line of
/// the log. Nor does the address of a mailbox or telephone.
#[tokio::test]
async fn s17_no_code_is_in_any_answer_or_in_any_line_of_the_log() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_max_level(tracing::Level::TRACE)
        .finish();
    // Beside a second one, or a test on another thread decides what this one sees.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let kept = tracing::subscriber::set_default(subscriber);
    let mut secrets = Vec::new();
    for (provider, address) in [(MAIL, MAILBOX), (SMS, TELEPHONE)] {
        let town = Town::on_sqlite().await;
        let node = town.node(1).await;
        ada(&node).await;
        town.set_up(&node, provider, address).await;
        secrets.push(town.code(&node, provider).await);
        let asked = town.asked(&node, provider).await;
        let code = town.code(&node, provider).await;
        town.on(&node, &asked, button(provider, "send_again")).await;
        town.reply(&node, &asked, code_of(provider, &wrong(&code)))
            .await;
        let half = town.half(&node).await;
        town.on(&node, &half, button(provider, "send")).await;
        town.on(&node, &asked, code_of(provider, &code)).await;
        secrets.push(code);
        let answers = town.answers.lock().unwrap().join("\n");
        for code in &secrets {
            assert!(!answers.contains(code) && !answers.contains(&plain(code)));
        }
        town.close().await;
    }
    drop(kept);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("a message was sent"));
    secrets.extend([MAILBOX, "49301234711"].map(str::to_owned));
    for secret in secrets {
        let plain = plain(&secret);
        let is_in = |line: &&str| line.contains(&secret) || line.contains(&plain);
        assert_eq!(log.lines().find(is_in), None, "{secret}");
    }
}
