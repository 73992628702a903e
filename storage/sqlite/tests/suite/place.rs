//! A folder for a database, and another process that uses it too.

use std::{
    future::{Future, poll_fn},
    path::PathBuf,
    pin::pin,
    task::Poll,
};

use gatelodge_core::{
    Error, Result,
    storage::{Mode, Scope, Storage, UnitOfWork},
};
use gatelodge_storage_sqlite::{SqliteConfig, SqliteStorage};
use sqlx::{AssertSqlSafe, ConnectOptions, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

/// A folder of its own, removed in the end.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.path().join("gatelodge.db")
    }

    /// The defaults, but not to wait long for a lock.
    pub(crate) fn config(&self) -> SqliteConfig {
        let mut config = SqliteConfig::at(self.file());
        config.busy_timeout_ms = 2_000;
        config
    }

    pub(crate) async fn open(&self) -> SqliteStorage {
        SqliteStorage::open(self.config()).await.unwrap()
    }

    pub(crate) async fn refusal(&self) -> Error {
        SqliteStorage::open(self.config()).await.unwrap_err()
    }

    /// What another program would have: a connection that knows nothing of ours.
    pub(crate) async fn other_process(&self) -> SqliteConnection {
        SqliteConnectOptions::new()
            .filename(self.file())
            .create_if_missing(true)
            .connect()
            .await
            .unwrap()
    }
}

pub(crate) async fn run(connection: &mut SqliteConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .unwrap();
}

pub(crate) async fn number(connection: &mut SqliteConnection, sql: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
        .fetch_one(connection)
        .await
        .unwrap()
}

/// Stores a value of the installation in a unit of its own.
pub(crate) async fn put(storage: &SqliteStorage, name: &str, value: &[u8]) -> Result<i64> {
    let mut unit = storage.begin(Scope::Platform, Mode::Write).await?;
    let version = put_in(unit.as_mut(), name, value).await?;
    unit.commit().await?;
    Ok(version)
}

pub(crate) async fn put_in(unit: &mut dyn UnitOfWork, name: &str, value: &[u8]) -> Result<i64> {
    unit.installation().put(name, value, 0).await
}

pub(crate) async fn has(storage: &SqliteStorage, name: &str) -> bool {
    let mut unit = storage.begin(Scope::Platform, Mode::Read).await.unwrap();
    unit.installation().value(name).await.unwrap().is_some()
}

/// Polls `work` at most `polls` times, then drops it; what it answered, if it did.
pub(crate) async fn cancelled_after<T>(polls: usize, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut polled = 0;
    poll_fn(|context| {
        if polled == polls {
            return Poll::Ready(None);
        }
        polled += 1;
        match work.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if polled == polls => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
