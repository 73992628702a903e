//! `[keys]`: the key that seals all others.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secret::Secret;

/// The master key, which seals every secret in the database. It never lies in the database or its backups.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KeysConfig {
    /// The master key itself, for hosts that hand secrets over in the environment.
    pub master_key: Option<Secret>,
    /// File that holds the master key. Unset: `<data_dir>/master.key`, made at first start on an embedded database.
    pub master_key_file: Option<PathBuf>,
}
