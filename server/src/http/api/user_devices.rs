use axum::{Json, extract::State, http::StatusCode};

use super::{
    account_devices::{DeviceJson, device_id},
    types::ListJson,
};
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::Place,
        problem::{Problem, ProblemBody},
    },
};

/// The devices that a user stays signed in on.
///
/// There are few, and all of them are in one answer.
#[utoipa::path(
    get, path = "/api/v1/tenants/{tenant}/users/{user}/devices",
    operation_id = "list_user_devices", tag = "users",
    params(
        ("tenant" = String, Path, description = "The tenant's id or name"),
        ("user" = Uuid, Path, description = "The user's id"),
    ),
    responses(
        (status = 200, body = ListJson<DeviceJson>),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn list_user_devices(
    State(app): State<App>,
    requester: Requester,
    Place((tenant, user)): Place<(String, String)>,
) -> Result<Json<ListJson<DeviceJson>>, Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?.id;
    let id = super::user_id(&user)?;
    let users = app.platform().users();
    let devices = users.devices(&requester.caller, tenant, id).await?;
    Ok(Json(ListJson {
        items: devices
            .iter()
            .map(|device| DeviceJson::new(device, None))
            .collect(),
        next_cursor: None,
    }))
}

/// Forget a device of a user.
///
/// The sessions that belong to it end.
#[utoipa::path(
    delete, path = "/api/v1/tenants/{tenant}/users/{user}/devices/{device}",
    operation_id = "forget_user_device", tag = "users",
    params(
        ("tenant" = String, Path, description = "The tenant's id or name"),
        ("user" = Uuid, Path, description = "The user's id"),
        ("device" = Uuid, Path, description = "The device's id"),
    ),
    responses(
        (status = 204, description = "It is forgotten"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn forget_user_device(
    State(app): State<App>,
    requester: Requester,
    Place((tenant, user, device)): Place<(String, String, String)>,
) -> Result<StatusCode, Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?.id;
    let id = super::user_id(&user)?;
    let users = app.platform().users();
    users
        .end_device(&requester.caller, (tenant, id), device_id(&device))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
