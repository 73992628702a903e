//! What a service says of somebody, read strictly.

use std::collections::BTreeMap;

use gatelodge_core::provider::{Claim, Verified};
use serde_json::{Map, Value};

use super::{Failure, Fields, IdType};

/// Who somebody is.
pub(crate) struct Person {
    pub(crate) subject: String,
    pub(crate) claims: BTreeMap<String, Claim>,
}

/// The most bytes of a subject.
const LONGEST_SUBJECT: usize = 255;
/// The most claims, and the most bytes of a name and of a value: what is beyond is left
/// out.
const MOST_CLAIMS: usize = 64;
const LONGEST_NAME: usize = 64;
const LONGEST_VALUE: usize = 1_024;
/// Names that say what they say everywhere: only what was worked out counts.
const NORMALISED: [&str; 4] = ["preferred_username", "name", "email", "email_verified"];

/// Reads the document about a user, and the list of addresses where there is one.
pub(crate) fn read_person(
    fields: &Fields,
    user: &Value,
    emails: Option<&Value>,
) -> Result<Person, Failure> {
    let user = user.as_object().ok_or(Failure::Refused("bad_user"))?;
    let subject = subject(fields, user).ok_or(Failure::Refused("bad_user"))?;
    let mut claims = scalars(user);
    let said = |field: &Option<String>| match field {
        Some(field) => text(user, field),
        None => Ok(None),
    };
    let email = match emails {
        Some(list) => primary(list)?,
        None => {
            let is_verified = fields
                .email_verified
                .as_ref()
                .and_then(|field| user.get(field));
            said(&fields.email)?.map(|email| (email, verified(is_verified)))
        }
    };
    let mut put = |name: &str, value: Option<String>, verified| {
        if let Some(value) = value.filter(|value| fits(value)) {
            claims.insert(name.to_owned(), Claim { value, verified });
        }
    };
    put(
        "preferred_username",
        said(&fields.user_name)?,
        Verified::Claimed,
    );
    put("name", said(&fields.name)?, Verified::Claimed);
    if let Some((email, verified)) = email {
        put("email", Some(email), verified);
    }
    Ok(Person { subject, claims })
}

/// Whether one of the organisations in a list is allowed. Digits alone are an id and
/// nothing else: who calls an organisation like the id of another one gets nowhere.
pub(crate) fn is_member(
    fields: &Fields,
    list: &Value,
    allowed: &[String],
) -> Result<bool, Failure> {
    let wrong = || Failure::Refused("bad_organisations");
    let mut found = false;
    for entry in list.as_array().ok_or_else(wrong)? {
        let entry = entry.as_object().ok_or_else(wrong)?;
        let field = |name: &Option<String>| name.as_ref().and_then(|name| entry.get(name));
        let id = field(&fields.organisation_id)
            .and_then(id_of)
            .ok_or_else(wrong)?;
        let name = field(&fields.organisation_name).and_then(Value::as_str);
        found |= allowed.iter().any(|allowed| match is_id(allowed) {
            true => *allowed == id,
            false => name.is_some_and(|name| name.eq_ignore_ascii_case(allowed)),
        });
    }
    Ok(found)
}

/// Whether an entry of the list of organisations is an id.
fn is_id(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn subject(fields: &Fields, user: &Map<String, Value>) -> Option<String> {
    let value = user.get(&fields.id)?;
    let is_of_type = match fields.id_type {
        IdType::Number => value.is_number(),
        IdType::Text => value.is_string(),
        IdType::Any => true,
    };
    is_of_type.then(|| id_of(value)).flatten()
}

/// An id: a whole number above zero, or a text without what cannot be seen.
fn id_of(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => number
            .as_u64()
            .filter(|id| *id > 0)
            .map(|id| id.to_string()),
        Value::String(text) => {
            let fits = (1..=LONGEST_SUBJECT).contains(&text.len())
                && text.trim() == text
                && !text.contains(char::is_control);
            fits.then(|| text.clone())
        }
        _ => None,
    }
}

/// A text that may be missing or `null`, and nothing else than a text otherwise.
fn text(user: &Map<String, Value>, field: &str) -> Result<Option<String>, Failure> {
    match user.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(_) => Err(Failure::Refused("bad_user")),
    }
}

/// The address that is the primary one.
fn primary(list: &Value) -> Result<Option<(String, Verified)>, Failure> {
    let wrong = || Failure::Refused("bad_user");
    let mut found = None;
    for entry in list.as_array().ok_or_else(wrong)? {
        let entry = entry.as_object().ok_or_else(wrong)?;
        let email = entry
            .get("email")
            .and_then(Value::as_str)
            .ok_or_else(wrong)?;
        if entry.get("primary") != Some(&Value::Bool(true)) {
            continue;
        }
        // With two of them nobody knows which one it is.
        if found.is_some() {
            return Err(wrong());
        }
        found = Some((email.to_owned(), verified(entry.get("verified"))));
    }
    Ok(found)
}

/// Only `true` is: neither a text nor a number that looks like it.
fn verified(value: Option<&Value>) -> Verified {
    match value {
        Some(Value::Bool(true)) => Verified::Provider,
        _ => Verified::Claimed,
    }
}

fn fits(value: &str) -> bool {
    (1..=LONGEST_VALUE).contains(&value.len()) && !value.contains(char::is_control)
}

/// Whatever else is a plain value.
fn scalars(user: &Map<String, Value>) -> BTreeMap<String, Claim> {
    let claims = user.iter().filter_map(|(name, value)| {
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            _ => return None,
        };
        let is_kept = !NORMALISED.contains(&name.as_str())
            && (1..=LONGEST_NAME).contains(&name.len())
            && fits(&value);
        let claim = Claim {
            value,
            verified: Verified::Claimed,
        };
        is_kept.then(|| (name.clone(), claim))
    });
    claims.take(MOST_CLAIMS - NORMALISED.len()).collect()
}
