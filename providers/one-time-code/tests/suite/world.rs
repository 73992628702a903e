//! One person with addresses, and what the engine does around them.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use gatelodge_core::{
    Environment,
    environment::{ManualClock, SeededRandom, later},
    model::{ClientFacts, ProviderId, RecordId, TenantId, UserId},
    provider::{
        Answer, Context, Effect, Entry, Facts, Form, HttpRequest, HttpResponse, Intent, KeptRecord,
        Message, MessageChannel, NewRecord, Provider, RecordOwner, Registry, Services, State, Step,
        Strength, Subject, TenantFacts, Turn,
    },
    secret::Secret,
};
use gatelodge_provider_one_time_code::register;
use jiff::Timestamp;
use serde_json::{Value, json};

pub(crate) const MAILBOX: &str = "alice.liddell@teaparty.example";
pub(crate) const TELEPHONE: &str = "+49 30 1234711";

/// One user's records and everything else a provider asks for.
pub(crate) struct World {
    pub(crate) environment: Environment,
    pub(crate) facts: Facts,
    pub(crate) records: Mutex<Vec<(Option<Secret>, KeptRecord)>>,
    /// All that was sent.
    pub(crate) sent: Mutex<Vec<Message>>,
}

#[async_trait::async_trait]
impl Services for World {
    fn random(&self, bytes: &mut [u8]) {
        self.environment.fill(bytes);
    }

    async fn subject_records(&self) -> gatelodge_core::Result<Vec<KeptRecord>> {
        let user = self.facts.subject.as_ref().map(|subject| subject.id);
        let records = self.records.lock().unwrap();
        let own = records.iter().map(|(_, record)| record);
        Ok(own.filter(|record| record.user == user).cloned().collect())
    }

    async fn record_by_key(&self, key: &str) -> gatelodge_core::Result<Option<KeptRecord>> {
        let records = self.records.lock().unwrap();
        let is_there = |record: &KeptRecord| record.expires_at.is_none_or(|e| self.facts.now < e);
        let mut found = records.iter().filter(|(of, _)| *of == Some(key.into()));
        Ok(found
            .find(|(_, record)| is_there(record))
            .map(|(_, r)| r.clone()))
    }

    async fn fetch(&self, _: HttpRequest) -> gatelodge_core::Result<HttpResponse> {
        panic!("not asked for")
    }
}

impl World {
    /// A signed-in user who has set up nothing.
    pub(crate) fn new() -> Self {
        let start = Timestamp::from_second(1_790_000_000).unwrap();
        let environment = Environment::new(ManualClock::at(start), SeededRandom::new(1));
        let subject = Subject {
            id: UserId::generate(&environment),
            user_name: "alice.liddell".to_owned(),
            display_name: "Alice Liddell".to_owned(),
            email: Some(MAILBOX.to_owned()),
            email_verified: true,
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
            sent: Mutex::default(),
        }
    }

    /// Somebody who has set an address up ten minutes ago, and is about to sign in.
    pub(crate) async fn with(provider: &dyn Provider, address: &str) -> Self {
        let mut world = Self::new();
        world.enrol(provider, address).await;
        world.pass(600);
        world
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

    /// The code that was sent last, as it stands in the message.
    pub(crate) fn newest(&self) -> String {
        let sent = self.sent.lock().unwrap();
        let code = sent.last().unwrap().code.as_ref();
        code.unwrap().expose().to_owned()
    }

    pub(crate) fn count_sent(&self) -> usize {
        self.sent.lock().unwrap().len()
    }

    pub(crate) async fn begin(&self, provider: &dyn Provider) -> Turn {
        let begun = provider.begin(&self.context(), Entry::Chosen {}).await;
        begun.unwrap()
    }

    pub(crate) async fn resume(&self, provider: &dyn Provider, at: &Turn, answer: Answer) -> Turn {
        let context = self.context();
        let resumed = provider.resume(&context, at.state.clone(), answer);
        resumed.await.unwrap()
    }

    /// Presses a button, and does what comes of it.
    pub(crate) async fn press(&self, provider: &dyn Provider, at: &Turn, action: &str) -> Turn {
        let answer = Answer::Action {
            action: action.to_owned(),
        };
        self.done(self.resume(provider, at, answer).await)
    }

    /// Asks for a code in a new flow.
    pub(crate) async fn ask(&self, provider: &dyn Provider) -> Turn {
        let begun = self.begin(provider).await;
        self.press(provider, &begun, "send").await
    }

    pub(crate) async fn answer(&self, provider: &dyn Provider, at: &Turn, code: &str) -> Turn {
        self.resume(provider, at, Answer::fields([("code", code)]))
            .await
    }

    pub(crate) async fn begin_enrolment(&self, provider: &dyn Provider) -> Turn {
        let enrolment = provider.enrolment().unwrap();
        enrolment.begin(&self.context()).await.unwrap()
    }

    pub(crate) async fn go_on(&self, provider: &dyn Provider, at: &Turn, answer: Answer) -> Turn {
        let enrolment = provider.enrolment().unwrap();
        let context = self.context();
        let turn = enrolment.resume(&context, at.state.clone(), answer);
        self.done(turn.await.unwrap())
    }

    /// Says where codes are to be sent to, in a new flow.
    pub(crate) async fn name(&self, provider: &dyn Provider, address: &str) -> Turn {
        let begun = self.begin_enrolment(provider).await;
        let answer = Answer::fields([("address", address)]);
        self.go_on(provider, &begun, answer).await
    }

    /// Sets an address up.
    pub(crate) async fn enrol(&self, provider: &dyn Provider, address: &str) {
        let named = self.name(provider, address).await;
        let answer = Answer::fields([("code", self.newest().as_str())]);
        let turn = self.go_on(provider, &named, answer).await;
        assert_eq!(turn.step, Step::Enrolled {}, "{turn:?}");
    }

    /// The turn, with its effects applied as the engine does.
    pub(crate) fn done(&self, turn: Turn) -> Turn {
        assert!(self.apply(&turn.effects), "the effects are lost");
        turn
    }

    /// Does with the effects what the engine does; `false` when they are lost.
    pub(crate) fn apply(&self, effects: &[Effect]) -> bool {
        let mut records = self.records.lock().unwrap();
        for effect in effects {
            match effect.clone() {
                Effect::Put { record } => {
                    let now = self.facts.now;
                    records.retain(|(_, kept)| kept.expires_at.is_none_or(|end| now < end));
                    if records.iter().any(|(key, _)| *key == record.key) {
                        return false;
                    }
                    records.push((record.key.clone(), self.kept(record)));
                }
                Effect::Replace {
                    record,
                    version,
                    with,
                } => {
                    let kept = records.iter_mut().map(|(_, kept)| kept);
                    let kept = { kept }.find(|kept| kept.id == record && kept.version == version);
                    let Some(kept) = kept else {
                        return false;
                    };
                    (kept.data, kept.label, kept.expires_at) =
                        (with.data, with.label, with.expires_at);
                    kept.version += 1;
                }
                Effect::Remove { record } => records.retain(|(_, kept)| kept.id != record),
                Effect::Send { message } => self.sent.lock().unwrap().push(message),
                Effect::UseUp { .. } => panic!("{effect:?}"),
            }
        }
        true
    }

    fn kept(&self, record: NewRecord) -> KeptRecord {
        let subject = self.facts.subject.as_ref().map(|subject| subject.id);
        KeptRecord {
            id: RecordId::generate(&self.environment),
            user: subject.filter(|_| record.owner == RecordOwner::Subject),
            label: record.label,
            created_at: self.facts.now,
            expires_at: record.expires_at,
            version: 1,
            data: record.data,
        }
    }

    /// The subject's own records.
    pub(crate) fn own(&self) -> Vec<KeptRecord> {
        let records = self.records.lock().unwrap();
        let all = records.iter().map(|(_, record)| record.clone());
        all.filter(|record| record.user.is_some()).collect()
    }
}

fn facts(tenant: TenantFacts, subject: Subject, now: Timestamp) -> Facts {
    Facts {
        provider: ProviderId::new("codes").unwrap(),
        intent: Intent::SignIn,
        tenant: Some(tenant),
        subject: Some(subject),
        proofs: Vec::new(),
        demanded: Strength::OneFactor,
        now,
        origin: "https://login.teaparty.example".parse().unwrap(),
        rp_id: "login.teaparty.example".to_owned(),
        callback: None,
        oauth_state: None,
        channels: MessageChannel::ALL.to_vec(),
        locale: "en".to_owned(),
        client: ClientFacts::default(),
    }
}

/// A provider as the configuration makes it.
pub(crate) fn configured(table: Value) -> Arc<dyn Provider> {
    let mut registry = Registry::new();
    register(&mut registry);
    let id = ProviderId::new("codes").unwrap();
    let table = table.as_object().unwrap().clone();
    registry
        .configure(id.clone(), "one-time-code", table)
        .unwrap();
    registry.provider(&id).unwrap().provider.clone()
}

pub(crate) fn by_mail() -> Arc<dyn Provider> {
    configured(json!({"channel": "mail"}))
}

pub(crate) fn by_sms() -> Arc<dyn Provider> {
    configured(json!({"channel": "sms"}))
}

pub(crate) fn form(turn: &Turn) -> &Form {
    match &turn.step {
        Step::Prompt { form } => form,
        other => panic!("{other:?}"),
    }
}

/// The ids of a form's buttons.
pub(crate) fn buttons(turn: &Turn) -> Vec<&str> {
    let actions = form(turn).actions.iter();
    actions.map(|action| action.id.as_str()).collect()
}

pub(crate) fn says(turn: &Turn, words: &str) -> bool {
    let message = form(turn).message.as_deref();
    message.is_some_and(|message| message.contains(words))
}

/// Field and code of the errors.
pub(crate) fn errors(turn: &Turn) -> Vec<(&str, &str)> {
    let Step::Invalid { errors } = &turn.step else {
        panic!("{turn:?}");
    };
    assert!(turn.effects.is_empty());
    let named = errors.iter();
    named.map(|e| (e.field.as_str(), e.code.as_str())).collect()
}

pub(crate) fn is_proven(turn: &Turn) -> bool {
    matches!(turn.step, Step::Proven { .. })
}

/// The state of a turn, to look into.
pub(crate) fn looked_into(state: &State) -> String {
    String::from_utf8(state.0.clone()).unwrap()
}
