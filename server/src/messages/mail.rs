//! A mail as it goes over the wire.

use gatelodge_core::messages::Outgoing;
use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{HeaderName, HeaderValue},
    },
};

/// Why a mail could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoMail {
    /// The stored address is none that mail can be sent to.
    #[error("the stored address is none that mail can be sent to")]
    Address,
    /// Anything else.
    #[error("the mail cannot be put together")]
    Parts,
}

/// Puts a mail together: to one mailbox, with a text and, if there is one, its
/// HTML. Everything that stands in a header is one line by now or refused here.
pub(super) fn compose(sender: &Mailbox, outgoing: &Outgoing) -> Result<Message, NoMail> {
    let rendered = &outgoing.rendered;
    let address: Address = outgoing.to.parse().map_err(|_| NoMail::Address)?;
    let subject = &rendered.subject;
    if subject.chars().any(char::is_control) {
        return Err(NoMail::Parts);
    }
    // The same for each try, so that a receiver knows it again.
    let id = format!("<{}@{}>", outgoing.id, sender.email.domain());
    let builder = Message::builder()
        .message_id(Some(id))
        .from(sender.clone())
        .to(Mailbox::new(None, address))
        .subject(subject.clone())
        // No answer by a machine (RFC 3834 section 5).
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
    let text = rendered.text.expose().to_owned();
    let mail = match &rendered.html {
        Some(html) => builder.multipart(
            MultiPart::alternative()
                .singlepart(SinglePart::plain(text))
                .singlepart(SinglePart::html(html.expose().to_owned())),
        ),
        None => builder.singlepart(SinglePart::plain(text)),
    };
    mail.map_err(|_| NoMail::Parts)
}
