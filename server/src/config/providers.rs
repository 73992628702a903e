//! `[[providers]]`: the ways to sign in, each with settings that only its own crate understands.

use std::fmt;

use gatelodge_core::provider::Registry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};

use super::{
    Loaded, SecondFactorRule,
    error::{ConfigError, Problem},
    settings::Settings,
};

/// One way to sign in. Beside the keys here a table holds the settings of its kind, which go to the crate of that kind
/// as they are.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct ProviderConfig {
    /// Which kind of provider: the name its crate registers.
    #[schemars(regex(pattern = "^[a-z0-9-]{1,32}$"), example = &"password")]
    pub kind: String,
    /// Its name on this platform, in addresses and in records: it cannot change later. Unset: the same as `kind`.
    #[schemars(regex(pattern = "^[a-z0-9-]{1,32}$"), example = &"google")]
    #[serde(default)]
    id: Option<String>,
    /// Whether it may be used.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The settings of its kind.
    #[serde(flatten)]
    #[schemars(skip)]
    pub settings: Settings,
}

fn yes() -> bool {
    true
}

impl ProviderConfig {
    /// A provider of this kind with nothing set.
    pub fn of_kind(kind: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            id: None,
            enabled: true,
            settings: Settings::default(),
        }
    }

    /// Its name on this platform.
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.kind)
    }

    /// [`Settings::decode`].
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        self.settings.decode()
    }

    /// [`Settings::table`].
    pub fn table(&self) -> Result<serde_json::Map<String, serde_json::Value>, ConfigError> {
        self.settings.table()
    }

    /// [`Settings::error`]; `kind`, `id` and `enabled` are keys of the table too.
    pub fn error(&self, key: &str, expectation: impl fmt::Display) -> ConfigError {
        self.settings.error(key, expectation)
    }
}

/// Which requirements the rules of the configured providers fall short of, and what
/// they cannot do that is required elsewhere, with where each was set: allowed, and
/// told whoever configures them.
pub(crate) fn shortfalls(loaded: &Loaded, registry: &Registry) -> Vec<Problem> {
    let mut shortfalls = impossible(loaded, registry);
    for provider in &loaded.config.providers {
        let mut all = registry.providers();
        let Some(configured) = all.find(|one| one.id.as_str() == provider.id()) else {
            continue;
        };
        for rule in configured.provider.rules() {
            let key = rule.key.as_deref().unwrap_or_default();
            for requirement in &rule.breaks {
                let (id, text) = (&requirement.id, &requirement.text);
                let error = provider.error(key, format!("falls short of {id}: {text}"));
                shortfalls.extend_from_slice(error.problems());
            }
        }
    }
    shortfalls
}

/// A second factor that is required where none can be set up: nobody would get in.
fn impossible(loaded: &Loaded, registry: &Registry) -> Vec<Problem> {
    let rules = &loaded.config.second_factor;
    let key = match SecondFactorRule::Required {
        required if rules.everyone == required => "everyone",
        required if rules.administrators == Some(required) => "administrators",
        _ => return Vec::new(),
    };
    if registry.factors_to_add().next().is_some() {
        return Vec::new();
    }
    let text = "is `required`, and no provider can be set up as a second factor: whoever has none \
                will not get in; configure one, such as `totp`";
    let error = loaded.error(&format!("second_factor.{key}"), text);
    error.problems().to_vec()
}

impl Serialize for ProviderConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut table = self.settings.shown();
        table.insert("kind".to_owned(), self.kind.as_str().into());
        table.insert("id".to_owned(), self.id().into());
        table.insert("enabled".to_owned(), self.enabled.into());
        table.serialize(serializer)
    }
}
