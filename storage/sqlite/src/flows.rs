use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    secret::TokenHash,
    storage::{FlowRepository, StoredFlow},
};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

use crate::{
    error::Fault,
    reader::{Stored, one},
    unit_of_work::SqliteUnit,
};

fn read(row: &SqliteRow) -> Result<StoredFlow, Fault> {
    let row = Stored::new(row, "flows");
    Ok(StoredFlow {
        handle: row.hash("handle")?,
        version: row.integer("version")?,
        expires_at: row.time("expires_at")?,
        sealed: row.value("sealed")?,
    })
}

#[async_trait]
impl FlowRepository for SqliteUnit {
    async fn create(&mut self, flow: &StoredFlow) -> Result<()> {
        self.write("flows.create")?;
        let statement = sqlx::query(
            "INSERT INTO flows (handle, version, expires_at, sealed) VALUES (?1, ?2, ?3, ?4)",
        )
        .bind(flow.handle.as_bytes().as_slice())
        .bind(flow.version)
        .bind(flow.expires_at.as_millisecond())
        .bind(flow.sealed.as_slice());
        self.execute_one(statement).await?;
        self.done(())
    }

    async fn by_handle(&mut self, handle: &TokenHash) -> Result<Option<StoredFlow>> {
        self.read("flows.by_handle")?;
        let statement = "SELECT handle, version, expires_at, sealed FROM flows WHERE handle = ?1";
        let statement = sqlx::query(statement).bind(handle.as_bytes().as_slice());
        let row = self.fetch(statement).await?;
        self.done(one(row.as_ref(), read)?)
    }

    async fn update(&mut self, flow: &StoredFlow) -> Result<StoredFlow> {
        self.write("flows.update")?;
        let statement = sqlx::query(
            "UPDATE flows SET expires_at = ?3, sealed = ?4, version = version + 1 \
             WHERE handle = ?1 AND version = ?2 RETURNING handle, version, expires_at, sealed",
        )
        .bind(flow.handle.as_bytes().as_slice())
        .bind(flow.version)
        .bind(flow.expires_at.as_millisecond())
        .bind(flow.sealed.as_slice());
        let row = self.fetch(statement).await?;
        if let Some(stored) = one(row.as_ref(), read)? {
            return self.done(stored);
        }
        let statement = "SELECT 1 FROM flows WHERE handle = ?1";
        let statement = sqlx::query(statement).bind(flow.handle.as_bytes().as_slice());
        Err(match self.fetch(statement).await? {
            Some(_) => Error::stale("sign-in flow"),
            None => Error::not_found("sign-in flow"),
        })
    }

    async fn delete(&mut self, handle: &TokenHash) -> Result<bool> {
        self.write("flows.delete")?;
        let statement = "DELETE FROM flows WHERE handle = ?1";
        let statement = sqlx::query(statement).bind(handle.as_bytes().as_slice());
        let rows = self.execute(statement).await?;
        self.done(rows > 0)
    }

    async fn delete_expired(&mut self, now: Timestamp, limit: u32) -> Result<u64> {
        self.write("flows.delete_expired")?;
        let statement = "DELETE FROM flows WHERE rowid IN (SELECT rowid FROM flows \
                         WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)";
        let statement = sqlx::query(statement)
            .bind(now.as_millisecond())
            .bind(i64::from(limit));
        let rows = self.execute(statement).await?;
        self.done(rows)
    }
}
