use async_trait::async_trait;

use super::Page;
use crate::{
    Result,
    model::{NameKey, Tenant, TenantId, TenantSettings},
};

/// Tenants, their masters and their settings.
#[async_trait]
pub trait TenantRepository: Send {
    /// *Platform.* Adds a tenant.
    ///
    /// * A taken name (by key) is `AlreadyExists`.
    /// * With a master, the ancestor closure is extended by the master's; a
    ///   master that is not there is `NotFound`.
    async fn create(&mut self, tenant: &Tenant) -> Result<()>;

    /// The tenant with this id. In a tenant unit only its own is there.
    async fn by_id(&mut self, id: TenantId) -> Result<Option<Tenant>>;

    /// *Platform.* The tenant with this name.
    async fn by_name(&mut self, name: &NameKey) -> Result<Option<Tenant>>;

    /// Tenants whose name or display name contains `search` (by key), all without.
    /// In a tenant unit only its own is there. The characters `%` and `_` have
    /// no special meaning.
    async fn list(&mut self, search: Option<&NameKey>, page: Page<TenantId>)
    -> Result<Vec<Tenant>>;

    /// The masters of a tenant, nearest first, without itself. In a tenant unit
    /// only for its own tenant, empty otherwise.
    async fn ancestors(&mut self, id: TenantId) -> Result<Vec<Tenant>>;

    /// *Platform.* Every tenant below this one, without itself, sorted by id.
    async fn descendants(&mut self, id: TenantId) -> Result<Vec<TenantId>>;

    /// Changes name, display name and lock; see the module's rules on versions.
    /// The master is not changed here. In a tenant unit only its own is there.
    async fn update(&mut self, tenant: &Tenant) -> Result<Tenant>;

    /// *Platform.* Removes the tenant and all that is its own: users, grants,
    /// records, settings, live and past sessions stay as rows for statistics,
    /// audit events stay.
    ///
    /// * With sub-tenants it is `Refused`.
    /// * Another version is a `Conflict`, an unknown id `NotFound`.
    async fn delete(&mut self, id: TenantId, version: i64) -> Result<()>;

    /// Takes the tenant's row as the anchor for a rule over several rows: until
    /// this unit ends, no other write unit passes its own `lock_row` or `hold` of it.
    ///
    /// * What is read after it is as new as `hold` has it.
    /// * `NotFound` when there is no such tenant in scope.
    async fn lock_row(&mut self, id: TenantId) -> Result<()>;

    /// *Write.* The tenant's newest row, kept as it is until this unit ends: who
    /// begins something in a tenant holds it, so that a lock or a deletion comes
    /// before or after, never in between. In a tenant unit only its own is there.
    ///
    /// * A unit that wants to change or delete the tenant, or to pass `lock_row`
    ///   of it, waits until this unit ends; several may hold it at once.
    /// * What others committed before this call returned is in the row, also
    ///   when this unit had to wait for it or had read the tenant before.
    /// * A tenant that is not there, or was deleted while this unit waited, is `None`.
    /// * Who is going to change the tenant takes `lock_row` instead: two units
    ///   that hold it and then want to change it would wait for each other.
    async fn hold(&mut self, id: TenantId) -> Result<Option<Tenant>>;

    /// The tenant's own settings and their version; defaults and 0 when none
    /// were ever stored. In a tenant unit those of its masters are readable too.
    async fn settings(&mut self, id: TenantId) -> Result<(TenantSettings, i64)>;

    /// Stores the settings over `version` (0: none stored yet), returns the new
    /// version; a different stored version is a `Conflict`. In a tenant unit
    /// only its own.
    async fn put_settings(
        &mut self,
        id: TenantId,
        settings: &TenantSettings,
        version: i64,
    ) -> Result<i64>;
}
