//! Several tenants in one installation.

use gatelodge_e2e::world::World;

/// T7, T8: the same user name in two tenants is two people, and one browser can be both at once.
#[tokio::test]
async fn the_same_name_in_two_tenants_is_two_people_in_one_browser() {
    let world = World::new().await;
    let mut passwords = Vec::new();
    for tenant in ["a", "b"] {
        world.tenant(tenant).await;
        passwords.push(world.user(tenant, "ada").await);
    }
    let browser = world.browser().await;
    browser.sign_in("/t/a", "ada", &passwords[1]).await;
    browser.element(".notice-error").await;
    browser.signs_in("/t/a", "ada", &passwords[0]).await;
    browser.signs_in("/t/b", "ada", &passwords[1]).await;
    for tenant in ["a", "b"] {
        browser.goto(&format!("/t/{tenant}/account")).await;
        let head = browser
            .element(".who-name span")
            .await
            .text()
            .await
            .unwrap();
        assert_eq!(head, tenant);
    }
    // Leaving one is not leaving the other.
    browser.goto("/t/a/account").await;
    browser.press_named("Sign out").await;
    browser.reads("You are signed out").await;
    browser.goto("/t/b/account").await;
    browser.reads("Hello, ada").await;
    browser.goto("/t/a/account").await;
    browser.arrives_at("/t/a/sign-in").await;
    browser.close().await;
}

#[tokio::test]
async fn the_tenant_can_be_named_on_the_form() {
    let world = World::new().await;
    let mut passwords = Vec::new();
    for tenant in ["a", "b"] {
        world.tenant(tenant).await;
        passwords.push(world.user(tenant, "ada").await);
    }
    let browser = world.browser().await;
    for (tenant, password) in [("a", &passwords[0]), ("B", &passwords[1])] {
        browser.goto("/sign-in?again=1").await;
        browser.fill("tenant", tenant).await;
        browser.fill("user_name", "ada").await;
        browser.fill("password", password).await;
        browser.send_form_of("password").await;
        browser.arrives_at("/account").await;
        let head = browser
            .element(".who-name span")
            .await
            .text()
            .await
            .unwrap();
        assert_eq!(head, tenant.to_lowercase());
    }
    browser.close().await;
}

#[tokio::test]
async fn a_name_that_exists_once_needs_no_tenant() {
    let world = World::new().await;
    world.tenant("a").await;
    let password = world.user("a", "grace").await;
    let visitor = world.visitor();
    let page = visitor.sign_in("", "grace", &password).await;
    assert!(page.says("Hello, grace"), "{}", page.text());
    for wrong in ["nowhere", "lodge"] {
        let visitor = world.visitor();
        let form = visitor.open("/sign-in").await.form("/sign-in");
        let values = [
            ("tenant", wrong),
            ("user_name", "grace"),
            ("password", password.as_str()),
        ];
        let refused = visitor.submit(&form, &values).await;
        assert_eq!(refused.status, 401, "{wrong}: {}", refused.text());
    }
}

#[tokio::test]
async fn an_unknown_tenant_is_nothing() {
    let world = World::new().await;
    for path in [
        "/t/nowhere",
        "/t/nowhere/sign-in",
        "/t/nowhere/account",
        "/t/no%20where/sign-in",
    ] {
        let page = world.visitor().open(path).await;
        assert_eq!(page.status, 404, "{path}");
        assert!(page.says("Nothing here"), "{path}: {}", page.text());
    }
}
