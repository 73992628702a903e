//! Flows over HTTP: the JSON of the sign-in API and the cookies around it,
//! shared by the API and the pages.

use std::time::Duration;

use axum::{
    Json,
    http::HeaderMap,
    response::{IntoResponse as _, Response},
};
use gatelodge_core::{
    access::Caller,
    engine::{Completed, FlowHandle, FlowView, KeptDevice},
    model::{FactorClass, Session, TenantId},
    provider::Intent,
    secret::Token,
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    caller::Requester,
    cookies::{self, Cookies, Jar, OPEN_FLOWS},
    problem::{Code, Problem},
};
use crate::app::App;

/// How long a flow's cookie lives: as long as the flow.
const FLOW_AGE: Duration = Duration::from_secs(600);
/// How long a browser keeps its lane: the longest that browsers allow.
const DEVICE_AGE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// A flow.
#[derive(Debug, Serialize)]
pub struct FlowJson {
    /// Id, state, intent, tenant, expiry and the step that is asked now.
    #[serde(flatten)]
    pub view: FlowView,
    /// The session, once the flow is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<NewSessionJson>,
    /// What takes the place of the device's token that the flow began with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_token: Option<String>,
}

/// A session that a flow ended with.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewSessionJson {
    /// The bearer's token, with the token transport: told once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What the next sign-in on this device begins with, with the token transport
    /// and if it was asked for: told once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_token: Option<String>,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
    /// How it was proven: method references (RFC 8176).
    pub amr: Vec<String>,
    /// What it is limited to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

impl FlowJson {
    /// A flow that has no session yet, or whose session was told already.
    pub fn active(view: FlowView) -> Self {
        Self {
            view,
            session: None,
            device_token: None,
        }
    }

    /// With what takes the place of the device's token.
    pub fn keeping(mut self, kept: Option<&KeptDevice>) -> Self {
        let told = kept.map(|kept| kept.token.expose().to_owned());
        match &mut self.session {
            Some(session) => session.device_token = told,
            None => self.device_token = told,
        }
        self
    }

    /// A flow that ended with a session, whose token is told where it is given.
    pub fn complete(view: FlowView, session: &Session, token: Option<&Token>) -> Self {
        Self {
            view,
            device_token: None,
            session: Some(NewSessionJson {
                token: token.map(|token| token.expose().to_owned()),
                device_token: None,
                expires_at: session.expires_at,
                amr: session.amr().into_iter().map(str::to_owned).collect(),
                scope: session.scope.clone(),
            }),
        }
    }
}

/// What finds a flow again: its id, and with cookie transport this browser's cookie.
///
/// # Errors
/// [`super::problem::Code::DuplicateCookie`].
fn handle(app: &App, headers: &HeaderMap, flow: &str) -> Result<FlowHandle, Problem> {
    let cookies = Cookies::read(headers, app.policy().secure_cookies())?;
    Ok(handle_from(&cookies, flow))
}

/// The same for the API: on a tenant's own host there are no flows of others.
///
/// # Errors
/// [`super::problem::Code::DuplicateCookie`], and [`super::problem::Code::NotFound`]
/// for a flow that was begun elsewhere.
pub async fn handle_here(
    app: &App,
    requester: &Requester,
    headers: &HeaderMap,
    flow: &str,
) -> Result<FlowHandle, Problem> {
    let handle = handle(app, headers, flow)?;
    if let Some(own) = &requester.host_tenant {
        let engine = app.platform().sign_in();
        let view = engine.view(&handle, requester.client()).await?;
        if view.tenant.as_deref() != Some(own.name.as_str()) {
            return Err(over());
        }
    }
    Ok(handle)
}

/// What a flow is that is not here, whyever.
pub fn over() -> Problem {
    Problem::new(Code::NotFound).detail("this sign-in is over or has expired; start again")
}

/// The same, from cookies already read.
pub fn handle_from(cookies: &Cookies, flow: &str) -> FlowHandle {
    let binding = cookies.value(&cookies::flow_name(flow));
    // With the token transport the id is the secret, and cookies mean nothing.
    let by_token = Token::parse(flow).is_some();
    FlowHandle {
        id: flow.to_owned(),
        binding: binding
            .filter(|_| !by_token)
            .and_then(|value| Token::parse(value.expose())),
    }
}

/// Binds a flow to this browser. Its oldest flows make room.
pub fn bind(jar: &mut Jar, cookies: &Cookies, flow: &str, binding: &Token) {
    // Ids of flows are time-ordered: the smallest are the oldest.
    let mut others: Vec<&str> = cookies.flows().filter(|other| *other != flow).collect();
    others.sort_unstable();
    let too_many = (others.len() + 1).saturating_sub(OPEN_FLOWS);
    for old in others.iter().take(too_many) {
        jar.remove(&cookies::flow_name(old));
    }
    jar.set(&cookies::flow_name(flow), binding.expose(), Some(FLOW_AGE));
}

/// Waits until a refusal may be told.
pub async fn hold(app: &App, until: Option<Timestamp>) {
    if let Some(until) = until {
        let wait = gatelodge_core::environment::span_between(app.platform().now(), until);
        tokio::time::sleep(wait.min(Duration::from_secs(10))).await;
    }
}

/// The cookies of a new session: its own, which tenant is current, the
/// browser's lane. The flow's cookie goes. A session that this browser had in
/// the same tenant ends.
pub async fn hand_over(
    app: &App,
    requester: &Requester,
    cookies: &Cookies,
    flow: &str,
    completed: &Completed,
) -> Jar {
    let tag = cookies::tag(completed.tenant.id);
    if let Some(old) = cookies.session(Some(&tag)) {
        end_old(app, requester, old.expose()).await;
    }
    let mut jar = cookies.jar();
    jar.set(&cookies::session_name(&tag), completed.token.expose(), None);
    jar.set(cookies::CURRENT, &tag, None);
    jar.set(cookies::DEVICE, completed.device.expose(), Some(DEVICE_AGE));
    jar.remove(&cookies::flow_name(flow));
    replace_kept(app, requester, cookies, &mut jar, completed).await;
    jar
}

/// Keeps a browser signed in until the device's end.
pub fn keep(app: &App, jar: &mut Jar, kept: &KeptDevice) {
    let name = cookies::stay_name(&cookies::tag(kept.tenant));
    let age = gatelodge_core::environment::span_between(app.platform().now(), kept.expires_at);
    jar.set(&name, kept.token.expose(), Some(age));
}

/// A sign-in by hand takes the place of what kept this browser signed in to the
/// tenant: nobody comes back as whoever was here before.
async fn replace_kept(
    app: &App,
    requester: &Requester,
    cookies: &Cookies,
    jar: &mut Jar,
    completed: &Completed,
) {
    let mut factors = completed.session.factors.iter();
    let by_hand = factors.all(|factor| factor.class != FactorClass::Remembered);
    let signs_in = matches!(
        completed.view.intent,
        Intent::SignIn | Intent::SignUp | Intent::Recover
    );
    if !(by_hand && signs_in) {
        return;
    }
    forget_kept(app, &requester.caller, cookies, jar, completed.tenant.id).await;
    if let Some(kept) = &completed.kept {
        keep(app, jar, kept);
    }
}

/// Ends the device that keeps this browser signed in to a tenant. That it could not
/// be ended is no reason to keep its cookie.
pub async fn forget_kept(
    app: &App,
    caller: &Caller,
    cookies: &Cookies,
    jar: &mut Jar,
    tenant: TenantId,
) {
    let tag = cookies::tag(tenant);
    let Some((name, token)) = cookies.stay(Some(&tag)) else {
        return;
    };
    if let Err(error) = app.platform().sign_in().forget_device(caller, token).await {
        tracing::warn!(error = ?error, "a browser's device could not be ended");
    }
    jar.remove(name);
}

async fn end_old(app: &App, requester: &Requester, token: &str) {
    let Some(token) = Token::parse(token) else {
        return;
    };
    let sessions = app.platform().sessions();
    let ended = async {
        if let Some(old) = sessions.check(&token).await? {
            let caller = Caller {
                principal: old.principal(),
                client: requester.client().clone(),
            };
            sessions.sign_out(&caller).await?;
        }
        Ok::<(), gatelodge_core::Error>(())
    };
    if let Err(error) = ended.await {
        tracing::warn!(error = ?error, "the browser's previous session could not be ended");
    }
}

/// The API's answer to a flow that ended with a session.
pub async fn complete(
    app: &App,
    requester: &Requester,
    cookies: &Cookies,
    handle: &FlowHandle,
    completed: Completed,
) -> Response {
    if handle.binding.is_none() {
        let token = Some(&completed.token);
        let body = FlowJson::complete(completed.view, &completed.session, token);
        return Json(body.keeping(completed.kept.as_ref())).into_response();
    }
    let jar = hand_over(app, requester, cookies, &handle.id, &completed).await;
    let body = FlowJson::complete(completed.view, &completed.session, None);
    let mut response = Json(body).into_response();
    jar.onto(response.headers_mut());
    response
}
