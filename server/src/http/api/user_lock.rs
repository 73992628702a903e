use axum::{Json, extract::State, http::HeaderMap};

use super::types::{NewLockJson, UserJson};
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::{Body, Place, tagged},
        problem::{Problem, ProblemBody},
    },
};

/// Lock a user: every way to sign in is refused.
///
/// Locking again replaces reason and duration.
#[utoipa::path(
    put, path = "/api/v1/tenants/{tenant}/users/{user}/lock", operation_id = "lock_user", tag = "users",
    params(
        ("tenant" = String, Path, description = "The tenant's id or name"),
        ("user" = Uuid, Path, description = "The user's id"),
    ),
    request_body = NewLockJson,
    responses(
        (status = 200, body = UserJson),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn lock_user(
    State(app): State<App>,
    requester: Requester,
    Place((tenant, user)): Place<(String, String)>,
    Body(request): Body<NewLockJson>,
) -> Result<(HeaderMap, Json<UserJson>), Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?.id;
    let id = super::user_id(&user)?;
    let platform = app.platform();
    let lock = request.lock(platform.now())?;
    let user = platform
        .users()
        .lock(&requester.caller, (tenant, id), lock)
        .await?;
    let body = UserJson::new(tenant, &user, platform.now());
    Ok((tagged(user.version), Json(body)))
}

/// Unlock a user.
#[utoipa::path(
    delete, path = "/api/v1/tenants/{tenant}/users/{user}/lock", operation_id = "unlock_user", tag = "users",
    params(
        ("tenant" = String, Path, description = "The tenant's id or name"),
        ("user" = Uuid, Path, description = "The user's id"),
    ),
    responses(
        (status = 200, body = UserJson),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn unlock_user(
    State(app): State<App>,
    requester: Requester,
    Place((tenant, user)): Place<(String, String)>,
) -> Result<(HeaderMap, Json<UserJson>), Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?.id;
    let id = super::user_id(&user)?;
    let platform = app.platform();
    let user = platform
        .users()
        .unlock(&requester.caller, tenant, id)
        .await?;
    let body = UserJson::new(tenant, &user, platform.now());
    Ok((tagged(user.version), Json(body)))
}
