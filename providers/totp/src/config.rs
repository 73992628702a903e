//! The provider's table in the configuration.

use std::ops::RangeInclusive;

use gatelodge_core::provider::ProviderTable;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{Algorithm, Error};

/// Shorter ones expire while they are being typed, longer ones are worth
/// stealing; apps are made for 30.
const PERIODS: RangeInclusive<u64> = 15..=60;
/// More would give somebody who guesses as many more codes that are right.
const MOST_SKEW: u64 = 2;
/// The most characters of an issuer.
const MOST_ISSUER: usize = 40;

/// What each key must hold, for the texts of errors.
const KEYS: [(&str, &str); 5] = [
    ("digits", "6 or 8"),
    ("period", "a whole number of seconds"),
    ("algorithm", "`SHA1`, `SHA256` or `SHA512`"),
    ("skew", "a whole number of steps"),
    ("issuer", "a text"),
];

/// The keys of a `[[providers]]` table of kind `totp`. Every one has a default.
/// They hold for what is set up from now on, `skew` for everything.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Digits of a code: 6 or 8. Default 6.
    pub digits: u8,
    /// Seconds for which a code is the present one: 15 to 60. Default 30.
    pub period: u64,
    /// The hash function. Default `SHA1`, the one that all apps know.
    pub algorithm: Algorithm,
    /// How many steps before and after the present one count as well: 0 to 2.
    /// Default 1.
    pub skew: u64,
    /// What the app shows as the issuer, 1 to 40 characters. Default: the name
    /// of the tenant.
    pub issuer: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            digits: 6,
            period: 30,
            algorithm: Algorithm::Sha1,
            skew: 1,
            issuer: None,
        }
    }
}

impl Config {
    /// Reads the table; an error names the key and what was expected.
    pub fn from_table(table: ProviderTable) -> Result<Self, Error> {
        for (key, value) in &table {
            let Some((key, expected)) = KEYS.iter().find(|(known, _)| known == key) else {
                return Err(Error::UnknownKey {
                    key: key.clone(),
                    known: KEYS.map(|(known, _)| format!("`{known}`")).join(", "),
                });
            };
            // One key at a time, since the decoder's errors do not say which it was.
            let alone = Map::from_iter([((*key).to_owned(), value.clone())]);
            if serde_json::from_value::<Self>(Value::Object(alone)).is_err() {
                return Err(Error::setting(
                    key,
                    format!("must be {expected}, not `{value}`"),
                ));
            }
        }
        let config: Self = serde_json::from_value(Value::Object(table))
            .map_err(|_| Error::setting("totp", "must be a table of keys and values"))?;
        config.check()?;
        Ok(config)
    }

    /// Whether every value is in its range.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if ![6, 8].contains(&self.digits) {
            return Err(out_of_range("digits", "6 or 8", self.digits));
        }
        if !PERIODS.contains(&self.period) {
            return Err(out_of_range("period", "15 to 60", self.period));
        }
        if self.skew > MOST_SKEW {
            return Err(out_of_range("skew", "0 to 2", self.skew));
        }
        let fits = |issuer: &str| {
            (1..=MOST_ISSUER).contains(&issuer.chars().count())
                && !issuer.contains(|c: char| c == ':' || c.is_control())
        };
        match &self.issuer {
            Some(issuer) if !fits(issuer) => Err(Error::setting(
                "issuer",
                format!("must have 1 to {MOST_ISSUER} characters and no `:`, not be `{issuer}`"),
            )),
            _ => Ok(()),
        }
    }
}

fn out_of_range(key: &'static str, range: &str, value: impl std::fmt::Display) -> Error {
    Error::setting(key, format!("must be {range}, not {value}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(table: Value) -> Result<Config, Error> {
        let Value::Object(table) = table else {
            panic!("a table");
        };
        Config::from_table(table)
    }

    #[test]
    fn every_key_has_a_default_and_can_be_set() {
        assert_eq!(read(json!({})).unwrap(), Config::default());
        let table = json!({
            "digits": 8, "period": 45, "algorithm": "SHA512", "skew": 2, "issuer": "Example",
        });
        assert_eq!(KEYS.len(), table.as_object().unwrap().len());
        let expected = Config {
            digits: 8,
            period: 45,
            algorithm: Algorithm::Sha512,
            skew: 2,
            issuer: Some("Example".to_owned()),
        };
        assert_eq!(read(table).unwrap(), expected);
    }

    #[test]
    fn an_error_names_the_key_and_what_was_expected() {
        for (table, text) in [
            (
                json!({"digits": "six"}),
                "`digits` must be 6 or 8, not `\"six\"`",
            ),
            (json!({"digits": 7}), "`digits` must be 6 or 8, not 7"),
            (json!({"digits": 10}), "`digits` must be 6 or 8, not 10"),
            (
                json!({"period": -30}),
                "`period` must be a whole number of seconds, not `-30`",
            ),
            (json!({"period": 0}), "`period` must be 15 to 60, not 0"),
            (
                json!({"algorithm": "MD5"}),
                "`algorithm` must be `SHA1`, `SHA256` or `SHA512`, not `\"MD5\"`",
            ),
            (json!({"skew": 3}), "`skew` must be 0 to 2, not 3"),
            (
                json!({"issuer": "A: B"}),
                "`issuer` must have 1 to 40 characters and no `:`, not be `A: B`",
            ),
            (
                json!({"issuer": ""}),
                "`issuer` must have 1 to 40 characters and no `:`, not be ``",
            ),
        ] {
            assert_eq!(read(table).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_known_ones() {
        let refused = read(json!({"steps": 30})).unwrap_err().to_string();
        assert!(
            refused.starts_with("`steps` is not a key of the totp provider"),
            "{refused}"
        );
        assert!(refused.contains("`period`"), "{refused}");
    }
}
