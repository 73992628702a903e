//! A stand-in for the engine around a provider that keeps people signed in.

use std::{sync::Mutex, time::Duration};

use async_trait::async_trait;
use gatelodge_core::{
    Environment, Result,
    environment::{ManualClock, SeededRandom},
    model::{ClientFacts, RecordId, SessionId, TenantId, UserId},
    provider::{
        Configured, Context, Device, Effect, Facts, HttpRequest, HttpResponse, Intent, Kept,
        KeptRecord, MessageChannel, Proof, ProviderTable, Redeemed, Registry, Revoked, Services,
        Silent, Strength, Subject, TenantFacts, Who,
    },
    secret::Secret,
};
use jiff::Timestamp;

use crate::{
    bench::{THEN, provider_id, time},
    carry::carry,
    records::{NotApplied, Owner, Records},
};

/// Adds the provider's kind, with its own `register`.
pub(crate) type Register = fn(&mut Registry);

pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// For how long a device is kept unless a case says otherwise.
pub(crate) const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What a case works with.
pub(crate) struct Desk {
    pub(crate) register: Register,
    pub(crate) table: ProviderTable,
    pub(crate) configured: Configured,
    pub(crate) environment: Environment,
    pub(crate) tenants: [TenantFacts; 2],
    /// Two people of the first tenant.
    pub(crate) people: [Subject; 2],
    pub(crate) records: Mutex<Records>,
    clock: std::sync::Arc<ManualClock>,
    proven_at: Timestamp,
}

/// What a call sees: a tenant, and a person if there is one.
pub(crate) struct Call<'a> {
    desk: &'a Desk,
    tenant: TenantId,
    facts: Facts,
}

/// Somebody who was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Back {
    pub(crate) user: UserId,
    pub(crate) proof: Proof,
    pub(crate) token: Secret,
    pub(crate) expires_at: Timestamp,
}

/// Makes the provider anew, with its own `register`.
fn configure(register: Register, table: ProviderTable) -> Configured {
    let mut registry = Registry::new();
    register(&mut registry);
    let kind = registry.kinds().next().expect("it registers a kind");
    registry
        .configure(provider_id(), kind, table)
        .unwrap_or_else(|error| panic!("its table is not accepted: {error:?}"));
    let configured = registry.provider(&provider_id()).cloned();
    configured.expect("it was added")
}

impl Desk {
    pub(crate) fn new(register: Register, table: ProviderTable) -> Self {
        Self::seeded(register, table, 2)
    }

    /// The same installation, begun anew.
    pub(crate) fn anew(&self) -> Self {
        self.anew_with(2)
    }

    /// The same with other random bytes.
    pub(crate) fn anew_with(&self, seed: u64) -> Self {
        Self::seeded(self.register, self.table.clone(), seed)
    }

    fn seeded(register: Register, table: ProviderTable, seed: u64) -> Self {
        let clock = ManualClock::at(time(THEN));
        let ids = Environment::new(clock.clone(), SeededRandom::new(1));
        let tenants = ["acme", "globex"].map(|name| TenantFacts {
            id: TenantId::generate(&ids),
            name: name.to_owned(),
            display_name: name.to_owned(),
        });
        let people = ["ada", "bob"].map(|name| Subject {
            id: UserId::generate(&ids),
            user_name: name.to_owned(),
            display_name: name.to_owned(),
            email: Some(format!("{name}@acme.example")),
            email_verified: true,
        });
        Self {
            configured: configure(register, table.clone()),
            table,
            register,
            environment: Environment::new(clock.clone(), SeededRandom::new(seed)),
            clock,
            tenants,
            people,
            records: Mutex::default(),
            proven_at: time("2001-09-09T01:40:00Z"),
        }
    }

    pub(crate) fn silent(&self) -> &dyn Silent {
        let silent = self.configured.provider.silent();
        silent.expect("a provider that keeps people signed in says how")
    }

    pub(crate) fn pass(&self, span: Duration) {
        self.clock.advance(span);
    }

    /// Another instance takes over, as another server or the same one after a restart.
    pub(crate) fn restart(&mut self) {
        self.configured = configure(self.register, self.table.clone());
    }

    pub(crate) fn ada(&self) -> &Subject {
        &self.people[0]
    }

    pub(crate) fn bob(&self) -> &Subject {
        &self.people[1]
    }

    /// A call about nobody, as a token is redeemed.
    pub(crate) fn nobody(&self) -> Call<'_> {
        self.call(&self.tenants[0], None)
    }

    pub(crate) fn elsewhere(&self) -> Call<'_> {
        self.call(&self.tenants[1], None)
    }

    pub(crate) fn of(&self, person: &Subject) -> Call<'_> {
        self.call(&self.tenants[0], Some(person))
    }

    fn call(&self, tenant: &TenantFacts, person: Option<&Subject>) -> Call<'_> {
        let origin: url::Url = "https://gatelodge.example".parse().expect("an address");
        let past = gatelodge_core::provider::PastProof {
            provider: gatelodge_core::model::ProviderId::new("first").expect("a plain id"),
            class: gatelodge_core::model::FactorClass::Knowledge,
            amr: "pwd".to_owned(),
            at: self.proven_at,
        };
        Call {
            desk: self,
            tenant: tenant.id,
            facts: Facts {
                provider: provider_id(),
                intent: Intent::SignIn,
                tenant: Some(tenant.clone()),
                subject: person.cloned(),
                proofs: person.map(|_| past).into_iter().collect(),
                demanded: Strength::OneFactor,
                now: self.environment.now(),
                callback: None,
                rp_id: "gatelodge.example".to_owned(),
                origin,
                oauth_state: None,
                channels: MessageChannel::ALL.to_vec(),
                locale: "en".to_owned(),
                client: ClientFacts {
                    user_agent: Some("Suite/1.0".to_owned()),
                    ..ClientFacts::default()
                },
            },
        }
    }

    /// What the sign-in was that a device stands for.
    pub(crate) fn proven_at(&self) -> Timestamp {
        self.proven_at
    }

    /// Somebody who signed in wants to stay.
    pub(crate) async fn stay(&self, person: &Subject, lifetime: Duration) -> Kept {
        for _ in 0..3 {
            let call = self.of(person);
            let session = SessionId::generate(&self.environment);
            let kept = self
                .silent()
                .issue(&call.context(), session, lifetime)
                .await;
            let kept = carry(&kept.unwrap_or_else(|error| panic!("nothing is kept: {error:?}")));
            if self.apply(person.id, &kept.effects) {
                return kept;
            }
        }
        panic!("what is kept can never be stored")
    }

    pub(crate) async fn look(
        &self,
        call: Call<'_>,
        token: &Secret,
        lifetime: Duration,
    ) -> Redeemed {
        let token = carry(token);
        let redeemed = self
            .silent()
            .redeem(&call.context(), &token, lifetime)
            .await;
        carry(&redeemed.unwrap_or_else(|error| panic!("a token is a fault: {error:?}")))
    }

    /// A browser comes back with a token.
    pub(crate) async fn come(&self, token: &Secret) -> Option<Back> {
        self.come_for(token, LIFETIME).await
    }

    pub(crate) async fn come_for(&self, token: &Secret, lifetime: Duration) -> Option<Back> {
        for _ in 0..5 {
            let look = self.look(self.nobody(), token, lifetime).await;
            if let Some(back) = self.settle(look) {
                return back;
            }
        }
        panic!("a token that is redeemed alone is never settled")
    }

    /// Applies what a look led to; `None` when somebody else was faster.
    pub(crate) fn settle(&self, look: Redeemed) -> Option<Option<Back>> {
        match look {
            Redeemed::Refused { reason, ended } => {
                assert!(
                    crate::cases::description::is_word(&reason, "_"),
                    "a reason is a short word, not `{reason}`"
                );
                let applied = ended.is_none_or(|ended| self.apply(ended.user, &ended.effects));
                applied.then_some(None)
            }
            Redeemed::Proven { proof, successor } => {
                let user = self.owner(&proof);
                let is_there = proof.credential.is_some_and(|id| self.is_of(id, user));
                if !is_there || !self.apply(user, &successor.effects) {
                    return None;
                }
                Some(Some(Back {
                    user,
                    proof: *proof,
                    token: successor.token,
                    expires_at: successor.expires_at,
                }))
            }
        }
    }

    /// Whom a proof names.
    fn owner(&self, proof: &Proof) -> UserId {
        let Who::Candidates { users } = &proof.who else {
            panic!(
                "a device proves one candidate of its tenant, not {:?}",
                proof.who
            );
        };
        match users.as_slice() {
            [(tenant, user)] if *tenant == self.tenants[0].id => *user,
            _ => panic!("a device proves one candidate of its tenant, not {users:?}"),
        }
    }

    fn is_of(&self, id: RecordId, user: UserId) -> bool {
        let records = self.records.lock().expect("not poisoned");
        let mut all = records.all().iter().map(|stored| &stored.record);
        all.any(|record| record.id == id && record.user == Some(user))
    }

    pub(crate) async fn revoke(&self, token: &Secret) -> Option<Revoked> {
        let call = self.nobody();
        let revoked = self.silent().revoke(&call.context(), token).await;
        carry(&revoked.unwrap_or_else(|error| panic!("a token is a fault: {error:?}")))
    }

    pub(crate) async fn list(&self, person: &Subject) -> Vec<Device> {
        let call = self.of(person);
        let list = self.silent().list(&call.context()).await;
        carry(&list.unwrap_or_else(|error| panic!("the list is not answered: {error:?}")))
    }

    pub(crate) fn apply(&self, user: UserId, effects: &[Effect]) -> bool {
        let owner = Owner {
            tenant: self.tenants[0].id,
            user: Some(user),
        };
        let effects = effects.iter().map(carry).collect::<Vec<_>>();
        let mut records = self.records.lock().expect("not poisoned");
        match records.apply(owner, &effects, &self.environment) {
            Ok(_) => true,
            Err(NotApplied::Refused) => false,
            Err(NotApplied::Breach(breach)) => panic!("it asks for {breach}"),
        }
    }
}

impl Call<'_> {
    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            facts: &self.facts,
            services: self,
        }
    }
}

#[async_trait]
impl Services for Call<'_> {
    fn random(&self, bytes: &mut [u8]) {
        self.desk.environment.fill(bytes);
    }

    async fn subject_records(&self) -> Result<Vec<KeptRecord>> {
        let owner = Owner {
            tenant: self.tenant,
            user: self.facts.subject.as_ref().map(|subject| subject.id),
        };
        let records = self.desk.records.lock().expect("not poisoned");
        Ok(carry(&records.of_user(owner, self.facts.now)))
    }

    async fn record_by_key(&self, key: &str) -> Result<Option<KeptRecord>> {
        let records = self.desk.records.lock().expect("not poisoned");
        Ok(carry(&records.by_key(self.tenant, key, self.facts.now)))
    }

    async fn fetch(&self, _: HttpRequest) -> Result<HttpResponse> {
        panic!("whoever is recognised waits for nobody outside")
    }
}
