//! A storage of which one write unit fails.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use gatelodge_core::{
    Error, ErrorKind, Result,
    model::TenantId,
    storage::{
        ApplicationRepository, ArchiveRepository, AuditRepository, Capabilities, Change,
        ChangeFeed, FlowRepository, InstallationRepository, LimitRepository, Mode,
        OutboxRepository, RecordRepository, Scope, SessionRepository, Snapshot, Storage,
        TenantRepository, UnitOfWork, UserRepository,
    },
};
use gatelodge_storage_suite::memory::MemoryStorage;

/// Where a write unit fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fails {
    AtBegin,
    /// Nothing of it is kept.
    AtCommit,
    /// All of it is kept, and nobody knows.
    AfterCommit,
}

impl Fails {
    pub(super) const ALL: [Self; 3] = [Self::AtBegin, Self::AtCommit, Self::AfterCommit];
}

/// A storage in memory of which the write unit after `left` others fails, and
/// every later one.
pub(super) struct Failing {
    inner: MemoryStorage,
    left: usize,
    fails: Fails,
    begun: AtomicUsize,
}

impl Failing {
    pub(super) fn new(inner: &MemoryStorage, left: usize, fails: Fails) -> Self {
        Self {
            inner: inner.clone(),
            left,
            fails,
            begun: AtomicUsize::new(0),
        }
    }

    /// One that only counts.
    pub(super) fn never(inner: &MemoryStorage) -> Self {
        Self::new(inner, usize::MAX, Fails::AtBegin)
    }

    /// How many write units were begun.
    pub(super) fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }
}

fn broken() -> Error {
    Error::new(ErrorKind::Unavailable, "broken for a test")
}

#[async_trait]
impl Storage for Failing {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn begin(&self, scope: Scope, mode: Mode) -> Result<Box<dyn UnitOfWork>> {
        let inner = self.inner.begin(scope, mode).await?;
        if mode == Mode::Read {
            return Ok(inner);
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst);
        let fails = (number >= self.left).then_some(self.fails);
        if fails == Some(Fails::AtBegin) {
            return Err(broken());
        }
        Ok(Box::new(Unit { inner, fails }))
    }

    async fn changes(&self) -> Result<Box<dyn ChangeFeed>> {
        self.inner.changes().await
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        self.inner.snapshot().await
    }

    async fn check(&self) -> Result<()> {
        self.inner.check().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

struct Unit {
    inner: Box<dyn UnitOfWork>,
    fails: Option<Fails>,
}

#[async_trait]
impl UnitOfWork for Unit {
    fn scope(&self) -> Scope {
        self.inner.scope()
    }

    async fn enter(&mut self, tenant: TenantId) -> Result<()> {
        self.inner.enter(tenant).await
    }

    fn tenants(&mut self) -> &mut dyn TenantRepository {
        self.inner.tenants()
    }

    fn users(&mut self) -> &mut dyn UserRepository {
        self.inner.users()
    }

    fn applications(&mut self) -> &mut dyn ApplicationRepository {
        self.inner.applications()
    }

    fn records(&mut self) -> &mut dyn RecordRepository {
        self.inner.records()
    }

    fn outbox(&mut self) -> &mut dyn OutboxRepository {
        self.inner.outbox()
    }

    fn flows(&mut self) -> &mut dyn FlowRepository {
        self.inner.flows()
    }

    fn sessions(&mut self) -> &mut dyn SessionRepository {
        self.inner.sessions()
    }

    fn limits(&mut self) -> &mut dyn LimitRepository {
        self.inner.limits()
    }

    fn audit(&mut self) -> &mut dyn AuditRepository {
        self.inner.audit()
    }

    fn installation(&mut self) -> &mut dyn InstallationRepository {
        self.inner.installation()
    }

    fn archive(&mut self) -> &mut dyn ArchiveRepository {
        self.inner.archive()
    }

    async fn announce(&mut self, change: Change) -> Result<()> {
        self.inner.announce(change).await
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        match self.fails {
            None => self.inner.commit().await,
            Some(Fails::AfterCommit) => {
                self.inner.commit().await?;
                Err(broken())
            }
            Some(_) => {
                self.inner.rollback().await?;
                Err(broken())
            }
        }
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        self.inner.rollback().await
    }
}
