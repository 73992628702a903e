use axum::http::StatusCode;

use crate::world::{PASSWORD, World};

/// v5.0.0-14.3.1.
#[tokio::test]
async fn signing_out_ends_the_session_and_clears_the_browser() {
    let (world, _) = World::acme().await;
    let mut browser = world.signed_in("acme", "ada").await;
    let before = browser.clone();
    let ask = browser.get("/t/acme/sign-out").await;
    ask.assert_says("Sign out?");
    let done = browser.submit(&ask, "/t/acme/sign-out", &[]).await;
    assert_eq!(done.status, StatusCode::OK);
    done.assert_says("You are signed out");
    assert_eq!(done.headers["clear-site-data"], "\"cache\", \"storage\"");
    assert!(browser.cookies_like("gl-session-").is_empty());
    assert!(browser.cookies_like("gl-current").is_empty());
    // The token is dead, not only forgotten.
    let mut stolen = before;
    assert!(stolen.get("/t/acme/account").await.location().is_some());
}

#[tokio::test]
async fn a_link_alone_signs_nobody_out() {
    let (world, _) = World::acme().await;
    let mut browser = world.signed_in("acme", "ada").await;
    browser.get("/t/acme/sign-out").await;
    assert_eq!(browser.get("/t/acme/account").await.status, StatusCode::OK);
}

/// S02: whoever signs in next in the same browser gets nothing of who was there before.
#[tokio::test]
async fn s02_the_next_person_gets_nothing_of_the_one_before() {
    let (world, _) = World::acme().await;
    let mut browser = world.signed_in("acme", "ada").await;
    let first = browser.cookies_like("gl-session-");
    browser.cookies.clear();
    let page = browser.sign_in("/t/acme", "bob", PASSWORD).await;
    page.assert_says("Hello, bob");
    assert!(!page.says("ada"), "{}", page.body);
    assert_ne!(browser.cookies_like("gl-session-"), first);
    assert_eq!(page.body.matches("Signed in with").count(), 1);
}

#[tokio::test]
async fn signing_out_twice_is_no_failure() {
    let (world, _) = World::acme().await;
    let mut browser = world.signed_in("acme", "ada").await;
    let page = browser.get("/t/acme/account").await;
    browser.submit(&page, "/t/acme/sign-out", &[]).await;
    let again = browser.submit(&page, "/t/acme/sign-out", &[]).await;
    again.assert_says("You are signed out");
    browser
        .get("/t/acme/sign-out")
        .await
        .assert_says("You are signed out");
}
