//! What Postgres says, and what it means to the contract.

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
    #[error("a text cannot hold the character NUL")]
    Nul,
    #[error("another unit of work holds what this one needs")]
    Busy(#[source] sqlx::Error),
    #[error("the database took too long")]
    Slow(#[source] sqlx::Error),
    #[error("the unit of work lay idle for too long, and the database ended it")]
    Idle(#[source] sqlx::Error),
    #[error("the database has no room left, or as many connections as it may")]
    Full(#[source] sqlx::Error),
    #[error("the database can only be read now")]
    ReadOnly(#[source] sqlx::Error),
    #[error("the database is starting, stopping or gone")]
    Down(#[source] sqlx::Error),
    #[error(
        "no connection to the database came within {0:?}: it is out of reach, or all are in use"
    )]
    NoConnection(Duration),
    #[error("the account is not allowed to connect")]
    NotAllowedIn(#[source] sqlx::Error),
    #[error("there is no such database")]
    NoDatabase(#[source] sqlx::Error),
    #[error("the account lacks a right: {0}")]
    NotAllowed(String, #[source] sqlx::Error),
    #[error("the connection cannot be encrypted as asked for")]
    Tls(#[source] sqlx::Error),
    #[error("a prepared statement is gone, as behind a pooler; set `prepared_statements = false`")]
    Unprepared(#[source] sqlx::Error),
    #[error("the database is damaged")]
    Damaged(#[source] sqlx::Error),
    #[error("the storage is closed")]
    Closed,
    #[error("the database answered unexpectedly")]
    Other(#[source] sqlx::Error),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        let Some(database) = error.as_database_error() else {
            return match error {
                sqlx::Error::PoolClosed => Self::Closed,
                sqlx::Error::Io(_)
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::Protocol(_) => Self::Down(error),
                sqlx::Error::Tls(_) => Self::Tls(error),
                error => Self::Other(error),
            };
        };
        let code = database.code().unwrap_or_default().into_owned();
        // https://www.postgresql.org/docs/15/errcodes-appendix.html; the first two characters are the class.
        match (code.as_str(), code.get(..2).unwrap_or_default()) {
            ("23505", _) => Self::Taken {
                message: taken(database.constraint().unwrap_or_default()),
                source: error,
            },
            ("23503", _) => Self::Dangling(error),
            ("23514", _) => {
                let rule = database.constraint().unwrap_or("a rule of the schema");
                Self::Rule(rule.replace('_', " "), error)
            }
            (_, "22" | "54") => Self::Rule("not what Postgres can hold".to_owned(), error),
            ("40001" | "40P01" | "55P03", _) => Self::Busy(error),
            ("57014" | "25P04", _) => Self::Slow(error),
            ("25P03", _) => Self::Idle(error),
            ("25006", _) => Self::ReadOnly(error),
            (_, "53") => Self::Full(error),
            (_, "08" | "57" | "58") | ("55000" | "55006", _) => Self::Down(error),
            ("26000" | "42P05", _) => Self::Unprepared(error),
            (_, "28") => Self::NotAllowedIn(error),
            ("3D000", _) => Self::NoDatabase(error),
            ("42501", _) => Self::NotAllowed(database.message().to_owned(), error),
            ("XX001" | "XX002", _) => Self::Damaged(error),
            _ => Self::Other(error),
        }
    }
}

impl Fault {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Taken { .. } => ErrorKind::AlreadyExists,
            Self::Dangling(_) => ErrorKind::NotFound,
            Self::Rule(..) | Self::Nul => ErrorKind::Invalid,
            Self::Busy(_)
            | Self::Slow(_)
            | Self::Idle(_)
            | Self::Full(_)
            | Self::ReadOnly(_)
            | Self::Down(_)
            | Self::NoConnection(_)
            | Self::NotAllowedIn(_)
            | Self::NoDatabase(_)
            | Self::Tls(_)
            | Self::Closed => ErrorKind::Unavailable,
            Self::Damaged(_) => ErrorKind::Corrupt,
            Self::NotAllowed(..) | Self::Unprepared(_) | Self::Other(_) => ErrorKind::Internal,
        }
    }

    /// What passes by itself, and when to try again.
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy(_) | Self::Idle(_) | Self::Down(_) | Self::NoConnection(_) => {
                Some(Duration::from_secs(1))
            }
            Self::Slow(_) | Self::Full(_) | Self::ReadOnly(_) => Some(Duration::from_secs(10)),
            _ => None,
        }
    }

    /// What Postgres said; our own words are the message already.
    fn into_source(self) -> Option<sqlx::Error> {
        match self {
            Self::Taken { source, .. }
            | Self::Dangling(source)
            | Self::Rule(_, source)
            | Self::Busy(source)
            | Self::Slow(source)
            | Self::Idle(source)
            | Self::Full(source)
            | Self::ReadOnly(source)
            | Self::Down(source)
            | Self::NotAllowedIn(source)
            | Self::NoDatabase(source)
            | Self::NotAllowed(_, source)
            | Self::Tls(source)
            | Self::Unprepared(source)
            | Self::Damaged(source)
            | Self::Other(source) => Some(source),
            Self::Nul | Self::NoConnection(_) | Self::Closed => None,
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

    /// Whether the connection itself is of no use any more.
    pub(crate) fn is_down(&self) -> bool {
        matches!(self, Self::Down(_))
    }

    /// Whether another connection may do better.
    pub(crate) fn is_of_connection(&self) -> bool {
        matches!(self, Self::Down(_) | Self::NoConnection(_))
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let message = fault.to_string();
        fault.into_error(message)
    }
}

#[cfg(test)]
mod tests {
    use gatelodge_postgres::Database;
    use sqlx::{Connection as _, PgConnection};

    use super::*;

    /// What becomes of a connection that does nothing while `setting` is short.
    async fn fault_of(setting: &str) -> Fault {
        let database = Database::new();
        let mut connection = PgConnection::connect(&database.url()).await.unwrap();
        let begin = format!("SET {setting} = 1; BEGIN; SELECT pg_sleep(0)");
        let begun = sqlx::raw_sql(sqlx::AssertSqlSafe(begin));
        begun.execute(&mut connection).await.unwrap();
        let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        while database.sql(others) != "0" {}
        let asked = sqlx::raw_sql("SELECT 1").execute(&mut connection).await;
        asked.unwrap_err().into()
    }

    #[tokio::test]
    async fn a_unit_that_lay_idle_says_so_and_may_be_tried_again() {
        let fault = fault_of("idle_in_transaction_session_timeout").await;
        assert!(matches!(fault, Fault::Idle(_)), "{fault:?}");
        let error = Error::from(fault);
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("idle for too long"), "{error}");
        assert!(error.retry_after().is_some());
    }
}
