//! Applications on other hosts, before which a proxy asks us about every request
//! (forward authentication): what the proxy tells of a request, and the cookies
//! that a browser keeps on such a host.
//!
//! What the proxy tells decides only to which page of a registered origin a
//! browser is sent back, and for which origin its pass has to be. Whoever comes
//! here without a proxy and makes it up gets no further than by that proxy.

use axum::http::{HeaderMap, HeaderName};
use url::Url;

use super::{
    cookies::{Cookies, Jar},
    guard::single,
    problem::{Code, Problem},
};

/// Where proxies ask.
pub(crate) const FORWARD_AUTH: &str = "/api/v1/forward-auth";
/// What proxies pass on to us of an application's host.
pub(crate) const ON_OTHER_HOSTS: &str = "/.gatelodge/";

/// The cookie that tells browsers apart on an application's host.
pub(crate) const BROWSER: &str = "gl-browser";
/// The cookie that lets into the application.
pub(crate) const PASS: &str = "gl-pass";

/// Whether this is answered whatever host a request is for.
pub(crate) fn is_for_other_hosts(path: &str) -> bool {
    path == FORWARD_AUTH || path.starts_with(ON_OTHER_HOSTS)
}

/// A request as the proxy got it.
#[derive(Debug)]
pub(crate) struct Proxied {
    /// Scheme, host and port, as browsers write it.
    pub(crate) origin: String,
    /// Path and query.
    pub(crate) path: String,
}

impl Proxied {
    /// Reads `X-Forwarded-Proto`, `X-Forwarded-Host` (without one `Host`) and
    /// `X-Forwarded-Uri`.
    ///
    /// # Errors
    /// [`Code::InvalidRequest`] when the proxy does not send them as it should.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let header = |name: &'static str| single(headers, &HeaderName::from_static(name));
        let scheme = header("x-forwarded-proto")?
            .filter(|scheme| matches!(*scheme, "https" | "http"))
            .ok_or_else(|| {
                badly_set_up("the proxy has to send `X-Forwarded-Proto`: `https` or `http`")
            })?;
        let host =
            header("x-forwarded-host")?.map_or_else(|| header("host"), |host| Ok(Some(host)));
        let origin = host?.and_then(|host| origin(scheme, host)).ok_or_else(|| {
            badly_set_up("the proxy has to send the browser's `Host` as `X-Forwarded-Host`")
        })?;
        let path = header("x-forwarded-uri")?.unwrap_or("/").to_owned();
        Ok(Self { origin, path })
    }

    /// The cookies on that host; none of a name that came twice.
    pub(crate) fn cookies(&self, headers: &HeaderMap) -> Cookies {
        Cookies::read(headers, self.is_secure()).unwrap_or_default()
    }

    /// Cookies to be set there.
    pub(crate) fn jar(&self) -> Jar {
        Jar::new(self.is_secure())
    }

    fn is_secure(&self) -> bool {
        self.origin.starts_with("https:")
    }
}

fn origin(scheme: &str, host: &str) -> Option<String> {
    let is_host =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    if host.is_empty() || !host.chars().all(is_host) {
        return None;
    }
    let url = Url::parse(&format!("{scheme}://{host}/")).ok()?;
    url.has_host().then(|| url.origin().ascii_serialization())
}

fn badly_set_up(detail: &str) -> Problem {
    Problem::new(Code::InvalidRequest).detail(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&'static str, &str)]) -> Result<Proxied, Problem> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        Proxied::read(&map)
    }

    #[test]
    fn the_origin_is_written_as_browsers_do() {
        for (scheme, host, origin) in [
            ("https", "wiki.example.net", "https://wiki.example.net"),
            ("https", "Wiki.example.net:443", "https://wiki.example.net"),
            ("http", "wiki.localhost:8000", "http://wiki.localhost:8000"),
            ("https", "[::1]:8443", "https://[::1]:8443"),
        ] {
            let headers = [("x-forwarded-proto", scheme), ("x-forwarded-host", host)];
            assert_eq!(read(&headers).unwrap().origin, origin);
        }
    }

    #[test]
    fn a_proxy_that_does_not_say_what_it_has_to_is_told() {
        for headers in [
            vec![("x-forwarded-host", "wiki.example.net")],
            vec![("x-forwarded-proto", "https")],
            vec![
                ("x-forwarded-proto", "ftp"),
                ("x-forwarded-host", "a.example"),
            ],
            vec![("x-forwarded-proto", "https"), ("x-forwarded-host", "")],
            vec![
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "u@a.example"),
            ],
            vec![
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "a.example/b"),
            ],
            vec![
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "a.example, b.example"),
            ],
            vec![
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "a.example"),
                ("x-forwarded-host", "b.example"),
            ],
        ] {
            let problem = read(&headers).unwrap_err();
            assert_eq!(problem.code, Code::InvalidRequest, "{headers:?}");
        }
    }
}
