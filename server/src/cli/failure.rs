//! What can go wrong in a command, and what its exit code is.

use std::{error::Error as StdError, fmt, io};

use gatelodge_core::ErrorKind;
use serde_json::{Value, json};

use super::text::plain;
use crate::{app::StartError, config::ConfigError, http::problem::Code};

/// The exit code of a command that was refused or failed.
pub(super) const FAILED: u8 = 1;
/// The exit code of a command line that cannot be understood.
pub(super) const USAGE: u8 = 2;

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub(super) enum Failure {
    /// Whoever read the output went away, so there is nobody to tell.
    ReaderGone,
    /// Something to tell.
    Told(Problem),
}

/// What to tell: as lines for people, or as one document for programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) exit: u8,
    /// A stable short word.
    pub(super) code: &'static str,
    /// One line each; never none.
    pub(super) messages: Vec<String>,
}

impl Failure {
    /// Asked for, understood, and not done.
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self::with_exit(FAILED, code, message)
    }

    /// Not understood, or not asked for completely.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::with_exit(USAGE, "usage", message)
    }

    fn with_exit(exit: u8, code: &'static str, message: impl Into<String>) -> Self {
        Self::Told(Problem {
            exit,
            code,
            messages: vec![message.into()],
        })
    }
}

impl Problem {
    /// One line a message, as they go to standard error.
    pub(super) fn lines(&self) -> String {
        let line = |message: &String| format!("error: {}\n", plain(message));
        self.messages.iter().map(line).collect()
    }

    /// The same for programs. Several messages are also told one by one.
    pub(super) fn document(&self) -> Value {
        let mut document = json!({ "code": self.code, "message": self.messages.join("\n") });
        if let (true, Some(object)) = (self.messages.len() > 1, document.as_object_mut()) {
            object.insert("problems".to_owned(), json!(self.messages));
        }
        document
    }
}

impl From<gatelodge_core::Error> for Failure {
    fn from(error: gatelodge_core::Error) -> Self {
        let mut message = error.to_string();
        // Whoever runs this owns the machine: the cause helps and hurts nobody.
        if !is_for_everybody(error.kind()) {
            let mut cause = error.source();
            while let Some(inner) = cause {
                append_cause(&mut message, &inner.to_string());
                cause = inner.source();
            }
        }
        if let Some(advice) = advice(error.kind()) {
            message.push_str("; ");
            message.push_str(advice);
        }
        Self::new(code(error.kind()), message)
    }
}

/// The same words as those of the HTTP interface.
pub(super) fn code(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::AlreadyExists => Code::AlreadyExists,
        ErrorKind::Conflict => Code::Conflict,
        ErrorKind::Unauthenticated => Code::Unauthenticated,
        ErrorKind::Denied => Code::Denied,
        ErrorKind::Refused => Code::Refused,
        ErrorKind::Invalid => Code::ValidationFailed,
        ErrorKind::Limited => Code::TooManyRequests,
        ErrorKind::Unsupported => Code::NotImplemented,
        ErrorKind::Unavailable => Code::Unavailable,
        _ => Code::InternalError,
    }
    .as_str()
}

/// Some causes repeat what they cause, which helps nobody.
fn append_cause(message: &mut String, cause: &str) {
    if !message.contains(cause) {
        message.push_str(": ");
        message.push_str(cause);
    }
}

fn is_for_everybody(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NotFound
            | ErrorKind::AlreadyExists
            | ErrorKind::Conflict
            | ErrorKind::Unauthenticated
            | ErrorKind::Denied
            | ErrorKind::Refused
            | ErrorKind::Invalid
            | ErrorKind::Limited
    )
}

fn advice(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::Conflict => Some("somebody was faster, try again"),
        ErrorKind::Unavailable => {
            Some("nothing was changed, try again once the database can be used")
        }
        ErrorKind::Corrupt => Some("stop the server and restore a backup, or report this"),
        ErrorKind::Internal => Some("this is a defect, please report it"),
        _ => None,
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Told(Problem {
            exit: FAILED,
            code: "invalid_configuration",
            messages: error.problems().iter().map(ToString::to_string).collect(),
        })
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Config(error) => error.into(),
            StartError::Platform(error) => error.into(),
            error => Self::new("cannot_start", one_line(&error)),
        }
    }
}

fn one_line(error: &dyn fmt::Display) -> String {
    error.to_string().replace('\n', "; ")
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::ReaderGone;
        }
        Self::new("output", format!("the output cannot be written: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use gatelodge_core::Error;

    use super::*;

    fn told(failure: Failure) -> Problem {
        match failure {
            Failure::Told(problem) => problem,
            Failure::ReaderGone => panic!("nothing was told"),
        }
    }

    #[test]
    fn the_operator_is_told_the_cause() {
        let error = Error::new(ErrorKind::Unavailable, "the storage does not answer")
            .because(io::Error::other("no space left on device"));
        let problem = told(error.into());
        assert_eq!(problem.exit, FAILED);
        assert_eq!(problem.code, "unavailable");
        assert_eq!(
            problem.lines(),
            "error: the storage does not answer: no space left on device; nothing was changed, try again once the \
             database can be used\n"
        );
    }

    #[test]
    fn a_cause_that_repeats_its_error_is_told_once() {
        let error = Error::internal("the disk is on fire").because(io::Error::other("on fire"));
        assert_eq!(
            told(error.into()).messages,
            ["the disk is on fire; this is a defect, please report it"]
        );
    }

    #[test]
    fn an_error_is_one_line_whatever_is_in_it() {
        let problem = told(Failure::new("refused", "a\nb\u{1b}[2Jc\u{2028}d"));
        assert_eq!(problem.lines().lines().count(), 1);
        assert_eq!(problem.lines(), "error: a\\nb\\u{1b}[2Jc\\u{2028}d\n");
    }

    #[test]
    fn a_program_gets_code_and_message() {
        let problem = told(Error::refused("not so").into());
        assert_eq!(
            problem.document(),
            json!({ "code": "refused", "message": "not so" })
        );
    }

    #[test]
    fn several_problems_are_several_lines() {
        let problem = Problem {
            exit: FAILED,
            code: "invalid_configuration",
            messages: vec!["one".to_owned(), "two".to_owned()],
        };
        assert_eq!(problem.lines(), "error: one\nerror: two\n");
        assert_eq!(
            problem.document(),
            json!({ "code": "invalid_configuration", "message": "one\ntwo", "problems": ["one", "two"] })
        );
    }

    #[test]
    fn a_closed_pipe_is_nothing_to_talk_about() {
        let failure = io::Error::from(io::ErrorKind::BrokenPipe).into();
        assert!(matches!(failure, Failure::ReaderGone));
    }
}
