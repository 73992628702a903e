use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use gatelodge_core::{
    Error,
    engine::{Progress, ResumeDevice, Resumed, StartFlow, SwitchTenant, Switched, Transport},
    model::ProviderId,
    provider::Intent,
    secret::Secret,
    service::{ApplicationRef, TenantRef},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{account_devices::device_id, flow_schema::Flow, types::LinkPurposeJson};
use crate::{
    app::App,
    http::{
        caller::Requester,
        cookies::{Cookies, DEVICE},
        extract::Body,
        flows::{FlowJson, bind, complete},
        problem::{Code, Problem, ProblemBody},
    },
};

/// A flow to begin.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartFlowRequest {
    /// The tenant, by name or id; absent: that of the host, if it is a tenant's own, else found from the user name, or
    /// asked for.
    #[serde(default)]
    tenant: Option<String>,
    /// How the session is handed over.
    transport: TransportJson,
    /// The registered application that asks, by id or audience. Without a tenant, it is that of the application.
    #[serde(default)]
    application: Option<String>,
    /// Where the browser goes in the end: a path of this server, or one of the application's return addresses, exactly
    /// as it is registered.
    #[serde(default)]
    return_to: Option<String>,
    /// What it is for; a sign-in if absent.
    #[serde(default)]
    intent: Option<IntentJson>,
    /// The assurance level demanded: `aal1` (one factor) or `aal2` (two).
    #[serde(default)]
    acr: Option<String>,
    /// What is to be set up, for `enrol`, or the connection to link an identity by, for
    /// `link`.
    #[serde(default)]
    provider: Option<String>,
    /// The second factor or linked identity that is to be removed, for `remove`.
    #[serde(default)]
    #[schema(value_type = Option<uuid::Uuid>)]
    factor: Option<String>,
    /// The link that the person came by, in place of choosing how to sign in.
    #[serde(default)]
    link: Option<LinkJson>,
    /// What an earlier sign-in on this device was told, in place of choosing how to
    /// sign in; only with the transport `token`. The answer tells its successor. One
    /// that is worth nothing is refused: begin without it then.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    device_token: Option<Secret>,
}

/// A link that was sent or handed over.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkJson {
    /// What it is for, the last segment of its path.
    purpose: LinkPurposeJson,
    /// Its parameter `token`.
    #[schema(value_type = String)]
    token: Secret,
}

/// How a session is handed over.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransportJson {
    /// As a cookie; the flow is bound to the browser by a cookie too.
    Cookie,
    /// In the answer; the flow's id is then a secret.
    Token,
}

/// What a flow is for.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IntentJson {
    /// To sign in.
    SignIn,
    /// To make an account.
    SignUp,
    /// To set up or change a credential of the own account.
    Enrol,
    /// To prove oneself again.
    Reprove,
    /// To get back into an account.
    Recover,
    /// To confirm the own e-mail address, or to change it.
    Verify,
    /// To remove a second factor of the own account, or to unlink an identity.
    Remove,
    /// To link an identity at a third party to the own account.
    Link,
    /// To go on in another tenant with what began the present session, if that was an identity at a third party that is
    /// linked to an account there, too. `tenant` names it; the transport is `cookie`.
    Switch,
}

impl From<IntentJson> for Intent {
    fn from(intent: IntentJson) -> Self {
        match intent {
            IntentJson::SignIn => Self::SignIn,
            IntentJson::SignUp => Self::SignUp,
            IntentJson::Enrol => Self::Enrol,
            IntentJson::Reprove => Self::Reprove,
            IntentJson::Recover => Self::Recover,
            IntentJson::Verify => Self::Verify,
            IntentJson::Remove => Self::Remove,
            IntentJson::Link => Self::Link,
            IntentJson::Switch => Self::SignIn,
        }
    }
}

/// Begin a sign-in, sign-up or change of credentials.
#[utoipa::path(
    post, path = "/api/v1/sign-in/flows", operation_id = "start_flow", tag = "sign-in",
    request_body = StartFlowRequest,
    responses(
        (status = 201, body = Flow),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(()),
)]
pub async fn start_flow(
    State(app): State<App>,
    requester: Requester,
    headers: HeaderMap,
    Body(request): Body<StartFlowRequest>,
) -> Result<Response, Problem> {
    let transport = match request.transport {
        TransportJson::Token => Transport::Token,
        TransportJson::Cookie if requester.from_our_pages => Transport::Cookie,
        TransportJson::Cookie => {
            return Err(Problem::new(Code::OriginMissing).detail(format!(
                "the cookie transport is for browsers on `{}`; other clients use the transport `token`",
                origin(&app, &requester)
            )));
        }
    };
    if request.device_token.is_some() {
        return resume_device(&app, &requester, request).await;
    }
    if matches!(request.intent, Some(IntentJson::Switch)) {
        return switch(&app, &requester, &headers, request).await;
    }
    let start = StartFlow {
        intent: request.intent.map_or(Intent::SignIn, Intent::from),
        tenant: tenant(&app, &requester, request.tenant.as_deref()).await?,
        application: application(request.application.as_deref())?,
        return_to: request.return_to,
        two_factors: two_factors(request.acr.as_deref())?,
        session: requester.session.clone(),
        target: request
            .provider
            .map(ProviderId::new)
            .transpose()
            .map_err(|error| Problem::from(error).about("provider"))?,
        factor: request.factor.as_deref().map(device_id),
        link: request.link.map(|link| (link.purpose.into(), link.token)),
        on_own_origin: requester.host_tenant.is_some(),
        ..StartFlow::sign_in(transport)
    };
    let started = app
        .platform()
        .sign_in()
        .start(start, requester.client())
        .await?;
    let cookies = Cookies::read(&headers, app.policy().secure_cookies())?;
    let mut jar = cookies.jar();
    if let Some(binding) = &started.handle.binding {
        bind(&mut jar, &cookies, &started.handle.id, binding);
    }
    let body = Json(FlowJson::active(started.view));
    let mut response = (StatusCode::CREATED, body).into_response();
    jar.onto(response.headers_mut());
    Ok(response)
}

/// Begins with what an earlier sign-in left, and goes on as far as it reaches.
async fn resume_device(
    app: &App,
    requester: &Requester,
    request: StartFlowRequest,
) -> Result<Response, Problem> {
    let refused = |detail: &str| Problem::new(Code::InvalidRequest).detail(detail);
    let signs_in = matches!(request.intent, None | Some(IntentJson::SignIn));
    let alone = signs_in
        && request.acr.is_none()
        && request.provider.is_none()
        && request.link.is_none()
        && matches!(request.transport, TransportJson::Token);
    let token = request.device_token.filter(|_| alone).ok_or_else(|| {
        refused("`device_token` is for a sign-in by the transport `token`, without `acr`, `provider` and `link`")
    })?;
    let tenant = match tenant(app, requester, request.tenant.as_deref()).await? {
        None => None,
        Some(named) => {
            let found = app.platform().tenants().find(&named).await?;
            let found = found.map(|tenant| tenant.id);
            Some(found.ok_or_else(|| Problem::new(Code::NotFound))?)
        }
    };
    let resume = ResumeDevice {
        token,
        tenant,
        transport: Transport::Token,
        application: application(request.application.as_deref())?,
        return_to: request.return_to,
        lane: None,
    };
    let engine = app.platform().sign_in();
    let resumed = engine.resume_device(resume, requester.client()).await?;
    let Resumed::Known { progress, kept, .. } = resumed else {
        return Err(Problem::new(Code::SignInRefused)
            .detail("the device's token does not match an account that may sign in"));
    };
    let body = match *progress {
        Progress::Complete(done) => {
            let token = Some(&done.token);
            FlowJson::complete(done.view.clone(), &done.session, token)
        }
        Progress::Next { view, .. }
        | Progress::Refused { view, .. }
        | Progress::Invalid { view, .. }
        | Progress::Ended { view, .. } => FlowJson::active(view),
    };
    let body = Json(body.keeping(Some(&kept)));
    Ok((StatusCode::CREATED, body).into_response())
}

/// Goes on in another tenant, as far as what began the present session reaches there.
async fn switch(
    app: &App,
    requester: &Requester,
    headers: &HeaderMap,
    request: StartFlowRequest,
) -> Result<Response, Problem> {
    let refused = || {
        Problem::new(Code::InvalidRequest).detail(
            "`switch` takes the transport `cookie`, `tenant` and, if wanted, a path as `return_to`",
        )
    };
    let alone = request.acr.is_none()
        && request.application.is_none()
        && request.provider.is_none()
        && request.factor.is_none()
        && request.link.is_none()
        && matches!(request.transport, TransportJson::Cookie);
    let tenant = request.tenant.as_deref().filter(|_| alone);
    let session = requester.signed_in()?.clone();
    let cookies = Cookies::read(headers, app.policy().secure_cookies())?;
    let wish = SwitchTenant {
        session,
        tenant: TenantRef::parse(tenant.ok_or_else(refused)?),
        return_to: request.return_to,
        device: cookies.value(DEVICE).cloned(),
    };
    let engine = app.platform().sign_in();
    let Switched { handle, progress } = engine.switch(wish, requester.client()).await?;
    let view = match *progress {
        Progress::Complete(completed) => {
            let mut response = complete(app, requester, &cookies, &handle, *completed).await;
            // A flow was begun, if only to end at once.
            *response.status_mut() = StatusCode::CREATED;
            return Ok(response);
        }
        Progress::Next { view, .. }
        | Progress::Refused { view, .. }
        | Progress::Invalid { view, .. }
        | Progress::Ended { view, .. } => view,
    };
    let mut jar = cookies.jar();
    if let Some(binding) = &handle.binding {
        bind(&mut jar, &cookies, &handle.id, binding);
    }
    let body = Json(FlowJson::active(view));
    let mut response = (StatusCode::CREATED, body).into_response();
    jar.onto(response.headers_mut());
    Ok(response)
}

/// The tenant of a sign-in: on a tenant's own host it is that one, and there is no
/// other.
async fn tenant(
    app: &App,
    requester: &Requester,
    named: Option<&str>,
) -> Result<Option<TenantRef>, Problem> {
    let named = named.map(TenantRef::parse);
    let Some(own) = &requester.host_tenant else {
        return Ok(named);
    };
    if let Some(named) = &named {
        let found = app.platform().tenants().find(named).await?;
        if found.is_none_or(|tenant| tenant.id != own.id) {
            return Err(Error::not_found("tenant").into());
        }
    }
    Ok(Some(TenantRef::Id(own.id)))
}

/// The origin of the host that a request is for.
fn origin(app: &App, requester: &Requester) -> String {
    let policy = app.policy();
    let own = requester.host_tenant.as_ref();
    let own = own.and_then(|tenant| policy.origins().own(&tenant.name));
    own.map_or_else(
        || policy.links_base(),
        |own| own.origin().ascii_serialization(),
    )
}

/// The application that a request names.
///
/// # Errors
/// [`Code::ValidationFailed`] for what can be no id and no audience.
pub(crate) fn application(named: Option<&str>) -> Result<Option<ApplicationRef>, Problem> {
    let parse = |text| {
        ApplicationRef::parse(text).ok_or_else(|| {
            Error::invalid("application", "there is no such registered application").into()
        })
    };
    named.map(parse).transpose()
}

fn two_factors(acr: Option<&str>) -> Result<bool, Problem> {
    match acr {
        None | Some("aal1") => Ok(false),
        Some("aal2") => Ok(true),
        Some(_) => Err(Problem::new(Code::InvalidRequest).detail("`acr` is `aal1` or `aal2`")),
    }
}
