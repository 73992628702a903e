use axum::{extract::State, http::StatusCode};

use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::{IfMatch, Place},
        problem::{Problem, ProblemBody},
    },
};

/// Delete a user for good.
///
/// Session rows and audit events stay.
#[utoipa::path(
    delete, path = "/api/v1/tenants/{tenant}/users/{user}", operation_id = "delete_user", tag = "users",
    params(
        ("tenant" = String, Path, description = "The tenant's id or name"),
        ("user" = Uuid, Path, description = "The user's id"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was read"),
    ),
    responses(
        (status = 204),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn delete_user(
    State(app): State<App>,
    requester: Requester,
    Place((tenant, user)): Place<(String, String)>,
    IfMatch(version): IfMatch,
) -> Result<StatusCode, Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?.id;
    let id = super::user_id(&user)?;
    app.platform()
        .users()
        .delete(&requester.caller, (tenant, id), version)
        .await
        .map_err(|error| Problem::with_if_match(error, version.is_some()))?;
    Ok(StatusCode::NO_CONTENT)
}
