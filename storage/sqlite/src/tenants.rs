use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    model::{DisplayName, Lock, NameKey, Tenant, TenantId, TenantName, TenantSettings},
    storage::{Page, Scope, TenantRepository},
};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

use crate::{
    error::{Fault, missing},
    reader::{Stored, all, one},
    unit_of_work::{SqliteUnit, Statement, json},
};

macro_rules! columns {
    () => {
        "id, name, display_name, master, \
         lock_since, lock_until, lock_reason, lock_cascade, created_at, version"
    };
}

macro_rules! has_text {
    () => {
        "(?2 IS NULL OR instr(name_key, ?2) > 0 OR instr(display_name_key, ?2) > 0)"
    };
}

fn read(row: &SqliteRow) -> Result<Tenant, Fault> {
    let row = Stored::new(row, "tenants");
    let master: Option<_> = row.value("master")?;
    Ok(Tenant {
        id: TenantId::from_uuid(row.uuid("id")?),
        name: row.name("name", TenantName::new)?,
        display_name: row.name("display_name", DisplayName::new)?,
        master: master.map(TenantId::from_uuid),
        lock: row.lock()?,
        created_at: row.time("created_at")?,
        version: row.integer("version")?,
    })
}

/// Binds the four columns of a lock.
pub(crate) fn bind_lock<'q>(statement: Statement<'q>, lock: Option<&Lock>) -> Statement<'q> {
    statement
        .bind(lock.map(|lock| lock.since.as_millisecond()))
        .bind(
            lock.and_then(|lock| lock.until)
                .map(Timestamp::as_millisecond),
        )
        .bind(lock.and_then(|lock| lock.reason.clone()))
        .bind(lock.is_some_and(|lock| lock.cascade))
}

/// Whether a unit of this scope has this tenant.
fn reaches(scope: Scope, id: TenantId) -> bool {
    match scope {
        Scope::Platform => true,
        Scope::Tenant(own) => own == id,
    }
}

#[async_trait]
impl TenantRepository for SqliteUnit {
    async fn create(&mut self, tenant: &Tenant) -> Result<()> {
        self.platform_write("tenants.create")?;
        let statement = sqlx::query(
            "INSERT INTO tenants (id, name, name_key, display_name, display_name_key, master, \
             created_at, version, lock_since, lock_until, lock_reason, lock_cascade) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )
        .bind(tenant.id.as_uuid())
        .bind(tenant.name.as_str())
        .bind(tenant.name.key().as_str())
        .bind(tenant.display_name.as_str())
        .bind(tenant.display_name.key().as_str())
        .bind(tenant.master.map(|master| master.as_uuid()))
        .bind(tenant.created_at.as_millisecond())
        .bind(tenant.version);
        self.execute_one(bind_lock(statement, tenant.lock.as_ref()))
            .await
            .map_err(|error| missing(error, "master tenant"))?;
        let ancestors = self
            .execute(
                sqlx::query(
                    "INSERT INTO tenant_ancestors (tenant, ancestor, depth) \
                     SELECT ?1, ?1, 0 UNION ALL \
                     SELECT ?1, ancestor, depth + 1 FROM tenant_ancestors WHERE tenant = ?2",
                )
                .bind(tenant.id.as_uuid())
                .bind(tenant.master.map(|master| master.as_uuid())),
            )
            .await?;
        // Itself, and at least the master where there is one.
        if ancestors < 1 + u64::from(tenant.master.is_some()) {
            return Err(Error::internal("the closure of the master is incomplete"));
        }
        self.done(())
    }

    async fn by_id(&mut self, id: TenantId) -> Result<Option<Tenant>> {
        let scope = self.read("tenants.by_id")?;
        if !reaches(scope, id) {
            return self.done(None);
        }
        let statement = concat!("SELECT ", columns!(), " FROM tenants WHERE id = ?1");
        let row = self
            .fetch(sqlx::query(statement).bind(id.as_uuid()))
            .await?;
        self.done(one(row.as_ref(), read)?)
    }

    async fn by_name(&mut self, name: &NameKey) -> Result<Option<Tenant>> {
        self.platform_read("tenants.by_name")?;
        let statement = concat!("SELECT ", columns!(), " FROM tenants WHERE name_key = ?1");
        let row = self
            .fetch(sqlx::query(statement).bind(name.as_str()))
            .await?;
        self.done(one(row.as_ref(), read)?)
    }

    async fn list(
        &mut self,
        search: Option<&NameKey>,
        page: Page<TenantId>,
    ) -> Result<Vec<Tenant>> {
        let all_tenants = concat!(
            "SELECT ",
            columns!(),
            " FROM tenants WHERE id > coalesce(?1, x'') AND ",
            has_text!(),
            " ORDER BY id LIMIT ?3"
        );
        let own_tenant = concat!(
            "SELECT ",
            columns!(),
            " FROM tenants WHERE id = ?4 AND id > coalesce(?1, x'') AND ",
            has_text!(),
            " LIMIT ?3"
        );
        let (statement, own) = match self.read("tenants.list")? {
            Scope::Platform => (all_tenants, None),
            Scope::Tenant(own) => (own_tenant, Some(own.as_uuid())),
        };
        let statement = sqlx::query(statement)
            .bind(page.after.map(|after| after.as_uuid()))
            .bind(search.map(NameKey::as_str))
            .bind(i64::from(page.limit))
            .bind(own);
        let rows = self.fetch_all(statement).await?;
        self.done(all(&rows, read)?)
    }

    async fn ancestors(&mut self, id: TenantId) -> Result<Vec<Tenant>> {
        let scope = self.read("tenants.ancestors")?;
        if !reaches(scope, id) {
            return self.done(Vec::new());
        }
        let statement = concat!(
            "SELECT ",
            columns!(),
            " FROM tenant_ancestors AS a JOIN tenants ON id = a.ancestor \
             WHERE a.tenant = ?1 AND a.depth > 0 ORDER BY a.depth"
        );
        let rows = self
            .fetch_all(sqlx::query(statement).bind(id.as_uuid()))
            .await?;
        self.done(all(&rows, read)?)
    }

    async fn descendants(&mut self, id: TenantId) -> Result<Vec<TenantId>> {
        self.platform_read("tenants.descendants")?;
        let statement = "SELECT tenant FROM tenant_ancestors \
                         WHERE ancestor = ?1 AND depth > 0 ORDER BY tenant";
        let rows = self
            .fetch_all(sqlx::query(statement).bind(id.as_uuid()))
            .await?;
        let read = |row: &SqliteRow| Stored::new(row, "tenant_ancestors").uuid("tenant");
        self.done(all(&rows, |row| Ok(TenantId::from_uuid(read(row)?)))?)
    }

    async fn update(&mut self, tenant: &Tenant) -> Result<Tenant> {
        let scope = self.write("tenants.update")?;
        if !reaches(scope, tenant.id) {
            return Err(Error::not_found("tenant"));
        }
        let statement = concat!(
            "UPDATE tenants SET name = ?3, name_key = ?4, display_name = ?5, \
             display_name_key = ?6, lock_since = ?7, lock_until = ?8, lock_reason = ?9, \
             lock_cascade = ?10, version = version + 1 WHERE id = ?1 AND version = ?2 RETURNING ",
            columns!()
        );
        let statement = sqlx::query(statement)
            .bind(tenant.id.as_uuid())
            .bind(tenant.version)
            .bind(tenant.name.as_str())
            .bind(tenant.name.key().as_str())
            .bind(tenant.display_name.as_str())
            .bind(tenant.display_name.key().as_str());
        let row = self
            .fetch(bind_lock(statement, tenant.lock.as_ref()))
            .await?;
        match one(row.as_ref(), read)? {
            Some(stored) => self.done(stored),
            None => Err(self.why_not(tenant.id).await?),
        }
    }

    async fn delete(&mut self, id: TenantId, version: i64) -> Result<()> {
        self.platform_write("tenants.delete")?;
        let subtenant = "SELECT 1 FROM tenants WHERE master = ?1 LIMIT 1";
        let subtenant = self
            .fetch(sqlx::query(subtenant).bind(id.as_uuid()))
            .await?;
        let statement = "SELECT 1 FROM tenants WHERE id = ?1 AND version = ?2";
        let statement = sqlx::query(statement).bind(id.as_uuid()).bind(version);
        if self.fetch(statement).await?.is_none() {
            return Err(self.why_not(id).await?);
        }
        if subtenant.is_some() {
            return Err(Error::refused("the tenant has sub-tenants"));
        }
        let statement = "DELETE FROM tenants WHERE id = ?1 AND version = ?2";
        self.execute_one(sqlx::query(statement).bind(id.as_uuid()).bind(version))
            .await?;
        self.done(())
    }

    /// The one writer is the lock: whoever comes here has it.
    async fn lock_row(&mut self, id: TenantId) -> Result<()> {
        let scope = self.write("tenants.lock_row")?;
        if !reaches(scope, id) || !self.has_tenant(id).await? {
            return Err(Error::not_found("tenant"));
        }
        self.done(())
    }

    async fn settings(&mut self, id: TenantId) -> Result<(TenantSettings, i64)> {
        let own = match self.read("tenants.settings")? {
            Scope::Platform => None,
            Scope::Tenant(own) => Some(own.as_uuid()),
        };
        let statement = sqlx::query(
            "SELECT settings, version FROM tenant_settings WHERE tenant = ?1 \
             AND (?2 IS NULL OR EXISTS \
             (SELECT 1 FROM tenant_ancestors WHERE tenant = ?2 AND ancestor = ?1))",
        )
        .bind(id.as_uuid())
        .bind(own);
        let row = self.fetch(statement).await?;
        let settings = one(row.as_ref(), |row| {
            let row = Stored::new(row, "tenant_settings");
            Ok((row.json("settings")?, row.integer("version")?))
        })?;
        self.done(settings.unwrap_or_default())
    }

    async fn put_settings(
        &mut self,
        id: TenantId,
        settings: &TenantSettings,
        version: i64,
    ) -> Result<i64> {
        let scope = self.write("tenants.put_settings")?;
        if !reaches(scope, id) || !self.has_tenant(id).await? {
            return Err(Error::not_found("tenant"));
        }
        let settings = json(settings)?;
        let statement = if version == 0 {
            "INSERT INTO tenant_settings (tenant, settings, version) VALUES (?1, ?2, ?3 + 1) \
             ON CONFLICT DO NOTHING"
        } else {
            "UPDATE tenant_settings SET settings = ?2, version = version + 1 \
             WHERE tenant = ?1 AND version = ?3"
        };
        let statement = sqlx::query(statement)
            .bind(id.as_uuid())
            .bind(settings)
            .bind(version);
        match self.execute(statement).await? {
            0 => Err(Error::stale("tenant's settings")),
            _ => self.done(version.saturating_add(1)),
        }
    }
}

impl SqliteUnit {
    async fn has_tenant(&mut self, id: TenantId) -> Result<bool> {
        let statement = "SELECT 1 FROM tenants WHERE id = ?1";
        let row = self
            .fetch(sqlx::query(statement).bind(id.as_uuid()))
            .await?;
        Ok(row.is_some())
    }

    /// Why a write with a version touched no tenant.
    async fn why_not(&mut self, id: TenantId) -> Result<Error> {
        Ok(if self.has_tenant(id).await? {
            Error::stale("tenant")
        } else {
            Error::not_found("tenant")
        })
    }
}
