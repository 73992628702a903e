use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    model::{Application, ApplicationId, ApplicationName, Audience, NameKey, TenantId},
    storage::{ApplicationRepository, Page, Scope},
};
use uuid::Uuid;

use crate::{
    Columns, Connection, SqlUnit, Statement, Value, json,
    statement::Table,
    stored::{Stored, all, one},
    unit_of_work::missing,
};

pub(crate) const APPLICATIONS: Table = Table {
    name: "applications",
    key: "tenant, id",
    columns: &[
        "tenant",
        "id",
        "name",
        "name_key",
        "audience",
        "origins",
        "return_to",
        "created_at",
        "version",
    ],
};

/// Finds out which origins are registered: what `applications.origins` says, row by row.
const ORIGINS: Table = Table {
    name: "application_origins",
    key: "tenant, application, origin",
    columns: &["tenant", "application", "origin"],
};

macro_rules! columns {
    () => {
        "tenant, id, name, audience, origins, return_to, created_at, version"
    };
}

pub(crate) fn read(row: &impl Columns) -> Result<Application> {
    let row = Stored::new(row, "applications");
    Ok(Application {
        id: ApplicationId::from_uuid(row.uuid("id")?),
        tenant: TenantId::from_uuid(row.uuid("tenant")?),
        name: row.name("name", ApplicationName::new)?,
        audience: row.name("audience", Audience::new)?,
        origins: row.json("origins")?,
        return_to: row.json("return_to")?,
        created_at: row.time("created_at")?,
        version: row.integer("version")?,
    })
}

/// All columns, in the table's order.
pub(crate) fn values(application: &Application) -> Result<Vec<Value>> {
    Ok(vec![
        application.tenant.as_uuid().into(),
        application.id.as_uuid().into(),
        application.name.as_str().into(),
        (&application.name.key()).into(),
        application.audience.as_str().into(),
        Value::Json(json(&application.origins)?),
        Value::Json(json(&application.return_to)?),
        application.created_at.into(),
        application.version.into(),
    ])
}

#[async_trait]
impl<C: Connection> ApplicationRepository for SqlUnit<C> {
    async fn create(&mut self, application: &Application) -> Result<()> {
        let tenant = self.tenant_write("applications.create")?;
        check_tenant(tenant, application)?;
        self.execute_one(APPLICATIONS.insert(values(application)?))
            .await
            .map_err(|error| missing(error, "tenant"))?;
        self.put_origins(application).await?;
        self.done(())
    }

    async fn by_id(&mut self, id: ApplicationId) -> Result<Option<Application>> {
        let scope = self.read("applications.by_id")?;
        let found = self.find("id", id.as_uuid().into(), scope).await?;
        self.done(found)
    }

    async fn by_audience(&mut self, audience: &Audience) -> Result<Option<Application>> {
        let scope = self.read("applications.by_audience")?;
        let found = self.find("audience", audience.as_str().into(), scope);
        let found = found.await?;
        self.done(found)
    }

    async fn by_name(&mut self, name: &NameKey) -> Result<Option<Application>> {
        let tenant = self.tenant_read("applications.by_name")?;
        let scope = Scope::Tenant(TenantId::from_uuid(tenant));
        let found = self.find("name_key", name.into(), scope).await?;
        self.done(found)
    }

    async fn has_origin(&mut self, origin: &str) -> Result<bool> {
        let scope = self.read("applications.has_origin")?;
        let mut query =
            Statement::new("SELECT 1 FROM application_origins WHERE origin = $1").bind(origin);
        if let Scope::Tenant(own) = scope {
            query.push(" AND tenant = ").push_bind(own.as_uuid());
        }
        query.push(" LIMIT 1");
        let row = self.fetch(query).await?;
        self.done(row.is_some())
    }

    async fn list(&mut self, page: Page<ApplicationId>) -> Result<Vec<Application>> {
        let tenant = self.tenant_read("applications.list")?;
        let statement = concat!(
            "SELECT ",
            columns!(),
            " FROM applications WHERE tenant = $1"
        );
        let mut query = Statement::new(statement).bind(tenant);
        if let Some(after) = page.after {
            query.push(" AND id > ").push_bind(after.as_uuid());
        }
        query.push(" ORDER BY id LIMIT ").push_bind(page.limit);
        let rows = self.fetch_all(query).await?;
        self.done(all(&rows, read)?)
    }

    async fn update(&mut self, application: &Application) -> Result<Application> {
        let tenant = self.tenant_write("applications.update")?;
        let statement = concat!(
            "UPDATE applications SET name = $4, name_key = $5, audience = $6, origins = $7, \
             return_to = $8, version = version + 1 \
             WHERE tenant = $1 AND id = $2 AND version = $3 RETURNING ",
            columns!()
        );
        let statement = Statement::new(statement)
            .bind(tenant)
            .bind(application.id.as_uuid())
            .bind(application.version)
            .bind(application.name.as_str())
            .bind(&application.name.key())
            .bind(application.audience.as_str())
            .bind(Value::Json(json(&application.origins)?))
            .bind(Value::Json(json(&application.return_to)?));
        let row = self.fetch(statement).await?;
        let Some(stored) = one(row.as_ref(), read)? else {
            return Err(self.why_no_application(tenant, application.id).await?);
        };
        self.put_origins(&stored).await?;
        self.done(stored)
    }

    async fn delete(&mut self, id: ApplicationId, version: i64) -> Result<()> {
        let tenant = self.tenant_write("applications.delete")?;
        let statement = "DELETE FROM applications WHERE tenant = $1 AND id = $2 AND version = $3";
        let statement = Statement::new(statement)
            .bind(tenant)
            .bind(id.as_uuid())
            .bind(version);
        match self.execute(statement).await? {
            0 => Err(self.why_no_application(tenant, id).await?),
            _ => self.done(()),
        }
    }
}

impl<C: Connection> SqlUnit<C> {
    async fn find(
        &mut self,
        column: &str,
        value: Value,
        scope: Scope,
    ) -> Result<Option<Application>> {
        let statement = concat!("SELECT ", columns!(), " FROM applications WHERE ");
        let mut query = Statement::new(statement);
        query.push(column).push(" = ").push_bind(value);
        if let Scope::Tenant(own) = scope {
            query.push(" AND tenant = ").push_bind(own.as_uuid());
        }
        let row = self.fetch(query).await?;
        one(row.as_ref(), read)
    }

    /// Makes the origins that are looked up those of the application.
    pub(crate) async fn put_origins(&mut self, application: &Application) -> Result<()> {
        let (tenant, id) = (application.tenant.as_uuid(), application.id.as_uuid());
        let forget = "DELETE FROM application_origins WHERE tenant = $1 AND application = $2";
        self.execute(Statement::new(forget).bind(tenant).bind(id))
            .await?;
        if application.origins.is_empty() {
            return Ok(());
        }
        let rows = application.origins.iter();
        let rows = rows.map(|origin| vec![tenant.into(), id.into(), origin.as_str().into()]);
        self.execute(ORIGINS.keep_all(rows.collect())).await?;
        Ok(())
    }

    /// Why a write with a version touched no application.
    async fn why_no_application(&mut self, tenant: Uuid, id: ApplicationId) -> Result<Error> {
        let statement = "SELECT 1 FROM applications WHERE tenant = $1 AND id = $2";
        let statement = Statement::new(statement).bind(tenant).bind(id.as_uuid());
        Ok(match self.fetch(statement).await? {
            Some(_) => Error::stale("application"),
            None => Error::not_found("application"),
        })
    }
}

/// Refuses an application of another tenant.
fn check_tenant(own: Uuid, application: &Application) -> Result<()> {
    if application.tenant.as_uuid() == own {
        return Ok(());
    }
    Err(Error::invalid("tenant", "an application of another tenant"))
}
