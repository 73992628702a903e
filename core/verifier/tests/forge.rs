//! A server's keys, and tokens signed by them, well or badly.

use aws_lc_rs::{
    hmac,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatelodge_verifier::{Claims, KeySet, Refusal};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://id.example.org";
pub(crate) const AUDIENCE: &str = "https://api.example.org";
pub(crate) const NOW: u64 = 1_790_000_000;
pub(crate) const KID: &str = "of-the-server";

pub(crate) fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The keys of a server: one of each kind.
pub(crate) struct Forge {
    ed: Ed25519KeyPair,
    ec: EcdsaKeyPair,
}

impl Forge {
    pub(crate) fn new() -> Self {
        Self::of(7)
    }

    /// The keys that belong to a number.
    pub(crate) fn of(seed: u8) -> Self {
        Self {
            ed: Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap(),
            ec: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
        }
    }

    pub(crate) fn ed_public(&self) -> &[u8] {
        self.ed.public_key().as_ref()
    }

    pub(crate) fn ed_jwk(&self, kid: &str) -> Value {
        json!({
            "kty": "OKP", "crv": "Ed25519", "x": encoded(self.ed_public()),
            "kid": kid, "use": "sig", "alg": "EdDSA",
        })
    }

    pub(crate) fn ec_jwk(&self, kid: &str) -> Value {
        let point = self.ec.public_key().as_ref();
        json!({
            "kty": "EC", "crv": "P-256", "x": encoded(&point[1..33]), "y": encoded(&point[33..65]),
            "kid": kid, "use": "sig", "alg": "ES256",
        })
    }

    /// What the server publishes.
    pub(crate) fn published(&self) -> String {
        json!({"keys": [self.ed_jwk(KID), self.ec_jwk("of-the-curve")]}).to_string()
    }

    pub(crate) fn keys(&self) -> KeySet {
        KeySet::parse(self.published().as_bytes()).unwrap()
    }

    /// A token of these texts, signed with Ed25519 whatever they say.
    pub(crate) fn signed(&self, header: &str, payload: &str) -> String {
        let message = format!("{}.{}", encoded(header), encoded(payload));
        let signature = self.ed.sign(message.as_bytes());
        format!("{message}.{}", encoded(signature))
    }

    /// The same, signed with P-256.
    pub(crate) fn signed_on_the_curve(&self, header: &str, payload: &str) -> String {
        let message = format!("{}.{}", encoded(header), encoded(payload));
        let random = aws_lc_rs::rand::SystemRandom::new();
        let signature = self.ec.sign(&random, message.as_bytes()).unwrap();
        format!("{message}.{}", encoded(signature))
    }

    /// The same, with a key that both sides are to share.
    pub(crate) fn signed_by_secret(secret: &[u8], header: &str, payload: &str) -> String {
        let message = format!("{}.{}", encoded(header), encoded(payload));
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let signature = hmac::sign(&key, message.as_bytes());
        format!("{message}.{}", encoded(signature))
    }

    pub(crate) fn check(&self, token: &str) -> Result<Claims, Refusal> {
        self.keys().verify(token, ISSUER, AUDIENCE, NOW)
    }
}

pub(crate) fn header() -> Value {
    json!({"alg": "EdDSA", "typ": "at+jwt", "kid": KID})
}

pub(crate) fn payload() -> Value {
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "0190a6c2-0000-7000-8000-000000000001",
        "client_id": "0190a6c2-0000-7000-8000-000000000002",
        "tenant": "0190a6c2-0000-7000-8000-000000000003",
        "sid": "0190a6c2-0000-7000-8000-000000000004",
        "jti": "0190a6c2-0000-7000-8000-000000000005",
        "iat": NOW,
        "exp": NOW + 300,
        "auth_time": NOW - 60,
        "acr": "aal2",
        "amr": ["pwd", "otp", "mfa"],
        "roles": ["tenant_administrator"],
    })
}
