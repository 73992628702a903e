//! Who knows one provider knows all: the files in provider and backend folders take their names from one list each.

use std::collections::BTreeSet;

use crate::dependencies::Area;
use crate::source::{self, Token};
use crate::workspace::{Dependency, Kind};
use crate::{Rule, Tree, Violation, Workspace};

/// Where core declares one repository trait per aggregate.
const AGGREGATES: &str = "core/src/storage/";

const PROVIDER_FILES: [&str; 5] = ["lib", "config", "provider", "protocol", "error"];
const BACKEND_FILES: [&str; 8] = [
    "lib",
    "config",
    "unit_of_work",
    "error",
    "writer",
    "changes",
    "reader",
    "schema",
];

/// Checks the Rust and SQL files of every provider and backend against the lists. A backend that uses `storage/sql` has
/// its aggregates there.
pub fn check(workspace: &Workspace, tree: &Tree) -> Vec<Violation> {
    let aggregates = aggregates(tree);
    let mut violations = Vec::new();
    for member in &workspace.crates {
        let folder = member.folder.as_str();
        match Area::of(folder) {
            Some(Area::Provider) => violations.extend(check_provider(folder, tree)),
            Some(Area::SqlHelper) => {
                violations.extend(missing_aggregates(folder, tree, &aggregates))
            }
            Some(Area::Backend) => {
                violations.extend(check_backend(folder, tree, &aggregates));
                let shares = |dependency: &Dependency| {
                    dependency.kind == Kind::Normal && dependency.name == "gatelodge-storage-sql"
                };
                if !member.dependencies.iter().any(shares) {
                    violations.extend(missing_aggregates(folder, tree, &aggregates));
                }
            }
            _ => {}
        }
    }
    violations
}

/// The names of the modules in core that declare a repository: each is a file in every backend.
pub fn aggregates(tree: &Tree) -> BTreeSet<String> {
    tree.with_extension("rs")
        .filter(|(_, text)| declares_repository(&source::tokens(text)))
        .filter_map(|(path, _)| {
            let name = path.strip_prefix(AGGREGATES)?.strip_suffix(".rs")?;
            (!name.contains('/')).then(|| name.to_owned())
        })
        .collect()
}

fn check_provider(folder: &str, tree: &Tree) -> Vec<Violation> {
    let mut violations = missing_suite(folder, tree);
    for path in tree.below(folder).filter(|path| path.ends_with(".rs")) {
        let is_listed = match (source_name(path), path.strip_prefix("src/")) {
            (Some(name), _) => PROVIDER_FILES.contains(&name),
            (None, Some(nested)) => nested.starts_with("protocol/"),
            (None, None) => is_outside_source(path),
        };
        if !is_listed {
            violations.push(Violation::new(
                Rule::FileName,
                format!("{folder}/{path}"),
                "not a file name of a provider",
                "move it into one of src/{lib,config,provider,protocol,error}.rs, src/protocol/ or tests/suite.rs",
            ));
        }
    }
    violations
}

fn check_backend(folder: &str, tree: &Tree, aggregates: &BTreeSet<String>) -> Vec<Violation> {
    let mut violations = missing_suite(folder, tree);
    for path in tree.below(folder) {
        // Tests of what no public door reaches may stand beside a long file.
        let is_listed = match source_name(path).or_else(|| tests_of(path)) {
            Some(name) => BACKEND_FILES.contains(&name) || aggregates.contains(name),
            None if path.ends_with(".rs") => is_outside_source(path),
            None => !path.ends_with(".sql") || path.starts_with("migrations/"),
        };
        if !is_listed {
            violations.push(Violation::new(
                Rule::FileName,
                format!("{folder}/{path}"),
                "not a file name of a backend",
                "move it into src/{lib,config,unit_of_work,error,writer,changes,reader,schema}.rs, a file named like the \
                 module of core/src/storage that declares its repository, migrations/ or tests/suite.rs",
            ));
        }
    }
    violations
}

/// Each aggregate is a file of its own, in a backend or in what SQL backends share.
fn missing_aggregates(folder: &str, tree: &Tree, aggregates: &BTreeSet<String>) -> Vec<Violation> {
    let missing = |aggregate: &&String| {
        let path = format!("{folder}/src/{aggregate}.rs");
        tree.text(&path).is_none()
    };
    aggregates
        .iter()
        .filter(missing)
        .map(|aggregate| {
            Violation::new(
                Rule::FileName,
                format!("{folder}/src/{aggregate}.rs"),
                format!("the backend has no file for the aggregate `{aggregate}`"),
                format!("implement the repository of {AGGREGATES}{aggregate}.rs there"),
            )
        })
        .collect()
}

fn missing_suite(folder: &str, tree: &Tree) -> Vec<Violation> {
    let path = format!("{folder}/tests/suite.rs");
    if tree.text(&path).is_some() {
        return Vec::new();
    }
    vec![Violation::new(
        Rule::FileName,
        path,
        "the behaviour suite is not run",
        "expand `provider_suite!` or `storage_suite!` there",
    )]
}

/// `writer` for `src/writer/tests.rs`.
fn tests_of(path: &str) -> Option<&str> {
    path.strip_prefix("src/")?.strip_suffix("/tests.rs")
}

/// `config` for `src/config.rs`; nothing for files in deeper folders.
fn source_name(path: &str) -> Option<&str> {
    let name = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    (!name.contains('/')).then_some(name)
}

/// What may stand beside `src`: the suite with modules of its own, and benches.
fn is_outside_source(path: &str) -> bool {
    path == "tests/suite.rs" || path.starts_with("tests/suite/") || path.starts_with("benches/")
}

fn declares_repository(tokens: &[Token]) -> bool {
    tokens.windows(2).any(|pair| match pair {
        [first, second] => {
            first.is_word("trait")
                && second
                    .word()
                    .is_some_and(|name| name.ends_with("Repository"))
        }
        _ => false,
    })
}
