//! Without a mouse (WCAG 2.2: 2.1.1, 2.4.3, 2.4.7).

use gatelodge_e2e::{
    browser::Browser,
    wait,
    world::{HOME, World},
};
use serde_json::Value;
use thirtyfour::Key;

#[tokio::test]
async fn signing_in_and_out_needs_nothing_but_the_keyboard() {
    let world = World::new().await;
    let password = world.user(HOME, "ada").await;
    let browser = world.browser().await;
    browser.goto(&format!("/t/{HOME}/sign-in")).await;
    assert_eq!(
        visible_focus(&browser).await["name"],
        "user_name",
        "the first field has the focus"
    );
    browser.type_text("ada").await;
    browser.press_key(Key::Tab).await;
    assert_eq!(visible_focus(&browser).await["name"], "password");
    browser.press_key(Key::Tab).await;
    assert_eq!(visible_focus(&browser).await["name"], "stay");
    browser.press_key(Key::Tab).await;
    assert_eq!(visible_focus(&browser).await["tag"], "button");
    browser.press_key(Key::Tab).await;
    browser
        .execute("document.querySelector('[name=password]').focus()")
        .await;
    browser.type_text(&password).await;
    browser.press_key(Key::Enter).await;
    browser.arrives_at("/account").await;

    browser.press_key(Key::Tab).await;
    assert_eq!(
        visible_focus(&browser).await["text"],
        "Skip to content",
        "the first stop skips the head"
    );
    let mut stops = Vec::new();
    let found = wait::holds_within(wait::PATIENCE, async || {
        browser.press_key(Key::Tab).await;
        let stop = visible_focus(&browser).await;
        stops.push(stop["text"].clone());
        stop["text"] == "Sign out"
    })
    .await;
    assert!(
        found && stops.len() < 20,
        "the way to sign out is long: {stops:?}"
    );
    browser.press_key(Key::Enter).await;
    browser.reads("You are signed out").await;
    browser.close().await;
}

#[tokio::test]
async fn after_an_error_the_focus_is_where_it_can_be_put_right() {
    let world = World::new().await;
    world.open_registration(HOME).await;
    let browser = world.browser().await;
    browser.goto(&format!("/t/{HOME}/sign-up")).await;
    browser.fill("user_name", "grace").await;
    browser.fill("display_name", "Grace").await;
    // Long enough for the browser; too common for the policy.
    browser.fill("new_password", "passwordpassword").await;
    browser.press_key(Key::Enter).await;
    browser.element(".notice-error a").await;
    assert!(
        browser
            .element("title")
            .await
            .inner_html()
            .await
            .unwrap()
            .starts_with("Error:")
    );
    let summary = browser
        .execute("return document.activeElement.className")
        .await;
    assert!(
        summary.as_str().unwrap().contains("notice-error"),
        "{summary}"
    );
    browser.press_key(Key::Tab).await;
    browser.press_key(Key::Enter).await;
    assert_eq!(visible_focus(&browser).await["name"], "new_password");
    browser.close().await;
}

/// What has the focus; it must be seen that it has.
async fn visible_focus(browser: &Browser) -> Value {
    let focus = browser.focus().await;
    let seen = focus["outline"] == true || focus["shadow"] == true;
    assert!(seen, "nobody sees that this has the focus: {focus}");
    focus
}
