use async_trait::async_trait;

use super::Page;
use crate::{
    Result,
    model::{Application, ApplicationId, Audience, NameKey},
};

/// Registered applications. They go with their tenant.
#[async_trait]
pub trait ApplicationRepository: Send {
    /// *Tenant.* Adds an application.
    ///
    /// * A name that another of the tenant has (by key) is `AlreadyExists`, and so
    ///   are an audience and an id that another of any tenant has.
    /// * A tenant that is not there is `NotFound`, another tenant in it `Invalid`.
    async fn create(&mut self, application: &Application) -> Result<()>;

    /// The application with this id. In a tenant unit only its own are there.
    async fn by_id(&mut self, id: ApplicationId) -> Result<Option<Application>>;

    /// The application with this audience, byte for byte. In a tenant unit only
    /// its own are there.
    async fn by_audience(&mut self, audience: &Audience) -> Result<Option<Application>>;

    /// *Tenant.* The application with this name.
    async fn by_name(&mut self, name: &NameKey) -> Result<Option<Application>>;

    /// Whether any application has this origin, byte for byte: in a tenant unit
    /// one of its own, in a platform unit one of any tenant.
    async fn has_origin(&mut self, origin: &str) -> Result<bool>;

    /// *Tenant.* All applications.
    async fn list(&mut self, page: Page<ApplicationId>) -> Result<Vec<Application>>;

    /// *Tenant.* Changes everything but id, tenant and time of creation; see the
    /// module's rules on versions and `create` on uniqueness.
    async fn update(&mut self, application: &Application) -> Result<Application>;

    /// *Tenant.* Removes it.
    ///
    /// * Another version is a `Conflict`, an unknown id `NotFound`.
    async fn delete(&mut self, id: ApplicationId, version: i64) -> Result<()>;
}
