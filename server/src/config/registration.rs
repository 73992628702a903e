//! `[registration]`: whether people may make their own accounts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether people may make their own accounts. The setting of a platform whose tenants have none of their own.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrationConfig {
    /// Whether anyone may sign up. Off: the page and its interface answer 403.
    pub enabled: bool,
    /// What a new account must state beside its user name.
    #[schemars(extend("examples" = [["email", "display_name"]]))]
    pub required: Vec<RequiredAttribute>,
    /// Whether somebody who has an e-mail address is let in only once it is verified. Needs `mail` and a provider of kind
    /// `one-time-token`.
    pub email_verified: bool,
}

/// An attribute that self-registration can demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RequiredAttribute {
    /// The e-mail address.
    Email,
    /// The name shown to others.
    DisplayName,
}
