use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatelodge_core::secret::Secret;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{MONTH, later, text};
use crate::Error;

/// A key that signs tokens: 256 random bits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// What tokens call it by: an index into the keys of one tenant, nothing else.
    pub kid: String,
    secret: Secret,
    /// When it was made.
    pub made_at: Timestamp,
}

impl Key {
    /// A key of these random bytes.
    pub fn new(kid: [u8; 8], secret: &[u8; 32], made_at: Timestamp) -> Self {
        Self {
            kid: text(&kid),
            secret: Secret::new(text(secret)),
            made_at,
        }
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let bytes = URL_SAFE_NO_PAD.decode(self.secret.expose());
        let bytes = bytes.map(Zeroizing::new).map_err(|_| Error::Keys)?;
        if bytes.len() == 32 {
            Ok(bytes)
        } else {
            Err(Error::Keys)
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// The keys of a tenant: one signs, and the one before still verifies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// What signs.
    pub current: Key,
    /// What signed until then.
    pub previous: Option<Key>,
}

impl Keys {
    /// The first key of a tenant.
    pub fn first(key: Key) -> Self {
        Self {
            current: key,
            previous: None,
        }
    }

    /// Whether the key has signed for long enough.
    pub fn is_due_at(&self, now: Timestamp) -> bool {
        later(self.current.made_at, MONTH) <= now
    }

    /// With a new key that signs.
    #[must_use]
    pub fn rotated(self, key: Key) -> Self {
        Self {
            current: key,
            previous: Some(self.current),
        }
    }

    /// The key of this name. The one before verifies until the last token that it
    /// signed has ended, which lives for a month at most.
    pub fn named(&self, kid: &str, now: Timestamp) -> Option<&Key> {
        if self.current.kid == kid {
            return Some(&self.current);
        }
        let until = later(self.current.made_at, MONTH);
        let previous = self.previous.as_ref()?;
        (previous.kid == kid && now < until).then_some(previous)
    }
}
