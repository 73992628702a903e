//! What can be said of an answer without its provider.

use std::collections::BTreeMap;

use crate::{
    provider::{FieldError, FieldKind, Form},
    secret::Secret,
};

const MAX_VALUE: usize = 64 * 1024;

/// What can be said of a form's answer without its provider. Values that were
/// left empty are taken out.
pub(super) fn check(form: &Form, values: &mut BTreeMap<String, Secret>) -> Vec<FieldError> {
    values.retain(|_, value| !value.is_empty());
    let mut errors = Vec::new();
    for name in values.keys() {
        if form.fields.iter().all(|field| field.name != *name) {
            errors.push(error(name, "unknown", "This step has no such field."));
        }
    }
    for field in &form.fields {
        let Some(value) = values.get(&field.name) else {
            if field.required {
                let message = format!("{} is missing.", field.label);
                errors.push(error(&field.name, "missing", &message));
            }
            continue;
        };
        let length = value.expose().chars().count();
        let most = field.max_length.map_or(MAX_VALUE, |most| most as usize);
        if length > most || value.len() > MAX_VALUE {
            let message = format!("{} is too long: at most {most} characters.", field.label);
            errors.push(error(&field.name, "too_long", &message));
        } else if field.kind == FieldKind::Choice
            && field.choices.iter().all(|c| c.value != value.expose())
        {
            errors.push(error(
                &field.name,
                "unknown_choice",
                "Choose one of the offered values.",
            ));
        }
    }
    errors
}

pub(crate) fn error(field: &str, code: &str, message: &str) -> FieldError {
    FieldError {
        field: field.to_owned(),
        code: code.to_owned(),
        message: message.to_owned(),
    }
}

/// What a provider says for the audit log, if it is the short word it has to be.
pub(crate) fn plain_reason(reason: &str) -> &str {
    let plain = (1..=64).contains(&reason.len())
        && reason
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if plain { reason } else { "malformed_reason" }
}
