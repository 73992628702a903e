//! What goes wrong inside stays inside.

use std::sync::Arc;

use axum::http::Method;
use serde_json::json;

use crate::{
    matrix::body_of,
    support::{
        Answer, INSIDE, PASSWORD, Plan, Watched, World, description::operations, flow_path, town,
    },
};

async fn watched() -> (World, Arc<Watched>) {
    let storage = Arc::new(Watched::default());
    let mut plan = Plan::on(storage.clone());
    plan.config.server.request_timeout_seconds = 1;
    (World::of(plan).await, storage)
}

fn check(answer: &Answer, status: u16, code: &str) {
    answer.check_headers();
    assert_eq!(answer.status.as_u16(), status, "{answer}");
    assert_eq!(answer.code(), code, "{answer}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    for inside in [INSIDE, "SELECT", "panicked", ".rs:", "MemoryUnit"] {
        assert!(!answer.text().contains(inside), "{answer}");
    }
}

/// Asks every operation of the description.
async fn ask_all(world: &World, token: &str, status: u16, code: &str) {
    for operation in operations() {
        let path = operation
            .path
            .replace("{tenant}", "home")
            .replace("{flow}", "x")
            .replace("{grant}", "tenant_administrator")
            .replace("{user}", "0190a6c2-7f1e-7000-8000-000000000000")
            .replace("{session}", "0190a6c2-7f1e-7000-8000-000000000000");
        let method: Method = operation.method.parse().unwrap();
        let path = match operation.id.as_str() {
            "forward_auth" => format!("{path}?application=shop"),
            _ => path,
        };
        let mut call = world.call(method, path).bearer(token);
        if operation.id == "forward_auth" {
            call = call.header("x-forwarded-proto", "https");
        }
        if let Some(body) = body_of(&operation.id) {
            call = call.json(&body);
        }
        check(&call.send_unchecked().await, status, code);
    }
}

/// v5.0.0-16.5.1.
#[tokio::test]
async fn a_fault_is_a_500_that_tells_nothing() {
    let (world, storage) = watched().await;
    let token = town(&world).await.root_token;
    storage.is_faulty();
    ask_all(&world, &token, 500, "internal_error").await;
    storage.is_fine();
    assert!(world.accepts(&token).await);
}

/// v5.0.0-16.5.4.
#[tokio::test]
async fn a_panic_is_a_500_that_tells_nothing() {
    let (world, storage) = watched().await;
    let token = town(&world).await.root_token;
    storage.panics();
    ask_all(&world, &token, 500, "internal_error").await;
    let page = world
        .get("/t/home/sign-in")
        .send_unchecked()
        .await
        .expect(500);
    page.check_headers();
    assert!(!page.text().contains("SELECT"), "{page}");
    assert!(
        page.header("content-type")
            .unwrap()
            .starts_with("text/html"),
        "{page}"
    );
    storage.is_fine();
    assert!(world.accepts(&token).await);
}

/// v5.0.0-16.5.2, v5.0.0-16.5.3.
#[tokio::test]
async fn a_storage_that_is_gone_is_a_503_with_a_time_to_come_back() {
    let (world, storage) = watched().await;
    let token = town(&world).await.root_token;
    storage.is_gone();
    ask_all(&world, &token, 503, "unavailable").await;
    let answer = world.get("/api/v1/session").bearer(&token).send().await;
    assert_eq!(answer.header("retry-after"), Some("1"));
    world.get("/healthz").send().await.expect(200);
    let ready = world.get("/readyz").send().await.expect(503);
    check(&ready, 503, "unavailable");
    storage.is_fine();
    world.get("/readyz").send().await.expect(200);
}

/// Nobody passes while nothing can be asked (fail closed).
#[tokio::test]
async fn a_sign_in_that_cannot_be_finished_leaves_no_session() {
    let (world, storage) = watched().await;
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    let flow = world.begin(json!({"tenant": "home"})).await;
    storage.is_gone();
    let body = json!({
        "provider": "password", "answer": {"user_name": "ada", "password": PASSWORD},
    });
    let answer = world.post(flow_path(&flow)).json(&body).send().await;
    answer.expect_problem(503, "unavailable");
    storage.is_fine();
    // The flow is as it was.
    world.enter(&flow, &ada.name, PASSWORD).await.expect(200);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_is_ended() {
    let (world, storage) = watched().await;
    let token = town(&world).await.root_token;
    storage.is_stuck();
    let answer = world.get("/api/v1/session").bearer(&token).send().await;
    answer.expect_problem(503, "timeout");
    let page = world.get("/t/home/sign-in").send().await.expect(503);
    assert!(
        page.header("content-type")
            .unwrap()
            .starts_with("text/html"),
        "{page}"
    );
}
