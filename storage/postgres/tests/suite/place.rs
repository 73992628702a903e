//! A database of a test's own, and who else connects to it.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use gatelodge_core::{
    Error, Result,
    storage::{Mode, Scope, Storage, UnitOfWork},
};
use gatelodge_postgres::Database;
use gatelodge_storage_postgres::{PostgresConfig, PostgresStorage};
use sqlx::{AssertSqlSafe, PgConnection};

/// A database of its own, removed in the end.
pub(crate) struct Place(pub(crate) Database);

impl Place {
    pub(crate) fn new() -> Self {
        Self(Database::new())
    }

    /// One address, of a superuser.
    pub(crate) fn config(&self) -> PostgresConfig {
        PostgresConfig::at(self.0.url())
    }

    /// The address of an account that owns the database, and has `options`.
    pub(crate) fn owner(&self, options: &str) -> String {
        let owner = self.0.login("owner", "owns", options);
        self.0.sql(&format!(
            "ALTER DATABASE \"{}\" OWNER TO \"{owner}\"",
            self.0.name()
        ));
        self.0.url_as(&owner, "owns")
    }

    /// Two addresses: an owner that may make roles, and an account that owns nothing.
    pub(crate) fn two_addresses(&self) -> PostgresConfig {
        self.served_by("NOINHERIT")
    }

    /// The same with an account that has `options`.
    pub(crate) fn served_by(&self, options: &str) -> PostgresConfig {
        let serving = self.0.login("serving", "serves", options);
        let mut config = PostgresConfig::at(self.0.url_as(&serving, "serves"));
        config.owner_url = Some(self.owner("CREATEROLE"));
        config
    }

    pub(crate) async fn open(&self) -> PostgresStorage {
        PostgresStorage::open(self.config()).await.unwrap()
    }

    /// The name of a role of the schema's, `tenant` or `platform`.
    pub(crate) fn role(&self, which: &str) -> String {
        self.0
            .sql(&format!("SELECT {which}_role FROM gatelodge.schema_info"))
    }
}

pub(crate) async fn refusal(config: PostgresConfig) -> Error {
    PostgresStorage::open(config).await.unwrap_err()
}

pub(crate) async fn run(connection: &mut PgConnection, sql: &str) -> sqlx::Result<u64> {
    let sql = AssertSqlSafe(sql.to_owned());
    let done = sqlx::raw_sql(sql).execute(connection).await?;
    Ok(done.rows_affected())
}

/// Stores a value of the installation in a unit of its own.
pub(crate) async fn put(storage: &dyn Storage, name: &str) -> Result<()> {
    let mut unit = storage.begin(Scope::Platform, Mode::Write).await?;
    put_in(unit.as_mut(), name).await?;
    unit.commit().await
}

pub(crate) async fn put_in(unit: &mut dyn UnitOfWork, name: &str) -> Result<()> {
    unit.installation().put(name, b"1", 0).await?;
    Ok(())
}

pub(crate) async fn has(storage: &dyn Storage, name: &str) -> Result<bool> {
    let mut unit = storage.begin(Scope::Platform, Mode::Read).await?;
    Ok(unit.installation().value(name).await?.is_some())
}

/// Polls a future once, and drops it if it has not answered.
pub(crate) async fn polled_once<T>(future: impl Future<Output = T>) -> Option<T> {
    cancelled_after(1, future).await
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

/// Waits until it is so.
pub(crate) async fn eventually(is_so: impl Fn() -> bool) {
    for _ in 0..200 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it did not come to be so");
}
