use axum::{Json, extract::State};
use gatelodge_core::model::SessionId;

use super::types::{ListJson, SessionJson};
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::{Paging, Parameters, cursor},
        problem::{Problem, ProblemBody},
    },
};

const LIST: &str = "account_sessions";

/// One's own valid sessions.
#[utoipa::path(
    get, path = "/api/v1/account/sessions", operation_id = "list_own_sessions", tag = "account",
    params(Paging),
    responses(
        (status = 200, body = ListJson<SessionJson>),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn list_own_sessions(
    State(app): State<App>,
    requester: Requester,
    Parameters(paging): Parameters<Paging>,
) -> Result<Json<ListJson<SessionJson>>, Problem> {
    let platform = app.platform();
    let checked = requester.signed_in()?;
    let list = format!("{LIST} {}", checked.user.id);
    let page = paging.page(platform, &list, SessionId::from_uuid).await?;
    let listed = platform
        .sessions()
        .list_own(&requester.caller, page)
        .await?;
    let now = platform.now();
    let items = listed.items.iter();
    Ok(Json(ListJson {
        items: items
            .map(|session| SessionJson::new(session, now, Some(checked)))
            .collect(),
        next_cursor: listed
            .next
            .map(|id| cursor(platform, &list, id.as_uuid()))
            .transpose()?,
    }))
}
