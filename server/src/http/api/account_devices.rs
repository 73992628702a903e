use axum::{Json, extract::State, http::StatusCode};
use gatelodge_core::{model::RecordId, provider::Device};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::types::ListJson;
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::Place,
        problem::{Problem, ProblemBody},
    },
};

/// A device that stays signed in.
#[derive(Serialize, ToSchema)]
#[schema(as = Device)]
pub struct DeviceJson {
    /// Its id.
    id: Uuid,
    /// What the browser called itself.
    user_agent: String,
    /// When it was kept signed in.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it last signed its owner in.
    #[schema(value_type = String, format = DateTime)]
    last_used_at: Timestamp,
    /// When it ends, however often it is used.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// Whether the present session belongs to it; only of one's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    current: Option<bool>,
}

impl DeviceJson {
    pub(crate) fn new(device: &Device, current: Option<bool>) -> Self {
        Self {
            id: device.id.as_uuid(),
            user_agent: device.label.clone(),
            created_at: device.created_at,
            last_used_at: device.last_used_at,
            expires_at: device.expires_at,
            current,
        }
    }
}

/// The devices that one stays signed in on.
///
/// There are few, and all of them are in one answer.
#[utoipa::path(
    get, path = "/api/v1/account/devices", operation_id = "list_own_devices", tag = "account",
    responses(
        (status = 200, body = ListJson<DeviceJson>),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn list_own_devices(
    State(app): State<App>,
    requester: Requester,
) -> Result<Json<ListJson<DeviceJson>>, Problem> {
    let accounts = app.platform().accounts();
    let devices = accounts.devices(&requester.caller).await?;
    let items = devices
        .iter()
        .map(|own| DeviceJson::new(&own.device, Some(own.is_current)));
    Ok(Json(ListJson {
        items: items.collect(),
        next_cursor: None,
    }))
}

/// Forget one of one's own devices.
///
/// The sessions that belong to it end, but for the present one.
#[utoipa::path(
    delete, path = "/api/v1/account/devices/{device}", operation_id = "forget_own_device", tag = "account",
    params(("device" = Uuid, Path, description = "The device's id")),
    responses(
        (status = 204, description = "It is forgotten"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn forget_own_device(
    State(app): State<App>,
    requester: Requester,
    Place(device): Place<String>,
) -> Result<StatusCode, Problem> {
    let accounts = app.platform().accounts();
    accounts
        .end_device(&requester.caller, device_id(&device))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The device id in the path. What can be none is asked for all the same, so that
/// permission is checked first.
pub(super) fn device_id(text: &str) -> RecordId {
    text.parse().unwrap_or(RecordId::from_uuid(Uuid::nil()))
}
