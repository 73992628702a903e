//! Requests to the third party: all of them go by the server's own guarded client, and to
//! where they may.

use std::{collections::BTreeMap, future::Future, net::IpAddr, pin::Pin, time::Duration};

use gatelodge_core::provider::{Context, HttpRequest, HttpResponse, Reach, State};
use jiff::Timestamp;
use openidconnect::{AsyncHttpClient, http};
use serde_json::{Map, Value};
use url::{Host, Url};

use super::json;
use crate::Error;

/// How long to wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest body that is looked at.
const MOST_BYTES: usize = 256 * 1024;

/// The way to one third party.
#[derive(Clone, Copy)]
pub(crate) struct Outside<'a> {
    pub(crate) context: &'a Context<'a>,
    pub(crate) reach: Reach,
}

/// An answer whose body is an object.
pub(crate) struct Answered {
    pub(crate) object: Map<String, Value>,
    /// For how long it may be kept, as the answer says.
    pub(crate) max_age: Option<u64>,
    /// What time it is there.
    pub(crate) date: Option<Timestamp>,
}

/// Whether that address may be asked, or a browser sent there.
pub(crate) fn may_go(reach: Reach, url: &Url) -> bool {
    let is_plain = url.username().is_empty() && url.password().is_none();
    is_plain
        && match reach {
            Reach::Public => url.scheme() == "https" && url.has_host(),
            Reach::Loopback => {
                matches!(url.scheme(), "https" | "http") && is_loopback(url.host().as_ref())
            }
        }
}

/// Whether a host is this machine.
pub(crate) fn is_loopback(host: Option<&Host<&str>>) -> bool {
    match host {
        Some(Host::Domain(name)) => *name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(*address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(*address).is_loopback(),
        None => false,
    }
}

impl Outside<'_> {
    /// Opens an address as a browser without any cookie would, and goes no further.
    pub(crate) async fn open(&self, url: &Url) -> Result<HttpResponse, Error> {
        let headers = BTreeMap::from([("accept".to_owned(), "text/html".to_owned())]);
        self.fetch(
            "authorization endpoint",
            "GET",
            url.clone(),
            headers,
            Vec::new(),
        )
        .await
    }

    /// Gets an object.
    pub(crate) async fn get(
        &self,
        what: &'static str,
        url: &Url,
        bearer: Option<&str>,
    ) -> Result<Answered, Error> {
        let mut headers = BTreeMap::from([("accept".to_owned(), "application/json".to_owned())]);
        if let Some(token) = bearer {
            headers.insert("authorization".to_owned(), format!("Bearer {token}"));
        }
        let response = self.fetch(what, "GET", url.clone(), headers, Vec::new());
        let response = response.await?;
        if response.status != 200 {
            let problem = format!("the answer has status {}, not 200", response.status);
            return Err(Error::answer(what, problem));
        }
        let object = json::object(&response.body.0)
            .ok_or_else(|| Error::answer(what, "it is no JSON object with distinct names"))?;
        Ok(Answered {
            object,
            max_age: response
                .headers
                .get("cache-control")
                .map(|text| max_age(text)),
            date: response.headers.get("date").and_then(|text| date(text)),
        })
    }

    async fn fetch(
        &self,
        what: &'static str,
        method: &str,
        url: Url,
        headers: BTreeMap<String, String>,
        body: Vec<u8>,
    ) -> Result<HttpResponse, Error> {
        if !may_go(self.reach, &url) {
            return Err(Error::answer(what, forbidden(self.reach)));
        }
        let request = HttpRequest {
            method: method.to_owned(),
            url,
            reach: self.reach,
            headers,
            body: State(body),
            timeout: TIMEOUT,
        };
        let response = self.context.services.fetch(request).await;
        // What the client says names at most the host.
        let response = response.map_err(|error| Error::answer(what, error.message()))?;
        match response.body.0.len() <= MOST_BYTES {
            true => Ok(response),
            false => Err(Error::answer(what, "it is larger than 256 KiB")),
        }
    }

    /// The same for the protocol's library.
    async fn send(
        &self,
        request: http::Request<Vec<u8>>,
    ) -> Result<http::Response<Vec<u8>>, Error> {
        let what = "token endpoint";
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string().parse::<Url>();
        let url = url.map_err(|_| Error::answer(what, "its address is none"))?;
        let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        let headers = parts.headers.iter().filter_map(header).collect();
        let response = self.fetch(what, parts.method.as_str(), url, headers, body);
        let response = response.await?;
        let mut answered = http::Response::builder().status(response.status);
        for (name, value) in &response.headers {
            answered = answered.header(name, value);
        }
        let answered = answered.body(response.body.0);
        answered.map_err(|_| Error::answer(what, "its head is malformed"))
    }
}

impl<'c> AsyncHttpClient<'c> for Outside<'_> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<http::Response<Vec<u8>>, Error>> + Send + 'c>>;

    fn call(&'c self, request: http::Request<Vec<u8>>) -> Self::Future {
        Box::pin(self.send(request))
    }
}

/// Where one may go, for a person.
pub(crate) fn forbidden(reach: Reach) -> &'static str {
    match reach {
        Reach::Public => "its address is not `https`",
        Reach::Loopback => "its address is not on this machine, which `loopback` promises",
    }
}

/// The seconds that `Cache-Control` (RFC 9111 section 5.2.2) allows.
fn max_age(text: &str) -> u64 {
    let mut directives = text.split(',').map(str::trim);
    directives
        .find_map(|directive| directive.strip_prefix("max-age="))
        .and_then(|seconds| seconds.trim_matches('"').parse().ok())
        .unwrap_or(0)
}

fn date(text: &str) -> Option<Timestamp> {
    let zoned = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_is_asked_or_what_is_on_this_machine() {
        for (reach, text, expected) in [
            (Reach::Public, "https://issuer.example/keys", true),
            (Reach::Public, "http://issuer.example/keys", false),
            (Reach::Public, "http://127.0.0.1/keys", false),
            (Reach::Public, "https://a:b@issuer.example/keys", false),
            (Reach::Public, "file:///etc/passwd", false),
            (Reach::Loopback, "http://127.0.0.1:9000/keys", true),
            (Reach::Loopback, "http://[::1]:9000/keys", true),
            (Reach::Loopback, "https://localhost/keys", true),
            (Reach::Loopback, "http://localhost.evil.example/keys", false),
            (Reach::Loopback, "http://10.0.0.1/keys", false),
            (Reach::Loopback, "https://issuer.example/keys", false),
            (Reach::Loopback, "ftp://localhost/keys", false),
        ] {
            assert_eq!(may_go(reach, &text.parse().unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn the_head_of_an_answer_is_read() {
        assert_eq!(max_age("public, max-age=19800, must-revalidate"), 19_800);
        assert_eq!(max_age("no-store"), 0);
        let then = date("Sun, 09 Sep 2001 01:46:40 GMT").unwrap();
        assert_eq!(then.as_second(), 1_000_000_000);
        assert!(date("yesterday").is_none());
    }
}
