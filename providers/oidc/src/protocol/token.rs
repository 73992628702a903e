//! What counts as an ID token (OpenID Connect Core 1.0 section 3.1.3.7), for every issuer
//! the same way.

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    issuer::Issuer,
    json::{self, there},
    jws::Cut,
    keys::KeySet,
};

/// How far the third party's clock may be off, in seconds.
pub(crate) const SKEW: i64 = 60;
/// OpenID Connect Core 1.0 section 2.
const MOST_SUBJECT: usize = 255;

/// Why a token counts for nothing: the words of the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    TooLong,
    Malformed,
    Extension,
    Kind,
    Algorithm,
    UnknownKey,
    UnfitKey,
    KeyOfAnotherIssuer,
    Signature,
    Claims,
    Issuer,
    Audience,
    AuthorizedParty,
    Expired,
    TooEarly,
    Stale,
    Nonce,
    Authentication,
    AccessToken,
    Subject,
}

impl Refusal {
    /// As it stands in the audit log.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "token_too_long",
            Self::Malformed => "malformed_token",
            Self::Extension => "critical_header",
            Self::Kind => "wrong_token_type",
            Self::Algorithm => "wrong_algorithm",
            Self::UnknownKey => "unknown_key",
            Self::UnfitKey => "unfit_key",
            Self::KeyOfAnotherIssuer => "key_of_another_issuer",
            Self::Signature => "wrong_signature",
            Self::Claims => "wrong_claims",
            Self::Issuer => "wrong_issuer",
            Self::Audience => "wrong_audience",
            Self::AuthorizedParty => "wrong_authorized_party",
            Self::Expired => "expired_token",
            Self::TooEarly => "token_not_yet_valid",
            Self::Stale => "token_issued_too_early",
            Self::Nonce => "wrong_nonce",
            Self::Authentication => "authentication_too_old",
            Self::AccessToken => "wrong_access_token",
            Self::Subject => "wrong_subject",
        }
    }
}

/// What a token has to be.
pub(crate) struct Profile<'a> {
    pub(crate) issuer: &'a Issuer,
    pub(crate) client_id: &'a str,
    /// Other audiences that are trusted.
    pub(crate) audiences: &'a [String],
    pub(crate) algorithms: &'a [Algorithm],
    /// The nonce that has to be in it; `None`: none is demanded.
    pub(crate) nonce: Option<&'a str>,
    /// When what it answers to began; `None`: long ago.
    pub(crate) since: Option<i64>,
    /// Whether somebody had to prove anew who they are.
    pub(crate) anew: bool,
    /// What came with it.
    pub(crate) access_token: &'a str,
    pub(crate) now: i64,
}

/// A token that counts.
pub(crate) struct Verified {
    /// The issuer, as it stands there.
    pub(crate) issuer: String,
    pub(crate) subject: String,
    /// All of its claims.
    pub(crate) claims: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// The claims that are looked at, each of its type or not there.
#[derive(Deserialize)]
struct Written {
    iss: String,
    sub: String,
    aud: Audience,
    exp: u32,
    iat: u32,
    #[serde(default, deserialize_with = "there")]
    nbf: Option<u32>,
    #[serde(default, deserialize_with = "there")]
    nonce: Option<String>,
    #[serde(default, deserialize_with = "there")]
    azp: Option<String>,
    #[serde(default, deserialize_with = "there")]
    auth_time: Option<u32>,
    #[serde(default, deserialize_with = "there")]
    at_hash: Option<String>,
    #[serde(default, deserialize_with = "there")]
    tid: Option<String>,
}

impl Profile<'_> {
    /// What a token says, if it counts.
    pub(crate) fn verify(&self, token: &str, keys: &KeySet) -> Result<Verified, Refusal> {
        let cut = Cut::new(token, self.algorithms)?;
        let key = cut.key(keys)?;
        let claims = cut.open(key)?;
        let written: Written = json::read(claims.clone()).ok_or(Refusal::Claims)?;
        self.issuer.check(&written.iss, written.tid.as_deref())?;
        if !self
            .issuer
            .may_sign(key.issuer.as_deref(), &written.iss, written.tid.as_deref())
        {
            return Err(Refusal::KeyOfAnotherIssuer);
        }
        self.check_audience(&written)?;
        self.check_times(&written)?;
        self.check_transaction(&written)?;
        if let Some(hash) = &written.at_hash
            && *hash != half_hash(cut.algorithm, self.access_token)
        {
            return Err(Refusal::AccessToken);
        }
        if !(1..=MOST_SUBJECT).contains(&written.sub.len()) {
            return Err(Refusal::Claims);
        }
        Ok(Verified {
            issuer: written.iss,
            subject: written.sub,
            claims,
        })
    }

    fn check_audience(&self, written: &Written) -> Result<(), Refusal> {
        let audiences = match &written.aud {
            Audience::One(one) => std::slice::from_ref(one),
            Audience::Several(several) => several,
        };
        let is_ours = |audience: &String| audience == self.client_id;
        let is_trusted = |audience: &String| {
            is_ours(audience) || self.audiences.iter().any(|trusted| trusted == audience)
        };
        if !audiences.iter().any(is_ours) || !audiences.iter().all(is_trusted) {
            return Err(Refusal::Audience);
        }
        match &written.azp {
            Some(party) if party == self.client_id => Ok(()),
            None if audiences.len() == 1 => Ok(()),
            _ => Err(Refusal::AuthorizedParty),
        }
    }

    fn check_times(&self, written: &Written) -> Result<(), Refusal> {
        let latest = self.now.saturating_add(SKEW);
        if i64::from(written.exp).saturating_add(SKEW) <= self.now || written.exp <= written.iat {
            return Err(Refusal::Expired);
        }
        let is_ahead = |at: u32| i64::from(at) > latest;
        if is_ahead(written.iat) || written.nbf.is_some_and(is_ahead) {
            return Err(Refusal::TooEarly);
        }
        match self.since {
            Some(since) if i64::from(written.iat).saturating_add(SKEW) < since => {
                Err(Refusal::Stale)
            }
            _ => Ok(()),
        }
    }

    fn check_transaction(&self, written: &Written) -> Result<(), Refusal> {
        if self.nonce.is_some() && written.nonce.as_deref() != self.nonce {
            return Err(Refusal::Nonce);
        }
        let Some(since) = self.since.filter(|_| self.anew) else {
            return Ok(());
        };
        let earliest = since.saturating_sub(SKEW);
        let latest = self.now.saturating_add(SKEW);
        match written.auth_time.map(i64::from) {
            Some(at) if (earliest..=latest).contains(&at) => Ok(()),
            _ => Err(Refusal::Authentication),
        }
    }
}

/// `at_hash` (Core section 3.1.3.6): the left half of the hash that the signature's
/// algorithm is made with; for EdDSA that is SHA-512.
pub(crate) fn half_hash(algorithm: Algorithm, access_token: &str) -> String {
    let hash = match algorithm {
        Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => &digest::SHA384,
        Algorithm::RS512 | Algorithm::PS512 | Algorithm::EdDSA => &digest::SHA512,
        _ => &digest::SHA256,
    };
    let whole = digest::digest(hash, access_token.as_bytes());
    let half = whole.as_ref().len() / 2;
    URL_SAFE_NO_PAD.encode(whole.as_ref().get(..half).unwrap_or_default())
}
