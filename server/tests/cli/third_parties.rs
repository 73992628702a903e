//! `gatelodge provider list` and `doctor`: the real program, which asks a third party on
//! this machine over HTTP, an honest one or one that is configured wrong.

use std::{net::TcpListener, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::Response,
};
use gatelodge_core::provider::{HttpRequest, Reach, State};
use gatelodge_provider_oidc::{Config, Liar, Lie};
use serde_json::{Value, json};

use crate::installation::{Answer, Installation};

/// What must never be shown.
const SECRET: &str = "the secret 4711 of the client";

/// A third party that answers over HTTP until this is dropped.
struct Party {
    issuer: String,
    serving: Option<tokio::runtime::Runtime>,
}

impl Drop for Party {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.shutdown_background();
        }
    }
}

fn table(issuer: &str) -> Value {
    json!({
        "issuer": issuer, "client_id": "client-4711", "client_secret": SECRET,
        "algorithms": ["ES256"], "loopback": true,
    })
}

impl Party {
    fn serve(change: impl FnOnce(Liar) -> Liar) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let keys = table(&issuer).as_object().unwrap().clone();
        let liar = Arc::new(change(Liar::of(&Config::from_table(keys).unwrap())));
        let base = issuer.clone();
        let answer = move |request: Request| {
            let (liar, base) = (liar.clone(), base.clone());
            async move { answer(&liar, &base, request).await }
        };
        let serving = tokio::runtime::Builder::new_multi_thread();
        let mut serving = serving;
        let serving = serving.worker_threads(1).enable_all().build().unwrap();
        serving.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let router = Router::new().fallback(answer);
            axum::serve(listener, router).await.unwrap();
        });
        Self {
            issuer,
            serving: Some(serving),
        }
    }
}

async fn answer(liar: &Liar, base: &str, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let headers = parts.headers.iter();
    let headers = headers.map(|(name, value)| {
        let value = value.to_str().unwrap_or_default();
        (name.to_string(), value.to_owned())
    });
    let asked = HttpRequest {
        method: parts.method.to_string(),
        url: format!("{base}{}", parts.uri).parse().unwrap(),
        reach: Reach::Loopback,
        headers: headers.collect(),
        body: State(body.to_vec()),
        timeout: std::time::Duration::from_secs(1),
    };
    let Ok(answer) = liar.answer(&asked) else {
        return std::future::pending().await;
    };
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.body.0)).unwrap()
}

/// An installation with these connections, after a password.
fn installation(origin: &str, tables: &str) -> Installation {
    let installation = Installation::new();
    let config = format!(
        "[server]\norigin = \"{origin}\"\n\n[[providers]]\nkind = \"password\"\n\n{tables}"
    );
    std::fs::write(installation.path("gatelodge.toml"), config).unwrap();
    std::fs::write(installation.path("own.secret"), SECRET).unwrap();
    installation
}

fn own(issuer: &str, more: &str) -> String {
    format!(
        "[[providers]]\nid = \"own\"\nkind = \"oidc\"\nissuer = \"{issuer}\"\nclient_id = \"client-4711\"\n\
         client_secret_file = \"own.secret\"\nalgorithms = [\"ES256\"]\nloopback = true\n{more}\n"
    )
}

const LOCAL: &str = "http://localhost:8080";

fn run(installation: &Installation, line: &str) -> Answer {
    let answer = installation.line(&format!("{line} --config gatelodge.toml"));
    for shown in [&answer.output, &answer.errors] {
        assert!(!shown.contains(SECRET), "{shown}");
    }
    answer
}

fn document(answer: &Answer) -> Value {
    let read = serde_json::from_str(&answer.output);
    read.unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

/// The findings of a check, each as its verdict and its text.
fn found(document: &Value, check: &str) -> Vec<(String, String)> {
    let findings = document["items"][0]["findings"].as_array().unwrap();
    let of = findings.iter().filter(|finding| finding["check"] == check);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    of.map(|finding| (text(&finding["verdict"]), text(&finding["text"])))
        .collect()
}

#[test]
fn the_ways_to_sign_in_are_listed_with_the_addresses_that_third_parties_need() {
    let tables = own(
        "http://127.0.0.1:9",
        "label = \"Own & Co\"\ntenants = [\"acme\", \"other\"]",
    );
    let installation = installation("https://id.example.org", &tables);
    let words = run(&installation, "provider list").done();
    let lines: Vec<_> = words.lines().collect();
    assert_eq!(lines.len(), 2, "{words}");
    assert!(lines[0].starts_with("password  password  "), "{words}");
    assert!(!lines[0].contains("comes back to"), "{words}");
    let expected = "own  oidc  Own & Co  only for acme, other  comes back to \
                    https://id.example.org/callback/own";
    assert_eq!(lines[1], expected);
    let listed = document(&run(&installation, "provider list --json"));
    let expected = json!({
        "id": "own", "kind": "oidc", "label": "Own & Co", "tenants": ["acme", "other"],
        "callback": "https://id.example.org/callback/own",
    });
    assert_eq!(listed["items"][1], expected);
    assert_eq!(listed["items"][0]["callback"], Value::Null);
    assert_eq!(listed["items"][0]["tenants"], Value::Null);
}

#[test]
fn without_a_connection_the_doctor_has_nothing_to_do() {
    let installation = installation(LOCAL, "");
    let words = run(&installation, "provider doctor").done();
    assert_eq!(words, "No connection to a third party is configured.\n");
    let found = run(&installation, "provider doctor --json").done();
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found, json!({"items": []}));
    for id in ["nowhere", "password", "No_Such", "../x"] {
        let answer = run(&installation, &format!("provider doctor {id}"));
        assert!(answer.code != 0 && answer.output.is_empty(), "{answer:?}");
        assert!(answer.errors.starts_with("error: "), "{answer:?}");
        assert!(answer.errors.contains("connection"), "{answer:?}");
        let answer = run(&installation, &format!("provider doctor {id} --json"));
        let problem: Value = serde_json::from_str(&answer.errors).unwrap();
        assert_eq!(problem["code"], "not_found", "{answer:?}");
    }
}

#[test]
fn a_good_connection_is_called_good() {
    let party = Party::serve(|liar| liar);
    let installation = installation(LOCAL, &own(&party.issuer, ""));
    let words = run(&installation, "provider doctor").done();
    assert!(words.starts_with("own\n"), "{words}");
    assert!(!words.contains("  BAD "), "{words}");
    assert!(words.contains("`--all` shows them"), "{words}");
    assert!(
        words.contains("  look  "),
        "what is for tries only: {words}"
    );
    let all = run(&installation, "provider doctor own --all").done();
    assert!(
        all.contains("  ok    ") && all.lines().count() > words.lines().count(),
        "{all}"
    );
    let found_all = document(&run(&installation, "provider doctor --json"));
    for check in [
        "discovery",
        "keys",
        "client",
        "rehearsal",
        "clock",
        "cookies",
    ] {
        let found = found(&found_all, check);
        assert!(
            found.iter().all(|(verdict, _)| verdict == "good"),
            "{check}: {found:?}"
        );
        assert!(!found.is_empty(), "{check}: {found_all}");
    }
    let rehearsal = found(&found_all, "rehearsal");
    assert!(rehearsal[0].1.contains("lies"), "{rehearsal:?}");
}

/// Each thing that is planted is found by its name, and told by the exit code.
#[test]
fn what_is_configured_wrong_is_found() {
    type Change = fn(Liar) -> Liar;
    let none: Change = |liar| liar;
    let planted: [(&str, Change, &str); 9] = [
        (
            "discovery",
            |liar| liar.telling(Lie::OtherMetadataIssuer),
            "",
        ),
        (
            "discovery",
            |liar| liar.telling(Lie::MetadataIssuerWithSlash),
            "",
        ),
        ("discovery", |liar| liar.telling(Lie::HugeMetadata), ""),
        (
            "discovery",
            |liar| liar.telling(Lie::RedirectingMetadata),
            "",
        ),
        ("keys", |liar| liar.telling(Lie::NoKeys), ""),
        ("keys", |liar| liar.telling(Lie::RedirectingKeys), ""),
        ("client", none, "client_auth = \"none\""),
        (
            "response_mode",
            |liar| liar.with_metadata("response_modes_supported", json!(["query"])),
            "response_mode = \"form_post\"",
        ),
        (
            "sign_out",
            |liar| liar.with_metadata("end_session_endpoint", Value::Null),
            "sign_out = true",
        ),
    ];
    for (check, change, more) in planted {
        let party = Party::serve(change);
        let mut tables = own(&party.issuer, more);
        if more.contains("client_auth") {
            tables = tables.replace("client_secret_file = \"own.secret\"\n", "");
        }
        let installation = installation(LOCAL, &tables);
        let answer = run(&installation, "provider doctor");
        assert_eq!(answer.code, 1, "{check}: {answer:?}");
        assert!(answer.output.contains("  BAD   "), "{check}: {answer:?}");
        assert!(
            answer.errors.starts_with("error: not as it should be: "),
            "{answer:?}"
        );
        let answer = run(&installation, "provider doctor --json");
        assert_eq!(answer.code, 1, "{check}: {answer:?}");
        let document = document(&answer);
        let found = found(&document, check);
        assert!(
            found.iter().any(|(verdict, _)| verdict == "bad"),
            "{check}: {document}"
        );
        let problem: Value = serde_json::from_str(&answer.errors).unwrap();
        assert_eq!(problem["code"], "refused", "{check}");
    }
}

#[test]
fn a_third_party_that_is_not_there_and_a_wrong_secret_are_found() {
    let gone = Party::serve(|liar| liar);
    let issuer = gone.issuer.clone();
    drop(gone);
    let away = installation(LOCAL, &own(&issuer, ""));
    let answer = run(&away, "provider doctor --json");
    assert_eq!(answer.code, 1, "{answer:?}");
    assert_eq!(found(&document(&answer), "discovery")[0].0, "bad");

    let party = Party::serve(|liar| liar);
    let wrong = installation(LOCAL, &own(&party.issuer, ""));
    std::fs::write(wrong.path("own.secret"), "another secret 0815").unwrap();
    let answer = run(&wrong, "provider doctor --json");
    assert_eq!(answer.code, 1, "{answer:?}");
    let client = found(&document(&answer), "client");
    assert!(
        client[0].0 == "bad" && client[0].1.contains("invalid_client"),
        "{client:?}"
    );
}

/// Two connections: the one that is asked about is looked at alone.
#[test]
fn one_of_several_is_looked_at_alone() {
    let (good, bad) = (
        Party::serve(|liar| liar),
        Party::serve(|liar| liar.telling(Lie::NoKeys)),
    );
    let other = own(&bad.issuer, "").replace("id = \"own\"", "id = \"other\"");
    let installation = installation(LOCAL, &format!("{}\n{other}", own(&good.issuer, "")));
    run(&installation, "provider doctor own").done();
    assert_eq!(run(&installation, "provider doctor other").code, 1);
    let both = run(&installation, "provider doctor");
    assert_eq!(both.code, 1, "{both:?}");
    let order = ["own\n", "\nother\n"].map(|text| both.output.find(text).unwrap());
    assert!(order.is_sorted(), "{both:?}");
}
