use axum::{Json, extract::State, http::HeaderMap};

use super::types::UserJson;
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::{Place, tagged},
        problem::{Problem, ProblemBody},
    },
};

/// A user, with what it is granted.
#[utoipa::path(
    get, path = "/api/v1/tenants/{tenant}/users/{user}", operation_id = "read_user", tag = "users",
    params(
        ("tenant" = String, Path, description = "The tenant's id or name"),
        ("user" = Uuid, Path, description = "The user's id"),
    ),
    responses(
        (status = 200, body = UserJson),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn read_user(
    State(app): State<App>,
    requester: Requester,
    Place((tenant, user)): Place<(String, String)>,
) -> Result<(HeaderMap, Json<UserJson>), Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?.id;
    let id = super::user_id(&user)?;
    let platform = app.platform();
    let details = platform.users().read(&requester.caller, tenant, id).await?;
    let body = UserJson::new(tenant, &details.user, platform.now()).with_grants(&details.grants);
    Ok((tagged(details.user.version), Json(body)))
}
