use axum::{Json, extract::State};

use super::{types::ListJson, user_factors::FactorJson};
use crate::{
    app::App,
    http::{
        caller::Requester,
        problem::{Problem, ProblemBody},
    },
};

/// One's own second factors.
///
/// Only what confirms sign-ins and cannot start one. There are few, and all of them are in one answer. One is removed
/// in a flow with the intent `remove`, which asks for a proof first.
#[utoipa::path(
    get, path = "/api/v1/account/factors", operation_id = "list_own_factors", tag = "account",
    responses(
        (status = 200, body = ListJson<FactorJson>),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn list_own_factors(
    State(app): State<App>,
    requester: Requester,
) -> Result<Json<ListJson<FactorJson>>, Problem> {
    let accounts = app.platform().accounts();
    let methods = accounts.factors(&requester.caller).await?;
    Ok(Json(ListJson {
        items: FactorJson::all(&methods),
        next_cursor: None,
    }))
}
