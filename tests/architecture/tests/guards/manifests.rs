use gatelodge_architecture::manifests::check;
use gatelodge_architecture::workspace::Crate;
use gatelodge_architecture::{Tree, Workspace};

const GOOD: &str = "[package]\nname = \"gatelodge-e2e\"\n\n[lints]\nworkspace = true\n";

fn member() -> Crate {
    Crate {
        name: "gatelodge-e2e".to_owned(),
        folder: "tests/e2e".to_owned(),
        description: Some("the real binary in a real browser".to_owned()),
        ..Crate::default()
    }
}

/// What is found wrong with `member` when its files are `files`.
fn found<'a>(member: Crate, files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let workspace = Workspace {
        crates: vec![member],
    };
    let violations = check(&workspace, &Tree::of(files));
    violations.into_iter().map(|v| v.found).collect()
}

#[test]
fn a_crate_with_everything_passes() {
    for documentation in [
        "//! What it is.",
        "#![doc = include_str!(\"../README.md\")]",
    ] {
        let files = [
            ("tests/e2e/Cargo.toml", GOOD),
            ("tests/e2e/src/lib.rs", documentation),
        ];
        assert!(found(member(), files).is_empty());
    }
}

#[test]
fn a_crate_without_a_description_fails() {
    for description in [None, Some("  ".to_owned())] {
        let changed = Crate {
            description,
            ..member()
        };
        let files = [
            ("tests/e2e/Cargo.toml", GOOD),
            ("tests/e2e/README.md", "text"),
        ];
        assert_eq!(found(changed, files), ["no description"]);
    }
}

#[test]
fn a_crate_without_documentation_fails() {
    let files = [
        ("tests/e2e/Cargo.toml", GOOD),
        ("tests/e2e/src/lib.rs", "pub mod a; //! late"),
    ];
    let found = found(member(), files);
    assert!(found[0].starts_with("neither a README.md"), "{found:?}");
}

#[test]
fn a_crate_with_lints_of_its_own_fails() {
    for manifest in [
        "[package]",
        "[lints]\nworkspace = false",
        "[lints.rust]\nunsafe_code = \"deny\"",
        "no manifest",
    ] {
        let files = [
            ("tests/e2e/Cargo.toml", manifest),
            ("tests/e2e/README.md", "text"),
        ];
        assert_eq!(
            found(member(), files),
            ["does not use the workspace's lints"]
        );
    }
}

#[test]
fn a_test_program_that_could_be_published_fails() {
    let changed = Crate {
        published: true,
        ..member()
    };
    let files = [
        ("tests/e2e/Cargo.toml", GOOD),
        ("tests/e2e/README.md", "text"),
    ];
    assert_eq!(found(changed, files), ["could be published"]);
}

#[test]
fn a_manifest_outside_the_workspace_fails() {
    let files = [
        ("Cargo.toml", "[workspace]"),
        ("fuzz/Cargo.toml", "[package]"),
        ("tests/e2e/Cargo.toml", GOOD),
        ("tests/e2e/README.md", "text"),
        ("providers/lost/Cargo.toml", GOOD),
    ];
    let found = found(member(), files);
    assert!(found[0].starts_with("not a member"), "{found:?}");
    assert_eq!(found.len(), 1);
}
