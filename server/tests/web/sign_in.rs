use std::time::Duration;

use axum::http::{StatusCode, header};
use gatelodge_core::model::Grant;

use crate::{
    browser::{Answer, Browser},
    world::{PASSWORD, World},
};

async fn answer(browser: &mut Browser, page: &Answer, user: &str, password: &str) -> Answer {
    let fields = [("user_name", user), ("password", password)];
    browser.submit(page, "/t/acme/sign-in", &fields).await
}

#[tokio::test]
async fn the_right_password_leads_to_the_account() {
    let (world, _) = World::acme().await;
    let mut browser = world.browser();
    let page = browser.open("/t/acme/").await;
    assert_eq!(page.path, "/t/acme/sign-in");
    page.assert_says("Sign in");
    let done = answer(&mut browser, &page, "ADA", PASSWORD).await;
    assert_eq!(done.location().as_deref(), Some("/t/acme/account"));
    browser.follow(done).await.assert_says("Hello, ada");
    assert!(browser.cookies_like("gl-flow-").is_empty());
    assert_eq!(browser.cookies_like("gl-session-").len(), 1);
    // The session cookie goes when the browser closes; the lane stays.
    for path in ["/", "/sign-in", "/t/acme/sign-in", "/t/acme"] {
        let account = browser.open(path).await;
        assert!(account.path.ends_with("/account"), "{path}");
    }
}

#[tokio::test]
async fn without_a_tenant_in_the_address_the_only_fitting_account_is_found() {
    let (world, _) = World::acme().await;
    let mut browser = world.browser();
    let account = browser.sign_in("", "ada", PASSWORD).await;
    assert_eq!(account.path, "/account");
    account.assert_says("Hello, ada");
}

#[tokio::test]
async fn a_wrong_password_shows_the_same_page_with_the_name_and_without_the_secret() {
    let (world, _) = World::acme().await;
    let mut browser = world.browser();
    let page = browser.get("/t/acme/sign-in").await;
    let refused = answer(&mut browser, &page, "ada", "wrong horse battery staple").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    refused.assert_says("That didn’t work.");
    assert_eq!(refused.value("user_name").as_deref(), Some("ada"));
    assert_eq!(refused.value("password"), None);
    assert!(!refused.body.contains("wrong horse"));
    // The same step can be answered again.
    let done = answer(&mut browser, &refused, "ada", PASSWORD).await;
    assert!(done.location().is_some());
}

/// S41: nobody learns from the page whether an account exists, is locked or deactivated.
#[tokio::test]
async fn s41_every_refusal_is_the_same_page() {
    let (world, tenant) = World::acme().await;
    let operator = gatelodge_core::access::Caller::operator();
    for (name, locked) in [("loc", true), ("off", false)] {
        let user = world.user(tenant.id, name, &[]).await;
        let place = (tenant.id, user.id);
        let users = world.platform.users();
        if locked {
            users
                .lock(&operator, place, Default::default())
                .await
                .unwrap();
        } else {
            let patch = gatelodge_core::service::UserPatch {
                status: Some(gatelodge_core::model::UserStatus::Deactivated),
                ..Default::default()
            };
            users.update(&operator, place, None, patch).await.unwrap();
        }
    }
    let mut browser = world.browser();
    let page = browser.get("/t/acme/sign-in").await;
    let mut pages = Vec::new();
    for (name, password) in [
        ("ada", "wrong horse battery staple"),
        ("nob", "wrong horse battery staple"),
        ("nob", PASSWORD),
        ("loc", PASSWORD),
        ("off", PASSWORD),
    ] {
        let refused = answer(&mut browser, &page, name, password).await;
        let shown = format!("value=\"{name}\"");
        assert!(refused.body.contains(&shown));
        let mut headers = refused.headers.clone();
        headers.remove("x-request-id");
        pages.push((
            refused.status,
            headers,
            refused.body.replace(&shown, "value"),
        ));
    }
    for page in &pages {
        assert_eq!(page, &pages[0]);
    }
}

#[tokio::test]
async fn an_empty_field_is_told_beside_it() {
    let (world, _) = World::acme().await;
    let mut browser = world.browser();
    let page = browser.get("/t/acme/sign-in").await;
    let invalid = answer(&mut browser, &page, "ada", "").await;
    assert_eq!(invalid.status, StatusCode::UNPROCESSABLE_ENTITY);
    invalid.assert_says("Password is missing.");
    assert_eq!(invalid.value("user_name").as_deref(), Some("ada"));
}

#[tokio::test]
async fn opening_the_page_again_goes_on_with_the_flow_that_nobody_answered() {
    let (world, _) = World::acme().await;
    let mut browser = world.browser();
    let first = browser.get("/t/acme/sign-in").await;
    let again = browser.get("/t/acme/sign-in").await;
    assert_eq!(first.body, again.body);
    assert_eq!(browser.cookies_like("gl-flow-").len(), 1);
    world.pass(Duration::from_secs(301));
    let late = browser.get("/t/acme/sign-in").await;
    assert_ne!(first.body, late.body, "a flow that soon expires");
    for path in ["/sign-in", "/t/acme/sign-in?return_to=/console"] {
        let other = browser.get(path).await;
        assert_ne!(first.body, other.body, "{path}");
    }
}

#[tokio::test]
async fn a_browser_keeps_its_six_newest_flows() {
    let (world, _) = World::acme().await;
    let mut browser = world.browser();
    for number in 0..9 {
        world.pass(Duration::from_millis(5));
        browser
            .get(&format!("/sign-in?return_to=/account?{number}"))
            .await;
    }
    assert_eq!(browser.cookies_like("gl-flow-").len(), 6);
}

#[tokio::test]
async fn a_prefetch_starts_nothing() {
    let (world, _) = World::acme().await;
    for (name, value) in [("sec-purpose", "prefetch"), ("purpose", "prefetch")] {
        for path in ["/sign-in", "/t/acme/sign-in", "/t/acme/sign-up"] {
            let mut browser = world.browser();
            let answer = browser.get_with(path, name, value).await;
            assert_eq!(answer.status, StatusCode::NO_CONTENT);
            assert!(browser.cookies.is_empty());
        }
    }
}

/// S01: what somebody planted before the sign-in is worth nothing after it, and
/// a flow is useless without its cookie.
#[tokio::test]
async fn s01_ids_change_with_the_sign_in_and_a_flow_needs_its_cookie() {
    let (world, _) = World::acme().await;
    let mut attacker = world.browser();
    let page = attacker.get("/t/acme/sign-in").await;
    let planted = attacker.cookies.clone();
    let flow = page.form("/t/acme/sign-in").hidden("flow").to_owned();

    // The address alone shows nothing and takes nothing.
    let mut victim = world.browser();
    let shown = victim.get(&format!("/t/acme/sign-in?flow={flow}")).await;
    assert_eq!(shown.status, StatusCode::NOT_FOUND);
    shown.assert_says("Start again");
    let refused = answer(&mut victim, &page, "ada", PASSWORD).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);

    // With the planted cookie the victim's sign-in works, and the attacker gets nothing of it.
    victim.cookies = planted.clone();
    let done = answer(&mut victim, &page, "ada", PASSWORD).await;
    assert!(done.location().is_some());
    assert!(victim.cookies_like("gl-flow-").is_empty());
    attacker.cookies = planted;
    let answer = attacker.open(&format!("/t/acme/sign-in?flow={flow}")).await;
    assert!(!answer.says("ada"), "{}", answer.body);
    let account = attacker.open("/t/acme/account").await;
    assert_eq!(account.path.split('?').next(), Some("/t/acme/sign-in"));
}

#[tokio::test]
async fn a_second_click_leads_to_what_is_asked_now() {
    let (world, _) = World::acme().await;
    let mut browser = world.browser();
    let page = browser.get("/t/acme/sign-in").await;
    let mut twin = browser.clone();
    assert!(
        answer(&mut browser, &page, "ada", PASSWORD)
            .await
            .location()
            .is_some()
    );
    let second = answer(&mut twin, &page, "ada", PASSWORD).await;
    assert!(
        second
            .location()
            .unwrap()
            .starts_with("/t/acme/sign-in?flow=")
    );
    // The browser has the first answer's cookies by now.
    twin.cookies = browser.cookies.clone();
    let landed = twin.follow(second).await;
    assert_eq!(landed.path, "/t/acme/account");
}

#[tokio::test]
async fn an_expired_flow_says_so_and_begins_anew() {
    let (world, _) = World::acme().await;
    let mut browser = world.browser();
    let page = browser.get("/t/acme/sign-in").await;
    world.pass(Duration::from_secs(601));
    let late = answer(&mut browser, &page, "ada", PASSWORD).await;
    assert_eq!(late.status, StatusCode::NOT_FOUND);
    late.assert_says("This has expired");
    assert!(late.links().contains(&"/t/acme/sign-in".to_owned()));
}

#[tokio::test]
async fn too_many_tries_say_when_to_come_back() {
    let world = World::with(|config| config.limits.free_tries = 2).await;
    let tenant = world.tenant("acme").await;
    world.user(tenant.id, "ada", &[]).await;
    let mut browser = world.browser();
    for user in ["ada", "nobody"] {
        let page = browser.get("/t/acme/sign-in").await;
        for _ in 0..2 {
            let refused = answer(&mut browser, &page, user, "wrong horse battery staple").await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        }
        let limited = answer(&mut browser, &page, user, PASSWORD).await;
        assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(limited.headers[header::RETRY_AFTER], "30");
        limited.assert_says("You can try again in 30 seconds.");
    }
}

#[tokio::test]
async fn signing_in_again_ends_the_browsers_previous_session() {
    let (world, _) = World::acme().await;
    let mut browser = world.signed_in("acme", "ada").await;
    let old = browser.clone();
    browser
        .sign_in("/t/acme", "bob", PASSWORD)
        .await
        .assert_says("Hello, bob");
    assert_eq!(browser.cookies_like("gl-session-").len(), 1);
    let mut old = old;
    let answer = old.get("/t/acme/account").await;
    assert!(answer.location().unwrap().starts_with("/t/acme/sign-in"));
}

#[tokio::test]
async fn the_name_is_remembered_when_asked_and_forgotten_when_not() {
    let world = World::with(|config| config.pages.remember_name = true).await;
    let tenant = world.tenant("acme").await;
    world.user(tenant.id, "ada", &Grant::ALL).await;
    let mut browser = world.browser();
    let page = browser.get("/t/acme/sign-in").await;
    page.assert_says("Remember my user name");
    let fields = [
        ("user_name", "ada"),
        ("password", PASSWORD),
        ("remember_name", "true"),
    ];
    browser.submit(&page, "/t/acme/sign-in", &fields).await;
    let kept = browser.cookies_like("gl-name");
    assert_eq!(kept.len(), 1);

    let page = browser.get("/t/acme/sign-in?again=1").await;
    assert_eq!(page.value("user_name").as_deref(), Some("ada"));
    world.tenant("other").await;
    let elsewhere = browser.get("/t/other/sign-in").await;
    assert_eq!(elsewhere.value("user_name"), None);
    browser.submit(&page, "/t/acme/sign-in", &fields[..2]).await;
    assert!(browser.cookies_like("gl-name").is_empty());
}

#[tokio::test]
async fn a_refused_try_remembers_nothing() {
    let world = World::with(|config| config.pages.remember_name = true).await;
    world.tenant("acme").await;
    let mut browser = world.browser();
    let page = browser.get("/t/acme/sign-in").await;
    let fields = [
        ("user_name", "ada"),
        ("password", PASSWORD),
        ("remember_name", "true"),
    ];
    let refused = browser.submit(&page, "/t/acme/sign-in", &fields).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(browser.cookies_like("gl-name").is_empty());
}
