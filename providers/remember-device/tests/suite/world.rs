//! One tenant with its people, and what the engine does around the provider: it
//! opens records, applies effects, and asks again when another one was faster.

use std::{sync::Mutex, time::Duration};

use gatelodge_core::{
    Environment, Result,
    environment::{ManualClock, SeededRandom},
    model::{ClientFacts, ProviderId, RecordId, SessionId, TenantId, UserId},
    provider::{
        Context, Effect, Facts, HttpRequest, HttpResponse, Intent, Kept, KeptRecord, Message,
        MessageChannel, Provider, RecordOwner, Redeemed, Services, Silent, Strength, Subject,
        TenantFacts,
    },
    secret::Secret,
};
use gatelodge_provider_remember_device::RememberDeviceProvider;
use jiff::Timestamp;

pub(crate) static PROVIDER: RememberDeviceProvider = RememberDeviceProvider;
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
pub(crate) const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);
pub(crate) const ORIGIN: &str = "https://login.teaparty.example/";

pub(crate) fn silent() -> &'static dyn Silent {
    PROVIDER.silent().unwrap()
}

/// A record and its key.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) key: Option<String>,
    pub(crate) record: KeptRecord,
}

pub(crate) struct World {
    environment: Environment,
    pub(crate) facts: Facts,
    pub(crate) records: Mutex<Vec<Stored>>,
    pub(crate) mails: Mutex<Vec<Message>>,
}

/// What a sign-in by a device is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recognised {
    pub(crate) user: UserId,
    pub(crate) device: RecordId,
    pub(crate) auth_at: Timestamp,
    pub(crate) token: Secret,
    pub(crate) expires_at: Timestamp,
}

#[async_trait::async_trait]
impl Services for World {
    fn random(&self, bytes: &mut [u8]) {
        self.environment.fill(bytes);
    }

    async fn subject_records(&self) -> Result<Vec<KeptRecord>> {
        let subject = self.facts.subject.as_ref().map(|subject| subject.id);
        let records = self.records.lock().unwrap();
        let own = records.iter().map(|stored| &stored.record);
        let own = own.filter(|record| record.user.is_some() && record.user == subject);
        Ok(own.filter(|record| self.counts(record)).cloned().collect())
    }

    async fn record_by_key(&self, key: &str) -> Result<Option<KeptRecord>> {
        let records = self.records.lock().unwrap();
        let found = records
            .iter()
            .find(|stored| stored.key.as_deref() == Some(key));
        let found = found.map(|stored| stored.record.clone());
        Ok(found.filter(|record| self.counts(record)))
    }

    async fn fetch(&self, _: HttpRequest) -> Result<HttpResponse> {
        panic!("not asked for")
    }
}

impl World {
    /// At the first second of 2026.
    pub(crate) fn new() -> Self {
        Self::seeded(1)
    }

    pub(crate) fn seeded(seed: u64) -> Self {
        let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
        let environment = Environment::new(clock, SeededRandom::new(seed));
        let subject = Subject {
            id: UserId::generate(&environment),
            user_name: "alice".to_owned(),
            display_name: "Alice Liddell".to_owned(),
            email: Some("alice@teaparty.example".to_owned()),
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
            mails: Mutex::default(),
        }
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            facts: &self.facts,
            services: self,
        }
    }

    pub(crate) fn alice(&self) -> Subject {
        self.facts.subject.clone().unwrap()
    }

    /// Somebody else is the subject from now on.
    pub(crate) fn become_somebody_else(&mut self) {
        let subject = Subject {
            id: UserId::generate(&self.environment),
            user_name: "hatter".to_owned(),
            ..self.alice()
        };
        self.facts.subject = Some(subject);
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.facts.now = self.facts.now.checked_add(time).unwrap();
    }

    pub(crate) fn back(&mut self, time: Duration) {
        self.facts.now = self.facts.now.checked_sub(time).unwrap();
    }

    fn counts(&self, record: &KeptRecord) -> bool {
        record.expires_at.is_none_or(|end| self.facts.now < end)
    }

    /// Somebody who signed in wants to stay.
    pub(crate) async fn issue(&self) -> Kept {
        self.issue_for(MONTH).await
    }

    pub(crate) async fn issue_for(&self, lifetime: Duration) -> Kept {
        for _ in 0..3 {
            let session = SessionId::generate(&self.environment);
            let kept = silent().issue(&self.context(), session, lifetime).await;
            let kept = kept.unwrap();
            if self.apply(self.alice().id, &kept.effects) {
                return kept;
            }
        }
        panic!("it is never kept")
    }

    /// A look at a token; nothing is applied.
    pub(crate) async fn look(&self, token: &Secret) -> Redeemed {
        self.look_for(token, MONTH).await
    }

    pub(crate) async fn look_for(&self, token: &Secret, lifetime: Duration) -> Redeemed {
        let mut facts = self.facts.clone();
        facts.subject = None;
        let context = Context {
            facts: &facts,
            services: self,
        };
        silent().redeem(&context, token, lifetime).await.unwrap()
    }

    /// A browser comes back with a token; `None` when it is refused.
    pub(crate) async fn redeem(&self, token: &Secret) -> Option<Recognised> {
        self.try_redeem(token).await.ok()
    }

    /// The same, with the word for the log.
    pub(crate) async fn try_redeem(
        &self,
        token: &Secret,
    ) -> std::result::Result<Recognised, String> {
        for _ in 0..5 {
            let redeemed = self.look(token).await;
            if let Some(outcome) = self.settle(redeemed) {
                return outcome;
            }
        }
        panic!("it is never settled")
    }

    /// Applies what a look led to; `None` when somebody else was faster.
    pub(crate) fn settle(
        &self,
        redeemed: Redeemed,
    ) -> Option<std::result::Result<Recognised, String>> {
        match redeemed {
            Redeemed::Refused { reason, ended } => {
                let applied = ended.is_none_or(|ended| self.apply(ended.user, &ended.effects));
                applied.then_some(Err(reason))
            }
            Redeemed::Proven { proof, successor } => {
                let gatelodge_core::provider::Who::Candidates { users } = &proof.who else {
                    panic!("{proof:?}");
                };
                let [(tenant, user)] = users.as_slice() else {
                    panic!("{proof:?}");
                };
                assert_eq!(Some(*tenant), self.facts.tenant.as_ref().map(|t| t.id));
                let device = proof.credential.unwrap();
                let is_there = {
                    let records = self.records.lock().unwrap();
                    let mut owned = records.iter().map(|stored| &stored.record);
                    owned.any(|record| record.id == device && record.user == Some(*user))
                };
                if !is_there || !self.apply(*user, &successor.effects) {
                    return None;
                }
                Some(Ok(Recognised {
                    user: *user,
                    device,
                    auth_at: proof.at.unwrap(),
                    token: successor.token,
                    expires_at: successor.expires_at,
                }))
            }
        }
    }

    /// Signing out in the browser that holds a token.
    pub(crate) async fn revoke(&self, token: &Secret) -> bool {
        let revoked = silent().revoke(&self.context(), token).await.unwrap();
        match revoked {
            Some(revoked) => self.apply(revoked.user, &revoked.effects),
            None => false,
        }
    }

    pub(crate) async fn listed(&self) -> Vec<gatelodge_core::provider::Device> {
        silent().list(&self.context()).await.unwrap()
    }

    /// Does with the effects what the engine does: all of them, or none and `false`.
    pub(crate) fn apply(&self, subject: UserId, effects: &[Effect]) -> bool {
        let mut kept = self.records.lock().unwrap();
        let mut mails = self.mails.lock().unwrap();
        let (mut records, mut sent) = (kept.clone(), Vec::new());
        for effect in effects {
            match effect {
                Effect::Put { record } => {
                    let key = record.key.as_ref().map(|key| key.expose().to_owned());
                    if key.is_some() && records.iter().any(|stored| stored.key == key) {
                        return false;
                    }
                    records.push(Stored {
                        key,
                        record: KeptRecord {
                            id: RecordId::generate(&self.environment),
                            user: (record.owner == RecordOwner::Subject).then_some(subject),
                            label: record.label.clone(),
                            created_at: self.facts.now,
                            expires_at: record.expires_at,
                            version: 1,
                            data: record.data.clone(),
                        },
                    });
                }
                Effect::Replace {
                    record,
                    version,
                    with,
                } => {
                    let mut found = records.iter_mut().map(|stored| &mut stored.record);
                    let found = found.find(|r| (r.id, r.version) == (*record, *version));
                    let Some(found) = found else {
                        return false;
                    };
                    found.data = with.data.clone();
                    found.label = with.label.clone();
                    found.expires_at = with.expires_at;
                    found.version += 1;
                }
                Effect::Remove { record } => records.retain(|stored| stored.record.id != *record),
                Effect::Send { message } => sent.push(message.clone()),
                Effect::UseUp { record, version } => {
                    let mut found = records.iter().map(|stored| &stored.record);
                    let at = found.position(|r| (r.id, r.version) == (*record, *version));
                    let Some(at) = at else {
                        return false;
                    };
                    records.remove(at);
                }
            }
        }
        mails.extend(sent);
        *kept = records;
        true
    }

    /// The devices that there are, of whomever.
    pub(crate) fn devices(&self) -> usize {
        let records = self.records.lock().unwrap();
        records
            .iter()
            .filter(|stored| stored.record.user.is_some())
            .count()
    }

    /// Changes the bytes of a record.
    pub(crate) fn spoil(&self, key: &str, with: impl Fn(&mut Vec<u8>)) {
        let mut records = self.records.lock().unwrap();
        let fits = |stored: &&mut Stored| stored.key.as_ref().is_some_and(|k| k.starts_with(key));
        let found = records.iter_mut().find(fits).unwrap();
        with(&mut found.record.data.0);
    }
}

fn facts(tenant: TenantFacts, subject: Subject) -> Facts {
    Facts {
        provider: ProviderId::new("remember-device").unwrap(),
        intent: Intent::SignIn,
        tenant: Some(tenant),
        subject: Some(subject),
        proofs: Vec::new(),
        demanded: Strength::OneFactor,
        now: "2026-01-01T00:00:00Z".parse().unwrap(),
        origin: ORIGIN.parse().unwrap(),
        rp_id: "login.teaparty.example".to_owned(),
        callback: None,
        oauth_state: None,
        channels: vec![MessageChannel::Mail],
        locale: "en".to_owned(),
        client: ClientFacts {
            user_agent: Some("Looking-Glass/1.0".to_owned()),
            ..ClientFacts::default()
        },
    }
}
