use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::LinkPurpose;
use crate::secret::Secret;

/// A message to the context's subject, sent once everything else is committed.
/// Unless it names [where to](Message::to), it goes to the address that is stored
/// for the user when the effect is applied; one with a link or a code only as long
/// as that address stays. Such a mail goes to a verified address only, but for the
/// templates that [prove the address](Message::PROVES_ADDRESS); somebody without
/// such an address gets none, and the answer does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// How it is sent: one of [`Facts::channels`](super::Facts::channels).
    pub channel: MessageChannel,
    /// An address or number that the subject gave to this provider and is about to
    /// prove, or has proven to it; `None`: the stored e-mail address. No number is
    /// stored, so that an SMS always says where it goes.
    #[serde(default)]
    pub to: Option<Secret>,
    /// The template's name, `[a-z0-9_-]{1,64}`.
    pub template: String,
    /// A link of this server, which the template shows as `link`.
    #[serde(default)]
    pub link: Option<Link>,
    /// A code to type, which the template shows as `code`.
    #[serde(default)]
    pub code: Option<Secret>,
    /// What else the template is filled with, by names of the same form, but
    /// neither `link` nor `code`; all of the message is at most 60 KiB.
    #[serde(default)]
    pub values: BTreeMap<String, Secret>,
    /// The first moment at which it is pointless: when its link or code ends,
    /// which the template tells. It is not sent any more then. At most 30 days away.
    pub expires_at: Timestamp,
}

impl Message {
    /// Templates that ask whether a mailbox is the person's, so that they go to an
    /// address that nobody has verified yet too. Their links do nothing but what
    /// whoever reads that mailbox may do.
    pub const PROVES_ADDRESS: [&str; 2] = ["invite", "verify"];

    /// How long a message can be worth sending.
    pub const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

    /// A mail from this template, without link and code: a notice.
    pub fn mail(template: impl Into<String>, expires_at: Timestamp) -> Self {
        Self {
            channel: MessageChannel::Mail,
            to: None,
            template: template.into(),
            link: None,
            code: None,
            values: BTreeMap::new(),
            expires_at,
        }
    }

    /// With a link; see [`Link`].
    #[must_use]
    pub fn with_link(mut self, purpose: LinkPurpose, token: Secret) -> Self {
        self.link = Some(Link { purpose, token });
        self
    }

    /// With a code.
    #[must_use]
    pub fn with_code(mut self, code: Secret) -> Self {
        self.code = Some(code);
        self
    }

    /// Whether it lets somebody do something. If not, it is a notice: left out
    /// where nothing is configured that sends it, and sent to the address that was
    /// stored when it was written, whatever became of that since.
    pub fn opens(&self) -> bool {
        self.link.is_some() || self.code.is_some()
    }
}

/// A link of a message. The server makes it from what is configured and the user's
/// tenant: `<origin>/t/<tenant's id>/link/<purpose>?token=<token>`, or without the
/// tenant in the path on an origin that is the tenant's own. Nothing of it comes from
/// a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What it is for.
    pub purpose: LinkPurpose,
    /// What proves that the message arrived: 1 to 1,024 of the characters that an
    /// address holds as they are (RFC 3986 section 2.3).
    pub token: Secret,
}

impl Link {
    /// Its address below what the addresses of the tenant begin with, see
    /// [`Origins::base`](crate::Origins::base).
    pub fn address(&self, base: &str) -> Secret {
        let (purpose, token) = (self.purpose.as_str(), self.token.expose());
        Secret::new(format!("{base}/link/{purpose}?token={token}"))
    }
}

/// How a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageChannel {
    /// By e-mail.
    Mail,
    /// By SMS.
    Sms,
}

impl MessageChannel {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Mail, Self::Sms];

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Sms => "sms",
        }
    }

    /// Reads a stable name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|channel| channel.as_str() == text)
    }
}
