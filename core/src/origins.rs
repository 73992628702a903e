//! Where people find the server: under its own origin, and under those of tenants
//! that have one of their own.
//!
//! All of it comes from the configuration and from names of tenants. Nothing of a
//! request ever becomes part of a link.

use std::collections::BTreeMap;

use url::Url;

use crate::model::{ConnectionId, NameKey, Tenant, TenantName};

/// The server's origin, and those of its tenants.
#[derive(Debug, Clone)]
pub struct Origins {
    server: Url,
    /// Origins that were named for one tenant each.
    own: BTreeMap<NameKey, Url>,
    /// What follows the name of a tenant in its host, the first dot included.
    suffix: Option<String>,
}

impl Origins {
    /// Those of a server whose tenants have none of their own.
    pub fn new(server: Url) -> Self {
        Self {
            server,
            own: BTreeMap::new(),
            suffix: None,
        }
    }

    /// With hosts `<name of the tenant><suffix>`, where a name can be the label of a
    /// host. The suffix begins with a dot.
    pub fn with_suffix(mut self, suffix: impl Into<String>) -> Self {
        self.suffix = Some(suffix.into());
        self
    }

    /// With a host that is this tenant's alone, and its only one.
    pub fn with_host(mut self, tenant: &TenantName, host: &str) -> Self {
        if let Some(origin) = self.beside(host) {
            self.own.insert(tenant.key(), origin);
        }
        self
    }

    /// The server's origin.
    pub fn server(&self) -> &Url {
        &self.server
    }

    /// Where third parties send browsers back to: on the server's own origin, whichever
    /// tenant it is about, so that each connection has one address to register.
    pub fn callback(&self, connection: &ConnectionId) -> Option<Url> {
        self.server.join(&format!("callback/{connection}")).ok()
    }

    /// The origin that is a tenant's own.
    pub fn own(&self, tenant: &TenantName) -> Option<Url> {
        let key = tenant.key();
        if let Some(origin) = self.own.get(&key) {
            return Some(origin.clone());
        }
        let suffix = self.suffix.as_deref()?;
        let host = format!("{}{suffix}", label(&key)?);
        self.beside(&host).filter(|_| !self.is_taken(&host))
    }

    /// The name of the tenant whose own this host is, whether there is such a tenant
    /// or not. The host is given in lower case, without a port.
    pub fn tenant_at(&self, host: &str) -> Option<NameKey> {
        let mut own = self.own.iter();
        if let Some((key, _)) = own.find(|(_, origin)| origin.host_str() == Some(host)) {
            return Some(key.clone());
        }
        let name = host.strip_suffix(self.suffix.as_deref()?)?;
        let key = NameKey::of(name);
        let is_named = label(&key) == Some(name) && !self.own.contains_key(&key);
        (is_named && !self.is_taken(host)).then_some(key)
    }

    /// What the addresses of a tenant's pages begin with, without a slash at the end:
    /// its own origin, or the server's and the path of the tenant's id, which
    /// survives a change of the name.
    pub fn base(&self, tenant: &Tenant) -> String {
        match self.own(&tenant.name) {
            Some(own) => own.origin().ascii_serialization(),
            None => {
                let server = self.server.origin().ascii_serialization();
                format!("{server}/t/{}", tenant.id)
            }
        }
    }

    /// The hosts of tenants; `*` stands for their names.
    pub fn hosts(&self) -> impl Iterator<Item = String> {
        let own = self.own.values().filter_map(Url::host_str);
        let own = own.map(str::to_owned);
        let by_name = self.suffix.iter().map(|suffix| format!("*{suffix}"));
        own.chain(by_name)
    }

    /// The origin on which a tenant's people are: its own, or the server's.
    pub fn of(&self, tenant: &TenantName) -> Url {
        self.own(tenant).unwrap_or_else(|| self.server.clone())
    }

    /// Whether a host is somebody's already, and no tenant's by its name.
    fn is_taken(&self, host: &str) -> bool {
        let mut all = self.own.values().chain([&self.server]);
        all.any(|origin| origin.host_str() == Some(host))
    }

    /// An origin on another host, with the server's scheme and port.
    fn beside(&self, host: &str) -> Option<Url> {
        let mut origin = self.server.clone();
        origin.set_host(Some(host)).ok()?;
        Some(origin)
    }
}

/// The name as the label of a host (RFC 1123 section 2.1), if it can be one. One that
/// would be shown as other letters (RFC 5890) cannot.
fn label(key: &NameKey) -> Option<&str> {
    let name = key.as_str();
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let edges = name.starts_with('-') || name.ends_with('-');
    let fits = (1..=63).contains(&name.len()) && plain && !edges;
    (fits && !name.starts_with("xn--")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> TenantName {
        TenantName::new(text).unwrap()
    }

    fn origins() -> Origins {
        Origins::new("https://id.example.org".parse().unwrap())
            .with_suffix(".example.org")
            .with_host(&name("Acme"), "login.example.org")
    }

    fn own(origins: &Origins, tenant: &str) -> Option<String> {
        let own = origins.own(&name(tenant))?;
        Some(own.origin().ascii_serialization())
    }

    #[test]
    fn a_tenant_is_at_the_host_that_is_named_for_it_or_else_at_its_name() {
        let origins = origins();
        for (tenant, expected) in [
            ("acme", Some("https://login.example.org")),
            ("Other", Some("https://other.example.org")),
            ("a-1", Some("https://a-1.example.org")),
            // Somebody else's already.
            ("id", None),
            ("login", None),
            // No labels of a host.
            ("a.b", None),
            ("a b", None),
            ("-a", None),
            ("a-", None),
            ("a_b", None),
            ("xn--mller-kva", None),
            ("müller", None),
        ] {
            assert_eq!(own(&origins, tenant).as_deref(), expected, "{tenant}");
        }
        let none = Origins::new("https://id.example.org".parse().unwrap());
        assert_eq!(own(&none, "acme"), None);
    }

    #[test]
    fn a_host_is_that_of_the_tenant_whose_origin_it_is_and_of_no_other() {
        let origins = origins();
        for (host, expected) in [
            ("login.example.org", Some("acme")),
            ("other.example.org", Some("other")),
            ("acme.example.org", None),
            ("id.example.org", None),
            ("example.org", None),
            (".example.org", None),
            ("a.b.example.org", None),
            ("-a.example.org", None),
            ("xn--mller-kva.example.org", None),
            ("other.example.org.", None),
            ("other.example.com", None),
            ("evil.example", None),
        ] {
            let found = origins.tenant_at(host);
            let found = found.as_ref().map(NameKey::as_str);
            assert_eq!(found, expected, "{host}");
        }
    }

    #[test]
    fn scheme_and_port_are_the_servers() {
        let origins = Origins::new("http://localhost:8080".parse().unwrap())
            .with_suffix(".localhost")
            .with_host(&name("acme"), "acme.example");
        assert_eq!(own(&origins, "acme").unwrap(), "http://acme.example:8080");
        assert_eq!(own(&origins, "b").unwrap(), "http://b.localhost:8080");
    }
}
