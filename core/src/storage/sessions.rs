use async_trait::async_trait;
use jiff::Timestamp;

use super::Page;
use crate::{
    Result,
    model::{Session, SessionEnd, SessionId, TenantId, UserId},
    secret::TokenHash,
};

/// Which sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// Only this user's.
    pub user: Option<UserId>,
    /// Only those valid at this time (see [`Session::is_valid_at`]).
    pub valid_at: Option<Timestamp>,
    /// All but this one.
    pub except: Option<SessionId>,
}

/// A session was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionTouch {
    /// Its tenant.
    pub tenant: TenantId,
    /// Which.
    pub id: SessionId,
    /// When.
    pub at: Timestamp,
}

/// Sessions of one tenant. Rows outlive users and tenants.
#[async_trait]
pub trait SessionRepository: Send {
    /// *Tenant.* Adds a session of this tenant. A taken token hash is
    /// `AlreadyExists`; another tenant in it is `Invalid`.
    async fn create(&mut self, session: &Session) -> Result<()>;

    /// *Tenant.* The session with this id, ended ones too.
    async fn by_id(&mut self, id: SessionId) -> Result<Option<Session>>;

    /// *Platform.* The session with this token, ended ones too.
    async fn by_token(&mut self, token: &TokenHash) -> Result<Option<Session>>;

    /// *Tenant.* Sessions that match.
    async fn list(&mut self, filter: &SessionFilter, page: Page<SessionId>)
    -> Result<Vec<Session>>;

    /// *Tenant.* How many match.
    async fn count(&mut self, filter: &SessionFilter) -> Result<u64>;

    /// *Tenant.* Ends the matching sessions that have not ended; answers how
    /// many. The rows are taken in the order of their ids.
    async fn end_all(&mut self, filter: &SessionFilter, end: SessionEnd) -> Result<u64>;

    /// *Tenant.* Ends one; answers whether it was there and had not ended. An
    /// ended one keeps its end.
    async fn end(&mut self, id: SessionId, end: SessionEnd) -> Result<bool>;

    /// *Platform.* Notes activity. A time before the noted one, an ended or an
    /// unknown session changes nothing. The rows are taken in the order of
    /// tenants and ids, in whatever order the touches come.
    async fn touch(&mut self, touches: &[SessionTouch]) -> Result<()>;

    /// *Platform.* Ends at most `limit` sessions that are past their idle or
    /// absolute end at `now`, each at the moment it was reached, as timed out;
    /// answers how many. It waits for nobody: what another unit holds is left
    /// for later.
    async fn end_timed_out(&mut self, now: Timestamp, limit: u32) -> Result<u64>;
}
