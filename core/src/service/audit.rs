//! Reading the audit log.

use super::Listed;
use crate::{
    Platform, Result,
    access::{Caller, Resource, action},
    model::{AuditEvent, AuditEventId, AuditFilter, TenantId},
    storage::{Page, Scope},
};

/// The audit log.
#[derive(Debug, Clone, Copy)]
pub struct AuditLog<'a>(&'a Platform);

impl<'a> AuditLog<'a> {
    pub(crate) fn new(platform: &'a Platform) -> Self {
        Self(platform)
    }

    /// A tenant's entries, newest first.
    ///
    /// # Errors
    /// As [`Platform::authorise`], and what the storage says.
    pub async fn list(
        &self,
        caller: &Caller,
        tenant: TenantId,
        filter: &AuditFilter,
        page: Page<AuditEventId>,
    ) -> Result<Listed<AuditEvent, AuditEventId>> {
        self.0
            .authorise(caller, action::AUDIT_READ, &Resource::tenant(tenant))?;
        let mut unit = self.0.read(Scope::Tenant(tenant)).await?;
        let items = unit
            .audit()
            .list(filter, Listed::<AuditEvent, _>::page(page))
            .await?;
        unit.rollback().await?;
        Ok(Listed::cut(items, page, |event| event.id))
    }
}
