use axum::{Json, extract::State};
use gatelodge_core::model::Grant;
use serde::Serialize;
use utoipa::ToSchema;

use super::types::GrantJson;
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::Place,
        problem::{Code, Problem, ProblemBody},
    },
};

/// What a user is granted.
#[derive(Serialize, ToSchema)]
pub struct GrantsJson {
    grants: Vec<GrantJson>,
}

/// Give a user a grant.
///
/// Giving it twice changes nothing.
#[utoipa::path(
    put, path = "/api/v1/tenants/{tenant}/users/{user}/grants/{grant}",
    operation_id = "give_grant", tag = "users",
    params(
        ("tenant" = String, Path, description = "The tenant's id or name"),
        ("user" = Uuid, Path, description = "The user's id"),
        ("grant" = GrantJson, Path, description = "The grant"),
    ),
    responses(
        (status = 200, body = GrantsJson),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn give_grant(
    State(app): State<App>,
    requester: Requester,
    Place(place): Place<(String, String, String)>,
) -> Result<Json<GrantsJson>, Problem> {
    set_grant(&app, &requester, place, true).await
}

/// Take a grant from a user.
///
/// Taking what is not there changes nothing.
#[utoipa::path(
    delete, path = "/api/v1/tenants/{tenant}/users/{user}/grants/{grant}",
    operation_id = "take_grant", tag = "users",
    params(
        ("tenant" = String, Path, description = "The tenant's id or name"),
        ("user" = Uuid, Path, description = "The user's id"),
        ("grant" = GrantJson, Path, description = "The grant"),
    ),
    responses(
        (status = 200, body = GrantsJson),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn take_grant(
    State(app): State<App>,
    requester: Requester,
    Place(place): Place<(String, String, String)>,
) -> Result<Json<GrantsJson>, Problem> {
    set_grant(&app, &requester, place, false).await
}

async fn set_grant(
    app: &App,
    requester: &Requester,
    (tenant, user, grant): (String, String, String),
    given: bool,
) -> Result<Json<GrantsJson>, Problem> {
    let tenant = super::tenant(app, requester, &tenant).await?.id;
    let id = super::user_id(&user)?;
    let grant = Grant::parse(&grant)
        .ok_or_else(|| Problem::new(Code::NotFound).detail("there is no such grant"))?;
    let grants = app
        .platform()
        .users()
        .set_grant(&requester.caller, (tenant, id), grant, given)
        .await?;
    Ok(Json(GrantsJson {
        grants: grants.into_iter().map(GrantJson::from).collect(),
    }))
}
