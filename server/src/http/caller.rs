//! Who makes a request: the session behind its cookie or bearer token.

use std::sync::Arc;

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{header, request::Parts},
};
use gatelodge_core::{
    CheckedSession,
    access::{Caller, Principal},
    model::{ClientFacts, Tenant},
    secret::Token,
};

use super::{
    cookies::Cookies,
    cors::ForeignOrigin,
    guard::{Client, FromOurPages},
    place::HostTenant,
    problem::{Code, Problem},
    web::PathTenant,
};
use crate::app::App;

/// The caller of a request, signed in or not.
#[derive(Debug, Clone)]
pub struct Requester {
    /// Who and from where, for the services.
    pub caller: Caller,
    /// The session, if there is one.
    pub session: Option<Arc<CheckedSession>>,
    /// Its token, for the page's proof that a form is ours.
    pub token: Option<Token>,
    /// Whether the request says that it comes from one of our pages.
    pub from_our_pages: bool,
    /// The page of a registered application that it comes from.
    pub foreign: Option<ForeignOrigin>,
    /// The tenant whose own host it is for. A session of another one is none there.
    pub host_tenant: Option<Tenant>,
}

impl Requester {
    /// From where.
    pub fn client(&self) -> &ClientFacts {
        &self.caller.client
    }

    /// The session, or the problem that there is none.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`].
    pub fn signed_in(&self) -> Result<&Arc<CheckedSession>, Problem> {
        self.session
            .as_ref()
            .ok_or_else(|| Problem::new(Code::Unauthenticated))
    }
}

impl<S> FromRequestParts<S> for Requester
where
    App: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let app = App::from_ref(state);
        let token = presented(&app, parts)?;
        let host_tenant = parts.extensions.get::<HostTenant>();
        let host_tenant = host_tenant.map(|own| own.tenant.clone());
        let session = match &token {
            Some(token) => app.platform().sessions().check(token).await?,
            None => None,
        };
        let is_here = |session: &Arc<CheckedSession>| {
            let tenant = host_tenant.as_ref();
            tenant.is_none_or(|tenant| tenant.id == session.tenant.id)
        };
        let session = session.filter(is_here);
        let client = parts
            .extensions
            .get::<Client>()
            .map(|client| client.0.clone())
            .unwrap_or_default();
        let principal = session
            .as_ref()
            .map_or(Principal::Anonymous, |session| session.principal());
        Ok(Self {
            caller: Caller { principal, client },
            token: token.filter(|_| session.is_some()),
            session,
            from_our_pages: parts
                .extensions
                .get::<FromOurPages>()
                .is_some_and(|from| from.0),
            foreign: parts.extensions.get::<ForeignOrigin>().cloned(),
            host_tenant,
        })
    }
}

/// The token that a request presents: a bearer token wins over a cookie, since
/// it was put there on purpose.
fn presented(app: &App, parts: &Parts) -> Result<Option<Token>, Problem> {
    let mut headers = parts.headers.get_all(header::AUTHORIZATION).iter();
    if let Some(header) = headers.next() {
        let token = header
            .to_str()
            .ok()
            .filter(|_| headers.next().is_none())
            .and_then(|text| text.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .and_then(|(_, token)| Token::parse(token.trim()));
        // Credentials that do not count are not the same as none.
        return token
            .map(Some)
            .ok_or_else(|| Problem::new(Code::Unauthenticated));
    }
    let cookies = Cookies::read(&parts.headers, app.policy().secure_cookies())?;
    let own = parts.extensions.get::<HostTenant>().map(|own| &own.tag);
    let named = parts.extensions.get::<PathTenant>();
    let tag = own.or(named.map(|tenant| &tenant.tag));
    Ok(cookies
        .session(tag.map(String::as_str))
        .and_then(|value| Token::parse(value.expose())))
}
