use axum::http::StatusCode;

use crate::world::{PASSWORD, World};

#[tokio::test]
async fn one_browser_is_signed_in_to_two_tenants_at_once() {
    let (world, _) = World::acme().await;
    let other = world.tenant("Other GmbH & Co").await;
    world.user(other.id, "ada", &[]).await;
    let base = "/t/Other%20GmbH%20&%20Co";
    let mut browser = world.signed_in("acme", "bob").await;
    browser.sign_in(base, "ada", PASSWORD).await;
    assert_eq!(browser.cookies_like("gl-session-").len(), 2);

    browser
        .get("/t/acme/account")
        .await
        .assert_says("Hello, bob");
    let there = browser.get(&format!("{base}/account")).await;
    there.assert_says("Hello, ada");
    // Without a tenant in the address it is the last one that was signed in to.
    browser.get("/account").await.assert_says("Hello, ada");
    for link in there.links().iter().filter(|link| !link.starts_with('#')) {
        assert!(
            link.starts_with(base),
            "{link} leaves the tenant's addresses"
        );
    }

    // Leaving one stays in the other.
    browser
        .submit(&there, &format!("{base}/sign-out"), &[])
        .await;
    assert!(
        browser
            .get(&format!("{base}/account"))
            .await
            .location()
            .is_some()
    );
    browser
        .get("/t/acme/account")
        .await
        .assert_says("Hello, bob");
}

#[tokio::test]
async fn a_forms_proof_counts_for_its_own_session_only() {
    let (world, _) = World::acme().await;
    let other = world.tenant("other").await;
    world.user(other.id, "ada", &[]).await;
    let mut browser = world.signed_in("acme", "bob").await;
    browser.sign_in("/t/other", "ada", PASSWORD).await;
    let page = browser.get("/t/acme/account").await;
    let proof = page.form("/t/acme/sign-out").hidden("csrf").to_owned();
    let crossed = browser.post("/t/other/sign-out", &[("csrf", &proof)]).await;
    assert_eq!(crossed.status, StatusCode::FORBIDDEN);
    browser
        .get("/t/other/account")
        .await
        .assert_says("Hello, ada");
}

#[tokio::test]
async fn an_unknown_tenant_has_no_pages() {
    let (world, _) = World::acme().await;
    let mut browser = world.browser();
    for path in [
        "/t/nowhere",
        "/t/nowhere/",
        "/t/nowhere/sign-in",
        "/t/nowhere/account",
    ] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        answer.assert_says("Nothing here");
    }
}

#[tokio::test]
async fn a_tenant_can_be_named_in_the_form() {
    let (world, _) = World::acme().await;
    let other = world.tenant("other").await;
    world.user(other.id, "ada", &[]).await;
    let mut browser = world.browser();
    let page = browser.get("/sign-in").await;
    let fields = [("user_name", "ada"), ("password", PASSWORD)];
    let ambiguous = browser.submit(&page, "/sign-in", &fields).await;
    assert_eq!(ambiguous.status, StatusCode::UNAUTHORIZED);
    let fields = [("tenant", "Other"), fields[0], fields[1]];
    let account = browser.submit_on(&page, "/sign-in", &fields).await;
    account.assert_says("other");
    account.assert_says("Hello, ada");
}

#[tokio::test]
async fn a_configured_tenant_is_not_asked_for() {
    let world = World::with(|config| {
        config.tenancy.sign_in_form = gatelodge_server::config::TenantOnForm::Default;
        config.tenancy.default_tenant = Some("acme".to_owned());
    })
    .await;
    let tenant = world.tenant("acme").await;
    world.user(tenant.id, "ada", &[]).await;
    let mut browser = world.browser();
    let page = browser.get("/sign-in").await;
    page.assert_says("acme");
    assert!(!page.body.contains("name=\"tenant\""));
    browser
        .sign_in("", "ada", PASSWORD)
        .await
        .assert_says("Hello, ada");
}
