//! The configuration, tried through its public door. No test touches the process environment: it is handed in.

mod backend;
mod backups;
mod documents;
mod errors;
mod hosts;
mod layers;
mod messages;
mod origins;
mod outbound;
mod providers;
mod second_factor;
mod secrets;
mod shown;

use std::{fs, path::PathBuf};

use super::{ConfigError, Loaded, Overrides, load};

/// A folder that is gone when the test is, with a configuration file in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With this text as `gatelodge.toml`.
    fn with_config(text: &str) -> Self {
        let folder = Self::new();
        folder.write("gatelodge.toml", text);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        #[cfg(unix)]
        self.set_mode(name, 0o600);
        path
    }

    #[cfg(unix)]
    fn set_mode(&self, name: &str, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn overrides(&self) -> Overrides {
        Overrides {
            config: Some(self.path("gatelodge.toml")),
            ..Overrides::default()
        }
    }

    fn load(&self) -> Result<Loaded, ConfigError> {
        self.load_with(&[])
    }

    fn load_with(&self, environment: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
        load(&self.overrides(), environment.iter().copied())
    }

    /// What is wrong, with the folder's name left out.
    fn refusal(&self) -> String {
        self.without_folder(&self.load().unwrap_err())
    }

    fn without_folder(&self, error: &ConfigError) -> String {
        error
            .to_string()
            .replace(&format!("{}/", self.0.path().display()), "")
    }
}

fn load_environment(environment: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    load(&Overrides::default(), environment.iter().copied())
}
