//! From what a provider asks for to an entry of the outbox.

use std::time::Duration;

use super::{LOCALE, Letter, Place};
use crate::{
    Error, ErrorKind, Platform, Result,
    access::{Caller, Principal},
    environment::later,
    model::{ClientFacts, Email, MessageId, TenantId, User, UserId},
    platform::AuditEventExt,
    provider::{Effect, Link, Message, MessageChannel},
    secret::Secret,
    storage::{OutboxEntry, UnitOfWork},
};

/// How long it is worth telling what happened to an account.
const NEWS: Duration = Duration::from_secs(3 * 24 * 60 * 60);
/// What is sealed, with what sealing adds, fits into 64 KiB.
const MAX_LETTER: usize = 60 * 1024;

/// Whether any of the effects sends a message.
pub(crate) fn sends(effects: &[Effect]) -> bool {
    effects
        .iter()
        .any(|effect| matches!(effect, Effect::Send { .. }))
}

/// Writes a message to a user into the outbox, in a unit of the tenant.
///
/// Somebody who has no address of that kind that may be written to gets nothing,
/// which the audit log says; the answer to the person is the same. A notice that
/// this server cannot send is left out. Whoever calls this calls
/// [`Platform::wake_sender`] after the commit.
///
/// # Errors
/// [`ErrorKind::Unsupported`], naming what is missing, when this server cannot
/// send such messages and this one [opens](Message::opens) something;
/// [`ErrorKind::Internal`] for a malformed one; what the storage says.
pub(crate) async fn add(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    (tenant, user): (TenantId, UserId),
    message: &Message,
) -> Result<()> {
    check(platform, message)?;
    if let Some(missing) = missing(platform, message) {
        return match message.opens() {
            true => Err(Error::new(ErrorKind::Unsupported, missing)),
            false => Ok(()),
        };
    }
    let user = unit.users().by_id(user).await?;
    let user = user.ok_or_else(|| Error::not_found("user"))?;
    let stored = || address(&user, message.channel, &message.template);
    let given = message.to.as_ref().map(|to| to.expose().to_owned());
    let is_given = given.is_some();
    let Some(to) = given.or_else(stored) else {
        let system = Caller {
            principal: Principal::System,
            client: ClientFacts::default(),
        };
        let event = platform
            .event(&system, Some(tenant), "message.send")
            .about(user.id)
            .refused("no_address")
            .changing("template", None, Some(message.template.clone()))
            .changing("channel", None, Some(message.channel.as_str().to_owned()));
        return unit.audit().append(&event).await;
    };
    let now = platform.now();
    let mut entry = OutboxEntry {
        id: MessageId::generate(platform.environment()),
        tenant,
        user: user.id,
        channel: message.channel,
        made_at: now,
        due_at: now,
        expires_at: message.expires_at,
        tries: 0,
        version: 1,
        sealed: Vec::new(),
    };
    let letter = Letter {
        to,
        is_given,
        template: message.template.clone(),
        locale: LOCALE.to_owned(),
        link: message.link.clone(),
        code: message.code.clone(),
        values: message.values.clone(),
    };
    let letter = serde_json::to_vec(&letter)
        .map(zeroize::Zeroizing::new)
        .map_err(|error| Error::internal("a message").because(error))?;
    if letter.len() > MAX_LETTER {
        return Err(Error::internal("a message is too long"));
    }
    let place = Place::of(&entry);
    entry.sealed = place.within(|context| platform.keys().seal(context, &letter))?;
    unit.outbox().add(&entry).await
}

/// Tells a user what happened to the account, at the stored address.
pub(crate) async fn tell(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    (tenant, user): (TenantId, &User),
    template: &str,
) -> Result<()> {
    if !user.email_verified {
        return Ok(());
    }
    let notice = Message::mail(template, later(platform.now(), NEWS));
    add(platform, unit, (tenant, user.id), &notice).await
}

/// What this server lacks to send such a message to anybody.
fn missing(platform: &Platform, message: &Message) -> Option<&'static str> {
    let is_sent = platform.messages().reaches(message.channel);
    match message.channel {
        MessageChannel::Mail if !is_sent => {
            Some("this server sends no mail: `mail` is not configured")
        }
        MessageChannel::Sms if !is_sent => {
            Some("this server sends no SMS: `sms` is not configured")
        }
        // Of a user only the e-mail address is stored.
        MessageChannel::Sms if message.to.is_none() => {
            Some("an SMS goes to a number that somebody gave; none is stored for a user")
        }
        MessageChannel::Mail | MessageChannel::Sms => None,
    }
}

/// Refuses what no provider may ask for.
fn check(platform: &Platform, message: &Message) -> Result<()> {
    let is_word = |text: &str| {
        (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
    };
    let is_own = |name: &String| is_word(name) && name != "link" && name != "code";
    if !is_word(&message.template) || !message.values.keys().all(is_own) {
        return Err(Error::internal("a message has a malformed name"));
    }
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    if let Some(Link { token, .. }) = &message.link
        && !((1..=1_024).contains(&token.expose().len()) && token.expose().bytes().all(is_plain))
    {
        return Err(Error::internal("the link of a message is malformed"));
    }
    let is_address = |to: &Secret| {
        (1..=Email::MAX).contains(&to.len()) && !to.expose().chars().any(char::is_control)
    };
    if !message.to.iter().all(is_address) {
        return Err(Error::internal("a message goes to no address"));
    }
    if message.expires_at > later(platform.now(), Message::LONGEST) {
        return Err(Error::internal("a message lives for too long"));
    }
    Ok(())
}

/// Where a message to this user goes: the stored address, if it may be written to.
pub(super) fn address(user: &User, channel: MessageChannel, template: &str) -> Option<String> {
    match channel {
        MessageChannel::Mail => user
            .email
            .as_ref()
            .filter(|_| user.email_verified || Message::PROVES_ADDRESS.contains(&template))
            .map(ToString::to_string),
        MessageChannel::Sms => None,
    }
}
