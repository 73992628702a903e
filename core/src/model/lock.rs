//! Locks of tenants and users.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Why and until when a tenant or user is locked. Its end is read off the
/// clock; nothing has to be cleaned up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Shown to administrators only, at most 500 characters.
    pub reason: Option<String>,
    /// The first moment at which it no longer holds; `None` holds until unlocked.
    pub until: Option<Timestamp>,
    /// When it was set.
    pub since: Timestamp,
    /// Whether a master's lock also locks its sub-tenants; of no meaning on a user.
    pub cascade: bool,
}

impl Lock {
    /// Checks the reason's length and that the lock does not end before it starts.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`], naming `reason` or `until`.
    pub fn new(
        reason: Option<String>,
        until: Option<Timestamp>,
        since: Timestamp,
        cascade: bool,
    ) -> Result<Self> {
        if reason.as_ref().is_some_and(|r| r.chars().count() > 500) {
            return Err(Error::invalid(
                "reason",
                "a reason has at most 500 characters",
            ));
        }
        if until.is_some_and(|until| until <= since) {
            return Err(Error::invalid("until", "a lock must end in the future"));
        }
        Ok(Self {
            reason: reason.filter(|reason| !reason.trim().is_empty()),
            until,
            since,
            cascade,
        })
    }

    /// Whether it holds at `now`.
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}
