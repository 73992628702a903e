//! Requests that change something.

use axum::{
    Router,
    http::{Method, StatusCode},
    routing::post,
};
use gatelodge_server::extractors::SignedIn;

use crate::{
    browser::{Browser, send},
    club::Club,
};

async fn log(browser: &mut Browser) -> String {
    browser.get("/log").await.body
}

#[tokio::test]
async fn a_form_of_the_own_page_is_taken() {
    let club = Club::new().await;
    let mut browser = club.signed_in("bob").await;
    let page = browser.get("/log").await;
    let answer = browser
        .submit(&page, "/log", &[("text", "Rowed & sank")])
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert_eq!(answer.location().unwrap(), "/log");
    assert!(log(&mut browser).await.contains("Rowed &amp; sank"));
}

#[tokio::test]
async fn a_form_without_its_proof_is_refused() {
    let club = Club::new().await;
    let mut browser = club.signed_in("bob").await;
    let mut other = club.signed_in("ada").await;
    let page = other.get("/log").await;
    let foreign = page.hidden("/log");
    for proof in [
        vec![],
        vec![("csrf", "")],
        vec![("csrf", foreign[0].1.as_str())],
    ] {
        let fields: Vec<_> = proof.into_iter().chain([("text", "forged")]).collect();
        let answer = browser.post("/log", &fields).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.body.contains("csrf_failed"), "{}", answer.body);
    }
    assert!(!log(&mut browser).await.contains("forged"));
}

#[tokio::test]
async fn a_form_with_wrong_fields_is_refused() {
    let club = Club::new().await;
    let mut browser = club.signed_in("bob").await;
    let page = browser.get("/log").await;
    let answer = browser.submit(&page, "/log", &[("words", "x")]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_form_from_elsewhere_is_refused() {
    let club = Club::new().await;
    let mut browser = club.signed_in("bob").await;
    let page = browser.get("/log").await;
    for (origin, code) in [
        (Some("https://evil.example"), "origin_not_allowed"),
        (Some("null"), "origin_not_allowed"),
        (None, "origin_missing"),
    ] {
        browser.origin = origin;
        let answer = browser.submit(&page, "/log", &[("text", "forged")]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.body.contains(code), "{}", answer.body);
    }
    assert!(!log(&mut browser).await.contains("forged"));
}

#[tokio::test]
async fn the_guard_stands_before_routes_that_everybody_may_use() {
    let club = Club::new().await;
    let mut browser = club.browser();
    assert_eq!(browser.post("/bell", &[]).await.location().unwrap(), "/");
    browser.origin = Some("https://evil.example");
    let answer = browser.post("/bell", &[]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let misdirected = [("host", "evil.example")];
    let target = (Method::GET, "/");
    let answer = send(&club.router, target, &misdirected, String::new()).await;
    // The one `Host` too many is refused just as a foreign one.
    assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(answer.code(), "misdirected");
}

#[tokio::test]
async fn an_extractor_checks_the_origin_where_no_guard_stands() {
    let club = Club::new().await;
    let bare = Router::new()
        .route("/bare", post(|_: SignedIn| async { "changed" }))
        .with_state(club.gatelodge.clone())
        .merge(club.router.clone());
    let mut browser = club.signed_in("bob").await;
    browser.router = bare;
    assert_eq!(browser.post("/bare", &[]).await.body, "changed");
    for origin in [Some("https://evil.example"), None] {
        browser.origin = origin;
        let answer = browser.post("/bare", &[]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.body);
    }
}

#[tokio::test]
async fn a_stranger_who_sends_a_form_is_sent_to_sign_in() {
    let club = Club::new().await;
    let answer = club.browser().post("/log", &[("text", "forged")]).await;
    // Not back to an address that takes forms only.
    assert_eq!(answer.location().unwrap(), "/sign-in");
}
