use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    messages::{Draft, Messages, Outgoing, Render, Rendered, SendError, Sender},
    provider::MessageChannel,
    secret::Secret,
};
use tokio::sync::Semaphore;

/// A post office that keeps what it gets, and answers as it was told to.
pub(crate) struct Post {
    sent: Mutex<Vec<Outgoing>>,
    answers: Mutex<VecDeque<SendError>>,
    /// Whoever sends waits for one of these.
    pub(crate) open: Semaphore,
    misspells: Mutex<bool>,
}

impl Default for Post {
    fn default() -> Self {
        Self {
            sent: Mutex::default(),
            answers: Mutex::default(),
            open: Semaphore::new(Self::DESKS),
            misspells: Mutex::default(),
        }
    }
}

impl Post {
    /// How many can send at once.
    pub(crate) const DESKS: usize = 100;

    /// Sends the platform's mails by this.
    pub(crate) fn messages(self: &Arc<Self>) -> Messages {
        Messages::written_by(self.clone()).sent_by(self.clone())
    }

    /// Sends the platform's text messages by this, too.
    pub(crate) fn messages_and_sms(self: &Arc<Self>) -> Messages {
        self.messages().sent_by(Arc::new(Sms(self.clone())))
    }

    /// All that was asked of it, also what it did not take.
    pub(crate) fn sent(&self) -> Vec<Outgoing> {
        self.sent.lock().unwrap().clone()
    }

    /// The next messages are answered so; later ones are taken.
    pub(crate) fn answer(&self, errors: impl IntoIterator<Item = SendError>) {
        self.answers.lock().unwrap().extend(errors);
    }

    /// Whether templates are broken from now on.
    pub(crate) fn misspell(&self, misspells: bool) {
        *self.misspells.lock().unwrap() = misspells;
    }
}

#[async_trait]
impl Sender for Post {
    fn channel(&self) -> MessageChannel {
        MessageChannel::Mail
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<(), SendError> {
        let _open = self.open.acquire().await.unwrap();
        self.sent.lock().unwrap().push(outgoing.clone());
        let answer = self.answers.lock().unwrap().pop_front();
        answer.map_or(Ok(()), Err)
    }
}

/// The desk for text messages.
struct Sms(Arc<Post>);

#[async_trait]
impl Sender for Sms {
    fn channel(&self) -> MessageChannel {
        MessageChannel::Sms
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<(), SendError> {
        self.0.send(outgoing).await
    }
}

impl Render for Post {
    fn render(&self, draft: &Draft<'_>) -> Result<Rendered> {
        if *self.misspells.lock().unwrap() {
            return Err(Error::internal("a template is broken"));
        }
        let code = draft.code.map(|code| format!("code={}", code.expose()));
        let link = draft
            .link
            .map(|link| format!("{}={}", link.purpose.as_str(), link.token.expose()));
        let values: Vec<_> = code.into_iter().chain(link).collect();
        Ok(Rendered {
            subject: format!("{} of {}", draft.template, draft.tenant.display_name),
            text: Secret::new(values.join(" ")),
            html: None,
        })
    }
}
