use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Context, Effect};
use crate::{Result, secret::Secret};

/// Making links without the person at hand: an administrator invites somebody,
/// or starts a reset. A link opens with [`Entry::Link`](super::Entry::Link).
#[async_trait]
pub trait Links: Send + Sync {
    /// Makes a link for the context's subject, in the context's tenant.
    ///
    /// Its effects are applied in the unit of work that records who asked for it.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for a purpose that the
    /// description does not name.
    async fn issue(&self, context: &Context<'_>, request: &LinkRequest) -> Result<Issued>;
}

/// What a link is for: a closed list, since each has its page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkPurpose {
    /// To set up an account that somebody else made.
    Invite,
    /// To get back into an account, and choose a new credential.
    Reset,
    /// To show that a mailbox is one's own.
    Verify,
    /// To sign in.
    SignIn,
    /// To see one page.
    Page,
}

impl LinkPurpose {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Invite,
        Self::Reset,
        Self::Verify,
        Self::SignIn,
        Self::Page,
    ];

    /// The stable name, as in addresses: `/link/sign-in`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invite => "invite",
            Self::Reset => "reset",
            Self::Verify => "verify",
            Self::SignIn => "sign-in",
            Self::Page => "page",
        }
    }

    /// Reads a stable name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|purpose| purpose.as_str() == text)
    }
}

/// A link to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRequest {
    /// What it is for.
    pub purpose: LinkPurpose,
    /// The page that a [`LinkPurpose::Page`] leads to: a path of this server.
    #[serde(default)]
    pub page: Option<String>,
    /// How it reaches the person.
    pub delivery: Delivery,
}

/// How a link reaches the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// By mail to the stored address; whoever asked for it never sees it.
    Mail,
    /// Told once to whoever asked for it, who hands it over.
    Told,
}

/// A link that was made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// Its token, for [`Delivery::Told`].
    pub token: Option<Secret>,
    /// The first moment at which it no longer opens.
    pub expires_at: Timestamp,
    /// What to change, and what to send.
    pub effects: Vec<Effect>,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
