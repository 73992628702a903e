//! S44: changes come from our own pages, with the session's own proof.

use axum::http::StatusCode;

use crate::{
    browser::Browser,
    world::{PASSWORD, World},
};

/// Every address that takes a session-bound post.
fn changes(tenant: &str, user: &str) -> Vec<String> {
    let mut paths: Vec<String> = [
        "/sign-out",
        "/account/sessions/end",
        "/account/sessions/end-others",
        "/account/flow",
        "/console/tenants",
    ]
    .map(str::to_owned)
    .to_vec();
    let place = format!("/console/tenants/{tenant}");
    for rest in ["", "/lock", "/unlock", "/settings", "/delete", "/users"] {
        paths.push(format!("{place}{rest}"));
    }
    for rest in [
        "",
        "/lock",
        "/unlock",
        "/grants",
        "/activate",
        "/deactivate",
        "/delete",
        "/sessions/end",
        "/sessions/end-all",
    ] {
        paths.push(format!("{place}/users/{user}{rest}"));
    }
    paths
}

async fn proof(browser: &mut Browser) -> String {
    let page = browser.get("/account").await;
    page.form("/sign-out").hidden("csrf").to_owned()
}

#[tokio::test]
async fn s44_a_change_without_the_sessions_proof_is_refused_everywhere() {
    let (world, tenant) = World::acme().await;
    let bob = world.user(tenant.id, "carol", &[]).await;
    let mut browser = world.browser();
    browser.sign_in("", "ada", PASSWORD).await;
    let mut other = world.browser();
    other.sign_in("", "ada", PASSWORD).await;
    let foreign = proof(&mut other).await;
    for path in changes(&tenant.id.to_string(), &bob.id.to_string()) {
        for fields in [vec![], vec![("csrf", "")], vec![("csrf", foreign.as_str())]] {
            let refused = browser.post(&path, &fields).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
            refused.assert_says("csrf_failed");
        }
    }
    assert_eq!(browser.get("/account").await.status, StatusCode::OK);
}

#[tokio::test]
async fn s44_a_change_from_another_origin_or_from_nowhere_is_refused_everywhere() {
    let (world, tenant) = World::acme().await;
    let bob = world.user(tenant.id, "carol", &[]).await;
    let mut browser = world.browser();
    browser.sign_in("", "ada", PASSWORD).await;
    let proof = proof(&mut browser).await;
    let mut paths = changes(&tenant.id.to_string(), &bob.id.to_string());
    paths.extend(["/sign-in", "/sign-up", "/setup"].map(str::to_owned));
    for origin in [
        None,
        Some("null"),
        Some("http://evil.example"),
        Some("https://localhost:8080"),
        Some("http://localhost:8080.evil.example"),
        Some("http://127.0.0.1:8080"),
    ] {
        browser.origin = origin;
        for path in &paths {
            let refused = browser.post(path, &[("csrf", &proof)]).await;
            assert_eq!(
                refused.status,
                StatusCode::FORBIDDEN,
                "{path} from {origin:?}"
            );
        }
    }
    browser.origin = Some(crate::browser::ORIGIN);
    assert_eq!(browser.get("/account").await.status, StatusCode::OK);
}

/// Nor without cookies: otherwise somebody could be signed in to an attacker's account.
#[tokio::test]
async fn s44_a_sign_in_form_needs_our_origin_even_without_cookies() {
    let (world, _) = World::acme().await;
    for origin in [None, Some("http://evil.example")] {
        let mut browser = world.browser();
        browser.origin = origin;
        let refused = browser.post("/t/acme/sign-in", &[("flow", "x")]).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(browser.cookies.is_empty());
    }
}

#[tokio::test]
async fn a_form_that_is_not_one_is_refused() {
    let (world, _) = World::acme().await;
    let mut browser = world.browser();
    let page = browser.get("/t/acme/sign-in").await;
    let form = page.form("/t/acme/sign-in");
    let flow = form.hidden("flow");
    for (body, status) in [
        (
            format!("flow={flow}&flow={flow}&provider=password"),
            StatusCode::BAD_REQUEST,
        ),
        (format!("flow={flow}"), StatusCode::BAD_REQUEST),
        ("provider=password".to_owned(), StatusCode::BAD_REQUEST),
        (
            "x=".to_owned() + &"a".repeat(300_000),
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
        (
            format!("flow={flow}&provider=password&user_name=a&password=b&is_admin=true"),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            format!("flow={flow}&provider=unknown&user_name=a&password=b"),
            StatusCode::NOT_FOUND,
        ),
    ] {
        let answer = browser.post_body("/t/acme/sign-in", body).await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
}

#[tokio::test]
async fn what_needs_a_session_leads_to_the_sign_in_page_without_one() {
    let (world, tenant) = World::acme().await;
    let bob = world.user(tenant.id, "carol", &[]).await;
    for path in changes(&tenant.id.to_string(), &bob.id.to_string()) {
        if path == "/sign-out" {
            continue;
        }
        let mut browser = world.browser();
        let answer = browser.post(&path, &[]).await;
        // What cannot be an id is not looked at before.
        let to = answer.location();
        let expected = path != "/account/sessions/end";
        assert_eq!(
            to.as_deref() == Some("/sign-in"),
            expected,
            "{path}: {to:?}"
        );
    }
}
