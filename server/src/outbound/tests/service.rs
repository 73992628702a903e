//! A provider, the guarded client and a service on this machine: real requests all the
//! way.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
};

use axum::{
    Form, Json, Router,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use gatelodge_core::{
    ErrorKind, Result,
    environment::{ManualClock, SeededRandom},
    model::{ClientFacts, ProviderId},
    provider::{
        Answer, Configured, Context, Entry, Facts, HttpRequest, HttpResponse, Intent, KeptRecord,
        Outbound as _, Services, State, Step, Strength, Turn, Who,
    },
    secret::Secret,
};
use serde_json::json;
use url::Url;

use super::{super::Guarded, guarded};
use crate::{config, plugins};

async fn token(headers: HeaderMap, Form(said): Form<HashMap<String, String>>) -> Response {
    let is_right = said["grant_type"] == "authorization_code"
        && said["code"] == "c-1"
        && said["code_verifier"].len() == 43
        && said["redirect_uri"] == "https://id.example.org/callback/forum"
        // `gatelodge:hunter2`, as RFC 6749 section 2.3.1 has it.
        && headers["authorization"] == "Basic Z2F0ZWxvZGdlOmh1bnRlcjI=";
    match is_right {
        true => Json(json!({"access_token": "t-1", "token_type": "bearer"})).into_response(),
        false => {
            let refused = Json(json!({"error": "invalid_grant"}));
            (StatusCode::BAD_REQUEST, refused).into_response()
        }
    }
}

async fn person(headers: HeaderMap) -> Response {
    match headers["authorization"] == "Bearer t-1" {
        true => Json(json!({"uid": 7, "nick": "ada", "email": "ada@example.org"})).into_response(),
        false => StatusCode::UNAUTHORIZED.into_response(),
    }
}

/// Where it is; it ends with the test.
async fn service() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/token", post(token))
        .route("/me", get(person));
    tokio::spawn(async move { axum::serve(listener, router).await });
    place
}

/// What a provider gets from the engine, with the guarded client.
struct Desk {
    outbound: Guarded,
    environment: gatelodge_core::Environment,
}

#[async_trait::async_trait]
impl Services for Desk {
    fn random(&self, bytes: &mut [u8]) {
        self.environment.fill(bytes);
    }

    async fn subject_records(&self) -> Result<Vec<KeptRecord>> {
        Ok(Vec::new())
    }

    async fn record_by_key(&self, _: &str) -> Result<Option<KeptRecord>> {
        Ok(None)
    }

    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse> {
        self.outbound.fetch(request).await
    }
}

fn connection(place: SocketAddr) -> Configured {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gatelodge.toml");
    let text = format!(
        "[[providers]]\nkind = \"oauth2\"\nid = \"forum\"\nclient_id = \"gatelodge\"\n\
         client_secret = \"hunter2\"\nauthorization_url = \"http://{place}/authorize\"\n\
         token_url = \"http://{place}/token\"\nuser_url = \"http://{place}/me\"\n\
         id_field = \"uid\"\nuser_name_field = \"nick\"\nloopback = true\n"
    );
    std::fs::write(&file, text).unwrap();
    let overrides = config::Overrides {
        config: Some(file),
        ..config::Overrides::default()
    };
    let loaded = config::load(&overrides, Vec::<(String, String)>::new()).unwrap();
    let registry = plugins::providers(&loaded.config).unwrap();
    let id = ProviderId::new("forum").unwrap();
    registry.provider(&id).unwrap().clone()
}

/// A sign-in that comes back with this code.
async fn sign_in(place: SocketAddr, code: &str) -> Result<Turn> {
    let Configured { id, provider, .. } = connection(place);
    let now = "2026-11-27T12:00:00Z".parse().unwrap();
    let desk = Desk {
        outbound: guarded(&[]),
        environment: gatelodge_core::Environment::new(ManualClock::at(now), SeededRandom::new(1)),
    };
    let origin: Url = "https://id.example.org".parse().unwrap();
    let facts = Facts {
        provider: id,
        intent: Intent::SignIn,
        tenant: None,
        subject: None,
        proofs: Vec::new(),
        demanded: Strength::OneFactor,
        now,
        callback: origin.join("/callback/forum").ok(),
        rp_id: "id.example.org".to_owned(),
        origin,
        oauth_state: Some("s".repeat(43)),
        channels: Vec::new(),
        locale: "en".to_owned(),
        client: ClientFacts::default(),
    };
    let context = Context {
        facts: &facts,
        services: &desk,
    };
    let begun = provider.begin(&context, Entry::Chosen {}).await?;
    assert!(matches!(begun.step, Step::Redirect { .. }));
    let said = [("code", code.to_owned()), ("state", "s".repeat(43))];
    let parameters = said.map(|(name, value)| (name.to_owned(), Secret::new(value)));
    let answer = Answer::Callback {
        parameters: BTreeMap::from(parameters),
    };
    provider.resume(&context, begun.state, answer).await
}

#[tokio::test]
async fn a_provider_signs_somebody_in_at_a_service_on_this_machine() {
    let place = service().await;
    let Step::Proven { proof } = sign_in(place, "c-1").await.unwrap().step else {
        panic!("nobody is proven");
    };
    let Who::External { identity } = proof.who else {
        panic!("{:?}", proof.who);
    };
    assert_eq!(identity.issuer, format!("http://{place}"));
    assert_eq!(identity.subject, "7");
    assert_eq!(identity.claims["preferred_username"].value, "ada");
    assert_eq!(proof.keep, State::default());
    let turn = sign_in(place, "c-2").await.unwrap();
    let expected = Turn::refused("grant_refused");
    assert_eq!(turn.step, expected.step);
}

#[tokio::test]
async fn r13_without_the_service_nobody_is_refused_and_nobody_let_in() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap();
    drop(listener);
    let error = sign_in(place, "c-1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let shown = format!("{error:?}");
    assert!(shown.contains("`127.0.0.1` cannot be reached"), "{shown}");
    assert!(
        !shown.contains("hunter2") && !shown.contains("c-1"),
        "{shown}"
    );
}
