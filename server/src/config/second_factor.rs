//! `[second_factor]`: who has to have a second factor.

use gatelodge_core::model;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// Who has to have a second factor. The setting of a platform whose tenants have none of their own.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SecondFactorConfig {
    /// What holds for everyone.
    pub everyone: SecondFactorRule,
    /// What holds for those who are granted anything, if that is more than holds for everyone. Unset: the same.
    #[schemars(with = "SecondFactorRule")]
    pub administrators: Option<SecondFactorRule>,
    /// From when on `required` holds. Until then whoever has no second factor is reminded at each sign-in. Unset: at once.
    #[serde(deserialize_with = "moment")]
    #[schemars(with = "String", extend("format" = "date-time"), example = &"2027-01-01T00:00:00Z")]
    pub required_from: Option<Timestamp>,
}

/// What holds for second factors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecondFactorRule {
    /// None can be set up. Whoever has one is asked for it all the same.
    Off,
    /// Whoever wants sets one up.
    #[default]
    Optional,
    /// Whoever has none sets one up before being let in. Needs a provider that can be set up as a second factor.
    Required,
}

impl From<SecondFactorRule> for model::SecondFactorRule {
    fn from(rule: SecondFactorRule) -> Self {
        match rule {
            SecondFactorRule::Off => Self::Off,
            SecondFactorRule::Optional => Self::Optional,
            SecondFactorRule::Required => Self::Required,
        }
    }
}

/// A moment as text, or as TOML writes one.
fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Toml {
            #[serde(rename = "$__toml_private_datetime")]
            text: String,
        },
    }
    let wrong = || D::Error::custom("must be a moment written like `2027-01-01T00:00:00Z`");
    let written = Written::deserialize(deserializer).map_err(|_| wrong())?;
    let (Written::Text(text) | Written::Toml { text }) = written;
    text.parse().map(Some).map_err(|_| wrong())
}
