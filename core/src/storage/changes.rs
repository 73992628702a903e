use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    Result,
    model::{SessionId, TenantId, UserId},
};

/// "In this tenant, this changed": what memory holds of it is out of date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Change {
    /// Where.
    pub tenant: TenantId,
    /// What.
    pub what: Changed,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Changed {
    /// The tenant itself, or anything in it.
    Tenant,
    /// A user, or any of the user's sessions and grants.
    User(UserId),
    /// One session.
    Session(SessionId),
}

/// What a [`ChangeFeed`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedEvent {
    /// These changes were committed, and everything before them was delivered.
    Changes(Vec<Change>),
    /// Nothing else was committed so far.
    Confirmed,
    /// Changes may have been missed: forget everything.
    Lost,
}

/// A stream of committed changes; dropping it ends it.
#[async_trait]
pub trait ChangeFeed: Send {
    /// Waits for what comes next. Dropping the future loses nothing. An error
    /// means that the feed is broken: open a new one and forget everything.
    async fn next(&mut self) -> Result<FeedEvent>;
}
