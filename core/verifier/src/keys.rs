use std::{collections::BTreeMap, fmt};

use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

use crate::{
    Claims, Refusal,
    claims::Written,
    jws::Cut,
    object::{self, Object},
};

/// No server publishes more.
const MOST_KEYS: usize = 64;
const MOST_BYTES: usize = 64 * 1024;

/// Why a text holds no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is not a set of public keys (RFC 7517)")]
pub struct InvalidKeys;

/// A server's public keys, as it publishes them.
#[derive(Clone, Default)]
pub struct KeySet(BTreeMap<String, PublicKey>);

#[derive(Clone)]
pub(crate) struct PublicKey {
    algorithm: Algorithm,
    decoding: DecodingKey,
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<serde_json::Value>,
}

/// A key that this crate can verify with.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    x: String,
    y: Option<String>,
    kid: String,
    alg: String,
    #[serde(rename = "use")]
    usage: String,
}

impl KeySet {
    /// Reads what a server publishes at `/.well-known/jwks.json`. Keys that are
    /// for something else are passed over.
    ///
    /// # Errors
    /// When it is no set of keys, or names one twice.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidKeys> {
        if text.len() > MOST_BYTES {
            return Err(InvalidKeys);
        }
        let published: Published = object::read(text).map_err(|_| InvalidKeys)?;
        if published.keys.len() > MOST_KEYS {
            return Err(InvalidKeys);
        }
        let mut keys = BTreeMap::new();
        for key in published.keys {
            let key = serde_json::from_value(key).ok();
            let Some((kid, key)) = key.and_then(|Object(key)| usable(key)) else {
                continue;
            };
            if keys.insert(kid, key).is_some() {
                return Err(InvalidKeys);
            }
        }
        Ok(Self(keys))
    }

    /// Who calls, if the token was made by `issuer` for `audience`, is signed by
    /// one of these keys and counts at `now`, in seconds since 1970.
    ///
    /// # Errors
    /// Why not.
    pub fn verify(
        &self,
        token: &str,
        issuer: &str,
        audience: &str,
        now: u64,
    ) -> Result<Claims, Refusal> {
        let cut = Cut::new(token)?;
        let key = self.0.get(cut.kid()).ok_or(Refusal::UnknownKey)?;
        let written: Written = cut.open(key)?;
        written.check(issuer, audience, now)
    }
}

fn usable(key: Jwk) -> Option<(String, PublicKey)> {
    if key.usage != "sig" || key.kid.is_empty() {
        return None;
    }
    let kind = (key.kty.as_str(), key.crv.as_str(), key.alg.as_str());
    let (algorithm, decoding) = match (kind, &key.y) {
        (("OKP", "Ed25519", "EdDSA"), None) => (
            Algorithm::EdDSA,
            DecodingKey::from_ed_components(&key.x).ok()?,
        ),
        (("EC", "P-256", "ES256"), Some(y)) => (
            Algorithm::ES256,
            DecodingKey::from_ec_components(&key.x, y).ok()?,
        ),
        _ => return None,
    };
    let public = PublicKey {
        algorithm,
        decoding,
    };
    Some((key.kid, public))
}

impl PublicKey {
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(crate) fn algorithm_name(&self) -> &'static str {
        match self.algorithm {
            Algorithm::ES256 => "ES256",
            _ => "EdDSA",
        }
    }

    pub(crate) fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
