//! The crates of the workspace and what they declare, as Cargo sees them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

/// The workspace's own crates.
#[derive(Debug, Clone, Default)]
pub struct Workspace {
    /// One per member.
    pub crates: Vec<Crate>,
}

/// A member of the workspace.
#[derive(Debug, Clone, Default)]
pub struct Crate {
    /// The package's name.
    pub name: String,
    /// Its folder from the root, such as `providers/password`.
    pub folder: String,
    /// The `description` of its manifest.
    pub description: Option<String>,
    /// Whether it may be published.
    pub published: bool,
    /// What its manifest asks for.
    pub dependencies: Vec<Dependency>,
    /// Feature → what it switches on.
    pub features: BTreeMap<String, Vec<String>>,
}

/// When a dependency is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Always.
    #[default]
    Normal,
    /// For tests, benches and examples only.
    Dev,
    /// By the build script.
    Build,
}

/// One dependency of a manifest, with what it inherits from the workspace merged in.
#[derive(Debug, Clone, Default)]
pub struct Dependency {
    /// The package's name, whatever it is renamed to.
    pub name: String,
    /// When it is needed.
    pub kind: Kind,
    /// Whether a feature has to switch it on.
    pub optional: bool,
    /// The features asked for.
    pub features: Vec<String>,
}

impl Workspace {
    /// Asks Cargo for the workspace at `root`.
    pub fn load(root: &Path) -> Result<Self, String> {
        let json = cargo(root, &["metadata", "--format-version", "1", "--no-deps"])?;
        let metadata: Metadata =
            serde_json::from_str(&json).map_err(|error| format!("cargo metadata: {error}"))?;
        let crates = metadata
            .packages
            .into_iter()
            .map(|package| package.into_crate(root))
            .collect::<Result<_, _>>()?;
        Ok(Self { crates })
    }

    /// The member called `name`.
    pub fn named(&self, name: &str) -> Option<&Crate> {
        self.crates.iter().find(|member| member.name == name)
    }

    /// The member in `folder`.
    pub fn at(&self, folder: &str) -> Option<&Crate> {
        self.crates.iter().find(|member| member.folder == folder)
    }
}

impl Crate {
    /// The dependencies that the feature `default` switches on, by itself or through other features.
    pub fn on_by_default(&self) -> BTreeSet<&str> {
        let mut on = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open = vec!["default"];
        while let Some(feature) = open.pop() {
            if !seen.insert(feature) {
                continue;
            }
            for item in self.features.get(feature).into_iter().flatten() {
                match (item.strip_prefix("dep:"), item.split_once('/')) {
                    (Some(dependency), _) => {
                        on.insert(dependency);
                    }
                    (None, Some((dependency, _))) if !dependency.ends_with('?') => {
                        on.insert(dependency);
                    }
                    (None, Some(_)) => {}
                    (None, None) => open.push(item),
                }
            }
        }
        on
    }
}

/// What a package is compiled with when it is built alone: name → features, itself and the build scripts' crates
/// included, other members' wishes not.
pub fn compiled_with(
    root: &Path,
    package: &str,
) -> Result<BTreeMap<String, BTreeSet<String>>, String> {
    let arguments = [
        "tree",
        "--package",
        package,
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--no-dedupe",
        "--format",
        "{p}|{f}",
    ];
    let mut compiled: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in cargo(root, &arguments)?.lines() {
        let Some((package, features)) = line.split_once('|') else {
            continue;
        };
        let name = package.split(' ').next().unwrap_or_default();
        let features = features.split(',').filter(|feature| !feature.is_empty());
        compiled
            .entry(name.to_owned())
            .or_default()
            .extend(features.map(str::to_owned));
    }
    Ok(compiled)
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<String, String> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(program)
        .args(arguments)
        .arg("--locked")
        .current_dir(root)
        .output()
        .map_err(|error| format!("cargo does not start: {error}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(format!("cargo {}: {text}", arguments.join(" ")));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("cargo {arguments:?}: {error}"))
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<RawPackage>,
}

#[derive(Deserialize)]
struct RawPackage {
    name: String,
    description: Option<String>,
    publish: Option<Vec<String>>,
    manifest_path: String,
    dependencies: Vec<RawDependency>,
    features: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct RawDependency {
    name: String,
    kind: Option<Kind>,
    optional: bool,
    features: Vec<String>,
}

impl RawPackage {
    fn into_crate(self, root: &Path) -> Result<Crate, String> {
        let folder = Path::new(&self.manifest_path)
            .parent()
            .and_then(|folder| folder.strip_prefix(root).ok())
            .ok_or_else(|| format!("`{}` is outside the repository", self.manifest_path))?
            .to_string_lossy()
            .replace('\\', "/");
        Ok(Crate {
            name: self.name,
            folder,
            description: self.description,
            published: self.publish.is_none_or(|registries| !registries.is_empty()),
            dependencies: self.dependencies.into_iter().map(Into::into).collect(),
            features: self.features,
        })
    }
}

impl From<RawDependency> for Dependency {
    fn from(raw: RawDependency) -> Self {
        Self {
            name: raw.name,
            kind: raw.kind.unwrap_or_default(),
            optional: raw.optional,
            features: raw.features,
        }
    }
}
