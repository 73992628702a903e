//! The one connection that writes, and the task that lends it out.
//!
//! SQLite has one writer at a time, and what a commit costs is waiting for the
//! disk. So units of work take turns **inside one transaction**: each gets the
//! connection behind a savepoint of its own, and only when nobody waits any
//! more, or the group is large or old enough, the transaction is committed and
//! every unit of the group is answered. A hundred waiting commits share one
//! `fsync`; none is answered before it. A unit that is undone waits with them:
//! it may have read what was not permanent yet, and whoever looks again because
//! of that, with another connection, has to see it.
//!
//! ```text
//! BEGIN IMMEDIATE
//!   SAVEPOINT unit  … statements of one unit …  RELEASE unit      (its commit waits)
//!   SAVEPOINT unit  … statements of another …   ROLLBACK TO unit  (it waits too)
//!   SAVEPOINT unit  … statements of a third …                     (its commit waits)
//! COMMIT                                        all three are answered
//! ```
//!
//! The connection itself moves: to the unit, and back with what to do about
//! it. A unit that is dropped sends it back too, from whatever place and
//! without waiting, and everything it asked for is ordered before the rollback
//! by the connection's own queue.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use gatelodge_core::{
    Clock, Result,
    environment::{earlier, span_between},
};
use jiff::Timestamp;
use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::timeout,
};

use crate::error::Fault;

/// Units that may wait for their turn.
const QUEUE: usize = 1024;
/// Units that share one commit.
const GROUP: usize = 64;
/// How old a group may get before the next unit waits for the next group. In
/// this file's tests long enough that a busy machine does not split a group.
const GROUP_AGE: Duration = Duration::from_millis(if cfg!(test) { 10_000 } else { 10 });
/// How long a unit waits for its turn.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// How long closing waits for units that are still open.
const MAX_CLOSE: Duration = Duration::from_secs(5);
/// From when on a unit that holds the writer is worth a line in the log.
const SLOW_UNIT: Duration = Duration::from_secs(5);
/// How long announced changes are kept for listeners.
const KEPT_CHANGES: Duration = Duration::from_secs(600);
/// How often older ones are removed.
const PRUNE_EVERY: Duration = Duration::from_secs(60);

/// What the writer has done since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SqliteStats {
    /// Write units whose commit was answered with success.
    pub units: u64,
    /// Transactions that made them permanent, each waiting for the disk once.
    pub commits: u64,
    /// Transactions that failed and took all their units with them.
    pub lost_groups: u64,
}

#[derive(Default)]
struct Counters {
    units: AtomicU64,
    commits: AtomicU64,
    lost_groups: AtomicU64,
}

/// What the task works with.
pub(crate) struct WriterParts {
    pub(crate) connection: SqliteConnection,
    pub(crate) options: SqliteConnectOptions,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) patience: Duration,
    /// Notified when announced changes were committed.
    pub(crate) announced: Arc<Notify>,
}

/// Asks the task for the connection.
pub(crate) struct Writer {
    requests: mpsc::Sender<Request>,
    counters: Arc<Counters>,
}

enum Request {
    Unit(Waiting),
    Close(oneshot::Sender<()>),
}

struct Waiting {
    turn: oneshot::Sender<Result<WriteLease>>,
    since: Instant,
}

impl Writer {
    /// Starts the task.
    pub(crate) fn start(parts: WriterParts) -> Self {
        let (requests, inbox) = mpsc::channel(QUEUE);
        let counters = Arc::<Counters>::default();
        let task = Task {
            connection: Some(parts.connection),
            options: parts.options,
            clock: parts.clock,
            patience: parts.patience,
            announced: parts.announced,
            inbox,
            first_in_line: None,
            counters: counters.clone(),
            pruned_at: Timestamp::MIN,
        };
        tokio::spawn(task.run());
        Self { requests, counters }
    }

    /// Waits for a turn.
    pub(crate) async fn begin(&self) -> Result<WriteLease> {
        let (turn, lease) = oneshot::channel();
        let since = Instant::now();
        self.requests
            .try_send(Request::Unit(Waiting { turn, since }))
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => Fault::QueueFull(QUEUE),
                mpsc::error::TrySendError::Closed(_) => Fault::Closed,
            })?;
        timeout(MAX_WAIT, lease)
            .await
            .map_err(|_| Fault::NoTurn(MAX_WAIT.as_secs()))?
            .map_err(|_| Fault::Closed)?
    }

    pub(crate) fn stats(&self) -> SqliteStats {
        SqliteStats {
            units: self.counters.units.load(Ordering::Relaxed),
            commits: self.counters.commits.load(Ordering::Relaxed),
            lost_groups: self.counters.lost_groups.load(Ordering::Relaxed),
        }
    }

    /// Lets units that already wait have their turn, shortly, and closes.
    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        let close = async {
            if self.requests.send(Request::Close(done)).await.is_ok() {
                let _closed = closed.await;
            }
        };
        if timeout(MAX_CLOSE, close).await.is_err() {
            tracing::warn!("a unit of work is still open while the database is closed");
        }
    }
}

/// The connection on loan to one write unit.
pub(crate) struct WriteLease {
    loan: Option<(SqliteConnection, oneshot::Sender<Returned>)>,
}

struct Returned {
    connection: SqliteConnection,
    outcome: Outcome,
}

enum Outcome {
    Commit {
        reply: oneshot::Sender<Result<()>>,
        announces: bool,
    },
    Rollback(Option<oneshot::Sender<Result<()>>>),
}

impl WriteLease {
    pub(crate) fn connection(&mut self) -> Result<&mut SqliteConnection, Fault> {
        let loan = self.loan.as_mut().ok_or(Fault::Closed)?;
        Ok(&mut loan.0)
    }

    /// Waits until what the unit did is permanent. Dropped while it waits,
    /// the unit may still be committed.
    pub(crate) async fn commit(mut self, announces: bool) -> Result<()> {
        let (reply, committed) = oneshot::channel();
        self.give_back(Outcome::Commit { reply, announces });
        committed.await.map_err(|_| Fault::Closed)?
    }

    pub(crate) async fn rollback(mut self) -> Result<()> {
        let (reply, undone) = oneshot::channel();
        self.give_back(Outcome::Rollback(Some(reply)));
        undone.await.map_err(|_| Fault::Closed)?
    }

    fn give_back(&mut self, outcome: Outcome) {
        if let Some((connection, back)) = self.loan.take() {
            let _received = back.send(Returned {
                connection,
                outcome,
            });
        }
    }
}

impl Drop for WriteLease {
    fn drop(&mut self) {
        self.give_back(Outcome::Rollback(None));
    }
}

struct Task {
    /// `None` after a failure, until the next unit needs one.
    connection: Option<SqliteConnection>,
    options: SqliteConnectOptions,
    clock: Arc<dyn Clock>,
    patience: Duration,
    announced: Arc<Notify>,
    inbox: mpsc::Receiver<Request>,
    /// Taken from the inbox, but not served yet.
    first_in_line: Option<Request>,
    counters: Arc<Counters>,
    pruned_at: Timestamp,
}

/// The units that a transaction makes permanent.
#[derive(Default)]
struct Group {
    replies: Vec<oneshot::Sender<Result<()>>>,
    /// Of units that were undone, and may have read what the others wrote.
    undone: Vec<oneshot::Sender<Result<()>>>,
    announces: bool,
}

impl Task {
    async fn run(mut self) {
        loop {
            let request = match self.first_in_line.take() {
                Some(request) => Some(request),
                None => self.inbox.recv().await,
            };
            match request {
                Some(Request::Unit(waiting)) if waiting.turn.is_closed() => {}
                Some(Request::Unit(waiting)) => self.serve(waiting).await,
                Some(Request::Close(done)) => {
                    self.close().await;
                    let _heard = done.send(());
                    return;
                }
                None => return self.close().await,
            }
        }
    }

    /// One transaction, beginning with the unit that asked first.
    async fn serve(&mut self, mut waiting: Waiting) {
        let mut connection = match self.begin().await {
            Ok(connection) => connection,
            Err(fault) => return self.refuse(waiting, fault),
        };
        let started = Instant::now();
        let mut group = Group::default();
        for turns in 1_usize.. {
            let Some(returned) = lend(waiting.turn, connection).await else {
                return self.lose(None, group, Fault::GroupLost).await;
            };
            connection = returned.connection;
            let has_room = turns < GROUP && started.elapsed() < GROUP_AGE;
            let next = if has_room { self.next() } else { None };
            let settled = group.settle(&mut connection, returned.outcome, next.is_some());
            if let Err(fault) = settled.await {
                self.first_in_line = self.first_in_line.take().or(next.map(Request::Unit));
                return self.lose(Some(connection), group, fault).await;
            }
            match next {
                Some(next) => waiting = next,
                None => break,
            }
        }
        self.finish(connection, group).await;
    }

    async fn begin(&mut self) -> Result<SqliteConnection, Fault> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        match execute(&mut connection, "BEGIN IMMEDIATE; SAVEPOINT unit").await {
            Ok(()) => Ok(connection),
            Err(fault) => {
                if fault.is_locked() {
                    self.connection = Some(connection);
                }
                Err(fault)
            }
        }
    }

    /// Tells the unit, and those that have waited as long as it may take, that
    /// there is no transaction to be had.
    fn refuse(&mut self, waiting: Waiting, fault: Fault) {
        while let Some(next) = self.next() {
            if next.since.elapsed() < self.patience {
                self.first_in_line = Some(Request::Unit(next));
                break;
            }
            let _heard = next.turn.send(Err(fault.for_the_group()));
        }
        let _heard = waiting.turn.send(Err(fault.into()));
    }

    /// The next unit, if one waits already.
    fn next(&mut self) -> Option<Waiting> {
        loop {
            let request = match self.first_in_line.take() {
                Some(request) => request,
                None => self.inbox.try_recv().ok()?,
            };
            match request {
                Request::Unit(waiting) if waiting.turn.is_closed() => {}
                Request::Unit(waiting) => return Some(waiting),
                close @ Request::Close(_) => {
                    self.first_in_line = Some(close);
                    return None;
                }
            }
        }
    }

    /// Makes the group permanent and answers it.
    async fn finish(&mut self, mut connection: SqliteConnection, group: Group) {
        let is_empty = group.replies.is_empty();
        let end = if is_empty { "ROLLBACK" } else { "COMMIT" };
        if let Err(fault) = execute(&mut connection, end).await {
            return self.lose(Some(connection), group, fault).await;
        }
        self.connection = Some(connection);
        if is_empty {
            return;
        }
        let units = u64::try_from(group.replies.len()).unwrap_or(0);
        self.counters.units.fetch_add(units, Ordering::Relaxed);
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        for reply in group.replies.into_iter().chain(group.undone) {
            let _heard = reply.send(Ok(()));
        }
        if group.announces {
            self.announced.notify_one();
            self.prune().await;
        }
    }

    /// The transaction is gone. A new connection is made when one is needed:
    /// whatever was wrong with this one, it is not carried on.
    async fn lose(&mut self, connection: Option<SqliteConnection>, group: Group, fault: Fault) {
        tracing::error!(
            units = group.replies.len(),
            error = &fault as &dyn std::error::Error,
            "a transaction failed, nothing of it was kept"
        );
        if let Some(mut connection) = connection {
            let _already_undone = execute(&mut connection, "ROLLBACK").await;
            let _closed = connection.close().await;
        }
        self.counters.lost_groups.fetch_add(1, Ordering::Relaxed);
        for reply in group.replies {
            let _heard = reply.send(Err(fault.for_the_group()));
        }
        // Of these more was undone than they asked for.
        for reply in group.undone {
            let _heard = reply.send(Ok(()));
        }
    }

    /// Removes announced changes that every listener has had time to read.
    async fn prune(&mut self) {
        let now = self.clock.now();
        if span_between(self.pruned_at, now) < PRUNE_EVERY {
            return;
        }
        self.pruned_at = now;
        let Some(connection) = self.connection.as_mut() else {
            return;
        };
        let pruned = sqlx::query("DELETE FROM changes WHERE at < ?1")
            .bind(earlier(now, KEPT_CHANGES).as_millisecond())
            .execute(connection)
            .await;
        if let Err(error) = pruned {
            tracing::warn!(%error, "old change rows could not be removed");
        }
    }

    async fn close(mut self) {
        self.inbox.close();
        while let Some(waiting) = self.next() {
            let _heard = waiting.turn.send(Err(Fault::Closed.into()));
        }
        if let Some(mut connection) = self.connection.take() {
            if let Err(fault) = execute(&mut connection, "PRAGMA wal_checkpoint(TRUNCATE)").await {
                tracing::debug!(
                    error = &fault as &dyn std::error::Error,
                    "no checkpoint at close"
                );
            }
            let _closed = connection.close().await;
        }
    }
}

impl Group {
    /// Does what a unit asked for when it gave the connection back, and makes
    /// the savepoint of the next one if there is one. An error means that the
    /// whole transaction is gone: SQLite undoes it by itself when it runs out
    /// of disk or memory in the middle of a statement.
    async fn settle(
        &mut self,
        connection: &mut SqliteConnection,
        outcome: Outcome,
        has_next: bool,
    ) -> Result<(), Fault> {
        match outcome {
            // A commit that nobody waits for any more was cancelled in time.
            Outcome::Commit { reply, announces } if !reply.is_closed() => {
                self.replies.push(reply);
                self.announces |= announces;
                if has_next {
                    return execute(connection, "RELEASE unit; SAVEPOINT unit").await;
                }
                Ok(())
            }
            Outcome::Commit { .. } => execute(connection, "ROLLBACK TO unit").await,
            Outcome::Rollback(reply) => {
                let undone = execute(connection, "ROLLBACK TO unit").await;
                self.undone.extend(reply);
                if self.replies.is_empty() {
                    // It read nothing but what is permanent.
                    for reply in self.undone.drain(..) {
                        let _heard = reply.send(Ok(()));
                    }
                }
                undone
            }
        }
    }
}

/// Hands the connection over and waits for its return.
async fn lend(
    turn: oneshot::Sender<Result<WriteLease>>,
    connection: SqliteConnection,
) -> Option<Returned> {
    let (back, mut returned) = oneshot::channel();
    let lease = WriteLease {
        loan: Some((connection, back)),
    };
    // When nobody is there to take it, dropping the lease sends it back.
    drop(turn.send(Ok(lease)));
    let lent = Instant::now();
    loop {
        match timeout(SLOW_UNIT, &mut returned).await {
            Ok(returned) => return returned.ok(),
            Err(_) => tracing::warn!(
                seconds = lent.elapsed().as_secs(),
                "a unit of work holds the writer, all others wait"
            ),
        }
    }
}

async fn execute(connection: &mut SqliteConnection, sql: &'static str) -> Result<(), Fault> {
    sqlx::query(sql).execute(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
