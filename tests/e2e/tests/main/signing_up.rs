//! Making an account for oneself.

use gatelodge_e2e::world::{HOME, World};

const OWN_PASSWORD: &str = "canary: hops along the branch";

#[tokio::test]
async fn where_registration_is_on_a_person_makes_an_account_and_is_signed_in() {
    let world = World::new().await;
    world.tenant("open").await;
    world.open_registration("open").await;
    let browser = world.browser().await;
    browser.goto("/t/open/sign-in").await;
    browser.press_named("Create an account").await;
    browser.arrives_at("/t/open/sign-up").await;
    browser.fill("user_name", "grace").await;
    browser.fill("display_name", "Grace Hopper").await;
    browser.fill("new_password", OWN_PASSWORD).await;
    browser.send_form_of("new_password").await;
    browser.arrives_at("/t/open/account").await;
    browser.reads("Hello, Grace Hopper").await;
    assert!(
        !browser.text().await.contains("Users"),
        "a new account may see no users"
    );
    browser.press_named("Sign out").await;
    browser.reads("You are signed out").await;
    browser.signs_in("/t/open", "grace", OWN_PASSWORD).await;
    browser.close().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_new_account_is_said_at_its_field() {
    let world = World::new().await;
    world.open_registration(HOME).await;
    world.user(HOME, "ada").await;
    let visitor = world.visitor();
    let path = format!("/t/{HOME}/sign-up");
    let form = visitor.open(&path).await.form("/sign-up");
    let minimum = form.inputs["new_password"].attribute("minlength");
    assert_eq!(minimum, Some("15"), "the minimum is said beforehand");
    let poor = visitor
        .submit(
            &form,
            &[
                ("user_name", "grace"),
                ("display_name", "Grace"),
                ("email", ""),
                ("new_password", "short"),
            ],
        )
        .await;
    assert_eq!(poor.status, 422);
    let form = poor.form("/sign-up");
    assert_eq!(
        form.inputs["new_password"].attribute("aria-invalid"),
        Some("true")
    );
    assert_eq!(form.inputs["new_password"].attribute("value"), None);
    assert_eq!(form.inputs["user_name"].attribute("value"), Some("grace"));
    let taken = [
        ("user_name", "ADA"),
        ("display_name", "Ada"),
        ("email", ""),
        ("new_password", OWN_PASSWORD),
    ];
    let refused = visitor.submit(&form, &taken).await;
    assert!(
        [401, 409, 422].contains(&refused.status),
        "{}",
        refused.status
    );
    assert!(!visitor.is_signed_in(&format!("/t/{HOME}")).await);
}

/// A switch that is off is off at the address too, not only in the pages (S40).
#[tokio::test]
async fn s40_where_registration_is_off_there_is_no_link_and_the_address_is_refused() {
    let world = World::new().await;
    let visitor = world.visitor();
    let page = visitor.open(&format!("/t/{HOME}/sign-in")).await;
    assert!(!page.links_to("/sign-up"));
    let refused = visitor.open(&format!("/t/{HOME}/sign-up")).await;
    assert_eq!(refused.status, 403, "{}", refused.text());

    world.open_registration(HOME).await;
    let open = visitor.open(&format!("/t/{HOME}/sign-in")).await;
    assert!(open.links_to("/sign-up"));
    let form = visitor
        .open(&format!("/t/{HOME}/sign-up"))
        .await
        .form("/sign-up");
    let settings = format!("/api/v1/tenants/{HOME}/settings");
    world
        .administrator
        .put(&settings, serde_json::json!({}))
        .await
        .expect(200);
    // A form that was opened while it was on makes no account any more.
    let values = [
        ("user_name", "grace"),
        ("display_name", "Grace"),
        ("email", ""),
        ("new_password", OWN_PASSWORD),
    ];
    let late = visitor.submit(&form, &values).await;
    assert!(
        (400..500).contains(&late.status),
        "{} {}",
        late.status,
        late.text()
    );
    assert!(!visitor.is_signed_in(&format!("/t/{HOME}")).await);
    let users = world
        .run(&["--json", "user", "list", "-t", HOME])
        .await
        .succeeded();
    assert!(!users.contains("grace"), "{users}");
}
