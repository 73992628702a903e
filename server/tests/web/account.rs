use std::time::Duration;

use axum::http::StatusCode;

use crate::world::{PASSWORD, World};

const NEW: &str = "entirely different words here";

#[tokio::test]
async fn own_sessions_are_listed_and_ended_one_by_one_or_all_others() {
    let (world, _) = World::acme().await;
    let mut first = world.signed_in("acme", "ada").await;
    world.pass(Duration::from_secs(1));
    let mut second = world.signed_in("acme", "ada").await;
    world.pass(Duration::from_secs(1));
    let mut third = world.signed_in("acme", "ada").await;
    let page = first.get("/t/acme/account").await;
    page.assert_says("This device");
    page.assert_says("Firefox on Linux");
    let ends: Vec<_> = page
        .forms()
        .into_iter()
        .filter(|form| form.action == "/t/acme/account/sessions/end")
        .collect();
    assert_eq!(ends.len(), 2);

    // The newest other session stands first.
    let fields = [
        ("csrf", ends[0].hidden("csrf")),
        ("id", ends[0].hidden("id")),
    ];
    let done = first.post("/t/acme/account/sessions/end", &fields).await;
    first
        .follow(done)
        .await
        .assert_says("The session has ended.");
    assert!(third.get("/t/acme/account").await.location().is_some());
    assert_eq!(second.get("/t/acme/account").await.status, StatusCode::OK);

    let page = first.get("/t/acme/account").await;
    let done = first
        .submit_on(&page, "/t/acme/account/sessions/end-others", &[])
        .await;
    done.assert_says("The sessions have ended.");
    assert!(second.get("/t/acme/account").await.location().is_some());
    assert_eq!(first.get("/t/acme/account").await.status, StatusCode::OK);
}

#[tokio::test]
async fn another_persons_session_cannot_be_ended() {
    let (world, _) = World::acme().await;
    let mut bob = world.signed_in("acme", "bob").await;
    let mut ada = world.signed_in("acme", "ada").await;
    let other = world.signed_in("acme", "ada").await;
    let page = ada.get("/t/acme/account").await;
    let id = page
        .form("/t/acme/account/sessions/end")
        .hidden("id")
        .to_owned();
    let own = bob.get("/t/acme/account").await;
    let proof = own.form("/t/acme/sign-out").hidden("csrf").to_owned();
    for id in [id.as_str(), "not-an-id", ""] {
        let fields = [("csrf", proof.as_str()), ("id", id)];
        let refused = bob.post("/t/acme/account/sessions/end", &fields).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND);
    }
    let mut other = other;
    assert_eq!(other.get("/t/acme/account").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_password_is_changed_after_a_fresh_proof_and_ends_other_sessions() {
    let (world, _) = World::acme().await;
    let mut browser = world.signed_in("acme", "ada").await;
    let mut other = world.signed_in("acme", "ada").await;
    let account = browser.get("/t/acme/account").await;
    let change = "/t/acme/account/sign-in-methods/password";
    assert!(account.links().contains(&change.to_owned()));
    let prove = browser.open(change).await;
    assert!(prove.path.starts_with("/t/acme/account/flow?flow="));
    prove.assert_says("Confirm it’s you");
    let action = "/t/acme/account/flow";
    let wrong = [("password", "wrong horse battery staple")];
    let refused = browser.submit(&prove, action, &wrong).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let choose = browser
        .submit_on(&refused, action, &[("password", PASSWORD)])
        .await;
    choose.assert_says("At least 15 characters");
    let before = browser.cookies_like("gl-session-");
    let done = browser
        .submit_on(&choose, action, &[("new_password", NEW)])
        .await;
    assert_eq!(done.path, "/t/acme/account?notice=credential_changed");
    done.assert_says("All other devices were signed out.");
    assert_ne!(browser.cookies_like("gl-session-"), before);

    assert!(other.get("/t/acme/account").await.location().is_some());
    let mut again = world.browser();
    again
        .sign_in("/t/acme", "ada", NEW)
        .await
        .assert_says("Hello, ada");
    let refused = world.browser().sign_in("/t/acme", "ada", PASSWORD).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_unknown_way_to_sign_in_is_not_found() {
    let (world, _) = World::acme().await;
    let mut browser = world.signed_in("acme", "ada").await;
    for provider in ["unknown", "UPPER", "a%20b"] {
        let path = format!("/t/acme/account/sign-in-methods/{provider}");
        assert_eq!(browser.get(&path).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_notice_that_is_not_on_the_list_is_not_shown() {
    let (world, _) = World::acme().await;
    let mut browser = world.signed_in("acme", "ada").await;
    let page = browser.get("/t/acme/account?notice=call+555+now").await;
    assert!(!page.says("555"));
}
