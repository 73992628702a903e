#![doc = include_str!("../README.md")]

mod changes;
mod config;
mod error;
mod reader;
mod unit_of_work;
mod writer;

use std::{
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use gatelodge_core::{
    Clock, Error, ErrorKind, Result,
    environment::SystemClock,
    storage::{Capabilities, ChangeFeed, Mode, Scope, Snapshot, Storage, UnitOfWork},
};
use gatelodge_storage_sql::{
    Changes, SqlSnapshot, Statement,
    schema::{self, Applied, Migration},
};
use sqlx::{ConnectOptions, Row, SqliteConnection};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

pub use config::SqliteConfig;
pub use gatelodge_storage_sql::schema::PlannedMigration;
pub use writer::SqliteStats;

use changes::Looker;
use error::Fault;
use reader::Readers;
use unit_of_work::{Lease, SqliteUnit};
use writer::{Writer, WriterParts};

/// The version that a database's `min_binary` is compared with.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Marks our files in their header: "GtLd".
const APPLICATION_ID: i32 = 0x4774_4c64;

static MIGRATIONS: [Migration; 4] = [
    Migration {
        version: 1,
        name: "first",
        sql: include_str!("../migrations/0001_first.sql"),
    },
    Migration {
        version: 2,
        name: "outbox",
        sql: include_str!("../migrations/0002_outbox.sql"),
    },
    Migration {
        version: 3,
        name: "applications",
        sql: include_str!("../migrations/0003_applications.sql"),
    },
    Migration {
        version: 4,
        name: "identities",
        sql: include_str!("../migrations/0004_identities.sql"),
    },
];

/// Everything, in one file. See the [crate's documentation](crate).
pub struct SqliteStorage {
    writer: Writer,
    readers: Readers,
    changes: Changes,
    clock: Arc<dyn Clock>,
    is_closed: AtomicBool,
    /// The database's file, for messages.
    path: String,
}

impl SqliteStorage {
    /// Opens the database; makes it first where there is none, and brings its
    /// schema up to date. Needs a tokio run time with timers, and keeps two
    /// tasks on it until it is closed or dropped.
    ///
    /// # Errors
    /// Nothing of another program's file is touched, and no migration is kept by half.
    ///
    /// * [`ErrorKind::Invalid`]: a value of the configuration is wrong, or the
    ///   file belongs to another program.
    /// * [`ErrorKind::Unavailable`]: it cannot be created, read or written, or
    ///   another process holds its lock.
    /// * [`ErrorKind::Unsupported`]: it needs a newer program.
    /// * [`ErrorKind::Corrupt`]: it is no database, or not as this program left it.
    pub async fn open(config: SqliteConfig) -> Result<Self> {
        Self::open_with_clock(config, Arc::new(SystemClock)).await
    }

    /// As [`Self::open`], with the clock that dates announced changes.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub async fn open_with_clock(config: SqliteConfig, clock: Arc<dyn Clock>) -> Result<Self> {
        config.check()?;
        let path = config.prepare()?;
        let options = config.writer_options(&path);
        let of_path = |fault: Fault| at_opening(fault, &path);
        let mut connection = options.connect().await.map_err(|e| of_path(e.into()))?;
        recognise(&mut connection, &path).await?;
        let patience = config.busy_timeout();
        use_write_ahead_log(&mut connection, patience)
            .await
            .map_err(of_path)?;
        migrate(&mut connection, &clock, &path).await?;
        check_writable(&mut connection).await.map_err(of_path)?;

        let announced = Arc::new(Notify::new());
        let readers = config.reader_options(&path);
        let changes = Changes::start(Looker::new(readers.clone()), announced.clone()).await?;
        let writer = Writer::start(WriterParts {
            connection,
            options,
            clock: clock.clone(),
            patience,
            announced,
        });
        Ok(Self {
            writer,
            readers: Readers::new(readers, config.max_readers),
            changes,
            clock,
            is_closed: AtomicBool::new(false),
            path: path.display().to_string(),
        })
    }

    /// All migrations that this program knows, and which of them the database has.
    /// Nothing is made and nothing is changed; where there is no file, none is applied.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub async fn plan(config: &SqliteConfig) -> Result<Vec<PlannedMigration>> {
        config.check()?;
        if !config.path.exists() {
            let all: Vec<_> = MIGRATIONS.iter().collect();
            return Ok(schema::plan(&MIGRATIONS, &all));
        }
        let path = config.prepare()?;
        let of_path = |fault: Fault| at_opening(fault, &path);
        let mut connection = config
            .reader_options(&path)
            .connect()
            .await
            .map_err(|error| of_path(error.into()))?;
        recognise(&mut connection, &path).await?;
        let pending = pending(&mut connection, &path).await?;
        Ok(schema::plan(&MIGRATIONS, &pending))
    }

    /// What the writer has done since the database was opened.
    pub fn stats(&self) -> SqliteStats {
        self.writer.stats()
    }

    fn check_open(&self) -> Result<(), Fault> {
        if self.is_closed.load(Ordering::SeqCst) {
            return Err(Fault::Closed);
        }
        Ok(())
    }
}

impl fmt::Debug for SqliteStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStorage")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Storage for SqliteStorage {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            row_security: false,
            change_feed: true,
            online_backup: false,
        }
    }

    async fn begin(&self, scope: Scope, mode: Mode) -> Result<Box<dyn UnitOfWork>> {
        self.check_open()?;
        let lease = match mode {
            Mode::Read => Lease::Read(self.readers.begin().await?),
            Mode::Write => Lease::Write(self.writer.begin().await?),
        };
        Ok(Box::new(SqliteUnit::new(scope, lease, self.clock.clone())))
    }

    async fn changes(&self) -> Result<Box<dyn ChangeFeed>> {
        self.check_open()?;
        self.changes.feed()
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        self.check_open()?;
        let lease = Lease::Read(self.readers.begin().await?);
        let unit = SqliteUnit::new(Scope::Platform, lease, self.clock.clone());
        Ok(Box::new(SqlSnapshot::new(unit)))
    }

    async fn check(&self) -> Result<()> {
        self.check_open()?;
        let mut lease = self.readers.begin().await?;
        let needed = Statement::new("SELECT min_binary FROM schema_info WHERE id = 1");
        let needed = lease.fetch_all(needed).await?;
        let needed: Option<String> = match needed.first() {
            Some(row) => row.try_get(0).map_err(Fault::from)?,
            None => None,
        };
        schema::check_min_binary(needed.as_deref(), VERSION, &self.path)
    }

    async fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.changes.close();
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Refuses what is not ours, before anything is written to it.
async fn recognise(connection: &mut SqliteConnection, path: &Path) -> Result<()> {
    let read = async {
        let row = sqlx::query(
            "SELECT (SELECT application_id FROM pragma_application_id), \
             (SELECT count(*) FROM sqlite_schema)",
        )
        .fetch_one(connection)
        .await?;
        Ok((row.try_get::<i32, _>(0)?, row.try_get::<i64, _>(1)?))
    };
    match read.await.map_err(|fault| at_opening(fault, path))? {
        (APPLICATION_ID, _) | (0, 0) => Ok(()),
        _ => Err(Error::new(
            ErrorKind::Invalid,
            format!("`{}` is a database of another program", path.display()),
        )),
    }
}

/// SQLite does not wait for the lock that this change needs, so this does.
async fn use_write_ahead_log(
    connection: &mut SqliteConnection,
    patience: Duration,
) -> Result<(), Fault> {
    let give_up = Instant::now() + patience;
    loop {
        let row = sqlx::query("PRAGMA journal_mode = WAL").fetch_one(&mut *connection);
        let fault = match row.await.map_err(Fault::from) {
            Ok(row) if row.try_get::<&str, _>(0)? == "wal" => return Ok(()),
            // The file system cannot share memory between processes.
            Ok(_) => return Err(Fault::NoWriteAheadLog),
            Err(fault) => fault,
        };
        if !fault.is_locked() || Instant::now() >= give_up {
            return Err(fault);
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// Applies what is missing, one transaction each. Two processes that start at
/// once take turns: each looks again when it has the lock.
async fn migrate(
    connection: &mut SqliteConnection,
    clock: &Arc<dyn Clock>,
    path: &Path,
) -> Result<()> {
    let of_path = |fault: Fault| at_opening(fault, path);
    while !pending(connection, path).await?.is_empty() {
        run(connection, "BEGIN IMMEDIATE").await.map_err(of_path)?;
        let applied = match pending(connection, path).await.as_deref() {
            Ok([migration, ..]) => apply(connection, migration, clock).await.map_err(of_path),
            Ok([]) => Ok(()),
            Err(_) => pending(connection, path).await.map(drop),
        };
        let end = if applied.is_ok() {
            "COMMIT"
        } else {
            "ROLLBACK"
        };
        let ended = run(connection, end).await.map_err(of_path);
        applied?;
        ended?;
    }
    Ok(())
}

async fn apply(
    connection: &mut SqliteConnection,
    migration: &Migration,
    clock: &Arc<dyn Clock>,
) -> Result<(), Fault> {
    sqlx::raw_sql(
        "CREATE TABLE IF NOT EXISTS schema_migrations (\
         version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, \
         checksum BLOB NOT NULL CHECK (length(checksum) = 32), applied_at INTEGER NOT NULL) STRICT",
    )
    .execute(&mut *connection)
    .await?;
    sqlx::raw_sql(migration.sql)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (?1, ?2, ?3, ?4)",
    )
    .bind(migration.version)
    .bind(migration.name)
    .bind(migration.checksum())
    .bind(clock.now().as_millisecond())
    .execute(&mut *connection)
    .await?;
    // As the header's part of the same transaction: ours from the first table on.
    let mark = format!("PRAGMA application_id = {APPLICATION_ID}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(mark))
        .execute(connection)
        .await?;
    Ok(())
}

/// The migrations that the database lacks.
async fn pending(
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<Vec<&'static Migration>> {
    let applied = applied(connection)
        .await
        .map_err(|fault| at_opening(fault, path))?;
    schema::pending(&MIGRATIONS, &applied, VERSION, &path.display().to_string())
}

/// What the database says of its schema.
async fn applied(connection: &mut SqliteConnection) -> Result<Applied, Fault> {
    let table = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'";
    let table = sqlx::query(table).fetch_optional(&mut *connection);
    if table.await?.is_none() {
        return Ok(Applied::default());
    }
    let min_binary = sqlx::query_scalar("SELECT min_binary FROM schema_info WHERE id = 1")
        .fetch_optional(&mut *connection)
        .await?;
    let rows = sqlx::query_as("SELECT version, checksum FROM schema_migrations ORDER BY version")
        .fetch_all(connection)
        .await?;
    Ok(Applied {
        min_binary,
        migrations: rows,
    })
}

/// A file that this process may only read would open all the same, and fail
/// at the first write. A lock that somebody else holds for a while is no
/// reason not to start.
async fn check_writable(connection: &mut SqliteConnection) -> Result<(), Fault> {
    let nothing = "BEGIN IMMEDIATE; UPDATE schema_info SET min_binary = min_binary; ROLLBACK";
    match run(connection, nothing).await {
        Err(fault) if fault.is_locked() => Ok(()),
        result => result,
    }
}

async fn run(connection: &mut SqliteConnection, sql: &'static str) -> Result<(), Fault> {
    sqlx::raw_sql(sql).execute(connection).await?;
    Ok(())
}

fn at_opening(fault: Fault, path: &Path) -> Error {
    let message = format!("cannot use the database `{}`: {fault}", path.display());
    fault.into_error(message).during("storage.open")
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqliteConnectOptions;

    use super::*;

    /// An empty database in a folder of its own.
    async fn connect(
        options: impl FnOnce(SqliteConnectOptions) -> SqliteConnectOptions,
    ) -> (tempfile::TempDir, SqliteConnection) {
        let folder = tempfile::tempdir().unwrap();
        let config = SqliteConfig::at(folder.path().join("test.db"));
        let path = config.prepare().unwrap();
        let connection = options(config.writer_options(&path))
            .connect()
            .await
            .unwrap();
        (folder, connection)
    }

    #[tokio::test]
    async fn a_migration_that_finds_no_room_leaves_nothing_and_is_done_later() {
        let (_folder, mut connection) =
            connect(|options| options.pragma("max_page_count", "10")).await;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let error = migrate(&mut connection, &clock, Path::new("x"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("full"), "{error}");
        let tables = "SELECT count(*) FROM sqlite_schema";
        let left: i64 = sqlx::query_scalar(tables)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(left, 0);

        run(&mut connection, "PRAGMA max_page_count = 1000")
            .await
            .unwrap();
        migrate(&mut connection, &clock, Path::new("x"))
            .await
            .unwrap();
        assert!(
            pending(&mut connection, Path::new("x"))
                .await
                .unwrap()
                .is_empty()
        );
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_is_refused_as_read_only() {
        let (folder, mut connection) = connect(|options| options).await;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        migrate(&mut connection, &clock, Path::new("x"))
            .await
            .unwrap();
        check_writable(&mut connection).await.unwrap();
        let config = SqliteConfig::at(folder.path().join("test.db"));
        let options = config.reader_options(&config.path);
        let mut read_only = options.connect().await.unwrap();
        let fault = check_writable(&mut read_only).await.unwrap_err();
        let error = at_opening(fault, &config.path);
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("read-only"), "{error}");
    }
}
