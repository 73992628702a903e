//! The environment: `GATELODGE_SECTION__KEY` for every key.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use figment::{
    util::nest,
    value::{Dict, Value},
};

use super::{
    error::{Place, Problem},
    schema::{self, Shape},
    secret,
};

const PREFIX: &str = "GATELODGE_";

/// What the environment says.
#[derive(Default)]
pub(super) struct EnvironmentLayer {
    pub(super) values: Dict,
    /// The variable of each dotted key in `values`.
    pub(super) variables: BTreeMap<String, String>,
    pub(super) provider_settings: Vec<ProviderSetting>,
    /// `GATELODGE_CONFIG`, which stands for `--config`.
    pub(super) config: Option<PathBuf>,
    pub(super) problems: Vec<Problem>,
}

/// `GATELODGE_PROVIDERS__<ID>__<KEY>`: one setting of the provider with that id.
pub(super) struct ProviderSetting {
    pub(super) variable: String,
    /// The id as variables write it: in lower case, with `_` for `-`.
    pub(super) id: String,
    /// The dotted key inside the provider's table.
    pub(super) key: String,
    pub(super) value: Value,
}

impl EnvironmentLayer {
    /// Reads every variable that begins with `GATELODGE_`. An empty one counts as not set.
    pub(super) fn read(environment: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let mut layer = Self::default();
        // Sorted, so that the same environment always gives the same errors in the same order.
        let variables: BTreeMap<OsString, OsString> = environment.collect();
        for (variable, value) in variables {
            let Some(variable) = variable.to_str() else {
                continue;
            };
            let Some(name) = variable.strip_prefix(PREFIX) else {
                continue;
            };
            if value.is_empty() {
                continue;
            }
            if name == "CONFIG" {
                layer.config = Some(value.into());
                continue;
            }
            match value.into_string() {
                Ok(value) => layer.read_variable(variable, name, &value),
                Err(_) => layer.refuse(variable, None, "must be UTF-8".to_owned(), None),
            }
        }
        layer
    }

    fn read_variable(&mut self, variable: &str, name: &str, value: &str) {
        let lower = name.to_lowercase();
        if let Some((id, key)) = lower
            .strip_prefix("providers__")
            .and_then(|rest| rest.split_once("__"))
        {
            let key = key.replace("__", ".");
            let value = parse_foreign(&key, value);
            let variable = variable.to_owned();
            self.provider_settings.push(ProviderSetting {
                variable,
                id: id.to_owned(),
                key,
                value,
            });
            return;
        }
        // These two stand for options of the command line, and so win over the same key's own variable.
        let key = match name {
            "DATA_DIR" => "server.data_dir".to_owned(),
            "LISTEN" => "server.listen".to_owned(),
            _ => lower.replace("__", "."),
        };
        let stands_for_option = matches!(name, "DATA_DIR" | "LISTEN");
        match schema::shape(&key) {
            Some(shape) if shape != Shape::Table => {
                if stands_for_option || !self.variables.contains_key(&key) {
                    self.set(&key, variable, parse(&shape, value));
                }
            }
            // What the storage's table holds beyond our keys is its backend's.
            None if key.starts_with("storage.") => {
                self.set(&key, variable, parse_foreign(&key, value))
            }
            _ if is_from_kubernetes(name) => {}
            _ => self.refuse_unknown(variable, key),
        }
    }

    fn set(&mut self, key: &str, variable: &str, value: Value) {
        self.variables.insert(key.to_owned(), variable.to_owned());
        let Value::Dict(_, nested) = nest(key, value) else {
            return;
        };
        for (section, inner) in nested {
            match (self.values.get_mut(&section), inner) {
                (Some(Value::Dict(_, present)), Value::Dict(_, inner)) => present.extend(inner),
                (_, inner) => {
                    self.values.insert(section, inner);
                }
            }
        }
    }

    fn refuse_unknown(&mut self, variable: &str, key: String) {
        let known: Vec<String> = schema::keys().iter().map(|key| variable_of(key)).collect();
        let hint = match schema::nearest(variable, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                "variables are named `GATELODGE_SECTION__KEY`, such as `GATELODGE_SERVER__LISTEN`"
                    .to_owned()
            }
        };
        let text = format!("unknown key `{key}`");
        self.refuse(variable, Some(key), text, Some(hint));
    }

    fn refuse(&mut self, variable: &str, key: Option<String>, text: String, hint: Option<String>) {
        self.problems.push(Problem {
            place: Place::Environment(variable.to_owned()),
            key,
            text,
            hint,
        });
    }
}

/// The variable of a dotted key.
pub(super) fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

/// Kubernetes puts these beside every container when a service is called `gatelodge`; they are not meant for us.
fn is_from_kubernetes(name: &str) -> bool {
    name == "PORT"
        || name.starts_with("PORT_")
        || name == "SERVICE_HOST"
        || name.starts_with("SERVICE_PORT")
}

/// A variable is text; the key says what it means. What does not fit stays text, for the decoder to refuse.
fn parse(shape: &Shape, text: &str) -> Value {
    let number = || text.trim().parse::<i64>().map(Value::from).ok();
    let parsed = match shape {
        Shape::Number { .. } => number(),
        Shape::Switch => text.trim().parse::<bool>().map(Value::from).ok(),
        Shape::List { .. } if text.trim_start().starts_with('[') => Some(parse_any(text)),
        Shape::List { .. } => Some(text.split(',').map(str::trim).collect::<Vec<_>>().into()),
        Shape::Text { .. } | Shape::OneOf(_) | Shape::Table => None,
    };
    parsed.unwrap_or_else(|| Value::from(text))
}

/// As in TOML, save that text needs no quotes.
fn parse_any(text: &str) -> Value {
    text.parse().unwrap_or_else(|_| Value::from(text))
}

/// The value of a key that is not ours, whose type is not known. A secret stays text, whatever it looks like.
fn parse_foreign(key: &str, text: &str) -> Value {
    if secret::sounds_secret(key) {
        Value::from(text)
    } else {
        parse_any(text)
    }
}
