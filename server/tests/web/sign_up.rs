use axum::http::StatusCode;
use gatelodge_core::{
    access::Caller,
    model::{RegistrationSettings, Tenant, TenantSettings},
};

use crate::world::{PASSWORD, World};

async fn open_world() -> (World, Tenant) {
    let (world, tenant) = World::acme().await;
    let settings = TenantSettings {
        registration: RegistrationSettings {
            enabled: Some(true),
            ..Default::default()
        },
        ..Default::default()
    };
    let tenants = world.platform.tenants();
    let operator = Caller::operator();
    tenants
        .put_settings(&operator, tenant.id, None, settings)
        .await
        .unwrap();
    (world, tenant)
}

#[tokio::test]
async fn where_registration_is_open_people_make_their_own_accounts() {
    let (world, _) = open_world().await;
    let mut browser = world.browser();
    let sign_in = browser.get("/t/acme/sign-in").await;
    assert!(sign_in.links().contains(&"/t/acme/sign-up".to_owned()));
    let page = browser.get("/t/acme/sign-up").await;
    page.assert_says("Create your account");
    page.assert_says("At least 15 characters");
    let fields = [
        ("user_name", "grace"),
        ("display_name", "Grace <b>"),
        ("email", ""),
        ("new_password", PASSWORD),
    ];
    let account = browser.submit_on(&page, "/t/acme/sign-up", &fields).await;
    assert_eq!(account.path, "/t/acme/account");
    account.assert_says("Hello, Grace <b>");
    assert!(!account.body.contains("<b>"));
}

#[tokio::test]
async fn what_is_wrong_stands_beside_its_field() {
    let (world, _) = open_world().await;
    let mut browser = world.browser();
    let page = browser.get("/t/acme/sign-up").await;
    for (name, password, said) in [
        ("grace", "short", "at least 15"),
        ("ada", PASSWORD, "This user name is taken."),
    ] {
        let fields = [("user_name", name), ("new_password", password)];
        let again = browser.submit(&page, "/t/acme/sign-up", &fields).await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
        again.assert_says(said);
        assert_eq!(again.value("user_name").as_deref(), Some(name));
        assert_eq!(again.value("new_password"), None);
    }
}

#[tokio::test]
async fn where_registration_is_off_there_is_no_link_and_the_page_is_refused() {
    let (world, _) = World::acme().await;
    let mut browser = world.browser();
    let sign_in = browser.get("/t/acme/sign-in").await;
    assert!(!sign_in.body.contains("sign-up"));
    let page = browser.get("/t/acme/sign-up").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
}
