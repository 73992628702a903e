use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Result, secret::TokenHash};

/// A counter of tries. Its meaning is the engine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitState {
    /// Tries counted.
    pub count: i64,
    /// When counting began or began anew.
    pub since: Timestamp,
    /// No try before this time.
    pub blocked_until: Option<Timestamp>,
    /// When it can be forgotten.
    pub expires_at: Timestamp,
}

/// Counters under opaque keys, reachable from every scope; a key is a hash and
/// carries nothing personal.
#[async_trait]
pub trait LimitRepository: Send {
    /// The counter, expired ones too. In a write unit it is held until the unit
    /// ends, also when there is none yet: two units that load and store one key
    /// count both tries.
    async fn load(&mut self, key: &TokenHash) -> Result<Option<LimitState>>;

    /// Stores the counter over whatever was there.
    async fn store(&mut self, key: &TokenHash, state: &LimitState) -> Result<()>;

    /// Forgets the counter; one that is not there is no error. It waits for a
    /// unit that holds the counter, and holds it too.
    async fn clear(&mut self, key: &TokenHash) -> Result<()>;

    /// Removes at most `limit` counters that expired before `now`; answers how
    /// many. It waits for nobody: what another unit holds is left for later.
    async fn delete_expired(&mut self, now: Timestamp, limit: u32) -> Result<u64>;
}
