//! Calls from pages of registered applications: the CORS protocol of the Fetch
//! standard, and where it ends.
//!
//! A page of a registered origin may sign people in with the transport `token`,
//! and get access tokens with the session token that it got by that. No cookie
//! is taken from it, with one exception: a page of the same site (so says the
//! browser in `Sec-Fetch-Site`, which no script can set) may ask who is signed
//! in, and for access tokens of its own application, since a browser sends the
//! session's `SameSite=Lax` cookie along there. Decision 0009 says why.

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};

use super::{guard::single, place::Located, problem::Problem};
use crate::app::App;

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FLOWS: &str = "/api/v1/sign-in/flows";
const SESSION: &str = "/api/v1/session";
const TOKEN: &str = "/api/v1/token";

/// A request from a page of a registered application.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// The page's origin.
    pub origin: String,
    /// Whether cookies may come along.
    pub takes_cookies: bool,
    methods: &'static [Method],
}

/// What is looked at of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'r> {
    pub(crate) method: &'r Method,
    pub(crate) path: &'r str,
    pub(crate) at: &'r Located,
    pub(crate) headers: &'r HeaderMap,
}

/// The page's origin, for handlers that ask whose it is.
#[derive(Debug, Clone)]
pub struct ForeignOrigin {
    /// As browsers write it.
    pub origin: String,
    /// Whether the browser's cookies came along.
    pub with_cookies: bool,
}

/// Who calls from another origin, if a registered application does and may here.
///
/// # Errors
/// What the storage says, and a header that came twice.
pub(crate) async fn visitor(app: &App, call: Call<'_>) -> Result<Option<Visitor>, Problem> {
    let Some(origin) = single(call.headers, &header::ORIGIN)? else {
        return Ok(None);
    };
    let policy = app.policy();
    if policy.origin_is_ours(origin, &call.at.host) {
        return Ok(None);
    }
    let asked = call.asked_method()?;
    let open = doors(call.path).filter(|methods| methods.contains(&asked));
    let Some(methods) = open else {
        return Ok(None);
    };
    let applications = app.platform().applications();
    // On a tenant's own host, those of its applications.
    let tenant = call.at.tenant.as_ref().map(|own| own.tenant.id);
    if !applications.has_origin(tenant, origin).await? {
        return Ok(None);
    }
    let is_same_site = single(call.headers, &SITE)? == Some("same-site");
    Ok(Some(Visitor {
        origin: origin.to_owned(),
        takes_cookies: is_same_site && reads_own(&asked, call.path),
        methods,
    }))
}

impl Call<'_> {
    /// The method, or of a preflight the one that is going to follow.
    fn asked_method(&self) -> Result<Method, Problem> {
        if !is_preflight(self.method, self.headers) {
            return Ok(self.method.clone());
        }
        let asked = single(self.headers, &header::ACCESS_CONTROL_REQUEST_METHOD)?;
        let asked = asked.and_then(|text| text.parse().ok());
        Ok(asked.unwrap_or(Method::OPTIONS))
    }
}

/// Whether a browser asks what it may do before it does it.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The methods that are open to pages of applications.
fn doors(path: &str) -> Option<&'static [Method]> {
    const POST: &[Method] = &[Method::POST];
    const OF_SESSION: &[Method] = &[Method::GET, Method::DELETE];
    const OF_FLOW: &[Method] = &[Method::GET, Method::POST, Method::DELETE];
    match path {
        TOKEN | FLOWS => Some(POST),
        SESSION => Some(OF_SESSION),
        _ => {
            let flow = path.strip_prefix(FLOWS)?.strip_prefix('/')?;
            (!flow.is_empty() && !flow.contains('/')).then_some(OF_FLOW)
        }
    }
}

/// What changes nothing but the caller's own knowledge of who is signed in.
fn reads_own(method: &Method, path: &str) -> bool {
    matches!(
        (method, path),
        (&Method::POST, TOKEN) | (&Method::GET, SESSION)
    )
}

impl Visitor {
    /// The answer to a preflight.
    pub(crate) fn invitation(&self) -> Response {
        let mut response = StatusCode::NO_CONTENT.into_response();
        let methods: Vec<_> = self.methods.iter().map(Method::as_str).collect();
        let headers = response.headers_mut();
        set(
            headers,
            header::ACCESS_CONTROL_ALLOW_METHODS,
            &methods.join(", "),
        );
        let allowed = "authorization, content-type";
        set(headers, header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        set(headers, header::ACCESS_CONTROL_MAX_AGE, "600");
        self.welcome(headers);
        response
    }

    /// Lets the page read an answer.
    pub(crate) fn welcome(&self, headers: &mut HeaderMap) {
        set(headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, &self.origin);
        if self.takes_cookies {
            set(headers, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
        let exposed = "retry-after, www-authenticate, x-request-id";
        set(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        let depends = HeaderValue::from_static("origin, sec-fetch-site");
        headers.append(header::VARY, depends);
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_applications_sign_in_and_ask_for_tokens_and_nothing_else() {
        for (path, methods) in [
            (TOKEN, "POST"),
            (SESSION, "GET DELETE"),
            (FLOWS, "POST"),
            ("/api/v1/sign-in/flows/abc", "GET POST DELETE"),
        ] {
            let open = doors(path).unwrap();
            let open: Vec<_> = open.iter().map(Method::as_str).collect();
            assert_eq!(open.join(" "), methods, "{path}");
        }
        for path in [
            "/",
            "/sign-in",
            "/api/v1/sign-in/flows/",
            "/api/v1/sign-in/flows/a/b",
            "/api/v1/session/",
            "/api/v1/tokens",
            "/api/v1/tenants",
            "/api/v1/account/sessions",
        ] {
            assert!(doors(path).is_none(), "{path}");
        }
    }
}
