//! Tenants.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DisplayName, Lock, TenantId, TenantName};

/// One customer organisation on the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its id, never reused.
    pub id: TenantId,
    /// Its unique name; a label that can change.
    pub name: TenantName,
    /// The name to show; at first the same.
    pub display_name: DisplayName,
    /// Its master, if it is a sub-tenant.
    pub master: Option<TenantId>,
    /// Its own lock, past ones included: ask [`Tenant::is_locked_at`].
    pub lock: Option<Lock>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Rises with every change.
    pub version: i64,
}

impl Tenant {
    /// Whether its own lock holds at `now`. A master's cascading lock is not
    /// counted here, see [`crate::storage::TenantRepository::ancestors`].
    pub fn is_locked_at(&self, now: Timestamp) -> bool {
        self.lock.as_ref().is_some_and(|lock| lock.holds_at(now))
    }
}
