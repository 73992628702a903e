use axum::{Json, extract::State, http::HeaderMap};
use gatelodge_core::service::TenantRef;

use super::types::TenantJson;
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::{Place, tagged},
        problem::{Problem, ProblemBody},
    },
};

/// A tenant.
///
/// One that is unknown and one that is another's answer the same 404.
#[utoipa::path(
    get, path = "/api/v1/tenants/{tenant}", operation_id = "read_tenant", tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant's id or name")),
    responses(
        (status = 200, body = TenantJson),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn read_tenant(
    State(app): State<App>,
    requester: Requester,
    Place(tenant): Place<String>,
) -> Result<(HeaderMap, Json<TenantJson>), Problem> {
    let platform = app.platform();
    let named = TenantRef::parse(&tenant);
    let tenant = platform.tenants().read(&requester.caller, &named).await?;
    let body = TenantJson::new(&tenant, platform.now());
    Ok((tagged(tenant.version), Json(body)))
}
