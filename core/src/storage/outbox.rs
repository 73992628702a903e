use std::{fmt, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Result,
    model::{MessageId, TenantId, UserId},
    provider::MessageChannel,
    secret::base64_bytes,
};

/// A message that is to be sent. Whoever claims it may send it; when the claim
/// ends before it was settled or postponed, somebody else may.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxEntry {
    /// Its id: what is sent carries it, so that a receiver knows a repetition.
    pub id: MessageId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Whom it goes to.
    pub user: UserId,
    /// How it is sent.
    pub channel: MessageChannel,
    /// When it was made.
    pub made_at: Timestamp,
    /// When it is to be sent, or tried again; of a claimed one, when the claim ends.
    pub due_at: Timestamp,
    /// The first moment at which it is pointless.
    pub expires_at: Timestamp,
    /// How often it was claimed.
    pub tries: i64,
    /// Rises with every change.
    pub version: i64,
    /// Address, template, link, code and values, sealed, at most 64 KiB.
    #[serde(with = "base64_bytes")]
    pub sealed: Vec<u8>,
}

impl OutboxEntry {
    /// How far the clock that made a message may be ahead: a day. What is made later
    /// would be sent, with a link that lives as long, when nobody expects it.
    pub const AHEAD: Duration = Duration::from_secs(24 * 60 * 60);
}

impl fmt::Debug for OutboxEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboxEntry")
            .field("id", &self.id)
            .field("channel", &self.channel)
            .field("due_at", &self.due_at)
            .field("tries", &self.tries)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// Messages that are to be sent. They go with their user and their tenant.
#[async_trait]
pub trait OutboxRepository: Send {
    /// *Tenant.* Adds a message: with the unit it is committed or never was. A
    /// taken id is `AlreadyExists`, an unknown user `NotFound`, another tenant in
    /// it `Invalid`.
    async fn add(&mut self, entry: &OutboxEntry) -> Result<()>;

    /// *Platform.* Takes at most `limit` messages of any tenant that are due at
    /// `now` and have not expired, those that have been due for longest; answers
    /// them sorted by tenant and id.
    ///
    /// * A claimed message is due again at `until`; its tries and its version are
    ///   one higher, also in the answer.
    /// * It waits for nobody: of units that claim at once, exactly one gets a
    ///   message, and what another unit holds is left to it.
    async fn claim(
        &mut self,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<OutboxEntry>>;

    /// *Platform.* Changes when a message is due, and nothing else of it; see the
    /// module's rules on versions.
    async fn postpone(&mut self, entry: &OutboxEntry) -> Result<OutboxEntry>;

    /// *Platform.* Removes a message that was sent or never will be; of two units
    /// that settle one version, exactly one succeeds. Another version is a
    /// `Conflict`, an unknown id `NotFound`.
    async fn settle(&mut self, tenant: TenantId, id: MessageId, version: i64) -> Result<()>;

    /// *Platform.* Removes at most `limit` messages that expired before `now`, or
    /// were made more than [`OutboxEntry::AHEAD`] after it, by a clock that was wrong;
    /// answers them, sorted by tenant and id, so that each can be told of. It
    /// waits for nobody: what another unit holds is left for later.
    async fn delete_expired(&mut self, now: Timestamp, limit: u32) -> Result<Vec<OutboxEntry>>;
}
