use axum::{Json, extract::State, http::HeaderMap};
use gatelodge_core::{
    model::{DisplayName, Email, UserName, UserStatus},
    service::UserPatch,
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::types::{UserJson, present};
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::{Body, IfMatch, Place, tagged},
        problem::{Problem, ProblemBody},
    },
};

/// What to change of a user; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateUserRequest {
    /// The unique name for signing in, 1 to 254 characters.
    #[serde(default)]
    user_name: Option<String>,
    /// The name to show.
    #[serde(default)]
    display_name: Option<String>,
    /// The e-mail address; `null` takes it away. A new one is unverified.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    email: Option<Option<String>>,
    /// Whether the account is in use. Deactivating ends its sessions.
    #[serde(default)]
    active: Option<bool>,
}

/// Change a user.
///
/// With `If-Match`, only if it is still that version.
#[utoipa::path(
    patch, path = "/api/v1/tenants/{tenant}/users/{user}", operation_id = "update_user", tag = "users",
    params(
        ("tenant" = String, Path, description = "The tenant's id or name"),
        ("user" = Uuid, Path, description = "The user's id"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was read"),
    ),
    request_body = UpdateUserRequest,
    responses(
        (status = 200, body = UserJson),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn update_user(
    State(app): State<App>,
    requester: Requester,
    Place((tenant, user)): Place<(String, String)>,
    IfMatch(version): IfMatch,
    Body(request): Body<UpdateUserRequest>,
) -> Result<(HeaderMap, Json<UserJson>), Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?.id;
    let id = super::user_id(&user)?;
    let status = |active| {
        if active {
            UserStatus::Active
        } else {
            UserStatus::Deactivated
        }
    };
    let patch = UserPatch {
        user_name: request
            .user_name
            .as_deref()
            .map(UserName::new)
            .transpose()?,
        display_name: request
            .display_name
            .as_deref()
            .map(DisplayName::new)
            .transpose()?,
        email: request
            .email
            .map(|email| email.as_deref().map(Email::new).transpose())
            .transpose()?,
        status: request.active.map(status),
    };
    let platform = app.platform();
    let user = platform
        .users()
        .update(&requester.caller, (tenant, id), version, patch)
        .await
        .map_err(|error| Problem::with_if_match(error, version.is_some()))?;
    let body = UserJson::new(tenant, &user, platform.now());
    Ok((tagged(user.version), Json(body)))
}
