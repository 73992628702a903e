//! The documents match the tree: the map names every crate, and every link to a file leads to one.

use std::collections::BTreeSet;

use crate::{Rule, Tree, Violation, Workspace};

/// The map of the crates.
pub const MAP: &str = "ARCHITECTURE.md";

/// Names that look like a crate's and are none.
const NO_CRATES: [&str; 1] = ["gatelodge-data"];

/// Checks that [`MAP`] names every crate of the workspace and no other.
pub fn check_map(workspace: &Workspace, tree: &Tree) -> Vec<Violation> {
    let Some(map) = tree.text(MAP) else {
        return vec![Violation::new(
            Rule::Documents,
            MAP,
            "there is no map",
            "write the page that says which crate does what",
        )];
    };
    let named = crate_names(map);
    let mut violations = Vec::new();
    for member in &workspace.crates {
        if !named.contains(member.name.as_str()) {
            violations.push(Violation::new(
                Rule::Documents,
                format!("{MAP}: {}", member.name),
                "the map leaves this crate out",
                "say there what it does",
            ));
        }
    }
    for name in named {
        if workspace.named(name).is_none() && !NO_CRATES.contains(&name) {
            violations.push(Violation::new(
                Rule::Documents,
                format!("{MAP}: {name}"),
                "the map names a crate that does not exist",
                "take it out, or write it as a pattern (`gatelodge-provider-<x>`)",
            ));
        }
    }
    violations
}

/// Checks that every link from a Markdown file to a file or folder of the tree leads there.
pub fn check_links(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in tree.with_extension("md") {
        for target in links(text) {
            let Some(file) = local_file(&target) else {
                continue;
            };
            let resolved = resolve(path, file);
            if !resolved.as_deref().is_some_and(|file| tree.has(file)) {
                violations.push(Violation::new(
                    Rule::Documents,
                    format!("{path}: {target}"),
                    "the link leads nowhere",
                    "correct the path, which counts from the document's own folder, or write the file",
                ));
            }
        }
    }
    violations
}

/// Every `gatelodge-…` in `text` that is a whole name and no pattern such as `gatelodge-provider-<x>`.
fn crate_names(text: &str) -> BTreeSet<&str> {
    let is_part = |char: char| char.is_ascii_alphanumeric() || char == '-' || char == '_';
    let mut names = BTreeSet::new();
    let mut rest = text;
    while let Some(start) = rest.find("gatelodge-") {
        let (before, name_on) = rest.split_at(start);
        let end = name_on.find(|char| !is_part(char)).unwrap_or(name_on.len());
        let (name, after) = name_on.split_at(end);
        let is_whole = !before.ends_with(|char: char| is_part(char) || char == '.');
        let is_pattern = name.ends_with('-') || after.starts_with(['*', '<', '{', '…']);
        if is_whole && !is_pattern {
            names.insert(name);
        }
        rest = after;
    }
    names
}

/// The targets of all links and images, inline and by reference, outside code.
fn links(text: &str) -> Vec<String> {
    let text = without_code(text);
    let mut targets = Vec::new();
    for line in text.lines() {
        let definition = line
            .trim_start()
            .strip_prefix('[')
            .and_then(|line| line.split_once("]:"));
        if let Some((_, target)) = definition {
            targets.extend(target.split_whitespace().next().map(str::to_owned));
        }
    }
    let mut rest = text.as_str();
    while let Some((_, after)) = rest.split_once("](") {
        let (target, behind) = after.split_once(')').unwrap_or((after, ""));
        targets.extend(target.split_whitespace().next().map(str::to_owned));
        rest = behind;
    }
    targets
}

/// `text` without fenced blocks and code spans.
fn without_code(text: &str) -> String {
    let mut kept = String::new();
    let mut fence = None;
    for line in text.lines() {
        let start = line.trim_start();
        let opens = ["```", "~~~"]
            .into_iter()
            .find(|mark| start.starts_with(mark));
        match (fence, opens) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (Some(_), _) => {}
            (None, None) => {
                let outside = line.split('`').step_by(2).collect::<Vec<_>>();
                kept.push_str(&outside.join(" "));
                kept.push('\n');
            }
        }
    }
    kept
}

/// The path of a link that stays in the tree; nothing for addresses, anchors of the same page and Rust paths.
fn local_file(target: &str) -> Option<&str> {
    let target = target.trim_start_matches('<').trim_end_matches('>');
    let file = target.split(['#', '?']).next().unwrap_or_default();
    let is_elsewhere = file.is_empty()
        || file.contains("://")
        || file.contains("::")
        || file.starts_with("mailto:");
    (!is_elsewhere).then_some(file)
}

/// The path from the root that `file`, as written in `document`, stands for; nothing when it leaves the root.
fn resolve(document: &str, file: &str) -> Option<String> {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    if file.starts_with('/') {
        return None;
    }
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
