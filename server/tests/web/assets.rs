use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
    response::Response,
};
use tower::ServiceExt as _;

use crate::world::World;

async fn get(world: &World, path: &str, etag: Option<&str>) -> Response {
    let mut request = Request::builder()
        .uri(path)
        .header(header::HOST, "localhost:8080");
    if let Some(etag) = etag {
        request = request.header(header::IF_NONE_MATCH, etag);
    }
    let request = request.body(Body::empty()).unwrap();
    world.router.clone().oneshot(request).await.unwrap()
}

#[tokio::test]
async fn what_a_page_loads_is_there_and_may_be_kept() {
    let world = World::new().await;
    world.tenant("acme").await;
    let page = world.browser().get("/t/acme/sign-in").await;
    let mut loaded = 0;
    for link in page.body.split("<link ").skip(1) {
        let (_, rest) = link.split_once("href=\"").unwrap();
        let path = rest.split('"').next().unwrap().replace("&#x2f;", "/");
        let answer = get(&world, &path, None).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let kept = answer.headers()[header::CACHE_CONTROL].to_str().unwrap();
        assert!(kept.contains("immutable"), "{path}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        loaded += 1;
    }
    assert_eq!(loaded, 3);
}

#[tokio::test]
async fn the_same_content_is_not_sent_twice() {
    let world = World::new().await;
    let first = get(&world, "/assets/app.css", None).await;
    assert_eq!(
        first.headers()[header::CONTENT_TYPE],
        "text/css; charset=utf-8"
    );
    let etag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
    let again = get(&world, "/assets/app.css", Some(&etag)).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(again.headers()[header::ETAG], etag.as_str());
    let body = to_bytes(again.into_body(), 1_000).await.unwrap();
    assert!(body.is_empty());
}

/// S46: no address leads out of the folder, however it is written.
#[tokio::test]
async fn s46_nothing_else_is_served_from_the_folder() {
    let world = World::new().await;
    for path in [
        "/assets/",
        "/assets/none.css",
        "/assets/../Cargo.toml",
        "/assets/%2e%2e/a",
        "/assets/..%2f..%2fCargo.toml",
        "/assets/%2e%2e%2f%2e%2e%2fCargo.toml",
        "/assets/%252e%252e%252fCargo.toml",
        "/assets/..%5c..%5cCargo.toml",
        "/assets/....//Cargo.toml",
        "/assets//etc/passwd",
        "/assets/%2fetc%2fpasswd",
        "/assets/app.css%00.png",
        "/assets/app.css/../../Cargo.toml",
        "/assets/./app.css",
        "/assets/APP.css",
    ] {
        let answer = get(&world, path, None).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
}
