//! The third party's public keys (RFC 7517), and which of them may have signed a token.

use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{json, token::Refusal};
use crate::Error;

/// No provider publishes more.
const MOST_KEYS: usize = 100;

/// A kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

/// The algorithms that can be configured: none that needs a shared secret.
const ALGORITHMS: [(&str, Algorithm, Kind); 9] = [
    ("RS256", Algorithm::RS256, Kind::Rsa),
    ("RS384", Algorithm::RS384, Kind::Rsa),
    ("RS512", Algorithm::RS512, Kind::Rsa),
    ("PS256", Algorithm::PS256, Kind::Rsa),
    ("PS384", Algorithm::PS384, Kind::Rsa),
    ("PS512", Algorithm::PS512, Kind::Rsa),
    ("ES256", Algorithm::ES256, Kind::P256),
    ("ES384", Algorithm::ES384, Kind::P384),
    ("EdDSA", Algorithm::EdDSA, Kind::Ed25519),
];

/// The algorithm of that name (RFC 7518 section 3.1), byte for byte.
pub(crate) fn algorithm(name: &str) -> Option<Algorithm> {
    let found = ALGORITHMS.iter().find(|(known, ..)| *known == name);
    found.map(|(_, algorithm, _)| *algorithm)
}

/// The names of all of them.
pub(crate) fn algorithm_names() -> impl Iterator<Item = &'static str> {
    ALGORITHMS.iter().map(|(name, ..)| *name)
}

fn kind_for(algorithm: Algorithm) -> Option<Kind> {
    let found = ALGORITHMS.iter().find(|(_, known, _)| *known == algorithm);
    found.map(|(.., kind)| *kind)
}

/// The keys that tokens can be verified with.
#[derive(Default)]
pub(crate) struct KeySet(Vec<PublicKey>);

/// One of them.
pub(crate) struct PublicKey {
    kid: Option<String>,
    kind: Kind,
    /// The one algorithm that it is for, if it says.
    algorithm: Option<String>,
    /// Whether it is there to verify signatures.
    signs: bool,
    /// The issuer that it is for, as Microsoft's keys say.
    pub(crate) issuer: Option<String>,
    decoding: DecodingKey,
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    issuer: Option<String>,
}

impl KeySet {
    /// Reads what is published. Keys of kinds that are of no use are passed over.
    pub(crate) fn read(object: Map<String, Value>) -> Result<Self, Error> {
        let problem = |problem: &str| Error::answer("keys", problem);
        let published: Published =
            json::read(object).ok_or_else(|| problem("they are no set of keys"))?;
        if published.keys.len() > MOST_KEYS {
            return Err(problem("there are more than 100"));
        }
        let keys = published.keys.into_iter();
        let usable = |key| serde_json::from_value(key).ok().and_then(PublicKey::of);
        Ok(Self(keys.filter_map(usable).collect()))
    }

    /// Whether one of them can verify a signature by one of these.
    pub(crate) fn serves(&self, algorithms: &[Algorithm]) -> bool {
        let mut keys = self.0.iter();
        keys.any(|key| algorithms.iter().any(|algorithm| key.fits(*algorithm)))
    }

    /// The key that a token names. One without a name has to be the only one that fits.
    pub(crate) fn find(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<&PublicKey, Refusal> {
        let named: Vec<_> = match kid {
            Some(kid) => {
                let keys = self.0.iter();
                keys.filter(|key| key.kid.as_deref() == Some(kid)).collect()
            }
            None => self.0.iter().collect(),
        };
        if named.is_empty() {
            return Err(Refusal::UnknownKey);
        }
        let mut fitting = named.into_iter().filter(|key| key.fits(algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            _ => Err(Refusal::UnfitKey),
        }
    }
}

impl PublicKey {
    fn of(key: Jwk) -> Option<Self> {
        let (kind, decoding) = match (key.kty.as_str(), key.crv.as_deref()) {
            ("RSA", None) => {
                let (n, e) = (key.n?, key.e?);
                (Kind::Rsa, DecodingKey::from_rsa_components(&n, &e).ok()?)
            }
            ("EC", Some(curve @ ("P-256" | "P-384"))) => {
                let kind = if curve == "P-256" {
                    Kind::P256
                } else {
                    Kind::P384
                };
                let (x, y) = (key.x?, key.y?);
                (kind, DecodingKey::from_ec_components(&x, &y).ok()?)
            }
            ("OKP", Some("Ed25519")) => (
                Kind::Ed25519,
                DecodingKey::from_ed_components(&key.x?).ok()?,
            ),
            _ => return None,
        };
        let verifies = |operations: &Vec<String>| operations.iter().any(|one| one == "verify");
        Some(Self {
            kid: key.kid,
            kind,
            algorithm: key.alg,
            signs: key.usage.is_none_or(|usage| usage == "sig")
                && key.key_ops.as_ref().is_none_or(verifies),
            issuer: key.issuer,
            decoding,
        })
    }

    /// Whether it may verify a signature by that algorithm.
    fn fits(&self, algorithm: Algorithm) -> bool {
        let named = self.algorithm.as_deref();
        self.signs
            && kind_for(algorithm) == Some(self.kind)
            && named.is_none_or(|name| super::keys::algorithm(name) == Some(algorithm))
    }

    pub(crate) fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }
}
