use axum::{Json, extract::State, http::StatusCode};
use gatelodge_core::{
    model::{TenantName, UserName},
    secret::Secret,
    service::FirstAdministrator,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::types::{TenantJson, UserJson};
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::Body,
        problem::{Problem, ProblemBody},
    },
};

/// The first administrator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetUpRequest {
    /// The token of the set-up link.
    #[schema(value_type = String)]
    token: Secret,
    /// The name of the first tenant, 1 to 50 characters.
    tenant: String,
    /// The administrator's name for signing in, 1 to 254 characters.
    user_name: String,
    /// The administrator's password.
    #[schema(value_type = String)]
    password: Secret,
}

/// What was made.
#[derive(Serialize, ToSchema)]
pub struct SetUpAnswer {
    tenant: TenantJson,
    user: UserJson,
}

/// Make the first tenant and its administrator, who administers the platform
/// too.
///
/// Works once, with the token of the link that the server prints at its first
/// start.
#[utoipa::path(
    post, path = "/api/v1/setup", operation_id = "set_up", tag = "set-up",
    request_body = SetUpRequest,
    responses(
        (status = 201, body = SetUpAnswer),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(()),
)]
pub async fn set_up(
    State(app): State<App>,
    requester: Requester,
    Body(request): Body<SetUpRequest>,
) -> Result<(StatusCode, Json<SetUpAnswer>), Problem> {
    let new = FirstAdministrator {
        token: request.token,
        tenant: TenantName::new(&request.tenant)
            .map_err(|error| Problem::from(error).about("tenant"))?,
        user_name: UserName::new(&request.user_name)?,
        password: request.password,
    };
    let platform = app.platform();
    let (tenant, user) = platform.set_up().complete(new, requester.client()).await?;
    let now = platform.now();
    let answer = SetUpAnswer {
        user: UserJson::new(tenant.id, &user, now),
        tenant: TenantJson::new(&tenant, now),
    };
    Ok((StatusCode::CREATED, Json(answer)))
}
