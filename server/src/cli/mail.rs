//! `gatelodge mail …`

use clap::{Args, Subcommand};
use gatelodge_core::{
    Environment,
    messages::{Outgoing, Sender as _},
    model::{Email, MessageId},
};
use serde_json::json;

use super::{
    arguments::GlobalOptions, failure::Failure, output::Output, surroundings::Surroundings,
};
use crate::{
    config::{self, Loaded, MailKind},
    gatelodge::page_options,
    messages::{ConsoleSender, FolderSender, MessageRenderer, mailbox, smtp_sender},
};

#[derive(Debug, Subcommand)]
pub(super) enum MailCommand {
    /// Send one test mail, as the server would, and say what happened
    ///
    /// Nothing is read or written in the database. What the mail server says is shown as it is.
    Test(TestArguments),
}

#[derive(Debug, Args)]
pub(super) struct TestArguments {
    /// The address to send it to
    #[arg(long, value_name = "ADDRESS", value_parser = parse_address)]
    to: Email,
}

fn parse_address(text: &str) -> Result<Email, String> {
    Email::new(text).map_err(|error| error.to_string())
}

impl MailCommand {
    pub(super) async fn run(
        &self,
        options: &GlobalOptions,
        surroundings: &Surroundings,
    ) -> Result<(), Failure> {
        let environment = surroundings.environment.iter().cloned();
        let loaded = config::load(&options.overrides(), environment)?;
        let Self::Test(arguments) = self;
        let to = arguments.to.as_str();
        let taken_by = test(&loaded, to).await?;
        let words = format!("The mail to {to} was taken by {taken_by}.");
        let output = Output::new(surroundings, options.json);
        output.answer(&json!({ "to": to, "taken_by": taken_by }), &words)
    }
}

/// Sends one mail; answers who took it.
async fn test(loaded: &Loaded, to: &str) -> Result<String, Failure> {
    let config = &loaded.config;
    let policy = loaded.origin_policy(config.server.listen)?;
    let Some(kind) = config.mail.taker(&policy) else {
        let message = "no mail is sent: set `mail.host` and `mail.sender`, or `mail.kind`";
        return Err(Failure::new("not_configured", message));
    };
    let renderer = MessageRenderer::new(&page_options(loaded)?, policy.origins().clone());
    let renderer = renderer.map_err(crate::app::StartError::from)?;
    let environment = Environment::system();
    let outgoing = Outgoing {
        id: MessageId::generate(&environment),
        to: to.to_owned(),
        rendered: renderer.test_mail(environment.now())?,
    };
    let refused = |error: gatelodge_core::messages::SendError| {
        Failure::new("mail_not_sent", format!("the mail was not sent: {error}"))
    };
    match kind {
        MailKind::Smtp => {
            let sender = smtp_sender(loaded)?;
            let handed_over = sender.hand_over(&outgoing).await;
            let place = sender.place();
            handed_over.map_err(|failed| {
                let message = format!("{place} did not take the mail: {}", failed.details());
                Failure::new("mail_not_sent", message)
            })?;
            Ok(place)
        }
        MailKind::File => {
            let (folder, sender) = (config.mail_folder(), mailbox(loaded)?);
            let place = format!("the folder `{}`", folder.display());
            let sender = FolderSender { folder, sender };
            sender.send(&outgoing).await.map_err(refused)?;
            Ok(place)
        }
        MailKind::Console => {
            ConsoleSender.send(&outgoing).await.map_err(refused)?;
            Ok("standard output".to_owned())
        }
    }
}
