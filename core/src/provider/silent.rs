use std::{fmt, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Context, Effect, Proof};
use crate::{
    Result,
    model::{RecordId, SessionId, UserId},
    secret::Secret,
};

/// Keeping somebody signed in on a device: after a sign-in a token is handed to
/// the browser, which is worth one sign-in later on, and then its successor is.
/// It shows that somebody signed in here before, and never counts as a factor of
/// its own.
///
/// A token is at most 2,048 of the characters that a cookie's value holds as they
/// are: letters, digits, `.`, `-`, `_` and `~`. The engine puts the tenant in
/// front of it.
#[async_trait]
pub trait Silent: Send + Sync {
    /// Makes a token for the context's subject, whose sign-in in this browser
    /// began `session`.
    ///
    /// * It ends `lifetime` from now for good, however often it is redeemed.
    /// * The facts' [`proofs`](super::Facts::proofs) are those of that sign-in:
    ///   the latest is when it was proven, however old that gets.
    /// * Its effects are applied in a unit of work of its own; if one's condition
    ///   fails, it is called once more.
    async fn issue(
        &self,
        context: &Context<'_>,
        session: SessionId,
        lifetime: Duration,
    ) -> Result<Kept>;

    /// Takes a token that a browser presents, in the context's tenant. There is
    /// no subject: the token says who it is.
    ///
    /// * The proof names exactly one [candidate](super::Who::Candidates) of the
    ///   context's tenant and its [`credential`](Proof::credential), the record
    ///   of the device. The engine makes sure that this record is still there.
    /// * The effects of a proof are applied with the session. If one's condition
    ///   fails, it is called again, since another tab was faster.
    /// * The effects of a refusal are applied too.
    /// * `lifetime` is what holds now: a device that was made longer ago is
    ///   refused and ends.
    async fn redeem(
        &self,
        context: &Context<'_>,
        token: &Secret,
        lifetime: Duration,
    ) -> Result<Redeemed>;

    /// What ends the device of a token, as its bearer signs out: `None` for one
    /// that no device here has or had.
    async fn revoke(&self, context: &Context<'_>, token: &Secret) -> Result<Option<Revoked>>;

    /// The devices of the context's subject that have not ended.
    async fn list(&self, context: &Context<'_>) -> Result<Vec<Device>>;

    /// The effects that end one; [`NotFound`](crate::ErrorKind::NotFound) when the
    /// subject has no such one.
    async fn remove(&self, context: &Context<'_>, id: RecordId) -> Result<Vec<Effect>>;
}

/// What a browser keeps.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The token.
    pub token: Secret,
    /// The first moment at which it is worth nothing.
    pub expires_at: Timestamp,
    /// What to change.
    #[serde(default)]
    pub effects: Vec<Effect>,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// What became of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Redeemed {
    /// It is worth a sign-in.
    Proven {
        /// Who it is.
        proof: Box<Proof>,
        /// What the browser keeps in its place, and what to change.
        successor: Kept,
    },
    /// It is worth nothing, and the browser may forget it.
    Refused {
        /// A stable short word for the audit log: `[a-z0-9_]{1,64}`.
        reason: String,
        /// The device that ends because of this.
        ended: Option<Revoked>,
    },
}

impl Redeemed {
    /// A refusal that changes nothing.
    pub fn refused(reason: &str) -> Self {
        Self::Refused {
            reason: reason.to_owned(),
            ended: None,
        }
    }
}

/// A device that ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// Whose it is.
    pub user: UserId,
    /// Its record. The sessions that it proved end with it.
    pub device: RecordId,
    /// The session that it was made in, which ends with it too.
    pub session: SessionId,
    /// What to change; a message goes to its owner.
    pub effects: Vec<Effect>,
}

/// A device that somebody is kept signed in on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The record that keeps it.
    pub id: RecordId,
    /// What the browser called itself, at most 100 characters.
    pub label: String,
    /// The session that it was made in.
    pub session: SessionId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last signed somebody in.
    pub last_used_at: Timestamp,
    /// The first moment at which it has ended.
    pub expires_at: Timestamp,
}
