//! How the client shows who it is at the token endpoint.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use gatelodge_core::secret::Secret;
use jsonwebtoken::{Algorithm, EncodingKey, crypto::aws_lc::DEFAULT_PROVIDER};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::json;

/// For how long a secret that is made for one request counts, in seconds.
const LIFETIME: i64 = 300;

/// The client's proof.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum ClientAuth {
    /// In a header (RFC 6749 section 2.3.1).
    Basic(Secret),
    /// In the body.
    Post(Secret),
    /// None: a public client.
    None,
    /// A token, signed for each request.
    Apple(AppleKey),
}

/// The key of a developer account at Apple.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct AppleKey {
    pub(crate) team_id: String,
    pub(crate) key_id: String,
    /// PKCS #8, as PEM.
    pub(crate) private_key: Secret,
}

impl AppleKey {
    /// Whether the key can sign.
    pub(crate) fn is_usable(&self) -> bool {
        let der = der(self.private_key.expose());
        der.is_some_and(|der| {
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).is_ok()
        })
    }

    /// A secret for one request; `None` if the key cannot sign.
    pub(crate) fn secret(&self, client_id: &str, audience: &str, now: i64) -> Option<Secret> {
        let header = json!({"alg": "ES256", "kid": self.key_id});
        let claims = json!({
            "iss": self.team_id,
            "sub": client_id,
            "aud": audience,
            "iat": now,
            "exp": now.saturating_add(LIFETIME),
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let key = EncodingKey::from_ec_der(&der(self.private_key.expose())?);
        let signer = (DEFAULT_PROVIDER.signer_factory)(&Algorithm::ES256, &key).ok()?;
        let signature = signer.try_sign(signed.as_bytes()).ok()?;
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)).into())
    }
}

/// When a secret that is a token ends, in seconds since 1970: such as one that was made
/// for Apple by hand.
pub(crate) fn expiry(secret: &Secret) -> Option<i64> {
    let mut parts = secret.expose().split('.');
    let claims = URL_SAFE_NO_PAD.decode(parts.nth(1)?).ok()?;
    json::object(&claims)?.get("exp")?.as_i64()
}

/// What stands between the lines of a PEM file with a PKCS #8 key (RFC 7468 section 10).
fn der(pem: &str) -> Option<Zeroizing<Vec<u8>>> {
    let (_, rest) = pem.split_once("-----BEGIN PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END PRIVATE KEY-----")?;
    let body: Zeroizing<String> =
        Zeroizing::new(body.chars().filter(|c| !c.is_ascii_whitespace()).collect());
    STANDARD.decode(body.as_bytes()).ok().map(Zeroizing::new)
}
