//! `[storage]`: the database.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use figment::value::{Dict, Value};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeOwned},
};

use super::{error::ConfigError, secret::REDACTED, settings::Settings};

/// The database. Without any of these keys: SQLite in the data folder. Beside the keys here the table holds the settings
/// of the backend that `url` chooses, which go to that backend's crate as they are.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct StorageConfig {
    /// Address of the database, with its password if it has one. Its first word chooses the backend. Unset:
    /// `sqlite:<data_dir>/gatelodge.db`.
    #[schemars(with = "Option<String>", extend("writeOnly" = true), example = &"sqlite:gatelodge-data/gatelodge.db")]
    pub url: Option<StorageUrl>,
    /// File that holds `url`, instead of `url`.
    pub url_file: Option<PathBuf>,
    /// The settings of the backend.
    #[serde(flatten)]
    #[schemars(skip)]
    pub settings: Settings,
}

impl StorageConfig {
    /// `url` and the settings, decoded into the backend's own struct: see [`Settings::decode`].
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        self.settings.decode_with(self.url_entry())
    }

    /// `url` and the settings as a JSON table: see [`Settings::table`].
    pub fn table(&self) -> Result<serde_json::Map<String, serde_json::Value>, ConfigError> {
        self.settings.table_with(self.url_entry())
    }

    fn url_entry(&self) -> Dict {
        let entry = |url: &StorageUrl| ("url".to_owned(), Value::from(url.expose()));
        self.url.iter().map(entry).collect()
    }
}

/// The address of a database. May hold a password, so it prints itself without one.
#[derive(Clone)]
pub struct StorageUrl(SecretString);

impl StorageUrl {
    /// The embedded database in `data_dir`.
    pub(super) fn embedded_in(data_dir: &Path) -> Self {
        Self(format!("sqlite:{}", data_dir.join("gatelodge.db").display()).into())
    }

    /// The whole address, password included: for the backend only.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The first word of the address, which chooses the backend: `sqlite`, `postgres`.
    pub fn scheme(&self) -> &str {
        self.expose()
            .split_once(':')
            .map_or("", |(scheme, _)| scheme)
    }

    /// The address without password and parameters, for people to read.
    pub fn redacted(&self) -> String {
        let (address, has_parameters) = match self.expose().split_once('?') {
            Some((address, _)) => (address, true),
            None => (self.expose(), false),
        };
        let mut shown = match address.rsplit_once('@') {
            None => address.to_owned(),
            Some((before, host)) => {
                let scheme = before
                    .split_once("//")
                    .map_or(self.scheme(), |(scheme, _)| scheme);
                format!("{}://{REDACTED}@{host}", scheme.trim_end_matches(':'))
            }
        };
        if has_parameters {
            shown.push('?');
            shown.push_str(REDACTED);
        }
        shown
    }

    /// A relative SQLite file, taken as lying in `folder`; anything else unchanged.
    pub(super) fn relative_to(self, folder: &Path) -> Self {
        let Some(rest) = self.expose().strip_prefix("sqlite:") else {
            return self;
        };
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let (file, parameters) = match rest.split_once('?') {
            Some((file, parameters)) => (file, format!("?{parameters}")),
            None => (rest, String::new()),
        };
        if file.is_empty() || file.starts_with(':') || Path::new(file).is_absolute() {
            return self;
        }
        Self(format!("sqlite:{}{parameters}", folder.join(file).display()).into())
    }
}

impl FromStr for StorageUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
        if scheme.is_empty() || !scheme.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return Err("must be an address such as `sqlite:gatelodge-data/gatelodge.db`");
        }
        Ok(Self(text.to_owned().into()))
    }
}

impl fmt::Debug for StorageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StorageUrl({})", self.redacted())
    }
}

impl<'de> Deserialize<'de> for StorageUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl Serialize for StorageUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.redacted())
    }
}
