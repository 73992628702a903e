//! One unit of work: a connection in a transaction, a scope, and the two
//! gates that every statement passes.

use std::sync::Arc;

use async_trait::async_trait;
use gatelodge_core::{
    Clock, Error, ErrorKind, Result,
    model::TenantId,
    storage::{
        ApplicationRepository, ArchiveRepository, AuditRepository, Change, Changed, FlowRepository,
        InstallationRepository, LimitRepository, OutboxRepository, RecordRepository, Scope,
        SessionRepository, Snapshot, TenantRepository, UnitOfWork, UserRepository,
    },
};
use serde::Serialize;
use uuid::Uuid;

use crate::{Connection, Statement};

/// A unit of work and, since every repository trait is implemented on it in
/// the file of its aggregate, all its repositories.
pub struct SqlUnit<C> {
    scope: Scope,
    connection: C,
    clock: Arc<dyn Clock>,
    announces: bool,
    /// The operation that is under way. One that was cut short, by an error or
    /// by dropping its future, stays here, and the unit takes no other.
    operation: Option<&'static str>,
}

impl<C: Connection> SqlUnit<C> {
    /// A unit on a connection that knows its scope already. The clock dates
    /// announced changes.
    pub fn new(scope: Scope, connection: C, clock: Arc<dyn Clock>) -> Self {
        Self {
            scope,
            connection,
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
        if self.connection.can_write() {
            return Ok(scope);
        }
        Err(unsupported("a read unit cannot write").during(operation))
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

    /// Whether the unit writes.
    pub(crate) fn can_write(&self) -> bool {
        self.connection.can_write()
    }

    /// Runs a statement that writes; answers how many rows it touched.
    pub(crate) async fn execute(&mut self, statement: Statement) -> Result<u64> {
        let result = self.connection.execute(statement).await;
        result.map_err(|error| self.named(error))
    }

    /// Runs a statement that must touch exactly one row.
    pub(crate) async fn execute_one(&mut self, statement: Statement) -> Result<()> {
        match self.execute(statement).await? {
            1 => Ok(()),
            rows => Err(self.named(Error::internal(format!(
                "{rows} rows were written instead of one"
            )))),
        }
    }

    /// The first row, if there is one.
    pub(crate) async fn fetch(&mut self, statement: Statement) -> Result<Option<C::Row>> {
        Ok(self.fetch_all(statement).await?.into_iter().next())
    }

    /// All rows.
    pub(crate) async fn fetch_all(&mut self, statement: Statement) -> Result<Vec<C::Row>> {
        let result = self.connection.fetch_all(statement).await;
        result.map_err(|error| self.named(error))
    }

    fn named(&self, error: Error) -> Error {
        error.during(self.operation.unwrap_or_default())
    }
}

/// A value as it is stored in a JSON column.
///
/// # Errors
/// [`ErrorKind::Internal`] for what JSON cannot hold.
pub fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::internal("a value cannot be written as JSON").because(error))
}

/// Names what a broken reference was to; the database does not say.
pub(crate) fn missing(error: Error, what: &str) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::not_found(what).because(error),
        _ => error,
    }
}

/// A scope or mode that a method is not offered in.
pub(crate) fn unsupported(message: &str) -> Error {
    Error::new(ErrorKind::Unsupported, message)
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
impl<C: Connection> UnitOfWork for SqlUnit<C> {
    fn scope(&self) -> Scope {
        self.scope
    }

    async fn enter(&mut self, tenant: TenantId) -> Result<()> {
        self.platform_read("unit.enter")?;
        let scope = Scope::Tenant(tenant);
        self.connection.set_scope(scope).await?;
        self.scope = scope;
        self.done(())
    }

    fn tenants(&mut self) -> &mut dyn TenantRepository {
        self
    }

    fn users(&mut self) -> &mut dyn UserRepository {
        self
    }

    fn applications(&mut self) -> &mut dyn ApplicationRepository {
        self
    }

    fn records(&mut self) -> &mut dyn RecordRepository {
        self
    }

    fn outbox(&mut self) -> &mut dyn OutboxRepository {
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

    fn archive(&mut self) -> &mut dyn ArchiveRepository {
        self
    }

    async fn announce(&mut self, change: Change) -> Result<()> {
        self.write("unit.announce")?;
        let (what, object) = match change.what {
            Changed::Tenant => ("tenant", None),
            Changed::User(id) => ("user", Some(id.as_uuid())),
            Changed::Session(id) => ("session", Some(id.as_uuid())),
        };
        let statement = Statement::new(
            "INSERT INTO changes (at, tenant, what, object) VALUES ($1, $2, $3, $4)",
        )
        .bind(self.clock.now())
        .bind(change.tenant.as_uuid())
        .bind(what)
        .bind(object);
        self.execute_one(statement).await?;
        self.announces = true;
        self.done(())
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        self.read("unit.commit")?;
        let committed = self.connection.commit(self.announces).await;
        committed.map_err(|error| error.during("unit.commit"))
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        self.connection.rollback().await
    }
}

/// One state of everything, read through one unit whose scope is changed.
pub struct SqlSnapshot<C>(SqlUnit<C>);

impl<C: Connection> SqlSnapshot<C> {
    /// A snapshot on a unit of the platform that only reads.
    pub fn new(unit: SqlUnit<C>) -> Self {
        Self(unit)
    }
}

#[async_trait]
impl<C: Connection> Snapshot for SqlSnapshot<C> {
    async fn scope(&mut self, scope: Scope) -> Result<&mut dyn UnitOfWork> {
        if self.0.scope != scope {
            self.0.read("snapshot.scope")?;
            self.0.connection.set_scope(scope).await?;
            self.0.scope = scope;
            self.0.operation = None;
        }
        Ok(&mut self.0)
    }
}
