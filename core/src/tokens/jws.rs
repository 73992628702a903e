//! Compact JWS (RFC 7515 section 7.1), as strictly as RFC 8725 has it. Nothing
//! of a token is believed, and nothing of its claims looked at, before its
//! signature was verified.

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::Value;

use super::{ClaimShape, TokenFault, TokenProfile};
use crate::{Error, Result};

/// No token of ours comes near.
pub(super) const MOST_BYTES: usize = 8 * 1024;

/// Exactly these three: what names keys, certificates, extensions or
/// compression beside them is refused with every other name.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) typ: String,
    pub(super) kid: String,
}

/// A token cut in its parts, none of them believed yet.
pub(super) struct Parts<'t> {
    pub(super) header: Header,
    signed: &'t str,
    payload: &'t str,
    signature: &'t str,
}

/// Cuts a token, without asking any key.
pub(super) fn cut(token: &str) -> Result<Parts<'_>, TokenFault> {
    if token.len() > MOST_BYTES {
        return Err(TokenFault::TooLong);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenFault::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(TokenFault::Malformed)?;
    if payload.contains('.') {
        return Err(TokenFault::Malformed);
    }
    let header = URL_SAFE_NO_PAD
        .decode(header)
        .map_err(|_| TokenFault::Malformed)?;
    let header = read_header(&header).ok_or(TokenFault::Header)?;
    Ok(Parts {
        header,
        signed,
        payload,
        signature,
    })
}

/// An object: the decoder would take an array for it too.
fn read_header(text: &[u8]) -> Option<Header> {
    let is_object = text.first() == Some(&b'{');
    serde_json::from_slice(text).ok().filter(|_| is_object)
}

/// The claims of a token whose signature is by this key.
pub(super) fn open(
    parts: &Parts<'_>,
    key: &DecodingKey,
    algorithm: Algorithm,
) -> Result<Claims, TokenFault> {
    let is_signed = crypto::verify(parts.signature, parts.signed.as_bytes(), key, algorithm)
        .map_err(|_| TokenFault::Signature)?;
    if !is_signed {
        return Err(TokenFault::Signature);
    }
    let payload = URL_SAFE_NO_PAD
        .decode(parts.payload)
        .map_err(|_| TokenFault::Malformed)?;
    serde_json::from_slice(&payload).map_err(|_| TokenFault::Claims)
}

/// A token of these claims.
pub(super) fn sign(
    header: &Header,
    claims: &impl Serialize,
    key: &EncodingKey,
    algorithm: Algorithm,
) -> Result<String> {
    let failed = |_| Error::internal("a token cannot be written as JSON");
    let header = serde_json::to_vec(header).map_err(failed)?;
    let claims = serde_json::to_vec(claims).map_err(failed)?;
    let mut token = URL_SAFE_NO_PAD.encode(header);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = crypto::sign(token.as_bytes(), key, algorithm)
        .map_err(|error| Error::internal("a token cannot be signed").because(error))?;
    token.push('.');
    token.push_str(&signature);
    Ok(token)
}

/// The claims of a verified token. A name that comes twice is refused: two
/// readers could take different ones.
#[derive(Clone, PartialEq)]
pub struct Claims(BTreeMap<String, Value>);

impl Claims {
    /// A text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// A time in seconds since 1970.
    pub fn seconds(&self, name: &str) -> Option<i64> {
        self.0.get(name)?.as_i64()
    }

    /// A list of texts; empty when there is none.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        let list = self.0.get(name).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str)
    }

    /// Every claim that has to be there is, and each is of the right type.
    pub(super) fn check_shapes(&self, profile: &TokenProfile) -> Result<(), TokenFault> {
        let is_missing = |rule: &super::ClaimRule| rule.required && !self.0.contains_key(rule.name);
        if profile.claims.iter().any(is_missing) {
            return Err(TokenFault::Claims);
        }
        for (name, value) in &self.0 {
            let rule = profile.claims.iter().find(|rule| rule.name == name);
            if !rule.is_some_and(|rule| fits(rule.shape, value)) {
                return Err(TokenFault::Claims);
            }
        }
        Ok(())
    }
}

fn fits(shape: ClaimShape, value: &Value) -> bool {
    match shape {
        ClaimShape::Text => value.as_str().is_some_and(|text| !text.is_empty()),
        // Beyond this there are no times, and below it there were no tokens.
        ClaimShape::Time => value
            .as_i64()
            .is_some_and(|seconds| (0..=253_402_207_200).contains(&seconds)),
        ClaimShape::Texts => value
            .as_array()
            .is_some_and(|list| list.iter().all(Value::is_string)),
    }
}

/// A claim may name a person.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;

        impl<'de> Visitor<'de> for Once {
            type Value = Claims;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Claims, A::Error> {
                let mut claims = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if claims.insert(name, value).is_some() {
                        return Err(A::Error::custom("a claim came twice"));
                    }
                }
                Ok(Claims(claims))
            }
        }

        deserializer.deserialize_map(Once)
    }
}
