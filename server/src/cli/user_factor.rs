//! `gatelodge user factors`, `remove-factor`

use clap::Args;
use gatelodge_core::model::RecordId;
use serde_json::json;

use super::{administration::Administration, document, failure::Failure, user::ThisUser};

#[derive(Debug, Args)]
pub(super) struct RemoveFactorArguments {
    #[command(flatten)]
    this: ThisUser,
    /// The factor, by its id as `user factors` lists it
    #[arg(value_name = "FACTOR")]
    factor: RecordId,
}

pub(super) async fn factors(on: &Administration<'_>, this: &ThisUser) -> Result<(), Failure> {
    let found = this.find(on).await?;
    let (tenant, id) = found.id();
    let methods = on.platform.users().factors(&on.caller, tenant, id).await?;
    let all = methods.iter().flat_map(|method| {
        let credentials = method.credentials.iter();
        credentials.map(move |credential| (method, credential))
    });
    let lines: Vec<_> = all
        .clone()
        .map(|(method, credential)| {
            let (id, label, at) = (credential.id, &credential.label, credential.created_at);
            format!("{id}  {}  {label}  {at}", method.provider)
        })
        .collect();
    let items: Vec<_> = all
        .map(|(method, credential)| document::factor(method, credential))
        .collect();
    let words = if lines.is_empty() {
        format!("The {} has no second factors.", found.words())
    } else {
        lines.join("\n")
    };
    on.output.answer(&json!({ "factors": items }), &words)
}

pub(super) async fn remove_factor(
    on: &Administration<'_>,
    arguments: &RemoveFactorArguments,
) -> Result<(), Failure> {
    let found = arguments.this.find(on).await?;
    let factor = arguments.factor;
    let users = on.platform.users();
    users.remove_factor(&on.caller, found.id(), factor).await?;
    on.output.answer(
        &json!({ "removed": factor }),
        &format!(
            "Removed the second factor {factor} of {}. Open sessions have ended.",
            found.words()
        ),
    )
}
