//! The one way to the outside for providers: a client that cannot be talked into asking
//! inner addresses, and that nothing it is answered can keep busy.

mod addresses;
mod names;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    error::Error as StdError,
    io,
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use gatelodge_core::{
    Error, ErrorKind, Result,
    provider::{HttpRequest, HttpResponse, Outbound, Reach, State},
};
use ipnet::IpNet;
use reqwest::{
    Certificate, Client, Method, Response,
    dns::Resolve,
    header::{
        CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRAILER,
        TRANSFER_ENCODING, UPGRADE,
    },
    redirect::Policy,
};
use url::{Host, Url};

pub(crate) use self::addresses::is_forbidden;
use self::{
    addresses::may_reach,
    names::{OutOfReach, Sieve, System},
};
use crate::config::OutboundConfig;

/// What became of requests to the outside, by `outcome`.
const REQUESTS: &str = "gatelodge_outbound_requests_total";
/// How long a request may take at most, from looking the name up to the last byte.
const LONGEST: Duration = Duration::from_secs(30);
/// How large a body may be.
const LARGEST_BODY: usize = 256 * 1024;
/// How large the header may be, names and values; the client itself reads at most 100
/// fields and about 400 KiB.
const LARGEST_HEADER: usize = 32 * 1024;
/// What decides where a request ends or whom it is for: the client's own business.
const OURS: [HeaderName; 8] = [
    HOST,
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
    CONNECTION,
    TE,
    TRAILER,
    UPGRADE,
    EXPECT,
];

/// Requests to public addresses, to this machine where a request says so, and to the
/// networks that the configuration allows.
pub(crate) struct Guarded {
    allowed: Arc<[IpNet]>,
    names: Arc<dyn Resolve>,
    /// Who is trusted beside those whom this machine trusts.
    roots: Vec<Certificate>,
    public: OnceLock<Client>,
    loopback: OnceLock<Client>,
}

impl Guarded {
    /// As configured.
    pub(crate) fn new(config: &OutboundConfig) -> Self {
        Self {
            allowed: config.allowed_networks.clone().into(),
            names: Arc::new(System),
            roots: Vec::new(),
            public: OnceLock::new(),
            loopback: OnceLock::new(),
        }
    }

    /// The client for a reach, made at the first request: a machine that has no
    /// certificates may still serve who needs nothing from outside.
    fn client(&self, reach: Reach) -> Result<&Client> {
        let place = match reach {
            Reach::Public => &self.public,
            Reach::Loopback => &self.loopback,
        };
        if let Some(client) = place.get() {
            return Ok(client);
        }
        let sieve = Sieve {
            names: self.names.clone(),
            reach,
            allowed: self.allowed.clone(),
        };
        let builder = Client::builder()
            .redirect(Policy::none())
            .referer(false)
            .no_proxy()
            .retry(reqwest::retry::never())
            .https_only(reach == Reach::Public)
            .dns_resolver(sieve)
            // What is sent compressed stays so, and is then no answer to anybody: a
            // small body cannot become a large one.
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            // One protocol, whose limits are known.
            .http1_only()
            // Each request looks its name up anew.
            .pool_max_idle_per_host(0)
            .user_agent("Gatelodge")
            .tls_certs_merge(self.roots.clone());
        let client = builder.build().map_err(|error| {
            let words = "the certificates of this machine cannot be used";
            Error::new(ErrorKind::Unavailable, words).because(error)
        })?;
        Ok(place.get_or_init(|| client))
    }

    async fn ask(&self, request: HttpRequest, host: &str) -> Result<HttpResponse, Failure> {
        let (method, headers) = (method(&request)?, headers(&request)?);
        self.check_address(&request)?;
        let client = self.client(request.reach)?;
        let mut builder = client.request(method.clone(), request.url).headers(headers);
        if method == Method::POST {
            builder = builder.body(request.body.0);
        }
        let response = builder.send().await;
        let response = response.map_err(|error| Failure::of(error, host))?;
        read(response, host).await
    }

    /// Refuses what needs no look-up to be refused.
    fn check_address(&self, request: &HttpRequest) -> Result<(), Failure> {
        let (url, reach) = (&request.url, request.reach);
        let refuse = |words: String| Err(Failure::refused(words));
        match (url.scheme(), reach) {
            ("https", _) | ("http", Reach::Loopback) => {}
            (_, Reach::Public) => return refuse("only `https` addresses are asked".to_owned()),
            (_, Reach::Loopback) => {
                return refuse("only `https` and `http` addresses are asked".to_owned());
            }
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("an address with a user name or password is not asked".to_owned());
        }
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) => None,
            None => return refuse("an address without a host is not asked".to_owned()),
        };
        match literal {
            Some(address) if !may_reach(address, reach, &self.allowed) => {
                refuse(unasked(&host_of(url), OutOfReach(reach)))
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Outbound for Guarded {
    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse> {
        let (host, longest) = (host_of(&request.url), request.timeout.min(LONGEST));
        let answer = tokio::time::timeout(longest, self.ask(request, &host));
        let answer = answer
            .await
            .unwrap_or_else(|_| Err(Failure::timed_out(&host)));
        let outcome = match &answer {
            Ok(_) => "answered",
            Err(failure) => failure.outcome,
        };
        metrics::counter!(REQUESTS, "outcome" => outcome).increment(1);
        answer.map_err(|failure| failure.error.during("asking the outside"))
    }
}

/// Why there is no answer, and what it counts as.
struct Failure {
    outcome: &'static str,
    error: Error,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            outcome: "failed",
            error,
        }
    }
}

impl Failure {
    fn refused(words: String) -> Self {
        Self {
            outcome: "refused",
            error: Error::refused(words),
        }
    }

    fn failed(words: String) -> Self {
        Error::new(ErrorKind::Unavailable, words).into()
    }

    fn timed_out(host: &str) -> Self {
        Self {
            outcome: "timed_out",
            ..Self::failed(format!("`{host}` did not answer in time"))
        }
    }

    fn too_large(host: &str, what: &str) -> Self {
        Self {
            outcome: "too_large",
            ..Self::failed(format!("the {what} of `{host}` is too large"))
        }
    }

    fn of(error: reqwest::Error, host: &str) -> Self {
        // Of the address only the host may be told: its query may hold a secret.
        let error = error.without_url();
        if let Some(reason) = cause::<OutOfReach>(&error) {
            return Self::refused(unasked(host, *reason));
        }
        let words = match cause::<rustls::Error>(&error) {
            Some(rustls::Error::InvalidCertificate(_)) => {
                format!("the certificate of `{host}` is not valid")
            }
            Some(_) => format!("no encrypted connection to `{host}` could be made"),
            None if error.is_connect() => format!("`{host}` cannot be reached"),
            None => format!("`{host}` gave no proper answer"),
        };
        Error::new(ErrorKind::Unavailable, words)
            .because(error)
            .into()
    }
}

fn unasked(host: &str, reason: OutOfReach) -> String {
    format!("`{host}` is not asked: {reason}")
}

/// The first error of this type among the causes, looking into those of the operating
/// system as well, in which the one of the encryption lies.
fn cause<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

fn host_of(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

fn method(request: &HttpRequest) -> Result<Method, Failure> {
    match request.method.as_str() {
        "GET" => Ok(Method::GET),
        "POST" => Ok(Method::POST),
        other => Err(Failure::refused(format!(
            "only `GET` and `POST` are asked, not `{other}`"
        ))),
    }
}

fn headers(request: &HttpRequest) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let wrong = || Failure::refused(format!("the header field `{name}` cannot be sent"));
        let field = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        if OURS.contains(&field) || field.as_str().starts_with("proxy-") {
            return Err(wrong());
        }
        let mut value = HeaderValue::from_str(value).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.insert(field, value);
    }
    Ok(headers)
}

/// Reads an answer, as far as it is not too large.
async fn read(mut response: Response, host: &str) -> Result<HttpResponse, Failure> {
    let size: usize = response
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if size > LARGEST_HEADER {
        return Err(Failure::too_large(host, "header"));
    }
    let (status, headers) = (response.status().as_u16(), texts(response.headers()));
    let mut body = Vec::new();
    let next = |error| Failure::of(error, host);
    while let Some(chunk) = response.chunk().await.map_err(next)? {
        if body.len() + chunk.len() > LARGEST_BODY {
            return Err(Failure::too_large(host, "body"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(HttpResponse {
        status,
        headers,
        body: State(body),
    })
}

/// The fields that are text; one that comes several times is joined (RFC 9110 section
/// 5.3).
fn texts(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let Ok(value) = value.to_str() else { continue };
        let text = texts.entry(name.as_str().to_owned()).or_default();
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(value);
    }
    texts
}
