//! Compact JWS (RFC 7515 section 7.1), as strictly as RFC 8725 has it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{Refusal, keys::PublicKey, object};

/// No token of the server comes near.
const MOST_BYTES: usize = 8 * 1024;

/// Exactly these three: what names keys, certificates, extensions or
/// compression beside them is refused with every other name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

/// A token cut in its parts, none of them believed yet.
pub(crate) struct Cut<'t> {
    header: Header,
    signed: &'t str,
    payload: &'t str,
    signature: &'t str,
}

impl<'t> Cut<'t> {
    pub(crate) fn new(token: &'t str) -> Result<Self, Refusal> {
        if token.len() > MOST_BYTES {
            return Err(Refusal::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Refusal::Malformed)?;
        if payload.contains('.') {
            return Err(Refusal::Malformed);
        }
        let header = URL_SAFE_NO_PAD
            .decode(header)
            .map_err(|_| Refusal::Malformed)?;
        let header: Header = object::read(&header).map_err(|_| Refusal::Header)?;
        if header.typ != "at+jwt" {
            return Err(Refusal::Kind);
        }
        Ok(Self {
            header,
            signed,
            payload,
            signature,
        })
    }

    /// The key that it names: an index into keys that are known, nothing else.
    pub(crate) fn kid(&self) -> &str {
        &self.header.kid
    }

    /// What it holds, if that key signed it.
    pub(crate) fn open<T: DeserializeOwned>(&self, key: &PublicKey) -> Result<T, Refusal> {
        if self.header.alg != key.algorithm_name() {
            return Err(Refusal::Algorithm);
        }
        let signature = URL_SAFE_NO_PAD
            .decode(self.signature)
            .map_err(|_| Refusal::Malformed)?;
        // Not the process's default provider: that panics where an application's other
        // libraries switched both on.
        let verifier = (DEFAULT_PROVIDER.verifier_factory)(&key.algorithm(), key.decoding());
        let verifier = verifier.map_err(|_| Refusal::Signature)?;
        verifier
            .verify(self.signed.as_bytes(), &signature)
            .map_err(|_| Refusal::Signature)?;
        let payload = URL_SAFE_NO_PAD
            .decode(self.payload)
            .map_err(|_| Refusal::Malformed)?;
        object::read(&payload).map_err(|_| Refusal::Claims)
    }
}
