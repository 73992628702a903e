use axum::{Json, extract::State, http::StatusCode};
use gatelodge_core::model::{SessionId, UserId};
use serde::Deserialize;
use uuid::Uuid;

use super::types::{ListJson, SessionJson};
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::{Paging, Parameters, Place, cursor},
        problem::{Code, Problem, ProblemBody},
    },
};

const LIST: &str = "sessions";

/// Which sessions.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Only this user's.
    #[serde(default)]
    user: Option<Uuid>,
    /// Also those that have ended.
    #[serde(default)]
    ended: bool,
    /// At most this many, 1 to 200; 50 if not given.
    #[serde(default)]
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where the piece before ended.
    #[serde(default)]
    cursor: Option<String>,
}

/// A tenant's sessions.
#[utoipa::path(
    get, path = "/api/v1/tenants/{tenant}/sessions", operation_id = "list_sessions", tag = "sessions",
    params(("tenant" = String, Path, description = "The tenant's id or name"), Wanted),
    responses(
        (status = 200, body = ListJson<SessionJson>),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn list_sessions(
    State(app): State<App>,
    requester: Requester,
    Place(tenant): Place<String>,
    Parameters(wanted): Parameters<Wanted>,
) -> Result<Json<ListJson<SessionJson>>, Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?;
    let platform = app.platform();
    let paging = Paging {
        limit: wanted.limit,
        cursor: wanted.cursor,
    };
    let list = format!("{LIST} {}", tenant.id);
    let page = paging.page(platform, &list, SessionId::from_uuid).await?;
    let user = wanted.user.map(UserId::from_uuid);
    let listed = platform
        .sessions()
        .list(&requester.caller, tenant.id, user, !wanted.ended, page)
        .await?;
    let now = platform.now();
    let current = requester.session.as_deref();
    let items = listed.items.iter();
    Ok(Json(ListJson {
        items: items
            .map(|session| SessionJson::new(session, now, current))
            .collect(),
        next_cursor: listed
            .next
            .map(|id| cursor(platform, &list, id.as_uuid()))
            .transpose()?,
    }))
}

/// End one of a tenant's sessions.
#[utoipa::path(
    delete, path = "/api/v1/tenants/{tenant}/sessions/{session}",
    operation_id = "end_session_of_tenant", tag = "sessions",
    params(
        ("tenant" = String, Path, description = "The tenant's id or name"),
        ("session" = Uuid, Path, description = "The session's id"),
    ),
    responses(
        (status = 204),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn end_session_of_tenant(
    State(app): State<App>,
    requester: Requester,
    Place((tenant, session)): Place<(String, String)>,
) -> Result<StatusCode, Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?;
    let unknown = |_| Problem::new(Code::NotFound).detail("there is no such session");
    let sessions = app.platform().sessions();
    let id: SessionId = session.parse().map_err(unknown)?;
    sessions.end(&requester.caller, tenant.id, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
