#![doc = include_str!("../README.md")]

mod changes;
mod config;
mod error;
mod schema;
mod unit_of_work;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use gatelodge_core::{
    Clock, Error, Result,
    environment::SystemClock,
    storage::{Capabilities, ChangeFeed, Mode, Scope, Snapshot, Storage, UnitOfWork},
};
use gatelodge_storage_sql::{
    Changes, Columns as _, Connection as _, SqlSnapshot, Statement, schema::check_min_binary,
};
use sqlx::postgres::PgPoolOptions;
use tokio::{sync::Notify, time::timeout};

pub use config::PostgresConfig;
pub use gatelodge_storage_sql::schema::PlannedMigration;

use changes::Looker;
use error::Fault;
use unit_of_work::{Pool, PostgresUnit};

/// The version that a database's `min_binary` is compared with.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// How long a connection lies unused: less than firewalls forget one after.
const MAX_IDLE: Duration = Duration::from_secs(120);
/// How long the first look at the changes may take.
const MAX_START: Duration = Duration::from_secs(10);
/// How long closing waits for units that are still open.
const MAX_CLOSE: Duration = Duration::from_secs(5);

/// Everything, in one database that several nodes share. See the
/// [crate's documentation](crate).
pub struct PostgresStorage {
    pool: Pool,
    changes: Changes,
    clock: Arc<dyn Clock>,
    is_closed: AtomicBool,
    /// Host and database, for messages.
    place: String,
}

impl PostgresStorage {
    /// Opens the database, brings its schema up to date and checks that the
    /// accounts can do what they have to, and no more. Needs a tokio run time
    /// with timers, and keeps a task on it until it is closed or dropped.
    ///
    /// # Errors
    /// No migration is kept by half, and nothing of another program's database is touched.
    ///
    /// * [`ErrorKind::Invalid`]: a value of the configuration is wrong, the
    ///   database belongs to another program, or an account can do too little or too much.
    /// * [`ErrorKind::Unavailable`]: it cannot be reached, or only be read.
    /// * [`ErrorKind::Unsupported`]: the server is older than version 15, or the
    ///   database needs a newer program.
    /// * [`ErrorKind::Corrupt`]: the schema is not as this program left it.
    ///
    /// [`ErrorKind::Invalid`]: gatelodge_core::ErrorKind::Invalid
    /// [`ErrorKind::Unavailable`]: gatelodge_core::ErrorKind::Unavailable
    /// [`ErrorKind::Unsupported`]: gatelodge_core::ErrorKind::Unsupported
    /// [`ErrorKind::Corrupt`]: gatelodge_core::ErrorKind::Corrupt
    pub async fn open(config: PostgresConfig) -> Result<Self> {
        Self::open_with_clock(config, Arc::new(SystemClock)).await
    }

    /// As [`Self::open`], with the clock that dates announced changes.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub async fn open_with_clock(config: PostgresConfig, clock: Arc<dyn Clock>) -> Result<Self> {
        config.check()?;
        if config.is_exposed() {
            tracing::warn!(
                database = config.place(),
                "the connection may go over the network unencrypted; add `?sslmode=verify-full`"
            );
        }
        let roles = Arc::new(schema::prepare(&config).await?);
        let announced = Arc::new(Notify::new());
        let connections = PgPoolOptions::new()
            .max_connections(config.max_connections)
            .acquire_timeout(config.acquire_timeout())
            .test_before_acquire(false)
            .idle_timeout(MAX_IDLE)
            .connect_lazy_with(config.options()?);
        let looker = Looker::new(config.direct_options()?, &roles);
        let started = timeout(MAX_START, Changes::start(looker, announced.clone())).await;
        let changes = started
            .unwrap_or_else(|_| Err(schema::at(&config.place(), Fault::NoConnection(MAX_START))))?;
        Ok(Self {
            pool: Pool {
                connections,
                roles,
                patience: config.acquire_timeout(),
                prepares: config.prepared_statements,
                announced,
            },
            changes,
            clock,
            is_closed: AtomicBool::new(false),
            place: config.place(),
        })
    }

    /// All migrations that this program knows, and which of them the database has.
    /// Nothing is changed.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub async fn plan(config: &PostgresConfig) -> Result<Vec<PlannedMigration>> {
        config.check()?;
        schema::plan(config).await
    }

    fn check_open(&self) -> Result<(), Fault> {
        if self.is_closed.load(Ordering::SeqCst) {
            return Err(Fault::Closed);
        }
        Ok(())
    }
}

impl fmt::Debug for PostgresStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStorage")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Storage for PostgresStorage {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            row_security: true,
            change_feed: true,
            online_backup: true,
        }
    }

    async fn begin(&self, scope: Scope, mode: Mode) -> Result<Box<dyn UnitOfWork>> {
        self.check_open()?;
        let lease = self.pool.begin(scope, mode).await?;
        Ok(Box::new(PostgresUnit::new(
            scope,
            lease,
            self.clock.clone(),
        )))
    }

    async fn changes(&self) -> Result<Box<dyn ChangeFeed>> {
        self.check_open()?;
        self.changes.feed()
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        self.check_open()?;
        let lease = self.pool.snapshot().await?;
        let unit = PostgresUnit::new(Scope::Platform, lease, self.clock.clone());
        Ok(Box::new(SqlSnapshot::new(unit)))
    }

    async fn check(&self) -> Result<()> {
        self.check_open()?;
        let mut lease = self.pool.begin(Scope::Platform, Mode::Read).await?;
        let needed = Statement::new("SELECT min_binary FROM schema_info WHERE id = 1");
        let rows = lease.fetch_all(needed).await?;
        lease.rollback().await?;
        let needed = match rows.first() {
            Some(row) => row
                .text("min_binary")
                .map_err(|error| Error::internal("schema_info").because(error))?,
            None => None,
        };
        check_min_binary(needed.as_deref(), VERSION, &self.place)
    }

    async fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.changes.close();
        if timeout(MAX_CLOSE, self.pool.connections.close())
            .await
            .is_err()
        {
            tracing::warn!("a unit of work is still open while the database is closed");
        }
    }
}
