//! Signing in for an application, and on to its pages.

use axum::http::StatusCode;
use gatelodge_core::{
    access::Caller,
    model::{Application, ApplicationName, Audience, ReturnAddress, TenantId, WebOrigin},
    service::{ApplicationPatch, NewApplication},
};
use url::form_urlencoded;

use crate::{
    browser::Browser,
    world::{PASSWORD, World},
};

pub(crate) const BACK: &str = "https://app.example.org/signed-in?from=gate";

pub(crate) async fn register(world: &World, tenant: TenantId, audience: &str) -> Application {
    let new = NewApplication {
        name: ApplicationName::new("Shop").unwrap(),
        audience: Audience::new(audience).unwrap(),
        origins: vec![WebOrigin::new("https://app.example.org").unwrap()],
        return_to: vec![
            ReturnAddress::new(BACK).unwrap(),
            ReturnAddress::new("http://127.0.0.1/back").unwrap(),
        ],
    };
    let applications = world.platform.applications();
    let operator = Caller::operator();
    applications.create(&operator, tenant, new).await.unwrap()
}

fn address(base: &str, application: Option<&str>, return_to: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(application) = application {
        query.append_pair("application", application);
    }
    query.append_pair("return_to", return_to);
    format!("{base}/sign-in?{}", query.finish())
}

/// Signs in from an address; answers where that leads.
async fn sign_in_from(browser: &mut Browser, address: &str) -> Option<String> {
    let page = browser.open(address).await;
    if page.status != StatusCode::OK {
        return None;
    }
    let fields = [("user_name", "ada"), ("password", PASSWORD)];
    let answer = browser.submit(&page, "/t/acme/sign-in", &fields).await;
    answer.location()
}

#[tokio::test]
async fn a_sign_in_for_an_application_ends_at_its_address() {
    let (world, tenant) = World::acme().await;
    let shop = register(&world, tenant.id, "shop").await;
    let id = shop.id.to_string();
    for named in ["shop", id.as_str()] {
        for base in ["", "/t/acme"] {
            for to in [BACK, "http://127.0.0.1:49152/back", "/t/acme/account"] {
                let address = address(base, Some(named), to);
                let mut browser = world.browser();
                let led = sign_in_from(&mut browser, &address).await;
                assert_eq!(led.as_deref(), Some(to), "{address}");
                // Whoever is signed in goes on at once.
                let again = browser.get(&address).await;
                let again = match again.location().unwrap() {
                    there if there.starts_with("/t/acme/sign-in") => {
                        browser.get(&there).await.location().unwrap()
                    }
                    there => there,
                };
                assert_eq!(again, to, "{address}");
            }
        }
    }
}

/// S27, S28.
#[tokio::test]
async fn s27_s28_nobody_is_sent_where_no_application_has_said() {
    let (world, tenant) = World::acme().await;
    register(&world, tenant.id, "shop").await;
    let other = world.tenant("other").await;
    let foreign = NewApplication {
        name: ApplicationName::new("theirs").unwrap(),
        audience: Audience::new("theirs").unwrap(),
        origins: Vec::new(),
        return_to: vec![ReturnAddress::new("https://evil.example/").unwrap()],
    };
    let applications = world.platform.applications();
    let operator = Caller::operator();
    applications
        .create(&operator, other.id, foreign)
        .await
        .unwrap();
    let signed_in = world.signed_in("acme", "ada").await;
    for (application, to) in [
        // Registered, but nobody said for which application.
        (None, BACK),
        (Some("shop"), "https://evil.example/"),
        (Some("shop"), "https://app.example.org/"),
        (Some("shop"), "https://app.example.org/signed-in"),
        (
            Some("shop"),
            "https://app.example.org/signed-in?from=gate&x",
        ),
        (
            Some("shop"),
            "https://app.example.org/signed-in?from=gate#x",
        ),
        (
            Some("shop"),
            "https://app.example.org:8443/signed-in?from=gate",
        ),
        (Some("shop"), "https://APP.example.org/signed-in?from=gate"),
        (Some("shop"), "http://app.example.org/signed-in?from=gate"),
        (Some("shop"), "//app.example.org/signed-in?from=gate"),
        (
            Some("shop"),
            "https://app.example.org@evil.example/signed-in?from=gate",
        ),
        (
            Some("shop"),
            "https://app.example.org.evil.example/signed-in?from=gate",
        ),
        (Some("shop"), "https:/app.example.org/signed-in?from=gate"),
        (
            Some("shop"),
            "https:\\\\app.example.org/signed-in?from=gate",
        ),
        (Some("shop"), "https://app.example.org\\@evil.example/"),
        (Some("shop"), "http://127.0.0.1:49152/other"),
        (Some("shop"), "http://127.0.0.2/back"),
        (Some("shop"), "http://localhost/back"),
        (Some("shop"), "javascript:alert(1)"),
        (Some("theirs"), "https://evil.example/"),
        (Some("nobodys"), BACK),
        (Some(""), BACK),
        (Some("two words"), BACK),
    ] {
        let address = address("/t/acme", application, to);
        let fresh = sign_in_from(&mut world.browser(), &address).await;
        let before = signed_in.clone().get(&address).await.location();
        for led in fresh.into_iter().chain(before) {
            assert!(
                led.starts_with('/') && !led.starts_with("//"),
                "{to} led to {led}"
            );
        }
    }
}

#[tokio::test]
async fn an_address_that_was_withdrawn_meanwhile_is_not_gone_to() {
    let (world, tenant) = World::acme().await;
    let shop = register(&world, tenant.id, "shop").await;
    let mut browser = world.browser();
    let page = browser.open(&address("", Some("shop"), BACK)).await;
    let patch = ApplicationPatch {
        return_to: Some(Vec::new()),
        ..ApplicationPatch::default()
    };
    let applications = world.platform.applications();
    let operator = Caller::operator();
    applications
        .update(&operator, (tenant.id, shop.id), None, patch)
        .await
        .unwrap();
    let fields = [("user_name", "ada"), ("password", PASSWORD)];
    let answer = browser.submit(&page, "/t/acme/sign-in", &fields).await;
    assert_eq!(answer.location().as_deref(), Some("/t/acme/account"));
}

/// The policy of a page opens for its own application's origin, and only there.
#[tokio::test]
async fn the_forms_of_a_sign_in_may_lead_to_the_application_alone() {
    let (world, tenant) = World::acme().await;
    register(&world, tenant.id, "shop").await;
    let forms = |answer: &crate::browser::Answer| {
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        let mut parts = policy.split("; ");
        let forms = parts.find(|part| part.starts_with("form-action"));
        forms.unwrap().to_owned()
    };
    let mut browser = world.browser();
    let page = browser.open(&address("", Some("shop"), BACK)).await;
    assert_eq!(forms(&page), "form-action 'self' https://app.example.org");
    page.assert_says("You then go on to Shop.");
    let fields = [("user_name", "ada"), ("password", "not the password 99")];
    let wrong = browser.submit(&page, "/t/acme/sign-in", &fields).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert_eq!(forms(&wrong), "form-action 'self' https://app.example.org");
    for address in [
        "/t/acme/sign-in".to_owned(),
        address("", Some("shop"), "/t/acme/account"),
    ] {
        let page = world.browser().open(&address).await;
        assert_eq!(forms(&page), "form-action 'self'", "{address}");
    }
}

/// Two sign-ins of one browser do not get each other's way back.
#[tokio::test]
async fn a_sign_in_begun_for_one_page_is_not_shown_for_another() {
    let (world, tenant) = World::acme().await;
    register(&world, tenant.id, "shop").await;
    let mut browser = world.browser();
    browser.open(&address("", Some("shop"), BACK)).await;
    let plain = browser.open("/t/acme/sign-in").await;
    let fields = [("user_name", "ada"), ("password", PASSWORD)];
    let answer = browser.submit(&plain, "/t/acme/sign-in", &fields).await;
    assert_eq!(answer.location().as_deref(), Some("/t/acme/account"));
}
