//! What is wrong with a configuration, in words.

use std::{fmt, path::PathBuf};

use serde::{Serialize, Serializer};

/// Why a configuration was refused: one problem or more, one a line. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    /// Nothing if there are no problems, else the error that tells them all.
    pub(super) fn check(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Self { problems })
        }
    }

    /// What is wrong, in the order it was found. Never empty.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self {
            problems: vec![problem],
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.problems.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where the value at fault was written.
    pub place: Place,
    /// The key at fault, dotted (`server.listen`), if one is.
    pub key: Option<String>,
    /// What was expected. Names the key.
    pub text: String,
    /// What would help.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Nowhere: it is the default.
    Default,
    /// In the configuration file.
    File {
        /// The file, as it was named.
        path: PathBuf,
        /// The line, counted from 1, where it is known.
        line: Option<usize>,
    },
    /// In this environment variable.
    Environment(String),
    /// In this option of the command line.
    CommandLine(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("configuration"),
            Self::File { path, line: None } => write!(f, "file {}", path.display()),
            Self::File {
                path,
                line: Some(line),
            } => write!(f, "file {}, line {line}", path.display()),
            Self::Environment(variable) => write!(f, "environment variable {variable}"),
            Self::CommandLine(option) => write!(f, "command line {option}"),
        }
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A problem whose place is not known yet.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) key: String,
    pub(super) text: String,
    pub(super) hint: Option<String>,
}

impl Finding {
    /// `rest` goes on after the key: "must be …".
    pub(super) fn new(key: impl Into<String>, rest: impl fmt::Display) -> Self {
        let key = key.into();
        Self {
            text: format!("`{key}` {rest}"),
            key,
            hint: None,
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn at(self, place: Place) -> Problem {
        Problem {
            place,
            key: Some(self.key),
            text: self.text,
            hint: self.hint,
        }
    }
}
