//! One person with one password, and what the engine does around them.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use gatelodge_core::{
    Environment,
    environment::{ManualClock, SeededRandom},
    model::{ClientFacts, ProviderId, RecordId, TenantId, UserId},
    provider::{
        Answer, Context, Effect, Entry, Facts, Form, HttpRequest, HttpResponse, Intent, KeptRecord,
        NewRecord, Provider, Services, Step, Strength, Subject, TenantFacts, Turn,
    },
};
use gatelodge_provider_password::{Config, PasswordProvider};
use jiff::Timestamp;

/// A password that is accepted.
pub(crate) const GOOD: &str = "correct horse battery staple";
/// Another one.
pub(crate) const OTHER: &str = "seven penguins read the almanac";

/// One user's records and everything else a provider asks for.
pub(crate) struct World {
    pub(crate) environment: Environment,
    pub(crate) facts: Facts,
    pub(crate) records: Mutex<Vec<KeptRecord>>,
    pub(crate) drawn: AtomicU64,
}

#[async_trait::async_trait]
impl Services for World {
    fn random(&self, bytes: &mut [u8]) {
        self.drawn.fetch_add(1, Ordering::Relaxed);
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
    /// A signed-in user without password, about to set one.
    pub(crate) fn new() -> Self {
        let environment =
            Environment::new(ManualClock::at(Timestamp::UNIX_EPOCH), SeededRandom::new(1));
        let subject = Subject {
            id: UserId::generate(&environment),
            user_name: "alice.liddell".to_owned(),
            display_name: "Alice Liddell".to_owned(),
            email: Some("wonderland7@mail.example".to_owned()),
            email_verified: true,
        };
        let tenant = TenantFacts {
            id: TenantId::generate(&environment),
            name: "looking-glass".to_owned(),
            display_name: "Looking-Glass House".to_owned(),
        };
        Self {
            facts: facts(tenant, subject),
            environment,
            records: Mutex::default(),
            drawn: AtomicU64::new(0),
        }
    }

    /// The same, with a password.
    pub(crate) async fn with_password(provider: &PasswordProvider, password: &str) -> Self {
        let world = Self::new();
        let turn = world.enrol(provider, &[("new_password", password)]).await;
        assert_eq!(turn.step, Step::Enrolled {}, "{turn:?}");
        world.apply(turn.effects);
        world
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            facts: &self.facts,
            services: self,
        }
    }

    pub(crate) async fn begin(&self, provider: &PasswordProvider) -> (Form, Turn) {
        form(
            provider
                .begin(&self.context(), Entry::Chosen {})
                .await
                .unwrap(),
        )
    }

    pub(crate) async fn sign_in(
        &self,
        provider: &PasswordProvider,
        answer: &[(&str, &str)],
    ) -> Turn {
        let state = self.begin(provider).await.1.state;
        let answer = Answer::fields(answer.iter().copied());
        provider
            .resume(&self.context(), state, answer)
            .await
            .unwrap()
    }

    pub(crate) async fn try_sign_in(
        &self,
        provider: &PasswordProvider,
    ) -> gatelodge_core::Result<Turn> {
        let state = self.begin(provider).await.1.state;
        let answer = Answer::fields([("password", GOOD)]);
        provider.resume(&self.context(), state, answer).await
    }

    pub(crate) async fn begin_enrolment(&self, provider: &PasswordProvider) -> (Form, Turn) {
        let enrolment = provider.enrolment().unwrap();
        form(enrolment.begin(&self.context()).await.unwrap())
    }

    pub(crate) async fn enrol(&self, provider: &PasswordProvider, answer: &[(&str, &str)]) -> Turn {
        let state = self.begin_enrolment(provider).await.1.state;
        let answer = Answer::fields(answer.iter().copied());
        let enrolment = provider.enrolment().unwrap();
        enrolment
            .resume(&self.context(), state, answer)
            .await
            .unwrap()
    }

    /// Does with the effects what the engine does.
    pub(crate) fn apply(&self, effects: Vec<Effect>) {
        let mut records = self.records.lock().unwrap();
        for effect in effects {
            match effect {
                Effect::Put { record } => records.push(self.kept(record)),
                Effect::Replace {
                    record,
                    version,
                    with,
                } => {
                    let kept = records.iter_mut().find(|kept| kept.id == record).unwrap();
                    assert_eq!(kept.version, version);
                    (kept.data, kept.version) = (with.data, version + 1);
                }
                Effect::Remove { record } => records.retain(|kept| kept.id != record),
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) fn kept(&self, record: NewRecord) -> KeptRecord {
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

    pub(crate) fn stored(&self) -> String {
        String::from_utf8(self.records.lock().unwrap()[0].data.0.clone()).unwrap()
    }

    pub(crate) fn signing_in(mut self) -> Self {
        self.facts.intent = Intent::SignIn;
        self
    }
}

fn facts(tenant: TenantFacts, subject: Subject) -> Facts {
    Facts {
        provider: ProviderId::new("password").unwrap(),
        intent: Intent::Enrol,
        tenant: Some(tenant),
        subject: Some(subject),
        proofs: Vec::new(),
        demanded: Strength::OneFactor,
        now: Timestamp::UNIX_EPOCH,
        origin: "https://login.teaparty.example".parse().unwrap(),
        rp_id: "login.teaparty.example".to_owned(),
        callback: None,
        oauth_state: None,
        channels: Vec::new(),
        locale: "en".to_owned(),
        client: ClientFacts::default(),
    }
}

fn form(turn: Turn) -> (Form, Turn) {
    let Step::Prompt { form } = turn.step.clone() else {
        panic!("{turn:?}");
    };
    (form, turn)
}

pub(crate) fn provider() -> PasswordProvider {
    PasswordProvider::new(&Config::default()).unwrap()
}

pub(crate) fn configured(table: serde_json::Value) -> PasswordProvider {
    let table = table.as_object().unwrap().clone();
    PasswordProvider::new(&Config::from_table(table).unwrap()).unwrap()
}

pub(crate) fn refused(reason: &str) -> Turn {
    Turn::refused(reason)
}

/// Field, code and message of the errors.
pub(crate) fn errors(turn: &Turn) -> Vec<(&str, &str, &str)> {
    let Step::Invalid { errors } = &turn.step else {
        panic!("{turn:?}");
    };
    assert!(turn.effects.is_empty());
    errors
        .iter()
        .map(|error| (&*error.field, &*error.code, &*error.message))
        .collect()
}
