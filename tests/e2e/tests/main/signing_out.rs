//! Leaving.

use gatelodge_e2e::{
    wait,
    world::{HOME, World},
};

#[tokio::test]
async fn signing_out_takes_the_cookie_the_session_and_the_pages() {
    let world = World::new().await;
    let password = world.user(HOME, "ada").await;
    let here = format!("/t/{HOME}");
    let browser = world.browser().await;
    browser.signs_in(&here, "ada", &password).await;
    let cookies = browser.cookies().await;
    let session = cookies
        .iter()
        .find(|cookie| cookie.name.starts_with("gl-session-"))
        .unwrap();
    assert_eq!(session.http_only, Some(true));
    let old = format!("{}={}", session.name, session.value);
    let thief = world.visitor();
    thief.set_cookies(&old);
    assert!(thief.is_signed_in(&here).await, "the cookie is the session");

    browser.press_named("Sign out").await;
    browser.reads("You are signed out").await;
    let left = browser.cookies().await;
    assert!(
        left.iter()
            .all(|cookie| !cookie.name.starts_with("gl-session-")),
        "{left:?}"
    );
    assert!(
        !thief.is_signed_in(&here).await,
        "the old cookie still works"
    );

    browser.back().await;
    wait::until("a page after going back", async || {
        !browser.text().await.is_empty()
    })
    .await;
    assert!(
        !browser.text().await.contains("Hello, "),
        "going back shows the account"
    );
    browser.goto(&format!("{here}/account")).await;
    browser.arrives_at("/sign-in").await;
    browser.close().await;
}

#[tokio::test]
async fn pages_of_a_session_are_kept_by_no_cache() {
    let world = World::new().await;
    let password = world.user(HOME, "ada").await;
    let visitor = world.visitor();
    visitor.sign_in("", "ada", &password).await;
    for path in ["/account", "/sign-out", "/sign-in", "/nowhere"] {
        assert_eq!(
            visitor.get(path).await.header("cache-control"),
            "no-store",
            "{path}"
        );
    }
    let form = visitor.open("/account").await.form("/sign-out");
    let out = visitor.submit(&form, &[]).await;
    assert!(
        out.header("clear-site-data").contains("\"cache\""),
        "{:?}",
        out.headers
    );
}

/// Neither a link nor a page of somebody else signs anybody out (S44).
#[tokio::test]
async fn s44_only_our_own_form_signs_out() {
    let world = World::new().await;
    let password = world.user(HOME, "ada").await;
    let visitor = world.visitor();
    visitor.sign_in("", "ada", &password).await;
    let asked = visitor.open("/sign-out").await;
    assert_eq!(asked.status, 200);
    assert!(
        visitor.is_signed_in("").await,
        "opening the page signed out"
    );
    let mut forged = asked.form("/sign-out");
    forged.hidden.clear();
    assert_eq!(visitor.submit(&forged, &[]).await.status, 403);
    assert_eq!(
        visitor.submit(&forged, &[("csrf", "AAAA")]).await.status,
        403
    );
    assert!(visitor.is_signed_in("").await);
    visitor.submit(&asked.form("/sign-out"), &[]).await;
    assert!(!visitor.is_signed_in("").await);
}

/// Whoever signs in next in the same browser gets nothing of who was there before (S02).
#[tokio::test]
async fn s02_the_next_person_in_the_same_browser_gets_nothing_of_the_one_before() {
    let world = World::new().await;
    let (adas, graces) = (
        world.user(HOME, "ada").await,
        world.user(HOME, "grace").await,
    );
    let here = format!("/t/{HOME}");
    let browser = world.visitor();
    browser.sign_in(&here, "ada", &adas).await;
    let before = browser.cookies();
    let page = browser.open(&format!("{here}/sign-in?again=1")).await;
    let values = [("user_name", "grace"), ("password", graces.as_str())];
    let page = browser.submit(&page.form("/sign-in"), &values).await;
    assert!(
        page.says("Hello, grace") && !page.says("ada"),
        "{}",
        page.text()
    );
    let old = world.visitor();
    old.set_cookies(&before);
    assert!(
        !old.is_signed_in(&here).await,
        "the session before is still open"
    );
}
