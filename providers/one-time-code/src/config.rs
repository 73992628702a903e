//! The provider's table in the configuration.

use std::{ops::RangeInclusive, time::Duration};

use gatelodge_core::provider::{MessageChannel, ProviderTable};

use crate::Error;

/// A code is bound to the sign-in that asked for it, which lasts for ten minutes;
/// and no longer may one be good (NIST SP 800-63B-4 section 3.1.3.2, ASVS 6.5.5).
const LIFETIMES: RangeInclusive<u64> = 1..=10;
/// How long a code is good if nothing is said, in minutes.
const LIFETIME: u64 = 10;
const CHANNEL: &str = "channel";
const LIFETIME_MINUTES: &str = "lifetime_minutes";

/// The keys of a `[[providers]]` table of kind `one-time-code`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `channel`: how codes are sent, `mail` or `sms`. It has no default: for both
    /// ways there are two providers.
    pub channel: MessageChannel,
    /// `lifetime_minutes`: how long a code is good, 1 to 10. Default 10.
    lifetime_minutes: u64,
}

impl Config {
    /// Codes by this channel, with everything else as it is by default.
    pub fn of(channel: MessageChannel) -> Self {
        Self {
            channel,
            lifetime_minutes: LIFETIME,
        }
    }

    /// Reads the table; an error names the key and what was expected.
    pub fn from_table(table: ProviderTable) -> Result<Self, Error> {
        let (mut channel, mut lifetime_minutes) = (None, LIFETIME);
        for (key, value) in table {
            match key.as_str() {
                CHANNEL => {
                    let problem = format!("must be `mail` or `sms`, not `{value}`");
                    let given = value.as_str().and_then(MessageChannel::parse);
                    channel = Some(given.ok_or_else(|| Error::setting(CHANNEL, problem))?);
                }
                LIFETIME_MINUTES => {
                    let problem = format!("must be 1 to 10 whole minutes, not `{value}`");
                    let given = value.as_u64().filter(|given| LIFETIMES.contains(given));
                    lifetime_minutes =
                        given.ok_or_else(|| Error::setting(LIFETIME_MINUTES, problem))?;
                }
                _ => {
                    let known = format!("`{CHANNEL}`, `{LIFETIME_MINUTES}`");
                    return Err(Error::UnknownKey { key, known });
                }
            }
        }
        let missing = "must be set: `mail` or `sms`, which is how codes are sent";
        Ok(Self {
            channel: channel.ok_or_else(|| Error::setting(CHANNEL, missing))?,
            lifetime_minutes,
        })
    }

    /// How long a code is good.
    pub fn lifetime(&self) -> Duration {
        Duration::from_secs(60 * self.lifetime_minutes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(table: Value) -> Result<Config, String> {
        let Value::Object(table) = table else {
            panic!("a table");
        };
        Config::from_table(table).map_err(|error| error.to_string())
    }

    #[test]
    fn each_key_is_read_and_a_code_is_good_for_ten_minutes_by_default() {
        let mail = read(json!({"channel": "mail"})).unwrap();
        assert_eq!(mail, Config::of(MessageChannel::Mail));
        assert_eq!(mail.lifetime(), Duration::from_secs(600));
        let sms = read(json!({"channel": "sms", "lifetime_minutes": 3})).unwrap();
        assert_eq!(sms.channel, MessageChannel::Sms);
        assert_eq!(sms.lifetime(), Duration::from_secs(180));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (table, expected) in [
            (
                json!({}),
                "`channel` must be set: `mail` or `sms`, which is how codes are sent",
            ),
            (
                json!({"channel": "pigeon"}),
                "`channel` must be `mail` or `sms`, not `\"pigeon\"`",
            ),
            (
                json!({"channel": ["mail", "sms"]}),
                "`channel` must be `mail` or `sms`, not `[\"mail\",\"sms\"]`",
            ),
            (
                json!({"channel": "sms", "lifetime_minutes": 11}),
                "`lifetime_minutes` must be 1 to 10 whole minutes, not `11`",
            ),
            (
                json!({"channel": "mail", "lifetime_minutes": 0}),
                "`lifetime_minutes` must be 1 to 10 whole minutes, not `0`",
            ),
            (
                json!({"channel": "mail", "lifetime_minutes": 2.5}),
                "`lifetime_minutes` must be 1 to 10 whole minutes, not `2.5`",
            ),
            (
                json!({"channel": "mail", "digits": 6}),
                "`digits` is not a key of the one-time-code provider, only `channel`, \
                 `lifetime_minutes`",
            ),
        ] {
            assert_eq!(read(table).unwrap_err(), expected);
        }
    }
}
