use std::collections::{BTreeMap, BTreeSet};

use gatelodge_architecture::dependencies::{Area, check, check_compiled};
use gatelodge_architecture::workspace::{Crate, Dependency, Kind};
use gatelodge_architecture::{Rule, Workspace};

/// A crate in `folder` with the name the folder asks for.
fn member(folder: &str, dependencies: Vec<Dependency>) -> Crate {
    let last = folder.rsplit('/').next().unwrap();
    let name = match folder.split('/').next().unwrap() {
        "providers" if last != "plugin-kit" => format!("gatelodge-provider-{last}"),
        "storage" => format!("gatelodge-storage-{last}"),
        _ => format!("gatelodge-{last}"),
    };
    Crate {
        name,
        folder: folder.to_owned(),
        dependencies,
        ..Crate::default()
    }
}

fn on(name: &str) -> Dependency {
    Dependency {
        name: name.to_owned(),
        ..Dependency::default()
    }
}

fn in_tests_on(name: &str) -> Dependency {
    Dependency {
        kind: Kind::Dev,
        ..on(name)
    }
}

fn optional(name: &str) -> Dependency {
    Dependency {
        optional: true,
        ..on(name)
    }
}

fn server(default: &[&str]) -> Crate {
    let mut server = member(
        "server",
        vec![
            on("gatelodge-core"),
            optional("gatelodge-provider-password"),
            optional("gatelodge-storage-sqlite"),
        ],
    );
    let default = default.iter().map(|item| (*item).to_owned()).collect();
    let password = vec!["dep:gatelodge-provider-password".to_owned()];
    server.features = BTreeMap::from([
        ("default".to_owned(), default),
        ("password".to_owned(), password),
    ]);
    server
}

/// A workspace in which everything is as it should be, with the crates of `changed` in the place of their own.
fn workspace(changed: Vec<Crate>) -> Workspace {
    let mut crates = vec![
        member("core", vec![on("serde")]),
        member(
            "providers/password",
            vec![
                on("gatelodge-core"),
                on("argon2"),
                in_tests_on("gatelodge-provider-suite"),
            ],
        ),
        member("storage/sqlite", vec![on("gatelodge-core"), on("sqlx")]),
        server(&["password", "dep:gatelodge-storage-sqlite"]),
        member("tests/provider-suite", vec![on("gatelodge-core")]),
        member(
            "tests/e2e",
            vec![on("gatelodge-server"), on("gatelodge-provider-password")],
        ),
    ];
    crates.retain(|member| changed.iter().all(|other| other.folder != member.folder));
    crates.extend(changed);
    Workspace { crates }
}

/// The places of all violations once `changed` is in the workspace.
fn places(changed: Crate) -> Vec<String> {
    let violations = check(&workspace(vec![changed]));
    assert!(violations.iter().all(|v| v.rule == Rule::Dependencies));
    assert!(violations.iter().all(|v| !v.remedy.is_empty()));
    violations.into_iter().map(|v| v.place).collect()
}

#[test]
fn a_workspace_after_the_table_passes() {
    assert_eq!(check(&workspace(Vec::new())), []);
}

#[test]
fn core_depends_on_no_crate_of_the_workspace_but_suites_in_its_tests() {
    assert!(
        places(member(
            "core",
            vec![in_tests_on("gatelodge-provider-suite")]
        ))
        .is_empty()
    );
    for dependency in [
        on("gatelodge-storage-sqlite"),
        on("gatelodge-provider-suite"),
        in_tests_on("gatelodge-storage-sqlite"),
    ] {
        let place = format!("core/Cargo.toml: {}", dependency.name);
        assert_eq!(places(member("core", vec![dependency])), [place]);
    }
}

#[test]
fn core_takes_no_web_database_or_http_library() {
    for library in [
        "axum",
        "axum-core",
        "sqlx",
        "sqlx-core",
        "reqwest",
        "hyper-util",
    ] {
        let place = format!("core/Cargo.toml: {library}");
        assert_eq!(places(member("core", vec![on(library)])), [place]);
    }
    assert!(places(member("core", vec![on("sqlxx"), on("axumish")])).is_empty());
}

#[test]
fn core_asks_tokio_for_sync_only_outside_tests() {
    let tokio = |kind, features: &[&str]| Dependency {
        kind,
        features: features
            .iter()
            .map(|feature| (*feature).to_owned())
            .collect(),
        ..on("tokio")
    };
    let core = |dependency| places(member("core", vec![dependency]));
    assert!(core(tokio(Kind::Normal, &["sync"])).is_empty());
    assert!(core(tokio(Kind::Dev, &["rt", "macros"])).is_empty());
    assert_eq!(core(tokio(Kind::Normal, &["sync", "time"])).len(), 1);
    let access = vec![on("gatelodge-core"), tokio(Kind::Normal, &["rt"])];
    assert_eq!(places(member("core/access", access)).len(), 1);
}

#[test]
fn a_provider_uses_neither_storage_nor_server_nor_another_provider() {
    for name in [
        "gatelodge-storage-sqlite",
        "gatelodge-server",
        "gatelodge-e2e",
    ] {
        for dependency in [on(name), in_tests_on(name)] {
            let found = places(member("providers/password", vec![dependency]));
            assert_eq!(found, [format!("providers/password/Cargo.toml: {name}")]);
        }
    }
    let found = places(member(
        "providers/totp",
        vec![on("gatelodge-provider-password")],
    ));
    assert!(found.contains(&"providers/totp/Cargo.toml: gatelodge-provider-password".to_owned()));
}

#[test]
fn a_provider_uses_the_suite_in_tests_only() {
    let found = places(member(
        "providers/password",
        vec![on("gatelodge-provider-suite")],
    ));
    assert_eq!(found.len(), 1);
}

#[test]
fn a_provider_writes_no_html_and_fetches_nothing_by_itself() {
    for library in ["minijinja", "reqwest", "axum", "sqlx"] {
        let found = places(member("providers/password", vec![on(library)]));
        assert_eq!(found.len(), 1, "{library}");
    }
}

#[test]
fn a_backend_uses_neither_provider_nor_server() {
    for name in ["gatelodge-provider-password", "gatelodge-server"] {
        let found = places(member("storage/sqlite", vec![on(name)]));
        assert_eq!(found, [format!("storage/sqlite/Cargo.toml: {name}")]);
    }
}

#[test]
fn backends_and_server_use_the_servers_for_tests_in_their_tests_alone() {
    let fixture = "gatelodge-postgres";
    let places_of = |user: Crate| {
        let violations = check(&workspace(vec![user, member("tests/postgres", Vec::new())]));
        violations
            .into_iter()
            .map(|violation| violation.place)
            .collect::<Vec<_>>()
    };
    for folder in ["storage/sqlite", "server", "providers/password", "core"] {
        let user = |dependency| {
            let mut user = match folder {
                "server" => server(&["password", "dep:gatelodge-storage-sqlite"]),
                _ => member(folder, Vec::new()),
            };
            user.dependencies.push(dependency);
            user
        };
        let refused = vec![format!("{folder}/Cargo.toml: {fixture}")];
        let in_tests = match folder {
            "storage/sqlite" | "server" => Vec::new(),
            _ => refused.clone(),
        };
        assert_eq!(places_of(user(in_tests_on(fixture))), in_tests);
        assert_eq!(places_of(user(on(fixture))), refused);
    }
    let uses_core = member("tests/postgres", vec![on("gatelodge-core")]);
    assert_eq!(
        places(uses_core),
        ["tests/postgres/Cargo.toml: gatelodge-core"]
    );
}

#[test]
fn the_server_uses_suites_in_its_tests_alone() {
    let mut changed = server(&["password", "dep:gatelodge-storage-sqlite"]);
    changed
        .dependencies
        .push(in_tests_on("gatelodge-provider-suite"));
    assert_eq!(places(changed.clone()), Vec::<String>::new());
    changed.dependencies.push(on("gatelodge-provider-suite"));
    let found = places(changed);
    assert_eq!(found, ["server/Cargo.toml: gatelodge-provider-suite"]);
}

#[test]
fn a_provider_that_cannot_be_left_out_of_the_server_fails() {
    let mut changed = server(&["password", "dep:gatelodge-storage-sqlite"]);
    changed.dependencies[1].optional = false;
    let found = places(changed);
    assert_eq!(found, ["server/Cargo.toml: gatelodge-provider-password"]);
}

#[test]
fn a_provider_that_is_off_by_default_fails() {
    for default in [&[][..], &["gatelodge-provider-password?/fast"]] {
        let mut default = default.to_vec();
        default.push("dep:gatelodge-storage-sqlite");
        let found = places(server(&default));
        assert_eq!(found, ["server/Cargo.toml: gatelodge-provider-password"]);
    }
}

#[test]
fn a_provider_that_the_server_does_not_offer_fails() {
    let found = places(member("providers/totp", vec![on("gatelodge-core")]));
    assert_eq!(found, ["server/Cargo.toml: gatelodge-provider-totp"]);
}

#[test]
fn a_suite_uses_core_only() {
    for library in ["gatelodge-provider-password", "sqlx", "axum"] {
        let found = places(member("tests/provider-suite", vec![on(library)]));
        assert_eq!(found.len(), 1, "{library}");
    }
}

#[test]
fn an_example_reaches_the_server_only_where_it_embeds_it() {
    let uses = || vec![on("gatelodge-core"), on("gatelodge-server")];
    assert_eq!(places(member("examples/embedded", uses())).len(), 0);
    assert_eq!(places(member("examples/custom-provider", uses())).len(), 1);
}

#[test]
fn a_crate_outside_the_table_fails() {
    assert_eq!(places(member("helpers/sql", Vec::new())), ["helpers/sql"]);
    assert_eq!(Area::of("tests/other"), None);
}

#[test]
fn a_crate_with_a_name_that_is_not_its_folders_fails() {
    let mut changed = member("tests/provider-suite", vec![on("gatelodge-core")]);
    changed.name = "gatelodge-suite".to_owned();
    let found = places(changed);
    assert!(found.contains(&"tests/provider-suite/Cargo.toml".to_owned()));
}

#[test]
fn what_a_library_brings_into_core_counts() {
    let compiled = |crates: &[(&str, &[&str])]| {
        crates
            .iter()
            .map(|(name, features)| {
                let features = features.iter().map(|feature| (*feature).to_owned());
                ((*name).to_owned(), features.collect::<BTreeSet<_>>())
            })
            .collect::<BTreeMap<_, _>>()
    };
    let good = compiled(&[("serde", &["std"]), ("tokio", &["sync"])]);
    assert_eq!(check_compiled("core", &good), []);
    for bad in [
        compiled(&[("hyper-util", &[])]),
        compiled(&[("mio", &[])]),
        compiled(&[("tokio", &["sync", "rt"])]),
    ] {
        assert_eq!(check_compiled("core", &bad).len(), 1, "{bad:?}");
    }
}
