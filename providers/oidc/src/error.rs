//! What can be wrong with the configuration, and what a third party fails to answer.

use gatelodge_core::{Error as CoreError, ErrorKind};

/// An error of this crate. None of its texts contains a secret, a code or a token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A configured value is missing or out of its range.
    #[error("`{key}` {problem}")]
    Setting {
        /// The configuration key.
        key: &'static str,
        /// What is wrong with its value, to be read after the key.
        problem: String,
    },
    /// A configured key does not exist.
    #[error("`{key}` is not a key of the oidc provider, only {known}")]
    UnknownKey {
        /// The key.
        key: String,
        /// Those that exist.
        known: String,
    },
    /// The third party gave no answer that can be used.
    #[error("the third party's {what} cannot be used: {problem}")]
    Answer {
        /// What was asked for.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The third party refused the connection itself, not the person.
    #[error("the third party refuses this connection: `{code}`")]
    Connection {
        /// Its error code (RFC 6749 section 5.2).
        code: String,
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

    /// An [`Error::Answer`].
    pub(crate) fn answer(what: &'static str, problem: impl Into<String>) -> Self {
        Self::Answer {
            what,
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
            Error::Answer { .. } | Error::Connection { .. } => {
                Self::new(ErrorKind::Unavailable, message)
            }
        }
    }
}
