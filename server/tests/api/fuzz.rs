//! R12, the everyday size: whatever stands in a body, a path or a query, the
//! answer is none of the server's faults and fits the description.

use axum::http::Method;
use serde_json::{Value, json};

use crate::{
    matrix::{Fill, Role, Stage, body_of},
    support::{
        World,
        description::{Operation, operations, properties, resolve},
        on_each_storage,
    },
};

on_each_storage!(
    r12_no_value_in_a_body_is_a_fault,
    r12_no_text_in_a_path_is_a_fault,
    r12_no_text_in_a_query_is_a_fault,
);

fn values() -> Vec<Value> {
    let mut values: Vec<_> = TEXTS.iter().map(|text| json!(text)).collect();
    values.extend([
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!(i64::MIN),
        json!([]),
        json!({}),
        json!([null]),
        json!({"a": {"b": []}}),
        json!("x".repeat(10_000)),
    ]);
    values
}

const TEXTS: [&str; 26] = [
    "",
    " ",
    "a",
    "null",
    "-1",
    "\u{0}",
    "a\u{0}b",
    "\r\n",
    "\u{1b}[0m",
    "\u{202e}",
    "\u{feff}",
    "\u{fffd}",
    "\u{10ffff}",
    "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}",
    "i\u{307}\u{130}",
    "\u{fdfa}\u{fdfa}",
    "'; DROP TABLE users; --",
    "%00",
    "../../etc/passwd",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "0190a6c2-7f1e-7000-8000-000000000000",
    "00000000-0000-0000-0000-000000000000",
    "9999-12-31T23:59:59Z",
    "-009999-01-02T01:59:59Z",
    "2026-09-21T12:00:00.123456789+23:59",
];

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

pub(crate) fn path_of(operation: &Operation, fill: &Fill) -> String {
    fill.path(&operation.path)
}

/// A world in which what succeeds does not stand in the way of what follows.
pub(crate) async fn stage(world: &World) -> (Stage, Fill) {
    let stage = Stage::new(world).await;
    let fill = stage.fill(world, &stage.town.citizen).await;
    (stage, fill)
}

/// Each field of each body with each value; sending holds the answer against
/// the description and refuses a 500.
async fn r12_no_value_in_a_body_is_a_fault(world: &World) {
    let (stage, fill) = stage(world).await;
    let token = stage.token(Role::Platform).unwrap();
    for operation in operations() {
        let Some(body) = body_of(&operation.id) else {
            continue;
        };
        let content = &operation.body["requestBody"]["content"]["application/json"];
        let schema = &content["schema"];
        for field in properties(schema).unwrap() {
            let nested = properties(&resolve(schema)["properties"][&field]);
            for value in values() {
                let mut bodies = vec![body.clone()];
                bodies[0][&field] = value.clone();
                for inner in nested.iter().flatten() {
                    let mut nested = json!({});
                    nested[inner] = value.clone();
                    let mut body = body.clone();
                    body[&field] = nested;
                    bodies.push(body);
                }
                for body in bodies {
                    let method: Method = operation.method.parse().unwrap();
                    let call = world.call(method, path_of(operation, &fill)).json(&body);
                    let answer = call.bearer(token).send().await;
                    assert!(!answer.status.is_server_error(), "{body}: {answer}");
                }
            }
        }
    }
}

async fn r12_no_text_in_a_path_is_a_fault(world: &World) {
    let (stage, fill) = stage(world).await;
    let token = stage.token(Role::Platform).unwrap();
    for operation in operations() {
        for variable in ["tenant", "user", "session", "flow", "application", "grant"] {
            let place = format!("{{{variable}}}");
            if !operation.path.contains(&place) {
                continue;
            }
            for text in TEXTS {
                let template = operation.path.replace(&place, &escaped(text));
                let filled = Operation {
                    path: template,
                    ..operation.clone()
                };
                let method: Method = operation.method.parse().unwrap();
                let mut call = world.call(method, path_of(&filled, &fill)).bearer(token);
                if let Some(body) = body_of(&operation.id) {
                    call = call.json(&body);
                }
                let answer = call.send().await;
                assert_eq!(answer.status.as_u16(), 404, "{text:?}: {answer}");
            }
        }
    }
}

async fn r12_no_text_in_a_query_is_a_fault(world: &World) {
    let (stage, fill) = stage(world).await;
    let token = stage.token(Role::Platform).unwrap();
    for operation in operations()
        .iter()
        .filter(|operation| operation.method == "GET")
    {
        let parameters = operation.body["parameters"]
            .as_array()
            .into_iter()
            .flatten();
        for parameter in parameters.filter(|parameter| parameter["in"] == "query") {
            let name = parameter["name"].as_str().unwrap();
            for text in TEXTS {
                let path = path_of(operation, &fill);
                let path = format!("{path}?{name}={}", escaped(text));
                let answer = world.get(path).bearer(token).send().await;
                let status = answer.status.as_u16();
                assert!(matches!(status, 200 | 400), "{name}={text:?}: {answer}");
            }
        }
    }
}
