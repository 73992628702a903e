use async_trait::async_trait;

use super::Page;
use crate::{
    Result,
    model::{AuditEvent, AuditEventId, AuditFilter},
};

/// The audit log: entries are added and read, never changed.
#[async_trait]
pub trait AuditRepository: Send {
    /// Adds an entry.
    ///
    /// * In a tenant unit the entry's tenant must be its own, else `Invalid`; in
    ///   a platform unit it may be any or none.
    async fn append(&mut self, event: &AuditEvent) -> Result<()>;

    /// Entries that match, **newest first**: [`Page::after`] is the oldest entry
    /// of the piece before. In a tenant unit those of its tenant, in a platform
    /// unit those of no tenant. They outlive the tenant.
    async fn list(
        &mut self,
        filter: &AuditFilter,
        page: Page<AuditEventId>,
    ) -> Result<Vec<AuditEvent>>;
}
