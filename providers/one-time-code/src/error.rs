//! What can be wrong with the configuration.

use gatelodge_core::{Error as CoreError, ErrorKind};

/// An error of this crate.
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
    #[error("`{key}` is not a key of the one-time-code provider, only {known}")]
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
        match &error {
            Error::Setting { key, .. } => Self::invalid(key, message),
            Error::UnknownKey { .. } => Self::new(ErrorKind::Invalid, message),
        }
    }
}
