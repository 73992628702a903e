use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    environment::later,
    model::{MessageId, TenantId, UserId},
    provider::MessageChannel,
    storage::{OutboxEntry, OutboxRepository},
};
use jiff::Timestamp;

use crate::{
    Columns, Connection, SqlUnit, Statement, Value,
    statement::Table,
    stored::{Stored, all, one},
    unit_of_work::missing,
};

pub(crate) const OUTBOX: Table = Table {
    name: "outbox",
    key: "tenant, id",
    columns: &[
        "tenant",
        "id",
        "\"user\"",
        "channel",
        "made_at",
        "due_at",
        "expires_at",
        "tries",
        "version",
        "sealed",
    ],
};

macro_rules! columns {
    () => {
        "tenant, id, \"user\", channel, made_at, due_at, expires_at, tries, version, sealed"
    };
}

pub(crate) fn read(row: &impl Columns) -> Result<OutboxEntry> {
    let row = Stored::new(row, "outbox");
    Ok(OutboxEntry {
        id: MessageId::from_uuid(row.uuid("id")?),
        tenant: TenantId::from_uuid(row.uuid("tenant")?),
        user: UserId::from_uuid(row.uuid("user")?),
        channel: row.word("channel", MessageChannel::parse)?,
        made_at: row.time("made_at")?,
        due_at: row.time("due_at")?,
        expires_at: row.time("expires_at")?,
        tries: row.integer("tries")?,
        version: row.integer("version")?,
        sealed: row.bytes("sealed")?,
    })
}

/// All columns, in the table's order.
pub(crate) fn values(entry: &OutboxEntry) -> Vec<Value> {
    vec![
        entry.tenant.as_uuid().into(),
        entry.id.as_uuid().into(),
        entry.user.as_uuid().into(),
        entry.channel.as_str().into(),
        entry.made_at.into(),
        entry.due_at.into(),
        entry.expires_at.into(),
        entry.tries.into(),
        entry.version.into(),
        entry.sealed.as_slice().into(),
    ]
}

/// What a statement that changes several rows answers comes in no order.
fn sorted(mut entries: Vec<OutboxEntry>) -> Vec<OutboxEntry> {
    entries.sort_unstable_by_key(|entry| (entry.tenant, entry.id));
    entries
}

#[async_trait]
impl<C: Connection> OutboxRepository for SqlUnit<C> {
    async fn add(&mut self, entry: &OutboxEntry) -> Result<()> {
        let tenant = self.tenant_write("outbox.add")?;
        if entry.tenant.as_uuid() != tenant {
            return Err(Error::invalid("tenant", "a message of another tenant"));
        }
        self.execute_one(OUTBOX.insert(values(entry)))
            .await
            .map_err(|error| missing(error, "user"))?;
        self.done(())
    }

    async fn claim(
        &mut self,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<OutboxEntry>> {
        self.platform_write("outbox.claim")?;
        let statement = format!(
            "UPDATE outbox SET due_at = $2, tries = tries + 1, version = version + 1 \
             WHERE (tenant, id) IN (SELECT tenant, id FROM outbox \
             WHERE due_at <= $1 AND expires_at > $1 ORDER BY due_at LIMIT $3{}) RETURNING {}",
            C::DIALECT.skip_locked,
            columns!()
        );
        let statement = Statement::new(statement).bind(now).bind(until).bind(limit);
        let rows = self.fetch_all(statement).await?;
        self.done(sorted(all(&rows, read)?))
    }

    async fn postpone(&mut self, entry: &OutboxEntry) -> Result<OutboxEntry> {
        self.platform_write("outbox.postpone")?;
        let statement = concat!(
            "UPDATE outbox SET due_at = $4, version = version + 1 \
             WHERE tenant = $1 AND id = $2 AND version = $3 RETURNING ",
            columns!()
        );
        let statement = Statement::new(statement)
            .bind(entry.tenant.as_uuid())
            .bind(entry.id.as_uuid())
            .bind(entry.version)
            .bind(entry.due_at);
        let row = self.fetch(statement).await?;
        match one(row.as_ref(), read)? {
            Some(stored) => self.done(stored),
            None => Err(self.why_no_message(entry.tenant, entry.id).await?),
        }
    }

    async fn settle(&mut self, tenant: TenantId, id: MessageId, version: i64) -> Result<()> {
        self.platform_write("outbox.settle")?;
        let statement = "DELETE FROM outbox WHERE tenant = $1 AND id = $2 AND version = $3";
        let statement = Statement::new(statement)
            .bind(tenant.as_uuid())
            .bind(id.as_uuid())
            .bind(version);
        match self.execute(statement).await? {
            0 => Err(self.why_no_message(tenant, id).await?),
            _ => self.done(()),
        }
    }

    async fn delete_expired(&mut self, now: Timestamp, limit: u32) -> Result<Vec<OutboxEntry>> {
        self.platform_write("outbox.delete_expired")?;
        let statement = format!(
            "DELETE FROM outbox WHERE (tenant, id) IN (SELECT tenant, id FROM outbox \
             WHERE expires_at < $1 OR made_at > $2 ORDER BY expires_at LIMIT $3{}) RETURNING {}",
            C::DIALECT.skip_locked,
            columns!()
        );
        let ahead = later(now, OutboxEntry::AHEAD);
        let statement = Statement::new(statement).bind(now).bind(ahead).bind(limit);
        let rows = self.fetch_all(statement).await?;
        self.done(sorted(all(&rows, read)?))
    }
}

impl<C: Connection> SqlUnit<C> {
    /// Why a write with a version touched no message.
    async fn why_no_message(&mut self, tenant: TenantId, id: MessageId) -> Result<Error> {
        let statement = "SELECT 1 FROM outbox WHERE tenant = $1 AND id = $2";
        let statement = Statement::new(statement)
            .bind(tenant.as_uuid())
            .bind(id.as_uuid());
        Ok(match self.fetch(statement).await? {
            Some(_) => Error::stale("message"),
            None => Error::not_found("message"),
        })
    }
}
