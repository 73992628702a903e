//! Which tests prove what.

mod label;
mod list;
mod report;
mod source;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

pub use label::Label;
pub use list::{Attack, Requirement, attacks, requirements};
pub use source::{Test, tests_in};

/// The tests of a repository, and what they claim to prove.
#[derive(Debug)]
pub struct Coverage {
    tests: Vec<Test>,
    by_label: BTreeMap<Label, Vec<usize>>,
}

/// The folder of this repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl Coverage {
    /// Reads all sources below `root`.
    ///
    /// # Errors
    /// What the file system says.
    pub fn of(root: &Path) -> io::Result<Self> {
        let mut tests = Vec::new();
        for (path, text) in source::sources(root)? {
            tests.extend(tests_in(&path, &text));
        }
        Ok(Self::from_tests(tests))
    }

    /// The coverage by these tests.
    pub fn from_tests(tests: Vec<Test>) -> Self {
        let mut by_label: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (index, test) in tests.iter().enumerate() {
            for label in &test.labels {
                by_label.entry(label.clone()).or_default().push(index);
            }
        }
        Self { tests, by_label }
    }

    /// The tests that prove what the label stands for.
    pub fn proofs(&self, label: &Label) -> impl Iterator<Item = &Test> {
        let found = self.by_label.get(label).into_iter().flatten();
        found.filter_map(|index| self.tests.get(*index))
    }

    /// Whether any test proves it.
    pub fn is_proven(&self, label: &Label) -> bool {
        self.by_label.contains_key(label)
    }

    /// What does not add up, in words: attacks that apply and are not tried, tests of attacks that are said to apply
    /// later, labels that stand for nothing.
    pub fn problems(&self) -> Vec<String> {
        let (attacks, requirements) = (attacks(), requirements());
        let mut problems = Vec::new();
        for attack in &attacks {
            let label = Label::Attack(attack.number);
            // What the suites show of every provider comes before the providers do.
            let is_tried = self.proofs(&label).any(|test| !test.is_case());
            match (&attack.later, is_tried) {
                (None, false) => problems.push(format!("{label} applies and no test tries it")),
                (Some(why), true) => problems.push(format!(
                    "{label} has a test, but tests/attacks/data/attacks.txt says `later: {why}`"
                )),
                _ => {}
            }
        }
        for (label, tests) in &self.by_label {
            let is_known = match label {
                Label::Attack(number) => attacks.iter().any(|attack| attack.number == *number),
                Label::Requirement(number) => requirements.iter().any(|one| one.number == *number),
                Label::Claim(number) => (1..=label::CLAIMS).contains(number),
                Label::Capability(letter, number) => label::is_capability(*letter, *number),
            };
            let named = tests.iter().filter_map(|index| self.tests.get(*index));
            for test in named.filter(|_| !is_known) {
                problems.push(format!(
                    "{}:{}: `{}` names {label}, which stands for nothing",
                    test.file, test.line, test.name
                ));
            }
        }
        problems
    }
}
