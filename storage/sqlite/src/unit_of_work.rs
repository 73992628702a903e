//! A unit's connection, and SQLite's words in the shared statements.

use std::borrow::Cow;

use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    storage::{Scope, SessionTouch},
};
use gatelodge_storage_sql::{Columns, Connection, Dialect, Statement, Value, Wrong, json};
use jiff::Timestamp;
use sqlx::{
    AssertSqlSafe, Decode, Row as _, Sqlite, Type,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};
use uuid::Uuid;

use crate::{error::Fault, reader::ReadLease, writer::WriteLease};

/// A unit of work.
pub(crate) type SqliteUnit = gatelodge_storage_sql::SqlUnit<Lease>;

/// The connection on loan to a unit.
pub(crate) enum Lease {
    Read(ReadLease),
    Write(WriteLease),
}

static DIALECT: Dialect = Dialect {
    position: "instr",
    // A sum beyond the end of time becomes a floating number, which compares as well.
    ends_at: "min(last_active_at + max(idle_seconds, 0) * 1000, expires_at)",
    // As the partial index has it.
    is_verified: "email_verified = 1",
    // The one writer is the lock: whoever comes here has it.
    lock: "",
    lock_for_delete: "",
    hold: "",
    skip_locked: "",
    lock_number: None,
    no_tenant: || Value::Bytes(Some(Vec::new())),
    is_no_tenant: "tenant = x''",
    touch,
    open_archive: None,
};

#[async_trait]
impl Connection for Lease {
    type Row = Row;

    const DIALECT: &'static Dialect = &DIALECT;

    fn can_write(&self) -> bool {
        matches!(self, Self::Write(_))
    }

    async fn execute(&mut self, statement: Statement) -> Result<u64> {
        let Self::Write(lease) = self else {
            return Err(Error::internal("a read unit was to write"));
        };
        let result = query(statement).execute(lease.connection()?).await;
        Ok(result.map_err(Fault::from)?.rows_affected())
    }

    async fn fetch_all(&mut self, statement: Statement) -> Result<Vec<Row>> {
        let rows = match self {
            Self::Read(lease) => lease.fetch_all(statement).await?,
            Self::Write(lease) => {
                let rows = query(statement).fetch_all(lease.connection()?).await;
                rows.map_err(Fault::from)?
            }
        };
        Ok(rows.into_iter().map(Row).collect())
    }

    /// SQLite does not watch over tenants; the statements do.
    async fn set_scope(&mut self, _scope: Scope) -> Result<()> {
        Ok(())
    }

    async fn commit(self, announces: bool) -> Result<()> {
        match self {
            // It changed nothing: dropping it ends its transaction.
            Self::Read(_) => Ok(()),
            Self::Write(lease) => lease.commit(announces).await,
        }
    }

    async fn rollback(self) -> Result<()> {
        match self {
            Self::Read(_) => Ok(()),
            Self::Write(lease) => lease.rollback().await,
        }
    }
}

pub(crate) fn query<'q>(statement: Statement) -> Query<'q, Sqlite, SqliteArguments> {
    let (text, values) = statement.into_parts();
    let query = match text {
        Cow::Borrowed(text) => sqlx::query(text),
        // Put together from our own words; values are bound.
        Cow::Owned(text) => sqlx::query(AssertSqlSafe(text)),
    };
    values.into_iter().fold(query, |query, value| match value {
        Value::Uuid(value) => query.bind(value),
        Value::Bytes(value) => query.bind(value),
        Value::Text(value) => query.bind(value),
        Value::Integer(value) => query.bind(value),
        Value::Flag(value) => query.bind(value),
        Value::Time(value) => query.bind(value.map(Timestamp::as_millisecond)),
        Value::Json(value) => query.bind(value),
    })
}

/// A row of an answer.
pub(crate) struct Row(pub(crate) SqliteRow);

impl Row {
    fn value<'r, T>(&'r self, column: &str) -> Result<Option<T>, Wrong>
    where
        T: Decode<'r, Sqlite> + Type<Sqlite>,
    {
        Ok(self.0.try_get(column)?)
    }
}

impl Columns for Row {
    fn uuid(&self, column: &str) -> Result<Option<Uuid>, Wrong> {
        // The platform's own audit events have an empty tenant.
        match self.value::<&[u8]>(column)? {
            Some([]) | None => Ok(None),
            Some(bytes) => Ok(Some(Uuid::from_slice(bytes)?)),
        }
    }

    fn bytes(&self, column: &str) -> Result<Option<Vec<u8>>, Wrong> {
        self.value(column)
    }

    fn text(&self, column: &str) -> Result<Option<String>, Wrong> {
        self.value(column)
    }

    fn integer(&self, column: &str) -> Result<Option<i64>, Wrong> {
        self.value(column)
    }

    /// A flag, stored as 0 or 1.
    fn flag(&self, column: &str) -> Result<Option<bool>, Wrong> {
        match self.integer(column)? {
            None => Ok(None),
            Some(0) => Ok(Some(false)),
            Some(1) => Ok(Some(true)),
            Some(other) => Err(format!("{other} is no flag").into()),
        }
    }

    fn time(&self, column: &str) -> Result<Option<Timestamp>, Wrong> {
        let millis = self.integer(column)?;
        Ok(millis.map(Timestamp::from_millisecond).transpose()?)
    }

    fn json(&self, column: &str) -> Result<Option<String>, Wrong> {
        self.value(column)
    }
}

/// Touches as one value, for one statement over all of them.
fn touch(touches: &[SessionTouch]) -> Result<Statement> {
    let rows: Vec<_> = touches
        .iter()
        .map(|touch| {
            let tenant = touch.tenant.as_uuid().simple().to_string();
            let id = touch.id.as_uuid().simple().to_string();
            (tenant, id, touch.at.as_millisecond())
        })
        .collect();
    let statement = Statement::new(
        "UPDATE sessions SET last_active_at = touched.at FROM \
         (SELECT unhex(value ->> 0) AS tenant, unhex(value ->> 1) AS id, \
         max(value ->> 2) AS at FROM json_each($1) GROUP BY 1, 2) AS touched \
         WHERE sessions.tenant = touched.tenant AND sessions.id = touched.id \
         AND ended_at IS NULL AND last_active_at < touched.at",
    );
    Ok(statement.bind(Value::Json(json(&rows)?)))
}
