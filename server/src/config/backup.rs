//! `[backup]`: where backups are put, for whom they are encrypted, and when they are made.

use std::{borrow::Cow, fmt, path::PathBuf, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Where backups are put, for whom they are encrypted, and when the server makes one by itself.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BackupConfig {
    /// Folder for backups. Unset: `<data_dir>/backups`. Made with the first backup.
    pub folder: Option<PathBuf>,
    /// Who can open the backups: recipients of age, as `gatelodge backup key` and `age-keygen` print them. Any one of
    /// their identities opens a backup; none of them is needed to make one.
    #[schemars(extend("examples" = [[EXAMPLE]]))]
    pub recipients: Vec<BackupRecipient>,
    /// The server makes a backup of everything when the last one that it made is this many hours old. Unset: never.
    #[schemars(range(min = 1, max = 744))]
    pub every_hours: Option<u32>,
    /// How many of the backups that the server made by itself stay; older ones are removed.
    #[schemars(range(min = 1, max = 1_000))]
    pub keep: u32,
}

impl Default for BackupConfig {
    fn default() -> Self {
        Self {
            folder: None,
            recipients: Vec::new(),
            every_hours: None,
            keep: 7,
        }
    }
}

const EXAMPLE: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

/// Somebody for whom backups are encrypted: an X25519 recipient of age, `age1…`. It is no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupRecipient(age::x25519::Recipient);

impl BackupRecipient {
    /// The recipient in the terms of age.
    pub fn as_age(&self) -> &age::x25519::Recipient {
        &self.0
    }
}

impl From<age::x25519::Recipient> for BackupRecipient {
    fn from(recipient: age::x25519::Recipient) -> Self {
        Self(recipient)
    }
}

impl FromStr for BackupRecipient {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        // Somebody who mixes them up is told, and the secret is not repeated.
        if text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
            return Err(
                "must be a recipient of age, `age1…`, and not an identity, which is secret",
            );
        }
        text.parse()
            .map(Self)
            .map_err(|_| "must be a recipient of age, `age1…`, as `gatelodge backup key` prints it")
    }
}

impl fmt::Display for BackupRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for BackupRecipient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl Serialize for BackupRecipient {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for BackupRecipient {
    fn schema_name() -> Cow<'static, str> {
        "BackupRecipient".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^age1[0-9a-z]+$" })
    }
}
