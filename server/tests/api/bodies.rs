//! S48: bodies that are too large, too deep, of another kind, or cannot be read.

use axum::http::Method;
use serde_json::{Value, json};

use crate::{
    matrix::body_of,
    support::{World, description::operations, on_each_storage, town},
};

on_each_storage!(
    s48_a_body_over_the_limit_is_refused,
    s48_a_deep_body_is_refused,
    s48_what_is_not_json_is_refused,
    s48_keys_that_come_twice_are_refused,
    what_is_wrong_is_said_without_its_value,
);

const TENANTS: &str = "/api/v1/tenants";

async fn s48_a_body_over_the_limit_is_refused(world: &World) {
    let root = town(world).await.root_token;
    let limit = 262_144;
    let post = async |length: usize| {
        let name = "x".repeat(length - r#"{"name":""}"#.len());
        let body = format!(r#"{{"name":"{name}"}}"#);
        assert_eq!(body.len(), length);
        let call = world
            .post(TENANTS)
            .bearer(&root)
            .body("application/json", body);
        call.send().await
    };
    post(limit).await.expect_problem(422, "validation_failed");
    post(limit + 1)
        .await
        .expect_problem(413, "payload_too_large");
    post(4 << 20).await.expect_problem(413, "payload_too_large");
    // Every operation that takes a body has the limit, whoever asks.
    for operation in operations() {
        if body_of(&operation.id).is_none() {
            continue;
        }
        let path = operation.path.replace(['{', '}'], "");
        let method: Method = operation.method.parse().unwrap();
        let call = world
            .call(method, path)
            .body("application/json", vec![b' '; limit + 1]);
        call.send().await.expect_problem(413, "payload_too_large");
    }
}

async fn s48_a_deep_body_is_refused(world: &World) {
    let root = town(world).await.root_token;
    for depth in [200, 60_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let deep = deep.chars().take(260_000).collect::<String>();
            for body in [
                deep.clone(),
                format!(r#"{{"name":{deep}}}"#),
                format!(r#"{{"provider":"password","answer":{deep}}}"#),
            ] {
                for path in [TENANTS, "/api/v1/sign-in/flows", "/api/v1/sign-in/flows/x"] {
                    let call = world.post(path).bearer(&root);
                    let call = call.body("application/json", body.clone());
                    let answer = call.send().await;
                    assert!(
                        matches!(answer.status.as_u16(), 400 | 413),
                        "{}",
                        answer.status
                    );
                }
            }
        }
    }
}

async fn s48_what_is_not_json_is_refused(world: &World) {
    let root = town(world).await.root_token;
    let good = json!({"name": "another"}).to_string();
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "application/jsonp",
        "text/html",
        "application/octet-stream",
        "json",
        "",
        "application/json-seq",
    ] {
        let call = world.post(TENANTS).bearer(&root).body(kind, good.clone());
        call.send()
            .await
            .expect_problem(415, "unsupported_media_type");
    }
    let none = world.post(TENANTS).bearer(&root).body("x/y", good.clone());
    none.without("content-type")
        .send()
        .await
        .expect_problem(415, "unsupported_media_type");
    for body in [
        "",
        " ",
        "null",
        "{",
        "}",
        "{}{}",
        "{\"name\":\"a\"} x",
        "{'name':'a'}",
        "{name:\"a\"}",
        "{\"name\":\"a\",}",
        "\u{feff}{\"name\":\"a\"}",
        "{\"name\":\"\\ud800\"}",
        "{\"name\":NaN}",
        "{\"name\":\"a\nb\"}",
        "//\n{\"name\":\"a\"}",
        "name=a",
    ] {
        let call = world
            .post(TENANTS)
            .bearer(&root)
            .body("application/json", body);
        call.send().await.expect_problem(400, "invalid_request");
    }
    for bytes in [
        &b"{\"name\":\"\xff\"}"[..],
        b"\xff\xfe",
        b"{\"name\":\"\xc0\xaf\"}",
        b"\0",
    ] {
        let call = world
            .post(TENANTS)
            .bearer(&root)
            .body("application/json", bytes);
        call.send().await.expect_problem(400, "invalid_request");
    }
    let call = world.post(TENANTS).bearer(&root);
    let utf8 = call.body("application/json; charset=utf-8", good);
    utf8.send().await.expect(201);
}

/// v5.0.0-15.3.7.
async fn s48_keys_that_come_twice_are_refused(world: &World) {
    let town = town(world).await;
    for (method, path, body) in [
        (
            Method::POST,
            TENANTS.to_owned(),
            r#"{"name":"a","name":"b"}"#,
        ),
        (
            Method::PATCH,
            town.citizen.path(),
            r#"{"active":true,"active":false}"#,
        ),
        (
            Method::PATCH,
            town.citizen.path(),
            r#"{"email":null,"email":"a@b.example"}"#,
        ),
        (
            Method::PUT,
            "/api/v1/tenants/home/settings".to_owned(),
            r#"{"session":{"limit":1,"limit":2}}"#,
        ),
        (
            Method::PUT,
            "/api/v1/tenants/home/settings".to_owned(),
            r#"{"session":{"limit":1},"session":{}}"#,
        ),
    ] {
        let call = world.call(method, path).bearer(&town.root_token);
        let call = call.body("application/json", body);
        call.send().await.expect_problem(400, "invalid_request");
    }
}

/// The detail names the field and what was expected; neither a value, which may
/// be a secret, nor a type of the program.
async fn what_is_wrong_is_said_without_its_value(world: &World) {
    let town = town(world).await;
    let secret = "hunter2-hunter2-hunter2";
    let users = "/api/v1/tenants/home/users";
    for (path, body, named) in [
        ("/api/v1/setup", json!({"token": [secret]}), "token"),
        (
            "/api/v1/setup",
            json!({"token": secret, "password": {"is": secret}}),
            "password",
        ),
        ("/api/v1/setup", json!(secret), "object"),
        (
            users,
            json!({"user_name": "a", "password": [secret]}),
            "password",
        ),
        (
            users,
            json!({"user_name": "a", "generate_password": secret}),
            "generate_password",
        ),
        (users, json!([secret]), "object"),
        (
            "/api/v1/sign-in/flows",
            json!({"transport": {"kind": secret}}),
            "transport",
        ),
    ] {
        let call = world.post(path).bearer(&town.mayor_token).json(&body);
        let answer = call.send().await.expect_problem(400, "invalid_request");
        let detail: Value = answer.json()["detail"].take();
        let detail = detail.as_str().unwrap();
        assert!(detail.contains(named), "{detail}");
        assert!(!detail.contains("hunter2"), "{detail}");
        for inside in ["struct", "enum ", "Request", "Json", "tuple", "Failed to"] {
            assert!(!detail.contains(inside), "{detail}");
        }
    }
    let unknown = json!({"user_name": "a", "colour": "red"});
    let call = world.post(users).bearer(&town.mayor_token).json(&unknown);
    let detail = call.send().await.json()["detail"].to_string();
    assert!(detail.contains("unknown field `colour`"), "{detail}");
}
