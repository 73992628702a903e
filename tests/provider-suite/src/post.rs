//! Mailboxes in memory: what is sent is kept for the people it is for.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    messages::{Draft, Outgoing, Render, Rendered, SendError, Sender},
    provider::{Message, MessageChannel},
    secret::Secret,
};

/// Brings mails to whom they are addressed, in place of a mail server. It stands for
/// the renderer and for the sender of a platform.
#[derive(Default)]
pub struct Post(Mutex<Vec<(String, Message)>>);

impl Post {
    /// What came for an address, oldest first.
    #[must_use]
    pub fn at(&self, address: &str) -> Vec<Message> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let here = all.iter().filter(|(to, _)| to == address);
        here.map(|(_, message)| message.clone()).collect()
    }

    fn keep(&self, outgoing: &Outgoing) -> Result<(), SendError> {
        let message = serde_json::from_str(outgoing.rendered.text.expose())
            .map_err(|error| SendError::Never(error.to_string()))?;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((outgoing.to.clone(), message));
        Ok(())
    }
}

impl Render for Post {
    fn render(&self, draft: &Draft<'_>) -> Result<Rendered> {
        let message = Message {
            channel: draft.channel,
            to: None,
            template: draft.template.to_owned(),
            link: draft.link.cloned(),
            code: draft.code.cloned(),
            values: draft.values.clone(),
            expires_at: draft.expires_at,
        };
        let text = serde_json::to_string(&message)
            .map_err(|error| Error::internal("a message is JSON").because(error))?;
        Ok(Rendered {
            subject: draft.template.to_owned(),
            text: Secret::new(text),
            html: None,
        })
    }
}

#[async_trait]
impl Sender for Post {
    fn channel(&self) -> MessageChannel {
        MessageChannel::Mail
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<(), SendError> {
        self.keep(outgoing)
    }
}

/// Brings text messages to where mails come too.
pub(crate) struct Telephones(pub(crate) Arc<Post>);

#[async_trait]
impl Sender for Telephones {
    fn channel(&self) -> MessageChannel {
        MessageChannel::Sms
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<(), SendError> {
        self.0.keep(outgoing)
    }
}
