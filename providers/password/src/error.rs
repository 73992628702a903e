//! What can go wrong around a password, apart from its being wrong.

use std::{io, time::Duration};

use gatelodge_core::{Error as CoreError, ErrorKind};

/// An error of this crate. None of its texts contains a password or a hash.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The password exceeds [`MAX_PASSWORD_BYTES`](crate::MAX_PASSWORD_BYTES).
    #[error("the password is longer than {limit} bytes")]
    TooLong {
        /// The most bytes a password may have, after normalisation.
        limit: usize,
    },
    /// Every worker is busy and the queue is full.
    #[error("too many passwords are waiting to be checked")]
    Busy {
        /// When there will probably be room again.
        retry_after: Duration,
    },
    /// The system has no memory left for the hash.
    #[error("there is not enough memory to hash a password")]
    NoMemory,
    /// The workers have ended, because the hasher was dropped.
    #[error("the password workers have stopped")]
    Stopped,
    /// A worker thread could not be started.
    #[error("cannot start a password worker")]
    Spawn(#[source] io::Error),
    /// The hash function itself refused, which checked parameters rule out.
    #[error("cannot hash the password: {0}")]
    Hash(String),
    /// A configured value is out of its range.
    #[error("`{key}` {problem}")]
    Setting {
        /// The configuration key.
        key: &'static str,
        /// What is wrong with its value, to be read after the key.
        problem: String,
    },
    /// A configured key does not exist.
    #[error("`{key}` is not a key of the password provider, only {known}")]
    UnknownKey {
        /// The key.
        key: String,
        /// Those that exist.
        known: String,
    },
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
        let (kind, retry_after) = match &error {
            Error::TooLong { .. } => (ErrorKind::Invalid, None),
            Error::Setting { key, .. } => return Self::invalid(key, message),
            Error::UnknownKey { .. } => (ErrorKind::Invalid, None),
            Error::Busy { retry_after } => (ErrorKind::Unavailable, Some(*retry_after)),
            Error::NoMemory => (ErrorKind::Unavailable, Some(Duration::from_secs(1))),
            Error::Stopped | Error::Spawn(_) => (ErrorKind::Unavailable, None),
            Error::Hash(_) => (ErrorKind::Internal, None),
        };
        let converted = Self::new(kind, message).because(error);
        match retry_after {
            Some(wait) => converted.retry_in(wait),
            None => converted,
        }
    }
}
