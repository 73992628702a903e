//! What is known of services by name.

use std::collections::BTreeMap;

use gatelodge_core::provider::Shape;
use serde::Deserialize;
use url::Url;

use crate::{ClientAuth, Error};

/// The presets, each a file that says what is particular about its service.
const PRESETS: [(&str, &str); 3] = [
    ("discord", include_str!("../../presets/discord.toml")),
    ("facebook", include_str!("../../presets/facebook.toml")),
    ("github", include_str!("../../presets/github.toml")),
];

/// A service.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Preset {
    pub(crate) label: String,
    pub(crate) authorization_url: Url,
    pub(crate) token_url: Url,
    pub(crate) user_url: Url,
    pub(crate) emails_url: Option<Url>,
    pub(crate) organisations_url: Option<Url>,
    pub(crate) issuer: Option<String>,
    pub(crate) scopes: Vec<String>,
    /// What else is asked for where organisations count.
    #[serde(default)]
    pub(crate) organisation_scopes: Vec<String>,
    pub(crate) client_auth: ClientAuth,
    pub(crate) fields: Fields,
    /// Sent to whatever is asked with a token.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) mark: Vec<Shape>,
}

/// What is called how in the documents of a service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fields {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) id_type: IdType,
    pub(crate) user_name: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) email_verified: Option<String>,
    pub(crate) organisation_id: Option<String>,
    pub(crate) organisation_name: Option<String>,
}

/// What an id must be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IdType {
    Number,
    Text,
    /// One of them.
    #[default]
    Any,
}

impl Preset {
    /// The names, for the texts of errors.
    pub(crate) fn names() -> String {
        PRESETS.map(|(name, _)| format!("`{name}`")).join(", ")
    }

    /// The preset with a name.
    pub(crate) fn named(name: &str) -> Result<Self, Error> {
        let known = PRESETS.iter().find(|(known, _)| *known == name);
        let Some((name, text)) = known else {
            let problem = format!("must be one of {}, not `{name}`", Self::names());
            return Err(Error::setting("preset", problem));
        };
        toml::from_str(text).map_err(|error| Error::Preset {
            name,
            problem: error.message().to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_can_be_read() {
        for (name, _) in PRESETS {
            let preset = Preset::named(name).unwrap();
            let urls = [
                Some(&preset.authorization_url),
                Some(&preset.token_url),
                Some(&preset.user_url),
                preset.emails_url.as_ref(),
                preset.organisations_url.as_ref(),
            ];
            assert!(
                urls.into_iter()
                    .flatten()
                    .all(|url| url.scheme() == "https"),
                "{name}"
            );
            assert_ne!(preset.fields.id_type, IdType::Any, "{name}");
        }
    }

    #[test]
    fn a_key_that_no_preset_has_is_refused() {
        let (_, text) = PRESETS[0];
        let wrong = format!("colour = \"red\"\n{text}");
        assert!(toml::from_str::<Preset>(&wrong).is_err());
    }
}
