//! The API's description says what the API does.

use std::{collections::BTreeSet, fs, path::Path};

use axum::http::Method;
use serde_json::Value;

use crate::support::{
    World,
    description::{document, operations, resolve, schema},
    redacted,
};

#[test]
fn it_is_openapi_3_1_and_parses() {
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert_eq!(document["info"]["title"], "Gatelodge");
    assert!(document["components"]["securitySchemes"]["session"].is_object());
}

#[tokio::test]
async fn the_server_serves_it() {
    let world = World::in_memory().await;
    let answer = world.get("/openapi.json").send().await.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json(), *document());
}

#[test]
fn every_operation_has_id_tag_summary_and_answers() {
    let mut ids = BTreeSet::new();
    for operation in operations() {
        let (id, body) = (&operation.id, operation.body);
        assert!(!id.is_empty() && ids.insert(id.clone()), "{operation:?}");
        assert_eq!(body["tags"].as_array().map(Vec::len), Some(1), "{id}");
        let summary = body["summary"].as_str().unwrap_or_default();
        assert!(
            !summary.is_empty() && summary.len() < 150,
            "{id}: {summary}"
        );
        let answers = body["responses"].as_object().unwrap();
        let success = answers.keys().filter(|status| status.starts_with('2'));
        assert_eq!(success.count(), 1, "{id}");
        let problem = &answers["default"]["content"]["application/problem+json"]["schema"];
        assert_eq!(problem["$ref"], "#/components/schemas/ProblemBody", "{id}");
        for variable in variables(&operation.path) {
            let described = body["parameters"].as_array().into_iter().flatten();
            let found = described
                .filter(|p| p["in"] == "path" && p["name"] == variable && p["required"] == true);
            assert_eq!(found.count(), 1, "{id}: {variable}");
        }
        for parameter in body["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string(), "{id}: {parameter}");
        }
    }
}

fn variables(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

#[test]
fn every_reference_points_to_something() {
    fn walk(value: &'static Value) {
        match value {
            Value::Object(fields) => {
                if fields.get("$ref").is_some_and(Value::is_string) {
                    resolve(value);
                }
                fields.values().for_each(walk);
            }
            Value::Array(items) => items.iter().for_each(walk),
            _ => {}
        }
    }
    walk(document());
}

#[test]
fn every_problem_code_is_described() {
    let described: BTreeSet<_> = schema("Code")["enum"]
        .as_array()
        .unwrap()
        .iter()
        .map(|code| code.as_str().unwrap())
        .collect();
    let codes: BTreeSet<_> = gatelodge_server::http::problem::Code::ALL
        .iter()
        .map(|code| code.as_str())
        .collect();
    assert_eq!(described, codes);
}

/// Unknown request fields are refused, and the description says so, for nested
/// objects too.
#[test]
fn every_request_body_is_closed() {
    fn closed(schema: &'static Value, at: &str) {
        let schema = resolve(schema);
        if schema["properties"].is_object() {
            assert_eq!(schema["additionalProperties"], false, "{at}");
        }
        for (name, part) in schema["properties"].as_object().into_iter().flatten() {
            closed(part, &format!("{at}.{name}"));
        }
        for kind in ["oneOf", "anyOf", "allOf"] {
            for part in schema[kind].as_array().into_iter().flatten() {
                closed(part, at);
            }
        }
    }
    for operation in operations() {
        let body = &operation.body["requestBody"]["content"]["application/json"]["schema"];
        if body.is_object() {
            closed(body, &operation.id);
        }
    }
}

/// Every answer has a schema that names its properties, down to the last one;
/// what browser APIs take is theirs to describe.
#[test]
fn every_answer_is_described_by_its_properties() {
    fn named(schema: &'static Value, at: &str) {
        if at.ends_with(".options") || at.ends_with(".challenge") {
            return;
        }
        let schema = resolve(schema);
        let parts: Vec<_> = ["oneOf", "anyOf", "allOf"]
            .iter()
            .flat_map(|kind| schema[kind].as_array().into_iter().flatten())
            .collect();
        let is_object = schema["type"] == "object";
        assert!(
            !is_object || schema["properties"].is_object() || map(schema),
            "{at}"
        );
        let said = ["type", "enum", "const"]
            .iter()
            .any(|word| schema.get(word).is_some());
        assert!(said || !parts.is_empty(), "{at}: {schema}");
        for part in parts {
            named(part, at);
        }
        for (name, part) in schema["properties"].as_object().into_iter().flatten() {
            named(part, &format!("{at}.{name}"));
        }
        if let Some(items) = schema.get("items") {
            named(items, &format!("{at}[]"));
        }
    }
    fn map(schema: &Value) -> bool {
        schema["additionalProperties"]["type"].is_string()
    }
    for operation in operations() {
        for (status, answer) in operation.body["responses"].as_object().unwrap() {
            for content in answer["content"].as_object().into_iter().flatten() {
                named(&content.1["schema"], &format!("{} {status}", operation.id));
            }
        }
    }
}

/// A handler that is written but not routed, or routed but not described, shows
/// in the sources.
#[test]
fn s35_every_handler_in_the_sources_is_routed_and_described() {
    let mut written = BTreeSet::new();
    let api = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/api");
    for file in fs::read_dir(api).unwrap() {
        let source = fs::read_to_string(file.unwrap().path()).unwrap();
        let handlers = source.matches("#[utoipa::path(").count();
        let ids: Vec<_> = source
            .split("operation_id = \"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().to_owned())
            .collect();
        assert_eq!(handlers, ids.len(), "a handler without operation id");
        assert!(!source.contains(".route("), "a route that is not described");
        written.extend(ids);
    }
    let described: BTreeSet<_> = operations().iter().map(|o| o.id.clone()).collect();
    assert_eq!(written, described);
}

/// No file of the server makes a route under `/api` by hand.
#[test]
fn s35_no_route_of_the_api_is_made_without_a_description() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok(source) = fs::read_to_string(&path) else {
                continue;
            };
            for call in source.split(".route(").skip(1) {
                seen += 1;
                let first: String = call.trim_start().chars().take(30).collect();
                assert!(!first.contains("\"/api"), "{}: {first}", path.display());
            }
            for call in source.split(".nest(").skip(1) {
                let first: String = call.trim_start().chars().take(30).collect();
                assert!(!first.contains("api"), "{}: {first}", path.display());
            }
        }
    }
    assert!(seen > 3, "the search finds nothing");
}

/// What is not described does not answer.
#[tokio::test]
async fn what_is_not_described_does_not_answer() {
    let world = World::in_memory().await;
    let paths: BTreeSet<_> = operations().iter().map(|o| o.path.clone()).collect();
    let methods = [
        "GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT", "BREW",
    ];
    for path in &paths {
        let described: BTreeSet<_> = operations()
            .iter()
            .filter(|o| o.path == *path)
            .map(|o| o.method.clone())
            .collect();
        let filled = path.replace(['{', '}'], "");
        for method in methods {
            let head = method == "HEAD" && described.contains("GET");
            if described.contains(method) || head {
                continue;
            }
            let method: Method = method.parse().unwrap();
            let answer = world.call(method, &filled).send().await;
            let answer = answer.expect(405);
            let allow = answer.header("allow").unwrap_or_default().to_owned();
            for method in &described {
                assert!(allow.contains(method.as_str()), "{allow} of {path}");
            }
        }
    }
    for path in [
        "",
        "/",
        "/v1",
        "/v1/",
        "/v2/session",
        "/v1/groups",
        "/v1/tenants/home/roles",
        "/v1/session/",
        "/v1//session",
        "/v1/Session",
        "/v1/sign-in",
        "/v1/metrics",
        "/v1/debug",
        "/v1/tenants/home/users/x/y",
        "/v1/../v1/session",
        "/v1/session/..",
        "/v1/session%2f",
        "/v1/%73ession/x",
    ] {
        let answer = world.get(format!("/api{path}")).send().await;
        assert_eq!(answer.status.as_u16(), 404, "{answer}");
    }
}

#[test]
fn times_and_ids_are_redacted_in_these_tests() {
    let value = serde_json::json!({"a": "2026-09-21T12:00:00Z", "b": "0190a6c2-7f1e-7000-8000-000000000000"});
    assert_eq!(
        redacted(value),
        serde_json::json!({"a": "<time>", "b": "<id>"})
    );
}
