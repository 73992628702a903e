use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Page;
use crate::{
    Result,
    model::{ProviderId, RecordId, TenantId, UserId},
    secret::{TokenHash, base64_bytes},
};

/// What a provider keeps: a password hash, a seed, a device, a token. The
/// storage knows nothing of its meaning.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its id.
    pub id: RecordId,
    /// Whose it is.
    pub provider: ProviderId,
    /// The user it belongs to, if any.
    pub user: Option<UserId>,
    /// The hash of a key to find it by, unique per provider and tenant.
    pub key: Option<TokenHash>,
    /// What the person calls it, at most 100 characters.
    pub label: String,
    /// The first moment at which it no longer counts. What has one is a thing to
    /// sign in with once or for a while (a link, a device): restoring a backup
    /// leaves it out.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Rises with every change.
    pub version: i64,
    /// The provider's bytes, sealed by the engine, at most 64 KiB.
    #[serde(with = "base64_bytes")]
    pub sealed: Vec<u8>,
}

impl Record {
    /// Whether it has expired at `now`.
    pub fn is_expired_at(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("id", &self.id)
            .field("provider", &self.provider)
            .field("user", &self.user)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// A key of a record, and whose that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyOwner {
    /// The key's hash.
    pub key: TokenHash,
    /// The tenant that the record is in.
    pub tenant: TenantId,
    /// The user whose it is.
    pub user: UserId,
}

/// What providers keep. Methods are *tenant* unless they say otherwise; a record of
/// another provider is not there.
#[async_trait]
pub trait RecordRepository: Send {
    /// Adds a record. A taken key is `AlreadyExists`, an unknown user `NotFound`.
    async fn create(&mut self, record: &Record) -> Result<()>;

    /// The record with this id, expired ones too.
    async fn by_id(&mut self, provider: &ProviderId, id: RecordId) -> Result<Option<Record>>;

    /// The record with this key, expired ones too.
    async fn by_key(&mut self, provider: &ProviderId, key: &TokenHash) -> Result<Option<Record>>;

    /// *Platform.* The users who have a record with this key, in whatever tenant.
    ///
    /// * Sorted by tenant, at most 100.
    /// * Expired records count, records of nobody do not.
    async fn owners(
        &mut self,
        provider: &ProviderId,
        key: &TokenHash,
    ) -> Result<Vec<(TenantId, UserId)>>;

    /// *Platform.* The keys of this provider's records that belong to somebody, sorted
    /// by key, those of equal keys by tenant. Expired ones count, records of nobody do
    /// not.
    async fn keyed(
        &mut self,
        provider: &ProviderId,
        page: Page<(TokenHash, TenantId)>,
    ) -> Result<Vec<KeyOwner>>;

    /// A user's records, expired ones too, sorted by id, at most 1,000.
    async fn by_user(&mut self, provider: &ProviderId, user: UserId) -> Result<Vec<Record>>;

    /// Changes key, label, expiry and bytes; see the module's rules on versions.
    async fn update(&mut self, record: &Record) -> Result<Record>;

    /// Removes it; of two units that remove one version of a record, exactly
    /// one succeeds. Another version is a `Conflict`, an unknown id `NotFound`.
    async fn delete(&mut self, provider: &ProviderId, id: RecordId, version: i64) -> Result<()>;

    /// Removes a user's records of this provider; answers how many.
    async fn delete_by_user(&mut self, provider: &ProviderId, user: UserId) -> Result<u64>;

    /// Removes the records of this provider that belong to a user, of whatever
    /// user; answers how many.
    async fn delete_of_users(&mut self, provider: &ProviderId) -> Result<u64>;

    /// Removes at most `limit` records, of any provider, that expired before
    /// `now`; answers how many. It waits for nobody: what another unit holds is
    /// left for later.
    async fn delete_expired(&mut self, now: Timestamp, limit: u32) -> Result<u64>;
}
