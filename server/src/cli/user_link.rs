//! `gatelodge user link`

use clap::{Args, ValueEnum};
use gatelodge_core::provider::{Delivery, LinkPurpose, LinkRequest};
use serde_json::json;

use super::{administration::Administration, failure::Failure, user::ThisUser};

#[derive(Debug, Args)]
pub(super) struct LinkArguments {
    #[command(flatten)]
    this: ThisUser,
    /// What the link is for
    #[arg(long, value_enum)]
    purpose: Purpose,
    /// The page that a `page` link leads to: a path of this server
    #[arg(long, value_name = "PATH")]
    page: Option<String>,
    /// Send it to the stored address instead of printing it
    #[arg(long)]
    mail: bool,
}

/// What a link is for.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Purpose {
    /// To set the account up
    Invite,
    /// To get back into the account, and choose a new password
    Reset,
    /// To show that the e-mail address is the user's; needs `--mail`
    Verify,
    /// To sign in
    SignIn,
    /// To see one page; needs `--page`
    Page,
}

impl From<Purpose> for LinkPurpose {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Invite => Self::Invite,
            Purpose::Reset => Self::Reset,
            Purpose::Verify => Self::Verify,
            Purpose::SignIn => Self::SignIn,
            Purpose::Page => Self::Page,
        }
    }
}

pub(super) async fn link(
    on: &Administration<'_>,
    arguments: &LinkArguments,
) -> Result<(), Failure> {
    let found = arguments.this.find(on).await?;
    let request = LinkRequest {
        purpose: arguments.purpose.into(),
        page: arguments.page.clone(),
        delivery: match arguments.mail {
            true => Delivery::Mail,
            false => Delivery::Told,
        },
    };
    let purpose = request.purpose.as_str();
    let users = on.platform.users();
    let made = users.make_link(&on.caller, found.id(), request).await?;
    let (expires_at, who) = (made.expires_at, found.words());
    match made.address {
        None => on.output.answer(
            &json!({ "purpose": purpose, "expires_at": expires_at }),
            &format!("A mail to {who} is on its way. Its link opens until {expires_at}."),
        ),
        Some(address) => {
            let address = address.expose();
            on.output.answer(
                &json!({ "purpose": purpose, "expires_at": expires_at, "link": address }),
                &format!(
                    "{address}\nHand it to {who} and nobody else: it opens once, until {expires_at}."
                ),
            )
        }
    }
}
