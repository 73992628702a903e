use gatelodge_core::model::SessionId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Claims, Place, SKEW, Sign, WINDOW, later, run};

/// A device, as its record keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// The `sub` of its tokens.
    pub sub: String,
    /// The token that it holds.
    pub current: Sign,
    /// The one before.
    pub previous: Option<Replaced>,
    /// The session that it was made in.
    pub session: SessionId,
    /// When its owner proved who it is.
    pub auth_at: Timestamp,
    /// When it last signed somebody in.
    pub last_used_at: Timestamp,
    /// The first second in which it has ended, however often it is used.
    pub exp: i64,
}

/// A token that was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replaced {
    /// Its `jti`.
    pub jti: String,
    /// When.
    pub at: Timestamp,
}

/// Which of a device's tokens one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The one that it holds.
    Current,
    /// The one that was just replaced: its answer was lost, or another tab was faster.
    JustNow,
    /// One that was replaced by a clock that is ahead of this one.
    Ahead,
    /// An older one: somebody else has a copy.
    Before,
}

impl Device {
    /// Which of its tokens has this `jti`.
    pub fn when(&self, jti: &str, now: Timestamp) -> When {
        if self.current.jti == jti {
            return When::Current;
        }
        match &self.previous {
            Some(previous) if previous.jti == jti => {
                if previous.at > later(now, SKEW) {
                    When::Ahead
                } else if run(previous.at, now) < WINDOW {
                    When::JustNow
                } else {
                    When::Before
                }
            }
            _ => When::Before,
        }
    }

    /// With another token, which takes the place of the one that it holds.
    #[must_use]
    pub fn rotated(self, to: Sign, now: Timestamp) -> Self {
        Self {
            previous: Some(Replaced {
                jti: self.current.jti,
                at: now,
            }),
            current: to,
            last_used_at: now,
            ..self
        }
    }

    /// What the token says that it holds.
    pub fn claims(&self, place: Place<'_>) -> Claims {
        Claims {
            iss: place.issuer.to_owned(),
            aud: place.audience.to_owned(),
            sub: self.sub.clone(),
            jti: self.current.jti.clone(),
            iat: self.current.iat,
            exp: self.exp,
        }
    }
}
