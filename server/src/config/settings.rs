//! Keys that only another crate understands, a provider's or a backend's: handed over undecoded, with everything that
//! its errors need to name file, line and key.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use figment::value::{Dict, Value};
use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};

use super::{
    decode,
    error::{ConfigError, Finding, Place},
    secret::{self, REDACTED},
    sources::Sources,
};

/// The keys of a table that are not ours.
///
/// A key that names a secret (`client_secret`, `bind_password`, `private_key`) may be given as a file under the same
/// name with `_file` at the end; whoever decodes the table sees only the secret.
#[derive(Clone, Default, Deserialize)]
#[serde(from = "Dict")]
pub struct Settings {
    values: Dict,
    /// The dotted key of the table.
    key: String,
    sources: Arc<Sources>,
}

impl From<Dict> for Settings {
    fn from(values: Dict) -> Self {
        Self {
            values,
            ..Self::default()
        }
    }
}

impl Settings {
    /// Decoded into a struct, which should refuse unknown fields. Errors read as if the table had been decoded with the
    /// rest of the configuration.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        self.decode_with(Dict::new())
    }

    /// As a JSON table, for whoever decodes it out of our sight.
    pub fn table(&self) -> Result<serde_json::Map<String, serde_json::Value>, ConfigError> {
        self.table_with(Dict::new())
    }

    /// An error about one of the keys, or about the table for "", in the words of whoever understands it: "must be …".
    pub fn error(&self, key: &str, expectation: impl fmt::Display) -> ConfigError {
        self.at(Finding::new(self.key(key), expectation))
    }

    /// The path under one of the keys. In the configuration file, paths are relative to the file's folder.
    pub fn path(&self, key: &str) -> Option<PathBuf> {
        let path = Path::new(self.values.get(key)?.as_str()?);
        Some(self.sources.resolve(&self.key(key), path))
    }

    /// Remembers where the table was written.
    pub(super) fn written(&mut self, key: String, sources: &Arc<Sources>) {
        self.key = key;
        self.sources = Arc::clone(sources);
    }

    pub(super) fn decode_with<T: DeserializeOwned>(&self, more: Dict) -> Result<T, ConfigError> {
        let describe = |error: &figment::Error| decode::describe(error, &self.key, &self.sources);
        decode::decode(Value::from(self.revealed(more)?), describe)
    }

    pub(super) fn table_with(
        &self,
        more: Dict,
    ) -> Result<serde_json::Map<String, serde_json::Value>, ConfigError> {
        match serde_json::to_value(self.revealed(more)?) {
            Ok(serde_json::Value::Object(table)) => Ok(table),
            _ => Err(self.error("", "holds a value that JSON cannot hold")),
        }
    }

    /// The whole key of one of the keys; that of the table for "".
    pub(super) fn key(&self, key: &str) -> String {
        if key.is_empty() {
            return self.key.clone();
        }
        format!("{}.{key}", self.key)
    }

    /// Where one of the keys was written.
    pub(super) fn place(&self, key: &str) -> Place {
        self.sources.exact(&self.key(key))
    }

    /// Each key with what may be shown of it.
    pub(super) fn shown(&self) -> BTreeMap<String, serde_json::Value> {
        let show = |(key, value): (&String, &Value)| (key.clone(), shown(key, value));
        self.values.iter().map(show).collect()
    }

    /// The values and `more`, with secrets read from their files.
    fn revealed(&self, more: Dict) -> Result<Dict, ConfigError> {
        let mut values = self.values.clone();
        for file_key in self.values.keys() {
            let Some(name) = file_key.strip_suffix("_file") else {
                continue;
            };
            if !secret::names_secret(name) {
                continue;
            }
            if values.contains_key(name) {
                let both = Finding::new(self.key(name), format!("and `{file_key}` are both set"));
                return Err(self.at(both.hint("keep one of them")));
            }
            let Some(path) = self.path(file_key) else {
                return Err(self.error(file_key, "must be text, the path of a file"));
            };
            let read = secret::read_secret_file(&self.key(file_key), &path);
            let read = read.map_err(|finding| self.at(finding))?;
            values.remove(file_key);
            values.insert(name.to_owned(), Value::from(read.secret.expose()));
        }
        values.extend(more);
        Ok(values)
    }

    fn at(&self, finding: Finding) -> ConfigError {
        let place = self.sources.place(&finding.key);
        finding.at(place).into()
    }
}

/// What may be shown of a setting: nothing of one whose name sounds like a secret.
fn shown(key: &str, value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(_, switch) => (*switch).into(),
        _ if secret::sounds_secret(key) => REDACTED.into(),
        Value::Dict(_, table) => table
            .iter()
            .map(|(key, value)| (key.clone(), shown(key, value)))
            .collect(),
        Value::Array(_, list) => list.iter().map(|item| shown(key, item)).collect(),
        _ => serde_json::to_value(value).unwrap_or_else(|_| REDACTED.into()),
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Serialize for Settings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.shown().serialize(serializer)
    }
}
