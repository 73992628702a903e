//! The connections that only read.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;
use gatelodge_storage_sql::Statement;
use sqlx::{
    ConnectOptions, Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteRow},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::{error::Fault, unit_of_work::query};

/// How long a read unit waits for a connection.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// How long closing waits for read units that are still open.
const MAX_CLOSE: Duration = Duration::from_secs(5);

/// A few connections for read units. Unlike a general pool it takes a
/// connection back without waiting and outside of any run time, since units of
/// work may be dropped anywhere.
#[derive(Clone)]
pub(crate) struct Readers {
    shared: Arc<Shared>,
}

struct Shared {
    options: SqliteConnectOptions,
    size: u32,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<SqliteConnection>>,
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Vec<SqliteConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Readers {
    pub(crate) fn new(options: SqliteConnectOptions, size: u32) -> Self {
        let places = usize::try_from(size).unwrap_or(1);
        Self {
            shared: Arc::new(Shared {
                options,
                size,
                places: Arc::new(Semaphore::new(places)),
                idle: Mutex::default(),
            }),
        }
    }

    /// A connection for a transaction of its own.
    pub(crate) async fn begin(&self) -> Result<ReadLease, Fault> {
        let place = timeout(MAX_WAIT, self.shared.places.clone().acquire_owned())
            .await
            .map_err(|_| Fault::NoTurn(MAX_WAIT.as_secs()))?
            .map_err(|_| Fault::Closed)?;
        let idle = self.shared.idle().pop();
        let is_used = idle.is_some();
        let connection = match idle {
            Some(connection) => connection,
            None => self.shared.options.connect().await?,
        };
        Ok(ReadLease {
            connection: Some(connection),
            shared: self.shared.clone(),
            is_used,
            is_begun: false,
            _place: place,
        })
    }

    /// Lets open units finish, shortly, and closes.
    pub(crate) async fn close(&self) {
        let all = self.shared.places.acquire_many(self.shared.size);
        let _finished = timeout(MAX_CLOSE, all).await;
        self.shared.places.close();
        let idle = std::mem::take(&mut *self.shared.idle());
        for connection in idle {
            let _closed = connection.close().await;
        }
    }
}

/// A connection on loan to one read unit. Dropped, it is rolled back and goes
/// back; the next unit is ordered behind the rollback by the connection's queue.
pub(crate) struct ReadLease {
    connection: Option<SqliteConnection>,
    shared: Arc<Shared>,
    /// Whether another unit had the connection before.
    is_used: bool,
    is_begun: bool,
    /// Freed after the connection is back, so never more connect than may.
    _place: OwnedSemaphorePermit,
}

impl ReadLease {
    /// All rows of an answer. The first statement takes `BEGIN` along: each way
    /// to the connection's thread and back costs more than a look-up does.
    pub(crate) async fn fetch_all(
        &mut self,
        statement: Statement,
    ) -> Result<Vec<SqliteRow>, Fault> {
        if self.is_begun {
            return self.fetch(statement).await;
        }
        self.is_begun = true;
        let first = begin_with(statement);
        if !self.is_used {
            return self.fetch(first).await;
        }
        match self.fetch(first.clone()).await {
            // Whatever is wrong with a connection that lay idle, a new one is not.
            Err(_) => {
                self.connection = Some(self.shared.options.connect().await?);
                self.fetch(first).await
            }
            found => found,
        }
    }

    /// A connection on which a statement failed is not used again.
    async fn fetch(&mut self, statement: Statement) -> Result<Vec<SqliteRow>, Fault> {
        let connection = self.connection.as_mut().ok_or(Fault::Closed)?;
        let fetched = query(statement).fetch_all(connection).await;
        if fetched.is_err() {
            self.connection = None;
        }
        Ok(fetched?)
    }
}

fn begin_with(statement: Statement) -> Statement {
    let (text, values) = statement.into_parts();
    Statement::new(format!("BEGIN; {text}")).bind_all(values)
}

impl Drop for ReadLease {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        if self.is_begun {
            // The first poll hands the statement to the connection's own thread;
            // its answer is of no interest. Should it ever fail, the next `BEGIN`
            // fails and the connection is thrown away.
            let _sent = sqlx::query("ROLLBACK")
                .execute(&mut connection)
                .now_or_never();
        }
        if !self.shared.places.is_closed() {
            self.shared.idle().push(connection);
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Row as _;

    use super::*;
    use crate::SqliteConfig;

    /// Readers of a database that holds one number, and a connection that writes.
    async fn bench() -> (tempfile::TempDir, Readers, SqliteConnection) {
        let folder = tempfile::tempdir().unwrap();
        let config = SqliteConfig::at(folder.path().join("test.db"));
        let path = config.prepare().unwrap();
        let mut writer = config.writer_options(&path).connect().await.unwrap();
        let schema = "PRAGMA journal_mode = WAL; CREATE TABLE numbers (number INTEGER); \
                      INSERT INTO numbers VALUES (1)";
        run(&mut writer, schema).await;
        (
            folder,
            Readers::new(config.reader_options(&path), 2),
            writer,
        )
    }

    async fn run(connection: &mut SqliteConnection, sql: &'static str) {
        sqlx::raw_sql(sql).execute(connection).await.unwrap();
    }

    async fn number(lease: &mut ReadLease, least: i64) -> Option<i64> {
        let statement = Statement::new("SELECT number FROM numbers WHERE number >= $1");
        let rows = lease.fetch_all(statement.bind(least)).await.unwrap();
        rows.first().map(|row| row.get(0))
    }

    #[tokio::test]
    async fn a_unit_sees_one_state_from_its_first_statement_to_its_end() {
        let (_folder, readers, mut writer) = bench().await;
        for before in [1, 2] {
            let mut lease = readers.begin().await.unwrap();
            assert_eq!(number(&mut lease, 0).await, Some(before));
            run(&mut writer, "UPDATE numbers SET number = number + 1").await;
            assert_eq!(number(&mut lease, 0).await, Some(before));
            assert_eq!(number(&mut lease, before + 1).await, None);
            drop(lease);
            assert_eq!(readers.shared.idle().len(), 1, "the connection is back");
        }
    }

    #[tokio::test]
    async fn a_unit_that_asks_nothing_gives_the_connection_back_as_it_was() {
        let (_folder, readers, mut writer) = bench().await;
        drop(readers.begin().await.unwrap());
        run(&mut writer, "UPDATE numbers SET number = 2").await;
        let mut lease = readers.begin().await.unwrap();
        assert_eq!(number(&mut lease, 0).await, Some(2));
    }

    #[tokio::test]
    async fn a_connection_that_went_bad_while_idle_is_replaced_unnoticed() {
        let (_folder, readers, _writer) = bench().await;
        drop(readers.begin().await.unwrap());
        let mut idle = readers.shared.idle().pop().unwrap();
        run(&mut idle, "BEGIN").await;
        readers.shared.idle().push(idle);
        let mut lease = readers.begin().await.unwrap();
        assert_eq!(number(&mut lease, 1).await, Some(1));
        assert_eq!(number(&mut lease, 1).await, Some(1));
        assert!(readers.shared.idle().is_empty());
    }

    #[tokio::test]
    async fn a_connection_on_which_a_statement_failed_is_not_used_again() {
        let (_folder, readers, _writer) = bench().await;
        for statements_before in [0, 1] {
            let mut lease = readers.begin().await.unwrap();
            for _ in 0..statements_before {
                assert_eq!(number(&mut lease, 1).await, Some(1));
            }
            let wrong = Statement::new("SELECT number FROM nowhere");
            assert!(lease.fetch_all(wrong.clone()).await.is_err());
            assert!(lease.fetch_all(wrong).await.is_err());
            drop(lease);
            assert!(readers.shared.idle().is_empty());
        }
        let mut lease = readers.begin().await.unwrap();
        assert_eq!(number(&mut lease, 1).await, Some(1));
    }
}
