use axum::{extract::State, http::StatusCode};

use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::{IfMatch, Place},
        problem::{Problem, ProblemBody},
    },
};

/// Delete an application for good.
///
/// Access tokens that it got before end by themselves, five minutes later at most.
#[utoipa::path(
    delete, path = "/api/v1/tenants/{tenant}/applications/{application}", operation_id = "delete_application",
    tag = "applications",
    params(
        ("tenant" = String, Path, description = "The tenant's id or name"),
        ("application" = Uuid, Path, description = "The application's id"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was read"),
    ),
    responses(
        (status = 204),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn delete_application(
    State(app): State<App>,
    requester: Requester,
    Place((tenant, application)): Place<(String, String)>,
    IfMatch(version): IfMatch,
) -> Result<StatusCode, Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?.id;
    let id = super::application_id(&application)?;
    app.platform()
        .applications()
        .delete(&requester.caller, tenant, id, version)
        .await
        .map_err(|error| Problem::with_if_match(error, version.is_some()))?;
    Ok(StatusCode::NO_CONTENT)
}
