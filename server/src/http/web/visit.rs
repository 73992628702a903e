//! What every page gets: who asks, where, with which fields; and what is
//! checked before a page runs.

use std::{collections::BTreeMap, pin::Pin, sync::Arc};

use axum::{
    RequestExt as _, RequestPartsExt as _,
    body::Bytes,
    extract::{RawPathParams, Request},
    handler::Handler,
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Redirect, Response},
};
use gatelodge_core::{CheckedSession, Platform, access::Caller, model::Tenant, secret::Secret};
use url::form_urlencoded;

use super::{PathTenant, place::Place, problem::PageProblem};
use crate::{
    app::App,
    http::{
        caller::Requester,
        cookies::{self, Cookies},
        csrf::{CSRF, csrf, is_csrf_of},
        guard::Client,
        problem::{Code, Problem},
    },
    pages::{Page as PageView, views::Post},
};

/// What a page answers.
pub(super) type Answer = Result<Response, PageProblem>;

/// A request for a page.
pub(super) struct Visit {
    pub(super) app: App,
    pub(super) requester: Requester,
    pub(super) cookies: Cookies,
    /// The tenant that the host or the path names.
    pub(super) tenant: Option<Tenant>,
    /// What links begin with: nothing, or `/t/<tenant>` where the path names it.
    pub(super) base: String,
    /// The form of a post.
    pub(super) fields: Fields,
    /// The parameters of the address.
    pub(super) query: Fields,
    path: Vec<(String, String)>,
    prefetch: bool,
    navigation: bool,
}

/// A page as a handler. Nobody has to be signed in for it to run, and a post
/// needs no proof but its origin.
pub(super) fn open<F>(handler: F) -> Page<F> {
    Page {
        handler,
        session_bound: false,
    }
}

/// A page whose posts act for the session: the form must carry its proof.
pub(super) fn change<F>(handler: F) -> Page<F> {
    Page {
        handler,
        session_bound: true,
    }
}

/// See [`open`] and [`change`].
#[derive(Clone, Copy)]
pub(super) struct Page<F> {
    handler: F,
    session_bound: bool,
}

impl<F, Fut> Handler<(), App> for Page<F>
where
    F: Fn(Visit) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Answer> + Send + 'static,
{
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, app: App) -> Self::Future {
        Box::pin(self.run(request, app))
    }
}

impl<F, Fut> Page<F>
where
    F: Fn(Visit) -> Fut,
    Fut: Future<Output = Answer>,
{
    async fn run(self, request: Request, app: App) -> Response {
        let here = (request.method() != Method::POST).then(|| address(&request));
        let client = request.extensions().get::<Client>();
        let request_id = client.and_then(|client| client.0.request_id.clone());
        let mut base = String::new();
        let answer = async {
            let visit = match Visit::read(request, &app, &mut base).await? {
                Found::Here(visit) => *visit,
                Found::Elsewhere(address) => return Ok(see_other(&address)),
            };
            if self.session_bound {
                visit.prove_own_form()?;
            }
            (self.handler)(visit).await
        };
        match answer.await {
            Ok(response) => response,
            Err(problem) if problem.is_unauthenticated() => sign_in_first(&base, here.as_deref()),
            Err(problem) => problem.render(&app, &base, request_id.as_deref()),
        }
    }
}

fn address(request: &Request) -> String {
    let address = request.uri().path_and_query();
    address.map_or_else(|| "/".to_owned(), ToString::to_string)
}

fn sign_in_first(base: &str, return_to: Option<&str>) -> Response {
    Redirect::to(&sign_in_address(base, return_to)).into_response()
}

/// The sign-in page that leads back to a path of this server.
pub(crate) fn sign_in_address(base: &str, return_to: Option<&str>) -> String {
    let address = format!("{base}/sign-in");
    match return_to {
        Some(return_to) => with_parameter(&address, "return_to", return_to),
        None => address,
    }
}

/// An address with one more parameter.
pub(super) fn with_parameter(address: &str, name: &str, value: &str) -> String {
    let mut parameter = form_urlencoded::Serializer::new(String::new());
    parameter.append_pair(name, value);
    let separator = if address.contains('?') { '&' } else { '?' };
    format!("{address}{separator}{}", parameter.finish())
}

/// A page that is asked for.
enum Found {
    Here(Box<Visit>),
    Elsewhere(String),
}

impl Visit {
    async fn read(
        mut request: Request,
        app: &App,
        base: &mut String,
    ) -> Result<Found, PageProblem> {
        let path = request.extract_parts::<RawPathParams>().await;
        let path: Vec<(String, String)> = path
            .map_err(|_| Problem::new(Code::NotFound))?
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let named = path.iter().find(|(name, _)| name == "tenant");
        let named = named.map(|(_, name)| name.as_str());
        let (mut parts, body) = request.into_parts();
        let place = Place::find(app, &parts, named).await?;
        let tenant = match place {
            Place::Elsewhere(address) => return Ok(Found::Elsewhere(address)),
            Place::Server => None,
            Place::Host(tenant) => Some(tenant),
            Place::Path(tenant) => {
                *base = tenant_base(&tenant);
                let tag = cookies::tag(tenant.id);
                parts.extensions.insert(PathTenant { tag });
                Some(tenant)
            }
        };
        let requester: Requester = parts.extract_with_state(app).await?;
        let cookies = Cookies::read(&parts.headers, app.policy().secure_cookies())?;
        let query = Fields::parse(parts.uri.query().unwrap_or_default().as_bytes())?;
        let prefetch = is_prefetch(&parts.headers);
        let navigation = is_navigation(&parts.headers);
        let fields = match parts.method {
            Method::POST => {
                if !requester.from_our_pages {
                    return Err(Problem::new(Code::OriginMissing).into());
                }
                read_form(Request::from_parts(parts, body)).await?
            }
            _ => Fields::default(),
        };
        Ok(Found::Here(Box::new(Self {
            app: app.clone(),
            requester,
            cookies,
            tenant,
            base: base.clone(),
            fields,
            query,
            path,
            prefetch,
            navigation,
        })))
    }

    /// Whether the browser only guesses that the page will be wanted.
    pub(super) fn is_prefetch(&self) -> bool {
        self.prefetch
    }

    /// Whether the browser says that the person goes to the page with this, in a
    /// window of its own.
    pub(super) fn is_navigation(&self) -> bool {
        self.navigation && !self.prefetch
    }

    pub(super) fn platform(&self) -> &Platform {
        self.app.platform()
    }

    pub(super) fn caller(&self) -> &Caller {
        &self.requester.caller
    }

    /// The session, or the way to the sign-in page.
    pub(super) fn session(&self) -> Result<&Arc<CheckedSession>, PageProblem> {
        Ok(self.requester.signed_in()?)
    }

    /// A variable part of the path.
    pub(super) fn part(&self, name: &str) -> &str {
        let part = self.path.iter().find(|(known, _)| known == name);
        part.map_or("", |(_, value)| value)
    }

    /// An address of ours, within the tenant's path if the visit is.
    pub(super) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// A form that acts for the session.
    pub(super) fn post(&self, path: &str) -> Post {
        let post = Post::new(self.at(path));
        match &self.requester.token {
            Some(token) => post.hidden(CSRF, csrf(token)),
            None => post,
        }
    }

    /// A text of the pages.
    pub(super) fn t(&self, key: &str) -> Result<String, PageProblem> {
        self.tv(key, &[])
    }

    /// A text of the pages with its values.
    pub(super) fn tv(&self, key: &str, values: &[(&str, &str)]) -> Result<String, PageProblem> {
        let values: Vec<_> = values
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        Ok(self.app.renderer().text(key, &values)?)
    }

    /// Whether the form carries the session's proof. Without a session there is
    /// nothing to act for, and each page says so itself.
    fn prove_own_form(&self) -> Result<(), Problem> {
        let Some(token) = &self.requester.token else {
            return Ok(());
        };
        if self
            .fields
            .secret(CSRF)
            .is_some_and(|proof| is_csrf_of(token, proof.expose()))
        {
            return Ok(());
        }
        Err(Problem::new(Code::CsrfFailed))
    }

    /// A page.
    pub(super) fn page<P: PageView>(&self, status: StatusCode, view: &P) -> Answer {
        let html = self.app.renderer().page(view)?;
        Ok((status, axum::response::Html(html)).into_response())
    }
}

/// On to another page of ours.
pub(super) fn see_other(to: &str) -> Response {
    Redirect::to(to).into_response()
}

/// Where a tenant's pages are, for whoever comes from the server's host: on a host of
/// its own, or below a path.
pub(super) fn way_to(app: &App, tenant: &Tenant) -> String {
    match app.policy().origins().own(&tenant.name) {
        Some(own) => own.origin().ascii_serialization(),
        None => tenant_base(tenant),
    }
}

/// The same for whoever comes from anywhere.
pub(super) fn address_of(app: &App, tenant: &Tenant) -> String {
    let way = way_to(app, tenant);
    match way.starts_with('/') {
        true => format!("{}{way}", app.policy().links_base()),
        false => way,
    }
}

/// What the paths of a tenant begin with on the server's host.
fn tenant_base(tenant: &Tenant) -> String {
    format!("/t/{}", path_segment(tenant.name.as_str()))
}

/// A text as one segment of a path.
fn path_segment(text: &str) -> String {
    let Ok(mut url) = url::Url::parse("http://here.invalid/") else {
        return String::new();
    };
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.clear().push(text);
    }
    url.path().trim_start_matches('/').to_owned()
}

fn is_prefetch(headers: &HeaderMap) -> bool {
    ["sec-purpose", "purpose"].into_iter().any(|name| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.is_some_and(|value| value.contains("prefetch") || value.contains("prerender"))
    })
}

/// See Fetch Metadata Request Headers, sections 2.1 and 2.2. What does not say so is
/// none: scripts and frames can tell nobody that they are.
fn is_navigation(headers: &HeaderMap) -> bool {
    let says = |name: &str, expected: &str| {
        let mut values = headers.get_all(name).iter();
        values.next().is_some_and(|value| value == expected) && values.next().is_none()
    };
    says("sec-fetch-mode", "navigate") && says("sec-fetch-dest", "document")
}

async fn read_form(request: Request) -> Result<Fields, PageProblem> {
    Fields::parse(&form_bytes(request).await?)
}

/// The body of a form.
pub(super) async fn form_bytes(request: Request) -> Result<Bytes, Problem> {
    let (parts, body) = request.into_parts();
    if !is_form(&parts) {
        return Err(Problem::new(Code::UnsupportedMediaType));
    }
    let request = Request::from_parts(parts, body);
    let bytes = request.extract::<Bytes, _>().await;
    bytes.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Code::PayloadTooLarge),
        _ => Problem::new(Code::InvalidRequest),
    })
}

fn is_form(parts: &Parts) -> bool {
    let kind = parts.headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Named values, each once. Any of them may be a secret.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields(BTreeMap<String, Secret>);

impl Fields {
    pub(super) fn parse(text: &[u8]) -> Result<Self, PageProblem> {
        let mut fields = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text) {
            let value = Secret::new(value.into_owned());
            if fields.insert(name.into_owned(), value).is_some() {
                return Err(Problem::new(Code::InvalidRequest).into());
            }
        }
        Ok(Self(fields))
    }

    /// A value, which is then no longer there.
    pub(super) fn take(&mut self, name: &str) -> Option<Secret> {
        self.0.remove(name)
    }

    /// A value that may be a secret.
    pub(super) fn secret(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }

    /// A value that is no secret, without white space around it.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.expose().trim())
    }

    /// A value that is no secret, if anything was filled in.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        self.text(name).filter(|text| !text.is_empty())
    }

    /// Whether a box was ticked.
    pub(super) fn ticked(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    /// The version of what a form changes.
    pub(super) fn version(&self) -> Result<Option<i64>, Problem> {
        self.text("version")
            .map(|text| text.parse().map_err(|_| Problem::new(Code::InvalidRequest)))
            .transpose()
    }

    pub(super) fn into_values(self) -> BTreeMap<String, Secret> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_comes_twice_is_refused() {
        assert!(Fields::parse(b"a=1&a=2").is_err());
        let fields = Fields::parse(b"a=1+2&b=%C3%BC").unwrap();
        assert_eq!(
            (fields.text("a"), fields.text("b")),
            (Some("1 2"), Some("ü"))
        );
    }

    #[test]
    fn a_password_keeps_the_white_space_around_it() {
        let fields = Fields::parse(b"password=+a+").unwrap();
        assert_eq!(fields.secret("password").unwrap().expose(), " a ");
    }

    #[test]
    fn a_name_becomes_one_segment_of_a_path() {
        assert_eq!(path_segment("acme"), "acme");
        assert_eq!(path_segment("a b/ü?#"), "a%20b%2F%C3%BC%3F%23");
    }

    #[test]
    fn parameters_are_escaped() {
        let address = with_parameter("/sign-in?a=1", "return_to", "/x?y=1&z=ü");
        assert_eq!(address, "/sign-in?a=1&return_to=%2Fx%3Fy%3D1%26z%3D%C3%BC");
    }

    #[test]
    fn a_guess_of_the_browser_is_recognised() {
        let mut headers = HeaderMap::new();
        assert!(!is_prefetch(&headers));
        headers.insert("sec-purpose", "prefetch;prerender".parse().unwrap());
        assert!(is_prefetch(&headers));
    }

    #[test]
    fn only_what_says_that_it_is_a_navigation_is_one() {
        let says = |mode: &str, dest: &str| {
            let mut headers = HeaderMap::new();
            for (name, value) in [("sec-fetch-mode", mode), ("sec-fetch-dest", dest)] {
                if !value.is_empty() {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            is_navigation(&headers)
        };
        assert!(says("navigate", "document"));
        for (mode, dest) in [
            ("", ""),
            ("navigate", ""),
            ("", "document"),
            ("navigate", "iframe"),
            ("cors", "empty"),
            ("no-cors", "image"),
        ] {
            assert!(!says(mode, dest), "{mode} {dest}");
        }
    }
}
