//! The guards, tried on made-up violations and then run over the real tree.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic"
)]

mod guards {
    mod allowances;
    mod dependencies;
    mod documents;
    mod manifests;
    mod names;
    mod plugins;
    mod sizes;
    mod source;
    mod unfinished;
}

use std::path::{Path, PathBuf};

use gatelodge_architecture::{
    Allowance, Rule, Tree, Violation, Workspace, dependencies, documents, manifests, names,
    plugins, settle, sizes, unfinished, workspace,
};

/// Where a rule is broken on purpose. Each entry needs a reason, and fails when it is no longer needed.
const ALLOWANCES: &[Allowance] = &[];

#[test]
fn every_crate_depends_only_on_what_the_table_allows() {
    prove(&[Rule::Dependencies], dependencies::check(&the_workspace()));
}

#[test]
fn core_is_compiled_without_web_database_and_runtime() {
    let workspace = the_workspace();
    let mut violations = Vec::new();
    for member in ["core", "core/access"].map(|folder| workspace.at(folder)) {
        let Some(member) = member else { continue };
        let compiled = workspace::compiled_with(&root(), &member.name).unwrap();
        assert!(compiled.contains_key(&member.name), "{compiled:?}");
        violations.extend(dependencies::check_compiled(&member.folder, &compiled));
    }
    prove(&[Rule::Dependencies], violations);
}

#[test]
fn one_file_of_the_server_names_concrete_providers_and_backends() {
    prove(
        &[Rule::Registration],
        plugins::check_registration(&the_workspace(), &the_tree()),
    );
}

#[test]
fn nothing_branches_on_the_kind_of_a_provider_or_backend() {
    prove(
        &[Rule::Kind],
        plugins::check_kinds(&the_workspace(), &the_tree()),
    );
}

#[test]
fn files_of_providers_and_backends_take_their_names_from_the_lists() {
    prove(
        &[Rule::FileName],
        names::check(&the_workspace(), &the_tree()),
    );
}

#[test]
fn no_source_file_is_too_long() {
    prove(&[Rule::FileLength], sizes::check_files(&the_tree()));
}

#[test]
fn no_function_is_too_long() {
    prove(&[Rule::FunctionLength], sizes::check_functions(&the_tree()));
}

#[test]
fn every_crate_carries_description_documentation_and_lints() {
    prove(
        &[Rule::Manifest],
        manifests::check(&the_workspace(), &the_tree()),
    );
}

#[test]
fn nothing_is_unfinished_and_no_test_is_switched_off() {
    prove(&[Rule::Unfinished], unfinished::check(&the_tree()));
}

#[test]
fn the_map_names_every_crate_and_no_other() {
    let violations = documents::check_map(&the_workspace(), &the_tree());
    prove(&[Rule::Documents], violations);
}

#[test]
fn every_link_to_a_file_leads_there() {
    prove(&[Rule::Documents], documents::check_links(&the_tree()));
}

/// Fails with all violations that are not allowed, and with allowances of `rules` that are stale.
fn prove(rules: &[Rule], violations: Vec<Violation>) {
    let allowances: Vec<Allowance> = ALLOWANCES
        .iter()
        .filter(|allowance| rules.contains(&allowance.rule))
        .copied()
        .collect();
    let left = settle(violations, &allowances);
    let list: Vec<String> = left.iter().map(ToString::to_string).collect();
    assert!(
        left.is_empty(),
        "{} violations\n{}",
        left.len(),
        list.join("\n")
    );
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap().to_owned()
}

fn the_workspace() -> Workspace {
    Workspace::load(&root()).unwrap()
}

fn the_tree() -> Tree {
    Tree::read(&root()).unwrap()
}
