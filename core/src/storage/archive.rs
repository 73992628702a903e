use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{LimitState, OutboxEntry, Page, Record, Scope, StoredFlow, UnitOfWork};
use crate::{
    Result,
    model::{
        Application, AuditEvent, Grant, Session, Tenant, TenantId, TenantSettings, User, UserId,
    },
    secret::{TokenHash, base64_bytes},
};

/// One state of everything, to be read scope by scope: for copies and backups.
#[async_trait]
pub trait Snapshot: Send {
    /// A read unit in this scope.
    ///
    /// * Whatever the scope, it sees the one state that the snapshot was opened
    ///   on, or that its first unit found; what others commit later is not in it.
    /// * After an error in one of its units the snapshot is of no use any more.
    async fn scope(&mut self, scope: Scope) -> Result<&mut dyn UnitOfWork>;
}

/// Rows as they are stored: for copies, backups and restores. Nothing is checked
/// but what the schema checks, and nobody is asked or told.
#[async_trait]
pub trait ArchiveRepository: Send {
    /// *Platform.* The tenants of which there is any row, sorted by id: those
    /// that are there, and deleted ones whose sessions or audit events are.
    async fn tenants(&mut self, page: Page<TenantId>) -> Result<Vec<TenantId>>;

    /// Rows of one kind with the greatest key after `after`, sorted by key, at
    /// most `limit`.
    ///
    /// * A kind of the platform is `Unsupported` in a tenant unit, and the
    ///   other way round; [`RowKind::Event`] is both.
    /// * In a tenant unit those of its tenant, deleted or not; in a platform
    ///   unit events of no tenant.
    async fn rows(&mut self, kind: RowKind, after: Option<&RowKey>, limit: u32)
    -> Result<Vec<Row>>;

    /// Stores rows, all of one kind of this unit's scope, each over the row of
    /// its key, versions and times as they are.
    ///
    /// * An audit event that is there stays as it is.
    /// * A taken unique key is `AlreadyExists`, a broken reference `NotFound`.
    /// * A tenant's masters must be there or come before it in `rows`.
    /// * A row of another tenant is `Invalid`.
    async fn put(&mut self, rows: &[Row]) -> Result<()>;

    /// Removes rows by their keys, and what hangs on them as `delete` of their
    /// repository does; one that is not there is no error.
    ///
    /// * A tenant with sub-tenants is `Refused`.
    /// * Audit events are never removed: `Unsupported`.
    async fn remove(&mut self, kind: RowKind, keys: &[RowKey]) -> Result<()>;
}

/// The kinds of rows, in an order in which what refers comes after what it refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowKind {
    /// A value of the installation; of the platform.
    Value,
    /// A tenant; of the platform.
    Tenant,
    /// A counter of tries; of the platform.
    Limit,
    /// A sign-in flow; of the platform.
    Flow,
    /// A tenant's own settings.
    Settings,
    /// A registered application.
    Application,
    /// A user.
    User,
    /// What a user is granted.
    Grant,
    /// What a provider keeps.
    Record,
    /// A message to be sent.
    Message,
    /// A session.
    Session,
    /// An audit event; of a tenant, or of the platform.
    Event,
}

impl RowKind {
    /// Those that a platform unit reads and stores.
    pub const PLATFORM: [Self; 5] = [
        Self::Value,
        Self::Tenant,
        Self::Limit,
        Self::Flow,
        Self::Event,
    ];

    /// Those that a tenant unit reads and stores.
    pub const TENANT: [Self; 8] = [
        Self::Settings,
        Self::Application,
        Self::User,
        Self::Grant,
        Self::Record,
        Self::Message,
        Self::Session,
        Self::Event,
    ];

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Tenant => "tenant",
            Self::Limit => "limit",
            Self::Flow => "flow",
            Self::Settings => "settings",
            Self::Application => "application",
            Self::User => "user",
            Self::Grant => "grant",
            Self::Record => "record",
            Self::Message => "message",
            Self::Session => "session",
            Self::Event => "event",
        }
    }

    /// Whether a unit of this scope has rows of this kind.
    pub fn is_in(self, scope: Scope) -> bool {
        match scope {
            Scope::Platform => Self::PLATFORM.contains(&self),
            Scope::Tenant(_) => Self::TENANT.contains(&self),
        }
    }
}

/// One row, as it is stored. Whose it is follows from the unit's scope.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "row", rename_all = "snake_case", deny_unknown_fields)]
pub enum Row {
    /// See [`RowKind::Value`].
    Value {
        /// Its name.
        name: String,
        /// Its bytes.
        #[serde(with = "base64_bytes")]
        value: Vec<u8>,
        /// Its version.
        version: i64,
    },
    /// See [`RowKind::Tenant`].
    Tenant(Tenant),
    /// See [`RowKind::Limit`].
    Limit {
        /// Its key.
        key: TokenHash,
        /// The counter.
        state: LimitState,
    },
    /// See [`RowKind::Flow`].
    Flow(StoredFlow),
    /// See [`RowKind::Settings`].
    Settings {
        /// The tenant's own settings.
        settings: TenantSettings,
        /// Their version.
        version: i64,
    },
    /// See [`RowKind::Application`].
    Application(Application),
    /// See [`RowKind::User`].
    User(User),
    /// See [`RowKind::Grant`].
    Grant {
        /// Who is granted it.
        user: UserId,
        /// What.
        grant: Grant,
    },
    /// See [`RowKind::Record`].
    Record(Record),
    /// See [`RowKind::Message`].
    Message(OutboxEntry),
    /// See [`RowKind::Session`].
    Session(Session),
    /// See [`RowKind::Event`].
    Event(AuditEvent),
}

impl Row {
    /// Its kind.
    pub fn kind(&self) -> RowKind {
        match self {
            Self::Value { .. } => RowKind::Value,
            Self::Tenant(_) => RowKind::Tenant,
            Self::Limit { .. } => RowKind::Limit,
            Self::Flow(_) => RowKind::Flow,
            Self::Settings { .. } => RowKind::Settings,
            Self::Application(_) => RowKind::Application,
            Self::User(_) => RowKind::User,
            Self::Grant { .. } => RowKind::Grant,
            Self::Record(_) => RowKind::Record,
            Self::Message(_) => RowKind::Message,
            Self::Session(_) => RowKind::Session,
            Self::Event(_) => RowKind::Event,
        }
    }

    /// Its key, unique among the rows of its kind and scope.
    pub fn key(&self) -> RowKey {
        match self {
            Self::Value { name, .. } => RowKey::Name(name.clone()),
            Self::Tenant(tenant) => RowKey::Id(tenant.id.as_uuid()),
            Self::Limit { key, .. } => RowKey::Hash(*key),
            Self::Flow(flow) => RowKey::Hash(flow.handle),
            Self::Settings { .. } => RowKey::Only,
            Self::Application(application) => RowKey::Id(application.id.as_uuid()),
            Self::User(user) => RowKey::Id(user.id.as_uuid()),
            Self::Grant { user, grant } => RowKey::Grant(*user, grant.as_str().to_owned()),
            Self::Record(record) => RowKey::Id(record.id.as_uuid()),
            Self::Message(message) => RowKey::Id(message.id.as_uuid()),
            Self::Session(session) => RowKey::Id(session.id.as_uuid()),
            Self::Event(event) => RowKey::Id(event.id.as_uuid()),
        }
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("kind", &self.kind())
            .finish_non_exhaustive()
    }
}

/// The key of a row among those of its kind and scope. Keys of one kind compare
/// as their bytes do, on every backend.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowKey {
    /// There is only one.
    Only,
    /// A name.
    Name(String),
    /// An id.
    Id(Uuid),
    /// A hash.
    Hash(TokenHash),
    /// A user and the name of a grant.
    Grant(UserId, String),
}
