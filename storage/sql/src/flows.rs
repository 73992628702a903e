use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    secret::TokenHash,
    storage::{FlowRepository, StoredFlow},
};
use jiff::Timestamp;

use crate::{
    Columns, Connection, SqlUnit, Statement, Value,
    statement::Table,
    stored::{Stored, one},
};

pub(crate) const FLOWS: Table = Table {
    name: "flows",
    key: "handle",
    columns: &["handle", "version", "expires_at", "sealed"],
};

pub(crate) fn read(row: &impl Columns) -> Result<StoredFlow> {
    let row = Stored::new(row, "flows");
    Ok(StoredFlow {
        handle: row.hash("handle")?,
        version: row.integer("version")?,
        expires_at: row.time("expires_at")?,
        sealed: row.bytes("sealed")?,
    })
}

/// All columns, in the table's order.
pub(crate) fn values(flow: &StoredFlow) -> Vec<Value> {
    vec![
        flow.handle.into(),
        flow.version.into(),
        flow.expires_at.into(),
        flow.sealed.as_slice().into(),
    ]
}

#[async_trait]
impl<C: Connection> FlowRepository for SqlUnit<C> {
    async fn create(&mut self, flow: &StoredFlow) -> Result<()> {
        self.write("flows.create")?;
        self.execute_one(FLOWS.insert(values(flow))).await?;
        self.done(())
    }

    async fn by_handle(&mut self, handle: &TokenHash) -> Result<Option<StoredFlow>> {
        self.read("flows.by_handle")?;
        let statement = "SELECT handle, version, expires_at, sealed FROM flows WHERE handle = $1";
        let row = self.fetch(Statement::new(statement).bind(*handle)).await?;
        self.done(one(row.as_ref(), read)?)
    }

    async fn update(&mut self, flow: &StoredFlow) -> Result<StoredFlow> {
        self.write("flows.update")?;
        let statement = Statement::new(
            "UPDATE flows SET expires_at = $3, sealed = $4, version = version + 1 \
             WHERE handle = $1 AND version = $2 RETURNING handle, version, expires_at, sealed",
        )
        .bind_all(values(flow));
        let row = self.fetch(statement).await?;
        if let Some(stored) = one(row.as_ref(), read)? {
            return self.done(stored);
        }
        let statement = Statement::new("SELECT 1 FROM flows WHERE handle = $1").bind(flow.handle);
        Err(match self.fetch(statement).await? {
            Some(_) => Error::stale("sign-in flow"),
            None => Error::not_found("sign-in flow"),
        })
    }

    async fn delete(&mut self, handle: &TokenHash) -> Result<bool> {
        self.write("flows.delete")?;
        let statement = Statement::new("DELETE FROM flows WHERE handle = $1").bind(*handle);
        let rows = self.execute(statement).await?;
        self.done(rows > 0)
    }

    async fn delete_expired(&mut self, now: Timestamp, limit: u32) -> Result<u64> {
        self.write("flows.delete_expired")?;
        let statement = format!(
            "DELETE FROM flows WHERE handle IN (SELECT handle FROM flows \
             WHERE expires_at < $1 ORDER BY expires_at LIMIT $2{})",
            C::DIALECT.skip_locked
        );
        let statement = Statement::new(statement).bind(now).bind(limit);
        let rows = self.execute(statement).await?;
        self.done(rows)
    }
}
