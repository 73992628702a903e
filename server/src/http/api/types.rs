//! The objects of the API as JSON.

use gatelodge_core::{
    CheckedSession, Error,
    model::{
        Actor, Application, AuditEvent, Grant, Session, SessionEnd, Tenant, TenantId, User,
        UserStatus,
    },
    provider::LinkPurpose,
    service::NewLock,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::problem::{Code, Problem};

/// A piece of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListJson<T: ToSchema> {
    /// The piece.
    pub items: Vec<T>,
    /// Send as `cursor` to get the next piece; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A lock of a tenant or user.
#[derive(Debug, Serialize, ToSchema)]
pub struct LockJson {
    /// Why, for administrators.
    pub reason: Option<String>,
    /// Until when; absent: until unlocked.
    pub until: Option<Timestamp>,
    /// Since when.
    pub since: Timestamp,
}

fn lock(lock: Option<&gatelodge_core::model::Lock>, now: Timestamp) -> Option<LockJson> {
    lock.filter(|lock| lock.holds_at(now)).map(|lock| LockJson {
        reason: lock.reason.clone(),
        until: lock.until,
        since: lock.since,
    })
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct TenantJson {
    /// Its id, which never changes.
    pub id: Uuid,
    /// Its unique name.
    pub name: String,
    /// The name to show.
    pub display_name: String,
    /// Its master, if it is a sub-tenant.
    pub master: Option<Uuid>,
    /// Its lock, while one holds.
    pub lock: Option<LockJson>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Its version, as in `ETag`.
    pub version: i64,
}

impl TenantJson {
    /// As it is at `now`.
    pub fn new(tenant: &Tenant, now: Timestamp) -> Self {
        Self {
            id: tenant.id.as_uuid(),
            name: tenant.name.to_string(),
            display_name: tenant.display_name.to_string(),
            master: tenant.master.map(|master| master.as_uuid()),
            lock: lock(tenant.lock.as_ref(), now),
            created_at: tenant.created_at,
            version: tenant.version,
        }
    }
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserJson {
    /// The id, which never changes.
    pub id: Uuid,
    /// The tenant's id.
    pub tenant: Uuid,
    /// The unique name for signing in.
    pub user_name: String,
    /// The name to show.
    pub display_name: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// Whether the address is proven to be the user's.
    pub email_verified: bool,
    /// Whether the account is in use.
    pub active: bool,
    /// The user's own lock, while one holds.
    pub lock: Option<LockJson>,
    /// Why a new credential must be chosen at the next sign-in.
    pub must_change: Option<&'static str>,
    /// What the user is granted; only where one user is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<GrantJson>>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Its version, as in `ETag`.
    pub version: i64,
}

impl UserJson {
    /// As it is at `now`.
    pub fn new(tenant: TenantId, user: &User, now: Timestamp) -> Self {
        Self {
            id: user.id.as_uuid(),
            tenant: tenant.as_uuid(),
            user_name: user.user_name.to_string(),
            display_name: user.display_name.to_string(),
            email: user.email.as_ref().map(ToString::to_string),
            email_verified: user.email_verified,
            active: user.status == UserStatus::Active,
            lock: lock(user.lock.as_ref(), now),
            must_change: user.must_change.map(|reason| reason.as_str()),
            grants: None,
            created_at: user.created_at,
            version: user.version,
        }
    }

    /// With what the user is granted.
    #[must_use]
    pub fn with_grants(mut self, grants: &[Grant]) -> Self {
        self.grants = Some(grants.iter().copied().map(GrantJson::from).collect());
        self
    }
}

/// A registered application.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApplicationJson {
    /// Its id, which never changes: the `client_id` of its access tokens.
    pub id: Uuid,
    /// The id of the tenant whose users it serves.
    pub tenant: Uuid,
    /// Its name, unique in the tenant.
    pub name: String,
    /// Whom its access tokens are meant for, unique on the platform.
    pub audience: String,
    /// From which pages it may call in a browser.
    pub origins: Vec<String>,
    /// Where a browser may be sent back to after a sign-in.
    pub return_to: Vec<String>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Its version, as in `ETag`.
    pub version: i64,
}

impl From<&Application> for ApplicationJson {
    fn from(application: &Application) -> Self {
        let origins = application.origins.iter();
        let addresses = application.return_to.iter();
        Self {
            id: application.id.as_uuid(),
            tenant: application.tenant.as_uuid(),
            name: application.name.to_string(),
            audience: application.audience.to_string(),
            origins: origins.map(ToString::to_string).collect(),
            return_to: addresses.map(ToString::to_string).collect(),
            created_at: application.created_at,
            version: application.version,
        }
    }
}

/// A grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantJson {
    /// Administers the whole platform.
    PlatformAdministrator,
    /// Administers the own tenant.
    TenantAdministrator,
}

impl From<Grant> for GrantJson {
    fn from(grant: Grant) -> Self {
        match grant {
            Grant::PlatformAdministrator => Self::PlatformAdministrator,
            Grant::TenantAdministrator => Self::TenantAdministrator,
        }
    }
}

impl From<GrantJson> for Grant {
    fn from(grant: GrantJson) -> Self {
        match grant {
            GrantJson::PlatformAdministrator => Self::PlatformAdministrator,
            GrantJson::TenantAdministrator => Self::TenantAdministrator,
        }
    }
}

/// A session in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionJson {
    /// Its id; not a secret.
    pub id: Uuid,
    /// The user's id.
    pub user: Uuid,
    /// The user's name when it began.
    pub user_name: String,
    /// The application it was made for.
    pub application: Option<String>,
    /// How it was proven: method references (RFC 8176).
    pub amr: Vec<String>,
    /// The client's address.
    pub address: Option<String>,
    /// What the client said it is.
    pub user_agent: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was last used, exact to ten seconds.
    pub last_active_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub end_reason: Option<&'static str>,
    /// Whether it is the caller's own present one.
    pub current: bool,
}

impl SessionJson {
    /// As it is at `now`, seen from the session `current`.
    pub fn new(session: &Session, now: Timestamp, current: Option<&CheckedSession>) -> Self {
        // One that nobody has cleaned up yet ended all the same.
        let timed_out = SessionEnd {
            at: session.ends_at(),
            reason: gatelodge_core::model::EndReason::TimedOut,
        };
        let ended = session
            .ended
            .or_else(|| (!session.is_valid_at(now)).then_some(timed_out));
        Self {
            id: session.id.as_uuid(),
            user: session.user.as_uuid(),
            user_name: session.user_name.clone(),
            application: session.application.clone(),
            amr: session.amr().into_iter().map(str::to_owned).collect(),
            address: session.client.address.clone(),
            user_agent: session.client.user_agent.clone(),
            started_at: session.started_at,
            last_active_at: session.last_active_at,
            expires_at: session.expires_at,
            ended_at: ended.map(|end| end.at),
            end_reason: ended.map(|end| end.reason.as_str()),
            current: current.is_some_and(|current| current.session.id == session.id),
        }
    }
}

/// How many sessions were ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndedJson {
    /// How many.
    pub ended: u64,
}

/// A lock to be set.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewLockJson {
    /// Why, for administrators: at most 500 characters.
    pub reason: Option<String>,
    /// Until when; absent: until unlocked.
    pub until: Option<Timestamp>,
    /// For how long instead, in seconds.
    #[schema(minimum = 1)]
    pub duration_seconds: Option<u32>,
    /// Whether open sessions go on.
    pub keep_sessions: bool,
}

impl NewLockJson {
    /// As the services take it.
    ///
    /// # Errors
    /// When both an end and a duration are given, or no time at all.
    pub fn lock(self, now: Timestamp) -> Result<NewLock, Problem> {
        let until = match (self.until, self.duration_seconds) {
            (Some(_), Some(_)) => {
                return Err(Problem::new(Code::InvalidRequest)
                    .detail("give either `until` or `duration_seconds`"));
            }
            (until, None) => until.map(gatelodge_core::environment::whole_milliseconds),
            (None, Some(0)) => {
                let error =
                    Error::invalid("duration_seconds", "a lock lasts for a second at least");
                return Err(error.into());
            }
            (None, Some(seconds)) => Some(gatelodge_core::environment::later(
                now,
                std::time::Duration::from_secs(seconds.into()),
            )),
        };
        Ok(NewLock {
            reason: self.reason,
            until,
            keep_sessions: self.keep_sessions,
        })
    }
}

/// An entry of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEventJson {
    /// Its id.
    pub id: Uuid,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: ActorJson,
    /// What was done.
    pub action: String,
    /// The kind of object.
    pub object_kind: String,
    /// The object's id.
    pub object_id: Option<String>,
    /// Whether it took place: `success` or `refused`.
    pub outcome: &'static str,
    /// Why not, or what else matters.
    pub reason: Option<String>,
    /// What changed.
    pub changes: Vec<FieldChangeJson>,
    /// The client's address.
    pub address: Option<String>,
    /// What the client said it is.
    pub user_agent: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
}

/// Who did something.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ActorJson {
    /// Somebody who was not signed in.
    Anonymous,
    /// A signed-in user.
    User {
        /// The user's tenant.
        tenant: Uuid,
        /// The user.
        id: Uuid,
    },
    /// The server itself.
    System,
    /// Whoever ran the command line on the server's machine.
    Operator,
}

impl From<Actor> for ActorJson {
    fn from(actor: Actor) -> Self {
        match actor {
            Actor::Anonymous => Self::Anonymous,
            Actor::User { tenant, id } => Self::User {
                tenant: tenant.as_uuid(),
                id: id.as_uuid(),
            },
            Actor::System => Self::System,
            Actor::Operator => Self::Operator,
        }
    }
}

/// One field's change.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldChangeJson {
    /// The field.
    pub field: String,
    /// Before.
    pub old: Option<String>,
    /// After.
    pub new: Option<String>,
}

impl From<AuditEvent> for AuditEventJson {
    fn from(event: AuditEvent) -> Self {
        let change = |change: gatelodge_core::model::FieldChange| FieldChangeJson {
            field: change.field,
            old: change.old,
            new: change.new,
        };
        Self {
            id: event.id.as_uuid(),
            at: event.at,
            actor: event.actor.into(),
            action: event.action,
            object_kind: event.object_kind,
            object_id: event.object_id,
            outcome: event.outcome.as_str(),
            reason: event.reason,
            changes: event.changes.into_iter().map(change).collect(),
            address: event.client.address,
            user_agent: event.client.user_agent,
            request_id: event.client.request_id,
        }
    }
}

/// A field that may be absent (stays), `null` (taken away) or a value.
pub fn present<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

/// What a link is for.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LinkPurposeJson {
    /// To set up an account that somebody else made.
    Invite,
    /// To get back into an account.
    Reset,
    /// To confirm an e-mail address.
    Verify,
    /// To sign in.
    SignIn,
    /// To see one page.
    Page,
}

impl From<LinkPurposeJson> for LinkPurpose {
    fn from(purpose: LinkPurposeJson) -> Self {
        match purpose {
            LinkPurposeJson::Invite => Self::Invite,
            LinkPurposeJson::Reset => Self::Reset,
            LinkPurposeJson::Verify => Self::Verify,
            LinkPurposeJson::SignIn => Self::SignIn,
            LinkPurposeJson::Page => Self::Page,
        }
    }
}
