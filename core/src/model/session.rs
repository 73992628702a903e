//! Sessions and how they were proven.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ClientFacts, ProviderId, RecordId, SessionId, TenantId, UserId};
use crate::secret::TokenHash;

/// One stay of a user. The row outlives the user for statistics; the names in
/// it stay readable until they are erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id; not a secret.
    pub id: SessionId,
    /// The tenant it belongs to.
    pub tenant: TenantId,
    /// The user it belongs to.
    pub user: UserId,
    /// The hash of the bearer's token.
    pub token_hash: TokenHash,
    /// The tenant's name when it began.
    pub tenant_name: String,
    /// The user's name when it began.
    pub user_name: String,
    /// The application it was made for, if one was named.
    pub application: Option<String>,
    /// How it was proven, in order.
    pub factors: Vec<Factor>,
    /// What the session is limited to, if a purpose-bound token made it.
    pub scope: Option<String>,
    /// Who the client said it was, at the beginning.
    pub client: ClientFacts,
    /// The user's credential epoch when it began.
    pub credential_epoch: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// The last time it was used, exact to ten seconds.
    pub last_active_at: Timestamp,
    /// The idle time allowed, in seconds.
    pub idle_seconds: i64,
    /// When it ends however active.
    pub expires_at: Timestamp,
    /// When and how it ended, if it did before its time.
    pub ended: Option<SessionEnd>,
}

impl Session {
    /// The first moment at which it is no longer valid, if it is not used again.
    pub fn ends_at(&self) -> Timestamp {
        if let Some(ended) = &self.ended {
            return ended.at;
        }
        let idle = std::time::Duration::from_secs(u64::try_from(self.idle_seconds).unwrap_or(0));
        crate::environment::later(self.last_active_at, idle).min(self.expires_at)
    }

    /// Whether it is valid at `now`.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.ended.is_none() && now < self.ends_at()
    }

    /// Whether this record of this provider proved it.
    pub fn was_proven_by(&self, provider: &ProviderId, credential: RecordId) -> bool {
        let mut factors = self.factors.iter();
        factors.any(|f| f.provider == *provider && f.credential == Some(credential))
    }

    /// When the person last proved who they are.
    pub fn auth_time(&self) -> Timestamp {
        self.factors
            .iter()
            .map(|factor| factor.at)
            .max()
            .unwrap_or(self.started_at)
    }

    /// Authentication method references (RFC 8176), each once, in order.
    pub fn amr(&self) -> Vec<&str> {
        let mut amr = Vec::new();
        for factor in &self.factors {
            if !amr.contains(&factor.amr.as_str()) {
                amr.push(factor.amr.as_str());
            }
        }
        let kinds = self.factors.iter().map(|factor| factor.class);
        let kinds = kinds.filter(|class| *class != FactorClass::Remembered);
        if kinds.collect::<std::collections::BTreeSet<_>>().len() > 1 && !amr.contains(&"mfa") {
            amr.push("mfa");
        }
        amr
    }
}

/// One proven factor of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factor {
    /// Which provider proved it.
    pub provider: ProviderId,
    /// Its kind: what one knows, has or is.
    pub class: FactorClass,
    /// Its authentication method reference (RFC 8176), such as `pwd` or `otp`.
    pub amr: String,
    /// When it was proven.
    pub at: Timestamp,
    /// The provider's record that proved it, if the session ends with that record:
    /// a remembered device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<RecordId>,
}

/// The three kinds of factors, and what only remembers or vouches for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactorClass {
    /// Something one knows.
    Knowledge,
    /// Something one has.
    Possession,
    /// Something one is.
    Inherence,
    /// A third party vouches; how it was proven there is in its claims.
    Federated,
    /// An earlier sign-in on this device; never counts as a second factor.
    Remembered,
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEnd {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: EndReason,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The user signed out.
    SignedOut,
    /// It was idle or reached its absolute end.
    TimedOut,
    /// A newer session took its place.
    Replaced,
    /// The user or an administrator ended it.
    Revoked,
    /// The user or the tenant was locked, deactivated or deleted.
    Locked,
    /// A credential was changed.
    CredentialChanged,
    /// It was open when the backup was made from which its row was restored.
    Restored,
}

impl EndReason {
    const ALL: [Self; 7] = [
        Self::SignedOut,
        Self::TimedOut,
        Self::Replaced,
        Self::Revoked,
        Self::Locked,
        Self::CredentialChanged,
        Self::Restored,
    ];

    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::TimedOut => "timed_out",
            Self::Replaced => "replaced",
            Self::Revoked => "revoked",
            Self::Locked => "locked",
            Self::CredentialChanged => "credential_changed",
            Self::Restored => "restored",
        }
    }

    /// Reads a stable name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}
