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
    model::{AuditEvent, AuditEventId, AuditFilter, TenantId},
    storage::{
        ApplicationRepository, ArchiveRepository, AuditRepository, Capabilities, Change,
        ChangeFeed, FlowRepository, InstallationRepository, LimitRepository, Mode,
        OutboxRepository, Page, RecordRepository, Scope, SessionRepository, Snapshot, Storage,
        TenantRepository, UnitOfWork, UserRepository,
    },
};
use gatelodge_storage_suite::memory::MemoryStorage;

/// Something that happens in between.
pub(crate) type Interlude = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A storage in memory under observation. Its write units run side by side.
pub(crate) struct Watched {
    inner: MemoryStorage,
    begun: AtomicUsize,
    broken: AtomicBool,
    unaudited: AtomicBool,
    interludes: Mutex<VecDeque<(usize, Interlude)>>,
}

impl Default for Watched {
    fn default() -> Self {
        Self {
            inner: MemoryStorage::side_by_side(),
            begun: AtomicUsize::default(),
            broken: AtomicBool::default(),
            unaudited: AtomicBool::default(),
            interludes: Mutex::default(),
        }
    }
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

    /// Whether the audit log cannot be written from now on.
    pub(crate) fn lose_audit(&self, lost: bool) {
        self.unaudited.store(lost, Ordering::SeqCst);
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
        let inner = self.inner.begin(scope, mode).await?;
        Ok(if self.unaudited.load(Ordering::SeqCst) {
            Box::new(Unaudited {
                inner,
                audit: NoAudit,
            })
        } else {
            inner
        })
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

/// A unit in which the audit log cannot be written.
struct Unaudited {
    inner: Box<dyn UnitOfWork>,
    audit: NoAudit,
}

struct NoAudit;

#[async_trait]
impl AuditRepository for NoAudit {
    async fn append(&mut self, _: &AuditEvent) -> Result<()> {
        Err(Error::new(ErrorKind::Unavailable, "no audit for a test"))
    }

    async fn list(&mut self, _: &AuditFilter, _: Page<AuditEventId>) -> Result<Vec<AuditEvent>> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl UnitOfWork for Unaudited {
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
        &mut self.audit
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
        self.inner.commit().await
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        self.inner.rollback().await
    }
}
