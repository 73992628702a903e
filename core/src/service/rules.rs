//! The rules that providers hold people to, for administrators to read.

use super::Tenants;
use crate::{
    Result,
    access::{Caller, Resource, action},
    model::{ProviderId, TenantId},
    provider::Rule,
};

/// A configured provider, and the rules it holds people to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderRules {
    /// The provider.
    pub provider: ProviderId,
    /// Its kind.
    pub kind: String,
    /// What it is called.
    pub label: String,
    /// Its rules.
    pub rules: Vec<Rule>,
}

impl Tenants<'_> {
    /// The rules in force in a tenant, in the configured order of the providers;
    /// those without any are left out.
    ///
    /// # Errors
    /// As [`crate::Platform::authorise`].
    pub fn rules(&self, caller: &Caller, tenant: TenantId) -> Result<Vec<ProviderRules>> {
        let here = Resource::tenant(tenant);
        self.0.authorise(caller, action::SETTINGS_READ, &here)?;
        let configured = self.0.providers().providers();
        let rules = configured.map(|configured| ProviderRules {
            provider: configured.id.clone(),
            kind: configured.description.kind.clone(),
            label: configured.description.label.clone(),
            rules: configured.provider.rules(),
        });
        Ok(rules.filter(|rules| !rules.rules.is_empty()).collect())
    }
}
