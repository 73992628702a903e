//! Decoding of values into structs, with every error told and told in words.

use figment::{
    error::{Actual, Kind},
    value::Value,
};
use serde::de::DeserializeOwned;

use super::{
    error::{ConfigError, Finding, Problem},
    schema,
    sources::Sources,
};

/// Decodes a value. The decoder stops at its first error; so what it complained of is taken out and the rest decoded
/// again, until nothing is left to complain of.
pub(super) fn decode<T: DeserializeOwned>(
    mut value: Value,
    describe: impl Fn(&figment::Error) -> Problem,
) -> Result<T, ConfigError> {
    let mut problems = Vec::new();
    loop {
        let errors = match value.deserialize::<T>() {
            Ok(decoded) => return ConfigError::check(problems).map(|()| decoded),
            Err(errors) => errors,
        };
        let mut taken_out = false;
        for error in errors {
            problems.push(describe(&error));
            taken_out |= take_out(&mut value, &error.path);
        }
        if !taken_out {
            return Err(ConfigError::check(problems)
                .err()
                .unwrap_or_else(|| undescribed().into()));
        }
    }
}

fn undescribed() -> Problem {
    Finding::new("configuration", "cannot be decoded").at(super::Place::Default)
}

/// Takes out what stands at `path`; the whole list when that is an item of one, so that no other item changes its number.
fn take_out(value: &mut Value, path: &[String]) -> bool {
    let Some((first, rest)) = path.split_first() else {
        return false;
    };
    match value {
        Value::Dict(_, table) => {
            let item_of_list =
                rest.len() == 1 && matches!(table.get(first), Some(Value::Array(..)));
            if rest.is_empty() || item_of_list {
                return table.remove(first).is_some();
            }
            table
                .get_mut(first)
                .is_some_and(|inner| take_out(inner, rest))
        }
        Value::Array(_, list) => {
            let item = first
                .parse::<usize>()
                .ok()
                .and_then(|index| list.get_mut(index));
            item.is_some_and(|item| take_out(item, rest))
        }
        _ => false,
    }
}

/// A decoder's error in words. `prefix` is the dotted key of the value that was decoded, "" for all of it.
pub(super) fn describe(error: &figment::Error, prefix: &str, sources: &Sources) -> Problem {
    let mut parts: Vec<&str> = Vec::new();
    if !prefix.is_empty() {
        parts.push(prefix);
    }
    parts.extend(error.path.iter().map(String::as_str));
    let key = parts.join(".");
    let place = sources.place(&key);
    find(error, key).at(place)
}

fn find(error: &figment::Error, key: String) -> Finding {
    let shape = schema::shape(&key);
    match &error.kind {
        Kind::UnknownField(name, known) => unknown_key(key, name, known),
        Kind::MissingField(name) => Finding::new(key, format!("lacks the key `{name}`")),
        Kind::UnknownVariant(name, known) => {
            let finding = Finding::new(
                key,
                format!("must be one of {}", schema::in_backticks(known)),
            );
            match schema::nearest(name, known) {
                Some(near) => finding.hint(format!("did you mean `{near}`?")),
                None => finding,
            }
        }
        Kind::InvalidType(actual, wanted) | Kind::InvalidValue(actual, wanted) => {
            let wanted = shape.map_or_else(|| plain(wanted), |shape| shape.words());
            match kind_of(actual) {
                Some(actual) if !wanted.starts_with(actual) => {
                    Finding::new(key, format!("must be {wanted}, but is {actual}"))
                }
                _ => Finding::new(key, format!("must be {wanted}")),
            }
        }
        Kind::Message(words) if words.starts_with("must ") => Finding::new(key, words),
        kind => match (shape, kind) {
            (Some(shape), _) => Finding::new(key, format!("must be {}", shape.form())),
            (None, Kind::Message(words)) => Finding::new(key, format!("is not accepted: {words}")),
            (None, Kind::InvalidLength(length, _)) => {
                Finding::new(key, format!("must not have {length} items"))
            }
            (None, _) => Finding::new(key, "is not of the expected type"),
        },
    }
}

fn unknown_key(key: String, name: &str, known: &[&str]) -> Finding {
    let text = match key.rsplit_once('.') {
        Some((table, _)) => format!("unknown key `{name}` in `{table}`"),
        None => format!("unknown key `{name}`"),
    };
    let elsewhere = || {
        let keys = schema::keys();
        let suffix = format!(".{name}");
        keys.into_iter().find(|key| key.ends_with(&suffix))
    };
    let hint = match schema::nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => match elsewhere() {
            Some(key) => format!("did you mean `{key}`?"),
            None if known.is_empty() => "it has no keys".to_owned(),
            None => format!("known are {}", schema::in_backticks(known)),
        },
    };
    Finding {
        key,
        text,
        hint: Some(hint),
    }
}

/// What was found, by its kind alone: the value might be a secret.
fn kind_of(actual: &Actual) -> Option<&'static str> {
    match actual {
        Actual::Bool(_) => Some("`true` or `false`"),
        Actual::Unsigned(_) | Actual::Signed(_) => Some("a whole number"),
        Actual::Float(_) => Some("a number with a fraction"),
        Actual::Char(_) | Actual::Str(_) => Some("text"),
        Actual::Seq => Some("a list"),
        Actual::Map => Some("a table"),
        _ => None,
    }
}

/// What a provider's struct expected, without names of the language it is written in.
fn plain(wanted: &str) -> String {
    let words = match wanted {
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a whole number, not negative",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "`true` or `false`",
        "a string" | "path string" | "a character" => "text",
        "a sequence" => "a list",
        "a map" => "a table of keys",
        _ if wanted.starts_with("struct ") => "a table of keys",
        _ if ["enum ", "tuple ", "newtype ", "unit "]
            .iter()
            .any(|word| wanted.starts_with(word)) =>
        {
            "of another type"
        }
        _ => wanted,
    };
    words.to_owned()
}
