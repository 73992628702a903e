use axum::{Json, extract::State, http::HeaderMap};

use super::types::{NewLockJson, TenantJson};
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::{Body, Place, tagged},
        problem::{Problem, ProblemBody},
    },
};

/// Lock a tenant: nobody of it can sign in.
///
/// Locking again replaces reason and duration.
#[utoipa::path(
    put, path = "/api/v1/tenants/{tenant}/lock", operation_id = "lock_tenant", tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant's id or name")),
    request_body = NewLockJson,
    responses(
        (status = 200, body = TenantJson),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn lock_tenant(
    State(app): State<App>,
    requester: Requester,
    Place(tenant): Place<String>,
    Body(request): Body<NewLockJson>,
) -> Result<(HeaderMap, Json<TenantJson>), Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?;
    let platform = app.platform();
    let lock = request.lock(platform.now())?;
    let tenant = platform
        .tenants()
        .lock(&requester.caller, tenant.id, lock)
        .await?;
    let body = TenantJson::new(&tenant, platform.now());
    Ok((tagged(tenant.version), Json(body)))
}

/// Unlock a tenant.
///
/// Its users' own locks stay.
#[utoipa::path(
    delete, path = "/api/v1/tenants/{tenant}/lock", operation_id = "unlock_tenant", tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant's id or name")),
    responses(
        (status = 200, body = TenantJson),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn unlock_tenant(
    State(app): State<App>,
    requester: Requester,
    Place(tenant): Place<String>,
) -> Result<(HeaderMap, Json<TenantJson>), Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?;
    let platform = app.platform();
    let tenant = platform
        .tenants()
        .unlock(&requester.caller, tenant.id)
        .await?;
    let body = TenantJson::new(&tenant, platform.now());
    Ok((tagged(tenant.version), Json(body)))
}
