//! One person with apps, and what the engine does around them.

use std::sync::Mutex;

use gatelodge_core::{
    Environment,
    environment::{ManualClock, SeededRandom},
    model::{ClientFacts, ProviderId, RecordId, TenantId, UserId},
    provider::{
        Answer, Context, Display, Effect, Entry, Facts, Form, HttpRequest, HttpResponse, Intent,
        KeptRecord, NewRecord, Provider, Services, Step, Strength, Subject, TenantFacts, Turn,
    },
};
use gatelodge_provider_totp::{Algorithm, Authenticator, Config, TotpProvider};
use jiff::Timestamp;
use serde_json::Value;

/// The beginning of a step.
pub(crate) const START: i64 = 1_790_000_010;

/// One user's records and everything else a provider asks for.
pub(crate) struct World {
    pub(crate) environment: Environment,
    pub(crate) facts: Facts,
    pub(crate) records: Mutex<Vec<KeptRecord>>,
}

#[async_trait::async_trait]
impl Services for World {
    fn random(&self, bytes: &mut [u8]) {
        self.environment.fill(bytes);
    }

    async fn subject_records(&self) -> gatelodge_core::Result<Vec<KeptRecord>> {
        Ok(self.records.lock().unwrap().clone())
    }

    async fn record_by_key(&self, _: &str) -> gatelodge_core::Result<Option<KeptRecord>> {
        panic!("not asked for")
    }

    async fn fetch(&self, _: HttpRequest) -> gatelodge_core::Result<HttpResponse> {
        panic!("not asked for")
    }
}

impl World {
    /// A signed-in user without an app.
    pub(crate) fn new() -> Self {
        let start = Timestamp::from_second(START).unwrap();
        let environment = Environment::new(ManualClock::at(start), SeededRandom::new(1));
        let subject = Subject {
            id: UserId::generate(&environment),
            user_name: "alice.liddell".to_owned(),
            display_name: "Alice Liddell".to_owned(),
            email: None,
            email_verified: false,
        };
        let tenant = TenantFacts {
            id: TenantId::generate(&environment),
            name: "looking-glass".to_owned(),
            display_name: "Looking-Glass House".to_owned(),
        };
        Self {
            facts: facts(tenant, subject, start),
            environment,
            records: Mutex::default(),
        }
    }

    /// The same a minute after an app was set up, about to sign in.
    pub(crate) async fn with_app(provider: &TotpProvider) -> (Self, Authenticator) {
        let mut world = Self::new();
        let app = world.enrolled(provider, "").await;
        world.pass(60);
        world.facts.intent = Intent::SignIn;
        (world, app)
    }

    pub(crate) fn pass(&mut self, seconds: i64) {
        self.facts.now += jiff::SignedDuration::from_secs(seconds);
    }

    pub(crate) fn step(&self) -> u64 {
        u64::try_from(self.facts.now.as_second()).unwrap() / 30
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            facts: &self.facts,
            services: self,
        }
    }

    pub(crate) async fn sign_in(&self, provider: &TotpProvider, code: &str) -> Turn {
        let begun = provider.begin(&self.context(), Entry::Chosen {}).await;
        let answer = Answer::fields([("code", code)]);
        provider
            .resume(&self.context(), begun.unwrap().state, answer)
            .await
            .unwrap()
    }

    /// The first step of setting an app up.
    pub(crate) async fn begin_enrolment(&self, provider: &TotpProvider) -> (Form, Turn) {
        let enrolment = provider.enrolment().unwrap();
        let turn = enrolment.begin(&self.context()).await.unwrap();
        let Step::Prompt { form } = turn.step.clone() else {
            panic!("{turn:?}");
        };
        (form, turn)
    }

    pub(crate) async fn finish_enrolment(
        &self,
        provider: &TotpProvider,
        begun: &Turn,
        answer: &[(&str, &str)],
    ) -> Turn {
        let enrolment = provider.enrolment().unwrap();
        let answer = Answer::fields(answer.iter().copied());
        let state = begun.state.clone();
        enrolment
            .resume(&self.context(), state, answer)
            .await
            .unwrap()
    }

    /// Sets an app up with the present code.
    pub(crate) async fn enrolled(&self, provider: &TotpProvider, name: &str) -> Authenticator {
        let (form, begun) = self.begin_enrolment(provider).await;
        let app = app(&form);
        let code = app.code(self.step());
        let answer = [("code", code.as_str()), ("name", name)];
        let turn = self.finish_enrolment(provider, &begun, &answer).await;
        assert_eq!(turn.step, Step::Enrolled {}, "{turn:?}");
        assert!(self.apply(turn.effects));
        app
    }

    /// Does with the effects what the engine does; `false` when they are lost.
    pub(crate) fn apply(&self, effects: Vec<Effect>) -> bool {
        let mut records = self.records.lock().unwrap();
        for effect in effects {
            match effect {
                Effect::Put { record } => records.push(self.kept(record)),
                Effect::Replace {
                    record,
                    version,
                    with,
                } => {
                    let kept = records.iter_mut().find(|kept| kept.id == record);
                    let Some(kept) = kept.filter(|kept| kept.version == version) else {
                        return false;
                    };
                    (kept.data, kept.label) = (with.data, with.label);
                    kept.version += 1;
                }
                Effect::Remove { record } => records.retain(|kept| kept.id != record),
                other => panic!("{other:?}"),
            }
        }
        true
    }

    fn kept(&self, record: NewRecord) -> KeptRecord {
        KeptRecord {
            id: RecordId::generate(&self.environment),
            user: self.facts.subject.as_ref().map(|subject| subject.id),
            label: record.label,
            created_at: self.facts.now,
            expires_at: record.expires_at,
            version: 1,
            data: record.data,
        }
    }

    /// What a record holds.
    pub(crate) fn stored(&self, number: usize) -> Value {
        serde_json::from_slice(&self.records.lock().unwrap()[number].data.0).unwrap()
    }
}

fn facts(tenant: TenantFacts, subject: Subject, now: Timestamp) -> Facts {
    Facts {
        provider: ProviderId::new("totp").unwrap(),
        intent: Intent::Enrol,
        tenant: Some(tenant),
        subject: Some(subject),
        proofs: Vec::new(),
        demanded: Strength::OneFactor,
        now,
        origin: "https://login.teaparty.example".parse().unwrap(),
        rp_id: "login.teaparty.example".to_owned(),
        callback: None,
        oauth_state: None,
        channels: Vec::new(),
        locale: "en".to_owned(),
        client: ClientFacts::default(),
    }
}

/// The app that somebody sets up by typing the key that is shown.
pub(crate) fn app(form: &Form) -> Authenticator {
    let shown = form.display.iter().find_map(|display| match display {
        Display::Secret { value, .. } => Some(value.expose()),
        _ => None,
    });
    Authenticator::from_base32(shown.unwrap(), Algorithm::Sha1, 6, 30).unwrap()
}

pub(crate) fn provider() -> TotpProvider {
    TotpProvider::new(Config::default()).unwrap()
}

pub(crate) fn configured(table: Value) -> TotpProvider {
    let table = table.as_object().unwrap().clone();
    TotpProvider::new(Config::from_table(table).unwrap()).unwrap()
}

/// Field and code of the errors.
pub(crate) fn errors(turn: &Turn) -> Vec<(&str, &str)> {
    let Step::Invalid { errors } = &turn.step else {
        panic!("{turn:?}");
    };
    assert!(turn.effects.is_empty());
    errors
        .iter()
        .map(|error| (&*error.field, &*error.code))
        .collect()
}

pub(crate) fn is_proven(turn: &Turn) -> bool {
    matches!(turn.step, Step::Proven { .. })
}
