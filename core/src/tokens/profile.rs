//! The one table of kinds of tokens.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A kind of signed token. Each has keys of its own: a token of one kind is
/// refused wherever another is wanted, by its key, its `typ` and its audience.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// An access token for an application (RFC 9068).
    Access,
}

/// What a token of a kind is, and nothing else counts as one. Signature
/// algorithms are those of the kind's keys, the issuer is the server's origin.
#[derive(Debug)]
pub struct TokenProfile {
    /// Which kind.
    pub kind: TokenKind,
    /// The header's `typ`, byte for byte.
    pub typ: &'static str,
    /// Whom it is meant for.
    pub audience: AudienceRule,
    /// From `iat` to `exp` at most.
    pub lifetime: Duration,
    /// Whether its public keys are published, for others to verify it.
    pub published: bool,
    /// Every claim that it may have.
    pub claims: &'static [ClaimRule],
}

/// Whom tokens of a kind are meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudienceRule {
    /// The audience of the application that it was made for.
    Application,
    /// This server itself, under a word of its own that no application can have
    /// (see [`Audience`](crate::model::Audience)).
    Server(&'static str),
}

/// A claim and what it holds.
#[derive(Debug, Clone, Copy)]
pub struct ClaimRule {
    /// Its name.
    pub name: &'static str,
    /// Its JSON type.
    pub shape: ClaimShape,
    /// Whether it has to be there.
    pub required: bool,
}

/// The JSON type of a claim. No claim is `null`, an object or a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimShape {
    /// A text that is not empty.
    Text,
    /// Whole seconds since 1970 (a `NumericDate` of RFC 7519 without a fraction).
    Time,
    /// A list of texts.
    Texts,
}

const fn required(name: &'static str, shape: ClaimShape) -> ClaimRule {
    ClaimRule {
        name,
        shape,
        required: true,
    }
}

/// Every kind of token.
pub static PROFILES: [TokenProfile; 1] = [TokenProfile {
    kind: TokenKind::Access,
    typ: "at+jwt",
    audience: AudienceRule::Application,
    lifetime: Duration::from_secs(300),
    published: true,
    claims: &[
        required("iss", ClaimShape::Text),
        required("aud", ClaimShape::Text),
        required("sub", ClaimShape::Text),
        required("client_id", ClaimShape::Text),
        required("tenant", ClaimShape::Text),
        required("sid", ClaimShape::Text),
        required("jti", ClaimShape::Text),
        required("iat", ClaimShape::Time),
        required("exp", ClaimShape::Time),
        required("auth_time", ClaimShape::Time),
        required("acr", ClaimShape::Text),
        required("amr", ClaimShape::Texts),
        required("roles", ClaimShape::Texts),
    ],
}];

impl TokenKind {
    /// All of them.
    pub const ALL: [Self; 1] = [Self::Access];

    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
        }
    }

    /// Reads a stable name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// What a token of this kind is.
    pub fn profile(self) -> &'static TokenProfile {
        let [access] = &PROFILES;
        match self {
            Self::Access => access,
        }
    }

    /// The value of the installation that holds its keys.
    pub(crate) fn value_name(self) -> &'static str {
        match self {
            Self::Access => "signing_keys/access",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::Audience;

    #[test]
    fn every_kind_has_its_own_row_in_the_table() {
        let kinds: Vec<_> = PROFILES.iter().map(|profile| profile.kind).collect();
        assert_eq!(kinds, TokenKind::ALL);
        for kind in TokenKind::ALL {
            assert_eq!(kind.profile().kind, kind);
            assert_eq!(TokenKind::parse(kind.as_str()), Some(kind));
        }
        let distinct =
            |texts: Vec<&str>| texts.iter().collect::<BTreeSet<_>>().len() == texts.len();
        assert!(distinct(
            PROFILES.iter().map(|profile| profile.typ).collect()
        ));
        assert!(distinct(TokenKind::ALL.map(TokenKind::value_name).to_vec()));
    }

    #[test]
    fn every_kind_says_from_whom_to_whom_and_until_when() {
        for profile in &PROFILES {
            for name in ["iss", "aud", "sub", "jti", "iat", "exp"] {
                let rule = profile.claims.iter().find(|rule| rule.name == name);
                assert!(rule.is_some_and(|rule| rule.required), "{name}");
            }
            if let AudienceRule::Server(word) = profile.audience {
                assert!(Audience::new(word).is_err(), "no application is `{word}`");
            }
        }
    }
}
