use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatelodge_core::secret::Secret;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::{Key, Keys, MAX_TOKEN, SKEW, TYP, later};
use crate::Error;

/// Where a token counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The server's origin.
    pub issuer: &'a str,
    /// The tenant's id.
    pub audience: &'a str,
}

/// What a token says (RFC 7519 section 4.1): all of it, and nothing of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The server's origin.
    pub iss: String,
    /// The tenant's id.
    pub aud: String,
    /// The device: 128 random bits.
    pub sub: String,
    /// This token of the device: 128 random bits.
    pub jti: String,
    /// When it was made, in seconds.
    pub iat: i64,
    /// The first second in which it is worth nothing; the same for every token of
    /// a device.
    pub exp: i64,
}

/// What names one token of a device; the same token can be signed again from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    /// Its `jti`.
    pub jti: String,
    /// Its `iat`.
    pub iat: i64,
    /// The key that signs it.
    pub kid: String,
}

/// The header, and nothing that a header could hold besides: no `crit`, no key, no
/// address of one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnHeader {
    typ: String,
    alg: String,
    kid: String,
}

impl Claims {
    /// Signs them.
    ///
    /// # Errors
    /// [`Error::Keys`] for a key that is none.
    pub fn sign(&self, key: &Key) -> Result<Secret, Error> {
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(TYP.to_owned());
        header.kid = Some(key.kid.clone());
        let secret = EncodingKey::from_secret(&key.bytes()?);
        jsonwebtoken::encode(&header, self, &secret)
            .map(Secret::new)
            .map_err(Error::Sign)
    }

    /// What a token says, if one of these keys signed it for this place. Its times
    /// are not looked at.
    ///
    /// # Errors
    /// Why it is worth nothing: a short word for the log.
    pub fn verify(
        token: &Secret,
        keys: &Keys,
        place: Place<'_>,
        now: Timestamp,
    ) -> Result<Self, &'static str> {
        let key = named_key(token, keys, now)?;
        let secret = key.bytes().map_err(|_| "unreadable_key")?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[place.issuer]);
        validation.set_audience(&[place.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        // By the server's own clock, which is handed in.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let secret = DecodingKey::from_secret(&secret);
        let decoded = jsonwebtoken::decode::<Self>(token.expose(), &secret, &validation);
        let claims = decoded.map_err(|_| "bad_token")?.claims;
        let is_here = claims.iss == place.issuer && claims.aud == place.audience;
        is_here.then_some(claims).ok_or("bad_token")
    }

    /// Whether it counts by the clock, else why not.
    ///
    /// # Errors
    /// A short word for the log.
    pub fn check_times(&self, now: Timestamp) -> Result<(), &'static str> {
        let (Ok(made_at), Ok(expires_at)) = (
            Timestamp::from_second(self.iat),
            Timestamp::from_second(self.exp),
        ) else {
            return Err("bad_times");
        };
        if expires_at <= now {
            return Err("expired");
        }
        // The clock was set back, or is far behind another server's.
        if made_at > later(now, SKEW) {
            return Err("not_yet");
        }
        Ok(())
    }
}

/// The key that a token names, once its header says nothing else than ours.
fn named_key<'a>(token: &Secret, keys: &'a Keys, now: Timestamp) -> Result<&'a Key, &'static str> {
    if token.len() > MAX_TOKEN {
        return Err("oversized");
    }
    let mut parts = token.expose().split('.');
    let (Some(header), Some(_), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("malformed");
    };
    let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| "malformed")?;
    let header: OwnHeader = serde_json::from_slice(&header).map_err(|_| "foreign_header")?;
    if header.typ != TYP || header.alg != "HS256" {
        return Err("foreign_header");
    }
    keys.named(&header.kid, now).ok_or("unknown_key")
}
