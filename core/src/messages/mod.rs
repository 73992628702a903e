//! Messages to people: mails and text messages that are sent once what they
//! speak of is committed.
//!
//! 1. What a provider asks for with [`Effect::Send`] becomes an entry of the
//!    outbox, in the unit of work that writes everything else. It goes to the
//!    address that is stored for the user at that moment, or to one that the user
//!    gave to the provider. Address, link, code and values are sealed. Services of
//!    core write theirs the same way, in their own unit of work.
//! 2. [`Platform::deliver`] claims an entry, opens it, has it [rendered](Render),
//!    hands it to the [`Sender`] of its channel and removes it. The server calls
//!    it as long as it serves; several servers may do so on one database, since a
//!    claimed entry is nobody else's until its claim ends.
//! 3. What could not be sent is tried again after growing pauses until it is
//!    pointless. Whoever gives up says so in the audit log.
//!
//! **At least once.** A server that dies between sending an entry and removing it
//! leaves it to be sent once more, when its claim ends. It then carries the same
//! [`Outgoing::id`], by which a receiver can know it again.

mod deliver;
mod write;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

pub(crate) use write::{add, sends, tell};

use crate::{
    Platform, Result,
    model::{MessageId, Tenant},
    provider::{Effect, Link, MessageChannel},
    seal::SealContext,
    secret::Secret,
    storage::OutboxEntry,
};

/// The language of messages and pages, until people can choose.
pub(crate) const LOCALE: &str = "en";

/// How long a server may take over one message. Another one takes it then.
pub const CLAIM: Duration = Duration::from_secs(5 * 60);

/// Hands messages of one channel to whoever brings them to people.
#[async_trait]
pub trait Sender: Send + Sync + 'static {
    /// What it sends.
    fn channel(&self) -> MessageChannel;

    /// Sends it.
    ///
    /// * It answers in far less than [`CLAIM`], whatever the other side does.
    /// * `Ok` says that the other side has taken the message over.
    /// * The same [`Outgoing::id`] may come twice.
    async fn send(&self, outgoing: &Outgoing) -> Result<(), SendError>;
}

/// Why a message was not sent. The text is for the log of the server: it holds
/// neither the address nor anything of the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It may work later.
    #[error("{0}")]
    Later(String),
    /// It will never work.
    #[error("{0}")]
    Never(String),
}

/// Writes messages from templates.
pub trait Render: Send + Sync + 'static {
    /// The message in words.
    ///
    /// # Errors
    /// What is wrong with the template or the values. It is tried again, since
    /// whoever runs the server may mend the template.
    fn render(&self, draft: &Draft<'_>) -> Result<Rendered>;
}

/// A message before it is put in words.
#[derive(Clone, Copy)]
pub struct Draft<'a> {
    /// How it is sent.
    pub channel: MessageChannel,
    /// The template's name.
    pub template: &'a str,
    /// The person's language (RFC 5646).
    pub locale: &'a str,
    /// Whose user it goes to.
    pub tenant: &'a Tenant,
    /// What its link is for and proves; the renderer makes the address of it.
    pub link: Option<&'a Link>,
    /// What is to be typed.
    pub code: Option<&'a Secret>,
    /// What else the template is filled with.
    pub values: &'a BTreeMap<String, Secret>,
    /// When it was made.
    pub made_at: Timestamp,
    /// When its link or code ends.
    pub expires_at: Timestamp,
}

impl fmt::Debug for Draft<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("channel", &self.channel)
            .field("template", &self.template)
            .finish_non_exhaustive()
    }
}

/// A message in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The subject of a mail: one line; empty for a text message.
    pub subject: String,
    /// The text.
    pub text: Secret,
    /// The same as HTML, for mails.
    pub html: Option<Secret>,
}

/// A message on its way.
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The same each time this message is sent.
    pub id: MessageId,
    /// One address.
    pub to: String,
    /// What it says.
    pub rendered: Rendered,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// How a platform sends messages.
#[derive(Clone, Default)]
pub struct Messages {
    senders: Vec<Arc<dyn Sender>>,
    renderer: Option<Arc<dyn Render>>,
    added: Arc<Notify>,
}

impl Messages {
    /// No messages at all.
    pub fn none() -> Self {
        Self::default()
    }

    /// With what writes them; senders are added.
    pub fn written_by(renderer: Arc<dyn Render>) -> Self {
        Self {
            renderer: Some(renderer),
            ..Self::default()
        }
    }

    /// With one more sender; of two for one channel the first sends.
    #[must_use]
    pub fn sent_by(mut self, sender: Arc<dyn Sender>) -> Self {
        self.senders.push(sender);
        self
    }

    fn sender(&self, channel: MessageChannel) -> Option<&dyn Sender> {
        let mut senders = self.senders.iter().map(AsRef::as_ref);
        senders.find(|sender| sender.channel() == channel)
    }

    /// Whether a message of this channel could be sent to anybody who has an
    /// address for it.
    fn reaches(&self, channel: MessageChannel) -> bool {
        self.renderer.is_some() && self.sender(channel).is_some()
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let channels: Vec<_> = self.senders.iter().map(|sender| sender.channel()).collect();
        f.debug_struct("Messages")
            .field("channels", &channels)
            .finish_non_exhaustive()
    }
}

impl Platform {
    /// How messages can be sent to people from here. A provider is told, and
    /// offers nothing that needs another one.
    pub fn channels(&self) -> Vec<MessageChannel> {
        let messages = self.messages();
        let all = MessageChannel::ALL.into_iter();
        all.filter(|channel| messages.reaches(*channel)).collect()
    }

    /// Whether there is anything that sends messages: only then has
    /// [`Platform::deliver`] to be called.
    pub fn sends_messages(&self) -> bool {
        !self.messages().senders.is_empty()
    }

    /// Waits until this server has written a message. Messages of other servers
    /// and those to be tried again are found by looking every few seconds.
    pub async fn message_added(&self) {
        self.messages().added.notified().await;
    }

    /// Lets one who waits for a message look, once these effects are committed and
    /// if they sent any.
    pub(crate) fn wake_sender_after(&self, effects: &[Effect]) {
        if sends(effects) {
            self.wake_sender();
        }
    }

    /// Lets one who waits for a message look.
    pub(crate) fn wake_sender(&self) {
        self.messages().added.notify_one();
    }
}

/// What became of a message that was claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Somebody else has taken it over.
    Sent,
    /// It is tried again, if anybody still has it.
    Postponed,
    /// Nobody gets it; the audit log says why.
    GivenUp,
}

impl Delivery {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Postponed => "postponed",
            Self::GivenUp => "given_up",
        }
    }
}

/// What is sealed of a message.
#[derive(Serialize, Deserialize)]
struct Letter {
    to: String,
    /// Whether a provider named the address, since it is being proven.
    #[serde(default)]
    is_given: bool,
    template: String,
    locale: String,
    link: Option<Link>,
    code: Option<Secret>,
    values: BTreeMap<String, Secret>,
}

/// Where an entry stands: sealed with it, so that it cannot be moved to another
/// user or sent another way.
struct Place {
    parts: [[u8; 16]; 3],
    channel: &'static str,
}

impl Place {
    fn of(entry: &OutboxEntry) -> Self {
        let ids = [
            entry.tenant.as_uuid(),
            entry.user.as_uuid(),
            entry.id.as_uuid(),
        ];
        Self {
            parts: ids.map(uuid::Uuid::into_bytes),
            channel: entry.channel.as_str(),
        }
    }

    fn within<T>(&self, work: impl FnOnce(&SealContext<'_>) -> T) -> T {
        let [tenant, user, id] = &self.parts;
        let place: [&[u8]; 4] = [tenant, user, id, self.channel.as_bytes()];
        work(&SealContext {
            purpose: "message",
            place: &place,
        })
    }
}
