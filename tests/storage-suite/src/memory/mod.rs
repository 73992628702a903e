//! A storage in memory, **for tests only**: it forgets everything when it is
//! dropped. It passes this crate's suite and is stricter than it has to be: a
//! unit that saw an error refuses all but `rollback`.
//!
//! One writer at a time works on a copy of everything; `commit` puts the copy
//! in place. A read unit holds the state of its beginning. With
//! [`MemoryStorage::side_by_side`] writers run at the same time, as on a
//! database at READ COMMITTED: for tests of what races there.

mod applications;
mod archive;
mod audit;
mod flaw;
mod flows;
mod installation;
mod limits;
mod outbox;
mod records;
mod sessions;
mod side_by_side;
mod state;
mod tenants;
mod unit;
mod users;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use gatelodge_core::{
    Error, ErrorKind, Result,
    storage::{
        Capabilities, Change, ChangeFeed, FeedEvent, Mode, Scope, Snapshot, Storage, UnitOfWork,
    },
};
use tokio::sync::{
    OwnedMutexGuard,
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

use archive::MemorySnapshot;
#[doc(hidden)]
pub use flaw::Flaw;
use side_by_side::{Locks, carried};
use state::State;
use unit::MemoryUnit;

/// How often a feed says that it missed nothing, with changes or without.
const CONFIRMATION: Duration = Duration::from_millis(100);

/// A storage in memory, see the [module](self).
#[derive(Clone)]
pub struct MemoryStorage {
    shared: Arc<Shared>,
}

impl MemoryStorage {
    /// An empty storage with a change feed.
    pub fn new() -> Self {
        Self::with(None, true, None)
    }

    /// An empty storage whose write units run side by side.
    pub fn side_by_side() -> Self {
        Self::with(None, true, Some(Locks::default()))
    }

    /// An empty storage that refuses to open a change feed.
    pub fn without_change_feed() -> Self {
        Self::with(None, false, None)
    }

    /// An empty storage with one defect, to see that the suite finds it.
    #[doc(hidden)]
    pub fn flawed(flaw: Flaw) -> Self {
        Self::with(Some(flaw), true, None)
    }

    fn with(flaw: Option<Flaw>, has_feed: bool, locks: Option<Locks>) -> Self {
        Self {
            shared: Arc::new(Shared {
                flaw,
                has_feed,
                locks,
                closed: AtomicBool::new(false),
                writer: Arc::default(),
                committed: Mutex::default(),
            }),
        }
    }
}

impl Default for MemoryStorage {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStorage")
    }
}

#[async_trait]
impl Storage for MemoryStorage {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            change_feed: self.shared.has_feed && !self.shared.has(Flaw::DeniesItsFeed),
            ..Capabilities::default()
        }
    }

    async fn begin(&self, scope: Scope, mode: Mode) -> Result<Box<dyn UnitOfWork>> {
        self.shared.check_open()?;
        tokio::task::yield_now().await;
        let turn = match mode {
            Mode::Read => None,
            Mode::Write if self.shared.has(Flaw::WritesSideBySide) => None,
            Mode::Write if self.shared.locks.is_some() => None,
            Mode::Write => Some(self.shared.turn().await),
        };
        self.shared.check_open()?;
        Ok(Box::new(MemoryUnit::new(
            self.shared.clone(),
            scope,
            mode,
            turn,
        )))
    }

    async fn changes(&self) -> Result<Box<dyn ChangeFeed>> {
        self.shared.check_open()?;
        if !self.shared.has_feed {
            return Err(unsupported("this storage has no change feed"));
        }
        let (sender, inbox) = unbounded_channel();
        self.shared.committed().listeners.push(sender);
        if self.shared.has(Flaw::BreaksFeeds) {
            self.shared.committed().listeners.clear();
        }
        let confirmation = tokio::time::Instant::now() + CONFIRMATION;
        Ok(Box::new(MemoryFeed {
            inbox,
            confirmation,
        }))
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        self.shared.check_open()?;
        tokio::task::yield_now().await;
        let unit = MemoryUnit::new(self.shared.clone(), Scope::Platform, Mode::Read, None);
        Ok(Box::new(MemorySnapshot(unit)))
    }

    async fn check(&self) -> Result<()> {
        if self.shared.has(Flaw::FailsChecks) {
            return Err(unsupported("this storage cannot be checked"));
        }
        self.shared.check_open()
    }

    async fn close(&self) {
        if self.shared.has(Flaw::StaysOpen) {
            return;
        }
        self.shared.closed.store(true, Ordering::SeqCst);
        let _finished = self.shared.writer.lock().await;
        self.shared.committed().listeners.clear();
    }
}

/// What all units of one storage share.
struct Shared {
    flaw: Option<Flaw>,
    has_feed: bool,
    /// What units that write side by side took.
    locks: Option<Locks>,
    closed: AtomicBool,
    /// Held by the one open write unit.
    writer: Arc<tokio::sync::Mutex<()>>,
    committed: Mutex<Committed>,
}

#[derive(Default)]
struct Committed {
    state: Arc<State>,
    /// What a storage that commits late holds back.
    late: Option<Arc<State>>,
    listeners: Vec<UnboundedSender<Vec<Change>>>,
}

impl Shared {
    fn committed(&self) -> MutexGuard<'_, Committed> {
        self.committed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn to write.
    async fn turn(&self) -> OwnedMutexGuard<()> {
        let mut waiting = Waiting {
            shared: self,
            has_ended: false,
        };
        let turn = self.writer.clone().lock_owned().await;
        waiting.has_ended = true;
        turn
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "the storage is closed"));
        }
        Ok(())
    }

    /// Puts what a unit changed of `before` in place beside what others committed.
    fn merge(&self, before: &State, state: &State, changes: Vec<Change>) {
        let mut committed = self.committed();
        committed.state = Arc::new(carried(before, state, &committed.state));
        committed.tell(changes);
    }

    /// Puts a unit's state in place and tells the listeners, as one step.
    fn publish(&self, state: Arc<State>, changes: Vec<Change>) {
        let mut committed = self.committed();
        if self.has(Flaw::CommitsLate) {
            if let Some(before) = committed.late.replace(state) {
                committed.state = before;
            }
        } else {
            committed.state = state;
        }
        committed.tell(changes);
    }
}

impl Committed {
    /// The state from which the next writer starts.
    fn newest(&self) -> Arc<State> {
        self.late.as_ref().unwrap_or(&self.state).clone()
    }

    fn tell(&mut self, changes: Vec<Change>) {
        if !changes.is_empty() {
            self.listeners
                .retain(|listener| listener.send(changes.clone()).is_ok());
        }
    }
}

/// Notices that a wait for the turn was cancelled.
struct Waiting<'a> {
    shared: &'a Shared,
    has_ended: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.has_ended && self.shared.has(Flaw::BlocksWhenCancelled) {
            self.shared.closed.store(true, Ordering::SeqCst);
        }
    }
}

struct MemoryFeed {
    inbox: UnboundedReceiver<Vec<Change>>,
    /// When it is to confirm next, if it has told all by then.
    confirmation: tokio::time::Instant,
}

#[async_trait]
impl ChangeFeed for MemoryFeed {
    async fn next(&mut self) -> Result<FeedEvent> {
        match tokio::time::timeout_at(self.confirmation, self.inbox.recv()).await {
            Ok(Some(changes)) => Ok(FeedEvent::Changes(changes)),
            Ok(None) => Err(Error::new(ErrorKind::Unavailable, "the storage is closed")),
            Err(_quiet) => {
                self.confirmation = tokio::time::Instant::now() + CONFIRMATION;
                Ok(FeedEvent::Confirmed)
            }
        }
    }
}

fn unsupported(message: &str) -> Error {
    Error::new(ErrorKind::Unsupported, message)
}

fn taken(what: &str) -> Error {
    Error::new(
        ErrorKind::AlreadyExists,
        format!("this {what} is already taken"),
    )
}
