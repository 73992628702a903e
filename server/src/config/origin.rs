//! What the server is called, and what follows from it: links, cookies, and which requests are meant for it.
//!
//! The answer comes from the configuration alone. No header of a request (`Host`, `X-Forwarded-Host`,
//! `X-Forwarded-Proto`, `Forwarded`) ever changes it; headers are only compared with it.

use std::{
    borrow::Cow,
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use gatelodge_core::{
    Origins,
    model::{NameKey, TenantName},
};
use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use url::{Host, Url};

use super::{
    Config,
    error::{ConfigError, Finding, Place},
    host::HostName,
    network,
    tenancy::TenancyConfig,
};

/// How a browser reaches an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain http.
    Http,
    /// http over TLS.
    Https,
}

impl Scheme {
    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn usual_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Scheme, host and port (RFC 6454). Printed exactly as browsers write it in `Origin`: lower case, punycode, without
/// the usual port, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    scheme: Scheme,
    host: Host<String>,
    port: u16,
}

impl Origin {
    /// How a browser reaches it.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host name or address; an IPv6 address stands in brackets.
    pub fn host(&self) -> String {
        self.host.to_string()
    }

    /// The port, the usual one included.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether only this machine can be meant (RFC 6761: `localhost` and names under it; loopback addresses).
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        }
    }

    fn loopback(host: Host<String>, port: u16) -> Self {
        Self {
            scheme: Scheme::Http,
            host,
            port,
        }
    }

    /// The origin of another host, with the same scheme and port.
    pub(super) fn beside(&self, host: &HostName) -> Self {
        Self {
            host: Host::Domain(host.as_str().to_owned()),
            ..self.clone()
        }
    }

    /// The same with what the configuration says of tenants' hosts.
    fn origins(&self, tenancy: &TenancyConfig) -> Result<Origins, Finding> {
        let server = Url::parse(&self.to_string());
        let server = server
            .map_err(|error| Finding::new("server.origin", format!("is no address: {error}")))?;
        let mut origins = Origins::new(server);
        if let Some(pattern) = &tenancy.host_pattern {
            origins = origins.with_suffix(pattern.suffix());
        }
        let named = tenancy.hosts.iter().filter_map(|entry| {
            let tenant = TenantName::new(&entry.tenant).ok()?;
            Some((tenant, entry.host.as_str()))
        });
        Ok(named.fold(origins, |origins, (tenant, host)| {
            origins.with_host(&tenant, host)
        }))
    }

    /// Whether a `Host` header names this origin.
    fn is_named_by(&self, host_header: &str) -> bool {
        let header = host_header.to_ascii_lowercase();
        let host = self.host();
        match header.strip_prefix(&host) {
            Some("") => self.port == self.scheme.usual_port(),
            Some(rest) => rest
                .strip_prefix(':')
                .is_some_and(|port| is_port(port, self.port)),
            None => false,
        }
    }
}

/// Whether `text` is exactly this port: no sign, no space, no leading zero.
fn is_port(text: &str, port: u16) -> bool {
    text == port.to_string()
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.host)?;
        if self.port == self.scheme.usual_port() {
            return Ok(());
        }
        write!(f, ":{}", self.port)
    }
}

/// Why a text is no origin. Its words go on after the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidOrigin(&'static str);

impl fmt::Display for InvalidOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidOrigin {}

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = InvalidOrigin(
            "must be scheme, host and perhaps port, such as `https://id.example.org`",
        );
        let url = Url::parse(text).map_err(|_| malformed)?;
        let scheme = match url.scheme() {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            _ => return Err(InvalidOrigin("must begin with `https://` or `http://`")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidOrigin("must not hold a user name or password"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidOrigin(
                "must end after host and port, without a path",
            ));
        }
        let host = url.host().ok_or(malformed)?.to_owned();
        if let Host::Domain(name) = &host
            && !is_host_name(name)
        {
            return Err(InvalidOrigin("must hold the name of one host"));
        }
        let port = url.port_or_known_default().ok_or(malformed)?;
        if port == 0 {
            return Err(InvalidOrigin("must not hold port 0"));
        }
        Ok(Self { scheme, host, port })
    }
}

pub(super) fn is_host_name(name: &str) -> bool {
    !name.ends_with('.')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Origin {
    fn schema_name() -> Cow<'static, str> {
        "Origin".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^https?://[^/?#@]+/?$" })
    }
}

/// Whose a host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// The server's, for all tenants.
    Server,
    /// That of the tenant of this name, if there is one.
    Tenant(NameKey),
}

/// What follows from the origin: the only place that answers these questions.
#[derive(Debug, Clone)]
pub struct OriginPolicy {
    base: Origin,
    /// `base` first; more than one only when the origin is unset.
    accepted: Vec<Origin>,
    /// The base, and the origins of tenants.
    origins: Origins,
    trusted_proxies: Vec<IpNet>,
}

impl OriginPolicy {
    /// What every link begins with, without a slash at the end.
    pub fn links_base(&self) -> String {
        self.base.to_string()
    }

    /// The origin itself.
    pub fn origin(&self) -> &Origin {
        &self.base
    }

    /// Whether cookies are `Secure` and named `__Host-…`. Only browsers on plain http do without.
    pub fn secure_cookies(&self) -> bool {
        self.base.scheme == Scheme::Https
    }

    /// The origin, and those of tenants.
    pub fn origins(&self) -> &Origins {
        &self.origins
    }

    /// Whose host a `Host` header (or HTTP/2 `:authority`) names; none for a host that is nobody's here.
    pub fn whose(&self, host_header: &str) -> Option<Whose> {
        if self.accepted_at(host_header).is_some() {
            return Some(Whose::Server);
        }
        let (_, tenant) = self.tenant_at(host_header)?;
        Some(Whose::Tenant(tenant))
    }

    /// Whether a `Host` header (or HTTP/2 `:authority`) names this server, or a host that is a tenant's if there is a
    /// tenant of that name.
    pub fn host_is_ours(&self, host_header: &str) -> bool {
        self.whose(host_header).is_some()
    }

    /// Whether an `Origin` header, on a request for `host_header`, is that of our own pages. Never for `null`. A tenant's
    /// origin counts on its own host alone, and no other counts there.
    pub fn origin_is_ours(&self, origin_header: &str, host_header: &str) -> bool {
        let at = self.origin_at(host_header);
        at.is_some_and(|origin| origin == origin_header)
    }

    /// The origin of the pages on a host of ours, as browsers write it.
    pub fn origin_at(&self, host_header: &str) -> Option<String> {
        match self.accepted_at(host_header) {
            Some(origin) => Some(origin.to_string()),
            None => self
                .tenant_at(host_header)
                .map(|(origin, _)| origin.to_string()),
        }
    }

    fn accepted_at(&self, host_header: &str) -> Option<&Origin> {
        let mut accepted = self.accepted.iter();
        accepted.find(|origin| origin.is_named_by(host_header))
    }

    /// The tenant whose host it is, by its name, and its origin.
    fn tenant_at(&self, host_header: &str) -> Option<(Origin, NameKey)> {
        let header = host_header.to_ascii_lowercase();
        let host = header.split(':').next().unwrap_or_default();
        let tenant = self.origins.tenant_at(host)?;
        let origin = Origin {
            host: Host::Domain(host.to_owned()),
            ..self.base.clone()
        };
        origin.is_named_by(&header).then_some((origin, tenant))
    }

    /// The origins of tenants, as a content security policy writes them (CSP 3 section 2.3.1), if tenants can have any.
    pub(crate) fn tenant_hosts(&self) -> Option<String> {
        let hosts: Vec<_> = self.origins.hosts().collect();
        let of = |host: String| Origin {
            host: Host::Domain(host),
            ..self.base.clone()
        };
        let origins = hosts.into_iter().map(|host| of(host).to_string());
        let origins = origins.collect::<Vec<_>>().join(" ");
        (!origins.is_empty()).then_some(origins)
    }

    /// The relying party id for passkeys; none when the origin's host is an address (WebAuthn wants a name).
    pub fn rp_id(&self) -> Option<&str> {
        match &self.base.host {
            Host::Domain(name) => Some(name),
            Host::Ipv4(_) | Host::Ipv6(_) => None,
        }
    }

    /// The client's address, given the peer's and the lines of `X-Forwarded-For`: see [`network::client_address`].
    pub fn client_address<'a, L>(&self, peer: IpAddr, forwarded_for: L) -> IpAddr
    where
        L: IntoIterator<Item = &'a [u8]>,
        L::IntoIter: DoubleEndedIterator,
    {
        network::client_address(peer, forwarded_for, &self.trusted_proxies)
    }
}

/// What follows from the configured origin for a server that listens on `listen`, or why it must not start.
///
/// * unset: only a loopback address may be listened on; links say `http://localhost:<port>`, and requests may name
///   `localhost`, `127.0.0.1` or `[::1]` with that port;
/// * `https://…`: secure cookies;
/// * `http://…`: only on this machine, host and listener both, unless a trusted proxy is named.
pub fn resolve_origin(config: &Config, listen: SocketAddr) -> Result<OriginPolicy, ConfigError> {
    find_policy(config, listen).map_err(|finding| finding.at(Place::Default).into())
}

pub(super) fn find_policy(config: &Config, listen: SocketAddr) -> Result<OriginPolicy, Finding> {
    let tenancy = &config.tenancy;
    let config = &config.server;
    let trusted_proxies = config.trusted_proxies.clone();
    let public_listener = !listen.ip().to_canonical().is_loopback();
    let Some(origin) = config.origin.clone() else {
        if public_listener {
            return Err(Finding::new(
                "server.listen",
                format!("is an address other machines can reach, `{listen}`, and `server.origin` is not set"),
            )
            .hint("set `server.origin` to the address people type, such as `https://id.example.org`, or listen on `127.0.0.1`"));
        }
        let accepted = loopback_origins(listen.port());
        let base = Origin::loopback(Host::Domain("localhost".to_owned()), listen.port());
        return Ok(OriginPolicy {
            // Hosts of tenants need an origin that is configured.
            origins: base.origins(&TenancyConfig::default())?,
            base,
            accepted,
            trusted_proxies,
        });
    };
    if origin.scheme == Scheme::Http && trusted_proxies.is_empty() {
        if !origin.is_loopback() {
            return Err(Finding::new(
                "server.origin",
                format!("is plain http, `{origin}`: passwords would cross the network readable by anyone on the way"),
            )
            .hint("use `https://` and a proxy that ends TLS, or name that proxy in `server.trusted_proxies`"));
        }
        if public_listener {
            return Err(Finding::new(
                "server.listen",
                format!("is an address other machines can reach, `{listen}`, while `server.origin` is plain http"),
            )
            .hint("listen on `127.0.0.1`, or name the proxy or gateway in front in `server.trusted_proxies`"));
        }
    }
    Ok(OriginPolicy {
        origins: origin.origins(tenancy)?,
        accepted: vec![origin.clone()],
        base: origin,
        trusted_proxies,
    })
}

fn loopback_origins(port: u16) -> Vec<Origin> {
    [
        Host::Domain("localhost".to_owned()),
        Host::Ipv4(std::net::Ipv4Addr::LOCALHOST),
        Host::Ipv6(std::net::Ipv6Addr::LOCALHOST),
    ]
    .into_iter()
    .map(|host| Origin::loopback(host, port))
    .collect()
}
