//! Sending what is in the outbox.

use std::time::Duration;

use super::{CLAIM, Delivery, Draft, Letter, Outgoing, Place, SendError, write::address};
use crate::{
    Error, ErrorKind, Platform, Result,
    access::{Caller, Principal},
    environment::{earlier, later},
    model::{AuditEvent, ClientFacts, Tenant, User, UserStatus},
    platform::AuditEventExt,
    storage::{OutboxEntry, Scope},
};

/// The pauses after the first tries; after the last of them it stays at an hour.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(30 * 60),
];
const LAST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// How a try ended.
enum Tried {
    Sent,
    Later,
    /// Never; a word for the audit log.
    Never(&'static str),
}

impl Platform {
    /// Sends the message that has been due for longest, if there is one; answers
    /// what became of it. The server calls it again at once if there was one, and
    /// otherwise after [`Platform::message_added`] or a few seconds. Called several
    /// times at once, it sends as many messages at once.
    ///
    /// # Errors
    /// What the storage says. A claimed message is then tried again when its claim
    /// ends, [`CLAIM`] after it began.
    pub async fn deliver(&self) -> Result<Option<Delivery>> {
        if !self.sends_messages() {
            return Ok(None);
        }
        let now = self.now();
        let mut unit = self.write(Scope::Platform).await?;
        let claimed = unit.outbox().claim(now, later(now, CLAIM), 1).await?;
        unit.commit().await?;
        let Some(entry) = claimed.into_iter().next() else {
            return Ok(None);
        };
        // There may be more: somebody else looks while this one is sent.
        self.wake_sender();
        let mut template = None;
        let tried = match self.open_letter(&entry).await {
            Ok(letter) => {
                let tried = self.send(&entry, &letter).await?;
                template = Some(letter.template);
                tried
            }
            Err(error) if error.kind() == ErrorKind::Corrupt => Tried::Never("unreadable"),
            Err(error) => return Err(error),
        };
        self.conclude(&entry, tried, template).await.map(Some)
    }

    async fn open_letter(&self, entry: &OutboxEntry) -> Result<Letter> {
        self.keys().learn(self.storage(), &entry.sealed).await?;
        let opened =
            Place::of(entry).within(|context| self.keys().open_sealed(context, &entry.sealed))?;
        let opened = zeroize::Zeroizing::new(opened);
        serde_json::from_slice(&opened)
            .map_err(|_| Error::new(ErrorKind::Corrupt, "a message cannot be read"))
    }

    async fn send(&self, entry: &OutboxEntry, letter: &Letter) -> Result<Tried> {
        let messages = self.messages();
        let sender = messages.sender(entry.channel);
        let (Some(sender), Some(renderer)) = (sender, &messages.renderer) else {
            tracing::warn!(id = %entry.id, channel = entry.channel.as_str(), "nothing is configured that sends this message");
            return Ok(Tried::Later);
        };
        let Some((tenant, user)) = self.receiver(entry).await? else {
            // The message went with them.
            return Ok(Tried::Later);
        };
        if let Some(reason) = letter.obstacle(entry, &user) {
            return Ok(Tried::Never(reason));
        }
        let draft = Draft {
            channel: entry.channel,
            template: &letter.template,
            locale: &letter.locale,
            tenant: &tenant,
            link: letter.link.as_ref(),
            code: letter.code.as_ref(),
            values: &letter.values,
            made_at: entry.made_at,
            expires_at: entry.expires_at,
        };
        let rendered = match renderer.render(&draft) {
            Ok(rendered) => rendered,
            Err(error) => {
                tracing::error!(id = %entry.id, template = letter.template, ?error, "a message could not be written");
                return Ok(Tried::Later);
            }
        };
        let outgoing = Outgoing {
            id: entry.id,
            to: letter.to.clone(),
            rendered,
        };
        let template = letter.template.as_str();
        Ok(match sender.send(&outgoing).await {
            Ok(()) => {
                tracing::info!(id = %entry.id, template, "a message was sent");
                Tried::Sent
            }
            Err(SendError::Later(why)) => {
                tracing::warn!(id = %entry.id, template, tries = entry.tries, why, "a message was not sent");
                Tried::Later
            }
            Err(SendError::Never(why)) => {
                tracing::warn!(id = %entry.id, template, tries = entry.tries, why, "a message was refused");
                Tried::Never("rejected")
            }
        })
    }

    /// Whom an entry is for, as they are now, unless they are gone.
    async fn receiver(&self, entry: &OutboxEntry) -> Result<Option<(Tenant, User)>> {
        let mut unit = self.read(Scope::Tenant(entry.tenant)).await?;
        let tenant = unit.tenants().by_id(entry.tenant).await?;
        let user = unit.users().by_id(entry.user).await?;
        unit.rollback().await?;
        Ok(tenant.zip(user))
    }

    /// Writes down how a try ended. Somebody else's claim, or a user who is gone
    /// meanwhile, is no fault.
    async fn conclude(
        &self,
        entry: &OutboxEntry,
        tried: Tried,
        template: Option<String>,
    ) -> Result<Delivery> {
        let due_at = later(self.now(), pause(entry.tries));
        let given_up = match tried {
            Tried::Sent => None,
            Tried::Later if due_at < entry.expires_at => return self.postpone(entry, due_at).await,
            Tried::Later => Some("expired"),
            Tried::Never(reason) => Some(reason),
        };
        let mut unit = self.write(Scope::Platform).await?;
        let settled = unit
            .outbox()
            .settle(entry.tenant, entry.id, entry.version)
            .await;
        if is_not_ours(&settled) {
            tracing::debug!(id = %entry.id, "a message is somebody else's by now, or gone");
            unit.rollback().await?;
            return Ok(given_up.map_or(Delivery::Sent, |_| Delivery::Postponed));
        }
        settled?;
        let Some(reason) = given_up else {
            unit.commit().await?;
            return Ok(Delivery::Sent);
        };
        let event = self.given_up(entry, reason, template);
        unit.audit().append(&event).await?;
        unit.commit().await?;
        tracing::warn!(id = %entry.id, reason, tries = entry.tries, "a message was given up");
        Ok(Delivery::GivenUp)
    }

    async fn postpone(&self, entry: &OutboxEntry, due_at: jiff::Timestamp) -> Result<Delivery> {
        let postponed = OutboxEntry {
            due_at,
            ..entry.clone()
        };
        let mut unit = self.write(Scope::Platform).await?;
        let done = unit.outbox().postpone(&postponed).await;
        if is_not_ours(&done) {
            unit.rollback().await?;
        } else {
            done?;
            unit.commit().await?;
        }
        Ok(Delivery::Postponed)
    }

    /// An entry of the audit log about a message that nobody gets. It holds
    /// nothing of what the message says.
    fn given_up(
        &self,
        entry: &OutboxEntry,
        reason: &'static str,
        template: Option<String>,
    ) -> AuditEvent {
        let system = Caller {
            principal: Principal::System,
            client: ClientFacts::default(),
        };
        self.event(&system, Some(entry.tenant), "message.send")
            .about(entry.user)
            .refused(reason)
            .changing("message", None, Some(entry.id.to_string()))
            .changing("template", None, template)
            .changing("channel", None, Some(entry.channel.as_str().to_owned()))
            .changing("tries", None, Some(entry.tries.to_string()))
    }

    /// Removes messages that have expired, or that a wrong clock has made, and says
    /// so in the audit log; answers how many. One that somebody may just be sending
    /// is left to whoever claimed it.
    pub(crate) async fn forget_messages(&self, limit: u32) -> Result<u64> {
        let now = earlier(self.now(), CLAIM);
        let mut unit = self.write(Scope::Platform).await?;
        let expired = unit.outbox().delete_expired(now, limit).await?;
        for entry in &expired {
            let has_expired = entry.expires_at < now;
            let reason = if has_expired {
                "expired"
            } else {
                "made_in_future"
            };
            let event = self.given_up(entry, reason, None);
            unit.audit().append(&event).await?;
        }
        unit.commit().await?;
        if !expired.is_empty() {
            tracing::warn!(
                count = expired.len(),
                "messages were given up that nobody could send in time"
            );
        }
        Ok(expired.len() as u64)
    }
}

impl Letter {
    /// Why it must not be sent any more: what lets somebody in goes to the address
    /// that is stored, and to nobody who is switched off.
    fn obstacle(&self, entry: &OutboxEntry, user: &User) -> Option<&'static str> {
        if self.link.is_none() && self.code.is_none() {
            None
        } else if user.status != UserStatus::Active {
            Some("user_deactivated")
        } else if !self.is_given
            && address(user, entry.channel, &self.template).as_ref() != Some(&self.to)
        {
            Some("address_changed")
        } else {
            None
        }
    }
}

/// How long to wait after so many tries.
fn pause(tries: i64) -> Duration {
    let number = usize::try_from(tries.saturating_sub(1)).unwrap_or(0);
    PAUSES.get(number).copied().unwrap_or(LAST_PAUSE)
}

fn is_not_ours<T>(result: &Result<T>) -> bool {
    let kind = result.as_ref().err().map(Error::kind);
    matches!(kind, Some(ErrorKind::Conflict | ErrorKind::NotFound))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_hour() {
        let pauses = [1, 2, 3, 4, 5, 6, 7, 1_000].map(|tries| pause(tries).as_secs());
        assert_eq!(pauses, [10, 30, 120, 600, 1_800, 3_600, 3_600, 3_600]);
    }
}
