use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    model::{ProviderId, RecordId, TenantId, UserId},
    secret::TokenHash,
    storage::{KeyOwner, Page, Record, RecordRepository},
};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    Columns, Connection, SqlUnit, Statement, Value,
    statement::Table,
    stored::{Stored, all, one},
    unit_of_work::missing,
    users::read_address,
};

/// At most this many records of a user are answered.
const MAX_RECORDS: i64 = 1_000;
/// At most this many users with one key are answered.
const MAX_OWNERS: i64 = 100;

pub(crate) const RECORDS: Table = Table {
    name: "records",
    key: "tenant, id",
    columns: &[
        "tenant",
        "id",
        "provider",
        "\"user\"",
        "key",
        "label",
        "expires_at",
        "created_at",
        "version",
        "sealed",
    ],
};

macro_rules! columns {
    () => {
        "id, provider, \"user\", key, label, expires_at, created_at, version, sealed"
    };
}

pub(crate) fn read(row: &impl Columns) -> Result<Record> {
    let row = Stored::new(row, "records");
    Ok(Record {
        id: RecordId::from_uuid(row.uuid("id")?),
        provider: row.name("provider", |id| ProviderId::new(id))?,
        user: row.optional_uuid("user")?.map(UserId::from_uuid),
        key: row.optional_hash("key")?,
        label: row.text("label")?,
        expires_at: row.optional_time("expires_at")?,
        created_at: row.time("created_at")?,
        version: row.integer("version")?,
        sealed: row.bytes("sealed")?,
    })
}

fn read_owner(row: &impl Columns) -> Result<KeyOwner> {
    let (tenant, user) = read_address(row, "records")?;
    let key = Stored::new(row, "records").hash("key")?;
    Ok(KeyOwner { key, tenant, user })
}

/// All columns, in the table's order.
pub(crate) fn values(tenant: Uuid, record: &Record) -> Vec<Value> {
    vec![
        tenant.into(),
        record.id.as_uuid().into(),
        record.provider.as_str().into(),
        record.user.map(|user| user.as_uuid()).into(),
        record.key.into(),
        record.label.as_str().into(),
        record.expires_at.into(),
        record.created_at.into(),
        record.version.into(),
        record.sealed.as_slice().into(),
    ]
}

#[async_trait]
impl<C: Connection> RecordRepository for SqlUnit<C> {
    async fn create(&mut self, record: &Record) -> Result<()> {
        let tenant = self.tenant_write("records.create")?;
        self.execute_one(RECORDS.insert(values(tenant, record)))
            .await
            .map_err(|error| missing(error, "user"))?;
        self.done(())
    }

    async fn by_id(&mut self, provider: &ProviderId, id: RecordId) -> Result<Option<Record>> {
        let tenant = self.tenant_read("records.by_id")?;
        let statement = concat!(
            "SELECT ",
            columns!(),
            " FROM records WHERE tenant = $1 AND id = $2 AND provider = $3"
        );
        let statement = Statement::new(statement)
            .bind(tenant)
            .bind(id.as_uuid())
            .bind(provider.as_str());
        let row = self.fetch(statement).await?;
        self.done(one(row.as_ref(), read)?)
    }

    async fn by_key(&mut self, provider: &ProviderId, key: &TokenHash) -> Result<Option<Record>> {
        let tenant = self.tenant_read("records.by_key")?;
        let statement = concat!(
            "SELECT ",
            columns!(),
            " FROM records WHERE tenant = $1 AND provider = $2 AND key = $3"
        );
        let statement = Statement::new(statement)
            .bind(tenant)
            .bind(provider.as_str())
            .bind(*key);
        let row = self.fetch(statement).await?;
        self.done(one(row.as_ref(), read)?)
    }

    async fn owners(
        &mut self,
        provider: &ProviderId,
        key: &TokenHash,
    ) -> Result<Vec<(TenantId, UserId)>> {
        self.platform_read("records.owners")?;
        let statement = "SELECT tenant, \"user\" FROM records \
                         WHERE provider = $1 AND key = $2 AND \"user\" IS NOT NULL \
                         ORDER BY tenant LIMIT $3";
        let statement = Statement::new(statement)
            .bind(provider.as_str())
            .bind(*key)
            .bind(MAX_OWNERS);
        let rows = self.fetch_all(statement).await?;
        self.done(all(&rows, |row| read_address(row, "records"))?)
    }

    async fn keyed(
        &mut self,
        provider: &ProviderId,
        page: Page<(TokenHash, TenantId)>,
    ) -> Result<Vec<KeyOwner>> {
        self.platform_read("records.keyed")?;
        let mut query = Statement::new(
            "SELECT tenant, \"user\", key FROM records \
             WHERE key IS NOT NULL AND \"user\" IS NOT NULL AND provider = ",
        );
        query.push_bind(provider.as_str());
        if let Some((key, tenant)) = page.after {
            query.push(" AND (key, tenant) > (").push_bind(key);
            query.push(", ").push_bind(tenant.as_uuid()).push(")");
        }
        query
            .push(" ORDER BY key, tenant LIMIT ")
            .push_bind(page.limit);
        let rows = self.fetch_all(query).await?;
        self.done(all(&rows, read_owner)?)
    }

    async fn by_user(&mut self, provider: &ProviderId, user: UserId) -> Result<Vec<Record>> {
        let tenant = self.tenant_read("records.by_user")?;
        let statement = concat!(
            "SELECT ",
            columns!(),
            " FROM records WHERE tenant = $1 AND \"user\" = $2 AND provider = $3 ORDER BY id LIMIT $4"
        );
        let statement = Statement::new(statement)
            .bind(tenant)
            .bind(user.as_uuid())
            .bind(provider.as_str())
            .bind(MAX_RECORDS);
        let rows = self.fetch_all(statement).await?;
        self.done(all(&rows, read)?)
    }

    async fn update(&mut self, record: &Record) -> Result<Record> {
        let tenant = self.tenant_write("records.update")?;
        let statement = concat!(
            "UPDATE records SET key = $5, label = $6, expires_at = $7, sealed = $8, \
             version = version + 1 \
             WHERE tenant = $1 AND id = $2 AND provider = $3 AND version = $4 RETURNING ",
            columns!()
        );
        let statement = Statement::new(statement)
            .bind(tenant)
            .bind(record.id.as_uuid())
            .bind(record.provider.as_str())
            .bind(record.version)
            .bind(record.key)
            .bind(record.label.as_str())
            .bind(record.expires_at)
            .bind(record.sealed.as_slice());
        let row = self.fetch(statement).await?;
        match one(row.as_ref(), read)? {
            Some(stored) => self.done(stored),
            None => Err(self
                .why_no_record(tenant, &record.provider, record.id)
                .await?),
        }
    }

    async fn delete(&mut self, provider: &ProviderId, id: RecordId, version: i64) -> Result<()> {
        let tenant = self.tenant_write("records.delete")?;
        let statement = "DELETE FROM records \
                         WHERE tenant = $1 AND id = $2 AND provider = $3 AND version = $4";
        let statement = Statement::new(statement)
            .bind(tenant)
            .bind(id.as_uuid())
            .bind(provider.as_str())
            .bind(version);
        match self.execute(statement).await? {
            0 => Err(self.why_no_record(tenant, provider, id).await?),
            _ => self.done(()),
        }
    }

    async fn delete_by_user(&mut self, provider: &ProviderId, user: UserId) -> Result<u64> {
        let tenant = self.tenant_write("records.delete_by_user")?;
        let statement = "DELETE FROM records WHERE tenant = $1 AND \"user\" = $2 AND provider = $3";
        let statement = Statement::new(statement)
            .bind(tenant)
            .bind(user.as_uuid())
            .bind(provider.as_str());
        let rows = self.execute(statement).await?;
        self.done(rows)
    }

    async fn delete_of_users(&mut self, provider: &ProviderId) -> Result<u64> {
        let tenant = self.tenant_write("records.delete_of_users")?;
        let statement =
            "DELETE FROM records WHERE tenant = $1 AND \"user\" IS NOT NULL AND provider = $2";
        let statement = Statement::new(statement)
            .bind(tenant)
            .bind(provider.as_str());
        let rows = self.execute(statement).await?;
        self.done(rows)
    }

    async fn delete_expired(&mut self, now: Timestamp, limit: u32) -> Result<u64> {
        let tenant = self.tenant_write("records.delete_expired")?;
        let statement = format!(
            "DELETE FROM records WHERE (tenant, id) IN (SELECT tenant, id FROM records \
             WHERE tenant = $1 AND expires_at < $2 ORDER BY expires_at LIMIT $3{})",
            C::DIALECT.skip_locked
        );
        let statement = Statement::new(statement).bind(tenant).bind(now).bind(limit);
        let rows = self.execute(statement).await?;
        self.done(rows)
    }
}

impl<C: Connection> SqlUnit<C> {
    /// Why a write with a version touched no record.
    async fn why_no_record(
        &mut self,
        tenant: Uuid,
        provider: &ProviderId,
        id: RecordId,
    ) -> Result<Error> {
        let statement = "SELECT 1 FROM records WHERE tenant = $1 AND id = $2 AND provider = $3";
        let statement = Statement::new(statement)
            .bind(tenant)
            .bind(id.as_uuid())
            .bind(provider.as_str());
        Ok(match self.fetch(statement).await? {
            Some(_) => Error::stale("record"),
            None => Error::not_found("record"),
        })
    }
}
