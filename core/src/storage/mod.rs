//! The storage contract, and how to write a backend.
//!
//! # A backend in five steps
//!
//! 1. Make a crate `storage/<name>` that depends on this crate and a driver.
//! 2. Implement [`Storage`]: [`Storage::begin`] opens a [`UnitOfWork`] in a
//!    [`Scope`]. One type that implements every repository trait on one
//!    database transaction is enough; each accessor of the unit returns `self`.
//! 3. Create the schema by migrations at start, tenancy in it from the first:
//!    every tenant row keyed `(tenant, id)`, composite foreign keys, a closure
//!    table of ancestors.
//! 4. Declare what the backend can do beyond the contract in [`Capabilities`].
//! 5. Call `storage_suite!` of `gatelodge-storage-suite` in `tests/suite.rs`. It
//!    holds a case for each bullet below; nothing may be skipped.
//!
//! # Rules for all repositories
//!
//! * A unit sees its own writes; others see them after `commit` returned.
//! * Dropping a unit, at any await point, rolls it back.
//! * A tenant unit reaches rows of its tenant only: another tenant's id is
//!   simply not there. Methods marked *platform* refuse a tenant unit, methods
//!   marked *tenant* refuse a platform unit, both with
//!   [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported), changing nothing.
//! * A read unit refuses writes with `Unsupported`, changing nothing; `lock_row`,
//!   `hold` and `announce` are writes.
//! * A look-up answers `Option`. An update carries the version that was read:
//!   the row's version is then one higher, the returned object has it; another
//!   version in the row is a `Conflict`, a row that is not there is `NotFound`.
//! * A taken unique key is `AlreadyExists`, a broken reference `NotFound`.
//! * Lists are sorted by id and paged by it: after [`Page::after`], at most
//!   [`Page::limit`] rows.
//! * Times are whole milliseconds and come back exactly.
//! * An error of a method leaves the unit usable for nothing but `rollback`;
//!   `commit` is then an error and keeps nothing.
//! * What expires at a time counts as expired *at* that time and is removed by
//!   `delete_expired` *after* it.
//! * A text that holds NUL is found nowhere, and looking for it is no error.
//! * When the backend cannot answer (locked, full, read-only, gone), the error
//!   is `Unavailable` and nothing of the unit is kept.
//!
//! # Write units side by side
//!
//! A backend may let write units run at the same time. Then each statement sees
//! what was committed before it began, and a write that meets a row which
//! another open unit changed waits for that unit and looks again. So whoever
//! decides by what it read, and whose decision another unit could make wrong,
//! relies on one of three: a unique key, the version that it writes over, or a
//! row that it took (`lock_row`, `hold`, `limits().load`) **before** it read.
//!
//! # Order of locks
//!
//! A unit takes rows in this order, or two units could wait for each other:
//!
//! 1. values of the installation,
//! 2. the tenant: `hold`, or `lock_row` by who changes or deletes it or its
//!    settings; of several (a master's lock that also locks what is below it takes
//!    all of them) in the order of their ids,
//! 3. the user: `lock_row`; of several in the order of their ids,
//! 4. applications, what providers keep, and messages to be sent,
//! 5. counters of tries, several in the order of their keys,
//! 6. sessions, several in the order of their ids,
//! 7. flows,
//! 8. audit events and announcements.
//!
//! A user's rows (sessions, records, grants, messages) are changed only under the user's
//! lock, or in a unit that changes a single row and nothing else. What is removed
//! or ended because its time is over, or claimed to be sent, is taken without
//! waiting.

mod applications;
mod archive;
mod audit;
mod changes;
mod flows;
mod installation;
mod limits;
mod outbox;
mod records;
mod sessions;
mod tenants;
mod users;

use async_trait::async_trait;

pub use applications::ApplicationRepository;
pub use archive::{ArchiveRepository, Row, RowKey, RowKind, Snapshot};
pub use audit::AuditRepository;
pub use changes::{CONFIRMATION_AGE, Change, ChangeFeed, Changed, FeedEvent};
pub use flows::{FlowRepository, StoredFlow};
pub use installation::{InstallationRepository, InstallationValue};
pub use limits::{LimitRepository, LimitState};
pub use outbox::{OutboxEntry, OutboxRepository};
pub use records::{KeyOwner, Record, RecordRepository};
pub use sessions::{SessionFilter, SessionRepository, SessionTouch};
pub use tenants::TenantRepository;
pub use users::UserRepository;

use crate::{Result, model::TenantId};

/// A place to keep everything.
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// What it can do beyond the contract.
    fn capabilities(&self) -> Capabilities;

    /// Opens a unit of work.
    ///
    /// * A write unit waits for its turn where the backend has one writer.
    /// * A read unit sees one consistent state from its first read on.
    /// * A tenant that does not exist is no error here; nothing is found in it.
    async fn begin(&self, scope: Scope, mode: Mode) -> Result<Box<dyn UnitOfWork>>;

    /// Opens a stream of what other units committed, on this node or another.
    ///
    /// * Every announced change that is committed after this call returned is
    ///   delivered at least once.
    /// * [`FeedEvent::Confirmed`] comes at least twice a second while the
    ///   stream is sure that it missed nothing.
    async fn changes(&self) -> Result<Box<dyn ChangeFeed>>;

    /// Opens a state of everything to be read: for copies and backups. It may
    /// stay open for minutes, and holds nobody up.
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>>;

    /// Answers when a point read works, and this program may still use what it reads.
    async fn check(&self) -> Result<()>;

    /// Closes, after open units had a short time to finish; units begun later are
    /// `Unavailable`. Closing twice changes nothing.
    async fn close(&self);
}

/// What a backend can do beyond the contract.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// The database itself refuses rows of another tenant.
    pub row_security: bool,
    /// Changes of other processes arrive through [`Storage::changes`].
    pub change_feed: bool,
    /// A backup can be taken while serving.
    pub online_backup: bool,
}

/// What a unit of work may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// One tenant.
    Tenant(TenantId),
    /// The platform: the list of tenants, the installation's own values, and the
    /// narrow look-ups that find a tenant.
    Platform,
}

/// Whether a unit of work may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// It only reads.
    Read,
    /// It reads and writes.
    Write,
}

/// A transaction with the repositories hanging off it. Keep it short, await
/// nothing but storage while it is open, never open a second one meanwhile.
#[async_trait]
pub trait UnitOfWork: Send {
    /// What it may reach.
    fn scope(&self) -> Scope;

    /// Narrows a platform unit to one tenant for the rest of its life, so that
    /// a tenant and its first user are made together.
    ///
    /// * On a tenant unit it is `Unsupported`, also for the same tenant.
    async fn enter(&mut self, tenant: TenantId) -> Result<()>;

    /// Tenants and their settings.
    fn tenants(&mut self) -> &mut dyn TenantRepository;
    /// Users and their grants.
    fn users(&mut self) -> &mut dyn UserRepository;
    /// Registered applications.
    fn applications(&mut self) -> &mut dyn ApplicationRepository;
    /// What providers keep.
    fn records(&mut self) -> &mut dyn RecordRepository;
    /// Messages to be sent.
    fn outbox(&mut self) -> &mut dyn OutboxRepository;
    /// Sign-in flows.
    fn flows(&mut self) -> &mut dyn FlowRepository;
    /// Sessions.
    fn sessions(&mut self) -> &mut dyn SessionRepository;
    /// Counters of tries.
    fn limits(&mut self) -> &mut dyn LimitRepository;
    /// The audit log.
    fn audit(&mut self) -> &mut dyn AuditRepository;
    /// The installation's own values.
    fn installation(&mut self) -> &mut dyn InstallationRepository;
    /// Rows as they are stored.
    fn archive(&mut self) -> &mut dyn ArchiveRepository;

    /// Tells all nodes, once this unit is committed.
    ///
    /// * Rolled back, nobody is told.
    async fn announce(&mut self, change: Change) -> Result<()>;

    /// Makes everything permanent: when this returns, a loss of power does not undo it.
    async fn commit(self: Box<Self>) -> Result<()>;

    /// Undoes everything.
    async fn rollback(self: Box<Self>) -> Result<()>;
}

/// A piece of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page<Id> {
    /// The last id of the piece before.
    pub after: Option<Id>,
    /// At most this many rows.
    pub limit: u32,
}

impl<Id> Page<Id> {
    /// The first `limit` rows.
    pub fn first(limit: u32) -> Self {
        Self { after: None, limit }
    }

    /// `limit` rows after `id`.
    pub fn after(id: Id, limit: u32) -> Self {
        Self {
            after: Some(id),
            limit,
        }
    }
}
