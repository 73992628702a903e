use std::sync::Arc;

use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    model::TenantId,
    storage::{
        ApplicationRepository, ArchiveRepository, AuditRepository, Change, FlowRepository,
        InstallationRepository, LimitRepository, Mode, OutboxRepository, RecordRepository, Scope,
        SessionRepository, TenantRepository, UnitOfWork, UserRepository,
    },
};
use tokio::sync::OwnedMutexGuard;

use super::{
    Flaw, Shared,
    side_by_side::{Locks, carried, taken_rows},
    state::{State, View},
    unsupported,
};

/// One unit of work and all its repositories.
pub(super) struct MemoryUnit {
    shared: Arc<Shared>,
    scope: Scope,
    mode: Mode,
    before: Arc<State>,
    state: Arc<State>,
    changes: Vec<Change>,
    /// A statement failed or was cut short.
    is_failed: bool,
    is_done: bool,
    /// Its number among those that write side by side.
    number: Option<u64>,
    _turn: Option<OwnedMutexGuard<()>>,
}

impl MemoryUnit {
    pub(super) fn new(
        shared: Arc<Shared>,
        scope: Scope,
        mode: Mode,
        turn: Option<OwnedMutexGuard<()>>,
    ) -> Self {
        let state = match mode {
            Mode::Read => shared.committed().state.clone(),
            Mode::Write => shared.committed().newest(),
        };
        let locks = shared.locks.as_ref().filter(|_| mode == Mode::Write);
        let number = locks.map(Locks::new_unit);
        Self {
            shared,
            number,
            scope,
            mode,
            before: state.clone(),
            state,
            changes: Vec::new(),
            is_failed: false,
            is_done: false,
            _turn: turn,
        }
    }

    /// Looks at the same state from another scope.
    pub(super) async fn move_to(&mut self, scope: Scope) -> Result<()> {
        self.start_statement().await?;
        self.shared.check_open()?;
        if self.shared.has(Flaw::SnapshotsTheLatest) {
            self.state = self.shared.committed().state.clone();
        }
        self.scope = scope;
        self.is_failed = false;
        Ok(())
    }

    /// Runs a statement that only reads.
    pub(super) async fn read<T>(
        &mut self,
        statement: impl FnOnce(&State, &View) -> Result<T> + Send,
    ) -> Result<T> {
        self.start_statement().await?;
        if self.mode == Mode::Read && self.shared.has(Flaw::ReadsTheLatest) {
            self.state = self.shared.committed().state.clone();
        }
        let state = if self.shared.has(Flaw::HidesOwnWrites) {
            &self.before
        } else {
            &self.state
        };
        let result = statement(state, &self.view());
        self.is_failed = result.is_err();
        result
    }

    /// Runs a statement that writes.
    pub(super) async fn write<T>(
        &mut self,
        statement: impl Fn(&mut State, &View) -> Result<T> + Send,
    ) -> Result<T> {
        self.start_statement().await?;
        if self.number.is_some() {
            return self.write_beside_others(statement).await;
        }
        let result = if self.mode == Mode::Write || self.shared.has(Flaw::WritesInReadUnits) {
            let view = self.view();
            statement(Arc::make_mut(&mut self.state), &view)
        } else {
            Err(unsupported("a read unit cannot write"))
        };
        self.is_failed = result.is_err();
        let is_seen = self.shared.has(Flaw::ShowsUncommitted)
            || (self.mode == Mode::Read && self.shared.has(Flaw::WritesInReadUnits));
        if result.is_ok() && is_seen {
            self.shared.publish(self.state.clone(), Vec::new());
        }
        result
    }

    /// Lets others run, as a real backend would, and refuses a failed unit.
    async fn start_statement(&mut self) -> Result<()> {
        if self.is_failed && !self.shared.has(Flaw::CommitsFailedUnits) {
            return Err(failed());
        }
        self.is_failed = true;
        tokio::task::yield_now().await;
        self.refresh();
        Ok(())
    }

    /// Sees what others committed, where writers run side by side.
    fn refresh(&mut self) {
        if self.number.is_none() {
            return;
        }
        let newest = self.shared.committed().newest();
        if !Arc::ptr_eq(&newest, &self.before) {
            self.state = Arc::new(carried(&self.before, &self.state, &newest));
            self.before = newest;
        }
    }

    /// Takes a row until this unit ends, where writers run side by side.
    pub(super) async fn take(&mut self, row: String, alone: bool) -> Result<()> {
        let shared = self.shared.clone();
        if let (Some(locks), Some(number)) = (&shared.locks, self.number) {
            locks.take(number, &row, alone).await?;
            self.refresh();
        }
        Ok(())
    }

    async fn write_beside_others<T>(
        &mut self,
        statement: impl Fn(&mut State, &View) -> Result<T> + Send,
    ) -> Result<T> {
        let (shared, view) = (self.shared.clone(), self.view());
        loop {
            self.refresh();
            let mut after = State::clone(&self.state);
            let result = statement(&mut after, &view)?;
            for (row, alone) in taken_rows(&self.state, &after) {
                if let (Some(locks), Some(number)) = (&shared.locks, self.number) {
                    locks.take(number, &row, alone).await?;
                }
            }
            // Whoever committed since may have changed what was read, before or while
            // this unit waited for its rows.
            if Arc::ptr_eq(&shared.committed().newest(), &self.before) {
                self.state = Arc::new(after);
                self.is_failed = false;
                return Ok(result);
            }
        }
    }

    pub(super) fn reach(&self) -> Scope {
        self.scope
    }

    fn view(&self) -> View {
        View {
            scope: self.scope,
            flaw: self.shared.flaw,
        }
    }

    fn undo(&mut self) {
        if self.is_done || self.mode == Mode::Read {
            return;
        }
        self.is_done = true;
        if self.shared.has(Flaw::ForgetsRollback) {
            self.shared.publish(self.state.clone(), Vec::new());
        }
        if self.shared.has(Flaw::ShowsUncommitted) {
            self.shared.publish(self.before.clone(), Vec::new());
        }
    }
}

#[async_trait]
impl UnitOfWork for MemoryUnit {
    fn scope(&self) -> Scope {
        if self.shared.has(Flaw::ForgetsItsScope) {
            return Scope::Platform;
        }
        self.scope
    }

    async fn enter(&mut self, tenant: TenantId) -> Result<()> {
        self.start_statement().await?;
        if self.scope != Scope::Platform && !self.shared.has(Flaw::EntersFromTenants) {
            return Err(unsupported("only a platform unit can enter a tenant"));
        }
        self.scope = Scope::Tenant(tenant);
        self.is_failed = false;
        Ok(())
    }

    fn tenants(&mut self) -> &mut dyn TenantRepository {
        self
    }

    fn users(&mut self) -> &mut dyn UserRepository {
        self
    }

    fn applications(&mut self) -> &mut dyn ApplicationRepository {
        self
    }

    fn records(&mut self) -> &mut dyn RecordRepository {
        self
    }

    fn outbox(&mut self) -> &mut dyn OutboxRepository {
        self
    }

    fn flows(&mut self) -> &mut dyn FlowRepository {
        self
    }

    fn sessions(&mut self) -> &mut dyn SessionRepository {
        self
    }

    fn limits(&mut self) -> &mut dyn LimitRepository {
        self
    }

    fn audit(&mut self) -> &mut dyn AuditRepository {
        self
    }

    fn installation(&mut self) -> &mut dyn InstallationRepository {
        self
    }

    fn archive(&mut self) -> &mut dyn ArchiveRepository {
        self
    }

    async fn announce(&mut self, change: Change) -> Result<()> {
        self.write(|_, _| Ok(())).await?;
        if self.shared.has(Flaw::AnnouncesAtOnce) {
            self.shared.committed().tell(vec![change]);
        } else if !self.shared.has(Flaw::ForgetsAnnouncements) {
            self.changes.push(change);
        }
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        self.start_statement().await?;
        if self.shared.has(Flaw::RefusesToEndReads) && self.mode == Mode::Read {
            return Err(unsupported("a read unit cannot be committed"));
        }
        if self.shared.has(Flaw::ClosesAtOnce) {
            self.shared.check_open()?;
        }
        self.is_done = true;
        if self.mode == Mode::Write {
            let changes = std::mem::take(&mut self.changes);
            if self.number.is_some() {
                self.shared.merge(&self.before, &self.state, changes);
                return Ok(());
            }
            self.shared.publish(self.state.clone(), changes);
        }
        Ok(())
    }

    async fn rollback(mut self: Box<Self>) -> Result<()> {
        tokio::task::yield_now().await;
        self.undo();
        Ok(())
    }
}

impl Drop for MemoryUnit {
    fn drop(&mut self) {
        self.undo();
        if let (Some(locks), Some(number)) = (&self.shared.locks, self.number) {
            locks.release(number);
        }
    }
}

fn failed() -> Error {
    Error::internal("after an error a unit of work can only be rolled back")
}
