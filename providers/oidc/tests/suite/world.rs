//! A connection, the third party behind it, and what the engine does around them.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gatelodge_core::{
    Environment, Error, ErrorKind, Result,
    environment::{ManualClock, SeededRandom, later},
    model::{ClientFacts, ProviderId, TenantId},
    provider::{
        Answer, Claim, Context, Entry, ExternalIdentity, Facts, HttpRequest, HttpResponse, Intent,
        KeptRecord, Proof, Provider, ProviderTable, Reach, Services, Step, Strength, TenantFacts,
        Turn, Who,
    },
};
use gatelodge_provider_oidc::{Config, Liar, OidcProvider};
use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;

/// Everything that a connection asks for.
pub(crate) struct World {
    pub(crate) facts: Facts,
    pub(crate) provider: OidcProvider,
    pub(crate) liar: Liar,
    /// What the third party's authorization endpoint says, if it is another one.
    pub(crate) at_the_door: Option<Liar>,
    /// Whether nobody answers.
    pub(crate) is_down: bool,
    pub(crate) requests: Mutex<Vec<HttpRequest>>,
    pub(crate) fetches: AtomicUsize,
    environment: Environment,
}

#[async_trait::async_trait]
impl Services for World {
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
        self.fetches.fetch_add(1, Ordering::SeqCst);
        // Others come in between here, as they would.
        tokio::task::yield_now().await;
        let reach = &request.reach;
        let is_right = request.url.scheme() == "https" || *reach == Reach::Loopback;
        assert!(is_right, "it asks {}", request.url);
        self.requests.lock().unwrap().push(request.clone());
        match self.is_down {
            true => Err(Error::new(ErrorKind::Unavailable, "there is no answer")),
            false => self.liar.clone().at(self.facts.now).answer(&request),
        }
    }
}

/// The keys of a table.
pub(crate) fn table(value: Value) -> ProviderTable {
    value.as_object().unwrap().clone()
}

/// A connection to a provider without a preset. Its keys are quickly made.
pub(crate) fn generic() -> Value {
    json!({
        "issuer": "https://issuer.example/realm", "client_id": "client-4711",
        "client_secret": "the client's secret 4711", "algorithms": ["ES256"],
    })
}

/// The same with a preset.
pub(crate) fn preset(name: &str) -> Value {
    json!({
        "preset": name, "client_id": "client-4711", "client_secret": "the client's secret 4711",
        "algorithms": ["ES256"],
    })
}

/// With other keys.
pub(crate) fn with(mut table: Value, more: Value) -> Value {
    for (key, value) in more.as_object().unwrap() {
        table[key] = value.clone();
    }
    table
}

impl World {
    pub(crate) fn new(keys: Value) -> Self {
        let config = Config::from_table(table(keys)).unwrap();
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let environment = Environment::new(ManualClock::at(now), SeededRandom::new(1));
        let tenant = TenantFacts {
            id: TenantId::generate(&environment),
            name: "looking-glass".to_owned(),
            display_name: "Looking-Glass House".to_owned(),
        };
        Self {
            facts: facts(tenant, now),
            liar: Liar::of(&config),
            at_the_door: None,
            provider: OidcProvider::new(config).unwrap(),
            is_down: false,
            requests: Mutex::default(),
            fetches: AtomicUsize::new(0),
            environment,
        }
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.facts.now = later(self.facts.now, Duration::from_secs(seconds));
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            facts: &self.facts,
            services: self,
        }
    }

    /// How often the outside was asked since the last time.
    pub(crate) fn asked(&self) -> usize {
        self.fetches.swap(0, Ordering::SeqCst)
    }

    pub(crate) async fn begin(&self) -> Result<Turn> {
        self.provider.begin(&self.context(), Entry::Chosen {}).await
    }

    /// What comes back from there.
    pub(crate) fn callback(&self, turn: &Turn) -> Answer {
        let Step::Redirect { url } = &turn.step else {
            panic!("where to?");
        };
        let door = self.at_the_door.as_ref().unwrap_or(&self.liar);
        Answer::Callback {
            parameters: door.authorize(url, "alice", self.facts.now),
        }
    }

    pub(crate) async fn resume(&self, turn: &Turn, answer: Answer) -> Result<Turn> {
        let context = self.context();
        self.provider
            .resume(&context, turn.state.clone(), answer)
            .await
    }

    /// The whole way.
    pub(crate) async fn sign_in(&self) -> Result<Turn> {
        let turn = self.begin().await?;
        self.resume(&turn, self.callback(&turn)).await
    }

    /// The whole way, to its good end.
    pub(crate) async fn proof(&self) -> Proof {
        match self.sign_in().await.unwrap().step {
            Step::Proven { proof } => proof,
            other => panic!("not proven but {other:?}"),
        }
    }

    pub(crate) async fn identity(&self) -> ExternalIdentity {
        match self.proof().await.who {
            Who::External { identity } => identity,
            other => panic!("not external but {other:?}"),
        }
    }

    /// A claim about whoever signs in.
    pub(crate) async fn claim(&self, name: &str) -> Option<Claim> {
        self.identity().await.claims.get(name).cloned()
    }

    /// Why the whole way ends in a refusal, or a bar.
    pub(crate) async fn reason(&self) -> String {
        match self.sign_in().await {
            Ok(Turn {
                step: Step::Refused { reason } | Step::Barred { reason, .. },
                effects,
                ..
            }) if effects.is_empty() => reason,
            Ok(turn) => panic!("neither refused nor barred but {:?}", turn.step),
            Err(error) => format!("error: {error}"),
        }
    }
}

fn facts(tenant: TenantFacts, now: Timestamp) -> Facts {
    let origin: Url = "https://gatelodge.example".parse().unwrap();
    Facts {
        provider: ProviderId::new("party-1").unwrap(),
        intent: Intent::SignIn,
        tenant: Some(tenant),
        subject: None,
        proofs: Vec::new(),
        demanded: Strength::OneFactor,
        now,
        callback: origin.join("/callback/party-1").ok(),
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
