//! What a backend brings.

use async_trait::async_trait;
use gatelodge_core::{
    Result,
    storage::{Scope, SessionTouch},
};

use crate::{Columns, Statement, Value};

/// A transaction on loan to one unit of work. Dropped, it is rolled back.
#[async_trait]
pub trait Connection: Send + Sized + 'static {
    /// A row of an answer.
    type Row: Columns + Send + Sync;

    /// The words in which this database differs from the other.
    const DIALECT: &'static Dialect;

    /// Whether it may write.
    fn can_write(&self) -> bool;

    /// Runs a statement that writes; answers how many rows it touched.
    async fn execute(&mut self, statement: Statement) -> Result<u64>;

    /// All rows of an answer.
    async fn fetch_all(&mut self, statement: Statement) -> Result<Vec<Self::Row>>;

    /// Lets the database itself know what may be reached from now on, where it
    /// watches over that.
    async fn set_scope(&mut self, scope: Scope) -> Result<()>;

    /// Makes everything permanent.
    async fn commit(self, announces: bool) -> Result<()>;

    /// Undoes everything.
    async fn rollback(self) -> Result<()>;
}

/// The words in which the databases differ.
pub struct Dialect {
    /// The function that finds a text in a text, counted from 1.
    pub position: &'static str,
    /// When a session ends if it is not used again: `Session::ends_at` in SQL.
    pub ends_at: &'static str,
    /// The condition that a user's e-mail address is verified.
    pub is_verified: &'static str,
    /// Behind a `SELECT`: keeps the row from every other unit that says so too.
    pub lock: &'static str,
    /// The same, and nothing comes to refer to the row meanwhile.
    pub lock_for_delete: &'static str,
    /// Behind a `SELECT`: keeps the row as it is, beside others that say so.
    pub hold: &'static str,
    /// Behind a `SELECT` of what is to be changed: what another unit holds is
    /// left to it.
    pub skip_locked: &'static str,
    /// A lock on the 64-bit number `$1` until the unit ends, which holds what has
    /// no row yet; none where there is one writer.
    pub lock_number: Option<&'static str>,
    /// The tenant of an audit event that has none.
    pub no_tenant: fn() -> Value,
    /// The condition that finds it.
    pub is_no_tenant: &'static str,
    /// Notes activity.
    pub touch: fn(&[SessionTouch]) -> Result<Statement>,
    /// Opens the platform's eyes to which tenants have audit events.
    pub open_archive: Option<&'static str>,
}
