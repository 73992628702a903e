//! The provider's table in the configuration.

use std::{num::NonZeroUsize, thread};

use gatelodge_core::provider::ProviderTable;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    CharacterType, Error, HashParams, MaximumAge, Policy, Profile, WorkerSettings,
    protocol::conflict,
};

/// More threads than any machine this runs on has cores.
const MOST_THREADS: usize = 1024;
/// More would only make everybody wait for longer than a browser does.
const MOST_QUEUED: usize = 100_000;

/// What each key must hold, for the texts of errors.
const KEYS: [(&str, &str); 13] = [
    ("memory_kib", "a whole number of KiB"),
    ("iterations", "a whole number"),
    ("parallelism", "a whole number"),
    ("threads", "a whole number"),
    ("queue", "a whole number"),
    ("profile", "`nist`, `asvs` or `legacy`"),
    ("minimum_length", "a whole number of characters"),
    ("history", "a whole number of passwords"),
    (
        "required_types",
        "a list of `upper`, `lower`, `digit` and `symbol`",
    ),
    ("maximum_age_days", "a whole number of days"),
    ("warn_days", "a whole number of days"),
    ("acknowledge_nonconformance", "`true` or `false`"),
    ("context_words", "a list of texts"),
];

/// The keys of a `[[providers]]` table of kind `password`. Every one has a default.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Memory of one hash in KiB. Default 19456 (19 MiB). With `iterations` it
    /// must be at least as strong as OWASP's minimum; at most 262144.
    pub memory_kib: u32,
    /// Passes over the memory. Default 2; at most 64.
    pub iterations: u32,
    /// Lanes of one hash. Default 1; at most 16. They are computed one after another.
    pub parallelism: u32,
    /// Threads that hash. Default: as many as there are cores. Together they use
    /// up to `threads` × `memory_kib` of memory.
    pub threads: usize,
    /// How many sign-ins may wait for a thread; one more is answered 503. Default 256.
    pub queue: usize,
    /// Which standard the rules keep to. Default `nist`.
    pub profile: Profile,
    /// The fewest characters of a new password, 8 to 128. Default: 15, with the
    /// profile `asvs` 8. Fewer than 15 keep to `nist` only where a second factor is
    /// always asked for.
    pub minimum_length: Option<usize>,
    /// How many former passwords may not be used again, 0 to 24, beside the
    /// present one. Each costs one hash whenever a password is changed. Default 0.
    pub history: usize,
    /// Kinds of characters that a new password must have, only with the profile
    /// `legacy`. Default: none.
    pub required_types: Option<Vec<CharacterType>>,
    /// After so many days a password has to be changed, 1 to 3650, only with the
    /// profile `legacy`. Default: never.
    pub maximum_age_days: Option<u32>,
    /// From so many days before that on whoever signs in is asked to change it and
    /// can put it off, 0 to 90. Default 14.
    pub warn_days: Option<u32>,
    /// That it is known which requirements the profile `legacy` breaks, without
    /// which that is refused. Default `false`.
    pub acknowledge_nonconformance: bool,
    /// Words that a password must not consist of, such as the names of your
    /// products. Default: `["gatelodge"]`. The names of user, tenant and host
    /// are always added.
    pub context_words: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        let (params, workers) = (HashParams::default(), WorkerSettings::default());
        Self {
            memory_kib: params.memory_kib(),
            iterations: params.iterations(),
            parallelism: params.parallelism(),
            threads: thread::available_parallelism().map_or(1, NonZeroUsize::get),
            queue: workers.queue.get(),
            profile: Profile::default(),
            minimum_length: None,
            history: 0,
            required_types: None,
            maximum_age_days: None,
            warn_days: None,
            acknowledge_nonconformance: false,
            context_words: vec!["gatelodge".to_owned()],
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
            .map_err(|_| Error::setting("password", "must be a table of keys and values"))?;
        // Found now rather than when the workers start.
        config.hash_params()?;
        config.policy()?;
        config.workers()?;
        Ok(config)
    }

    pub(crate) fn hash_params(&self) -> Result<HashParams, Error> {
        HashParams::new(self.memory_kib, self.iterations, self.parallelism)
    }

    pub(crate) fn policy(&self) -> Result<Policy, Error> {
        let mut policy = Policy::new(self.profile).with_history(self.history)?;
        if let Some(minimum) = self.minimum_length {
            policy = policy.with_minimum_length(minimum)?;
        }
        if let Some(types) = &self.required_types {
            policy = policy.requiring(types)?;
        }
        match (self.maximum_age_days, self.warn_days) {
            (Some(days), warn_days) => {
                policy = policy.with_maximum_age(MaximumAge::new(days, warn_days)?)?;
            }
            (None, Some(_)) => {
                let problem = "means nothing without `maximum_age_days`";
                return Err(Error::setting("warn_days", problem));
            }
            (None, None) => {}
        }
        self.ensure_acknowledged(&policy)?;
        Ok(policy)
    }

    /// Nobody leaves the standards by mistake, nor believes to have done so.
    fn ensure_acknowledged(&self, policy: &Policy) -> Result<(), Error> {
        let key = "acknowledge_nonconformance";
        match (policy.profile(), self.acknowledge_nonconformance) {
            (Profile::Legacy, false) => {
                let conflict = conflict(policy);
                let problem = format!("must be `true` for the profile `legacy`: {conflict}");
                Err(Error::setting(key, problem))
            }
            (profile @ (Profile::Nist | Profile::Asvs), true) => {
                let problem = format!("belongs to the profile `legacy`, not to `{profile}`");
                Err(Error::setting(key, problem))
            }
            (Profile::Legacy, true) | (Profile::Nist | Profile::Asvs, false) => Ok(()),
        }
    }

    pub(crate) fn workers(&self) -> Result<WorkerSettings, Error> {
        Ok(WorkerSettings {
            threads: within("threads", self.threads, MOST_THREADS)?,
            queue: within("queue", self.queue, MOST_QUEUED)?,
            ..WorkerSettings::default()
        })
    }
}

fn within(key: &'static str, value: usize, most: usize) -> Result<NonZeroUsize, Error> {
    NonZeroUsize::new(value)
        .filter(|value| value.get() <= most)
        .ok_or_else(|| Error::setting(key, format!("must be 1 to {most}, not {value}")))
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
            "memory_kib": 65_536, "iterations": 3, "parallelism": 4, "threads": 3, "queue": 7,
            "minimum_length": 20, "context_words": ["acme"], "profile": "legacy", "history": 5,
            "required_types": ["digit", "upper"], "maximum_age_days": 90, "warn_days": 7,
            "acknowledge_nonconformance": true,
        });
        assert_eq!(KEYS.len(), table.as_object().unwrap().len());
        let config = read(table).unwrap();
        assert_eq!(
            (config.memory_kib, config.iterations, config.parallelism),
            (65_536, 3, 4)
        );
        assert_eq!(
            (config.threads, config.queue, config.minimum_length),
            (3, 7, Some(20))
        );
        assert_eq!(config.context_words, ["acme"]);
        let policy = config.policy().unwrap();
        assert_eq!(policy.profile(), Profile::Legacy);
        assert_eq!((policy.minimum_length(), policy.history()), (20, 5));
        assert_eq!(
            policy.required_types(),
            [CharacterType::Upper, CharacterType::Digit]
        );
        let age = policy.maximum_age().unwrap();
        assert_eq!((age.days(), age.warn_days()), (90, 7));
    }

    #[test]
    fn every_profile_has_a_minimum_of_its_own() {
        for (table, minimum) in [
            (json!({}), 15),
            (json!({"profile": "nist"}), 15),
            (json!({"profile": "asvs"}), 8),
            (json!({"profile": "asvs", "minimum_length": 12}), 12),
            (
                json!({"profile": "legacy", "acknowledge_nonconformance": true}),
                15,
            ),
        ] {
            let policy = read(table).unwrap().policy().unwrap();
            assert_eq!(policy.minimum_length(), minimum);
        }
    }

    #[test]
    fn people_are_warned_for_two_weeks_or_as_long_as_possible() {
        for (days, warn_days) in [(90, 14), (15, 14), (10, 9), (1, 0)] {
            let table = json!({
                "profile": "legacy", "acknowledge_nonconformance": true, "maximum_age_days": days,
            });
            let age = read(table).unwrap().policy().unwrap().maximum_age();
            assert_eq!(age.unwrap().warn_days(), warn_days, "{days}");
        }
    }

    /// What breaks a standard is said by the requirement that it breaks.
    #[test]
    fn what_a_profile_does_not_allow_is_refused_with_the_requirement_it_breaks() {
        for (table, text) in [
            (
                json!({"required_types": ["digit"]}),
                "`required_types` cannot be set in the profile `nist`, only in `legacy`: it breaks \
                 NIST SP 800-63B-4, 3.1.1.2 and OWASP ASVS 5.0.0, 6.2.5",
            ),
            (
                json!({"profile": "asvs", "maximum_age_days": 90}),
                "`maximum_age_days` cannot be set in the profile `asvs`, only in `legacy`: it breaks \
                 NIST SP 800-63B-4, 3.1.1.2 and OWASP ASVS 5.0.0, 6.2.10",
            ),
            (
                json!({"profile": "legacy", "maximum_age_days": 90, "required_types": ["upper"]}),
                "`acknowledge_nonconformance` must be `true` for the profile `legacy`: \
                 `required_types` breaks NIST SP 800-63B-4, 3.1.1.2 and OWASP ASVS 5.0.0, 6.2.5; \
                 `maximum_age_days` breaks NIST SP 800-63B-4, 3.1.1.2 and OWASP ASVS 5.0.0, 6.2.10",
            ),
            (
                json!({"profile": "legacy"}),
                "`acknowledge_nonconformance` must be `true` for the profile `legacy`: it is for \
                 rules that break NIST SP 800-63B-4, 3.1.1.2 and OWASP ASVS 5.0.0, 6.2.5, or \
                 NIST SP 800-63B-4, 3.1.1.2 and OWASP ASVS 5.0.0, 6.2.10",
            ),
            (
                json!({"acknowledge_nonconformance": true}),
                "`acknowledge_nonconformance` belongs to the profile `legacy`, not to `nist`",
            ),
            (
                json!({"warn_days": 3}),
                "`warn_days` means nothing without `maximum_age_days`",
            ),
        ] {
            assert_eq!(read(table).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn no_profile_goes_below_eight_characters_or_beyond_what_is_sane() {
        let legacy = |key: &str, value: u32| {
            let mut table = json!({
                "profile": "legacy", "acknowledge_nonconformance": true, "maximum_age_days": 30,
            });
            table[key] = value.into();
            read(table).unwrap_err().to_string()
        };
        assert_eq!(
            legacy("minimum_length", 7),
            "`minimum_length` must be 8 to 128, not 7"
        );
        assert_eq!(
            legacy("maximum_age_days", 0),
            "`maximum_age_days` must be 1 to 3650, not 0"
        );
        assert_eq!(
            legacy("warn_days", 30),
            "`warn_days` must be 0 to 29 when `maximum_age_days` is 30, not 30"
        );
        assert_eq!(legacy("history", 25), "`history` must be 0 to 24, not 25");
    }

    #[test]
    fn an_error_names_the_key_and_what_was_expected() {
        for (table, text) in [
            (
                json!({"memory_kib": "many"}),
                "`memory_kib` must be a whole number of KiB, not `\"many\"`",
            ),
            (
                json!({"memory_kib": -1}),
                "`memory_kib` must be a whole number of KiB, not `-1`",
            ),
            (
                json!({"memory_kib": 1024}),
                "`memory_kib` must be 19456 to 262144 when `iterations` is 2, not 1024",
            ),
            (
                json!({"iterations": 1}),
                "`memory_kib` must be 47104 to 262144 when `iterations` is 1, not 19456",
            ),
            (json!({"threads": 0}), "`threads` must be 1 to 1024, not 0"),
            (json!({"queue": 0}), "`queue` must be 1 to 100000, not 0"),
            (
                json!({"minimum_length": 7}),
                "`minimum_length` must be 8 to 128, not 7",
            ),
            (
                json!({"profile": "strict"}),
                "`profile` must be `nist`, `asvs` or `legacy`, not `\"strict\"`",
            ),
            (
                json!({"required_types": ["letter"]}),
                "`required_types` must be a list of `upper`, `lower`, `digit` and `symbol`, not `[\"letter\"]`",
            ),
            (
                json!({"context_words": "acme"}),
                "`context_words` must be a list of texts, not `\"acme\"`",
            ),
        ] {
            assert_eq!(read(table).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_known_ones() {
        let refused = read(json!({"memory": 19_456})).unwrap_err().to_string();
        assert!(
            refused.starts_with("`memory` is not a key of the password provider"),
            "{refused}"
        );
        assert!(refused.contains("`memory_kib`"), "{refused}");
    }
}
