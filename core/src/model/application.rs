//! Registered applications: who may ask for access tokens, be returned to, and
//! call from a browser.
//!
//! Addresses and origins are kept in the one form in which browsers write them,
//! and compared byte for byte (RFC 9700 section 2.1): what is to be registered
//! in another form is refused and told how to write it.

use std::{fmt, net::IpAddr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::{ApplicationId, ApplicationName, TenantId};
use crate::{Error, Result};

/// An application that serves the users of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// Its id, unique on the platform: the `client_id` of its tokens.
    pub id: ApplicationId,
    /// The tenant whose users it serves.
    pub tenant: TenantId,
    /// Its name, unique in the tenant.
    pub name: ApplicationName,
    /// Whom its access tokens are meant for, unique on the platform.
    pub audience: Audience,
    /// From which pages it may call in a browser, at most [`Application::MOST`].
    pub origins: Vec<WebOrigin>,
    /// Where a browser may be sent back to, at most [`Application::MOST`].
    pub return_to: Vec<ReturnAddress>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Rises with every change.
    pub version: i64,
}

impl Application {
    /// The greatest number of origins, and of return addresses.
    pub const MOST: usize = 20;

    /// Whether pages of this origin are its own.
    pub fn has_origin(&self, origin: &str) -> bool {
        self.origins.iter().any(|own| own.as_str() == origin)
    }

    /// Whether a browser may be sent to this address.
    pub fn returns_to(&self, address: &str) -> bool {
        self.return_to.iter().any(|own| own.admits(address))
    }
}

macro_rules! texts {
    ($($name:ident),+) => {$(
        impl $name {
            /// The text as it was registered.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    )+};
}

texts!(Audience, WebOrigin, ReturnAddress);

/// Whom an access token is meant for (RFC 7519 section 4.1.3): a URI, or a word
/// without a colon. 1 to 200 printable ASCII characters, compared byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Audience(String);

impl Audience {
    /// The greatest length.
    pub const MAX: usize = 200;

    /// Checks `text`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for anything else, for a text that looks
    /// like an id, since requests name an application by either, and for
    /// `urn:gatelodge:…`, which tokens of this server's own kinds are meant for.
    pub fn new(text: &str) -> Result<Self> {
        let wrong = |message: &str| Err(Error::invalid("audience", message));
        let fits = (1..=Self::MAX).contains(&text.len())
            && text
                .chars()
                .all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '<' | '>' | ','));
        if !fits {
            return wrong(
                "an audience has 1 to 200 printable ASCII characters without space, comma, quotes, `\\`, `<` or `>`, such \
                 as `https://api.example.org` or `orders`",
            );
        }
        if text.contains(':') && Url::parse(text).is_err() {
            return wrong("an audience with a colon must be a URI");
        }
        if uuid::Uuid::try_parse(text).is_ok() {
            return wrong("an audience cannot look like an id");
        }
        if text.to_ascii_lowercase().starts_with("urn:gatelodge:") {
            return wrong("audiences that begin with `urn:gatelodge:` belong to this server");
        }
        Ok(Self(text.to_owned()))
    }
}

/// Scheme, host and port of pages, as browsers write it in `Origin` (RFC 6454
/// section 6.2): https anywhere, http on this machine only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebOrigin(String);

impl WebOrigin {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for anything else, or written otherwise.
    pub fn new(text: &str) -> Result<Self> {
        const FIELD: &str = "origins";
        let url = web_address(FIELD, text)?;
        let origin = url.origin().ascii_serialization();
        let has_more = !url.username().is_empty()
            || url.password().is_some()
            || url.path() != "/"
            || url.query().is_some()
            || url.fragment().is_some();
        if has_more {
            let message =
                "an origin is scheme, host and port alone, such as `https://app.example.org`";
            return Err(Error::invalid(FIELD, message));
        }
        written(FIELD, text, origin).map(Self)
    }
}

/// An address that a browser may be sent to after a sign-in: https anywhere,
/// http on this machine only; a path and a query may follow, nothing else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReturnAddress(String);

impl ReturnAddress {
    /// The greatest length.
    pub const MAX: usize = 1_000;

    /// Checks `text`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for anything else, or written otherwise.
    pub fn new(text: &str) -> Result<Self> {
        const FIELD: &str = "return_to";
        let url = web_address(FIELD, text)?;
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            let message = "a return address has no user name, no password and no `#`";
            return Err(Error::invalid(FIELD, message));
        }
        if text.len() > Self::MAX {
            let message = format!("a return address has at most {} characters", Self::MAX);
            return Err(Error::invalid(FIELD, message));
        }
        written(FIELD, text, url.into()).map(Self)
    }

    /// Whether a browser that asks for `address` may be sent there: it is this
    /// one byte for byte. Of an address of this machine's loopback interface the
    /// port may be another, since a native application takes whichever is free
    /// (RFC 8252 section 7.3).
    pub fn admits(&self, address: &str) -> bool {
        self.0 == address
            || without_port(&self.0).is_some_and(|own| without_port(address) == Some(own))
    }
}

/// A loopback address, given by number, without its port.
fn without_port(text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok()?;
    let is_loopback = match url.host()? {
        Host::Domain(_) => false,
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    let is_plain = url.scheme() == "http" && url.as_str() == text;
    (is_loopback && is_plain && url.set_port(None).is_ok()).then_some(url)
}

/// An address of the web that is safe to send browsers and tokens to.
fn web_address(field: &'static str, text: &str) -> Result<Url> {
    let wrong = |message: &str| Error::invalid(field, message);
    let url = Url::parse(text)
        .map_err(|_| wrong("expected an address such as `https://app.example.org`"))?;
    let host = url
        .host()
        .ok_or_else(|| wrong("expected an address with a host"))?;
    let is_named = match &host {
        Host::Domain(name) => is_host_name(name),
        Host::Ipv4(_) | Host::Ipv6(_) => true,
    };
    if !is_named {
        return Err(wrong("expected the name of one host"));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_this_machine(&host) => Ok(url),
        "http" => Err(wrong("plain http is for this machine's `localhost` alone")),
        _ => Err(wrong("expected an address that begins with `https://`")),
    }
}

/// No wildcard, no dot at the end: one host has one name.
fn is_host_name(name: &str) -> bool {
    !name.ends_with('.')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

/// Whether only this machine can be meant (RFC 6761 section 6.3).
fn is_this_machine(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => IpAddr::V4(*address).is_loopback(),
        Host::Ipv6(address) => IpAddr::V6(*address).is_loopback(),
    }
}

fn written(field: &'static str, text: &str, canonical: String) -> Result<String> {
    if text == canonical {
        return Ok(canonical);
    }
    Err(Error::invalid(field, format!("write it as `{canonical}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_is_a_uri_or_a_word() {
        for text in ["orders", "https://api.example.org/v1", "urn:example:api"] {
            assert!(Audience::new(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "two words",
            "ünicode",
            ":no-scheme",
            "a,b",
            "\"quoted\"",
            "0190a6c2-0000-7000-8000-000000000000",
            "0190a6c20000700080000000000000000",
            "urn:gatelodge:device",
            "URN:GateLodge:device",
            &"x".repeat(201),
        ] {
            let is_refused = Audience::new(text).is_err();
            assert!(is_refused || text.len() == 33, "{text}");
        }
    }

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for text in [
            "https://app.example.org",
            "https://app.example.org:8443",
            "https://192.0.2.7",
            "https://xn--bcher-kva.example",
            "http://localhost:5173",
            "http://app.localhost",
            "http://127.0.0.1:3000",
            "http://[::1]:3000",
        ] {
            assert_eq!(WebOrigin::new(text).unwrap().as_str(), text);
        }
        for text in [
            "",
            "null",
            "*",
            "https://*",
            "https://*.example.org",
            "https://app.example.org/",
            "https://app.example.org:443",
            "https://APP.example.org",
            "https://app.example.org.",
            "https://bücher.example",
            "https://user@app.example.org",
            "https://app.example.org/path",
            "https://app.example.org?x",
            "https://app.example.org#x",
            "http://app.example.org",
            "http://localhost.example.org",
            "http://0x7f.1",
            "file:///x",
            "data:x",
            "https://",
            " https://app.example.org",
            "https://app.example.org\n",
        ] {
            assert!(WebOrigin::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_return_address_is_kept_in_one_form() {
        for text in [
            "https://app.example.org/",
            "https://app.example.org/callback?from=sign-in",
            "http://127.0.0.1/callback",
            "http://localhost:5173/",
        ] {
            assert_eq!(ReturnAddress::new(text).unwrap().as_str(), text);
        }
        for text in [
            "https://app.example.org",
            "https://app.example.org/a/../b",
            "https://app.example.org/ä",
            "https://app.example.org/#there",
            "https://me:secret@app.example.org/",
            "http://app.example.org/",
            "https:app.example.org/",
            "https:\\\\app.example.org/",
            "javascript:alert(1)",
            "com.example.app:/callback",
            "/account",
            "//app.example.org/",
            "https://app.example.org/\t",
            &format!("https://app.example.org/{}", "a".repeat(1_000)),
        ] {
            assert!(ReturnAddress::new(text).is_err(), "{text:?}");
        }
    }

    /// S27: one address is that address and no other that looks like it.
    #[test]
    fn s27_a_return_address_admits_itself_alone() {
        let own = ReturnAddress::new("https://app.example.org/callback").unwrap();
        assert!(own.admits("https://app.example.org/callback"));
        for text in [
            "https://app.example.org/callback/",
            "https://app.example.org/callback?x=1",
            "https://app.example.org/callback#x",
            "https://app.example.org/Callback",
            "https://app.example.org:443/callback",
            "https://app.example.org:8443/callback",
            "https://APP.example.org/callback",
            "http://app.example.org/callback",
            "https://app.example.org/callback/../callback",
            "https://app.example.org/%63allback",
            "https://app.example.org.evil.example/callback",
            "https://app.example.org@evil.example/callback",
            "https://evil.example/https://app.example.org/callback",
            "https://app.example.org\\@evil.example/callback",
            " https://app.example.org/callback",
            "https://app.example.org/callback\n",
            "",
        ] {
            assert!(!own.admits(text), "{text:?}");
        }
    }

    /// S27, RFC 8252 section 7.3.
    #[test]
    fn s27_only_the_port_of_a_loopback_address_may_vary() {
        let own = ReturnAddress::new("http://127.0.0.1/callback").unwrap();
        for text in [
            "http://127.0.0.1/callback",
            "http://127.0.0.1:49152/callback",
        ] {
            assert!(own.admits(text), "{text}");
        }
        for text in [
            "http://127.0.0.2:49152/callback",
            "http://[::1]:49152/callback",
            "http://localhost:49152/callback",
            "https://127.0.0.1:49152/callback",
            "http://127.0.0.1:49152/other",
            "http://127.0.0.1:49152/callback?x",
            "http://127.0.0.1:049152/callback",
            "http://127.1:49152/callback",
            "http://x@127.0.0.1:49152/callback",
            "http://127.0.0.1:49152@evil.example/callback",
        ] {
            assert!(!own.admits(text), "{text}");
        }
        let named = ReturnAddress::new("http://localhost:5173/").unwrap();
        assert!(!named.admits("http://localhost:5174/"));
    }
}
