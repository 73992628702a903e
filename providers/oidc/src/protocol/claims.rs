//! What a third party says of somebody, and what each thing is worth.

use std::collections::BTreeMap;

use gatelodge_core::provider::{Claim, Verified};
use serde_json::{Map, Value};

use super::preset::{EmailRule, Preset};

/// More than these are not handed on.
const MOST_CLAIMS: usize = 64;
/// Longer values are left out.
const MOST_BYTES: usize = 1_024;

/// What the protocol needs and nobody else.
const OF_THE_PROTOCOL: [&str; 22] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "nonce",
    "azp",
    "at_hash",
    "c_hash",
    "s_hash",
    "auth_time",
    "acr",
    "amr",
    "jti",
    "sid",
    "ver",
    "aio",
    "rh",
    "uti",
    "typ",
    "nonce_supported",
];

/// Those of OpenID Connect Core 1.0 section 5.1 come first, if there are too many.
const STANDARD: [&str; 17] = [
    "email",
    "email_verified",
    "name",
    "preferred_username",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "phone_number",
    "updated_at",
];

/// Adds what userinfo says to what the token says. The token goes first; and what it
/// says of an address stays with that address.
pub(crate) fn join(claims: &mut Map<String, Value>, userinfo: Map<String, Value>) {
    let differs = |name: &str| {
        let ours = claims.get(name);
        ours.is_some() && ours != userinfo.get(name)
    };
    let other = [
        (differs("email"), "email_verified"),
        (differs("phone_number"), "phone_number_verified"),
    ];
    for (name, value) in userinfo {
        if !other.contains(&(true, name.as_str())) {
            claims.entry(name).or_insert(value);
        }
    }
}

/// The claims of an identity.
pub(crate) fn claims(preset: &Preset, said: &Map<String, Value>) -> BTreeMap<String, Claim> {
    let standard = STANDARD.iter().filter_map(|name| said.get_key_value(*name));
    let others = said.iter().filter(|(name, _)| {
        !OF_THE_PROTOCOL.contains(&name.as_str()) && !STANDARD.contains(&name.as_str())
    });
    let worth = |name: &str| match name {
        "email" => email(preset, said),
        "phone_number" => checked(said.get("phone_number_verified") == Some(&Value::Bool(true))),
        _ => Verified::Claimed,
    };
    let claim = |(name, value): (&String, &Value)| {
        let value = text(value).filter(|text| (1..=MOST_BYTES).contains(&text.len()))?;
        let verified = worth(name);
        (name.len() <= 128).then(|| (name.clone(), Claim { value, verified }))
    };
    standard
        .chain(others)
        .filter_map(claim)
        .take(MOST_CLAIMS)
        .collect()
}

/// A value that a text can stand for.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(is) => Some(is.to_string()),
        _ => None,
    }
}

/// What an address is worth.
fn email(preset: &Preset, said: &Map<String, Value>) -> Verified {
    let flag = said.get("email_verified");
    let is_text = preset.verified_as_text && flag == Some(&Value::String("true".to_owned()));
    let is_verified = flag == Some(&Value::Bool(true)) || is_text;
    match preset.email {
        EmailRule::EmailVerified => checked(is_verified),
        EmailRule::Google => {
            let is_gmail = said
                .get("email")
                .and_then(Value::as_str)
                .is_some_and(is_gmail);
            let hosted = said.get("hd").and_then(Value::as_str);
            match is_verified && (is_gmail || hosted.is_some_and(|domain| !domain.is_empty())) {
                true => Verified::DomainOwner,
                false => checked(is_verified),
            }
        }
        // Microsoft has written it as a boolean, as a number and as texts.
        EmailRule::Microsoft => match said.get("xms_edov") {
            Some(Value::Bool(true)) => Verified::DomainOwner,
            Some(Value::Number(number)) if number.as_u64() == Some(1) => Verified::DomainOwner,
            Some(Value::String(text)) if text == "1" || text.eq_ignore_ascii_case("true") => {
                Verified::DomainOwner
            }
            _ => Verified::Claimed,
        },
    }
}

fn is_gmail(address: &str) -> bool {
    let domain = address.rsplit_once('@').map(|(_, domain)| domain);
    domain.is_some_and(|domain| domain.eq_ignore_ascii_case("gmail.com"))
}

fn checked(is_checked: bool) -> Verified {
    match is_checked {
        true => Verified::Provider,
        false => Verified::Claimed,
    }
}
