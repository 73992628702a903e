//! `[session]`: how long a sign-in lasts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long a sign-in lasts, and how many a person may have at a time.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SessionConfig {
    /// A session without activity ends after this many minutes.
    #[schemars(range(min = 1, max = 43_200))]
    pub idle_minutes: u32,
    /// Every session ends after this many hours, active or not. At most 30 days (NIST SP 800-63B-4).
    #[schemars(range(min = 1, max = 720))]
    pub absolute_hours: u32,
    /// Most sessions one person may have at a time. Unset: no limit.
    #[schemars(range(min = 1, max = 10_000))]
    pub per_user_limit: Option<u32>,
    /// What happens to a sign-in beyond `per_user_limit`.
    pub at_limit: AtLimit,
    /// For how many days a device keeps somebody signed in who ticks the box for it. 0: not offered.
    #[schemars(range(min = 0, max = 30))]
    pub remember_days: u32,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            idle_minutes: 30,
            absolute_hours: 24,
            per_user_limit: None,
            at_limit: AtLimit::default(),
            remember_days: 30,
        }
    }
}

/// What happens to a sign-in beyond the limit of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AtLimit {
    /// The new sign-in is refused.
    Refuse,
    /// The session that was longest unused ends.
    #[default]
    ReplaceOldest,
}
