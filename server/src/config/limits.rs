//! `[limits]`: what slows guessing down.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What slows guessing down: a growing wait per account and way to sign in, and per network. A network is
/// one IPv4 address or one IPv6 /64.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Wrong answers in a row that cost no wait.
    #[schemars(range(min = 1, max = 99))]
    pub free_tries: u32,
    /// The wait after the first wrong answer beyond `free_tries`, in seconds. It doubles with each further one.
    #[schemars(range(min = 1, max = 3_600))]
    pub first_delay_seconds: u32,
    /// The longest wait, in seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub max_delay_seconds: u32,
    /// Wrong answers in a row after which this way to sign in is switched off for the account until someone sets it
    /// anew. At most 100 (NIST SP 800-63B-4, 3.2.2).
    #[schemars(range(min = 2, max = 100))]
    pub disable_after: u32,
    /// Wrong answers from one network, for any account, that cost no wait.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub network_free_tries: u32,
    /// The wait after the first wrong answer beyond `network_free_tries`, in seconds. It doubles with each further one.
    #[schemars(range(min = 1, max = 3_600))]
    pub network_first_delay_seconds: u32,
    /// The longest wait of a network, in seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub network_max_delay_seconds: u32,
    /// After this many minutes without a try a network's count begins anew.
    #[schemars(range(min = 1, max = 1_440))]
    pub network_forget_minutes: u32,
    /// Sign-ins one network may begin per minute.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub flows_per_network_per_minute: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            free_tries: 10,
            first_delay_seconds: 30,
            max_delay_seconds: 3_600,
            disable_after: 100,
            network_free_tries: 100,
            network_first_delay_seconds: 30,
            network_max_delay_seconds: 900,
            network_forget_minutes: 30,
            flows_per_network_per_minute: 120,
        }
    }
}
