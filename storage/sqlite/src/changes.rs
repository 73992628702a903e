//! How this backend finds out what other units committed.
//!
//! Announced changes are rows with rising numbers; `PRAGMA data_version` says
//! whether any other connection has committed since the last look.

use async_trait::async_trait;
use gatelodge_core::{
    Result,
    storage::{Change, FeedEvent},
};
use gatelodge_storage_sql::{Look, MANY_CHANGES, read_change};
use sqlx::{
    ConnectOptions, Row, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteRow},
};

use crate::error::Fault;

/// The rows after `?1`, beside the last number ever given: one statement, so
/// one consistent view. There is always at least one row.
const NEW_ROWS: &str = "\
    SELECT latest.seq AS latest, c.seq, c.tenant, c.what, c.object \
    FROM (SELECT coalesce(max(seq), 0) AS seq FROM sqlite_sequence WHERE name = 'changes') AS latest \
    LEFT JOIN changes AS c ON c.seq > ?1 \
    ORDER BY c.seq LIMIT ?2";

/// Looks at the table of changes.
pub(crate) struct Looker {
    options: SqliteConnectOptions,
    connection: Option<SqliteConnection>,
    /// The `data_version` that the last look was made at.
    version: Option<i64>,
    /// The number of the last row read.
    seen: i64,
}

impl Looker {
    pub(crate) fn new(options: SqliteConnectOptions) -> Self {
        Self {
            options,
            connection: None,
            version: None,
            seen: 0,
        }
    }

    async fn data_version(&mut self) -> Result<i64, Fault> {
        let connection = self.connection().await?;
        let row = sqlx::query("PRAGMA data_version")
            .fetch_one(connection)
            .await?;
        Ok(row.try_get(0)?)
    }

    async fn new_rows(&mut self) -> Result<Vec<SqliteRow>, Fault> {
        let seen = self.seen;
        let connection = self.connection().await?;
        let statement = sqlx::query(NEW_ROWS)
            .bind(seen)
            .bind(i64::from(MANY_CHANGES) + 1);
        Ok(statement.fetch_all(connection).await?)
    }

    async fn connection(&mut self) -> Result<&mut SqliteConnection, Fault> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        Ok(self.connection.insert(connection))
    }

    fn news(&mut self, rows: &[SqliteRow]) -> Result<Option<FeedEvent>, Fault> {
        let latest = latest(rows)?;
        let before = std::mem::replace(&mut self.seen, latest);
        if latest == before {
            return Ok(None);
        }
        let mut changes = Vec::new();
        for (row, offset) in rows.iter().zip(1_u64..) {
            let number: Option<i64> = row.try_get("seq")?;
            match read(row)? {
                Some(change) if number == before.checked_add_unsigned(offset) => {
                    changes.push(change)
                }
                // Rows were removed before they were read, or are a newer program's.
                _ => return Ok(Some(FeedEvent::Lost)),
            }
        }
        let is_complete = before.checked_add_unsigned(changes.len() as u64) == Some(latest);
        Ok(Some(if is_complete {
            FeedEvent::Changes(changes)
        } else {
            FeedEvent::Lost
        }))
    }
}

#[async_trait]
impl Look for Looker {
    /// The present end of the table is seen.
    async fn catch_up(&mut self) -> Result<()> {
        self.version = None;
        self.seen = i64::MAX;
        let rows = self.new_rows().await?;
        self.seen = latest(&rows)?;
        Ok(())
    }

    async fn look(&mut self) -> Result<Option<FeedEvent>> {
        let version = self.data_version().await?;
        if self.version == Some(version) {
            return Ok(None);
        }
        let rows = self.new_rows().await?;
        // Only now: a version that was not looked at would hide its rows.
        self.version = Some(version);
        Ok(self.news(&rows)?)
    }

    fn give_up(&mut self) {
        self.connection = None;
    }
}

fn latest(rows: &[SqliteRow]) -> Result<i64, Fault> {
    match rows.first() {
        Some(row) => Ok(row.try_get("latest")?),
        None => Ok(0),
    }
}

fn read(row: &SqliteRow) -> Result<Option<Change>, Fault> {
    let (Some(what), Some(tenant)) = (row.try_get("what")?, row.try_get("tenant")?) else {
        return Ok(None);
    };
    Ok(read_change(tenant, what, row.try_get("object")?))
}
