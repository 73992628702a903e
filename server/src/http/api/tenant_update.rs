use axum::{Json, extract::State, http::HeaderMap};
use gatelodge_core::{
    model::{DisplayName, TenantName},
    service::TenantPatch,
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::types::TenantJson;
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::{Body, IfMatch, Place, tagged},
        problem::{Problem, ProblemBody},
    },
};

/// What to change of a tenant; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateTenantRequest {
    /// The unique name, 1 to 50 characters.
    #[serde(default)]
    name: Option<String>,
    /// The name to show.
    #[serde(default)]
    display_name: Option<String>,
}

/// Rename a tenant.
///
/// With `If-Match`, only if it is still that version.
#[utoipa::path(
    patch, path = "/api/v1/tenants/{tenant}", operation_id = "update_tenant", tag = "tenants",
    params(
        ("tenant" = String, Path, description = "The tenant's id or name"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was read"),
    ),
    request_body = UpdateTenantRequest,
    responses(
        (status = 200, body = TenantJson),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn update_tenant(
    State(app): State<App>,
    requester: Requester,
    Place(tenant): Place<String>,
    IfMatch(version): IfMatch,
    Body(request): Body<UpdateTenantRequest>,
) -> Result<(HeaderMap, Json<TenantJson>), Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?;
    let patch = TenantPatch {
        name: request.name.as_deref().map(TenantName::new).transpose()?,
        display_name: request
            .display_name
            .as_deref()
            .map(DisplayName::new)
            .transpose()?,
    };
    let platform = app.platform();
    let tenant = platform
        .tenants()
        .update(&requester.caller, tenant.id, version, patch)
        .await
        .map_err(|error| Problem::with_if_match(error, version.is_some()))?;
    let body = TenantJson::new(&tenant, platform.now());
    Ok((tagged(tenant.version), Json(body)))
}
