//! `gatelodge user require-change`

use clap::{Args, ValueEnum};
use gatelodge_core::model::MustChange;

use super::{
    administration::Administration,
    failure::Failure,
    user::{ThisUser, answer_changed},
};

#[derive(Debug, Args)]
pub(super) struct RequireArguments {
    #[command(flatten)]
    this: ThisUser,
    /// Why, as the user is told
    #[arg(long, value_enum, value_name = "REASON", default_value_t = Reason::Administrator)]
    reason: Reason,
}

/// A reason that an administrator can give.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Reason {
    /// It shall be another one; sessions go on
    Administrator,
    /// Somebody else may know it; all sessions of the user end
    Compromised,
}

impl From<Reason> for MustChange {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Administrator => Self::Administrator,
            Reason::Compromised => Self::Compromised,
        }
    }
}

pub(super) async fn require_change(
    on: &Administration<'_>,
    arguments: &RequireArguments,
) -> Result<(), Failure> {
    let found = arguments.this.find(on).await?;
    let users = on.platform.users();
    let reason = arguments.reason.into();
    let user = users
        .require_change(&on.caller, found.id(), None, reason)
        .await?;
    let ended = match reason {
        MustChange::Compromised => " Open sessions have ended.",
        MustChange::Administrator | MustChange::Age => "",
    };
    let words = format!(
        "At the next sign-in a new password has to be chosen by {}.{ended}",
        found.words()
    );
    answer_changed(on, &found, &user, &words)
}
