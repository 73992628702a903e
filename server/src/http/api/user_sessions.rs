use axum::{Json, extract::State};
use gatelodge_core::model::SessionId;

use super::types::{EndedJson, ListJson, SessionJson};
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::{Paging, Parameters, Place, cursor},
        problem::{Problem, ProblemBody},
    },
};

const LIST: &str = "user_sessions";

/// A user's valid sessions.
#[utoipa::path(
    get, path = "/api/v1/tenants/{tenant}/users/{user}/sessions",
    operation_id = "list_user_sessions", tag = "sessions",
    params(
        ("tenant" = String, Path, description = "The tenant's id or name"),
        ("user" = Uuid, Path, description = "The user's id"),
        Paging,
    ),
    responses(
        (status = 200, body = ListJson<SessionJson>),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn list_user_sessions(
    State(app): State<App>,
    requester: Requester,
    Place((tenant, user)): Place<(String, String)>,
    Parameters(paging): Parameters<Paging>,
) -> Result<Json<ListJson<SessionJson>>, Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?.id;
    let id = super::user_id(&user)?;
    let platform = app.platform();
    let list = format!("{LIST} {id}");
    let page = paging.page(platform, &list, SessionId::from_uuid).await?;
    // An unknown user is told apart from one without sessions.
    platform.users().read(&requester.caller, tenant, id).await?;
    let listed = platform
        .sessions()
        .list(&requester.caller, tenant, Some(id), true, page)
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

/// End all of a user's sessions.
#[utoipa::path(
    delete, path = "/api/v1/tenants/{tenant}/users/{user}/sessions",
    operation_id = "end_user_sessions", tag = "sessions",
    params(
        ("tenant" = String, Path, description = "The tenant's id or name"),
        ("user" = Uuid, Path, description = "The user's id"),
    ),
    responses(
        (status = 200, body = EndedJson),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn end_user_sessions(
    State(app): State<App>,
    requester: Requester,
    Place((tenant, user)): Place<(String, String)>,
) -> Result<Json<EndedJson>, Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?.id;
    let id = super::user_id(&user)?;
    let sessions = app.platform().sessions();
    let ended = sessions.end_of_user(&requester.caller, tenant, id).await?;
    Ok(Json(EndedJson { ended }))
}
