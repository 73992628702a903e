//! Connections, and somebody who answers in place of their services.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use gatelodge_core::{
    Environment, Error, ErrorKind, Result,
    environment::{ManualClock, SeededRandom},
    model::{ClientFacts, ProviderId},
    provider::{
        Answer, Context, Entry, ExternalIdentity, Facts, HttpRequest, HttpResponse, Intent,
        KeptRecord, Proof, Provider as _, Services, State, Step, Strength, Turn, Who,
    },
    secret::Secret,
};
use gatelodge_provider_oauth2::{Config, OAuth2Provider};
use serde_json::{Value, json};
use url::Url;

/// What the application's secret is, wherever nobody may see it.
pub(crate) const SECRET: &str = "hunter2-4711";

pub(crate) fn provider(with: Value) -> OAuth2Provider {
    let mut table = json!({"client_id": "gatelodge", "client_secret": SECRET});
    let (Value::Object(table), Value::Object(with)) = (&mut table, with) else {
        panic!("tables");
    };
    table.extend(with);
    OAuth2Provider::new(Config::from_table(table.clone()).unwrap())
}

/// A service that is configured by its addresses.
pub(crate) fn by_addresses(with: Value) -> OAuth2Provider {
    let mut table = json!({
        "authorization_url": "https://party.example/authorize",
        "token_url": "https://party.example/token",
        "user_url": "https://party.example/user",
    });
    let (Value::Object(whole), Value::Object(with)) = (&mut table, with) else {
        panic!("tables");
    };
    whole.extend(with);
    provider(table)
}

/// One connection of each sort.
pub(crate) fn connections() -> Vec<OAuth2Provider> {
    vec![
        provider(json!({"preset": "github", "organisations": ["acme"]})),
        provider(json!({"preset": "discord", "organisations": ["815"]})),
        provider(json!({"preset": "facebook"})),
        by_addresses(json!({
            "issuer": "https://party.example", "email_verified_field": "email_verified",
        })),
        by_addresses(json!({"emails_url": "https://party.example/emails"})),
    ]
}

type Answers = Box<dyn Fn(&HttpRequest) -> Result<HttpResponse> + Send + Sync>;

/// A flow, and the outside.
pub(crate) struct World {
    pub(crate) environment: Environment,
    pub(crate) facts: Facts,
    answers: Answers,
    /// What was asked.
    pub(crate) asked: Arc<Mutex<Vec<HttpRequest>>>,
}

#[async_trait::async_trait]
impl Services for World {
    fn random(&self, bytes: &mut [u8]) {
        self.environment.fill(bytes);
    }

    async fn subject_records(&self) -> Result<Vec<KeptRecord>> {
        panic!("not asked for")
    }

    async fn record_by_key(&self, _: &str) -> Result<Option<KeptRecord>> {
        panic!("not asked for")
    }

    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse> {
        self.asked.lock().unwrap().push(request.clone());
        (self.answers)(&request)
    }
}

impl World {
    pub(crate) fn new(
        answers: impl Fn(&HttpRequest) -> Result<HttpResponse> + Send + Sync + 'static,
    ) -> Self {
        let now = "2026-11-27T12:00:00Z".parse().unwrap();
        let environment = Environment::new(ManualClock::at(now), SeededRandom::new(1));
        let origin: Url = "https://id.example.org".parse().unwrap();
        let facts = Facts {
            provider: ProviderId::new("code").unwrap(),
            intent: Intent::SignIn,
            tenant: None,
            subject: None,
            proofs: Vec::new(),
            demanded: Strength::OneFactor,
            now,
            callback: origin.join("/callback/code").ok(),
            rp_id: "id.example.org".to_owned(),
            origin,
            oauth_state: Some("s".repeat(43)),
            channels: Vec::new(),
            locale: "en".to_owned(),
            client: ClientFacts::default(),
        };
        Self {
            environment,
            facts,
            answers: Box::new(answers),
            asked: Arc::default(),
        }
    }

    /// Where nobody is outside.
    pub(crate) fn alone() -> Self {
        Self::new(|_| {
            Err(Error::new(
                ErrorKind::Unavailable,
                "`party.example` cannot be reached",
            ))
        })
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            facts: &self.facts,
            services: self,
        }
    }

    /// Sends the browser away.
    pub(crate) async fn away(&self, provider: &OAuth2Provider) -> (Url, State) {
        let turn = provider
            .begin(&self.context(), Entry::Chosen {})
            .await
            .unwrap();
        let Step::Redirect { url } = turn.step else {
            panic!("{:?}", turn.step);
        };
        (url, turn.state)
    }

    /// Comes back with these parameters.
    pub(crate) async fn back<const N: usize>(
        &self,
        provider: &OAuth2Provider,
        state: &State,
        parameters: [(&str, &str); N],
    ) -> Result<Turn> {
        let parameters = parameters.map(|(name, value)| (name.to_owned(), Secret::new(value)));
        let answer = Answer::Callback {
            parameters: parameters.into(),
        };
        provider
            .resume(&self.context(), state.clone(), answer)
            .await
    }
}

/// A sign-in with a token that opens these documents, by their paths.
pub(crate) async fn met(provider: &OAuth2Provider, documents: Value) -> Result<Turn> {
    let world = World::new(move |request| Ok(open(request, &documents)));
    let (_, state) = world.away(provider).await;
    let sent = "s".repeat(43);
    world
        .back(provider, &state, [("code", "c"), ("state", &sent)])
        .await
}

/// Tokens for every code, and documents for every token.
pub(crate) fn open(request: &HttpRequest, documents: &Value) -> HttpResponse {
    let token = json!({"access_token": "t", "token_type": "bearer"});
    match request.method.as_str() {
        "POST" => json_answer(200, documents.get("token").unwrap_or(&token)),
        _ => match documents.get(request.url.path()) {
            Some(document) => json_answer(200, document),
            None => json_answer(404, &json!({})),
        },
    }
}

pub(crate) fn json_answer(status: u16, body: &Value) -> HttpResponse {
    HttpResponse {
        status,
        headers: BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]),
        body: State(body.to_string().into_bytes()),
    }
}

#[track_caller]
pub(crate) fn proof(turn: Result<Turn>) -> (Proof, ExternalIdentity) {
    let Step::Proven { proof } = turn.unwrap().step else {
        panic!("nobody is proven");
    };
    let Who::External { identity } = proof.who.clone() else {
        panic!("{:?}", proof.who);
    };
    (proof, identity)
}

#[track_caller]
pub(crate) fn refusal(turn: Result<Turn>) -> String {
    match turn.unwrap().step {
        Step::Refused { reason } => reason,
        other => panic!("{other:?}"),
    }
}
