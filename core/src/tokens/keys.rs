//! Keys that sign tokens: how they are made, kept, replaced and published.
//!
//! The keys of a kind are one value of the installation: a list, each private
//! key sealed. It is read anew whenever a token is signed, and stored over the
//! version that was read, so of servers that replace a key at once one makes the
//! next, and all sign with the same. A key is published for [`OVERLAP`] before it
//! signs, which is longer than anybody may keep the published keys, and for as
//! long after its last signature, which is longer than any token lives.

use std::{fmt, time::Duration};

use aws_lc_rs::{
    agreement,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair},
};
use jiff::Timestamp;
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey,
    crypto::aws_lc,
    jwk::{AlgorithmParameters, Jwk, ThumbprintHash},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::TokenKind;
use crate::{
    Environment, Error, ErrorKind, Platform, Result, environment::later, seal::SealContext,
    secret::base64_bytes, storage::InstallationValue,
};

/// How long a key is published before its first signature and after its last.
pub const OVERLAP: Duration = Duration::from_secs(60 * 60);

/// How tokens are signed (RFC 8037, RFC 7518).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum SigningAlgorithm {
    /// `EdDSA` with Ed25519.
    #[default]
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// `ES256`: ECDSA with P-256 and SHA-256.
    #[serde(rename = "ES256")]
    Es256,
}

impl SigningAlgorithm {
    /// Its name in a token's header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
        }
    }

    pub(super) fn in_jose(self) -> Algorithm {
        match self {
            Self::EdDsa => Algorithm::EdDSA,
            Self::Es256 => Algorithm::ES256,
        }
    }
}

/// How keys are made and replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPolicy {
    /// How the next key signs. Keys that are there stay what they are.
    pub algorithm: SigningAlgorithm,
    /// How long a key signs before the next one does.
    pub rotate_after: Duration,
}

impl Default for KeyPolicy {
    fn default() -> Self {
        Self {
            algorithm: SigningAlgorithm::default(),
            rotate_after: Duration::from_secs(90 * 24 * 60 * 60),
        }
    }
}

/// A key as it is kept.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredKey {
    pub(super) kid: String,
    algorithm: SigningAlgorithm,
    public: Jwk,
    #[serde(with = "base64_bytes")]
    sealed: Vec<u8>,
    created_at: Timestamp,
    pub(super) signs_from: Timestamp,
}

/// A key in use.
pub(super) struct SigningKey {
    pub(super) kid: String,
    pub(super) algorithm: SigningAlgorithm,
    pub(super) signing: EncodingKey,
    pub(super) verifying: DecodingKey,
}

/// A public key as it is published (RFC 7517, RFC 8037).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// `OKP` or `EC`.
    pub kty: &'static str,
    /// `Ed25519` or `P-256`.
    pub crv: &'static str,
    /// The public key, or its first coordinate, in base64url.
    pub x: String,
    /// The second coordinate, of `EC` keys.
    pub y: Option<String>,
    /// Its id, which tokens name.
    pub kid: String,
    /// How it signs.
    pub algorithm: SigningAlgorithm,
}

/// What may be told of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Which tokens it signs.
    pub kind: TokenKind,
    /// Its id, which tokens name: the thumbprint of its public part (RFC 7638).
    pub kid: String,
    /// How it signs.
    pub algorithm: SigningAlgorithm,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it signs.
    pub signs_from: Timestamp,
    /// Where it stands.
    pub state: KeyState,
}

/// Where a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Published, and not signing yet.
    Waiting,
    /// The one that signs.
    Signing,
    /// Published for tokens that it signed before.
    Retiring,
    /// No longer published; it is removed soon.
    Over,
}

impl KeyState {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Signing => "signing",
            Self::Retiring => "retiring",
            Self::Over => "over",
        }
    }
}

/// The keys of a kind, the one that signs first before those that sign later.
#[derive(Clone, Default)]
pub(super) struct KeyList {
    /// 0: none were ever stored.
    pub(super) version: i64,
    pub(super) keys: Vec<StoredKey>,
}

impl KeyList {
    pub(super) fn parse(stored: Option<&InstallationValue>) -> Result<Self> {
        let Some(stored) = stored else {
            return Ok(Self::default());
        };
        let keys = serde_json::from_slice(&stored.value).map_err(|_| corrupt())?;
        Ok(Self {
            version: stored.version,
            keys,
        })
    }

    pub(super) fn value(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(&self.keys)
            .map_err(|error| Error::internal("signing keys").because(error))
    }

    /// The key that signs at `now`: the newest that may. Where a clock was set
    /// back before all of them, the oldest.
    pub(super) fn signer(&self, now: Timestamp) -> Option<&StoredKey> {
        let may = |key: &&StoredKey| key.signs_from <= now;
        self.keys.iter().rfind(may).or_else(|| self.keys.first())
    }

    /// The key after that, if one waits.
    pub(super) fn waiting(&self, now: Timestamp) -> Option<&StoredKey> {
        // One that waits for longer was made while a clock was wrong.
        let soon = later(now, 2 * OVERLAP);
        let waits = |key: &&StoredKey| key.signs_from > now && key.signs_from <= soon;
        self.keys.iter().find(waits)
    }

    /// Where each key stands.
    pub(super) fn states(&self, now: Timestamp) -> Vec<(&StoredKey, KeyState)> {
        let signer = self.signer(now).map(|key| key.kid.as_str());
        let mut states = Vec::new();
        for (number, key) in self.keys.iter().enumerate() {
            let next = self.keys.get(number + 1);
            let state = if Some(key.kid.as_str()) == signer {
                KeyState::Signing
            } else if key.signs_from > now {
                KeyState::Waiting
            } else if next.is_some_and(|next| later(next.signs_from, OVERLAP) <= now) {
                KeyState::Over
            } else {
                KeyState::Retiring
            };
            states.push((key, state));
        }
        states
    }

    /// Whether the next key is to be made, so that it signs when the present one
    /// has signed for long enough.
    pub(super) fn is_due(&self, now: Timestamp, policy: &KeyPolicy) -> bool {
        let is_old = self
            .signer(now)
            .is_none_or(|key| later(key.signs_from, policy.rotate_after) <= later(now, OVERLAP));
        is_old && self.waiting(now).is_none()
    }

    /// Removes the keys that are over; answers whether there were any.
    pub(super) fn forget(&mut self, now: Timestamp) -> bool {
        let over = self.states(now).into_iter();
        let over = over.filter(|(_, state)| *state == KeyState::Over);
        let over: Vec<String> = over.map(|(key, _)| key.kid.clone()).collect();
        self.keys.retain(|key| !over.contains(&key.kid));
        !over.is_empty()
    }

    /// The published keys.
    pub(super) fn published(&self, now: Timestamp) -> Vec<PublicKey> {
        let states = self.states(now).into_iter();
        let shown = states.filter(|(_, state)| *state != KeyState::Over);
        shown.filter_map(|(key, _)| public(key)).collect()
    }

    pub(super) fn infos(&self, kind: TokenKind, now: Timestamp) -> Vec<KeyInfo> {
        let states = self.states(now).into_iter();
        let info = |(key, state): (&StoredKey, KeyState)| KeyInfo {
            kind,
            kid: key.kid.clone(),
            algorithm: key.algorithm,
            created_at: key.created_at,
            signs_from: key.signs_from,
            state,
        };
        states.map(info).collect()
    }

    /// Adds a key in its place.
    pub(super) fn add(&mut self, key: StoredKey) {
        self.keys.push(key);
        self.keys
            .sort_by(|one, other| (one.signs_from, &one.kid).cmp(&(other.signs_from, &other.kid)));
    }
}

/// Whichever cryptography other libraries of the process switch on in `jsonwebtoken`
/// too: this one is meant. Nothing is changed where it was chosen already.
fn choose_cryptography() {
    let _chosen = aws_lc::DEFAULT_PROVIDER.install_default();
}

/// A new key that signs from then on.
pub(super) fn make(
    platform: &Platform,
    kind: TokenKind,
    signs_from: Timestamp,
) -> Result<StoredKey> {
    choose_cryptography();
    let algorithm = platform.key_policy().algorithm;
    let private = private_key(platform.environment(), algorithm)?;
    let signing = encoding_key(algorithm, &private);
    let failed = |error| Error::internal("a signing key cannot be made").because(error);
    let public = Jwk::from_encoding_key(&signing, algorithm.in_jose()).map_err(failed)?;
    let kid = public.thumbprint(ThumbprintHash::SHA256).map_err(failed)?;
    let sealed = platform.keys().seal(
        &context(&[kind.as_str().as_bytes(), kid.as_bytes()]),
        &private,
    )?;
    Ok(StoredKey {
        kid,
        algorithm,
        public,
        sealed,
        created_at: platform.now(),
        signs_from,
    })
}

/// A stored key, opened. No unit of work may be open meanwhile.
pub(super) async fn open(
    platform: &Platform,
    kind: TokenKind,
    key: &StoredKey,
) -> Result<SigningKey> {
    choose_cryptography();
    let place: &[&[u8]] = &[kind.as_str().as_bytes(), key.kid.as_bytes()];
    let private = platform.open_sealed(&context(place), &key.sealed).await?;
    let private = Zeroizing::new(private);
    Ok(SigningKey {
        kid: key.kid.clone(),
        algorithm: key.algorithm,
        signing: encoding_key(key.algorithm, &private),
        verifying: DecodingKey::from_jwk(&key.public).map_err(|_| corrupt())?,
    })
}

fn public(key: &StoredKey) -> Option<PublicKey> {
    let (kty, crv, x, y) = match &key.public.algorithm {
        AlgorithmParameters::OctetKeyPair(pair) => ("OKP", "Ed25519", pair.x.clone(), None),
        AlgorithmParameters::EllipticCurve(point) => {
            ("EC", "P-256", point.x.clone(), Some(point.y.clone()))
        }
        // None of ours.
        _ => return None,
    };
    Some(PublicKey {
        kty,
        crv,
        x,
        y,
        kid: key.kid.clone(),
        algorithm: key.algorithm,
    })
}

fn context<'a>(place: &'a [&'a [u8]]) -> SealContext<'a> {
    SealContext {
        purpose: "signing key",
        place,
    }
}

fn encoding_key(algorithm: SigningAlgorithm, private: &[u8]) -> EncodingKey {
    match algorithm {
        SigningAlgorithm::EdDsa => EncodingKey::from_ed_der(private),
        SigningAlgorithm::Es256 => EncodingKey::from_ec_der(private),
    }
}

/// A private key as PKCS #8, out of random bytes of the environment.
fn private_key(
    environment: &Environment,
    algorithm: SigningAlgorithm,
) -> Result<Zeroizing<Vec<u8>>> {
    let failed = || Error::internal("a signing key cannot be made");
    let document = match algorithm {
        SigningAlgorithm::EdDsa => {
            let seed = Zeroizing::new(environment.bytes::<32>());
            let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice());
            pair.map_err(|_| failed())?.to_pkcs8v1()
        }
        SigningAlgorithm::Es256 => p256_pair(environment).ok_or_else(failed)?.to_pkcs8v1(),
    };
    let document = document.map_err(|_| failed())?;
    Ok(Zeroizing::new(document.as_ref().to_vec()))
}

/// FIPS 186-5 section A.2.2: random numbers are tried until one is in range,
/// which each is but for one in four thousand million.
fn p256_pair(environment: &Environment) -> Option<EcdsaKeyPair> {
    (0..16).find_map(|_| {
        let number = Zeroizing::new(environment.bytes::<32>());
        let private =
            agreement::PrivateKey::from_private_key(&agreement::ECDH_P256, number.as_slice());
        let public = private.ok()?.compute_public_key().ok()?;
        EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            number.as_slice(),
            public.as_ref(),
        )
        .ok()
    })
}

fn corrupt() -> Error {
    Error::new(ErrorKind::Corrupt, "the signing keys cannot be read")
}

impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredKey")
            .field("kid", &self.kid)
            .field("signs_from", &self.signs_from)
            .finish_non_exhaustive()
    }
}
