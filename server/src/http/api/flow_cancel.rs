use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
};

use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::Place,
        flows::handle_here,
        problem::{Problem, ProblemBody},
    },
};

/// Give a flow up.
#[utoipa::path(
    delete, path = "/api/v1/sign-in/flows/{flow}", operation_id = "cancel_flow", tag = "sign-in",
    params(("flow" = String, Path, description = "The flow's id")),
    responses(
        (status = 204),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(()),
)]
pub async fn cancel_flow(
    State(app): State<App>,
    requester: Requester,
    headers: HeaderMap,
    Place(flow): Place<String>,
) -> Result<StatusCode, Problem> {
    let handle = handle_here(&app, &requester, &headers, &flow).await?;
    app.platform().sign_in().cancel(&handle).await?;
    Ok(StatusCode::NO_CONTENT)
}
