//! Mails over a real connection to a mail server on this machine, text messages to
//! a web hook, and what both say.

mod codes;
mod delivery;
mod hook;
mod server;
mod smtp;
mod words;

use gatelodge_core::{
    Environment,
    messages::{Outgoing, Rendered},
    model::MessageId,
    secret::Secret,
};
use lettre::message::Mailbox;

use super::SmtpSender;
use crate::config::{MailConfig, MailTls};

/// A secret that stands in every mail of these tests.
const CANARY: &str = "canary-8d1f4c2e";

fn sender() -> Mailbox {
    "Example Ltd <id@example.org>".parse().unwrap()
}

fn outgoing(to: &str) -> Outgoing {
    Outgoing {
        id: MessageId::generate(&Environment::system()),
        to: to.to_owned(),
        rendered: Rendered {
            subject: "Your code for Acme".to_owned(),
            text: Secret::new(format!("Your code is {CANARY}.\n")),
            html: Some(Secret::new(format!("<p>Your code is {CANARY}.</p>\n"))),
        },
    }
}

/// A mail server at this port of this machine.
fn config(port: u16, tls: MailTls) -> MailConfig {
    MailConfig {
        sender: Some("Example Ltd <id@example.org>".to_owned()),
        host: Some("localhost".to_owned()),
        port: Some(port),
        tls,
        timeout_seconds: 5,
        ..MailConfig::default()
    }
}

fn smtp(config: &MailConfig) -> SmtpSender {
    SmtpSender::new(config, sender()).unwrap()
}
