//! Users.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DisplayName, Email, Lock, UserId, UserName};

/// An account in exactly one tenant.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its id, never reused.
    pub id: UserId,
    /// Its name for signing in, unique in the tenant.
    pub user_name: UserName,
    /// The name to show.
    pub display_name: DisplayName,
    /// Its e-mail address, unique in the tenant among verified ones.
    pub email: Option<Email>,
    /// Whether the address was proven to belong to this user. Only then can it
    /// be used to sign in.
    pub email_verified: bool,
    /// Whether the account is in use.
    pub status: UserStatus,
    /// Its own lock, past ones included: ask [`User::is_locked_at`].
    pub lock: Option<Lock>,
    /// Whether a new credential must be chosen at the next sign-in, and why.
    pub must_change: Option<MustChange>,
    /// Rises with every change of credentials; what was proven under an older
    /// one no longer counts.
    pub credential_epoch: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// Rises with every change.
    pub version: i64,
}

/// Why a credential must be changed at the next sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MustChange {
    /// There is evidence that it is known to others.
    Compromised,
    /// An administrator set it or asked for the change.
    Administrator,
    /// It is older than the tenant's rules allow.
    Age,
}

impl MustChange {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compromised => "compromised",
            Self::Administrator => "administrator",
            Self::Age => "age",
        }
    }

    /// Reads a stable name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Compromised, Self::Administrator, Self::Age]
            .into_iter()
            .find(|reason| reason.as_str() == text)
    }
}

/// Whether an account is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserStatus {
    /// In use.
    Active,
    /// Switched off until an administrator switches it on again.
    Deactivated,
}

impl UserStatus {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deactivated => "deactivated",
        }
    }

    /// Reads a stable name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Deactivated]
            .into_iter()
            .find(|status| status.as_str() == text)
    }
}

impl User {
    /// Whether its own lock holds at `now`.
    pub fn is_locked_at(&self, now: Timestamp) -> bool {
        self.lock.as_ref().is_some_and(|lock| lock.holds_at(now))
    }

    /// Whether the account itself may sign in at `now`; its tenant is not asked here.
    pub fn may_sign_in_at(&self, now: Timestamp) -> bool {
        self.status == UserStatus::Active && !self.is_locked_at(now)
    }
}

/// Names are personal data: a log line gets the id.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("status", &self.status)
            .field("locked", &self.lock.is_some())
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// What a user may do beyond being signed in. Fixed until roles can be
/// configured: these are the system roles of the first release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// Administers the whole platform.
    PlatformAdministrator,
    /// Administers the user's own tenant.
    TenantAdministrator,
}

impl Grant {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::PlatformAdministrator, Self::TenantAdministrator];

    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PlatformAdministrator => "platform_administrator",
            Self::TenantAdministrator => "tenant_administrator",
        }
    }

    /// Reads a stable name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.as_str() == text)
    }
}
