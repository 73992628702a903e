use std::time::Duration;

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

/// How old a confirmation may be when a feed hands it over. What memory holds is
/// trusted for the rest of a second from then on.
pub const CONFIRMATION_AGE: Duration = Duration::from_millis(400);

/// What a [`ChangeFeed`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedEvent {
    /// These changes were committed, and everything before them was delivered.
    /// They may be old: this confirms nothing.
    Changes(Vec<Change>),
    /// Whatever was committed up to a moment not longer than
    /// [`CONFIRMATION_AGE`] ago was delivered. It comes also while changes do.
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
