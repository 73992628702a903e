//! One unit of work: a connection in a transaction, a scope, and the two
//! gates that every statement passes.

use std::sync::Arc;

use async_trait::async_trait;
use gatelodge_core::{
    Clock, Error, Result,
    model::TenantId,
    storage::{
        AuditRepository, Change, Changed, FlowRepository, InstallationRepository, LimitRepository,
        RecordRepository, Scope, SessionRepository, TenantRepository, UnitOfWork, UserRepository,
    },
};
use serde::Serialize;
use sqlx::{
    Sqlite, SqliteConnection,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};
use uuid::Uuid;

use crate::{
    error::{Fault, unsupported},
    reader::ReadLease,
    writer::WriteLease,
};

/// A statement with its values.
pub(crate) type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;

/// A unit of work and, since every repository trait is implemented on it in
/// the file of its aggregate, all its repositories.
pub(crate) struct SqliteUnit {
    scope: Scope,
    lease: Lease,
    clock: Arc<dyn Clock>,
    announces: bool,
    /// The operation that is under way. One that was cut short, by an error or
    /// by dropping its future, stays here, and the unit takes no other.
    operation: Option<&'static str>,
}

pub(crate) enum Lease {
    Read(ReadLease),
    Write(WriteLease),
}

impl SqliteUnit {
    pub(crate) fn new(scope: Scope, lease: Lease, clock: Arc<dyn Clock>) -> Self {
        Self {
            scope,
            lease,
            clock,
            announces: false,
            operation: None,
        }
    }

    /// Begins an operation of any scope that reads; [`Self::done`] ends it.
    pub(crate) fn read(&mut self, operation: &'static str) -> Result<Scope> {
        if let Some(failed) = self.operation {
            return Err(Error::internal(format!(
                "after `{failed}` failed, this unit of work can only be rolled back"
            ))
            .during(operation));
        }
        self.operation = Some(operation);
        Ok(self.scope)
    }

    /// Begins an operation of any scope that writes.
    pub(crate) fn write(&mut self, operation: &'static str) -> Result<Scope> {
        let scope = self.read(operation)?;
        match self.lease {
            Lease::Write(_) => Ok(scope),
            Lease::Read(_) => Err(unsupported("a read unit cannot write").during(operation)),
        }
    }

    /// Begins a *tenant* operation that reads; answers the tenant.
    pub(crate) fn tenant_read(&mut self, operation: &'static str) -> Result<Uuid> {
        tenant_of(self.read(operation)?, operation)
    }

    /// Begins a *tenant* operation that writes; answers the tenant.
    pub(crate) fn tenant_write(&mut self, operation: &'static str) -> Result<Uuid> {
        tenant_of(self.write(operation)?, operation)
    }

    /// Begins a *platform* operation that reads.
    pub(crate) fn platform_read(&mut self, operation: &'static str) -> Result<()> {
        platform_of(self.read(operation)?, operation)
    }

    /// Begins a *platform* operation that writes.
    pub(crate) fn platform_write(&mut self, operation: &'static str) -> Result<()> {
        platform_of(self.write(operation)?, operation)
    }

    /// Ends the operation well.
    pub(crate) fn done<T>(&mut self, result: T) -> Result<T> {
        self.operation = None;
        Ok(result)
    }

    /// Runs a statement that writes; answers how many rows it touched.
    pub(crate) async fn execute(&mut self, statement: Statement<'_>) -> Result<u64> {
        let result = match self.connection() {
            Ok(connection) => statement.execute(connection).await.map_err(Fault::from),
            Err(fault) => Err(fault),
        };
        let result = result.map_err(|fault| self.named(fault))?;
        Ok(result.rows_affected())
    }

    /// Runs a statement that must touch exactly one row.
    pub(crate) async fn execute_one(&mut self, statement: Statement<'_>) -> Result<()> {
        match self.execute(statement).await? {
            1 => Ok(()),
            rows => Err(
                Error::internal(format!("{rows} rows were written instead of one"))
                    .during(self.operation.unwrap_or_default()),
            ),
        }
    }

    /// The first row, if there is one.
    pub(crate) async fn fetch(&mut self, statement: Statement<'_>) -> Result<Option<SqliteRow>> {
        let result = match self.connection() {
            Ok(connection) => statement
                .fetch_optional(connection)
                .await
                .map_err(Fault::from),
            Err(fault) => Err(fault),
        };
        result.map_err(|fault| self.named(fault))
    }

    /// All rows.
    pub(crate) async fn fetch_all(&mut self, statement: Statement<'_>) -> Result<Vec<SqliteRow>> {
        let result = match self.connection() {
            Ok(connection) => statement.fetch_all(connection).await.map_err(Fault::from),
            Err(fault) => Err(fault),
        };
        result.map_err(|fault| self.named(fault))
    }

    fn connection(&mut self) -> Result<&mut SqliteConnection, Fault> {
        match &mut self.lease {
            Lease::Read(lease) => lease.connection(),
            Lease::Write(lease) => lease.connection(),
        }
    }

    fn named(&self, fault: Fault) -> Error {
        Error::from(fault).during(self.operation.unwrap_or_default())
    }
}

/// A value as it is stored in a JSON column.
pub(crate) fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::internal("a value cannot be written as JSON").because(error))
}

fn tenant_of(scope: Scope, operation: &'static str) -> Result<Uuid> {
    match scope {
        Scope::Tenant(tenant) => Ok(tenant.as_uuid()),
        Scope::Platform => {
            Err(unsupported("a platform unit cannot reach into a tenant").during(operation))
        }
    }
}

fn platform_of(scope: Scope, operation: &'static str) -> Result<()> {
    match scope {
        Scope::Platform => Ok(()),
        Scope::Tenant(_) => {
            Err(unsupported("a tenant unit cannot reach the platform").during(operation))
        }
    }
}

#[async_trait]
impl UnitOfWork for SqliteUnit {
    fn scope(&self) -> Scope {
        self.scope
    }

    async fn enter(&mut self, tenant: TenantId) -> Result<()> {
        self.platform_read("unit.enter")?;
        self.scope = Scope::Tenant(tenant);
        self.done(())
    }

    fn tenants(&mut self) -> &mut dyn TenantRepository {
        self
    }

    fn users(&mut self) -> &mut dyn UserRepository {
        self
    }

    fn records(&mut self) -> &mut dyn RecordRepository {
        self
    }

    fn flows(&mut self) -> &mut dyn FlowRepository {
        self
    }

    fn sessions(&mut self) -> &mut dyn SessionRepository {
        self
    }

    fn limits(&mut self) -> &mut dyn LimitRepository {
        self
    }

    fn audit(&mut self) -> &mut dyn AuditRepository {
        self
    }

    fn installation(&mut self) -> &mut dyn InstallationRepository {
        self
    }

    async fn announce(&mut self, change: Change) -> Result<()> {
        self.write("unit.announce")?;
        let (what, object) = match change.what {
            Changed::Tenant => ("tenant", None),
            Changed::User(id) => ("user", Some(id.as_uuid())),
            Changed::Session(id) => ("session", Some(id.as_uuid())),
        };
        let statement =
            sqlx::query("INSERT INTO changes (at, tenant, what, object) VALUES (?1, ?2, ?3, ?4)")
                .bind(self.clock.now().as_millisecond())
                .bind(change.tenant.as_uuid())
                .bind(what)
                .bind(object);
        self.execute_one(statement).await?;
        self.announces = true;
        self.done(())
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        self.read("unit.commit")?;
        match self.lease {
            // It changed nothing: dropping it ends its transaction.
            Lease::Read(_) => Ok(()),
            Lease::Write(lease) => lease
                .commit(self.announces)
                .await
                .map_err(|error| error.during("unit.commit")),
        }
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        match self.lease {
            Lease::Read(_) => Ok(()),
            Lease::Write(lease) => lease.rollback().await,
        }
    }
}
