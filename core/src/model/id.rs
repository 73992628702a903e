//! Typed ids. Objects carry UUID version 7 (RFC 9562); ids never carry meaning
//! and are not secrets. A provider's id is a short name from the configuration.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::environment::Environment;

/// A text that is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an id of the form `0190a6c2-…` (a UUID)")]
pub struct ParseIdError;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id.
            pub fn generate(environment: &Environment) -> Self {
                Self(environment.uuid())
            }

            /// The id with this UUID.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Its UUID.
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                // Only the canonical form: one object, one address.
                (text.len() == 36)
                    .then(|| Uuid::try_parse(text).ok())
                    .flatten()
                    .map(Self)
                    .ok_or(ParseIdError)
            }
        }
    )+};
}

ids! {
    /// A tenant.
    TenantId,
    /// A user, in exactly one tenant.
    UserId,
    /// A session.
    SessionId,
    /// What a provider keeps.
    RecordId,
    /// A message to be sent.
    MessageId,
    /// A registered application; unlike other ids unique on the whole platform.
    ApplicationId,
    /// An entry of the audit log.
    AuditEventId,
    /// A sign-in flow with cookie transport; not a secret, useless without its cookie.
    FlowId,
}

/// The id of a configured provider: `[a-z0-9-]{1,32}`, unique on the platform.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProviderId(String);

/// A connection to a third party is a configured provider; its id names its callback.
pub type ConnectionId = ProviderId;

impl ProviderId {
    /// Checks `text`.
    ///
    /// # Errors
    /// When it is empty, longer than 32 or has other characters than `a-z 0-9 -`.
    pub fn new(text: impl Into<String>) -> crate::Result<Self> {
        let text = text.into();
        let fits = (1..=32).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits {
            Ok(Self(text))
        } else {
            Err(crate::Error::invalid(
                "provider",
                "a provider id has 1 to 32 characters of `a-z`, `0-9` and `-`",
            ))
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProviderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ProviderId {
    type Error = crate::Error;

    fn try_from(text: String) -> crate::Result<Self> {
        Self::new(text)
    }
}

impl From<ProviderId> for String {
    fn from(id: ProviderId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_written_form() {
        let id = TenantId::generate(&Environment::system());
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in [
            format!("{{{id}}}"),
            id.as_uuid().simple().to_string(),
            format!("urn:uuid:{id}"),
            String::new(),
        ] {
            assert_eq!(text.parse::<TenantId>(), Err(ParseIdError), "{text}");
        }
    }

    #[test]
    fn a_provider_id_is_short_and_plain() {
        assert!(ProviderId::new("google-2").is_ok());
        for text in ["", "Google", "a b", "ü", &"x".repeat(33)] {
            assert!(ProviderId::new(text).is_err(), "{text}");
        }
    }
}
