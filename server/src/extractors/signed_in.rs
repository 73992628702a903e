use std::sync::Arc;

use axum::{
    extract::{FromRef, FromRequestParts, OptionalFromRequestParts},
    http::request::Parts,
};
use gatelodge_core::{
    CheckedSession,
    access::Caller,
    model::{Session, Tenant, User},
};

use super::Refusal;
use crate::{
    Gatelodge,
    app::App,
    http::{
        caller::Requester,
        csrf::csrf,
        guard::{self, Client, FromOurPages},
        place::locate,
        problem::{Code, Problem},
    },
};

/// A person who is signed in. See the [table](crate::extractors) of who is refused how.
#[derive(Debug, Clone)]
pub struct SignedIn {
    requester: Requester,
    session: Arc<CheckedSession>,
}

impl SignedIn {
    /// The person.
    pub fn user(&self) -> &User {
        &self.session.user
    }

    /// The person's tenant.
    pub fn tenant(&self) -> &Tenant {
        &self.session.tenant
    }

    /// The session: when and how it was proven, when it ends.
    pub fn session(&self) -> &Session {
        &self.session.session
    }

    /// Who asks and from where, for the services of [`Platform`](gatelodge_core::Platform) and for
    /// [`Platform::may`](gatelodge_core::Platform::may).
    pub fn caller(&self) -> &Caller {
        &self.requester.caller
    }

    /// What a form has to carry in the hidden field `csrf` for [`OwnForm`](super::OwnForm) to take it.
    pub fn csrf(&self) -> String {
        self.requester.token.as_ref().map(csrf).unwrap_or_default()
    }

    /// The visitor, if it is somebody.
    async fn find(parts: &mut Parts, app: &App) -> Result<Option<Self>, Problem> {
        let requester = requester(parts, app).await?;
        let Some(session) = requester.session.clone() else {
            return Ok(None);
        };
        if session.session.scope.is_some() {
            return Err(Problem::new(Code::Denied)
                .detail("this sign-in is good for one purpose only, which is another one"));
        }
        Ok(Some(Self { requester, session }))
    }
}

/// Who makes the request. Where the guard does not stand before the route, what it would have looked at is looked at here.
pub(super) async fn requester(parts: &mut Parts, app: &App) -> Result<Requester, Problem> {
    if parts.extensions.get::<FromOurPages>().is_none() {
        let ours = let_in(parts, app).await?;
        let id = app.new_request_id();
        let facts = guard::client_facts(app, &parts.extensions, &parts.headers, &id);
        parts.extensions.insert(Client(facts));
        parts.extensions.insert(FromOurPages(ours));
    }
    Requester::from_request_parts(parts, app).await
}

/// Whether the request comes from one of our pages, if it is let in.
async fn let_in(parts: &mut Parts, app: &App) -> Result<bool, Problem> {
    let request = (&parts.method, &parts.uri, &parts.headers);
    let Some(located) = locate(app, request).await? else {
        return Ok(false);
    };
    let incoming = guard::Incoming {
        method: &parts.method,
        headers: &parts.headers,
        host: &located.host,
        is_api: !guard::wants_page(&parts.headers),
        is_callback: false,
        visitor: None,
    };
    let ours = guard::admit(app, &incoming)?;
    located.tell(&mut parts.extensions);
    Ok(ours)
}

impl<S> FromRequestParts<S> for SignedIn
where
    Gatelodge: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let gatelodge = Gatelodge::from_ref(state);
        let found = Self::find(parts, gatelodge.app()).await;
        found
            .and_then(|person| person.ok_or_else(|| Problem::new(Code::Unauthenticated)))
            .map_err(|problem| Refusal::of(problem, gatelodge.app(), parts))
    }
}

impl<S> OptionalFromRequestParts<S> for SignedIn
where
    Gatelodge: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Refusal> {
        let gatelodge = Gatelodge::from_ref(state);
        let found = Self::find(parts, gatelodge.app()).await;
        found.map_err(|problem| Refusal::of(problem, gatelodge.app(), parts))
    }
}
