use gatelodge_architecture::names::{aggregates, check};
use gatelodge_architecture::workspace::{Crate, Dependency};
use gatelodge_architecture::{Tree, Workspace};

const BASE: [(&str, &str); 7] = [
    (
        "core/src/storage/users.rs",
        "pub trait UserRepository: Send {}",
    ),
    ("core/src/storage/scope.rs", "pub enum Scope { Tenant }"),
    ("providers/totp/src/lib.rs", ""),
    ("providers/totp/tests/suite.rs", ""),
    ("storage/sqlite/src/lib.rs", ""),
    ("storage/sqlite/src/users.rs", ""),
    ("storage/sqlite/tests/suite.rs", ""),
];

fn tree(added: &str) -> Tree {
    Tree::of(BASE.into_iter().chain([(added, "")]))
}

fn places(tree: &Tree) -> Vec<String> {
    let member = |folder: &str| Crate {
        folder: folder.to_owned(),
        ..Crate::default()
    };
    let workspace = Workspace {
        crates: vec![member("providers/totp"), member("storage/sqlite")],
    };
    let violations = check(&workspace, tree);
    violations.into_iter().map(|v| v.place).collect()
}

#[test]
fn files_of_the_lists_pass() {
    for path in [
        "providers/totp/src/config.rs",
        "providers/totp/src/provider.rs",
        "providers/totp/src/protocol.rs",
        "providers/totp/src/protocol/code.rs",
        "providers/totp/src/error.rs",
        "providers/totp/README.md",
        "providers/totp/benches/codes.rs",
        "storage/sqlite/src/unit_of_work.rs",
        "storage/sqlite/src/writer.rs",
        "storage/sqlite/src/writer/tests.rs",
        "storage/sqlite/src/changes.rs",
        "storage/sqlite/src/reader.rs",
        "storage/sqlite/migrations/0001_base.sql",
    ] {
        assert!(places(&tree(path)).is_empty(), "{path}");
    }
}

#[test]
fn files_of_other_names_fail() {
    for path in [
        "providers/totp/src/helpers.rs",
        "providers/totp/src/users.rs",
        "providers/totp/src/provider/steps.rs",
        "providers/totp/tests/more.rs",
        "providers/totp/build.rs",
        "storage/sqlite/src/helpers.rs",
        "storage/sqlite/src/scope.rs",
        "storage/sqlite/src/users/rows.rs",
        "storage/sqlite/src/helpers/tests.rs",
        "storage/sqlite/src/users.sql",
        "storage/sqlite/tests/more.rs",
    ] {
        assert_eq!(places(&tree(path)), [path]);
    }
}

#[test]
fn a_backend_without_a_file_for_an_aggregate_fails() {
    let files = BASE
        .into_iter()
        .filter(|(path, _)| *path != "storage/sqlite/src/users.rs");
    assert_eq!(places(&Tree::of(files)), ["storage/sqlite/src/users.rs"]);
}

#[test]
fn sql_backends_share_the_files_of_their_aggregates() {
    let sql = Crate {
        folder: "storage/sql".to_owned(),
        ..Crate::default()
    };
    let backend = Crate {
        folder: "storage/sqlite".to_owned(),
        dependencies: vec![Dependency {
            name: "gatelodge-storage-sql".to_owned(),
            ..Dependency::default()
        }],
        ..Crate::default()
    };
    let workspace = Workspace {
        crates: vec![sql, backend],
    };
    let places = |missing: &str| {
        let files = BASE.into_iter().chain([("storage/sql/src/users.rs", "")]);
        let tree = Tree::of(files.filter(|(path, _)| *path != missing));
        let violations = check(&workspace, &tree);
        violations.into_iter().map(|v| v.place).collect::<Vec<_>>()
    };
    assert_eq!(places("storage/sqlite/src/users.rs"), [""; 0]);
    assert_eq!(
        places("storage/sql/src/users.rs"),
        ["storage/sql/src/users.rs"]
    );
}

#[test]
fn a_folder_that_does_not_run_its_suite_fails() {
    for path in [
        "providers/totp/tests/suite.rs",
        "storage/sqlite/tests/suite.rs",
    ] {
        let files = BASE.into_iter().filter(|(file, _)| *file != path);
        assert_eq!(places(&Tree::of(files)), [path]);
    }
}

#[test]
fn an_aggregate_is_a_module_that_declares_a_repository() {
    let found = aggregates(&tree("core/src/storage/deeper/sessions.rs"));
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["users"]);
}
