use async_trait::async_trait;
use gatelodge_core::{
    Result,
    secret::TokenHash,
    storage::{LimitRepository, LimitState},
};
use jiff::Timestamp;

use crate::{
    Columns, Connection, SqlUnit, Statement, Value,
    statement::Table,
    stored::{Stored, one},
};

pub(crate) const LIMITS: Table = Table {
    name: "limits",
    key: "key",
    columns: &["key", "count", "since", "blocked_until", "expires_at"],
};

pub(crate) fn read(row: &impl Columns) -> Result<LimitState> {
    let row = Stored::new(row, "limits");
    Ok(LimitState {
        count: row.integer("count")?,
        since: row.time("since")?,
        blocked_until: row.optional_time("blocked_until")?,
        expires_at: row.time("expires_at")?,
    })
}

/// All columns, in the table's order.
pub(crate) fn values(key: &TokenHash, state: &LimitState) -> Vec<Value> {
    vec![
        (*key).into(),
        state.count.into(),
        state.since.into(),
        state.blocked_until.into(),
        state.expires_at.into(),
    ]
}

#[async_trait]
impl<C: Connection> LimitRepository for SqlUnit<C> {
    async fn load(&mut self, key: &TokenHash) -> Result<Option<LimitState>> {
        self.read("limits.load")?;
        if self.can_write() {
            self.hold_number(key).await?;
        }
        let statement = "SELECT count, since, blocked_until, expires_at FROM limits WHERE key = $1";
        let row = self.fetch(Statement::new(statement).bind(*key)).await?;
        self.done(one(row.as_ref(), read)?)
    }

    async fn store(&mut self, key: &TokenHash, state: &LimitState) -> Result<()> {
        self.write("limits.store")?;
        self.execute_one(LIMITS.put_all(vec![values(key, state)]))
            .await?;
        self.done(())
    }

    async fn clear(&mut self, key: &TokenHash) -> Result<()> {
        self.write("limits.clear")?;
        self.hold_number(key).await?;
        let statement = "DELETE FROM limits WHERE key = $1";
        self.execute(Statement::new(statement).bind(*key)).await?;
        self.done(())
    }

    async fn delete_expired(&mut self, now: Timestamp, limit: u32) -> Result<u64> {
        self.write("limits.delete_expired")?;
        let statement = format!(
            "DELETE FROM limits WHERE key IN (SELECT key FROM limits \
             WHERE expires_at < $1 ORDER BY expires_at LIMIT $2{})",
            C::DIALECT.skip_locked
        );
        let statement = Statement::new(statement).bind(now).bind(limit);
        let rows = self.execute(statement).await?;
        self.done(rows)
    }
}

impl<C: Connection> SqlUnit<C> {
    /// Holds a counter, also one that has no row yet.
    async fn hold_number(&mut self, key: &TokenHash) -> Result<()> {
        if let Some(lock) = C::DIALECT.lock_number {
            let lock = Statement::new(lock).bind(number_of(key));
            self.fetch(lock).await?;
        }
        Ok(())
    }
}

/// The number that stands for a key in a lock; two keys that share one only
/// wait for each other.
fn number_of(key: &TokenHash) -> i64 {
    let (number, _) = key.as_bytes().split_first_chunk().unwrap_or((&[0; 8], &[]));
    i64::from_be_bytes(*number)
}
