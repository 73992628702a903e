//! `gatelodge user devices`, `forget-device`

use clap::Args;
use gatelodge_core::model::RecordId;
use serde_json::json;

use super::{administration::Administration, document, failure::Failure, user::ThisUser};

#[derive(Debug, Args)]
pub(super) struct ForgetDeviceArguments {
    #[command(flatten)]
    this: ThisUser,
    /// The device, by its id as `user devices` lists it
    #[arg(value_name = "DEVICE")]
    device: RecordId,
}

pub(super) async fn devices(on: &Administration<'_>, this: &ThisUser) -> Result<(), Failure> {
    let found = this.find(on).await?;
    let (tenant, id) = found.id();
    let devices = on.platform.users().devices(&on.caller, tenant, id).await?;
    let lines: Vec<_> = devices
        .iter()
        .map(|device| {
            let (id, label, used) = (device.id, &device.label, device.last_used_at);
            format!("{id}  {used}  until {}  {label}", device.expires_at)
        })
        .collect();
    let items: Vec<_> = devices.iter().map(document::device).collect();
    let words = if lines.is_empty() {
        format!("The {} stays signed in on no device.", found.words())
    } else {
        lines.join("\n")
    };
    on.output.answer(&json!({ "devices": items }), &words)
}

pub(super) async fn forget_device(
    on: &Administration<'_>,
    arguments: &ForgetDeviceArguments,
) -> Result<(), Failure> {
    let found = arguments.this.find(on).await?;
    let device = arguments.device;
    let users = on.platform.users();
    users.end_device(&on.caller, found.id(), device).await?;
    on.output.answer(
        &json!({ "forgotten": device }),
        &format!(
            "Forgot the device {device} of {}. Its sessions have ended.",
            found.words()
        ),
    )
}
