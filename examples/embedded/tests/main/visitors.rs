//! Who may come in, and who is sent where.

use axum::http::{Method, StatusCode};

use crate::{browser::send, club::Club};

#[tokio::test]
async fn a_stranger_is_sent_to_sign_in_and_comes_back_to_the_page() {
    let club = Club::new().await;
    let mut browser = club.browser();
    let sent = browser.get("/log?year=2026").await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER);
    assert_eq!(sent.headers["cache-control"], "no-store");
    let to = sent.location().unwrap();
    assert_eq!(to, "/sign-in?return_to=%2Flog%3Fyear%3D2026");
    let page = browser.get(&to).await;
    assert_eq!(page.status, StatusCode::OK);
    // Where the address names no tenant, the form asks for it.
    let answer = browser.sign_in(&page, "bob").await;
    assert_eq!(answer.location().unwrap(), "/log?year=2026");
    let log = browser.get("/log?year=2026").await;
    assert_eq!(log.status, StatusCode::OK);
    assert!(log.body.contains("Bob &lt;b&gt;Rudder"), "{}", log.body);
    assert!(log.body.contains("The Oars"), "{}", log.body);
}

#[tokio::test]
async fn everybody_sees_the_start_and_who_is_signed_in_is_greeted() {
    let club = Club::new().await;
    let stranger = club.browser().get("/").await;
    assert_eq!(stranger.status, StatusCode::OK);
    assert!(stranger.body.contains("sign-in?return_to="));
    let member = club.signed_in("ada").await.get("/").await;
    assert!(member.body.contains("Welcome, Ada Oar"), "{}", member.body);
}

#[tokio::test]
async fn a_program_without_a_session_gets_401_as_problem_details() {
    let club = Club::new().await;
    for headers in [
        vec![],
        vec![("accept", "application/json")],
        // Credentials that do not count are not the same as none, whatever is accepted.
        vec![
            ("accept", "text/html"),
            ("authorization", "Bearer nonsense"),
        ],
    ] {
        let target = (Method::GET, "/log.json");
        let answer = send(&club.router, target, &headers, String::new()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        assert_eq!(answer.code(), "unauthenticated");
    }
}

#[tokio::test]
async fn a_program_with_a_bearer_token_is_let_in() {
    let club = Club::new().await;
    let token = bearer_token(&club).await;
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str())];
    let target = (Method::GET, "/log.json");
    let answer = send(&club.router, target, &headers, String::new()).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (StatusCode::OK, "[]")
    );
}

/// Signs in over the JSON API, which the application's router serves too.
async fn bearer_token(club: &Club) -> String {
    let json = [("content-type", "application/json")];
    let flows = "/api/v1/sign-in/flows";
    let body = r#"{"tenant":"oars","transport":"token"}"#.to_owned();
    let flow = send(&club.router, (Method::POST, flows), &json, body).await;
    let flow: serde_json::Value = serde_json::from_str(&flow.body).unwrap();
    let path = format!("{flows}/{}", flow["id"].as_str().unwrap());
    let answer = serde_json::json!({"user_name": "bob", "password": crate::browser::PASSWORD});
    let body = serde_json::json!({"provider": "password", "answer": answer}).to_string();
    let flow = send(&club.router, (Method::POST, &path), &json, body).await;
    let flow: serde_json::Value = serde_json::from_str(&flow.body).unwrap();
    flow["session"]["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn somebody_without_the_permission_gets_403() {
    let club = Club::new().await;
    let mut bob = club.signed_in("bob").await;
    let page = bob.get("/keys").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.body.starts_with("<!doctype html>"), "{}", page.body);
    assert!(!page.body.contains("Ada Oar"), "{}", page.body);
    let answer = bob.fetch("/keys").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.code(), "denied");

    let page = club.signed_in("ada").await.get("/keys").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("Bob &lt;b&gt;"), "{}", page.body);
}

#[tokio::test]
async fn a_stranger_at_a_page_that_needs_a_permission_is_sent_to_sign_in() {
    let club = Club::new().await;
    let sent = club.browser().get("/keys").await;
    assert_eq!(sent.location().unwrap(), "/sign-in?return_to=%2Fkeys");
}

#[tokio::test]
async fn a_revoked_session_is_refused() {
    let club = Club::new().await;
    let mut browser = club.signed_in("bob").await;
    assert_eq!(browser.get("/log").await.status, StatusCode::OK);
    club.revoke("bob").await;
    let sent = browser.get("/log").await;
    assert_eq!(sent.location().unwrap(), "/sign-in?return_to=%2Flog");
    let answer = browser.fetch("/log.json").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(!browser.get("/").await.body.contains("Welcome, Bob"));
}
