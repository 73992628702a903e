use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;
use gatelodge_core::{
    Error, ErrorKind, Result,
    storage::{Capabilities, ChangeFeed, Mode, Scope, Snapshot, Storage, UnitOfWork},
};
use gatelodge_storage_suite::memory::MemoryStorage;

/// A storage in memory that can be made to fail.
#[derive(Default)]
pub(crate) struct Watched {
    inner: MemoryStorage,
    mood: AtomicU8,
}

const FINE: u8 = 0;
const FAULTY: u8 = 1;
const PANICS: u8 = 2;
const GONE: u8 = 3;
const STUCK: u8 = 4;

/// What no client may ever see of a fault.
pub(crate) const INSIDE: &str = "SELECT secret_column FROM inner_table";

impl Watched {
    pub(crate) fn is_fine(&self) {
        self.mood.store(FINE, Ordering::SeqCst);
    }

    /// Every unit fails with a fault of its own.
    pub(crate) fn is_faulty(&self) {
        self.mood.store(FAULTY, Ordering::SeqCst);
    }

    /// Every unit panics.
    pub(crate) fn panics(&self) {
        self.mood.store(PANICS, Ordering::SeqCst);
    }

    /// Nothing can be reached.
    pub(crate) fn is_gone(&self) {
        self.mood.store(GONE, Ordering::SeqCst);
    }

    /// Nothing ever answers.
    pub(crate) fn is_stuck(&self) {
        self.mood.store(STUCK, Ordering::SeqCst);
    }

    async fn show_mood(&self) -> Result<()> {
        let fault = || std::io::Error::other(INSIDE);
        match self.mood.load(Ordering::SeqCst) {
            FAULTY => Err(Error::internal(INSIDE).because(fault())),
            PANICS => panic!("{INSIDE}"),
            GONE => Err(Error::new(ErrorKind::Unavailable, INSIDE).because(fault())),
            STUCK => std::future::pending().await,
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Storage for Watched {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn begin(&self, scope: Scope, mode: Mode) -> Result<Box<dyn UnitOfWork>> {
        self.show_mood().await?;
        self.inner.begin(scope, mode).await
    }

    async fn changes(&self) -> Result<Box<dyn ChangeFeed>> {
        self.inner.changes().await
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        self.show_mood().await?;
        self.inner.snapshot().await
    }

    async fn check(&self) -> Result<()> {
        self.show_mood().await?;
        self.inner.check().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
