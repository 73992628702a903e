use std::collections::{BTreeMap, BTreeSet};

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use gatelodge_core::{CheckedSession, access::Resource};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::Parameters,
        problem::{Code, Problem, ProblemBody},
    },
};

/// Names in one question.
const MOST_ASKED: usize = 100;

/// Which permissions to ask about.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// Names of actions, with commas between; at most 100.
    #[serde(default)]
    permissions: Option<String>,
}

/// The present session.
#[derive(Serialize, ToSchema)]
pub struct SessionAnswer<'a> {
    session: PresentSession<'a>,
    user: PresentUser<'a>,
    tenant: PresentTenant<'a>,
    /// For each permission asked about, whether it is held: in the own tenant
    /// and, where it is about accounts, on the own one.
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions: Option<BTreeMap<String, bool>>,
}

#[derive(Serialize, ToSchema)]
struct PresentSession<'a> {
    id: Uuid,
    started_at: Timestamp,
    expires_at: Timestamp,
    auth_time: Timestamp,
    amr: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
}

#[derive(Serialize, ToSchema)]
struct PresentUser<'a> {
    id: Uuid,
    user_name: &'a str,
    display_name: &'a str,
}

#[derive(Serialize, ToSchema)]
struct PresentTenant<'a> {
    id: Uuid,
    name: &'a str,
}

/// Who is signed in, by cookie or bearer token.
///
/// 401 when nobody is.
#[utoipa::path(
    get, path = "/api/v1/session", operation_id = "read_session", tag = "session",
    params(Asked),
    responses(
        (status = 200, body = SessionAnswer<'_>),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn read_session(
    State(app): State<App>,
    requester: Requester,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Problem> {
    let checked = requester.signed_in()?;
    ensure_own_application(&app, &requester, checked).await?;
    let permissions = asked
        .permissions
        .map(|names| permissions(&app, &requester, checked, &names))
        .transpose()?;
    let session = &checked.session;
    let answer = SessionAnswer {
        session: PresentSession {
            id: session.id.as_uuid(),
            started_at: session.started_at,
            expires_at: session.expires_at,
            auth_time: session.auth_time(),
            amr: session.amr(),
            scope: session.scope.as_deref(),
        },
        user: PresentUser {
            id: checked.user.id.as_uuid(),
            user_name: checked.user.user_name.as_str(),
            display_name: checked.user.display_name.as_str(),
        },
        tenant: PresentTenant {
            id: checked.tenant.id.as_uuid(),
            name: checked.tenant.name.as_str(),
        },
        permissions,
    };
    Ok(Json(answer).into_response())
}

/// Whether a page of another origin that came with the person's cookies is one of
/// an application of the person's tenant.
async fn ensure_own_application(
    app: &App,
    requester: &Requester,
    checked: &CheckedSession,
) -> Result<(), Problem> {
    let Some(foreign) = requester.foreign.as_ref().filter(|page| page.with_cookies) else {
        return Ok(());
    };
    let applications = app.platform().applications();
    let tenant = Some(checked.tenant.id);
    if applications.has_origin(tenant, &foreign.origin).await? {
        return Ok(());
    }
    Err(Problem::new(Code::OriginNotAllowed))
}

/// What is held of `names`, on what is one's own.
fn permissions(
    app: &App,
    requester: &Requester,
    checked: &CheckedSession,
    names: &str,
) -> Result<BTreeMap<String, bool>, Problem> {
    let own = Resource::user(checked.tenant.id, checked.user.id);
    let names: BTreeSet<_> = names
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    if names.len() > MOST_ASKED {
        return Err(Problem::new(Code::InvalidRequest)
            .detail(format!("`permissions` takes at most {MOST_ASKED} names")));
    }
    let platform = app.platform();
    let held = |name: &str| platform.may(&requester.caller, name, &own);
    Ok(names
        .into_iter()
        .map(|name| (name.to_owned(), held(name)))
        .collect())
}
