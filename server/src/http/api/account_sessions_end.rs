use axum::{Json, extract::State, http::StatusCode};
use gatelodge_core::model::SessionId;

use super::types::EndedJson;
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::Place,
        problem::{Code, Problem, ProblemBody},
    },
};

/// End all of one's own sessions but the present one.
#[utoipa::path(
    delete, path = "/api/v1/account/sessions", operation_id = "end_other_sessions", tag = "account",
    responses(
        (status = 200, body = EndedJson),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn end_other_sessions(
    State(app): State<App>,
    requester: Requester,
) -> Result<Json<EndedJson>, Problem> {
    let ended = app
        .platform()
        .sessions()
        .end_own_others(&requester.caller)
        .await?;
    Ok(Json(EndedJson { ended }))
}

/// End one of one's own sessions.
#[utoipa::path(
    delete, path = "/api/v1/account/sessions/{session}", operation_id = "end_own_session", tag = "account",
    params(("session" = Uuid, Path, description = "The session's id")),
    responses(
        (status = 204),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn end_own_session(
    State(app): State<App>,
    requester: Requester,
    Place(session): Place<String>,
) -> Result<StatusCode, Problem> {
    requester.signed_in()?;
    let id: SessionId = session
        .parse()
        .map_err(|_| Problem::new(Code::NotFound).detail("there is no such session"))?;
    app.platform()
        .sessions()
        .end_own(&requester.caller, id)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
