use gatelodge_architecture::plugins::{REGISTER, check_kinds, check_registration};
use gatelodge_architecture::workspace::Crate;
use gatelodge_architecture::{Tree, Workspace};

const REGISTERED: &str =
    "fn all() { gatelodge_provider_one_time::register(); gatelodge_storage_sqlite::register(); }";

fn workspace() -> Workspace {
    let member = |name: &str, folder: &str| Crate {
        name: name.to_owned(),
        folder: folder.to_owned(),
        ..Crate::default()
    };
    Workspace {
        crates: vec![
            member("gatelodge-core", "core"),
            member("gatelodge-provider-one-time", "providers/one-time"),
            member("gatelodge-storage-sqlite", "storage/sqlite"),
        ],
    }
}

fn unregistered<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let violations = check_registration(&workspace(), &Tree::of(files));
    violations.into_iter().map(|v| v.place).collect()
}

/// How many places of `text`, as a file of core, depend on a kind.
fn kinds(text: &str) -> usize {
    kinds_in("core/src/engine.rs", text)
}

fn kinds_in(path: &str, text: &str) -> usize {
    check_kinds(&workspace(), &Tree::of([(path, text)])).len()
}

#[test]
fn one_file_that_registers_everything_passes() {
    let files = [
        (REGISTER, REGISTERED),
        (
            "server/src/lib.rs",
            "//! not gatelodge_storage_sqlite\nfn a() { \"gatelodge_storage_sqlite\"; }",
        ),
        ("server/tests/a.rs", "use gatelodge_storage_sqlite::Sqlite;"),
    ];
    assert!(unregistered(files).is_empty());
}

#[test]
fn another_file_that_names_a_concrete_crate_fails() {
    for text in [
        "use gatelodge_storage_sqlite::Sqlite;",
        "fn a() { gatelodge_provider_other::b(); }",
    ] {
        let found = unregistered([(REGISTER, REGISTERED), ("server/src/http/a.rs", text)]);
        assert_eq!(found, ["server/src/http/a.rs"]);
    }
}

#[test]
fn a_provider_or_backend_without_a_register_line_fails() {
    let text = "// gatelodge_provider_one_time\nfn all() { gatelodge_storage_sqlite::register(); }";
    assert_eq!(unregistered([(REGISTER, text)]), [REGISTER]);
    assert_eq!(unregistered([]).len(), 2);
}

#[test]
fn every_way_to_compare_with_a_kind_fails() {
    for text in [
        "fn a() -> bool { kind == \"one-time\" }",
        "fn a() -> bool { \"one_time\" != kind }",
        "fn a() -> bool { *kind == *\"sqlite\" }",
        "fn a() { match kind { \"sqlite\" => {} _ => {} } }",
        "fn a() { match kind { \"x\" | \"sqlite\" => {} _ => {} } }",
        "fn a() { match kind { Some(\"sqlite\") => {} _ => {} } }",
        "fn a() { match kind { \"sqlite\" if b => {} _ => {} } }",
        "fn a() -> bool { matches!(kind, \"sqlite\") }",
        "fn a() -> bool { kind.eq_ignore_ascii_case(\"one-time\") }",
        "fn a() -> bool { [\"x\", \"y\"].contains(&\"sqlite\") }",
        "fn a() -> bool { kind == r#\"sqlite\"# }",
    ] {
        assert_eq!(kinds(text).min(1), 1, "{text}");
    }
}

#[test]
fn a_kind_under_another_name_fails() {
    for text in [
        "const FIRST: &str = \"one-time\";",
        "pub static FIRST: &str = \"one-time\";",
        "fn a() { let kind = ProviderKind::new(\"one-time\"); }",
        "fn a() { let kind = BackendKind(\"sqlite\"); }",
    ] {
        assert_eq!(kinds(text), 1, "{text}");
    }
}

#[test]
fn a_text_that_is_compared_with_nothing_passes() {
    for text in [
        "fn a() { form.field(\"one-time\"); let b = \"sqlite\"; }",
        "fn a() -> bool { kind == \"another\" }",
        "// kind == \"sqlite\"\nfn a() {}",
        "fn a() { b.map(|_| \"sqlite\"); }",
        "#[cfg(test)]\nmod tests { fn a() -> bool { kind == \"sqlite\" } }",
    ] {
        assert_eq!(kinds(text), 0, "{text}");
    }
}

#[test]
fn only_the_register_and_tests_may_compare_and_configuration_may_name() {
    let compares = "fn a() -> bool { kind == \"sqlite\" }";
    let names = "const DEFAULT: &str = \"sqlite\";";
    for path in [REGISTER, "server/tests/a.rs", "core/src/engine/tests.rs"] {
        assert_eq!(kinds_in(path, compares), 0, "{path}");
    }
    for path in [
        "core/src/a.rs",
        "core/access/src/a.rs",
        "server/src/config/a.rs",
    ] {
        assert_eq!(kinds_in(path, compares), 1, "{path}");
    }
    assert_eq!(kinds_in("server/src/config/a.rs", names), 0);
    assert_eq!(kinds_in("server/src/a.rs", names), 1);
}
