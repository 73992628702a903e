use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Result,
    secret::{TokenHash, base64_bytes},
};

/// A sign-in flow at rest, or a code that lets somebody into an application. It
/// belongs to no tenant: one may be found only at its end.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFlow {
    /// The hash of its handle.
    pub handle: TokenHash,
    /// Rises with every step.
    pub version: i64,
    /// The first moment at which it no longer counts.
    pub expires_at: Timestamp,
    /// The document, sealed, at most 256 KiB.
    #[serde(with = "base64_bytes")]
    pub sealed: Vec<u8>,
}

impl fmt::Debug for StoredFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredFlow")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// Sign-in flows, reachable from every scope by their handle.
#[async_trait]
pub trait FlowRepository: Send {
    /// Adds a flow. A taken handle is `AlreadyExists`.
    async fn create(&mut self, flow: &StoredFlow) -> Result<()>;

    /// The flow with this handle, expired ones too.
    async fn by_handle(&mut self, handle: &TokenHash) -> Result<Option<StoredFlow>>;

    /// Replaces expiry and bytes where the version is the flow's; the stored
    /// version, also the returned one, is then one higher. Of two units that
    /// replace one version, exactly one succeeds, the other gets `Conflict`.
    async fn update(&mut self, flow: &StoredFlow) -> Result<StoredFlow>;

    /// Removes it; answers whether it was there.
    async fn delete(&mut self, handle: &TokenHash) -> Result<bool>;

    /// Removes at most `limit` flows that expired before `now`; answers how many.
    /// It waits for nobody: what another unit holds is left for later.
    async fn delete_expired(&mut self, now: Timestamp, limit: u32) -> Result<u64>;
}
