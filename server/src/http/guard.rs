//! What every request passes, in both directions: is it meant for this server,
//! does it come from our own pages, who is the client; and on the way out the
//! headers that every answer carries.

use std::{
    net::SocketAddr,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use axum::{
    extract::{ConnectInfo, DefaultBodyLimit, MatchedPath, Request, State},
    http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use futures_util::FutureExt as _;
use gatelodge_core::model::ClientFacts;
use tracing::Instrument as _;

use super::{
    cookies::Cookies,
    cors::{self, ForeignOrigin, Visitor},
    entry::is_for_other_hosts,
    place::{is_probe, locate},
    problem::{Code, Problem},
    web,
};
use crate::app::App;

/// Who the client is, found once for each request.
#[derive(Debug, Clone)]
pub struct Client(pub ClientFacts);

/// Whether the request's `Origin` was one of ours, for what demands it.
#[derive(Debug, Clone, Copy)]
pub struct FromOurPages(pub bool);

/// Whose routes a guard stands before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Routes {
    Ours,
    /// Those of an application that Gatelodge is part of.
    Applications,
}

/// The outermost layer of our own routes.
pub async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    stand(&app, Routes::Ours, request, next).await
}

/// The same for an application's routes: what it answers stays as it is, but for
/// the headers that it does not set itself.
pub async fn guard_application(State(app): State<App>, request: Request, next: Next) -> Response {
    stand(&app, Routes::Applications, request, next).await
}

async fn stand(app: &App, routes: Routes, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let request_id = app.new_request_id();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let (is_page, is_api) = match routes {
        Routes::Ours => {
            let path = request.uri().path();
            (is_page(path), path.starts_with("/api/"))
        }
        Routes::Applications => {
            let is_page = wants_page(request.headers());
            (is_page, !is_page)
        }
    };
    let is_our_host = routes == Routes::Applications || !is_for_other_hosts(request.uri().path());
    let facts = client_facts(app, request.extensions(), request.headers(), &request_id);
    let span = tracing::info_span!("request", id = %request_id, method = %method, route = %route);
    let mut response = async {
        match receive(app, routes, &mut request, is_api).await {
            Ok(Some(visitor)) if cors::is_preflight(&method, request.headers()) => {
                visitor.invitation()
            }
            Ok(visitor) => {
                request.extensions_mut().insert(Client(facts));
                let mut response = match routes {
                    Routes::Ours => run(app, request, next).await,
                    Routes::Applications => next.run(request).await,
                };
                if let Some(visitor) = visitor {
                    visitor.welcome(response.headers_mut());
                }
                response
            }
            Err(problem) if is_page => web::problem_page(app, &problem, Some(&request_id)),
            Err(problem) => problem.into_response(),
        }
    }
    .instrument(span.clone())
    .await;
    if routes == Routes::Ours {
        response = empty_errors(app, response, is_page, &request_id);
    }
    finish(app, &mut response, &request_id, is_our_host);
    let status = response.status();
    app.series().record(&method, route, status, begun);
    let _entered = span.enter();
    tracing::debug!(status = status.as_u16(), "answered");
    response
}

/// Finds out from where a request comes, and whether it is let in.
async fn receive(
    app: &App,
    routes: Routes,
    request: &mut Request,
    is_api: bool,
) -> Result<Option<Visitor>, Problem> {
    let (uri, headers) = (request.uri(), request.headers());
    let Some(located) = locate(app, (request.method(), uri, headers)).await? else {
        request.extensions_mut().insert(FromOurPages(false));
        return Ok(None);
    };
    let call = cors::Call {
        method: request.method(),
        path: uri.path(),
        at: &located,
        headers,
    };
    let visitor = match routes {
        Routes::Ours => cors::visitor(app, call).await?,
        Routes::Applications => None,
    };
    let incoming = Incoming {
        method: request.method(),
        headers,
        host: &located.host,
        is_api,
        is_callback: routes == Routes::Ours && is_callback(uri.path()),
        visitor: visitor.as_ref(),
    };
    let from_our_pages = admit(app, &incoming)?;
    let foreign = visitor.as_ref().map(|visitor| ForeignOrigin {
        origin: visitor.origin.clone(),
        with_cookies: request.headers().contains_key(header::COOKIE),
    });
    let extensions = request.extensions_mut();
    located.tell(extensions);
    extensions.insert(FromOurPages(from_our_pages));
    if let Some(foreign) = foreign {
        extensions.insert(foreign);
    }
    Ok(visitor)
}

/// Runs one of our own handlers, within limits of size and time; should it panic, that costs this request alone. What is
/// answered without a body gets one in [`empty_errors`].
async fn run(app: &App, mut request: Request, next: Next) -> Response {
    let config = &app.config().server;
    let limit = usize::try_from(config.body_limit_bytes).unwrap_or(usize::MAX);
    DefaultBodyLimit::max(limit).apply(&mut request);
    let time = Duration::from_secs(config.request_timeout_seconds.into());
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(time, answer).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            tracing::error!("a handler panicked");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// Whether a client is a browser that shows what it gets to a person.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(header::ACCEPT).iter();
    let mut accepts = accepts.filter_map(|value| value.to_str().ok());
    !headers.contains_key(header::AUTHORIZATION) && accepts.any(|value| value.contains("text/html"))
}

/// Pages are what people open; everything else is read by programs.
fn is_page(path: &str) -> bool {
    !(path.starts_with("/api/")
        || path.starts_with("/.well-known/")
        || path == "/openapi.json"
        || is_probe(path))
}

/// What is known of a request before anything but its origin is looked up.
pub(crate) struct Incoming<'r> {
    pub(crate) method: &'r Method,
    pub(crate) headers: &'r HeaderMap,
    /// One of ours.
    pub(crate) host: &'r str,
    pub(crate) is_api: bool,
    /// Whether a third party's page may send it: what it carries counts by itself.
    pub(crate) is_callback: bool,
    /// The page of a registered application that it comes from.
    pub(crate) visitor: Option<&'r Visitor>,
}

/// The checks before anybody is looked up. Answers whether the request comes
/// from one of our pages.
///
/// # Errors
/// A problem that says what is wrong with origin or cookies.
pub(crate) fn admit(app: &App, incoming: &Incoming<'_>) -> Result<bool, Problem> {
    let Incoming {
        method,
        headers,
        host,
        is_api,
        is_callback,
        visitor,
    } = *incoming;
    let cookies = Cookies::read(headers, app.policy().secure_cookies())?;
    let origin = single(headers, &header::ORIGIN)?;
    let ours = match origin {
        Some(origin) => app.policy().origin_is_ours(origin, host),
        None => false,
    };
    let site = single(headers, &HeaderName::from_static("sec-fetch-site"))?;
    let foreign_site = matches!(site, Some("cross-site" | "same-site"));
    // With cookies only where they are taken: nobody's session is lent to a page.
    let is_welcome = visitor.is_some_and(|visitor| visitor.takes_cookies || !cookies.any());
    if is_safe(method) {
        // A page of another origin may link here, but not read the API with
        // the person's cookies.
        let reads_api = is_api && cookies.any();
        if reads_api && !is_welcome && (foreign_site || (origin.is_some() && !ours)) {
            return Err(Problem::new(Code::OriginNotAllowed));
        }
        return Ok(ours);
    }
    if is_callback {
        // Whoever sends it, nothing is done for the cookies that may come with it.
        return Ok(false);
    }
    if !is_welcome && ((origin.is_some() && !ours) || foreign_site) {
        return Err(Problem::new(Code::OriginNotAllowed)
            .detail("this server takes changes from its own pages only"));
    }
    if origin.is_none() && cookies.any() {
        return Err(Problem::new(Code::OriginMissing).detail(format!(
            "a request with cookies must carry `Origin: {}`",
            app.policy().origin_at(host).unwrap_or_default()
        )));
    }
    Ok(ours)
}

/// Where browsers come back from third parties.
fn is_callback(path: &str) -> bool {
    path.starts_with("/callback/")
}

pub(crate) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The one value of a header.
pub(crate) fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Problem::new(Code::InvalidRequest)
            .detail(format!("the header `{name}` came more than once")));
    }
    match first.map(HeaderValue::to_str) {
        None => Ok(None),
        Some(Ok(value)) => Ok(Some(value)),
        Some(Err(_)) => Err(Problem::new(Code::InvalidRequest)
            .detail(format!("the header `{name}` cannot be read"))),
    }
}

/// Who the client is, as far as connection and headers say.
pub(crate) fn client_facts(
    app: &App,
    extensions: &Extensions,
    headers: &HeaderMap,
    request_id: &str,
) -> ClientFacts {
    let peer = extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0.ip());
    let forwarded = headers
        .get_all("x-forwarded-for")
        .iter()
        .map(HeaderValue::as_bytes)
        .collect::<Vec<_>>();
    let address = peer.map(|peer| app.policy().client_address(peer, forwarded));
    ClientFacts {
        address: address.map(|address| address.to_string()),
        network: address.map(|address| crate::config::network_of(address).to_string()),
        user_agent: headers
            .get(header::USER_AGENT)
            .map(|agent| printable(&String::from_utf8_lossy(agent.as_bytes()))),
        request_id: Some(request_id.to_owned()),
    }
}

/// At most 255 characters, nothing that could end a line or move a cursor.
fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        .take(255)
        .collect()
}

/// Answers that the router makes without a body get one.
fn empty_errors(app: &App, response: Response, is_page: bool, request_id: &str) -> Response {
    let bare = !response.headers().contains_key(header::CONTENT_TYPE);
    let code = match response.status().as_u16() {
        404 if bare => Code::NotFound,
        405 if bare => Code::MethodNotAllowed,
        408 | 503 if bare => Code::Timeout,
        500 if bare => Code::InternalError,
        _ => return response,
    };
    let allow = response.headers().get(header::ALLOW).cloned();
    let problem = Problem::new(code);
    let mut response = if is_page {
        web::problem_page(app, &problem, Some(request_id))
    } else {
        problem.into_response()
    };
    if let Some(allow) = allow {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

/// What pages may load and do.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'; object-src 'none'";

/// The same for a page whose forms may also end elsewhere: at origins, as the policy
/// writes them.
pub(crate) fn policy_with_forms_to(origin: &str) -> Option<HeaderValue> {
    let forms = format!("form-action 'self' {origin}");
    HeaderValue::from_str(&POLICY.replace("form-action 'self'", &forms)).ok()
}

/// The headers that every answer carries; what an application sets itself stays.
/// What browsers do with a host is told on our own alone: proxies pass on what is
/// answered for an application's, whose sub-domains are not ours.
fn finish(app: &App, response: &mut Response, request_id: &str, is_our_host: bool) {
    const fn fixed(name: HeaderName, value: &'static str) -> (HeaderName, HeaderValue) {
        (name, HeaderValue::from_static(value))
    }
    static FIXED: [(HeaderName, HeaderValue); 8] = [
        fixed(header::CONTENT_SECURITY_POLICY, POLICY),
        fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        fixed(header::X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`: browsers would then send `Origin: null` with our own forms.
        fixed(header::REFERRER_POLICY, "same-origin"),
        fixed(
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        fixed(
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        fixed(
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
        fixed(header::CACHE_CONTROL, "no-store"),
    ];
    const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
    let headers = response.headers_mut();
    headers.reserve(FIXED.len() + 3);
    for (name, value) in &FIXED {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    if is_our_host && app.policy().secure_cookies() {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=63072000; includeSubDomains"),
        );
    }
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
}
