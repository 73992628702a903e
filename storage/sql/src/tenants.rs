use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    model::{DisplayName, Lock, NameKey, Tenant, TenantId, TenantName, TenantSettings},
    storage::{Page, Scope, TenantRepository},
};

use crate::{
    Columns, Connection, SqlUnit, Statement, Value, json,
    statement::Table,
    stored::{Stored, all, one},
    unit_of_work::missing,
};

pub(crate) const TENANTS: Table = Table {
    name: "tenants",
    key: "id",
    columns: &[
        "id",
        "name",
        "name_key",
        "display_name",
        "display_name_key",
        "master",
        "lock_since",
        "lock_until",
        "lock_reason",
        "lock_cascade",
        "created_at",
        "version",
    ],
};

pub(crate) const SETTINGS: Table = Table {
    name: "tenant_settings",
    key: "tenant",
    columns: &["tenant", "settings", "version"],
};

macro_rules! columns {
    () => {
        "id, name, display_name, master, \
         lock_since, lock_until, lock_reason, lock_cascade, created_at, version"
    };
}

pub(crate) fn read(row: &impl Columns) -> Result<Tenant> {
    let row = Stored::new(row, "tenants");
    Ok(Tenant {
        id: TenantId::from_uuid(row.uuid("id")?),
        name: row.name("name", TenantName::new)?,
        display_name: row.name("display_name", DisplayName::new)?,
        master: row.optional_uuid("master")?.map(TenantId::from_uuid),
        lock: row.lock()?,
        created_at: row.time("created_at")?,
        version: row.integer("version")?,
    })
}

/// The four columns of a lock.
pub(crate) fn lock_values(lock: Option<&Lock>) -> [Value; 4] {
    [
        lock.map(|lock| lock.since).into(),
        lock.and_then(|lock| lock.until).into(),
        lock.and_then(|lock| lock.reason.as_deref()).into(),
        lock.is_some_and(|lock| lock.cascade).into(),
    ]
}

/// All columns, in the table's order.
pub(crate) fn values(tenant: &Tenant) -> Vec<Value> {
    let mut values = vec![
        tenant.id.as_uuid().into(),
        tenant.name.as_str().into(),
        (&tenant.name.key()).into(),
        tenant.display_name.as_str().into(),
        (&tenant.display_name.key()).into(),
        tenant.master.map(|master| master.as_uuid()).into(),
    ];
    values.extend(lock_values(tenant.lock.as_ref()));
    values.extend([tenant.created_at.into(), tenant.version.into()]);
    values
}

pub(crate) fn read_settings(row: &impl Columns) -> Result<(TenantSettings, i64)> {
    let row = Stored::new(row, "tenant_settings");
    Ok((row.json("settings")?, row.integer("version")?))
}

/// Whether a unit of this scope has this tenant.
fn reaches(scope: Scope, id: TenantId) -> bool {
    match scope {
        Scope::Platform => true,
        Scope::Tenant(own) => own == id,
    }
}

#[async_trait]
impl<C: Connection> TenantRepository for SqlUnit<C> {
    async fn create(&mut self, tenant: &Tenant) -> Result<()> {
        self.platform_write("tenants.create")?;
        self.execute_one(TENANTS.insert(values(tenant)))
            .await
            .map_err(|error| missing(error, "master tenant"))?;
        self.extend_closure(tenant).await?;
        self.done(())
    }

    async fn by_id(&mut self, id: TenantId) -> Result<Option<Tenant>> {
        let scope = self.read("tenants.by_id")?;
        if !reaches(scope, id) {
            return self.done(None);
        }
        let statement = concat!("SELECT ", columns!(), " FROM tenants WHERE id = $1");
        let row = self
            .fetch(Statement::new(statement).bind(id.as_uuid()))
            .await?;
        self.done(one(row.as_ref(), read)?)
    }

    async fn by_name(&mut self, name: &NameKey) -> Result<Option<Tenant>> {
        self.platform_read("tenants.by_name")?;
        let statement = concat!("SELECT ", columns!(), " FROM tenants WHERE name_key = $1");
        let row = self
            .fetch(Statement::new(statement).bind(name.as_str()))
            .await?;
        self.done(one(row.as_ref(), read)?)
    }

    async fn list(
        &mut self,
        search: Option<&NameKey>,
        page: Page<TenantId>,
    ) -> Result<Vec<Tenant>> {
        let mut query = Statement::new(concat!("SELECT ", columns!(), " FROM tenants WHERE true"));
        if let Scope::Tenant(own) = self.read("tenants.list")? {
            query.push(" AND id = ").push_bind(own.as_uuid());
        }
        if let Some(after) = page.after {
            query.push(" AND id > ").push_bind(after.as_uuid());
        }
        if let Some(search) = search {
            push_search::<C>(&mut query, &["name_key", "display_name_key"], search);
        }
        query.push(" ORDER BY id LIMIT ").push_bind(page.limit);
        let rows = self.fetch_all(query).await?;
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
             WHERE a.tenant = $1 AND a.depth > 0 ORDER BY a.depth"
        );
        let rows = self
            .fetch_all(Statement::new(statement).bind(id.as_uuid()))
            .await?;
        self.done(all(&rows, read)?)
    }

    async fn descendants(&mut self, id: TenantId) -> Result<Vec<TenantId>> {
        self.platform_read("tenants.descendants")?;
        let statement = "SELECT tenant FROM tenant_ancestors \
                         WHERE ancestor = $1 AND depth > 0 ORDER BY tenant";
        let rows = self
            .fetch_all(Statement::new(statement).bind(id.as_uuid()))
            .await?;
        let read = |row: &C::Row| Stored::new(row, "tenant_ancestors").uuid("tenant");
        self.done(all(&rows, |row| Ok(TenantId::from_uuid(read(row)?)))?)
    }

    async fn update(&mut self, tenant: &Tenant) -> Result<Tenant> {
        let scope = self.write("tenants.update")?;
        if !reaches(scope, tenant.id) {
            return Err(Error::not_found("tenant"));
        }
        let statement = concat!(
            "UPDATE tenants SET name = $3, name_key = $4, display_name = $5, \
             display_name_key = $6, lock_since = $7, lock_until = $8, lock_reason = $9, \
             lock_cascade = $10, version = version + 1 WHERE id = $1 AND version = $2 RETURNING ",
            columns!()
        );
        let statement = Statement::new(statement)
            .bind(tenant.id.as_uuid())
            .bind(tenant.version)
            .bind(tenant.name.as_str())
            .bind(&tenant.name.key())
            .bind(tenant.display_name.as_str())
            .bind(&tenant.display_name.key())
            .bind_all(lock_values(tenant.lock.as_ref()));
        let row = self.fetch(statement).await?;
        match one(row.as_ref(), read)? {
            Some(stored) => self.done(stored),
            None => Err(self.why_not(tenant.id).await?),
        }
    }

    async fn delete(&mut self, id: TenantId, version: i64) -> Result<()> {
        self.platform_write("tenants.delete")?;
        // Held first: whoever makes a sub-tenant meanwhile comes before or fails.
        let statement = format!(
            "SELECT version FROM tenants WHERE id = $1{}",
            C::DIALECT.lock_for_delete
        );
        let held = self
            .fetch(Statement::new(statement).bind(id.as_uuid()))
            .await?;
        let held = one(held.as_ref(), |row| {
            Stored::new(row, "tenants").integer("version")
        })?;
        match held {
            None => return Err(Error::not_found("tenant")),
            Some(stored) if stored != version => return Err(Error::stale("tenant")),
            Some(_) => {}
        }
        let subtenant = "SELECT 1 FROM tenants WHERE master = $1 LIMIT 1";
        let subtenant = Statement::new(subtenant).bind(id.as_uuid());
        if self.fetch(subtenant).await?.is_some() {
            return Err(Error::refused("the tenant has sub-tenants"));
        }
        let statement = "DELETE FROM tenants WHERE id = $1 AND version = $2";
        self.execute_one(Statement::new(statement).bind(id.as_uuid()).bind(version))
            .await?;
        self.done(())
    }

    async fn lock_row(&mut self, id: TenantId) -> Result<()> {
        let scope = self.write("tenants.lock_row")?;
        let statement = format!("SELECT 1 FROM tenants WHERE id = $1{}", C::DIALECT.lock);
        let statement = Statement::new(statement).bind(id.as_uuid());
        if !reaches(scope, id) || self.fetch(statement).await?.is_none() {
            return Err(Error::not_found("tenant"));
        }
        self.done(())
    }

    async fn hold(&mut self, id: TenantId) -> Result<Option<Tenant>> {
        let scope = self.write("tenants.hold")?;
        if !reaches(scope, id) {
            return self.done(None);
        }
        let statement = concat!("SELECT ", columns!(), " FROM tenants WHERE id = $1");
        let statement = format!("{statement}{}", C::DIALECT.hold);
        let row = self
            .fetch(Statement::new(statement).bind(id.as_uuid()))
            .await?;
        self.done(one(row.as_ref(), read)?)
    }

    async fn settings(&mut self, id: TenantId) -> Result<(TenantSettings, i64)> {
        let own = match self.read("tenants.settings")? {
            Scope::Platform => None,
            Scope::Tenant(own) => Some(own.as_uuid()),
        };
        let statement = Statement::new(
            "SELECT settings, version FROM tenant_settings WHERE tenant = $1 AND \
             ($2 IS NULL OR EXISTS \
             (SELECT 1 FROM tenant_ancestors WHERE tenant = $2 AND ancestor = $1))",
        )
        .bind(id.as_uuid())
        .bind(own);
        let row = self.fetch(statement).await?;
        let settings = one(row.as_ref(), read_settings)?;
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
            "INSERT INTO tenant_settings (tenant, settings, version) VALUES ($1, $2, $3 + 1) \
             ON CONFLICT DO NOTHING"
        } else {
            "UPDATE tenant_settings SET settings = $2, version = version + 1 \
             WHERE tenant = $1 AND version = $3"
        };
        let statement = Statement::new(statement)
            .bind(id.as_uuid())
            .bind(Value::Json(settings))
            .bind(version);
        match self.execute(statement).await? {
            0 => Err(Error::stale("tenant's settings")),
            _ => self.done(version.saturating_add(1)),
        }
    }
}

impl<C: Connection> SqlUnit<C> {
    /// Stores a tenant's masters: its own master, and that one's.
    pub(crate) async fn extend_closure(&mut self, tenant: &Tenant) -> Result<()> {
        let statement = Statement::new(
            "INSERT INTO tenant_ancestors (tenant, ancestor, depth) \
             SELECT $1, $1, 0 UNION ALL \
             SELECT $1, ancestor, depth + 1 FROM tenant_ancestors WHERE tenant = $2",
        )
        .bind(tenant.id.as_uuid())
        .bind(tenant.master.map(|master| master.as_uuid()));
        let ancestors = self.execute(statement).await?;
        // Itself, and at least the master where there is one.
        if ancestors < 1 + u64::from(tenant.master.is_some()) {
            return Err(Error::internal("the closure of the master is incomplete"));
        }
        Ok(())
    }

    async fn has_tenant(&mut self, id: TenantId) -> Result<bool> {
        let statement = "SELECT 1 FROM tenants WHERE id = $1";
        let row = self
            .fetch(Statement::new(statement).bind(id.as_uuid()))
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

/// `AND (column contains search OR …)`.
pub(crate) fn push_search<C: Connection>(
    query: &mut Statement,
    columns: &[&str],
    search: &NameKey,
) {
    let mut before = " AND (";
    for column in columns {
        query
            .push(before)
            .push(C::DIALECT.position)
            .push("(")
            .push(column)
            .push(", ")
            .push_bind(search)
            .push(") > 0");
        before = " OR ";
    }
    query.push(")");
}
