//! S47: whatever a client sends, one event is one line of the log, and no
//! secret is in it.

use std::{cell::RefCell, io, sync::Once, thread::LocalKey};

use axum::http::Method;
use serde_json::json;
use tracing_subscriber::{
    Layer as _, filter::dynamic_filter_fn, fmt::MakeWriter, layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::support::{Browser, PASSWORD, World, flow_path, town};

thread_local! {
    pub(crate) static TEXT: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
    static JSON: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

pub(crate) type Log = &'static LocalKey<RefCell<Option<Vec<u8>>>>;

/// Writes to the log of the thread that a test runs on, if it keeps one. One
/// subscriber for all threads: what it is asked for is remembered for all.
#[derive(Clone, Copy)]
struct Kept(Log);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.with_borrow_mut(|log| {
            log.get_or_insert_default().extend_from_slice(bytes);
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}

/// Begins to keep this thread's log, in the formats that the server offers.
pub(crate) fn keep(log: Log) {
    static START: Once = Once::new();
    START.call_once(|| {
        let kept = |log: Log| {
            dynamic_filter_fn(move |event, _| {
                *event.level() <= tracing::Level::DEBUG && log.with_borrow(Option::is_some)
            })
        };
        let text = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(Kept(&TEXT))
            .with_filter(kept(&TEXT));
        let json = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(Kept(&JSON))
            .with_filter(kept(&JSON));
        tracing_subscriber::registry()
            .with(vec![text.boxed(), json.boxed()])
            .init();
    });
    log.set(Some(Vec::new()));
}

/// The log since [`keep`].
pub(crate) fn kept(log: Log) -> String {
    String::from_utf8(log.take().unwrap()).unwrap()
}

pub(crate) const UGLY: [&str; 8] = [
    "a\r\nb",
    "a\nINFO forged=true",
    "\u{1b}[31mred\u{1b}[0m",
    "a\u{2028}b",
    "a\u{85}b",
    "a\u{0}b",
    "a\u{202e}b",
    "\u{7}\u{8}",
];

/// Asks for everything with ugly texts in every place that takes one.
async fn provoke(world: &World) -> Vec<String> {
    let town = town(world).await;
    let ada = world.person_with_password("home", "ada").await;
    let mut secrets = vec![PASSWORD.to_owned(), town.mayor_token.clone()];
    for ugly in UGLY {
        let body = json!({"name": ugly, "display_name": ugly});
        let call = world
            .post("/api/v1/tenants")
            .bearer(&town.root_token)
            .json(&body);
        call.send().await.expect(422);
        let call = world
            .put(format!("{}/lock", town.citizen.path()))
            .bearer(&town.mayor_token);
        call.json(&json!({"reason": ugly})).send().await.expect(200);
        let flow = world.begin(json!({"tenant": "home"})).await;
        world
            .enter(&flow, ugly, &format!("{ugly} {PASSWORD}"))
            .await;
        world.enter(&flow, &format!("x{ugly}"), PASSWORD).await;
        let body = json!({"provider": ugly, "answer": {ugly: ugly}, "step": ugly});
        world.post(flow_path(&flow)).json(&body).send().await;
        let body = json!({"transport": "token", "tenant": ugly, "return_to": ugly, "acr": ugly});
        world.post("/api/v1/sign-in/flows").json(&body).send().await;
        let latin: Vec<u8> = ugly
            .bytes()
            .filter(|byte| !matches!(byte, 0..32 | 127))
            .collect();
        for header in [
            "user-agent",
            "x-forwarded-for",
            "x-request-id",
            "referer",
            "accept-language",
        ] {
            let call = world
                .get("/api/v1/tenants/home/users")
                .bearer(&town.mayor_token);
            let answer = call.header(header, &latin).send().await.expect(200);
            assert_ne!(answer.header("x-request-id").unwrap().as_bytes(), latin);
        }
        let escaped: String = ugly.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for path in [
            format!("/api/v1/tenants/{escaped}"),
            format!("/api/v1/sign-in/flows/{escaped}"),
            format!("/{escaped}"),
            format!("/api/v1/tenants/home/users?search={escaped}"),
        ] {
            world.get(path).bearer(&town.mayor_token).send().await;
        }
    }
    let method = Method::from_bytes(b"A|B~'`^!#$%&*+").unwrap();
    world
        .call(method, "/api/v1/session")
        .send()
        .await
        .expect(405);
    let mut browser = Browser::new(world);
    browser.sign_in(&ada, PASSWORD).await;
    secrets.extend(browser.cookies.values().cloned());
    let flow = world.begin(json!({"tenant": "home"})).await;
    secrets.push(flow["id"].as_str().unwrap().to_owned());
    world.enter(&flow, "ada", "wrong secret nr 1").await;
    secrets.push("wrong secret nr 1".to_owned());
    secrets
}

pub(crate) fn check(log: &str, secrets: &[String], starts: impl Fn(&str) -> bool) {
    assert!(log.lines().count() > 20, "the log was not caught: {log}");
    for line in log.split('\n').filter(|line| !line.is_empty()) {
        assert!(starts(line), "not an event of its own: {line:?}");
        let odd = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202e}');
        assert!(!line.chars().any(odd), "{line:?}");
        for secret in secrets {
            // The tenant's tag in a cookie is short and no secret.
            assert!(
                secret.len() < 12 || !line.contains(secret.as_str()),
                "{line}"
            );
        }
    }
}

#[tokio::test]
async fn s47_one_event_is_one_line_of_text() {
    keep(&TEXT);
    let world = World::in_memory().await;
    let secrets = provoke(&world).await;
    check(&kept(&TEXT), &secrets, |line| {
        let time = line.split(' ').next().unwrap_or_default();
        time.parse::<jiff::Timestamp>().is_ok()
    });
}

/// v5.0.0-16.2.4, v5.0.0-16.2.5, v5.0.0-16.4.1.
#[tokio::test]
async fn s47_one_event_is_one_line_of_json() {
    keep(&JSON);
    let world = World::in_memory().await;
    let secrets = provoke(&world).await;
    check(&kept(&JSON), &secrets, |line| {
        serde_json::from_str::<serde_json::Value>(line).is_ok()
    });
}

/// What a client calls itself is kept without what could end a line.
#[tokio::test]
async fn s47_a_user_agent_is_kept_in_one_line() {
    let world = World::in_memory().await;
    let town = town(&world).await;
    let long = "x".repeat(5_000);
    for (sent, kept) in [
        (b"plain/1.0 (x; y)".to_vec(), "plain/1.0 (x; y)"),
        ("a\u{2028}b\u{202e}c\u{85}d".into(), "abcd"),
        (b"a\tb".to_vec(), "ab"),
        (b"caf\xe9".to_vec(), "caf\u{fffd}"),
        (long.into_bytes(), &"x".repeat(255)),
    ] {
        world.pass(std::time::Duration::from_millis(1));
        let call = world.patch(town.citizen.path()).bearer(&town.mayor_token);
        let name = world.platform.environment().uuid().to_string();
        let call = call
            .header("user-agent", sent)
            .json(&json!({"display_name": name}));
        call.send().await.expect(200);
        let list = world.get("/api/v1/tenants/home/audit-events?limit=1");
        let list = list
            .bearer(&town.mayor_token)
            .send()
            .await
            .expect(200)
            .json();
        assert_eq!(list["items"][0]["user_agent"], kept);
    }
}
