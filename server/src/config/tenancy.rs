//! `[tenancy]`: how a sign-in finds its tenant.

use gatelodge_core::model::TenantName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    error::Finding,
    host::{HostName, HostPattern},
    origin::Scheme,
    server::ServerConfig,
};

/// How a sign-in finds its tenant: by hosts that are its own, and on the form where neither path nor host says it.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TenancyConfig {
    /// Whether the form asks for the tenant or takes `default_tenant`.
    pub sign_in_form: TenantOnForm,
    /// Name of the tenant that the form takes, or suggests.
    #[schemars(example = &"acme")]
    pub default_tenant: Option<String>,
    /// Hosts of tenants by their names: `{tenant}` stands for the name, whose letters must be those of host names. Such a
    /// tenant has its pages there, with cookies of its own, and no longer under `/t/<tenant>`. Needs `server.origin`, whose
    /// scheme and port count there too.
    #[schemars(example = &"{tenant}.id.example.org")]
    pub host_pattern: Option<HostPattern>,
    /// Hosts that are one tenant's alone. It is no longer at `host_pattern` then.
    #[schemars(extend("examples" = [[{ "host": "login.acme.example", "tenant": "acme" }]]))]
    pub hosts: Vec<TenantHost>,
}

impl TenancyConfig {
    /// What is wrong with the hosts of tenants.
    pub(super) fn problems_of_hosts(&self, server: &ServerConfig) -> Vec<Finding> {
        let Some(origin) = &server.origin else {
            return self.without_origin().into_iter().collect();
        };
        let mut problems = Vec::new();
        let plain = origin.scheme() == Scheme::Http && server.trusted_proxies.is_empty();
        if let Some(pattern) = &self.host_pattern
            && plain
            && !origin.beside(pattern.rest()).is_loopback()
        {
            problems.push(plain_http("tenancy.host_pattern"));
        }
        for (index, entry) in self.hosts.iter().enumerate() {
            let key = |name: &str| format!("tenancy.hosts.{index}.{name}");
            let earlier = || self.hosts.iter().take(index);
            if entry.host.as_str() == origin.host() {
                let text = "is that of `server.origin`, which is there for all tenants";
                problems.push(Finding::new(key("host"), text));
            } else if earlier().any(|other| other.host == entry.host) {
                let text = format!("is `{}`, which another tenant already has", entry.host);
                problems.push(Finding::new(key("host"), text));
            } else if plain && !origin.beside(&entry.host).is_loopback() {
                problems.push(plain_http(key("host")));
            }
            match TenantName::new(&entry.tenant) {
                Err(error) => {
                    let text = format!("is no name of a tenant: {}", error.message());
                    problems.push(Finding::new(key("tenant"), text));
                }
                Ok(name) if earlier().any(|other| is_named(&other.tenant, &name)) => {
                    let text = format!("is `{name}`, which already has a host");
                    let finding = Finding::new(key("tenant"), text);
                    problems.push(finding.hint("a tenant has one host: leave one of them out"));
                }
                Ok(_) => {}
            }
        }
        problems
    }

    fn without_origin(&self) -> Option<Finding> {
        let key = match (&self.host_pattern, self.hosts.is_empty()) {
            (Some(_), _) => "tenancy.host_pattern",
            (None, false) => "tenancy.hosts",
            (None, true) => return None,
        };
        let finding = Finding::new(key, "is set, and `server.origin` is not");
        Some(finding.hint(
            "set `server.origin`, such as `https://id.example.org`: its scheme and port count on hosts of tenants too",
        ))
    }
}

fn is_named(text: &str, name: &TenantName) -> bool {
    TenantName::new(text).is_ok_and(|other| other.key() == name.key())
}

fn plain_http(key: impl Into<String>) -> Finding {
    let text = "is not this machine, and `server.origin` is plain http: passwords would cross the network readable by \
                anyone on the way";
    Finding::new(key, text).hint("use `https://` for `server.origin`, and a proxy that ends TLS")
}

/// A host of one tenant.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantHost {
    /// The host, without scheme and port.
    #[schemars(example = &"login.acme.example")]
    pub host: HostName,
    /// Name of the tenant.
    #[schemars(example = &"acme")]
    pub tenant: String,
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
