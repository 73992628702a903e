//! A storage that counts, fails and lets others act between two units.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use gatelodge_core::{
    Error, ErrorKind, Result,
    storage::{Capabilities, ChangeFeed, Mode, Scope, Storage, UnitOfWork},
};
use gatelodge_storage_suite::memory::MemoryStorage;

/// Something that happens in between.
pub(crate) type Interlude = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A storage in memory under observation.
#[derive(Default)]
pub(crate) struct Watched {
    inner: MemoryStorage,
    begun: AtomicUsize,
    broken: AtomicBool,
    interludes: Mutex<VecDeque<(usize, Interlude)>>,
}

impl Watched {
    /// How many units were begun so far.
    pub(crate) fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    /// Whether every unit fails from now on.
    pub(crate) fn break_down(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }

    /// Lets something happen right before a write unit begins, after `skipped`
    /// other write units.
    pub(crate) fn before_write(&self, skipped: usize, interlude: Interlude) {
        self.interludes
            .lock()
            .unwrap()
            .push_back((skipped, interlude));
    }

    fn due(&self) -> Option<Interlude> {
        let mut interludes = self.interludes.lock().unwrap();
        match interludes.front_mut() {
            Some((0, _)) => interludes.pop_front().map(|(_, interlude)| interlude),
            Some((skipped, _)) => {
                *skipped -= 1;
                None
            }
            None => None,
        }
    }
}

#[async_trait]
impl Storage for Watched {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn begin(&self, scope: Scope, mode: Mode) -> Result<Box<dyn UnitOfWork>> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the storage is broken for a test",
            ));
        }
        self.begun.fetch_add(1, Ordering::SeqCst);
        if mode == Mode::Write
            && let Some(interlude) = self.due()
        {
            interlude.await;
        }
        self.inner.begin(scope, mode).await
    }

    async fn changes(&self) -> Result<Box<dyn ChangeFeed>> {
        self.inner.changes().await
    }

    async fn check(&self) -> Result<()> {
        self.inner.check().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
