//! Cookies: names, how they are read, how they are set.
//!
//! On https every cookie of ours is `__Host-`, Secure, HttpOnly, SameSite=Lax,
//! Path=/ and without Domain (RFC 6265bis); on plain-http loopback it goes
//! without the prefix and Secure, which browsers would refuse there. Since
//! `__Host-` forces one path, a short tag of the tenant is part of the name: one
//! browser can be signed in to several tenants.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use gatelodge_core::{model::TenantId, secret::Secret};

use super::problem::{Code, Problem};

/// How many sign-ins one browser may have open; older ones are dropped.
pub const OPEN_FLOWS: usize = 6;

/// The cookies of a request that are ours.
#[derive(Debug, Default)]
pub struct Cookies {
    pairs: Vec<(String, Secret)>,
    secure: bool,
    any: bool,
}

impl Cookies {
    /// Reads a request's cookies.
    ///
    /// # Errors
    /// [`Code::DuplicateCookie`] when one of ours came twice: somebody planted it.
    pub fn read(headers: &HeaderMap, secure: bool) -> Result<Self, Problem> {
        let mut cookies = Self {
            secure,
            ..Self::default()
        };
        for line in headers.get_all(header::COOKIE) {
            cookies.any = true;
            for pair in line.as_bytes().split(|byte| *byte == b';') {
                // Somebody else's may hold any bytes; ours are ASCII.
                let Ok(pair) = str::from_utf8(pair) else {
                    continue;
                };
                let Some((name, value)) = pair.trim().split_once('=') else {
                    continue;
                };
                let Some(name) = own_name(name, secure) else {
                    continue;
                };
                if cookies.pairs.iter().any(|(known, _)| known == name) {
                    return Err(Problem::new(Code::DuplicateCookie));
                }
                cookies.pairs.push((name.to_owned(), Secret::new(value)));
            }
        }
        Ok(cookies)
    }

    /// Whether the request carried any cookie at all.
    pub fn any(&self) -> bool {
        self.any
    }

    /// The value of one.
    pub fn value(&self, name: &str) -> Option<&Secret> {
        let pair = self.pairs.iter().find(|(known, _)| known == name);
        pair.map(|(_, value)| value)
    }

    /// The ids of the flows that this browser has open.
    pub fn flows(&self) -> impl Iterator<Item = &str> {
        self.pairs
            .iter()
            .filter_map(|(name, _)| name.strip_prefix("gl-flow-"))
    }

    /// The session of a tenant; without one the current tenant's, or the only one.
    pub fn session(&self, tag: Option<&str>) -> Option<&Secret> {
        let tag = tag.or_else(|| self.value(CURRENT).map(Secret::expose));
        if let Some(tag) = tag {
            return self.value(&session_name(tag));
        }
        let mut sessions = self
            .pairs
            .iter()
            .filter(|(name, _)| name.starts_with("gl-session-"));
        match (sessions.next(), sessions.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    /// What keeps this browser signed in to a tenant; without one, to the only one:
    /// its name and value.
    pub fn stay(&self, tag: Option<&str>) -> Option<(&str, &Secret)> {
        let named = tag.map(stay_name);
        let mut kept = self.pairs.iter().filter(|(name, _)| match &named {
            Some(named) => name == named,
            None => name.starts_with("gl-stay-"),
        });
        match (kept.next(), kept.next()) {
            (Some((name, value)), None) => Some((name, value)),
            _ => None,
        }
    }

    /// A jar that sets cookies in the same way.
    pub fn jar(&self) -> Jar {
        Jar::new(self.secure)
    }
}

/// Which tenant's session is meant where the address does not say.
pub const CURRENT: &str = "gl-current";
/// The lane of a browser that signed in before.
pub const DEVICE: &str = "gl-device";
/// The remembered name, for the sign-in form alone.
pub const NAME: &str = "gl-name";

/// The short tag of a tenant in cookie names.
pub fn tag(tenant: TenantId) -> String {
    let hash =
        gatelodge_core::secret::TokenHash::of_parts([tenant.as_uuid().as_bytes().as_slice()]);
    hash.as_bytes()
        .iter()
        .take(5)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The name of a tenant's session cookie.
pub fn session_name(tag: &str) -> String {
    format!("gl-session-{tag}")
}

/// The name of the cookie that keeps a browser signed in to a tenant.
pub fn stay_name(tag: &str) -> String {
    format!("gl-stay-{tag}")
}

/// The name of a flow's cookie.
pub fn flow_name(flow: &str) -> String {
    format!("gl-flow-{flow}")
}

fn own_name(name: &str, secure: bool) -> Option<&str> {
    let name = if secure {
        name.strip_prefix("__Host-")?
    } else {
        name
    };
    name.starts_with("gl-").then_some(name)
}

/// Cookies to be set with an answer.
#[derive(Debug)]
pub struct Jar {
    secure: bool,
    lines: Vec<String>,
}

impl Jar {
    /// Nothing yet.
    pub fn new(secure: bool) -> Self {
        Self {
            secure,
            lines: Vec::new(),
        }
    }

    /// Sets a cookie; without an age it goes when the browser closes.
    pub fn set(&mut self, name: &str, value: &str, age: Option<Duration>) {
        let prefix = if self.secure { "__Host-" } else { "" };
        let secure = if self.secure { "; Secure" } else { "" };
        let age = age.map_or_else(String::new, |age| format!("; Max-Age={}", age.as_secs()));
        self.lines.push(format!(
            "{prefix}{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}"
        ));
    }

    /// Takes a cookie away.
    pub fn remove(&mut self, name: &str) {
        self.set(name, "", Some(Duration::ZERO));
    }

    /// Puts the cookies on an answer.
    pub fn onto(self, headers: &mut HeaderMap) {
        for line in self.lines {
            if let Ok(value) = HeaderValue::from_str(&line) {
                headers.append(header::SET_COOKIE, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str, secure: bool) -> Result<Cookies, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, line.parse().unwrap());
        Cookies::read(&headers, secure)
    }

    #[test]
    fn a_cookie_that_came_twice_is_refused() {
        let problem = read("gl-device=a; x=1; gl-device=b", false).unwrap_err();
        assert_eq!(problem.code, Code::DuplicateCookie);
    }

    #[test]
    fn on_https_only_prefixed_cookies_count() {
        let cookies = read("gl-device=planted; __Host-gl-device=real", true).unwrap();
        assert_eq!(cookies.value(DEVICE).map(Secret::expose), Some("real"));
    }

    #[test]
    fn the_session_is_the_named_the_current_or_the_only_one() {
        let session = |line: &str, tag: Option<&str>| {
            let cookies = read(line, false).unwrap();
            cookies.session(tag).map(|value| value.expose().to_owned())
        };
        let two = "gl-session-aa=1; gl-session-bb=2";
        assert_eq!(session(two, None), None);
        assert_eq!(session(two, Some("bb")).as_deref(), Some("2"));
        assert_eq!(session("gl-session-aa=1", None).as_deref(), Some("1"));
        let current = format!("{two}; gl-current=aa");
        assert_eq!(session(&current, None).as_deref(), Some("1"));
        assert_eq!(session(&current, Some("cc")), None);
    }

    #[test]
    fn what_keeps_a_browser_signed_in_is_the_tenants_or_the_only_one() {
        let two = read("gl-stay-aa=1; gl-stay-bb=2; gl-current=aa", false).unwrap();
        let value = |tag| two.stay(tag).map(|(_, value)| value.expose());
        assert_eq!(value(None), None);
        assert_eq!((value(Some("bb")), value(Some("cc"))), (Some("2"), None));
        let one = read("gl-session-bb=2; gl-stay-aa=1", false).unwrap();
        assert_eq!(one.stay(None).map(|(name, _)| name), Some("gl-stay-aa"));
    }

    #[test]
    fn attributes_are_strict() {
        let mut jar = Jar::new(true);
        jar.set("gl-device", "v", Some(Duration::from_secs(9)));
        let mut headers = HeaderMap::new();
        jar.onto(&mut headers);
        assert_eq!(
            headers[header::SET_COOKIE],
            "__Host-gl-device=v; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=9"
        );
    }
}
