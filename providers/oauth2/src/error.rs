//! What can go wrong around a third party, apart from its saying no.

use gatelodge_core::{Error as CoreError, ErrorKind};

/// An error of this crate. None of its texts contains a secret, a code or a token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A configured value cannot be.
    #[error("`{key}` {problem}")]
    Setting {
        /// The configuration key.
        key: &'static str,
        /// What is wrong with its value, to be read after the key.
        problem: String,
    },
    /// A configured key does not exist.
    #[error("`{key}` is not a key of the oauth2 provider, only {known}")]
    UnknownKey {
        /// The key.
        key: String,
        /// Those that exist.
        known: String,
    },
    /// A preset that came with this program is not one.
    #[error("the preset `{name}` cannot be read: {problem}")]
    Preset {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A flow came without a callback or a `state`.
    #[error("this flow has no way back from a third party")]
    NoWayBack,
    /// The third party cannot be asked, or is not able to answer now.
    #[error("the third party does not answer")]
    NoAnswer(#[source] Option<CoreError>),
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
        match error {
            Error::Setting { key, .. } => Self::invalid(key, message),
            Error::UnknownKey { .. } => Self::new(ErrorKind::Invalid, message),
            Error::Preset { .. } | Error::NoWayBack => Self::internal(message),
            Error::NoAnswer(source) => {
                let error = Self::new(ErrorKind::Unavailable, message);
                match source {
                    Some(source) => error.because(source),
                    None => error,
                }
            }
        }
    }
}
