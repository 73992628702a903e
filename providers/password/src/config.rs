//! The provider's table in the configuration.

use std::{num::NonZeroUsize, thread};

use gatelodge_core::provider::ProviderTable;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{Error, HashParams, Policy, WorkerSettings};

/// More threads than any machine this runs on has cores.
const MOST_THREADS: usize = 1024;
/// More would only make everybody wait for longer than a browser does.
const MOST_QUEUED: usize = 100_000;

/// What each key must hold, for the texts of errors.
const KEYS: [(&str, &str); 7] = [
    ("memory_kib", "a whole number of KiB"),
    ("iterations", "a whole number"),
    ("parallelism", "a whole number"),
    ("threads", "a whole number"),
    ("queue", "a whole number"),
    ("minimum_length", "a whole number of characters"),
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
    /// The fewest characters of a new password. Default 15; at least 8, which is
    /// allowed only where a second factor is always asked for; at most 128.
    pub minimum_length: usize,
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
            minimum_length: Policy::default().minimum_length(),
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
        Policy::nist(self.minimum_length)
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
            "minimum_length": 20, "context_words": ["acme"],
        });
        assert_eq!(KEYS.len(), table.as_object().unwrap().len());
        let config = read(table).unwrap();
        assert_eq!(
            (config.memory_kib, config.iterations, config.parallelism),
            (65_536, 3, 4)
        );
        assert_eq!(
            (config.threads, config.queue, config.minimum_length),
            (3, 7, 20)
        );
        assert_eq!(config.context_words, ["acme"]);
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
