//! What every provider must show, and what this one shows beyond that.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic"
)]

use std::collections::BTreeMap;

use gatelodge_core::{
    Result,
    provider::{Answer, HttpRequest, HttpResponse, ProviderTable, Registry, State, Step},
    secret::Secret,
};
use gatelodge_provider_oauth2::register;
use gatelodge_provider_suite::{Fixture, Person, Replay, Seen};
use oauth2::{PkceCodeChallenge, PkceCodeVerifier};
use serde_json::{Value, json};
use url::form_urlencoded;

mod suite {
    mod doctor;
    mod lies;
    mod own;
    mod recheck;
    mod world;
}

/// A service that knows people by number, and a connection to it.
struct Service {
    table: fn() -> Value,
}

impl Fixture for Service {
    fn register(&self, registry: &mut Registry) {
        register(registry);
    }

    fn table(&self) -> ProviderTable {
        (self.table)().as_object().unwrap().clone()
    }

    fn replay(&self) -> Replay {
        Replay::Refused
    }

    fn right(&self, person: &mut Person, seen: &Seen<'_>) -> Answer {
        callback(&person.number().to_string(), seen)
    }

    fn wrong(&self, _: &Person, seen: &Seen<'_>) -> Vec<Answer> {
        vec![callback("nobody-0000", seen)]
    }

    /// A code is somebody, and the challenge that came with the request for it; a
    /// token is somebody.
    fn fetch(&self, request: &HttpRequest) -> Result<HttpResponse> {
        let body: BTreeMap<_, _> = form_urlencoded::parse(&request.body.0)
            .into_owned()
            .collect();
        let answer = match request.method.as_str() {
            "POST" => granted(&body),
            _ => request
                .headers
                .get("authorization")
                .and_then(|bearer| bearer.strip_prefix("Bearer token-")?.parse::<u32>().ok())
                .map(|number| json!({"id": number, "login": "somebody"})),
        };
        Ok(HttpResponse {
            status: if answer.is_some() { 200 } else { 400 },
            headers: BTreeMap::new(),
            body: State(match (answer, request.url.path()) {
                (Some(_), "/user/emails") => b"[]".to_vec(),
                (Some(answer), _) => answer.to_string().into(),
                (None, _) => json!({"error": "invalid_grant"}).to_string().into(),
            }),
        })
    }
}

fn granted(body: &BTreeMap<String, String>) -> Option<Value> {
    let (who, challenge) = body.get("code")?.split_once('.')?;
    let verifier = PkceCodeVerifier::new(body.get("code_verifier")?.clone());
    let is_theirs = PkceCodeChallenge::from_code_verifier_sha256(&verifier).as_str() == challenge;
    (is_theirs && who.parse::<u32>().is_ok())
        .then(|| json!({"access_token": format!("token-{who}"), "token_type": "bearer"}))
}

fn callback(who: &str, seen: &Seen<'_>) -> Answer {
    let Step::Redirect { url } = seen.step else {
        panic!("where to?");
    };
    let query: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
    let code = format!("{who}.{}", query["code_challenge"]);
    let parameters = [("code", code), ("state", query["state"].clone())];
    Answer::Callback {
        parameters: parameters
            .map(|(name, value)| (name.to_owned(), Secret::new(value)))
            .into(),
    }
}

mod by_addresses {
    use super::Service;
    use gatelodge_provider_suite::provider_suite;
    use serde_json::json;

    fn table() -> serde_json::Value {
        json!({
            "client_id": "gatelodge", "client_secret": "hunter2-4711",
            "authorization_url": "https://party.example/authorize",
            "token_url": "https://party.example/token",
            "user_url": "https://party.example/user",
        })
    }

    provider_suite!(Service { table });
}

mod by_preset {
    use super::Service;
    use gatelodge_provider_suite::provider_suite;
    use serde_json::json;

    fn table() -> serde_json::Value {
        json!({"preset": "github", "client_id": "gatelodge", "client_secret": "hunter2-4711"})
    }

    provider_suite!(Service { table });
}
