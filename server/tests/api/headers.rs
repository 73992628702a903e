//! What every kind of answer carries.

use axum::http::Method;
use gatelodge_server::{http::problem::Code, pages::asset_url};

use crate::support::{World, on_each_storage, town};

on_each_storage!(every_kind_of_answer_carries_the_strict_headers);

/// v5.0.0-3.4.3, v5.0.0-3.4.4, v5.0.0-3.4.5, v5.0.0-3.4.6, v5.0.0-3.4.8, v5.0.0-13.4.4, v5.0.0-14.3.2.
async fn every_kind_of_answer_carries_the_strict_headers(world: &World) {
    let mayor = town(world).await.mayor_token;
    // Sending checks them: a page, an error page, the API, its errors, what the
    // router makes by itself.
    for (method, path, status) in [
        (Method::GET, "/", None),
        (Method::GET, "/sign-in", Some(200)),
        (Method::HEAD, "/sign-in", Some(200)),
        (Method::GET, "/t/home/sign-in", Some(200)),
        (Method::GET, "/t/nowhere/sign-in", Some(404)),
        (Method::GET, "/no/such/page", Some(404)),
        (Method::DELETE, "/sign-in", Some(405)),
        (Method::GET, "/assets/no-such-file.css", Some(404)),
        (Method::GET, "/assets/../Cargo.toml", Some(404)),
        (Method::GET, "/assets/%2e%2e/Cargo.toml", Some(404)),
        (Method::GET, "/openapi.json", Some(200)),
        (Method::POST, "/openapi.json", Some(405)),
        (Method::GET, "/healthz", Some(200)),
        (Method::GET, "/readyz", Some(200)),
        (Method::GET, "/metrics", Some(404)),
        (Method::GET, "/api/v1/session", Some(401)),
        (Method::HEAD, "/api/v1/session", Some(401)),
        (Method::OPTIONS, "/api/v1/session", Some(405)),
        (Method::GET, "/api/v1/nothing", Some(404)),
        (Method::TRACE, "/api/v1/session", Some(405)),
        (Method::TRACE, "/", Some(405)),
    ] {
        let answer = world.call(method, path).send().await;
        if let Some(status) = status {
            answer.expect(status);
        }
    }
    let list = world
        .get("/api/v1/tenants/home/users")
        .bearer(&mayor)
        .send()
        .await;
    assert_eq!(
        list.expect(200).header("content-type"),
        Some("application/json")
    );
}

#[tokio::test]
async fn assets_may_be_kept_and_carry_them_too() {
    let world = World::in_memory().await;
    let url = asset_url("app.css").unwrap();
    let answer = world.get(url).send_unchecked().await.expect(200);
    answer.check_headers();
    let kept = answer.header("cache-control").unwrap();
    assert!(
        kept.contains("immutable") || kept.contains("max-age"),
        "{answer}"
    );
    let known = world.get(url).header("if-none-match", answer.etag());
    let known = known.send_unchecked().await.expect(304);
    known.check_headers();
    assert!(known.body.is_empty());
}

/// The list of codes is exhaustive, and no two are alike.
#[test]
fn every_code_has_its_own_name_and_a_status_of_an_error() {
    let mut names: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Code::ALL.len());
    for code in Code::ALL {
        let status = code.status();
        assert!(status.is_client_error() || status.is_server_error());
        assert!(!code.title().is_empty());
    }
}
