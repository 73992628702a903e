//! The audit log's entries.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AuditEventId, TenantId, UserId};

/// Facts about the client of a request. None of them proves anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientFacts {
    /// The address, as the server or a trusted proxy saw it.
    pub address: Option<String>,
    /// The network that limits count by: the address, or its /64 for IPv6.
    pub network: Option<String>,
    /// The `User-Agent`, at most 255 characters, without control characters.
    pub user_agent: Option<String>,
    /// The request's id, as it stands in the log.
    pub request_id: Option<String>,
}

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Actor {
    /// Somebody who is not signed in.
    Anonymous,
    /// A signed-in user.
    User {
        /// The user's tenant.
        tenant: TenantId,
        /// The user.
        id: UserId,
    },
    /// The server itself.
    System,
    /// Whoever runs the command line on the server's machine.
    Operator,
}

/// Whether the recorded action took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It did.
    Success,
    /// It was refused.
    Refused,
}

impl Outcome {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Refused => "refused",
        }
    }

    /// Reads a stable name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Success, Self::Refused]
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
    }
}

/// One field's change. Secrets are never written here, only that they changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The field.
    pub field: String,
    /// Its value before; `None` when there was none or it is sensitive.
    pub old: Option<String>,
    /// Its value after; `None` when there is none or it is sensitive.
    pub new: Option<String>,
}

/// One entry of the audit log, written in the transaction of what it records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// Its id; entries of one tenant are listed by it.
    pub id: AuditEventId,
    /// When it happened.
    pub at: Timestamp,
    /// The tenant whose administrators see it; `None` for the platform's own.
    pub tenant: Option<TenantId>,
    /// Who did it.
    pub actor: Actor,
    /// What was done: `<object>.<verb>`, such as `user.lock` or `session.start`.
    pub action: String,
    /// The kind of object, such as `user`.
    pub object_kind: String,
    /// The object's id, if it has one.
    pub object_id: Option<String>,
    /// Whether it took place.
    pub outcome: Outcome,
    /// Why it was refused or what else matters: a stable short word.
    pub reason: Option<String>,
    /// What changed.
    pub changes: Vec<Change>,
    /// Who the client was.
    pub client: ClientFacts,
}

/// Which entries to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only this action.
    pub action: Option<String>,
    /// Only about this object.
    pub object_id: Option<String>,
    /// Only from this time on.
    pub from: Option<Timestamp>,
    /// Only before this time.
    pub until: Option<Timestamp>,
}
