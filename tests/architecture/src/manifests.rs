//! What every crate carries: a description, documentation of its own, the workspace's lints.

use crate::dependencies::Area;
use crate::{Rule, Tree, Violation, Workspace};

/// Folders whose manifests stand outside the workspace on purpose.
const OUTSIDE: [&str; 1] = ["fuzz/"];

/// Checks every crate, and that no manifest was left out of the workspace.
pub fn check(workspace: &Workspace, tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for member in &workspace.crates {
        let folder = member.folder.as_str();
        let manifest = format!("{folder}/Cargo.toml");
        let mut violation = |found: &str, remedy: &str| {
            violations.push(Violation::new(Rule::Manifest, &manifest, found, remedy));
        };
        if member
            .description
            .as_deref()
            .unwrap_or_default()
            .trim()
            .is_empty()
        {
            violation("no description", "say in one line what the crate is");
        }
        if !is_documented(folder, tree) {
            violation(
                "neither a README.md nor documentation at the head of src/lib.rs",
                "write what the crate is for and how to start with it",
            );
        }
        if !inherits_lints(tree.text(&manifest).unwrap_or_default()) {
            violation(
                "does not use the workspace's lints",
                "add `[lints]` with `workspace = true`",
            );
        }
        let is_internal = matches!(
            Area::of(folder),
            Some(Area::Fixture | Area::Harness | Area::Example | Area::EmbeddedExample)
        );
        if is_internal && member.published {
            violation("could be published", "add `publish = false`");
        }
    }
    violations.extend(check_members(workspace, tree));
    violations
}

fn check_members(workspace: &Workspace, tree: &Tree) -> Vec<Violation> {
    tree.paths()
        .filter(|path| !OUTSIDE.iter().any(|outside| path.starts_with(outside)))
        .filter_map(|path| path.strip_suffix("/Cargo.toml"))
        .filter(|folder| workspace.at(folder).is_none())
        .map(|folder| {
            Violation::new(
                Rule::Manifest,
                format!("{folder}/Cargo.toml"),
                "not a member of the workspace, so nothing builds or tests it",
                "add it to `members` in the root's Cargo.toml",
            )
        })
        .collect()
}

fn is_documented(folder: &str, tree: &Tree) -> bool {
    let file = |name: &str| tree.text(&format!("{folder}/{name}"));
    let has_crate_doc = |text: &str| {
        let text = text.trim_start();
        text.starts_with("//!") || text.starts_with("#![doc")
    };
    let readme = file("README.md").is_some_and(|text| !text.trim().is_empty());
    readme
        || file("src/lib.rs").is_some_and(has_crate_doc)
        || file("src/main.rs").is_some_and(has_crate_doc)
}

fn inherits_lints(manifest: &str) -> bool {
    let Ok(manifest) = manifest.parse::<toml::Table>() else {
        return false;
    };
    manifest
        .get("lints")
        .and_then(|lints| lints.get("workspace"))
        .and_then(toml::Value::as_bool)
        .unwrap_or(false)
}
