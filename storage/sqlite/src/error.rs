//! What SQLite says, and what it means to the contract.

use std::time::Duration;

use gatelodge_core::{Error, ErrorKind};
use gatelodge_storage_sql::taken;

/// What went wrong, before it leaves this crate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{message}")]
    Taken {
        message: &'static str,
        source: sqlx::Error,
    },
    #[error("what this refers to does not exist")]
    Dangling(#[source] sqlx::Error),
    #[error("a value is too long or out of range: {0}")]
    Rule(String, #[source] sqlx::Error),
    #[error("the database is locked by another process")]
    Locked(#[source] sqlx::Error),
    #[error("the disk is full, or the database has reached its greatest size")]
    Full(#[source] sqlx::Error),
    #[error("the database is read-only")]
    ReadOnly(#[source] sqlx::Error),
    #[error("the disk reports an error")]
    Disk(#[source] sqlx::Error),
    #[error("the database cannot be opened")]
    CannotOpen(#[source] sqlx::Error),
    #[error("the connection to the database broke")]
    Broken(#[source] sqlx::Error),
    #[error("the database is damaged")]
    Damaged(#[source] sqlx::Error),
    #[error("the file is not a database")]
    NotADatabase(#[source] sqlx::Error),
    #[error("its file system cannot share memory between processes; use a local disk")]
    NoWriteAheadLog,
    #[error("the storage is closed")]
    Closed,
    #[error("{0} write units are already waiting")]
    QueueFull(usize),
    #[error("no turn came within {0} seconds")]
    NoTurn(u64),
    #[error("another unit of work took this one down")]
    GroupLost,
    #[error("the database answered unexpectedly")]
    Other(#[source] sqlx::Error),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        let Some(database) = error.as_database_error() else {
            return match error {
                sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => Self::Broken(error),
                error => Self::Other(error),
            };
        };
        let code: u32 = database
            .code()
            .and_then(|code| code.parse().ok())
            .unwrap_or(0);
        // https://www.sqlite.org/rescode.html; the low byte is the primary code.
        match (code, code & 0xff) {
            (1555 | 2067 | 2579, _) => Self::taken(error),
            (787, _) => Self::Dangling(error),
            (275, _) => Self::rule(error),
            (_, 5 | 6) => Self::Locked(error),
            (_, 8) => Self::ReadOnly(error),
            (_, 7 | 9 | 10) => Self::Disk(error),
            (_, 11) => Self::Damaged(error),
            (_, 13) => Self::Full(error),
            (_, 14) => Self::CannotOpen(error),
            (_, 18) => Self::Rule("more than SQLite can hold".to_owned(), error),
            (_, 26) => Self::NotADatabase(error),
            _ => Self::Other(error),
        }
    }
}

impl Fault {
    fn taken(source: sqlx::Error) -> Self {
        Self::Taken {
            message: taken(&source.to_string()),
            source,
        }
    }

    fn rule(source: sqlx::Error) -> Self {
        let text = source.as_database_error().map(|error| error.message());
        let rule = text
            .and_then(|text| text.strip_prefix("CHECK constraint failed: "))
            .unwrap_or("a rule of the schema")
            .replace('_', " ");
        Self::Rule(rule, source)
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Taken { .. } => ErrorKind::AlreadyExists,
            Self::Dangling(_) => ErrorKind::NotFound,
            Self::Rule(..) => ErrorKind::Invalid,
            Self::Locked(_)
            | Self::Full(_)
            | Self::ReadOnly(_)
            | Self::Disk(_)
            | Self::CannotOpen(_)
            | Self::Broken(_)
            | Self::NoWriteAheadLog
            | Self::Closed
            | Self::QueueFull(_)
            | Self::NoTurn(_)
            | Self::GroupLost => ErrorKind::Unavailable,
            Self::Damaged(_) | Self::NotADatabase(_) => ErrorKind::Corrupt,
            Self::Other(_) => ErrorKind::Internal,
        }
    }

    /// What passes by itself, and when to try again.
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Locked(_) | Self::QueueFull(_) | Self::NoTurn(_) | Self::GroupLost => {
                Some(Duration::from_secs(1))
            }
            Self::Full(_) | Self::Disk(_) | Self::Broken(_) | Self::CannotOpen(_) => {
                Some(Duration::from_secs(10))
            }
            _ => None,
        }
    }

    /// What SQLite said; our own words are the message already.
    fn into_source(self) -> Option<Box<dyn std::error::Error + Send + Sync>> {
        match self {
            Self::Taken { source, .. }
            | Self::Dangling(source)
            | Self::Rule(_, source)
            | Self::Locked(source)
            | Self::Full(source)
            | Self::ReadOnly(source)
            | Self::Disk(source)
            | Self::CannotOpen(source)
            | Self::Broken(source)
            | Self::Damaged(source)
            | Self::NotADatabase(source)
            | Self::Other(source) => Some(Box::new(source)),
            Self::NoWriteAheadLog
            | Self::Closed
            | Self::QueueFull(_)
            | Self::NoTurn(_)
            | Self::GroupLost => None,
        }
    }

    /// The contract's error, with other words than this one's own.
    pub(crate) fn into_error(self, message: String) -> Error {
        let mut error = Error::new(self.kind(), message);
        if let Some(wait) = self.retry_after() {
            error = error.retry_in(wait);
        }
        match self.into_source() {
            Some(source) => error.because(source),
            None => error,
        }
    }

    /// The same verdict for another unit of the group that fell with it.
    pub(crate) fn for_the_group(&self) -> Error {
        if self.kind() != ErrorKind::Unavailable {
            return Error::from(Self::GroupLost).because(self.to_string());
        }
        let error = Error::new(ErrorKind::Unavailable, self.to_string());
        match self.retry_after() {
            Some(wait) => error.retry_in(wait),
            None => error,
        }
    }

    /// Whether the lock is another process's; everything else about a
    /// connection that failed outside a unit is cured by a new connection.
    pub(crate) fn is_locked(&self) -> bool {
        matches!(self, Self::Locked(_))
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let message = fault.to_string();
        fault.into_error(message)
    }
}
