use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use gatelodge_core::{
    CheckedSession, Error,
    model::{Application, Grant},
    secret::{Token, TokenHash},
    service::{ApplicationRef, TenantRef},
};
use serde::Deserialize;

use crate::{
    app::App,
    http::{
        entry::{BROWSER, PASS, Proxied},
        extract::Parameters,
        guard::{is_safe, single, wants_page},
        problem::{Code, Problem, ProblemBody},
        web,
    },
};

/// What the proxy's configuration says.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// The application before which the proxy stands, by id or audience.
    application: String,
    /// Whether a browser that is not signed in is answered 303, as most proxies
    /// pass on; else 401 with the same `Location`. Default: true.
    #[serde(default = "yes")]
    redirect: bool,
}

fn yes() -> bool {
    true
}

/// Whether a request to an application on another host is let in: for proxies
/// that ask before they pass it on.
///
/// 200 with who it is in the headers `Remote-User` (the user name),
/// `Remote-Subject` (the user's id), `Remote-Name`, `Remote-Email` (only if
/// verified), `Remote-Tenant` and `Remote-Roles`. The proxy has to take these
/// from here and never from outside. A browser that is not signed in is sent to
/// the sign-in page; other clients get 401. The cookie of the host that the proxy
/// stands before decides; see the guide to forward authentication.
#[utoipa::path(
    get, path = "/api/v1/forward-auth", operation_id = "forward_auth", tag = "tokens",
    params(Asked),
    responses(
        (status = 200, description = "let in"),
        (status = 303, description = "to the sign-in page"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(()),
)]
pub async fn forward_auth(
    State(app): State<App>,
    headers: HeaderMap,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Problem> {
    let proxied = Proxied::read(&headers)?;
    let application = application(&app, &asked.application, &proxied.origin).await?;
    let cookies = proxied.cookies(&headers);
    if let Some(pass) = cookies.value(PASS) {
        let entries = app.platform().entries();
        let session = entries.check(pass, &application, &proxied.origin).await?;
        if let Some(session) = session {
            return identity(&session);
        }
    }
    if !is_navigation(&headers)? {
        return Err(Problem::new(Code::Unauthenticated));
    }
    let known = cookies
        .value(BROWSER)
        .and_then(|value| Token::parse(value.expose()));
    let mut jar = proxied.jar();
    let browser = known.unwrap_or_else(|| {
        let fresh = Token::generate(app.platform().environment());
        jar.set(BROWSER, fresh.expose(), None);
        fresh
    });
    let way = way_in(&app, &application, &proxied, &browser.hash()).await?;
    let mut response = match asked.redirect {
        true => StatusCode::SEE_OTHER.into_response(),
        false => Problem::new(Code::Unauthenticated).into_response(),
    };
    let location = HeaderValue::from_str(&way)
        .map_err(|error| Error::internal("an address is no header").because(error))?;
    response.headers_mut().insert(header::LOCATION, location);
    jar.onto(response.headers_mut());
    Ok(response)
}

/// The application, if the host is one of its own.
async fn application(app: &App, named: &str, origin: &str) -> Result<Application, Problem> {
    let refused = |detail: String| Problem::new(Code::Denied).detail(detail);
    let found = match ApplicationRef::parse(named) {
        Some(named) => app.platform().applications().find(&named).await?,
        None => None,
    };
    let application =
        found.ok_or_else(|| refused(format!("there is no registered application `{named}`")))?;
    if application.has_origin(origin) {
        return Ok(application);
    }
    Err(refused(format!(
        "the application `{}` has not registered the origin `{origin}`",
        application.name
    )))
}

/// Where a browser signs in, or enters if it is signed in.
async fn way_in(
    app: &App,
    application: &Application,
    proxied: &Proxied,
    browser: &TokenHash,
) -> Result<String, Problem> {
    let tenant = TenantRef::Id(application.tenant);
    let tenant = app.platform().tenants().find(&tenant).await?;
    let tenant = tenant.ok_or_else(|| Error::not_found("tenant"))?;
    Ok(web::entry_address(
        app,
        &tenant,
        application,
        proxied,
        browser,
    ))
}

/// Whether a person goes to a page with this request.
fn is_navigation(headers: &HeaderMap) -> Result<bool, Problem> {
    let method = single(headers, &HeaderName::from_static("x-forwarded-method"))?;
    let method = method.map_or(Ok(Method::GET), str::parse);
    let is_read = method.is_ok_and(|method| is_safe(&method));
    let mode = single(headers, &HeaderName::from_static("sec-fetch-mode"))?;
    Ok(is_read && wants_page(headers) && mode.is_none_or(|mode| mode == "navigate"))
}

/// Who it is, for the application.
fn identity(session: &CheckedSession) -> Result<Response, Problem> {
    let user = &session.user;
    let email = user.email.as_ref().filter(|_| user.email_verified);
    let roles: Vec<_> = session
        .grants
        .iter()
        .map(|grant| Grant::as_str(*grant))
        .collect();
    let mut response = StatusCode::OK.into_response();
    for (name, text) in [
        ("remote-user", user.user_name.to_string()),
        ("remote-subject", user.id.to_string()),
        ("remote-name", user.display_name.to_string()),
        (
            "remote-email",
            email.map(ToString::to_string).unwrap_or_default(),
        ),
        ("remote-tenant", session.tenant.name.to_string()),
        ("remote-roles", roles.join(",")),
    ] {
        // UTF-8, as these headers are read; the names hold no control characters.
        let value = HeaderValue::from_bytes(text.as_bytes())
            .map_err(|error| Error::internal("a name is no header").because(error))?;
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
    Ok(response)
}
