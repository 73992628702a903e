//! Keys of the liar's, made once for each process.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    hmac,
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
        RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
    },
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Map, Value, json};

/// A pair of keys.
pub(super) struct Pair {
    secret: Private,
    /// The public key as a JWK, but for its name and use.
    pub(super) jwk: Map<String, Value>,
    /// The public key as X.509 has it.
    pub(super) der: Vec<u8>,
}

enum Private {
    Rsa(Box<RsaKeyPair>),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// The pair for an algorithm, the published one or another.
pub(super) fn pair(algorithm: &str, is_published: bool) -> Option<Arc<Pair>> {
    static MADE: Mutex<BTreeMap<(&str, bool), Arc<Pair>>> = Mutex::new(BTreeMap::new());
    let kind = match algorithm {
        "ES256" => "P-256",
        "ES384" => "P-384",
        "EdDSA" => "Ed25519",
        _ => "RSA",
    };
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pair) = made.get(&(kind, is_published)) {
        return Some(Arc::clone(pair));
    }
    let pair = Arc::new(Pair::generate(kind)?);
    made.insert((kind, is_published), Arc::clone(&pair));
    Some(pair)
}

impl Pair {
    fn generate(kind: &str) -> Option<Self> {
        match kind {
            "P-256" => Self::ec(&ECDSA_P256_SHA256_FIXED_SIGNING, kind),
            "P-384" => Self::ec(&ECDSA_P384_SHA384_FIXED_SIGNING, kind),
            "Ed25519" => {
                let key = Ed25519KeyPair::generate().ok()?;
                let x = text(key.public_key().as_ref());
                Some(Self {
                    jwk: object(json!({"kty": "OKP", "crv": kind, "x": x})),
                    der: der(key.public_key())?,
                    secret: Private::Ed(key),
                })
            }
            _ => {
                let key = RsaKeyPair::generate(KeySize::Rsa2048).ok()?;
                let public = key.public_key();
                let n = text(public.modulus().big_endian_without_leading_zero());
                let e = text(public.exponent().big_endian_without_leading_zero());
                Some(Self {
                    jwk: object(json!({"kty": "RSA", "n": n, "e": e})),
                    der: der(public)?,
                    secret: Private::Rsa(Box::new(key)),
                })
            }
        }
    }

    fn ec(algorithm: &'static EcdsaSigningAlgorithm, curve: &str) -> Option<Self> {
        let key = EcdsaKeyPair::generate(algorithm).ok()?;
        // The point uncompressed: a byte, then both coordinates.
        let (_, point) = key.public_key().as_ref().split_first()?;
        let (x, y) = point.split_at_checked(point.len() / 2)?;
        Some(Self {
            jwk: object(json!({"kty": "EC", "crv": curve, "x": text(x), "y": text(y)})),
            der: der(key.public_key())?,
            secret: Private::Ec(key),
        })
    }

    /// A signature; RSA by the algorithm of that name.
    pub(super) fn sign(&self, algorithm: &str, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.secret {
            Private::Rsa(key) => {
                let encoding: &'static dyn RsaEncoding = match algorithm {
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(encoding, &random, message, &mut signature).ok()?;
                Some(signature)
            }
            Private::Ec(key) => Some(key.sign(&random, message).ok()?.as_ref().to_vec()),
            Private::Ed(key) => Some(key.sign(message).as_ref().to_vec()),
        }
    }

    /// The public key as PEM has it.
    pub(super) fn pem(&self) -> String {
        let body = STANDARD.encode(&self.der);
        let lines = body
            .as_bytes()
            .chunks(64)
            .filter_map(|line| std::str::from_utf8(line).ok());
        let lines: Vec<_> = lines.collect();
        format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            lines.join("\n")
        )
    }
}

/// HS256.
pub(super) fn hmac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::sign(&key, message).as_ref().to_vec()
}

fn der(key: &impl AsDer<PublicKeyX509Der<'static>>) -> Option<Vec<u8>> {
    Some(key.as_der().ok()?.as_ref().to_vec())
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}
