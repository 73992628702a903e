use std::collections::BTreeMap;

use async_trait::async_trait;
use gatelodge_core::{
    ErrorKind, Result,
    model::{ClientFacts, ProviderId},
    provider::{
        Answer, Context, Entry, Facts, HttpRequest, HttpResponse, Intent, KeptRecord, Proof,
        Provider as _, Services, State, Step, Strength, Verified, Who,
    },
    secret::Secret,
};
use gatelodge_provider_oauth2::{Config, OAuth2Provider};
use jiff::Timestamp;
use serde_json::{Value, json};

/// A service that answers one kind of request with whatever bytes, and the others well.
struct Service<'a> {
    /// `t`oken, `u`ser, `e`mails or `o`rganisations.
    kind: u8,
    body: &'a [u8],
}

#[async_trait]
impl Services for Service<'_> {
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
        let (kind, honest) = match request.url.path() {
            "/user" => (b'u', json!({"id": 4_711, "login": "ada"})),
            "/user/emails" => (b'e', json!([])),
            "/user/orgs" => (b'o', json!([{"id": 1, "login": "acme"}])),
            _ => (b't', json!({"access_token": "t", "token_type": "bearer"})),
        };
        let body = match kind == self.kind {
            true => self.body.to_vec(),
            false => honest.to_string().into_bytes(),
        };
        Ok(HttpResponse {
            status: 200,
            headers: BTreeMap::new(),
            body: State(body),
        })
    }
}

/// What a service without OpenID Connect says of somebody: the first byte says which
/// document the others are.
pub fn services(bytes: &[u8]) {
    let Some((kind, body)) = bytes.split_first() else {
        return;
    };
    let kind = *kind;
    let table = json!({
        "preset": "github", "client_id": "i", "client_secret": "s", "organisations": ["acme", "1"],
    });
    let table = table.as_object().cloned().unwrap_or_default();
    let provider = OAuth2Provider::new(Config::from_table(table).expect("a configuration"));
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let turn = runtime
        .expect("a runtime")
        .block_on(sign_in(&provider, &Service { kind, body }));
    let step = match turn {
        Ok(step) => step,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
            return;
        }
    };
    let identity = match step {
        Step::Proven {
            proof:
                Proof {
                    who: Who::External { identity },
                    ..
                },
        }
        | Step::Barred { identity, .. } => identity,
        other => {
            let is_refused = matches!(other, Step::Refused { .. });
            assert!(is_refused, "there is no such end: {other:?}");
            return;
        }
    };
    if kind != b'u' {
        assert_eq!(identity.subject, "4711");
    }
    assert!(
        identity.subject.parse::<u64>().is_ok_and(|id| id > 0),
        "the number of somebody"
    );
    assert!(identity.claims.len() <= 64);
    let email = identity.claims.get("email");
    if email.is_some_and(|claim| claim.verified != Verified::Claimed) {
        let said: Value = serde_json::from_slice(body).expect("it was read");
        let is_so = |entry: &Value| entry["primary"] == true && entry["verified"] == true;
        assert!(said.as_array().is_some_and(|list| list.iter().any(is_so)));
    }
}

async fn sign_in(provider: &OAuth2Provider, service: &Service<'_>) -> Result<Step> {
    let origin: url::Url = "https://id.example.org".parse().expect("an address");
    let facts = Facts {
        provider: ProviderId::new("github")?,
        intent: Intent::SignIn,
        tenant: None,
        subject: None,
        proofs: Vec::new(),
        demanded: Strength::OneFactor,
        now: Timestamp::UNIX_EPOCH,
        callback: origin.join("/callback/github").ok(),
        rp_id: "id.example.org".to_owned(),
        origin,
        oauth_state: Some("s".to_owned()),
        channels: Vec::new(),
        locale: "en".to_owned(),
        client: ClientFacts::default(),
    };
    let context = Context {
        facts: &facts,
        services: service,
    };
    let begun = provider.begin(&context, Entry::Chosen {}).await?;
    let parameters = [("code", "c"), ("state", "s")]
        .map(|(name, value)| (name.to_owned(), Secret::new(value)))
        .into();
    let answer = Answer::Callback { parameters };
    Ok(provider.resume(&context, begun.state, answer).await?.step)
}
