//! Ready-made objects for tests of a storage: valid, alike from run to run, and
//! with public fields, so that a test changes only what it is about:
//!
//! ```
//! use gatelodge_core::model::User;
//! use gatelodge_storage_suite::fixtures::Fixtures;
//!
//! let make = Fixtures::seeded(1);
//! let locked_out = User { credential_epoch: 7, ..make.user("ada") };
//! assert_eq!(locked_out.user_name.as_str(), "ada");
//! ```
//!
//! A name that does not fit its type panics, as a broken test should.
#![allow(
    clippy::expect_used,
    reason = "a fixture that cannot be made is a defect of the test"
)]

use std::{sync::Arc, time::Duration};

use gatelodge_core::{
    Environment,
    environment::{ManualClock, SeededRandom, later},
    model::{
        Actor, Application, ApplicationId, ApplicationName, Audience, AuditEvent, AuditEventId,
        ClientFacts, DisplayName, Email, Factor, FactorClass, MessageId, Outcome, ProviderId,
        RecordId, ReturnAddress, Session, SessionId, Tenant, TenantId, TenantName, User, UserId,
        UserName, UserStatus, WebOrigin,
    },
    provider::MessageChannel,
    secret::TokenHash,
    storage::{LimitState, OutboxEntry, Record, StoredFlow},
};
use jiff::Timestamp;

/// Where the clock of fixtures stands at first: 2026-11-02T03:04:05.678Z.
pub const START: i64 = 1_793_588_645_678;

/// Makes objects with a clock that stands still and reproducible randomness.
#[derive(Debug, Clone)]
pub struct Fixtures {
    clock: Arc<ManualClock>,
    environment: Environment,
}

impl Fixtures {
    /// The series of objects that belongs to `seed`.
    pub fn seeded(seed: u64) -> Self {
        let start = Timestamp::from_millisecond(START).expect("the start is a time");
        let clock = ManualClock::at(start);
        Self {
            environment: Environment::new(clock.clone(), SeededRandom::new(seed)),
            clock,
        }
    }

    /// The clock, to be moved.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// Clock and randomness.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The clock's time.
    pub fn now(&self) -> Timestamp {
        self.environment.now()
    }

    /// `millis` milliseconds after the clock's time, before it when negative.
    pub fn at(&self, millis: i64) -> Timestamp {
        time(self.now().as_millisecond() + millis)
    }

    /// A tenant without master or lock.
    pub fn tenant(&self, name: &str) -> Tenant {
        Tenant {
            id: TenantId::generate(&self.environment),
            name: TenantName::new(name).expect("the tenant name is valid"),
            display_name: DisplayName::new(name).expect("the display name is valid"),
            master: None,
            lock: None,
            created_at: self.now(),
            version: 1,
        }
    }

    /// A tenant below `master`.
    pub fn sub_tenant(&self, name: &str, master: &Tenant) -> Tenant {
        Tenant {
            master: Some(master.id),
            ..self.tenant(name)
        }
    }

    /// An application of a tenant with one origin and one return address.
    pub fn application(&self, tenant: &Tenant, name: &str) -> Application {
        let id = ApplicationId::generate(&self.environment);
        let audience = format!("https://{id}.example.org");
        let address = format!("{audience}/callback");
        Application {
            id,
            tenant: tenant.id,
            name: ApplicationName::new(name).expect("the application name is valid"),
            origins: vec![WebOrigin::new(&audience).expect("the origin is valid")],
            return_to: vec![ReturnAddress::new(&address).expect("the address is valid")],
            audience: Audience::new(&audience).expect("the audience is valid"),
            created_at: self.now(),
            version: 1,
        }
    }

    /// An active user without e-mail address.
    pub fn user(&self, name: &str) -> User {
        User {
            id: UserId::generate(&self.environment),
            user_name: UserName::new(name).expect("the user name is valid"),
            display_name: DisplayName::new(name).expect("the display name is valid"),
            email: None,
            email_verified: false,
            status: UserStatus::Active,
            lock: None,
            must_change: None,
            credential_epoch: 0,
            created_at: self.now(),
            version: 1,
        }
    }

    /// A user with an e-mail address.
    pub fn user_with_email(&self, name: &str, email: &str, is_verified: bool) -> User {
        User {
            email: Some(Email::new(email).expect("the address is valid")),
            email_verified: is_verified,
            ..self.user(name)
        }
    }

    /// A session that begins now, may idle for half an hour and lasts a day.
    pub fn session(&self, tenant: &Tenant, user: &User) -> Session {
        Session {
            id: SessionId::generate(&self.environment),
            tenant: tenant.id,
            user: user.id,
            token_hash: self.hash(),
            tenant_name: tenant.name.as_str().to_owned(),
            user_name: user.user_name.as_str().to_owned(),
            application: None,
            factors: vec![Factor {
                provider: provider("password"),
                class: FactorClass::Knowledge,
                amr: "pwd".to_owned(),
                at: self.now(),
                credential: None,
            }],
            scope: None,
            client: ClientFacts::default(),
            credential_epoch: user.credential_epoch,
            started_at: self.now(),
            last_active_at: self.now(),
            idle_seconds: 30 * 60,
            expires_at: later(self.now(), Duration::from_secs(24 * 60 * 60)),
            ended: None,
        }
    }

    /// A provider's record without key or end, with a few bytes.
    pub fn record(&self, provider: &ProviderId, user: Option<UserId>) -> Record {
        Record {
            id: RecordId::generate(&self.environment),
            provider: provider.clone(),
            user,
            key: None,
            label: "a record".to_owned(),
            expires_at: None,
            created_at: self.now(),
            version: 1,
            sealed: self.environment.bytes::<16>().to_vec(),
        }
    }

    /// A mail that is due now and pointless in an hour.
    pub fn message(&self, tenant: &Tenant, user: &User) -> OutboxEntry {
        OutboxEntry {
            id: MessageId::generate(&self.environment),
            tenant: tenant.id,
            user: user.id,
            channel: MessageChannel::Mail,
            made_at: self.now(),
            due_at: self.now(),
            expires_at: later(self.now(), Duration::from_secs(60 * 60)),
            tries: 0,
            version: 1,
            sealed: self.environment.bytes::<32>().to_vec(),
        }
    }

    /// An entry of the audit log about a success of the server itself.
    pub fn audit_event(&self, tenant: Option<TenantId>, action: &str) -> AuditEvent {
        AuditEvent {
            id: AuditEventId::generate(&self.environment),
            at: self.now(),
            tenant,
            actor: Actor::System,
            action: action.to_owned(),
            object_kind: "user".to_owned(),
            object_id: None,
            outcome: Outcome::Success,
            reason: None,
            changes: Vec::new(),
            client: ClientFacts::default(),
        }
    }

    /// A flow that lasts ten minutes.
    pub fn flow(&self) -> StoredFlow {
        StoredFlow {
            handle: self.hash(),
            version: 1,
            expires_at: later(self.now(), Duration::from_secs(600)),
            sealed: self.environment.bytes::<64>().to_vec(),
        }
    }

    /// A counter that began now and is kept for a day.
    pub fn limit(&self, count: i64) -> LimitState {
        LimitState {
            count,
            since: self.now(),
            blocked_until: None,
            expires_at: later(self.now(), Duration::from_secs(24 * 60 * 60)),
        }
    }

    /// A random hash.
    pub fn hash(&self) -> TokenHash {
        TokenHash::from_bytes(self.environment.bytes())
    }
}

/// The time `millis` milliseconds after 1970 began.
pub fn time(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).expect("the milliseconds are a time")
}

/// The provider with this id.
pub fn provider(id: &str) -> ProviderId {
    ProviderId::new(id).expect("the provider id is valid")
}
