//! The provider's table in the configuration.

use std::{ops::RangeInclusive, time::Duration};

use gatelodge_core::provider::{LinkPurpose, ProviderTable};

use crate::Error;

/// How long a link can be made to live: five minutes to 30 days, in minutes.
const LIFETIMES: RangeInclusive<u64> = 5..=43_200;
/// How long a link lives if nothing is said, in minutes.
const LIFETIME: u64 = 30;
/// An invitation waits for somebody who does not expect it: a day, the longest
/// that NIST SP 800-63B-4 (section 3.1.3.2) allows what is sent by mail.
const INVITE_LIFETIME: u64 = 24 * 60;
const SIGN_IN: &str = "sign_in";
/// The key of each purpose's lifetime, in the order of [`LinkPurpose::ALL`].
const MINUTES: [&str; 5] = [
    "invite_minutes",
    "reset_minutes",
    "verify_minutes",
    "sign_in_minutes",
    "page_minutes",
];

/// The keys of a `[[providers]]` table of kind `one-time-token`. Every one has a
/// default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `sign_in`: whether people may sign in by a link to their mailbox. Default
    /// `false`: whoever reads the mailbox can then sign in without a password.
    pub sign_in: bool,
    /// How long each kind of link opens, in minutes, in the order of
    /// [`LinkPurpose::ALL`]: `invite_minutes`, `reset_minutes`, `verify_minutes`,
    /// `sign_in_minutes`, `page_minutes`, each 5 to 43,200. Default: 1,440 for an
    /// invitation, 30 for the others.
    minutes: [u64; 5],
}

impl Default for Config {
    fn default() -> Self {
        let minutes = |purpose| match purpose {
            LinkPurpose::Invite => INVITE_LIFETIME,
            _ => LIFETIME,
        };
        Self {
            sign_in: false,
            minutes: LinkPurpose::ALL.map(minutes),
        }
    }
}

impl Config {
    /// Reads the table; an error names the key and what was expected.
    pub fn from_table(table: ProviderTable) -> Result<Self, Error> {
        let mut config = Self::default();
        for (key, value) in table {
            if key == SIGN_IN {
                let problem = format!("must be `true` or `false`, not `{value}`");
                let allowed = value.as_bool();
                config.sign_in = allowed.ok_or_else(|| Error::setting(SIGN_IN, problem))?;
                continue;
            }
            let mut places = MINUTES.into_iter().zip(&mut config.minutes);
            let Some((key, minutes)) = places.find(|(known, _)| *known == key) else {
                let known = [SIGN_IN].into_iter().chain(MINUTES);
                let known: Vec<_> = known.map(|key| format!("`{key}`")).collect();
                let known = known.join(", ");
                return Err(Error::UnknownKey { key, known });
            };
            let problem = format!("must be 5 to 43200 whole minutes, not `{value}`");
            let given = value.as_u64().filter(|given| LIFETIMES.contains(given));
            *minutes = given.ok_or_else(|| Error::setting(key, problem))?;
        }
        Ok(config)
    }

    /// How long a link opens.
    pub fn lifetime(&self, purpose: LinkPurpose) -> Duration {
        let mut places = LinkPurpose::ALL.into_iter().zip(self.minutes);
        let minutes = places.find(|(known, _)| *known == purpose);
        Duration::from_secs(60 * minutes.map_or(LIFETIME, |(_, minutes)| minutes))
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
    fn an_empty_table_means_half_an_hour_and_a_day_for_invitations() {
        let config = read(json!({})).unwrap();
        assert!(!config.sign_in);
        let minutes = LinkPurpose::ALL.map(|purpose| config.lifetime(purpose).as_secs() / 60);
        assert_eq!(minutes, [1_440, 30, 30, 30, 30]);
    }

    #[test]
    fn each_key_is_read() {
        let config = read(json!({
            "sign_in": true, "invite_minutes": 43_200, "reset_minutes": 5, "verify_minutes": 6,
            "sign_in_minutes": 7, "page_minutes": 8,
        }))
        .unwrap();
        assert!(config.sign_in);
        let minutes = LinkPurpose::ALL.map(|purpose| config.lifetime(purpose).as_secs() / 60);
        assert_eq!(minutes, [43_200, 5, 6, 7, 8]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (table, expected) in [
            (
                json!({"sign_in": "yes"}),
                "`sign_in` must be `true` or `false`, not `\"yes\"`",
            ),
            (
                json!({"reset_minutes": 4}),
                "`reset_minutes` must be 5 to 43200 whole minutes, not `4`",
            ),
            (
                json!({"page_minutes": 43_201}),
                "`page_minutes` must be 5 to 43200 whole minutes, not `43201`",
            ),
            (
                json!({"verify_minutes": 5.5}),
                "`verify_minutes` must be 5 to 43200 whole minutes, not `5.5`",
            ),
        ] {
            assert_eq!(read(table).unwrap_err(), expected);
        }
        let unknown = read(json!({"minutes": 5})).unwrap_err();
        assert!(unknown.starts_with("`minutes` is not a key"), "{unknown}");
        for (purpose, key) in LinkPurpose::ALL.into_iter().zip(MINUTES) {
            let name = purpose.as_str().replace('-', "_");
            assert_eq!(key, format!("{name}_minutes"));
            assert!(unknown.contains(key), "{unknown}");
        }
    }
}
