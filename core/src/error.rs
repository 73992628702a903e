//! The one error of the contracts: a kind, the operation it happened in, and
//! a source for the log. Where it goes is decided once: front ends translate
//! the [`ErrorKind`]; the source never reaches a client.

use std::{error::Error as StdError, fmt, time::Duration};

/// What went wrong, as far as a caller can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What was asked for does not exist, or lies outside the caller's tenant.
    NotFound,
    /// A name, e-mail address or key is already taken.
    AlreadyExists,
    /// The object changed since it was read; read it again and retry.
    Conflict,
    /// Nobody is signed in, or the credentials do not count.
    Unauthenticated,
    /// The caller is known and may not do this.
    Denied,
    /// The object's present state forbids the change; the message says why.
    Refused,
    /// An input is malformed, too long or out of range; the message says which.
    Invalid,
    /// The unit of work or backend does not offer this; nothing was changed.
    Unsupported,
    /// Too many tries; `retry_after` says when to come back.
    Limited,
    /// The backend cannot answer now: locked, full, read-only, gone, shutting down.
    Unavailable,
    /// The stored data breaks a rule that this program relies on.
    Corrupt,
    /// A defect, or a fault that has no kind of its own.
    Internal,
}

impl ErrorKind {
    /// A short stable name, for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::Conflict => "conflict",
            Self::Unauthenticated => "unauthenticated",
            Self::Denied => "denied",
            Self::Refused => "refused",
            Self::Invalid => "invalid",
            Self::Unsupported => "unsupported",
            Self::Limited => "limited",
            Self::Unavailable => "unavailable",
            Self::Corrupt => "corrupt",
            Self::Internal => "internal",
        }
    }
}

/// An error of a contract's operation.
///
/// `Display` is safe to show to the person who made the request for the kinds
/// `NotFound`, `AlreadyExists`, `Conflict`, `Unauthenticated`, `Denied`, `Refused`,
/// `Invalid`, `Limited`;
/// for the others a front end shows its own words. It never contains secrets.
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    message: String,
    field: Option<&'static str>,
    retry_after: Option<Duration>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The result of a contract's operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind`, with a message in lower case and without full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                operation: "",
                message: message.into(),
                field: None,
                retry_after: None,
                source: None,
            }),
        }
    }

    /// Shorthand for [`ErrorKind::Invalid`] about one named input.
    pub fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::Invalid, message);
        error.inner.field = Some(field);
        error
    }

    /// Shorthand for [`ErrorKind::NotFound`]: "there is no such `what`".
    pub fn not_found(what: &str) -> Self {
        Self::new(ErrorKind::NotFound, format!("there is no such {what}"))
    }

    /// Shorthand for [`ErrorKind::Conflict`] of a stale version of `what`.
    pub fn stale(what: &str) -> Self {
        Self::new(
            ErrorKind::Conflict,
            format!("the {what} has changed since it was read"),
        )
    }

    /// Shorthand for [`ErrorKind::Refused`].
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Refused, message)
    }

    /// Shorthand for [`ErrorKind::Internal`].
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// Shorthand for [`ErrorKind::Limited`] with the time to wait.
    pub fn limited(retry_after: Duration) -> Self {
        let mut error = Self::new(ErrorKind::Limited, "too many tries");
        error.inner.retry_after = Some(retry_after);
        error
    }

    /// Names the operation, for the log.
    #[must_use]
    pub fn during(mut self, operation: &'static str) -> Self {
        if self.inner.operation.is_empty() {
            self.inner.operation = operation;
        }
        self
    }

    /// Attaches what caused it, for the log.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Which input was wrong, for [`ErrorKind::Invalid`].
    pub fn field(&self) -> Option<&'static str> {
        self.inner.field
    }

    /// What to tell, see the type's documentation for whom.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// How long to wait, for [`ErrorKind::Limited`] and sometimes [`ErrorKind::Unavailable`].
    pub fn retry_after(&self) -> Option<Duration> {
        self.inner.retry_after
    }

    /// Sets how long to wait before trying again.
    #[must_use]
    pub fn retry_in(mut self, wait: Duration) -> Self {
        self.inner.retry_after = Some(wait);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inner.kind.as_str())?;
        if !self.inner.operation.is_empty() {
            write!(f, " during {}", self.inner.operation)?;
        }
        write!(f, ": {}", self.inner.message)?;
        let mut source = self.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner
            .source
            .as_ref()
            .map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_tells_the_whole_chain_and_display_only_the_message() {
        let error = Error::new(ErrorKind::Unavailable, "the storage does not answer")
            .because(std::io::Error::other("disk on fire"))
            .during("users.create");
        assert_eq!(error.to_string(), "the storage does not answer");
        assert_eq!(
            format!("{error:?}"),
            "unavailable during users.create: the storage does not answer: disk on fire"
        );
    }
}
