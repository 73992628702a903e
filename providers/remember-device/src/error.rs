//! What can go wrong around a token, apart from its being worth nothing.

use gatelodge_core::{Error as CoreError, ErrorKind};

/// An error of this crate. None of its texts contains a token or a key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The provider has no settings of its own.
    #[error(
        "`{key}` is not a key of the remember-device provider, which has none; the days are `session.remember_days`"
    )]
    UnknownKey {
        /// The key.
        key: String,
    },
    /// The keys of a tenant, or one of them, cannot be read.
    #[error("the keys that sign devices cannot be read")]
    Keys,
    /// A token could not be signed.
    #[error("a device's token cannot be signed")]
    Sign(#[source] jsonwebtoken::errors::Error),
    /// A record could not be written as JSON.
    #[error("a device's record cannot be written")]
    Encode(#[source] serde_json::Error),
}

impl From<Error> for CoreError {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::UnknownKey { .. } => ErrorKind::Invalid,
            Error::Keys => ErrorKind::Corrupt,
            Error::Sign(_) | Error::Encode(_) => ErrorKind::Internal,
        };
        Self::new(kind, error.to_string()).because(error)
    }
}
