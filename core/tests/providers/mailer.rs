use std::{sync::Mutex, time::Duration};

use async_trait::async_trait;
use gatelodge_core::{
    Result,
    environment::later,
    provider::{
        Answer, Context, Description, Effect, Entry, LinkPurpose, Message, MessageChannel,
        NewRecord, Provider, RecordOwner, State, Step, Turn,
    },
    secret::Secret,
};

use super::{describe, form, user_name};

/// What the mail says that nobody else may learn.
pub(crate) const CODE: &str = "canary-31415926";

/// Sends whoever names themselves a code, and waits.
pub(crate) struct Mailer {
    pub(crate) template: &'static str,
    pub(crate) channel: MessageChannel,
    /// Where to, in place of the stored address.
    pub(crate) to: Option<&'static str>,
    pub(crate) lasts: Duration,
    /// Sends no code.
    pub(crate) is_notice: bool,
    /// Sends a link as well: its purpose and its token.
    pub(crate) link: Option<(LinkPurpose, &'static str)>,
    /// Sends a value of this name as well.
    pub(crate) value: Option<&'static str>,
    /// Keeps a record under this key as well.
    pub(crate) key: Option<&'static str>,
    /// What it was told of the ways to send.
    pub(crate) told: Mutex<Vec<MessageChannel>>,
}

impl Default for Mailer {
    fn default() -> Self {
        Self {
            template: "code",
            channel: MessageChannel::Mail,
            to: None,
            lasts: Duration::from_secs(600),
            is_notice: false,
            link: None,
            value: None,
            key: None,
            told: Mutex::default(),
        }
    }
}

#[async_trait]
impl Provider for Mailer {
    fn describe(&self) -> Description {
        describe("mailer")
    }

    async fn begin(&self, context: &Context<'_>, _: Entry) -> Result<Turn> {
        self.told
            .lock()
            .unwrap()
            .clone_from(&context.facts.channels);
        Ok(Turn::prompt(form([user_name()])))
    }

    async fn resume(&self, context: &Context<'_>, _: State, _: Answer) -> Result<Turn> {
        let mut message = Message {
            channel: self.channel,
            to: self.to.map(Secret::new),
            ..Message::mail(self.template, later(context.now(), self.lasts))
        };
        if !self.is_notice {
            message = message.with_code(Secret::new(CODE));
        }
        if let Some((purpose, token)) = self.link {
            message = message.with_link(purpose, Secret::new(token));
        }
        if let Some(name) = self.value {
            message.values.insert(name.to_owned(), Secret::new("x"));
        }
        let mut turn = Turn::step(Step::Wait {
            poll_after_ms: 1_000,
        })
        .with_effect(Effect::Send { message });
        if let Some(key) = self.key {
            let record = NewRecord {
                owner: RecordOwner::Subject,
                key: Some(Secret::new(key)),
                label: String::new(),
                expires_at: None,
                data: State::default(),
            };
            turn = turn.with_effect(Effect::Put { record });
        }
        Ok(turn)
    }
}
