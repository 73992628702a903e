//! In which tenant a page is, and whether it is there: by the host, if it is a
//! tenant's own, or by the path.

use axum::http::{Uri, request::Parts};
use gatelodge_core::{Error, model::Tenant, service::TenantRef};

use super::problem::PageProblem;
use crate::{
    app::App,
    http::{
        guard::is_safe,
        place::HostTenant,
        problem::{Code, Problem},
    },
};

/// Where a page is.
pub(super) enum Place {
    /// On the server's host.
    Server,
    /// In a tenant that the path names.
    Path(Tenant),
    /// On the tenant's own host.
    Host(Tenant),
    /// Not here: the tenant's own host has it, at this address.
    Elsewhere(String),
}

impl Place {
    /// The place of the page that is asked for, whose path may name a tenant.
    ///
    /// # Errors
    /// [`Code::NotFound`] for a tenant that there is not, or that is another one than
    /// the host's. A change is not led elsewhere: it is refused.
    pub(super) async fn find(
        app: &App,
        request: &Parts,
        named: Option<&str>,
    ) -> Result<Self, PageProblem> {
        let host = request.extensions.get::<HostTenant>();
        let host = host.map(|own| own.tenant.clone());
        let Some(named) = named else {
            return Ok(host.map_or(Self::Server, Self::Host));
        };
        let missing = || Problem::new(Code::NotFound);
        let tenants = app.platform().tenants();
        let tenant = tenants.find(&TenantRef::parse(named)).await?;
        let tenant = tenant.ok_or_else(missing)?;
        if host.is_some_and(|own| own.id != tenant.id) {
            return Err(missing().into());
        }
        let Some(own) = app.policy().origins().own(&tenant.name) else {
            return Ok(Self::Path(tenant));
        };
        let own = own.origin().ascii_serialization();
        if !is_safe(&request.method) {
            let said = format!("the pages of this tenant are at `{own}`");
            return Err(Error::refused(said).into());
        }
        Ok(Self::Elsewhere(below(&own, &request.uri)))
    }
}

/// The same page on another origin, without the tenant in its path.
fn below(origin: &str, uri: &Uri) -> String {
    let path = uri.path().strip_prefix("/t/").unwrap_or_default();
    let rest = path.split_once('/').map_or("", |(_, rest)| rest);
    match uri.query() {
        Some(query) => format!("{origin}/{rest}?{query}"),
        None => format!("{origin}/{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_below_the_tenants_origin_whatever_its_path_looks_like() {
        for (asked, expected) in [
            ("/t/acme", "https://acme.example/"),
            ("/t/acme/", "https://acme.example/"),
            ("/t/acme/sign-in", "https://acme.example/sign-in"),
            ("/t/a%20b/x?a=1&b=/t/c", "https://acme.example/x?a=1&b=/t/c"),
            (
                "/t/acme//evil.example/x",
                "https://acme.example//evil.example/x",
            ),
        ] {
            let uri: Uri = asked.parse().unwrap();
            assert_eq!(below("https://acme.example", &uri), expected, "{asked}");
        }
    }
}
