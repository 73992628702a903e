use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use gatelodge_core::{
    model::{DisplayName, TenantName},
    service::NewTenant,
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::types::TenantJson;
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::{Body, tagged},
        problem::{Problem, ProblemBody},
    },
};

/// A tenant to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTenantRequest {
    /// Its unique name, 1 to 50 characters.
    name: String,
    /// The name to show; the same if absent.
    #[serde(default)]
    display_name: Option<String>,
}

/// Make a tenant.
#[utoipa::path(
    post, path = "/api/v1/tenants", operation_id = "create_tenant", tag = "tenants",
    request_body = CreateTenantRequest,
    responses(
        (status = 201, body = TenantJson),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn create_tenant(
    State(app): State<App>,
    requester: Requester,
    Body(request): Body<CreateTenantRequest>,
) -> Result<(StatusCode, HeaderMap, Json<TenantJson>), Problem> {
    let new = NewTenant {
        name: TenantName::new(&request.name)?,
        display_name: request
            .display_name
            .as_deref()
            .map(DisplayName::new)
            .transpose()?,
    };
    let platform = app.platform();
    let tenant = platform.tenants().create(&requester.caller, new).await?;
    let body = TenantJson::new(&tenant, platform.now());
    Ok((StatusCode::CREATED, tagged(tenant.version), Json(body)))
}
