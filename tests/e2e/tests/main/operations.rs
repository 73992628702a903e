//! What whoever runs the server sees: health, figures, headers, logs.

use std::sync::atomic::{AtomicU8, Ordering};

use gatelodge_e2e::{
    place::Place,
    visitor::Visitor,
    world::{HOME, TALKATIVE, World},
};
use serde_json::{Value, json};

/// An address of this machine that no other test uses: the port is the usual one, since a chosen one is not told.
fn own_address() -> String {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [_, b, c, d] = std::process::id().to_be_bytes();
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("127.{}.{}.{}:9464", 100 + (b ^ c) % 100, d, next)
}

#[tokio::test]
async fn health_and_readiness_are_told_to_everybody() {
    let world = World::new().await;
    for (path, status) in [("/healthz", "ok"), ("/readyz", "ready")] {
        let answer = world.nobody().get(path).await.expect(200);
        assert_eq!(answer, json!({ "status": status }));
    }
}

#[tokio::test]
async fn figures_have_an_address_of_their_own() {
    let address = own_address();
    let world = World::with_config(&format!(
        "[metrics]\nenabled = true\nlisten = \"{address}\"\n"
    ))
    .await;
    let password = world.user(HOME, "ada").await;
    let visitor = world.visitor();
    visitor.sign_in("", "ada", &password).await;
    assert_eq!(
        visitor.get("/metrics").await.status,
        404,
        "figures are on the public address"
    );
    let figures = reqwest::get(format!("http://{address}/metrics"))
        .await
        .unwrap();
    assert_eq!(figures.status(), 200);
    let figures = figures.text().await.unwrap();
    let line = figures.lines().find(|line| {
        line.starts_with("gatelodge_http_requests_total")
            && line.contains("\"/sign-in\"")
            && line.contains("POST")
    });
    assert!(line.is_some_and(|line| line.ends_with(" 1")), "{figures}");
    assert!(
        !figures.contains("ada"),
        "names are in the figures: {figures}"
    );
}

#[tokio::test]
async fn every_answer_has_an_id_that_its_log_lines_carry() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for path in [
        "/sign-in",
        "/nowhere",
        "/healthz",
        "/api/v1/session",
        "/assets/nothing",
    ] {
        let page = world.visitor().get(path).await;
        let id = page.header("x-request-id").to_owned();
        assert_eq!(id.len(), 32, "{path}: {id}");
        ids.push(id);
    }
    let log = world.server.log();
    for id in &ids {
        assert!(log.contains(id.as_str()), "{id} is not in the log");
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5);
    let chosen = reqwest::Client::new()
        .get(world.server.at("/healthz"))
        .header("x-request-id", "mine")
        .send()
        .await;
    assert_ne!(chosen.unwrap().headers()["x-request-id"], "mine");
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_keep_browsers_strict() {
    let world = World::new().await;
    let asset = world.visitor().open("/sign-in").await;
    let style = gatelodge_e2e::html::tags(&asset.html, "link")
        .iter()
        .find_map(|link| {
            link.attribute("href")
                .filter(|href| href.contains(".css"))
                .map(str::to_owned)
        })
        .unwrap();
    for path in [
        "/sign-in",
        "/nowhere",
        "/healthz",
        "/api/v1/session",
        "/openapi.json",
        &style,
    ] {
        let page = world.visitor().get(path).await;
        let policy = page.header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{path}: {policy}"
        );
        assert!(
            policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'self'"),
            "{path}: {policy}"
        );
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(page.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(page.header("server"), "", "{path}");
    }
    assert_eq!(world.visitor().get(&style).await.status, 200);
}

#[tokio::test]
async fn a_request_for_another_host_is_refused() {
    let world = World::new().await;
    let client = reqwest::Client::new();
    for path in ["/sign-in", "/api/v1/session"] {
        let request = client
            .get(world.server.at(path))
            .header("host", "evil.example");
        assert_eq!(request.send().await.unwrap().status(), 421, "{path}");
    }
    let forwarded = client
        .get(world.server.at("/sign-in"))
        .header("x-forwarded-host", "evil.example");
    let page = forwarded.send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(!page.text().await.unwrap().contains("evil"));
}

/// One event is one line, whatever somebody typed (S47, `v5.0.0-16.4.1`); that none holds a secret is checked of every
/// server here when it ends.
#[tokio::test]
async fn s47_what_people_type_cannot_forge_lines_of_the_log() {
    let world = World::with_config("format = \"json\"\n").await;
    world.user(HOME, "ada").await;
    let nasty = "ada\r\n{\"level\":\"ERROR\",\"message\":\"forged\"}\u{1b}[31m\u{2028}\u{202e}x";
    let refused = world
        .nobody()
        .try_sign_in(Some(HOME), nasty, "canary: of another feather")
        .await;
    assert!(refused.is_err());
    world
        .visitor()
        .sign_in(&format!("/t/{HOME}"), nasty, "canary: of another feather")
        .await;
    let encoded = "/nowhere%0d%0a%7B%22forged%22%3A1%7D%1b%5b31m?x=%0aforged";
    assert_eq!(world.visitor().get(encoded).await.status, 404);
    let agent = reqwest::Client::new()
        .get(world.server.at("/healthz"))
        .header("user-agent", "x\t\u{1b}[2J");
    agent.send().await.ok();

    let log = world.server.log();
    assert!(log.contains("answered"), "the log is empty");
    for line in log.lines() {
        let event: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(
            event["level"].is_string() && event["timestamp"].is_string(),
            "{line}"
        );
        assert_ne!(event["message"], "forged", "{line}");
        assert!(!line.contains(['\u{1b}', '\u{2028}', '\u{202e}']), "{line}");
    }
}

/// The default configuration is quiet and says what it must.
#[tokio::test]
async fn a_server_says_in_its_log_where_it_serves_and_that_it_stopped() {
    let place = Place::new();
    let server = place.serve().await;
    let visitor = Visitor::new(&server);
    visitor.open("/sign-in").await;
    server.terminate();
    let log = server.log_file().to_owned();
    let origin = server.origin().to_owned();
    assert!(server.stop().await.success());
    let log = std::fs::read_to_string(log).unwrap();
    assert!(
        log.contains("serving") && log.contains(&origin) && log.contains("stopped"),
        "{log}"
    );
    assert!(log.lines().count() < 10, "{log}");
    assert!(TALKATIVE.contains("debug"));
}

#[tokio::test]
async fn mails_lie_in_the_data_folder_until_a_mail_server_is_configured() {
    let place = Place::new();
    assert!(place.mails().is_empty());
    for name in ["ada", "grace"] {
        let to = format!("{name}@example.com");
        let said = place.run(&["mail", "test", "--to", &to]).await.succeeded();
        assert!(said.contains("was taken by the folder"), "{said}");
    }
    let mails = place.mails();
    assert_eq!(mails.len(), 2);
    assert!(mails[0].contains("To: ada@example.com"), "{}", mails[0]);
    assert!(mails[1].contains("To: grace@example.com"), "{}", mails[1]);
    assert!(
        mails[1].contains("a test of the mail configuration of http://"),
        "{}",
        mails[1]
    );
}
