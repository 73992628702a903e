use axum::{Json, extract::State, http::HeaderMap};
use gatelodge_core::engine::FlowState;

use super::flow_schema::Flow;
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::Place,
        flows::{FlowJson, handle_here, over},
        problem::{Problem, ProblemBody},
    },
};

/// See where a flow stands.
#[utoipa::path(
    get, path = "/api/v1/sign-in/flows/{flow}", operation_id = "read_flow", tag = "sign-in",
    params(("flow" = String, Path, description = "The flow's id")),
    responses(
        (status = 200, body = Flow),
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
    let handle = handle_here(&app, &requester, &headers, &flow).await?;
    let view = app
        .platform()
        .sign_in()
        .view(&handle, requester.client())
        .await?;
    // Its browser was told to forget the cookie: whoever still has it planted it.
    if handle.binding.is_some() && view.state == FlowState::Complete {
        return Err(over());
    }
    Ok(Json(FlowJson::active(view)))
}
