//! `[log]`: what the server says while it runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the server says while it runs, on standard error.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// For people to read, or one JSON object a line for machines.
    pub format: LogFormat,
    /// Which messages: a level (`error`, `warn`, `info`, `debug`, `trace`) or several `target=level`, joined by commas.
    #[schemars(example = &"info,gatelodge_core=debug")]
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            format: LogFormat::default(),
            filter: "info".to_owned(),
        }
    }
}

/// How a log message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people to read.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}
