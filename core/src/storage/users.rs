use async_trait::async_trait;

use super::Page;
use crate::{
    Result,
    model::{Grant, NameKey, TenantId, User, UserId},
};

/// Users of one tenant and what they are granted.
#[async_trait]
pub trait UserRepository: Send {
    /// *Tenant.* Adds a user.
    ///
    /// * A taken user name (by key) is `AlreadyExists`, and so is a verified
    ///   e-mail address that another user of the tenant has verified. Unverified
    ///   addresses may repeat.
    /// * A tenant that is not there is `NotFound`.
    async fn create(&mut self, user: &User) -> Result<()>;

    /// *Tenant.* The user with this id.
    async fn by_id(&mut self, id: UserId) -> Result<Option<User>>;

    /// *Tenant.* The user who signs in by this text: whose user name it is, else
    /// whose verified e-mail address it is (both by key).
    async fn by_login(&mut self, login: &NameKey) -> Result<Option<User>>;

    /// *Platform.* Who signs in by this text in any tenant, at most two, so that
    /// a caller sees whether the answer is unique. Sorted by tenant.
    async fn candidates(&mut self, login: &NameKey) -> Result<Vec<(TenantId, UserId)>>;

    /// *Tenant.* Users whose user name, display name or e-mail address contains
    /// `search` (by key), all without. `%` and `_` have no special meaning.
    async fn list(&mut self, search: Option<&NameKey>, page: Page<UserId>) -> Result<Vec<User>>;

    /// *Tenant.* Changes everything but id and time of creation; see the
    /// module's rules on versions and `create` on uniqueness.
    async fn update(&mut self, user: &User) -> Result<User>;

    /// *Tenant.* Removes the user with its grants and records. Session rows and
    /// audit events stay.
    ///
    /// * Another version is a `Conflict`, an unknown id `NotFound`.
    async fn delete(&mut self, id: UserId, version: i64) -> Result<()>;

    /// *Tenant.* Takes the user's row as the anchor for a rule over several
    /// rows; `NotFound` when it is not there, or was deleted while this unit
    /// waited. What is read of the user after it is the newest.
    async fn lock_row(&mut self, id: UserId) -> Result<()>;

    /// *Tenant.* What the user is granted, sorted; empty for an unknown user.
    async fn grants(&mut self, id: UserId) -> Result<Vec<Grant>>;

    /// *Tenant.* Grants or withdraws; answers whether anything changed.
    ///
    /// * Granting twice and withdrawing what is absent change nothing and succeed.
    /// * An unknown user is `NotFound` when granting.
    async fn set_grant(&mut self, id: UserId, grant: Grant, held: bool) -> Result<bool>;

    /// Who holds a grant: in a tenant unit its own users, in a platform unit
    /// everybody. Sorted by tenant and user, at most 1,000.
    async fn holders(&mut self, grant: Grant) -> Result<Vec<(TenantId, UserId)>>;
}
