//! What can go wrong around a code, apart from its being wrong.

use gatelodge_core::{Error as CoreError, ErrorKind};

/// An error of this crate. None of its texts contains a seed or a code.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A configured value is out of its range.
    #[error("`{key}` {problem}")]
    Setting {
        /// The configuration key.
        key: &'static str,
        /// What is wrong with its value, to be read after the key.
        problem: String,
    },
    /// A configured key does not exist.
    #[error("`{key}` is not a key of the totp provider, only {known}")]
    UnknownKey {
        /// The key.
        key: String,
        /// Those that exist.
        known: String,
    },
    /// No codes can be made of it: RFC 6238 does not allow such a seed, number
    /// of digits or period.
    #[error("these are no values of an authenticator")]
    NoAuthenticator,
    /// A record holds something else than an authenticator.
    #[error("the record of an authenticator cannot be read")]
    Record,
}

impl Error {
    /// An [`Error::Setting`].
    pub(crate) fn setting(key: &'static str, problem: impl Into<String>) -> Self {
        Self::Setting {
            key,
            problem: problem.into(),
        }
    }
}

impl From<Error> for CoreError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match &error {
            Error::Setting { key, .. } => Self::invalid(key, message),
            Error::UnknownKey { .. } => Self::new(ErrorKind::Invalid, message),
            Error::NoAuthenticator => Self::new(ErrorKind::Internal, message).because(error),
            Error::Record => Self::new(ErrorKind::Corrupt, message).because(error),
        }
    }
}
