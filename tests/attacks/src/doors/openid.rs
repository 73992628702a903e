//! What an OpenID provider sends: its answers, its tokens, its callbacks.

use std::{cell::OnceCell, collections::BTreeMap};

use async_trait::async_trait;
use gatelodge_core::{
    Result,
    model::{ClientFacts, ProviderId},
    provider::{
        Answer, Context, Entry, Facts, HttpRequest, HttpResponse, Intent, KeptRecord, Provider,
        Services, State, Step, Strength, ThirdParty, Who,
    },
    secret::Secret,
};
use gatelodge_provider_oidc::{Config, Liar, OidcProvider};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;
use url::{Url, form_urlencoded};

use super::house::runtime;

/// Whoever comes is her, whatever is sent.
const WHO: &str = "alice";

/// The first byte says what the others are in place of.
pub fn openid_answers(bytes: &[u8]) {
    thread_local! {
        static PLACE: OnceCell<(Runtime, Config)> = const { OnceCell::new() };
    }
    let Some((what, bytes)) = bytes.split_first() else {
        return;
    };
    PLACE.with(|place| {
        let (runtime, config) = place.get_or_init(|| (runtime(), config()));
        let third_party = Sends {
            what: *what,
            bytes,
            liar: Liar::of(config),
        };
        runtime.block_on(come(&third_party, config));
    });
}

fn config() -> Config {
    let table = json!({
        "issuer": "https://issuer.example", "client_id": "client", "client_auth": "none",
        "algorithms": ["EdDSA"],
    });
    let table = table.as_object().cloned().unwrap_or_default();
    Config::from_table(table).expect("a configuration")
}

/// Somebody comes by that third party.
async fn come(third_party: &Sends<'_>, config: &Config) {
    let facts = facts();
    let context = Context {
        facts: &facts,
        services: third_party,
    };
    let provider = OidcProvider::new(config.clone()).expect("a provider");
    let Ok(turn) = provider.begin(&context, Entry::Chosen {}).await else {
        return;
    };
    let Step::Redirect { url } = &turn.step else {
        return;
    };
    let mut state = turn.state;
    let mut parameters = third_party.liar.authorize(url, WHO, facts.now);
    match third_party.what % 8 {
        5 => {
            let pairs = form_urlencoded::parse(third_party.bytes).into_owned();
            let pairs = pairs.map(|(name, value)| (name, Secret::new(value)));
            parameters.extend(pairs.collect::<BTreeMap<_, _>>());
        }
        6 => state = State(third_party.bytes.to_vec()),
        7 => {
            let kept = State(third_party.bytes.to_vec());
            let _ = provider.recheck(&context, &kept).await;
        }
        _ => {}
    }
    let answer = Answer::Callback { parameters };
    let Ok(turn) = provider.resume(&context, state, answer).await else {
        return;
    };
    if let Step::Proven { proof } = turn.step {
        let Who::External { identity } = proof.who else {
            return;
        };
        assert_eq!(identity.subject, WHO);
        assert_ne!(third_party.what % 8, 4, "nobody signed this token");
        assert!(identity.claims.len() <= 64);
        assert!(
            identity
                .claims
                .values()
                .all(|claim| claim.value.len() <= 1_024)
        );
    }
}

/// A third party that sends something else in one place.
struct Sends<'a> {
    what: u8,
    bytes: &'a [u8],
    liar: Liar,
}

#[async_trait]
impl Services for Sends<'_> {
    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }

    async fn subject_records(&self) -> Result<Vec<KeptRecord>> {
        Ok(Vec::new())
    }

    async fn record_by_key(&self, _: &str) -> Result<Option<KeptRecord>> {
        Ok(None)
    }

    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse> {
        let mut answered = self.liar.answer(&request)?;
        let place = match request.url.path() {
            "/.well-known/openid-configuration" => 0,
            "/keys" => 1,
            "/token" => 2,
            "/userinfo" => 3,
            _ => u8::MAX,
        };
        match (place, self.what % 8) {
            (2, 4) => {
                let tokens = serde_json::from_slice(&answered.body.0).unwrap_or_default();
                let mut tokens: Map<String, Value> = tokens;
                let forged = String::from_utf8_lossy(self.bytes).into_owned();
                tokens.insert("id_token".to_owned(), forged.into());
                answered.body = State(Value::Object(tokens).to_string().into_bytes());
            }
            (place, what) if place == what => answered.body = State(self.bytes.to_vec()),
            _ => {}
        }
        Ok(answered)
    }
}

fn facts() -> Facts {
    let origin: Url = "https://gatelodge.example".parse().expect("an address");
    Facts {
        provider: ProviderId::new("party").expect("an id"),
        intent: Intent::SignIn,
        tenant: None,
        subject: None,
        proofs: Vec::new(),
        demanded: Strength::OneFactor,
        now: Timestamp::from_second(1_790_000_000).expect("a time"),
        callback: origin.join("/callback/party").ok(),
        rp_id: "gatelodge.example".to_owned(),
        origin,
        oauth_state: Some("0123456789".repeat(5)),
        channels: Vec::new(),
        locale: "en".to_owned(),
        client: ClientFacts {
            address: None,
            network: None,
            user_agent: None,
            request_id: None,
        },
    }
}
