//! `[tenancy]`: how a sign-in finds its tenant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a sign-in finds its tenant when neither path nor host name says it.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TenancyConfig {
    /// Whether the form asks for the tenant or takes `default_tenant`.
    pub sign_in_form: TenantOnForm,
    /// Name of the tenant that the form takes, or suggests.
    #[schemars(example = &"acme")]
    pub default_tenant: Option<String>,
}

/// What the sign-in form does about the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TenantOnForm {
    /// The person names the tenant.
    #[default]
    Choose,
    /// The form does not ask: it is `default_tenant`.
    Default,
}
