//! The table of who may depend on whom.
//!
//! | area | may use of the workspace | and not |
//! |---|---|---|
//! | `core` | nothing | web, database, HTTP client; of tokio only `sync` |
//! | `core/access` | core | as core |
//! | `core/verifier` | nothing | as core |
//! | `providers/*` | core; `plugin` also plugin-kit | web, database, templates, an HTTP client of its own |
//! | `storage/sql` | core | web, database, templates, HTTP client |
//! | other `storage/*` | core, `storage/sql` | web, templates, HTTP client |
//! | `server` | core, access, providers, backends, each of the last two optional and on by default | |
//! | `tests/*-suite` | core | web, database, HTTP client |
//! | `tests/postgres` | nothing; unpublished | web, database, HTTP client |
//! | `tests/e2e`, `tests/faults`, `tests/load`, `tests/attacks`, `tests/architecture` | anything; unpublished | |
//! | `examples/*` | core, plugin-kit; `embedded` also server | |
//!
//! In tests, providers, backends and examples also use the suites; backends and the server `tests/postgres`, too; the
//! server `core/verifier`.

use std::collections::{BTreeMap, BTreeSet};

use crate::workspace::{Crate, Dependency, Kind};
use crate::{Rule, Violation, Workspace};

/// The libraries that make something a web program.
const WEB: [&str; 5] = ["axum", "hyper", "tower", "actix-web", "warp"];
/// The libraries that talk to a database.
const DATABASE: [&str; 5] = [
    "sqlx",
    "rusqlite",
    "tokio-postgres",
    "diesel",
    "libsqlite3-sys",
];
/// The libraries that fetch over HTTP.
const HTTP_CLIENT: [&str; 3] = ["reqwest", "ureq", "isahc"];
/// The libraries that write HTML.
const TEMPLATES: [&str; 3] = ["minijinja", "tera", "askama"];
/// What `core` compiles no runtime for: these come with tokio's `net`, `rt-multi-thread`, `process` or `signal`.
const RUNTIME: [&str; 4] = ["mio", "socket2", "signal-hook-registry", "async-std"];

/// A part of the tree with its own row in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// `core`
    Core,
    /// `core/access`
    Access,
    /// `core/verifier`, what applications verify tokens with.
    Verifier,
    /// A folder in `providers`, but the two below.
    Provider,
    /// `providers/plugin`, the host side of loaded providers.
    PluginHost,
    /// `providers/plugin-kit`, what authors of loaded providers depend on.
    PluginKit,
    /// `storage/sql`, what the SQL backends share.
    SqlHelper,
    /// Another folder in `storage`.
    Backend,
    /// `server`
    Server,
    /// A folder in `tests` whose name ends in `-suite`.
    Suite,
    /// `tests/postgres`, the servers that tests stand on.
    Fixture,
    /// The other folders in `tests` that the table names.
    Harness,
    /// A folder in `examples`, but the one below.
    Example,
    /// `examples/embedded`
    EmbeddedExample,
}

impl Area {
    /// The area of a crate's folder; `None` when the table has no row for it.
    pub fn of(folder: &str) -> Option<Self> {
        match folder.split('/').collect::<Vec<_>>().as_slice() {
            ["core"] => Some(Self::Core),
            ["core", "access"] => Some(Self::Access),
            ["core", "verifier"] => Some(Self::Verifier),
            ["providers", "plugin"] => Some(Self::PluginHost),
            ["providers", "plugin-kit"] => Some(Self::PluginKit),
            ["providers", _] => Some(Self::Provider),
            ["storage", "sql"] => Some(Self::SqlHelper),
            ["storage", _] => Some(Self::Backend),
            ["server"] => Some(Self::Server),
            ["tests", name] if name.ends_with("-suite") => Some(Self::Suite),
            ["tests", "postgres"] => Some(Self::Fixture),
            [
                "tests",
                "e2e" | "faults" | "load" | "attacks" | "architecture",
            ] => Some(Self::Harness),
            ["examples", "embedded"] => Some(Self::EmbeddedExample),
            ["examples", _] => Some(Self::Example),
            _ => None,
        }
    }

    /// Whether the server offers crates of this area as an optional part.
    pub fn is_pluggable(self) -> bool {
        matches!(self, Self::Provider | Self::PluginHost | Self::Backend)
    }

    /// Whether a crate of this area may depend on one of `other`.
    fn may_use(self, other: Self, kind: Kind) -> bool {
        let in_tests = kind == Kind::Dev;
        match self {
            Self::Harness => true,
            Self::Fixture | Self::Verifier => false,
            Self::Core => in_tests && other == Self::Suite,
            Self::Access | Self::PluginKit | Self::SqlHelper => other == Self::Core,
            // Decision 0002: a suite may use another one's in-memory storage.
            Self::Suite => matches!(other, Self::Core | Self::Suite),
            Self::Provider => other == Self::Core || (in_tests && other == Self::Suite),
            Self::Backend => {
                matches!(other, Self::Core | Self::SqlHelper)
                    || (in_tests && matches!(other, Self::Suite | Self::Fixture))
            }
            Self::PluginHost => {
                matches!(other, Self::Core | Self::PluginKit) || (in_tests && other == Self::Suite)
            }
            Self::Server => {
                matches!(other, Self::Core | Self::Access)
                    || other.is_pluggable()
                    || (in_tests && matches!(other, Self::Suite | Self::Fixture | Self::Verifier))
            }
            Self::Example | Self::EmbeddedExample => {
                matches!(other, Self::Core | Self::PluginKit)
                    || (in_tests && other == Self::Suite)
                    || (self == Self::EmbeddedExample && other == Self::Server)
            }
        }
    }

    /// The libraries, each with its family (`sqlx` stands for `sqlx-core` too), that crates of this area are built
    /// without.
    fn forbidden(self) -> Vec<&'static str> {
        match self {
            Self::Core
            | Self::Access
            | Self::Verifier
            | Self::Suite
            | Self::Provider
            | Self::PluginHost
            | Self::PluginKit
            | Self::SqlHelper
            | Self::Fixture => [&WEB[..], &DATABASE, &HTTP_CLIENT, &TEMPLATES].concat(),
            Self::Backend => [&WEB[..], &HTTP_CLIENT, &TEMPLATES].concat(),
            Self::Server | Self::Harness | Self::Example | Self::EmbeddedExample => Vec::new(),
        }
    }

    /// The word that the packages of this area start with, for those whose name the area gives.
    fn package_name(self, folder: &str) -> Option<String> {
        let last = folder.rsplit('/').next().unwrap_or_default();
        match self {
            Self::Core => Some("gatelodge-core".to_owned()),
            Self::Access => Some("gatelodge-access".to_owned()),
            Self::Verifier => Some("gatelodge-verifier".to_owned()),
            Self::Provider | Self::PluginHost => Some(format!("gatelodge-provider-{last}")),
            Self::Backend | Self::SqlHelper => Some(format!("gatelodge-storage-{last}")),
            Self::PluginKit | Self::Server | Self::Suite | Self::Fixture | Self::Harness => {
                Some(format!("gatelodge-{last}"))
            }
            Self::Example | Self::EmbeddedExample => None,
        }
    }
}

/// Checks every manifest of the workspace against the table.
pub fn check(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for member in &workspace.crates {
        let Some(area) = Area::of(&member.folder) else {
            violations.push(Violation::new(
                Rule::Dependencies,
                &member.folder,
                "the dependency table has no row for this folder",
                "move the crate into a folder of the table, or record a decision in docs/decisions and add an area to \
                 tests/architecture/src/dependencies.rs",
            ));
            continue;
        };
        violations.extend(check_name(member, area));
        for dependency in &member.dependencies {
            violations.extend(check_dependency(workspace, member, area, dependency));
        }
    }
    violations.extend(check_offer(workspace));
    violations
}

/// Checks what `core` or `core/access` is compiled with (see [`crate::workspace::compiled_with`]): what its own
/// dependencies bring along counts as well.
pub fn check_compiled(
    folder: &str,
    compiled: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<Violation> {
    let area = Area::of(folder).unwrap_or(Area::Core);
    let mut violations = Vec::new();
    for package in compiled.keys() {
        let is_forbidden = area.forbidden().iter().any(|name| is_of(package, name));
        if is_forbidden || RUNTIME.contains(&package.as_str()) {
            violations.push(Violation::new(
                Rule::Dependencies,
                format!("{folder}/Cargo.toml: {package}"),
                format!("a dependency of `{folder}` brings in `{package}`"),
                format!("find it with `cargo tree -p gatelodge-core -i {package}` and switch the feature off, or do \
                         that work in the server"),
            ));
        }
    }
    let tokio = compiled.get("tokio").cloned().unwrap_or_default();
    let beyond: Vec<_> = tokio.iter().filter(|feature| *feature != "sync").collect();
    if !beyond.is_empty() {
        violations.push(Violation::new(
            Rule::Dependencies,
            format!("{folder}/Cargo.toml: tokio"),
            format!("`{folder}` is compiled with tokio's {beyond:?}"),
            "leave tokio at `sync`; loops and timeouts are futures that the server spawns",
        ));
    }
    violations
}

fn check_name(member: &Crate, area: Area) -> Option<Violation> {
    let name = area.package_name(&member.folder)?;
    (member.name != name).then(|| {
        Violation::new(
            Rule::Dependencies,
            format!("{}/Cargo.toml", member.folder),
            format!("the crate is called `{}`", member.name),
            format!("call it `{name}`, after its folder"),
        )
    })
}

fn check_dependency(
    workspace: &Workspace,
    member: &Crate,
    area: Area,
    dependency: &Dependency,
) -> Vec<Violation> {
    let place = format!("{}/Cargo.toml: {}", member.folder, dependency.name);
    let other = workspace
        .named(&dependency.name)
        .and_then(|other| Area::of(&other.folder));
    if let Some(other) = other {
        if area.may_use(other, dependency.kind) {
            return Vec::new();
        }
        return vec![Violation::new(
            Rule::Dependencies,
            place,
            format!("a crate of area {area:?} depends on one of area {other:?}"),
            "move what both need into core, or turn the dependency round; the table is in \
             tests/architecture/src/dependencies.rs",
        )];
    }
    if dependency.kind == Kind::Dev {
        return Vec::new();
    }
    let mut violations = Vec::new();
    let mut forbidden = area.forbidden().into_iter();
    if forbidden.any(|name| is_of(&dependency.name, name)) {
        violations.push(Violation::new(
            Rule::Dependencies,
            place.clone(),
            format!("a crate of area {area:?} depends on `{}`", dependency.name),
            "leave that work to the area it belongs to: HTTP and pages to the server, SQL to a backend, fetching to \
             the outbound HTTP of the provider's context",
        ));
    }
    let is_core = matches!(area, Area::Core | Area::Access | Area::Verifier);
    let beyond_sync = dependency.features.iter().any(|feature| feature != "sync");
    if is_core && dependency.name == "tokio" && beyond_sync {
        violations.push(Violation::new(
            Rule::Dependencies,
            place,
            format!("tokio is asked for with {:?}", dependency.features),
            "ask for `sync` only; loops and timeouts are futures that the server spawns",
        ));
    }
    violations
}

/// The server offers every provider and backend, each as a feature that is on by default.
fn check_offer(workspace: &Workspace) -> Vec<Violation> {
    let Some(server) = workspace.at("server") else {
        return Vec::new();
    };
    let on = server.on_by_default();
    let mut violations = Vec::new();
    for member in &workspace.crates {
        if !Area::of(&member.folder).is_some_and(Area::is_pluggable) {
            continue;
        }
        let name = member.name.as_str();
        let place = format!("server/Cargo.toml: {name}");
        let asked = server
            .dependencies
            .iter()
            .find(|dependency| dependency.name == name && dependency.kind == Kind::Normal);
        let found = match asked {
            None => "the server does not offer it",
            Some(dependency) if !dependency.optional => "it cannot be left out of the server",
            Some(_) if !on.contains(name) => "it is off by default",
            Some(_) => continue,
        };
        violations.push(Violation::new(
            Rule::Dependencies,
            place,
            found,
            "make it an optional dependency of the server and name it in the feature `default`",
        ));
    }
    violations
}

/// Whether `package` is `name` or of its family, as `sqlx-core` is of `sqlx`'s.
fn is_of(package: &str, name: &str) -> bool {
    package
        .strip_prefix(name)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}
