use axum::{extract::State, http::StatusCode};
use gatelodge_core::service::DeleteTenant;
use serde::Deserialize;

use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::{IfMatch, Parameters, Place},
        problem::{Problem, ProblemBody},
    },
};

/// How to delete.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct How {
    /// End open sessions first, instead of refusing because of them.
    #[serde(default)]
    force: bool,
}

/// Delete a tenant for good, with its users and all that is its own.
#[utoipa::path(
    delete, path = "/api/v1/tenants/{tenant}", operation_id = "delete_tenant", tag = "tenants",
    params(
        ("tenant" = String, Path, description = "The tenant's id or name"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was read"),
        How,
    ),
    responses(
        (status = 204),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn delete_tenant(
    State(app): State<App>,
    requester: Requester,
    Place(tenant): Place<String>,
    Parameters(how): Parameters<How>,
    IfMatch(version): IfMatch,
) -> Result<StatusCode, Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?;
    let how = DeleteTenant {
        force: how.force,
        version,
    };
    app.platform()
        .tenants()
        .delete(&requester.caller, tenant.id, how)
        .await
        .map_err(|error| Problem::with_if_match(error, version.is_some()))?;
    Ok(StatusCode::NO_CONTENT)
}
