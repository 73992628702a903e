//! The JSON schema of the configuration, and what the loader reads from it: which keys there are, of which type.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::Config;

static SCHEMA: LazyLock<Value> = LazyLock::new(generate);

/// The JSON schema (draft 2020-12) of the configuration file.
pub fn schema() -> Value {
    SCHEMA.clone()
}

fn generate() -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<Config>()
        .to_value();
    tidy(&mut schema);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("title".to_owned(), "Gatelodge configuration".into());
    }
    schema
}

/// Makes a generated schema say what holds for TOML, once and on one line.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Array(list) => list.iter_mut().for_each(tidy),
        Value::Object(object) => {
            tidy_object(object);
            object.values_mut().for_each(tidy);
        }
        _ => {}
    }
}

fn tidy_object(object: &mut Map<String, Value>) {
    // There is no null; and the default of a whole section is what its keys say.
    if object
        .get("default")
        .is_some_and(|default| default.is_null() || default.is_object())
    {
        object.remove("default");
    }
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::String(description)) = object.get_mut("description") {
        *description = description.replace('\n', " ");
    }
    let item_example = object
        .get("examples")
        .and_then(|examples| examples.get(0)?.get(0))
        .cloned();
    if let (Some(example), Some(items)) = (
        item_example,
        object.get_mut("items").and_then(Value::as_object_mut),
    ) {
        items.insert("examples".to_owned(), Value::from(vec![example]));
    }
}

/// What a key may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    Text { example: Option<String> },
    Number { minimum: u64, maximum: u64 },
    Switch,
    OneOf(Vec<String>),
    List { example: Option<String> },
    Table,
}

impl Shape {
    /// What was expected of a value of the right type, in words that follow "must be".
    pub(super) fn form(&self) -> String {
        match self {
            Self::Text {
                example: Some(example),
            } => format!("written like `{example}`"),
            other => other.words(),
        }
    }

    /// What was expected, in words that follow "must be".
    pub(super) fn words(&self) -> String {
        match self {
            Self::Text { example: None } => "text".to_owned(),
            Self::Text {
                example: Some(example),
            } => format!("text such as `{example}`"),
            Self::Number { minimum, maximum } => {
                format!("a whole number from {minimum} to {maximum}")
            }
            Self::Switch => "`true` or `false`".to_owned(),
            Self::OneOf(names) => format!("one of {}", in_backticks(names)),
            Self::List { example: None } => "a list".to_owned(),
            Self::List {
                example: Some(example),
            } => format!("a list such as `{example}`"),
            Self::Table => "a table of keys".to_owned(),
        }
    }
}

/// `a`, `b`, `c`.
pub(super) fn in_backticks<S: AsRef<str>>(names: &[S]) -> String {
    let quoted: Vec<String> = names
        .iter()
        .map(|name| format!("`{}`", name.as_ref()))
        .collect();
    quoted.join(", ")
}

/// What this dotted key may hold; none for an unknown key and for the settings of a provider.
pub(super) fn shape(key: &str) -> Option<Shape> {
    let mut schema = &*SCHEMA;
    for part in key.split('.') {
        let by_name = schema
            .get("properties")
            .and_then(|properties| properties.get(part));
        let by_index = || part.parse::<usize>().ok().and_then(|_| schema.get("items"));
        schema = by_name.or_else(by_index)?;
    }
    shape_of(schema)
}

fn shape_of(schema: &Value) -> Option<Shape> {
    let example = schema.get("examples").and_then(|examples| examples.get(0));
    let names = names_of(schema);
    if !names.is_empty() {
        return Some(Shape::OneOf(names));
    }
    match schema.get("type")?.as_str()? {
        "string" => Some(Shape::Text {
            example: example.and_then(Value::as_str).map(str::to_owned),
        }),
        "integer" => {
            let bound = |name| schema.get(name).and_then(Value::as_u64);
            Some(Shape::Number {
                minimum: bound("minimum")?,
                maximum: bound("maximum")?,
            })
        }
        "boolean" => Some(Shape::Switch),
        "array" => Some(Shape::List {
            example: example.map(Value::to_string),
        }),
        "object" => Some(Shape::Table),
        _ => None,
    }
}

/// The names of an enumeration, however the generator wrote it.
fn names_of(schema: &Value) -> Vec<String> {
    let list = |name| {
        schema
            .get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let constants = list("oneOf").filter_map(|one| one.get("const"));
    list("enum")
        .chain(constants)
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// Every dotted key, those of one provider excepted.
pub(super) fn keys() -> Vec<String> {
    let mut keys = Vec::new();
    for (section, schema) in SCHEMA
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        match schema.get("properties").and_then(Value::as_object) {
            Some(properties) => {
                keys.extend(properties.keys().map(|key| format!("{section}.{key}")))
            }
            None => keys.push(section.clone()),
        }
    }
    keys
}

/// The known name that was probably meant.
pub(super) fn nearest<'n, S: AsRef<str>>(written: &str, known: &'n [S]) -> Option<&'n str> {
    let nearest = known
        .iter()
        .map(|name| (distance(written, name.as_ref()), name.as_ref()))
        .min()?;
    let (distance, name) = nearest;
    (distance <= 1 + written.chars().count() / 4).then_some(name)
}

/// How many letters must be added, dropped, changed or swapped with their neighbour to get from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    let mut previous_letter = None;
    for (row, letter) in from.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, wanted) in to.iter().enumerate() {
            let at =
                |list: &[usize], index: usize| list.get(index).copied().unwrap_or(usize::MAX / 2);
            let mut best = (at(&last, column) + usize::from(letter != *wanted))
                .min(at(&last, column + 1) + 1)
                .min(at(&current, column) + 1);
            let swapped = column > 0
                && to.get(column - 1) == Some(&letter)
                && previous_letter == Some(*wanted);
            if swapped {
                best = best.min(at(&before_last, column - 1) + 1);
            }
            current.push(best);
        }
        previous_letter = Some(letter);
        before_last = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_one_step_away() {
        for (from, to, steps) in [
            ("listen", "listen", 0),
            ("lisen", "listen", 1),
            ("lsiten", "listen", 1),
            ("listenn", "listen", 1),
            ("lister", "listen", 1),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(from, to), steps, "{from} to {to}");
        }
    }

    #[test]
    fn a_word_far_from_all_others_gets_no_suggestion() {
        assert_eq!(nearest("lisen", &["origin", "listen"]), Some("listen"));
        assert_eq!(nearest("zebra", &["origin", "listen"]), None);
    }

    #[test]
    fn every_key_has_a_shape_and_a_description() {
        for key in keys() {
            assert!(shape(&key).is_some(), "{key} has no shape");
            let pointer = format!("/properties/{}", key.replace('.', "/properties/"));
            let description = SCHEMA
                .pointer(&pointer)
                .and_then(|schema| schema.get("description"));
            assert!(description.is_some(), "{key} has no description");
        }
    }
}
