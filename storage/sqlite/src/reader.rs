//! The connections that only read, and how stored values become the model's.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;
use gatelodge_core::{Result, model::Lock, secret::TokenHash};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::{
    ConnectOptions, Connection, Decode, Row, Sqlite, SqliteConnection, Type,
    sqlite::{SqliteConnectOptions, SqliteRow},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use uuid::Uuid;

use crate::error::Fault;

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

    /// A connection in a transaction of its own.
    pub(crate) async fn begin(&self) -> Result<ReadLease, Fault> {
        let place = timeout(MAX_WAIT, self.shared.places.clone().acquire_owned())
            .await
            .map_err(|_| Fault::NoTurn(MAX_WAIT.as_secs()))?
            .map_err(|_| Fault::Closed)?;
        let idle = self.shared.idle().pop();
        if let Some(connection) = idle {
            let mut lease = self.lease(connection, place);
            if lease.start().await.is_ok() {
                return Ok(lease);
            }
            // Whatever is wrong with it, a new one is not.
            lease.connection = None;
            return self.connect(lease.place.take()).await;
        }
        self.connect(Some(place)).await
    }

    async fn connect(&self, place: Option<OwnedSemaphorePermit>) -> Result<ReadLease, Fault> {
        let place = place.ok_or(Fault::Closed)?;
        let connection = self.shared.options.connect().await?;
        let mut lease = self.lease(connection, place);
        lease.start().await?;
        Ok(lease)
    }

    fn lease(&self, connection: SqliteConnection, place: OwnedSemaphorePermit) -> ReadLease {
        ReadLease {
            connection: Some(connection),
            shared: self.shared.clone(),
            place: Some(place),
        }
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
    /// Freed after the connection is back, so never more connect than may.
    place: Option<OwnedSemaphorePermit>,
}

impl ReadLease {
    pub(crate) fn connection(&mut self) -> Result<&mut SqliteConnection, Fault> {
        self.connection.as_mut().ok_or(Fault::Closed)
    }

    async fn start(&mut self) -> Result<(), Fault> {
        sqlx::query("BEGIN").execute(self.connection()?).await?;
        Ok(())
    }
}

impl Drop for ReadLease {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        // The first poll hands the statement to the connection's own thread;
        // its answer is of no interest. Should it ever fail, the next `BEGIN`
        // fails and the connection is thrown away.
        let _sent = sqlx::query("ROLLBACK")
            .execute(&mut connection)
            .now_or_never();
        if !self.shared.places.is_closed() {
            self.shared.idle().push(connection);
        }
    }
}

/// A row of a table, read with suspicion: what does not fit is an error that
/// names the column.
pub(crate) struct Stored<'r> {
    row: &'r SqliteRow,
    table: &'static str,
}

impl<'r> Stored<'r> {
    pub(crate) fn new(row: &'r SqliteRow, table: &'static str) -> Self {
        Self { row, table }
    }

    pub(crate) fn value<T>(&self, column: &'static str) -> Result<T, Fault>
    where
        T: Decode<'r, Sqlite> + Type<Sqlite>,
    {
        self.row
            .try_get(column)
            .map_err(|error| self.wrong(column, error))
    }

    pub(crate) fn text(&self, column: &'static str) -> Result<String, Fault> {
        self.value(column)
    }

    pub(crate) fn uuid(&self, column: &'static str) -> Result<Uuid, Fault> {
        self.value(column)
    }

    pub(crate) fn integer(&self, column: &'static str) -> Result<i64, Fault> {
        self.value(column)
    }

    /// A flag, stored as 0 or 1.
    pub(crate) fn flag(&self, column: &'static str) -> Result<bool, Fault> {
        match self.integer(column)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.wrong(column, format!("{other} is no flag"))),
        }
    }

    pub(crate) fn time(&self, column: &'static str) -> Result<Timestamp, Fault> {
        self.as_time(column, self.integer(column)?)
    }

    pub(crate) fn optional_time(&self, column: &'static str) -> Result<Option<Timestamp>, Fault> {
        self.value::<Option<i64>>(column)?
            .map(|millis| self.as_time(column, millis))
            .transpose()
    }

    fn as_time(&self, column: &'static str, millis: i64) -> Result<Timestamp, Fault> {
        Timestamp::from_millisecond(millis).map_err(|error| self.wrong(column, error))
    }

    pub(crate) fn hash(&self, column: &'static str) -> Result<TokenHash, Fault> {
        let bytes: &[u8] = self.value(column)?;
        self.as_hash(column, bytes)
    }

    pub(crate) fn optional_hash(&self, column: &'static str) -> Result<Option<TokenHash>, Fault> {
        self.value::<Option<&[u8]>>(column)?
            .map(|bytes| self.as_hash(column, bytes))
            .transpose()
    }

    fn as_hash(&self, column: &'static str, bytes: &[u8]) -> Result<TokenHash, Fault> {
        let bytes = <[u8; 32]>::try_from(bytes).map_err(|error| self.wrong(column, error))?;
        Ok(TokenHash::from_bytes(bytes))
    }

    /// A text that `parse` knows.
    pub(crate) fn word<T>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Fault> {
        let text: &str = self.value(column)?;
        parse(text).ok_or_else(|| self.wrong(column, "an unknown word"))
    }

    pub(crate) fn optional_word<T>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        self.value::<Option<&str>>(column)?
            .map(|text| parse(text).ok_or_else(|| self.wrong(column, "an unknown word")))
            .transpose()
    }

    /// A name, checked as it was when it was stored.
    pub(crate) fn name<T>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Result<T>,
    ) -> Result<T, Fault> {
        let text: &str = self.value(column)?;
        parse(text).map_err(|error| self.wrong(column, error))
    }

    pub(crate) fn optional_name<T>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Result<T>,
    ) -> Result<Option<T>, Fault> {
        self.value::<Option<&str>>(column)?
            .map(|text| parse(text).map_err(|error| self.wrong(column, error)))
            .transpose()
    }

    pub(crate) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, Fault> {
        let text: &str = self.value(column)?;
        serde_json::from_str(text).map_err(|error| self.wrong(column, error))
    }

    /// The lock of a tenant or user, spread over four columns.
    pub(crate) fn lock(&self) -> Result<Option<Lock>, Fault> {
        let Some(since) = self.optional_time("lock_since")? else {
            return Ok(None);
        };
        Ok(Some(Lock {
            reason: self.value("lock_reason")?,
            until: self.optional_time("lock_until")?,
            since,
            cascade: self.flag("lock_cascade")?,
        }))
    }

    fn wrong(
        &self,
        column: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Fault {
        Fault::Value {
            table: self.table,
            column,
            source: source.into(),
        }
    }
}

/// Reads every row with `read`.
pub(crate) fn all<T>(
    rows: &[SqliteRow],
    read: impl Fn(&SqliteRow) -> Result<T, Fault>,
) -> Result<Vec<T>> {
    Ok(rows.iter().map(read).collect::<Result<_, Fault>>()?)
}

/// Reads the row, if there is one.
pub(crate) fn one<T>(
    row: Option<&SqliteRow>,
    read: impl Fn(&SqliteRow) -> Result<T, Fault>,
) -> Result<Option<T>> {
    Ok(row.map(read).transpose()?)
}
