//! One's own account.

use gatelodge_e2e::{
    browser::Browser,
    wait,
    world::{HOME, World},
};

const NEW_PASSWORD: &str = "canary: moults before the winter";

#[tokio::test]
async fn a_session_ended_from_another_browser_is_refused_at_its_next_request() {
    let world = World::new().await;
    let password = world.user(HOME, "ada").await;
    let here = format!("/t/{HOME}");
    let (one, other) = Browser::open_two(&world.server).await;
    one.signs_in(&here, "ada", &password).await;
    other.signs_in(&here, "ada", &password).await;
    let phone = world.visitor();
    phone.sign_in(&here, "ada", &password).await;

    one.goto(&format!("{here}/account")).await;
    let sessions = one.element("#sessions").await.text().await.unwrap();
    assert!(
        sessions.contains("Firefox on Linux") && sessions.contains("127.0.0.1"),
        "{sessions}"
    );
    one.press("button[aria-label*='Firefox on Linux']").await;
    one.arrives_at("/account").await;
    one.element(".notice-success").await;
    assert!(!phone.is_signed_in(&here).await);
    other.goto(&format!("{here}/account")).await;
    other.reads("Hello, ada").await;

    one.press_named("End the other session").await;
    wait::until("the answer", async || {
        !one.has("#sessions [aria-label]").await
    })
    .await;
    other.goto(&format!("{here}/account")).await;
    other.arrives_at("/sign-in").await;
    one.goto(&format!("{here}/account")).await;
    one.reads("Hello, ada").await;
    one.close().await;
    other.close().await;
}

/// S6: whoever knows the old password, or stole a session, is out.
#[tokio::test]
async fn a_changed_password_ends_the_other_sessions_and_the_old_password() {
    let world = World::new().await;
    let password = world.user(HOME, "ada").await;
    let here = format!("/t/{HOME}");
    let thief = world.visitor();
    thief.sign_in(&here, "ada", &password).await;
    let program = world.nobody().sign_in(HOME, "ada", &password).await;
    let browser = world.browser().await;
    browser.signs_in(&here, "ada", &password).await;
    browser.press("#methods a.button").await;
    // First a proof that it is still the same person.
    browser.fill("password", "canary: of another feather").await;
    browser.send_form_of("password").await;
    browser.element(".notice-error").await;
    browser.fill("password", &password).await;
    browser.send_form_of("password").await;
    browser.fill("new_password", "passwordpassword").await;
    browser.send_form_of("new_password").await;
    browser.element(".notice-error").await;
    assert!(
        thief.is_signed_in(&here).await,
        "a refused change ended a session"
    );
    browser.fill("new_password", NEW_PASSWORD).await;
    browser.send_form_of("new_password").await;
    browser.arrives_at("/account").await;
    browser.element(".notice-success").await;

    assert!(!thief.is_signed_in(&here).await);
    assert!(!program.is_signed_in().await);
    assert_eq!(
        world
            .visitor()
            .sign_in(&here, "ada", &password)
            .await
            .status,
        401
    );
    world.nobody().sign_in(HOME, "ada", NEW_PASSWORD).await;
    browser.goto(&format!("{here}/account")).await;
    browser.reads("Hello, ada").await;
    browser.close().await;
}

#[tokio::test]
async fn an_ordinary_person_sees_nothing_of_the_console() {
    let world = World::new().await;
    let password = world.user(HOME, "ada").await;
    let visitor = world.visitor();
    let account = visitor.sign_in("", "ada", &password).await;
    assert!(
        !account.links_to("/console") && !account.links_to("/users"),
        "{}",
        account.html
    );
    for path in [
        "/console",
        "/console/tenants",
        &format!("/console/tenants/{HOME}/users"),
    ] {
        let page = visitor.open(path).await;
        assert!(
            [403, 404].contains(&page.status),
            "{path}: {} {}",
            page.status,
            page.text()
        );
        assert!(
            !page.says(gatelodge_e2e::world::ADMINISTRATOR),
            "{path}: {}",
            page.text()
        );
    }
    let nobody = world.visitor().open("/console").await;
    assert!(nobody.path.contains("/sign-in"), "{}", nobody.path);
}
