//! Compact JWS (RFC 7515 section 7.1), as strictly as RFC 8725 has it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, crypto::aws_lc::DEFAULT_PROVIDER};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    json::{self, there},
    keys::{self, KeySet, PublicKey},
    token::Refusal,
};

/// No ID token comes near.
const MOST_BYTES: usize = 16 * 1024;

/// What counts of a header. What names keys or where they are (`jku`, `jwk`, `x5u`,
/// `x5c`) is passed over: keys come from the issuer's own set.
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default, deserialize_with = "there")]
    kid: Option<String>,
    #[serde(default, deserialize_with = "there")]
    typ: Option<String>,
}

/// A token cut in its parts, none of them believed yet.
pub(crate) struct Cut<'t> {
    header: Header,
    pub(crate) algorithm: Algorithm,
    signed: &'t str,
    payload: &'t str,
    signature: &'t str,
}

impl<'t> Cut<'t> {
    pub(crate) fn new(token: &'t str, algorithms: &[Algorithm]) -> Result<Self, Refusal> {
        if token.len() > MOST_BYTES {
            return Err(Refusal::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Refusal::Malformed)?;
        if payload.contains('.') {
            return Err(Refusal::Malformed);
        }
        let header = decoded(header)?;
        let header = json::object(&header).ok_or(Refusal::Malformed)?;
        // An extension that has to be understood, another payload, a packed or sealed one.
        if ["crit", "b64", "zip", "enc"]
            .iter()
            .any(|name| header.contains_key(*name))
        {
            return Err(Refusal::Extension);
        }
        let header: Header = json::read(header).ok_or(Refusal::Malformed)?;
        let kind = header.typ.as_deref();
        if !kind.is_none_or(|kind| kind.eq_ignore_ascii_case("JWT")) {
            return Err(Refusal::Kind);
        }
        let algorithm = keys::algorithm(&header.alg).filter(|known| algorithms.contains(known));
        Ok(Self {
            algorithm: algorithm.ok_or(Refusal::Algorithm)?,
            header,
            signed,
            payload,
            signature,
        })
    }

    /// The key that it names: an index into keys that are known, nothing else.
    pub(crate) fn key<'k>(&self, keys: &'k KeySet) -> Result<&'k PublicKey, Refusal> {
        keys.find(self.header.kid.as_deref(), self.algorithm)
    }

    /// What it holds, if that key signed it.
    pub(crate) fn open(&self, key: &PublicKey) -> Result<Map<String, Value>, Refusal> {
        let signature = decoded(self.signature)?;
        // Not the process's default provider: that panics where an application's other
        // libraries switched both on.
        let verifier = (DEFAULT_PROVIDER.verifier_factory)(&self.algorithm, key.decoding());
        let verifier = verifier.map_err(|_| Refusal::Signature)?;
        verifier
            .verify(self.signed.as_bytes(), &signature)
            .map_err(|_| Refusal::Signature)?;
        json::object(&decoded(self.payload)?).ok_or(Refusal::Claims)
    }
}

fn decoded(part: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed)
}
