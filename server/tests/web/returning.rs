use axum::http::StatusCode;

use crate::{
    browser::Browser,
    world::{PASSWORD, World},
};

async fn sign_in_from(browser: &mut Browser, address: &str) -> Option<String> {
    let page = browser.get(address).await;
    if page.status != StatusCode::OK {
        return None;
    }
    let fields = [("user_name", "ada"), ("password", PASSWORD)];
    browser
        .submit(&page, "/t/acme/sign-in", &fields)
        .await
        .location()
}

#[tokio::test]
async fn a_protected_page_is_returned_to_after_the_sign_in() {
    let (world, tenant) = World::acme().await;
    for path in [
        "/t/acme/account".to_owned(),
        "/t/acme/console".to_owned(),
        format!("/t/acme/console/tenants/{}/users?q=a%26b", tenant.id),
    ] {
        let mut browser = world.browser();
        let away = browser.get(&path).await.location().unwrap();
        assert!(
            away.starts_with("/t/acme/sign-in?return_to=%2Ft%2Facme%2F"),
            "{away}"
        );
        let back = sign_in_from(&mut browser, &away).await.unwrap();
        assert_eq!(back, path);
    }
}

/// S28: nothing that could lead elsewhere is returned to, signed in before or not.
#[tokio::test]
async fn s28_nobody_is_sent_to_another_site() {
    let (world, _) = World::acme().await;
    let signed_in = world.signed_in("acme", "ada").await;
    for evil in [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "https:evil.example",
        "HTTPS://evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "/\t/evil.example",
        "/%09/evil.example",
        "/%2f%2fevil.example",
        "/%5cevil.example",
        "/%252f%252fevil.example",
        "/..//evil.example",
        "/.//evil.example",
        "/a\r\nSet-Cookie: x=y",
        "@evil.example",
        "http://localhost:8080@evil.example/",
        "http://localhost:8080.evil.example/",
        "evil.example",
        "?//evil.example",
        "#//evil.example",
    ] {
        let mut address = url::form_urlencoded::Serializer::new(String::new());
        address.append_pair("return_to", evil);
        let address = format!("/t/acme/sign-in?{}", address.finish());
        let fresh = sign_in_from(&mut world.browser(), &address).await;
        let before = signed_in.clone().get(&address).await.location();
        for to in fresh.into_iter().chain(before) {
            let base = url::Url::parse("http://localhost:8080/").unwrap();
            let joined = base.join(&to).unwrap();
            assert_eq!(joined.origin(), base.origin(), "{evil} led to {to}");
            assert!(
                !to.starts_with("//") && !to.contains('\\'),
                "{evil} led to {to}"
            );
        }
    }
}
