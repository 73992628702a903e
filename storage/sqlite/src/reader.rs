//! The connections that only read.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;
use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

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
