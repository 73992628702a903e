//! Mails and text messages: how they are written, and who takes them.
//!
//! Core keeps them and decides when each is sent (`gatelodge_core::messages`);
//! here are its senders and its renderer, made from the configuration.

mod local;
mod mail;
mod render;
mod sms;
mod smtp;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use gatelodge_core::messages::{Messages, Sender};
use lettre::message::Mailbox;

pub(crate) use local::{ConsoleSender, FolderSender};
pub(crate) use render::MessageRenderer;
use sms::HookSender;
pub(crate) use smtp::SmtpSender;

use crate::{
    app::StartError,
    config::{Loaded, MailKind, OriginPolicy},
    pages::PageOptions,
};

/// How many messages are sent at once.
pub(crate) const AT_ONCE: u32 = 3;

/// What the configuration says of messages.
///
/// # Errors
/// What is wrong with it, or with a template, in words for the person at the
/// terminal.
pub(crate) fn messages(
    loaded: &Loaded,
    policy: &OriginPolicy,
    pages: &PageOptions,
) -> Result<Messages, StartError> {
    let config = &loaded.config;
    let (mails, hook) = (config.mail.taker(policy), config.sms.url.is_some());
    if mails.is_none() && !hook {
        return Ok(Messages::none());
    }
    let renderer = MessageRenderer::new(pages, policy.origins().clone())?;
    let mut messages = Messages::written_by(Arc::new(renderer));
    if let Some(kind) = mails {
        messages = messages.sent_by(mail_sender(loaded, kind)?);
    }
    if hook {
        let sender = HookSender::new(&config.sms);
        let sender = sender.map_err(|words| loaded.error("sms.url", words))?;
        if let Some(sender) = sender {
            messages = messages.sent_by(Arc::new(sender));
        }
    }
    Ok(messages)
}

fn mail_sender(loaded: &Loaded, kind: MailKind) -> Result<Arc<dyn Sender>, StartError> {
    let config = &loaded.config;
    Ok(match kind {
        MailKind::Smtp => Arc::new(smtp_sender(loaded)?),
        MailKind::File => Arc::new(FolderSender {
            folder: config.mail_folder(),
            sender: mailbox(loaded)?,
        }),
        MailKind::Console => Arc::new(ConsoleSender),
    })
}

/// The sender of mails to the configured mail server.
///
/// # Errors
/// What is wrong with the configuration.
pub(crate) fn smtp_sender(loaded: &Loaded) -> Result<SmtpSender, StartError> {
    let sender = SmtpSender::new(&loaded.config.mail, mailbox(loaded)?);
    Ok(sender.map_err(|words| loaded.error("mail.ca_file", words))?)
}

/// Whom mails come from.
///
/// # Errors
/// When the configuration does not say.
pub(crate) fn mailbox(loaded: &Loaded) -> Result<Mailbox, StartError> {
    let mailbox = loaded.config.mail.mailbox();
    mailbox.ok_or_else(|| {
        let words = "must be one address such as `Example Ltd <id@example.org>`";
        loaded.error("mail.sender", words).into()
    })
}
