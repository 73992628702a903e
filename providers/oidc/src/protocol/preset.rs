//! What is known of a service, as data: one documented file each in `presets/`.

use std::{collections::BTreeMap, sync::LazyLock};

use gatelodge_core::provider::{Mark, Shape};
use serde::Deserialize;

/// A service as its file in `presets/` describes it; `generic.toml` says what each key
/// means.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Preset {
    /// What it is called on its button; unset: it has to be configured.
    pub(crate) label: Option<String>,
    /// The issuer; unset: it has to be configured.
    pub(crate) issuer: Option<String>,
    /// Whether the configuration may name another issuer, such as an installation of
    /// one's own.
    pub(crate) other_issuers: bool,
    /// What else stands for the issuer in tokens.
    pub(crate) aliases: Vec<String>,
    /// How the issuer of a token is judged.
    pub(crate) issuer_rule: IssuerRule,
    pub(crate) scopes: Vec<String>,
    pub(crate) algorithms: Vec<String>,
    pub(crate) client_auth: ClientAuthKind,
    pub(crate) response_mode: ResponseMode,
    /// The prompt for somebody who has to prove anew who they are.
    pub(crate) prompt_again: Option<String>,
    /// Whether `max_age` is heeded, so that `auth_time` can be demanded.
    pub(crate) max_age: bool,
    /// Whether the nonce comes back in the token.
    pub(crate) nonce: bool,
    /// Whether PKCE is done.
    pub(crate) pkce: bool,
    pub(crate) subject: SubjectRule,
    /// Which claim names the organisation.
    pub(crate) organisation_claim: Option<String>,
    pub(crate) email: EmailRule,
    /// Whether `email_verified` may be the text `true`.
    pub(crate) verified_as_text: bool,
    pub(crate) userinfo: bool,
    /// Whether the callback brings the name, in `user`, the first time.
    #[serde(default)]
    pub(crate) name_in_callback: bool,
    pub(crate) offline: Offline,
    /// Where its callback addresses are registered, in words.
    pub(crate) console: String,
    /// The picture on its button.
    #[serde(default)]
    mark: Vec<Shape>,
}

/// How the issuer of a token is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IssuerRule {
    /// It is the configured one.
    Exact,
    /// As Microsoft's: with the tenant's id in it.
    Microsoft,
}

/// What identifies somebody for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SubjectRule {
    /// `sub`.
    Sub,
    /// `tid` and `oid`.
    TidOid,
}

/// What an address is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EmailRule {
    /// `email_verified`: the third party checked.
    EmailVerified,
    /// As Google's: with `hd`, or at gmail.com, the domain's owner vouches.
    Google,
    /// As Microsoft's: only `xms_edov` counts.
    Microsoft,
}

/// How the client shows who it is at the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClientAuthKind {
    Basic,
    Post,
    None,
    Apple,
}

/// How the parameters of the callback come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ResponseMode {
    Query,
    FormPost,
}

impl ResponseMode {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::FormPost => "form_post",
        }
    }
}

/// How a refresh token is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Offline {
    /// Whether there are any.
    pub(crate) offered: bool,
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    #[serde(default)]
    pub(crate) parameters: BTreeMap<String, String>,
    /// The prompt that it needs.
    #[serde(default)]
    pub(crate) prompt: Option<String>,
}

/// The files, by the names that the configuration knows; the first one is for every
/// service without a file of its own.
const FILES: [(&str, &str); 6] = [
    ("generic", include_str!("../../presets/generic.toml")),
    ("apple", include_str!("../../presets/apple.toml")),
    ("gitlab", include_str!("../../presets/gitlab.toml")),
    ("google", include_str!("../../presets/google.toml")),
    ("linkedin", include_str!("../../presets/linkedin.toml")),
    ("microsoft", include_str!("../../presets/microsoft.toml")),
];

static ALL: LazyLock<BTreeMap<&'static str, Preset>> = LazyLock::new(|| {
    let read = |(name, text): (&'static str, &str)| Some((name, Preset::parse(text).ok()?));
    FILES.into_iter().filter_map(read).collect()
});

impl Preset {
    fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The one of that name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        ALL.get(name)
    }

    /// The names that the configuration may say.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        ALL.keys().copied().filter(|name| *name != "generic")
    }

    /// The picture on its button.
    pub(crate) fn mark(&self) -> gatelodge_core::Result<Mark> {
        Mark::new(self.mark.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::keys;

    #[test]
    fn every_file_is_read_and_says_what_can_be() {
        for (name, text) in FILES {
            let preset = Preset::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(
                !preset.algorithms.is_empty()
                    && preset
                        .algorithms
                        .iter()
                        .all(|name| keys::algorithm(name).is_some()),
                "{name}"
            );
            assert!(preset.mark().is_ok(), "{name}");
            assert!(preset.scopes.iter().all(|scope| scope != "openid"));
            let is_named = preset.label.is_some() && preset.issuer.is_some();
            assert_eq!(is_named, name != "generic", "{name}");
        }
        assert_eq!(ALL.len(), FILES.len());
    }

    #[test]
    fn a_key_that_is_not_known_is_refused() {
        let (_, text) = FILES[0];
        assert!(Preset::parse(&format!("colour = 1\n{text}")).is_err());
    }
}
