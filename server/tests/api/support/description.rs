//! The API's description, and holding answers against it.

use std::{collections::BTreeSet, sync::LazyLock};

use serde_json::Value;

use super::Answer;

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(&gatelodge_server::http::openapi_json()).unwrap());

/// The description: an OpenAPI document.
pub(crate) fn document() -> &'static Value {
    &DOCUMENT
}

/// One operation of the description.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: &'static Value,
}

static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(read_operations);

/// Every operation, in the order of the document.
pub(crate) fn operations() -> &'static [Operation] {
    &OPERATIONS
}

fn read_operations() -> Vec<Operation> {
    let mut all = Vec::new();
    for (path, item) in document()["paths"].as_object().unwrap() {
        for (method, body) in item.as_object().unwrap() {
            if !matches!(
                method.as_str(),
                "get" | "put" | "post" | "delete" | "patch" | "head" | "options" | "trace"
            ) {
                continue;
            }
            all.push(Operation {
                id: body["operationId"].as_str().unwrap_or_default().to_owned(),
                method: method.to_uppercase(),
                path: path.clone(),
                body,
            });
        }
    }
    all
}

/// The operation that a request is for. A path without variables wins.
pub(crate) fn operation_of(method: &str, path: &str) -> Option<&'static Operation> {
    let method = if method == "HEAD" { "GET" } else { method };
    let path = path.split('?').next().unwrap_or_default();
    operations()
        .iter()
        .filter(|operation| operation.method == method && fits(&operation.path, path))
        .min_by_key(|operation| operation.path.matches('{').count())
}

fn fits(template: &str, path: &str) -> bool {
    let fits = |(known, given): (&str, &str)| {
        known == given || (known.starts_with('{') && !given.is_empty())
    };
    template.split('/').count() == path.split('/').count()
        && template.split('/').zip(path.split('/')).all(fits)
}

/// Holds an answer against the description: its status is described, and its
/// body has exactly what the schema says.
#[track_caller]
pub(crate) fn check(answer: &Answer) {
    // Of the protocol of browsers, and no operation.
    if answer.method == "OPTIONS" && answer.status == 204 {
        return;
    }
    let Some(operation) = operation_of(answer.method.as_str(), &answer.path) else {
        let undescribed = matches!(answer.status.as_u16(), 400 | 403 | 404 | 405 | 421 | 503);
        assert!(undescribed, "no operation, and yet {answer}");
        return;
    };
    let responses = &operation.body["responses"];
    let described = responses
        .get(answer.status.as_str())
        .or_else(|| {
            responses
                .get("default")
                .filter(|_| !answer.status.is_success())
        })
        .unwrap_or_else(|| panic!("`{}` does not describe {answer}", operation.id));
    if answer.method == "HEAD" {
        assert!(answer.body.is_empty(), "{answer}");
        return;
    }
    let Some(content) = described.get("content").and_then(Value::as_object) else {
        assert!(
            answer.body.is_empty(),
            "a body that is not described: {answer}"
        );
        return;
    };
    let kind = answer.header("content-type").unwrap_or_default();
    let schema = &content
        .get(kind)
        .unwrap_or_else(|| panic!("`{kind}` is not described: {answer}"))["schema"];
    if let Err(wrong) = matches(schema, &answer.json(), "body") {
        panic!("{wrong}\n{answer}");
    }
}

/// A schema by its name.
pub(crate) fn schema(name: &str) -> &'static Value {
    &document()["components"]["schemas"][name]
}

/// The schema behind references.
pub(crate) fn resolve(schema: &'static Value) -> &'static Value {
    match schema["$ref"].as_str() {
        Some(reference) => {
            let pointer = reference.strip_prefix('#').unwrap();
            let found = document().pointer(pointer);
            resolve(found.unwrap_or_else(|| panic!("{reference} points nowhere")))
        }
        None => schema,
    }
}

/// The properties that an object of the schema may have; `None`: any.
pub(crate) fn properties(schema: &'static Value) -> Option<BTreeSet<String>> {
    let schema = resolve(schema);
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut described = false;
    if let Some(own) = schema["properties"].as_object() {
        described = true;
        known.extend(own.keys().cloned());
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        known.extend(properties(part)?);
        described = true;
    }
    for kind in ["oneOf", "anyOf"] {
        for part in schema[kind].as_array().into_iter().flatten() {
            known.extend(properties(part)?);
            described = true;
        }
    }
    described.then_some(known)
}

/// Whether a value fits a schema. Stricter than JSON Schema: a property that is
/// not described does not fit.
pub(crate) fn matches(schema: &'static Value, value: &Value, at: &str) -> Result<(), String> {
    if let (Some(fields), Some(known)) = (value.as_object(), properties(schema)) {
        for name in fields.keys() {
            if !known.contains(name) {
                return Err(format!("{at}.{name} is not described"));
            }
        }
    }
    fits_loosely(schema, value, at)
}

fn fits_loosely(schema: &'static Value, value: &Value, at: &str) -> Result<(), String> {
    let schema = resolve(schema);
    for part in schema["allOf"].as_array().into_iter().flatten() {
        fits_loosely(part, value, at)?;
    }
    for (kind, exactly_one) in [("oneOf", true), ("anyOf", false)] {
        let Some(parts) = schema[kind].as_array() else {
            continue;
        };
        let tried = parts.iter().map(|part| matches(part, value, at));
        let (fitting, wrong): (Vec<_>, Vec<_>) = tried.partition(Result::is_ok);
        let right = if exactly_one {
            fitting.len() == 1
        } else {
            !fitting.is_empty()
        };
        if !right {
            return Err(format!("{at} fits {} of {kind}: {wrong:?}", fitting.len()));
        }
    }
    fits_type(schema, value, at)?;
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        return Err(format!("{at} is {value}, not one of {allowed:?}"));
    }
    fits_parts(schema, value, at)
}

fn fits_type(schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let allowed: Vec<_> = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return Ok(()),
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !allowed.contains(&kind) {
        return Err(format!("{at} is {kind}, not {allowed:?}"));
    }
    let (format, text) = (schema["format"].as_str(), value.as_str());
    let fits = match (format, text) {
        (Some("uuid"), Some(text)) => uuid::Uuid::try_parse(text).is_ok(),
        (Some("date-time"), Some(text)) => text.parse::<jiff::Timestamp>().is_ok(),
        _ => true,
    };
    if fits {
        Ok(())
    } else {
        Err(format!("{at} is {value}, not a {format:?}"))
    }
}

fn fits_parts(schema: &'static Value, value: &Value, at: &str) -> Result<(), String> {
    match value {
        Value::Object(fields) => {
            for name in schema["required"].as_array().into_iter().flatten() {
                let name = name.as_str().unwrap();
                if !fields.contains_key(name) {
                    return Err(format!("{at}.{name} is missing"));
                }
            }
            for (name, part) in schema["properties"].as_object().into_iter().flatten() {
                if let Some(value) = fields.get(name) {
                    matches(part, value, &format!("{at}.{name}"))?;
                }
            }
            Ok(())
        }
        Value::Array(items) => {
            let Some(part) = schema.get("items") else {
                return Ok(());
            };
            items
                .iter()
                .enumerate()
                .try_for_each(|(index, item)| matches(part, item, &format!("{at}[{index}]")))
        }
        _ => Ok(()),
    }
}
