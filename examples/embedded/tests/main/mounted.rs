//! Gatelodge's pages below the application's router.

use axum::{
    Router,
    http::{StatusCode, header},
    routing::get,
};
use gatelodge_server::{Gatelodge, extractors::SignedIn};

use crate::club::{ADDRESS, Club};

#[tokio::test]
async fn sign_in_account_and_console_work() {
    let club = Club::new().await;
    let mut browser = club.browser();
    let page = browser.open("/account").await;
    let answer = browser.sign_in(&page, "ada").await;
    assert_eq!(answer.location().unwrap(), "/account");
    let account = browser.open("/account").await;
    assert_eq!(account.status, StatusCode::OK);
    assert!(account.body.contains("Ada Oar"), "{}", account.body);
    // The way home is the application's.
    assert!(account.body.contains("class=\"brand\" href=\"&#x2f;\""));
    let console = browser.open("/console").await;
    assert_eq!(console.status, StatusCode::OK);
    assert!(console.body.contains("bob"), "{}", console.body);
    let description = browser.fetch("/openapi.json").await;
    assert_eq!(description.status, StatusCode::OK);
}

#[tokio::test]
async fn every_style_sheet_of_both_is_there() {
    let club = Club::new().await;
    let mut browser = club.browser();
    for path in ["/", "/sign-in"] {
        let page = browser.get(path).await;
        let links = page.body.split("<link rel=\"stylesheet\" href=\"").skip(1);
        let sheets: Vec<String> = links
            .map(|link| link.split('"').next().unwrap().replace("&#x2f;", "/"))
            .collect();
        assert_eq!(sheets.len(), 2, "{path}");
        for sheet in sheets {
            let answer = browser.fetch(&sheet).await;
            assert_eq!(answer.status, StatusCode::OK, "{sheet}");
            assert_eq!(answer.headers["content-type"], "text/css; charset=utf-8");
        }
    }
}

#[tokio::test]
async fn signing_out_on_a_page_of_the_application_ends_the_session() {
    let club = Club::new().await;
    let mut browser = club.signed_in("bob").await;
    let page = browser.get("/log").await;
    let answer = browser.submit(&page, "/sign-out", &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(browser.get("/log").await.location().is_some());
}

#[tokio::test]
async fn an_unknown_address_gets_a_page() {
    let club = Club::new().await;
    let answer = club.browser().get("/nowhere").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.body.starts_with("<!doctype html>"));
}

#[tokio::test]
async fn the_guard_adds_headers_and_leaves_those_that_are_there() {
    let club = Club::new().await;
    let answer = club.browser().get("/").await;
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert!(answer.headers.contains_key("x-request-id"));

    let own = [
        (header::CONTENT_SECURITY_POLICY, "script-src 'self'"),
        (header::CACHE_CONTROL, "max-age=60"),
    ];
    let answered = own.clone();
    let handler = get(move || async move { (answered, "own") });
    let routes = Router::new().route("/scripted", handler);
    let mut browser = club.browser();
    browser.router = club.gatelodge.guard(routes);
    let answer = browser.get("/scripted").await;
    for (name, value) in own {
        assert_eq!(answer.headers[name], value);
    }
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn a_page_below_a_nested_router_is_come_back_to() {
    let club = Club::new().await;
    let inner = Router::new().route("/deep", get(|_: SignedIn| async { "in" }));
    let outer = Router::new()
        .nest("/office", inner)
        .with_state(club.gatelodge.clone());
    let mut browser = club.browser();
    browser.router = outer;
    let sent = browser.get("/office/deep?a=1").await;
    let to = "/sign-in?return_to=%2Foffice%2Fdeep%3Fa%3D1";
    assert_eq!(sent.location().unwrap(), to);
}

#[tokio::test]
async fn an_application_may_open_the_platform_itself() {
    let club = Club::new().await;
    let platform = club.gatelodge.platform().clone();
    let gatelodge = Gatelodge::with_platform(platform, &club.loaded(), ADDRESS).unwrap();
    let mut browser = club.signed_in("bob").await;
    browser.router = gatelodge_example_embedded::router(&gatelodge).unwrap();
    assert_eq!(browser.get("/log").await.status, StatusCode::OK);
}
