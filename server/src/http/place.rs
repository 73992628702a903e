//! On whose host a request is.

use axum::http::{Extensions, HeaderMap, Method, Uri, header};
use gatelodge_core::{model::Tenant, service::TenantRef};

use super::{
    cookies,
    entry::is_for_other_hosts,
    guard::{is_safe, single},
    problem::{Code, Problem},
};
use crate::{app::App, config::Whose};

/// The tenant whose own host a request is for, as a request extension. Everything
/// there is in this tenant.
#[derive(Debug, Clone)]
pub struct HostTenant {
    /// Its tag in cookie names.
    pub tag: String,
    /// It.
    pub tenant: Tenant,
}

/// A host of ours.
#[derive(Debug)]
pub(crate) struct Located {
    /// As the request says it.
    pub(crate) host: String,
    /// The tenant whose it is; none for the server's.
    pub(crate) tenant: Option<HostTenant>,
}

impl Located {
    /// Lets handlers know.
    pub(crate) fn tell(self, extensions: &mut Extensions) {
        if let Some(tenant) = self.tenant {
            extensions.insert(tenant);
        }
    }
}

/// Finds out whose host a request is for. `None` for what is answered whatever the
/// host: whoever watches the server knows it by its machine's address, and proxies
/// ask for other hosts.
///
/// # Errors
/// [`Code::Misdirected`] for a host that is nobody's, whether there once was such a
/// tenant or not, and what the storage says.
pub(crate) async fn locate(
    app: &App,
    (method, uri, headers): (&Method, &Uri, &HeaderMap),
) -> Result<Option<Located>, Problem> {
    if is_safe(method) && (is_probe(uri.path()) || is_for_other_hosts(uri.path())) {
        return Ok(None);
    }
    let host = named(uri, headers).unwrap_or_default();
    let misdirected = || {
        Problem::new(Code::Misdirected)
            .detail("the `Host` of the request is not the configured origin")
    };
    let tenant = match app.policy().whose(host).ok_or_else(misdirected)? {
        Whose::Server => None,
        Whose::Tenant(name) => {
            let tenants = app.platform().tenants();
            let found = tenants.find(&TenantRef::Name(name)).await?;
            let tenant = found.ok_or_else(misdirected)?;
            let tag = cookies::tag(tenant.id);
            Some(HostTenant { tag, tenant })
        }
    };
    Ok(Some(Located {
        host: host.to_owned(),
        tenant,
    }))
}

pub(crate) fn is_probe(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz")
}

/// The authority that the request is for: HTTP/2 carries it in the address.
fn named<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let named = single(headers, &header::HOST).ok()?;
    match (uri.authority(), named) {
        (Some(authority), Some(host)) if authority.as_str() != host => None,
        (Some(authority), _) => Some(authority.as_str()),
        (None, host) => host,
    }
}
