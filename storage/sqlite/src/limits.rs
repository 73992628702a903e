use async_trait::async_trait;
use gatelodge_core::{
    Result,
    secret::TokenHash,
    storage::{LimitRepository, LimitState},
};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

use crate::{
    error::Fault,
    reader::{Stored, one},
    unit_of_work::SqliteUnit,
};

fn read(row: &SqliteRow) -> Result<LimitState, Fault> {
    let row = Stored::new(row, "limits");
    Ok(LimitState {
        count: row.integer("count")?,
        since: row.time("since")?,
        blocked_until: row.optional_time("blocked_until")?,
        expires_at: row.time("expires_at")?,
    })
}

#[async_trait]
impl LimitRepository for SqliteUnit {
    /// In a write unit the one writer holds it.
    async fn load(&mut self, key: &TokenHash) -> Result<Option<LimitState>> {
        self.read("limits.load")?;
        let statement = "SELECT count, since, blocked_until, expires_at FROM limits WHERE key = ?1";
        let statement = sqlx::query(statement).bind(key.as_bytes().as_slice());
        let row = self.fetch(statement).await?;
        self.done(one(row.as_ref(), read)?)
    }

    async fn store(&mut self, key: &TokenHash, state: &LimitState) -> Result<()> {
        self.write("limits.store")?;
        let statement = sqlx::query(
            "INSERT INTO limits (key, count, since, blocked_until, expires_at) \
             VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (key) DO UPDATE SET count = excluded.count, since = excluded.since, \
             blocked_until = excluded.blocked_until, expires_at = excluded.expires_at",
        )
        .bind(key.as_bytes().as_slice())
        .bind(state.count)
        .bind(state.since.as_millisecond())
        .bind(state.blocked_until.map(Timestamp::as_millisecond))
        .bind(state.expires_at.as_millisecond());
        self.execute_one(statement).await?;
        self.done(())
    }

    async fn clear(&mut self, key: &TokenHash) -> Result<()> {
        self.write("limits.clear")?;
        let statement = "DELETE FROM limits WHERE key = ?1";
        self.execute(sqlx::query(statement).bind(key.as_bytes().as_slice()))
            .await?;
        self.done(())
    }

    async fn delete_expired(&mut self, now: Timestamp, limit: u32) -> Result<u64> {
        self.write("limits.delete_expired")?;
        let statement = "DELETE FROM limits WHERE key IN (SELECT key FROM limits \
                         WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)";
        let statement = sqlx::query(statement)
            .bind(now.as_millisecond())
            .bind(i64::from(limit));
        let rows = self.execute(statement).await?;
        self.done(rows)
    }
}
