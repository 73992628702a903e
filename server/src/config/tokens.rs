//! `[tokens]`: how access tokens for applications are signed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How access tokens for registered applications are signed. The keys are made by the server, sealed in the database, and
/// published at `/.well-known/jwks.json`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TokensConfig {
    /// How the next key signs. Keys that are there stay what they are; `gatelodge keys rotate` makes the next one now.
    pub algorithm: TokenAlgorithm,
    /// After this many days the next key signs. It is published an hour before.
    #[schemars(range(min = 1, max = 3_650))]
    pub rotate_days: u32,
}

impl Default for TokensConfig {
    fn default() -> Self {
        Self {
            algorithm: TokenAlgorithm::default(),
            rotate_days: 90,
        }
    }
}

/// How tokens are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TokenAlgorithm {
    /// Ed25519: short and fast.
    #[default]
    EdDsa,
    /// ECDSA with P-256, for applications whose library knows no Ed25519.
    Es256,
}
