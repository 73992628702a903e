//! Two tenants that look alike, and a picture of all that is stored of them.

use gatelodge_core::{
    Result,
    model::{
        Application, AuditEvent, AuditFilter, EndReason, Grant, NameKey, ProviderId, Session,
        SessionEnd, Tenant, TenantId, TenantSettings, User, UserId,
    },
    secret::TokenHash,
    storage::{
        InstallationValue, LimitState, OutboxEntry, Page, Record, Row, RowKind, Scope,
        SessionFilter, StoredFlow,
    },
};
use jiff::Timestamp;

use crate::{
    fixtures::{Fixtures, provider},
    world::{Unit, World},
};

/// The tenants `one` and `other` with a user, a record, a session and an audit
/// event of the same id and names each; what only `other` has; and what is not
/// stored yet. No two sets of twins in one storage meet.
pub(crate) struct Twins {
    pub(crate) now: Timestamp,
    pub(crate) provider: ProviderId,
    pub(crate) one: Tenant,
    pub(crate) other: Tenant,
    /// In both.
    pub(crate) user: User,
    pub(crate) application: Application,
    pub(crate) other_application: Application,
    pub(crate) record: Record,
    pub(crate) expired: Record,
    pub(crate) message: OutboxEntry,
    pub(crate) expired_message: OutboxEntry,
    pub(crate) session: Session,
    pub(crate) other_session: Session,
    /// Timed out long ago, not yet ended.
    pub(crate) stale: Session,
    pub(crate) other_stale: Session,
    pub(crate) event: AuditEvent,
    /// In `other` only.
    pub(crate) foreign_user: User,
    pub(crate) foreign_application: Application,
    pub(crate) foreign_record: Record,
    pub(crate) foreign_message: OutboxEntry,
    pub(crate) foreign_session: Session,
    /// In no tenant.
    pub(crate) flow: StoredFlow,
    pub(crate) expired_flow: StoredFlow,
    pub(crate) key: TokenHash,
    pub(crate) expired_key: TokenHash,
    pub(crate) name: String,
    /// Not stored.
    pub(crate) new: New,
}

/// What fits to the twins and is not stored.
pub(crate) struct New {
    pub(crate) tenant: Tenant,
    pub(crate) user: User,
    pub(crate) application: Application,
    pub(crate) record: Record,
    pub(crate) message: OutboxEntry,
    pub(crate) session: Session,
    pub(crate) event: AuditEvent,
    pub(crate) flow: StoredFlow,
    pub(crate) key: TokenHash,
    pub(crate) name: String,
}

/// All that can be read of twins.
#[derive(PartialEq)]
pub(crate) struct Picture {
    one: Inside,
    other: Inside,
    outside: Outside,
}

/// What a tenant's own units read.
#[derive(PartialEq)]
struct Inside {
    tenants: Vec<Tenant>,
    settings: (TenantSettings, i64),
    users: Vec<User>,
    grants: Vec<Vec<Grant>>,
    holders: Vec<(TenantId, UserId)>,
    applications: Vec<Application>,
    records: Vec<Option<Record>>,
    messages: Vec<Row>,
    sessions: Vec<Session>,
    events: Vec<AuditEvent>,
}

/// What the platform's units read.
#[derive(PartialEq)]
struct Outside {
    tenants: Vec<Option<Tenant>>,
    settings: Vec<(TenantSettings, i64)>,
    candidates: Vec<(TenantId, UserId)>,
    owners: Vec<(TenantId, UserId)>,
    applications: Vec<Option<Application>>,
    sessions: Vec<Option<Session>>,
    events: Vec<AuditEvent>,
    flows: Vec<Option<StoredFlow>>,
    limits: Vec<Option<LimitState>>,
    values: Vec<Option<InstallationValue>>,
}

macro_rules! differences {
    ($where:literal, $one:expr, $other:expr, $($field:ident)+) => {
        [$(($one.$field != $other.$field).then_some(concat!($where, stringify!($field)))),+]
    };
}

impl Picture {
    /// What differs from another picture, by name.
    pub(crate) fn changed_since(&self, before: &Self) -> Vec<&'static str> {
        let inside = differences!("one: ", self.one, before.one,
            tenants settings users grants holders applications records messages sessions events);
        let other = differences!("other: ", self.other, before.other,
            tenants settings users grants holders applications records messages sessions events);
        let outside = differences!("platform: ", self.outside, before.outside,
            tenants settings candidates owners applications sessions events flows limits values);
        inside
            .into_iter()
            .chain(other)
            .chain(outside)
            .flatten()
            .collect()
    }
}

impl Twins {
    /// Stores twins.
    pub(crate) async fn stored(w: &World) -> Self {
        let twins = Self::made(&w.make);
        for tenant in [&twins.one, &twins.other] {
            w.stored(tenant.clone()).await;
            w.write(tenant, async |u| twins.fill(tenant, u).await).await;
        }
        w.write(Scope::Platform, async |u| twins.fill_platform(u).await)
            .await;
        twins
    }

    fn made(make: &Fixtures) -> Self {
        let label = make
            .hash()
            .as_bytes()
            .map(|byte| format!("{byte:02x}"))
            .concat();
        let (label, _) = label.split_at(12);
        let provider = provider("password");
        let one = make.tenant(&format!("{label} one"));
        let other = make.tenant(&format!("{label} other"));
        let user = make.user_with_email(label, &format!("{label}@example.com"), true);
        let foreign_user = make.user(&format!("{label} foreign"));
        let expired_at = Some(make.at(-1));
        let session = make.session(&one, &user);
        let stale = Session {
            last_active_at: make.at(-3_600_000),
            started_at: make.at(-3_600_000),
            ..make.session(&one, &user)
        };
        let record = |user: &User| Record {
            key: Some(make.hash()),
            ..make.record(&provider, Some(user.id))
        };
        let new = New {
            tenant: make.tenant(&format!("{label} new")),
            user: make.user(&format!("{label} new")),
            application: make.application(&one, &format!("{label} new")),
            record: record(&user),
            message: make.message(&one, &user),
            session: make.session(&one, &user),
            event: make.audit_event(Some(one.id), "user.create"),
            flow: make.flow(),
            key: make.hash(),
            name: format!("{label} new"),
        };
        Self {
            now: make.now(),
            application: make.application(&one, label),
            other_application: make.application(&other, label),
            foreign_application: make.application(&other, &format!("{label} foreign")),
            record: record(&user),
            expired: Record {
                expires_at: expired_at,
                ..record(&user)
            },
            message: make.message(&one, &user),
            expired_message: OutboxEntry {
                expires_at: make.at(-1),
                ..make.message(&one, &user)
            },
            foreign_message: make.message(&other, &foreign_user),
            other_session: in_tenant(&session, &other, make),
            other_stale: in_tenant(&stale, &other, make),
            event: make.audit_event(Some(one.id), "user.lock"),
            foreign_record: record(&foreign_user),
            foreign_session: make.session(&other, &foreign_user),
            flow: make.flow(),
            expired_flow: StoredFlow {
                expires_at: make.at(-1),
                ..make.flow()
            },
            key: make.hash(),
            expired_key: make.hash(),
            name: label.to_owned(),
            provider,
            one,
            other,
            user,
            session,
            stale,
            foreign_user,
            new,
        }
    }

    async fn fill(&self, tenant: &Tenant, u: &mut Unit) -> Result<()> {
        let is_other = tenant.id == self.other.id;
        u.users().create(&self.user).await?;
        u.users()
            .set_grant(self.user.id, Grant::TenantAdministrator, true)
            .await?;
        let application = if is_other {
            &self.other_application
        } else {
            &self.application
        };
        u.applications().create(application).await?;
        u.records().create(&self.record).await?;
        u.records().create(&self.expired).await?;
        for message in [&self.message, &self.expired_message] {
            let message = OutboxEntry {
                tenant: tenant.id,
                ..message.clone()
            };
            u.outbox().add(&message).await?;
        }
        let event = AuditEvent {
            tenant: Some(tenant.id),
            ..self.event.clone()
        };
        u.audit().append(&event).await?;
        let mut settings = TenantSettings::default();
        settings.session.limit = Some(if is_other { 2 } else { 1 });
        u.tenants().put_settings(tenant.id, &settings, 0).await?;
        if is_other {
            u.sessions().create(&self.other_session).await?;
            u.sessions().create(&self.other_stale).await?;
            u.users().create(&self.foreign_user).await?;
            u.users()
                .set_grant(self.foreign_user.id, Grant::TenantAdministrator, true)
                .await?;
            u.applications().create(&self.foreign_application).await?;
            u.records().create(&self.foreign_record).await?;
            u.outbox().add(&self.foreign_message).await?;
            u.sessions().create(&self.foreign_session).await
        } else {
            u.sessions().create(&self.session).await?;
            u.sessions().create(&self.stale).await
        }
    }

    async fn fill_platform(&self, u: &mut Unit) -> Result<()> {
        u.flows().create(&self.flow).await?;
        u.flows().create(&self.expired_flow).await?;
        let limit = LimitState {
            count: 1,
            since: self.now,
            blocked_until: None,
            expires_at: self.flow.expires_at,
        };
        u.limits().store(&self.key, &limit).await?;
        let expired = LimitState {
            expires_at: self.expired_flow.expires_at,
            ..limit
        };
        u.limits().store(&self.expired_key, &expired).await?;
        u.installation().put(&self.name, b"value", 0).await?;
        Ok(())
    }

    /// How a session of this tenant would end if it were revoked now.
    pub(crate) fn end(&self) -> SessionEnd {
        SessionEnd {
            at: self.now,
            reason: EndReason::Revoked,
        }
    }

    /// The name by which `user` signs in.
    pub(crate) fn login(&self) -> NameKey {
        self.user.user_name.key()
    }

    /// Checks that nothing of the twins has changed since that picture.
    pub(crate) async fn assert_unchanged(&self, w: &World, before: &Picture, by: &str) {
        let changed = self.picture(w).await.changed_since(before);
        assert!(
            changed.is_empty(),
            "{by} must change nothing, but changed {changed:?}"
        );
    }

    /// All that is committed of the twins.
    pub(crate) async fn picture(&self, w: &World) -> Picture {
        Picture {
            one: w
                .read(&self.one, async |u| self.inside(&self.one, u).await)
                .await,
            other: w
                .read(&self.other, async |u| self.inside(&self.other, u).await)
                .await,
            outside: w
                .read(Scope::Platform, async |u| self.outside(u).await)
                .await,
        }
    }

    async fn inside(&self, tenant: &Tenant, u: &mut Unit) -> Result<Inside> {
        let users = [&self.user, &self.foreign_user, &self.new.user];
        let mut grants = Vec::new();
        for user in users {
            grants.push(u.users().grants(user.id).await?);
        }
        let mut records = Vec::new();
        for record in [
            &self.record,
            &self.expired,
            &self.foreign_record,
            &self.new.record,
        ] {
            records.push(u.records().by_id(&self.provider, record.id).await?);
        }
        let every_event = AuditFilter::default();
        Ok(Inside {
            tenants: u.tenants().list(None, Page::first(9)).await?,
            settings: u.tenants().settings(tenant.id).await?,
            users: u.users().list(None, Page::first(9)).await?,
            grants,
            holders: u.users().holders(Grant::TenantAdministrator).await?,
            applications: u.applications().list(Page::first(9)).await?,
            records,
            messages: u.archive().rows(RowKind::Message, None, 9).await?,
            sessions: u
                .sessions()
                .list(&SessionFilter::default(), Page::first(9))
                .await?,
            events: u.audit().list(&every_event, Page::first(9)).await?,
        })
    }

    async fn outside(&self, u: &mut Unit) -> Result<Outside> {
        let mut outside = Outside {
            candidates: u.users().candidates(&self.login()).await?,
            owners: Vec::new(),
            events: u
                .audit()
                .list(&AuditFilter::default(), Page::first(9))
                .await?,
            tenants: vec![u.tenants().by_name(&self.new.tenant.name.key()).await?],
            settings: Vec::new(),
            applications: Vec::new(),
            sessions: Vec::new(),
            flows: Vec::new(),
            limits: Vec::new(),
            values: Vec::new(),
        };
        for tenant in [&self.one, &self.other, &self.new.tenant] {
            outside.tenants.push(u.tenants().by_id(tenant.id).await?);
            outside
                .settings
                .push(u.tenants().settings(tenant.id).await?);
        }
        for record in [&self.record, &self.foreign_record, &self.new.record] {
            let key = record.key.unwrap_or(self.key);
            let owners = u.records().owners(&self.provider, &key).await?;
            outside.owners.extend(owners);
        }
        for application in [
            &self.application,
            &self.other_application,
            &self.foreign_application,
            &self.new.application,
        ] {
            outside
                .applications
                .push(u.applications().by_id(application.id).await?);
        }
        for session in [
            &self.session,
            &self.other_session,
            &self.foreign_session,
            &self.new.session,
        ] {
            outside
                .sessions
                .push(u.sessions().by_token(&session.token_hash).await?);
        }
        for flow in [&self.flow, &self.expired_flow, &self.new.flow] {
            outside.flows.push(u.flows().by_handle(&flow.handle).await?);
        }
        for key in [&self.key, &self.expired_key, &self.new.key] {
            outside.limits.push(u.limits().load(key).await?);
        }
        for name in [&self.name, &self.new.name] {
            outside.values.push(u.installation().value(name).await?);
        }
        Ok(outside)
    }
}

/// The same session in another tenant, under another token.
fn in_tenant(session: &Session, tenant: &Tenant, make: &Fixtures) -> Session {
    Session {
        tenant: tenant.id,
        tenant_name: tenant.name.as_str().to_owned(),
        token_hash: make.hash(),
        ..session.clone()
    }
}
