use axum::{Json, extract::State, http::HeaderMap};

use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::Place,
        flows::{FlowJson, handle},
        problem::{Problem, ProblemBody},
    },
};

/// See where a flow stands.
#[utoipa::path(
    get, path = "/api/v1/sign-in/flows/{flow}", operation_id = "read_flow", tag = "sign-in",
    params(("flow" = String, Path, description = "The flow's id")),
    responses(
        (status = 200, body = FlowJson),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(()),
)]
pub async fn read_flow(
    State(app): State<App>,
    requester: Requester,
    headers: HeaderMap,
    Place(flow): Place<String>,
) -> Result<Json<FlowJson>, Problem> {
    let handle = handle(&app, &headers, &flow)?;
    let view = app
        .platform()
        .sign_in()
        .view(&handle, requester.client())
        .await?;
    Ok(Json(FlowJson::active(view)))
}
