//! Guards of the architecture.
//!
//! What Gatelodge promises about its own shape (who may depend on whom, where a concrete provider may be named, how
//! files are called, how long they get, that the documents match the code) is proved here and not left to reviewers.
//!
//! A guard is a pure function from a [`Workspace`] or a [`Tree`] to a list of [`Violation`]s. `tests/guards` feeds each
//! guard made-up violations, because a guard that cannot fail guards nothing; `tests/main.rs` then runs all of them over
//! the real tree. Every violation says what to do. Where a rule must be broken, an [`Allowance`] with a reason goes into
//! the list in `tests/main.rs`; one that is no longer needed fails.

pub mod dependencies;
pub mod documents;
pub mod manifests;
pub mod names;
pub mod plugins;
pub mod sizes;
pub mod source;
pub mod tree;
pub mod unfinished;
pub mod workspace;

use std::collections::BTreeSet;
use std::fmt;

pub use tree::Tree;
pub use workspace::Workspace;

/// What a guard watches over; part of the key of an [`Allowance`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// The table of who may depend on whom.
    Dependencies,
    /// Concrete providers and backends are named in one file of the server.
    Registration,
    /// Nothing branches on a provider's or backend's kind.
    Kind,
    /// File names in provider and backend folders come from one list.
    FileName,
    /// No source file is longer than [`sizes::MAX_FILE_LINES`].
    FileLength,
    /// No function is longer than [`sizes::MAX_FUNCTION_LINES`].
    FunctionLength,
    /// What every crate's manifest and documentation carries.
    Manifest,
    /// No unfinished code and no test that is never run.
    Unfinished,
    /// The documents match the tree.
    Documents,
    /// An allowance that allows nothing any more.
    StaleAllowance,
}

/// One thing that is not as the architecture says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The broken rule.
    pub rule: Rule,
    /// Where: a path from the root, with the item if the rule is about one. Carries no line number, so that it can be
    /// the key of an [`Allowance`].
    pub place: String,
    /// What was found there.
    pub found: String,
    /// What to do about it.
    pub remedy: String,
}

impl Violation {
    /// A violation of `rule` at `place`.
    pub fn new(
        rule: Rule,
        place: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            rule,
            place: place.into(),
            found: found.into(),
            remedy: remedy.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "[{:?}] {}: {}\n    to do: {}",
            self.rule, self.place, self.found, self.remedy
        )
    }
}

/// A violation that is accepted, and why.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    /// The rule that is broken.
    pub rule: Rule,
    /// The [`Violation::place`] it is broken at.
    pub place: &'static str,
    /// Why that is right there.
    pub reason: &'static str,
}

/// Takes what is allowed out of `violations` and adds one for each allowance that is stale or has no reason.
pub fn settle(violations: Vec<Violation>, allowances: &[Allowance]) -> Vec<Violation> {
    let found: BTreeSet<(Rule, String)> = violations
        .iter()
        .map(|v| (v.rule, v.place.clone()))
        .collect();
    let allowed = |v: &Violation| {
        allowances
            .iter()
            .any(|a| a.rule == v.rule && a.place == v.place)
    };
    let mut left: Vec<Violation> = violations.into_iter().filter(|v| !allowed(v)).collect();
    for allowance in allowances {
        if !found.contains(&(allowance.rule, allowance.place.to_owned())) {
            left.push(Violation::new(
                Rule::StaleAllowance,
                allowance.place,
                format!("nothing there breaks {:?} any more", allowance.rule),
                "remove the allowance from tests/architecture/tests/main.rs",
            ));
        } else if allowance.reason.split_whitespace().count() < 5 {
            left.push(Violation::new(
                Rule::StaleAllowance,
                allowance.place,
                "the allowance gives no reason",
                "say in a sentence why the rule is wrong there",
            ));
        }
    }
    left
}
