use axum::{Json, extract::State, http::HeaderMap};
use gatelodge_core::model::MustChange;
use serde::Deserialize;
use utoipa::ToSchema;

use super::types::UserJson;
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::{Body, IfMatch, Place, tagged},
        problem::{Problem, ProblemBody},
    },
};

/// Why a new credential has to be chosen.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequireChangeRequest {
    /// As the person is told at the next sign-in.
    reason: RequiredFor,
}

/// A reason that an administrator can give.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RequiredFor {
    /// Somebody else may know it: all sessions of the user end.
    Compromised,
    /// Anything else; sessions go on.
    Administrator,
}

impl From<RequiredFor> for MustChange {
    fn from(reason: RequiredFor) -> Self {
        match reason {
            RequiredFor::Compromised => Self::Compromised,
            RequiredFor::Administrator => Self::Administrator,
        }
    }
}

/// Let a user choose a new credential at the next sign-in.
///
/// The person signs in as ever, second factors included, and changes the password before there is a session. Nobody else
/// sees or chooses it. It is taken back by nothing but that change. With `If-Match`, only if the user is still that
/// version.
#[utoipa::path(
    put, path = "/api/v1/tenants/{tenant}/users/{user}/must-change", operation_id = "require_change", tag = "users",
    params(
        ("tenant" = String, Path, description = "The tenant's id or name"),
        ("user" = Uuid, Path, description = "The user's id"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was read"),
    ),
    request_body = RequireChangeRequest,
    responses(
        (status = 200, body = UserJson),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn require_change(
    State(app): State<App>,
    requester: Requester,
    Place((tenant, user)): Place<(String, String)>,
    IfMatch(version): IfMatch,
    Body(request): Body<RequireChangeRequest>,
) -> Result<(HeaderMap, Json<UserJson>), Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?.id;
    let id = super::user_id(&user)?;
    let platform = app.platform();
    let users = platform.users();
    let user = users
        .require_change(
            &requester.caller,
            (tenant, id),
            version,
            request.reason.into(),
        )
        .await
        .map_err(|error| Problem::with_if_match(error, version.is_some()))?;
    let body = UserJson::new(tenant, &user, platform.now());
    Ok((tagged(user.version), Json(body)))
}
