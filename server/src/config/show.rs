//! The configuration in force, for people to read: every key, its value, and where that came from. No secret is shown.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Loaded, SECTIONS, error::Place, schema};

impl Loaded {
    /// The configuration in force as TOML; a comment after each value says where it came from.
    pub fn show(&self) -> String {
        let mut text = String::new();
        for section in SECTIONS {
            text.push_str(&format!("[{section}]\n"));
            for (name, value, place) in self.shown(section) {
                match value {
                    Some(value) => text.push_str(&format!(
                        "{name} = {}  # {}\n",
                        toml_of(&value),
                        words(&place)
                    )),
                    None => text.push_str(&format!("# {name} is not set\n")),
                }
            }
            text.push('\n');
        }
        for provider in &self.config.providers {
            text.push_str("[[providers]]\n");
            for (name, value) in self.shown_provider(provider) {
                let place = words(&provider.settings.place(&name));
                text.push_str(&format!(
                    "{} = {}  # {place}\n",
                    toml_key(&name),
                    toml_of(&value)
                ));
            }
            text.push('\n');
        }
        text.truncate(text.trim_end().len() + 1);
        text
    }

    /// The same as JSON: `{"server": {"listen": {"value": …, "source": …}}, …, "providers": [{…}]}`.
    pub fn show_json(&self) -> Value {
        let mut shown = Map::new();
        for section in SECTIONS {
            let entry = |(name, value, place): (String, Option<Value>, Place)| {
                (name, json!({ "value": value, "source": words(&place) }))
            };
            shown.insert(
                section.to_owned(),
                self.shown(section).into_iter().map(entry).collect(),
            );
        }
        let providers = self.config.providers.iter().map(|provider| {
            let entry = |(name, value): (String, Value)| {
                let source = words(&provider.settings.place(&name));
                (name, json!({ "value": value, "source": source }))
            };
            self.shown_provider(provider)
                .into_iter()
                .map(entry)
                .collect::<Value>()
        });
        shown.insert("providers".to_owned(), providers.collect());
        Value::Object(shown)
    }

    /// Every key of a section, in order, with its value and where that came from.
    fn shown(&self, section: &str) -> Vec<(String, Option<Value>, Place)> {
        let values = serde_json::to_value(&self.config).unwrap_or_default();
        let values = values.get(section).and_then(Value::as_object);
        let keys = schema::keys();
        let own = keys
            .iter()
            .filter_map(|key| key.strip_prefix(section)?.strip_prefix('.'));
        let set = values
            .into_iter()
            .flat_map(|values| values.keys().map(String::as_str));
        let names: BTreeSet<&str> = own.chain(set).collect();
        let shown = |name: &str| {
            let value = values
                .and_then(|values| values.get(name))
                .filter(|value| !value.is_null());
            (
                name.to_owned(),
                value.cloned(),
                self.sources.exact(&format!("{section}.{name}")),
            )
        };
        names.into_iter().map(shown).collect()
    }

    fn shown_provider(&self, provider: &super::ProviderConfig) -> Vec<(String, Value)> {
        let own = [
            ("kind".to_owned(), provider.kind.as_str().into()),
            ("id".to_owned(), provider.id().into()),
            ("enabled".to_owned(), provider.enabled.into()),
        ];
        own.into_iter().chain(provider.settings.shown()).collect()
    }
}

fn words(place: &Place) -> String {
    match place {
        Place::Default => "default".to_owned(),
        place => place.to_string(),
    }
}

/// A value on one line of TOML. There is no null in it: nothing of ours is null.
fn toml_of(value: &Value) -> String {
    match value {
        Value::Array(list) => format!(
            "[{}]",
            list.iter().map(toml_of).collect::<Vec<_>>().join(", ")
        ),
        Value::Object(table) => {
            let pair =
                |(key, value): (&String, &Value)| format!("{} = {}", toml_key(key), toml_of(value));
            format!(
                "{{ {} }}",
                table.iter().map(pair).collect::<Vec<_>>().join(", ")
            )
        }
        Value::String(text) => toml::Value::from(text.as_str()).to_string(),
        other => other.to_string(),
    }
}

fn toml_key(key: &str) -> String {
    let bare = !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if bare {
        key.to_owned()
    } else {
        toml::Value::from(key).to_string()
    }
}
