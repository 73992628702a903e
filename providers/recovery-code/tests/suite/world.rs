//! One person with codes, and what the engine does around them.

use std::sync::Mutex;

use gatelodge_core::{
    Environment,
    environment::{ManualClock, SeededRandom},
    model::{ClientFacts, ProviderId, RecordId, TenantId, UserId},
    provider::{
        Answer, Context, Display, Effect, Entry, Facts, Form, HttpRequest, HttpResponse, Intent,
        KeptRecord, Provider, Services, Step, Strength, Subject, TenantFacts, Turn,
    },
};
use gatelodge_provider_recovery_code::RecoveryCodeProvider;
use jiff::Timestamp;

pub(crate) static PROVIDER: RecoveryCodeProvider = RecoveryCodeProvider;

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
    /// A user without codes.
    pub(crate) fn new() -> Self {
        let environment =
            Environment::new(ManualClock::at(Timestamp::UNIX_EPOCH), SeededRandom::new(1));
        let subject = Subject {
            id: UserId::generate(&environment),
            user_name: "alice".to_owned(),
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
            facts: facts(tenant, subject),
            environment,
            records: Mutex::default(),
        }
    }

    /// The same with a set, and what the person put aside.
    pub(crate) async fn with_codes() -> (Self, Vec<String>) {
        let world = Self::new();
        let codes = world.make_set().await;
        (world, codes)
    }

    /// Makes a set and puts its codes aside.
    pub(crate) async fn make_set(&self) -> Vec<String> {
        let (form, begun) = self.begin_enrolment().await;
        let turn = self.finish_enrolment(&begun, &[("kept", "true")]).await;
        assert_eq!(turn.step, Step::Enrolled {});
        assert!(self.apply(turn.effects));
        codes(&form)
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            facts: &self.facts,
            services: self,
        }
    }

    pub(crate) async fn sign_in(&self, code: &str) -> Turn {
        let begun = PROVIDER.begin(&self.context(), Entry::Chosen {}).await;
        let answer = Answer::fields([("code", code)]);
        PROVIDER
            .resume(&self.context(), begun.unwrap().state, answer)
            .await
            .unwrap()
    }

    pub(crate) async fn begin_enrolment(&self) -> (Form, Turn) {
        let enrolment = PROVIDER.enrolment().unwrap();
        let turn = enrolment.begin(&self.context()).await.unwrap();
        let Step::Prompt { form } = turn.step.clone() else {
            panic!("{turn:?}");
        };
        (form, turn)
    }

    pub(crate) async fn finish_enrolment(&self, begun: &Turn, answer: &[(&str, &str)]) -> Turn {
        let enrolment = PROVIDER.enrolment().unwrap();
        let answer = Answer::fields(answer.iter().copied());
        let state = begun.state.clone();
        enrolment
            .resume(&self.context(), state, answer)
            .await
            .unwrap()
    }

    /// The labels of what is listed.
    pub(crate) async fn listed(&self) -> Vec<String> {
        let enrolment = PROVIDER.enrolment().unwrap();
        let list = enrolment.list(&self.context()).await.unwrap();
        list.into_iter().map(|listed| listed.label).collect()
    }

    /// How many codes each of what is listed has left.
    pub(crate) async fn left(&self) -> Vec<Option<u32>> {
        let enrolment = PROVIDER.enrolment().unwrap();
        let list = enrolment.list(&self.context()).await.unwrap();
        list.into_iter().map(|listed| listed.left).collect()
    }

    /// Does with the effects what the engine does; `false` when they are lost.
    pub(crate) fn apply(&self, effects: Vec<Effect>) -> bool {
        let mut records = self.records.lock().unwrap();
        for effect in effects {
            let at = |id, version| {
                let mut kept = records.iter();
                kept.position(|kept: &KeptRecord| (kept.id, kept.version) == (id, version))
            };
            match effect {
                Effect::Put { record } => records.push(KeptRecord {
                    id: RecordId::generate(&self.environment),
                    user: self.facts.subject.as_ref().map(|subject| subject.id),
                    label: record.label,
                    created_at: self.facts.now,
                    expires_at: record.expires_at,
                    version: 1,
                    data: record.data,
                }),
                Effect::Replace {
                    record,
                    version,
                    with,
                } => {
                    let Some(at) = at(record, version) else {
                        return false;
                    };
                    (records[at].data, records[at].label) = (with.data, with.label);
                    records[at].version += 1;
                }
                Effect::UseUp { record, version } => {
                    let Some(at) = at(record, version) else {
                        return false;
                    };
                    records.remove(at);
                }
                Effect::Remove { record } => records.retain(|kept| kept.id != record),
                other => panic!("{other:?}"),
            }
        }
        true
    }
}

fn facts(tenant: TenantFacts, subject: Subject) -> Facts {
    Facts {
        provider: ProviderId::new("recovery-code").unwrap(),
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

/// The codes that are shown.
pub(crate) fn codes(form: &Form) -> Vec<String> {
    let [Display::CodeList { values, .. }] = &form.display[..] else {
        panic!("{form:?}");
    };
    values.iter().map(|code| code.expose().to_owned()).collect()
}

pub(crate) fn is_proven(turn: &Turn) -> bool {
    matches!(turn.step, Step::Proven { .. })
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
