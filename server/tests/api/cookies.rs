//! Cookies: their names, what is refused, several tenants in one browser.

use axum::http::Method;
use serde_json::json;

use crate::support::{Browser, PASSWORD, Person, World, on_each_storage};

const SESSION: &str = "/api/v1/session";

on_each_storage!(
    one_browser_is_signed_in_to_several_tenants,
    signing_in_again_ends_the_session_before,
    a_cookie_that_came_twice_is_refused,
    other_cookies_do_not_hide_ours,
    a_browser_keeps_few_open_flows,
);

async fn people(world: &World) -> [Person; 2] {
    for tenant in ["home", "away"] {
        world.tenant(tenant).await;
    }
    [
        world.person_with_password("home", "ada").await,
        world.person_with_password("away", "ada").await,
    ]
}

async fn tenant_of(browser: &mut Browser<'_>) -> String {
    let read = browser.get(SESSION).await.expect(200).json();
    read["tenant"]["name"].as_str().unwrap().to_owned()
}

async fn one_browser_is_signed_in_to_several_tenants(world: &World) {
    let [home, away] = people(world).await;
    let mut browser = Browser::new(world);
    browser.sign_in(&home, PASSWORD).await;
    assert_eq!(tenant_of(&mut browser).await, "home");
    browser.sign_in(&away, PASSWORD).await;
    assert_eq!(browser.named("gl-session-").len(), 2);
    // The last sign-in is the current one; its sign-out leaves the other.
    assert_eq!(tenant_of(&mut browser).await, "away");
    browser.delete(SESSION).await.expect(204);
    assert_eq!(tenant_of(&mut browser).await, "home");
    browser.delete(SESSION).await.expect(204);
    browser.get(SESSION).await.expect(401);
}

/// v5.0.0-7.2.4.
async fn signing_in_again_ends_the_session_before(world: &World) {
    let [home, away] = people(world).await;
    let mut browser = Browser::new(world);
    browser.sign_in(&away, PASSWORD).await;
    browser.sign_in(&home, PASSWORD).await;
    let before = browser.clone();
    browser.sign_in(&home, PASSWORD).await;
    let old = before.named("gl-session-");
    let mut kept = 0;
    for (_, token) in old {
        kept += usize::from(world.accepts(token).await);
    }
    assert_eq!(kept, 1, "the other tenant's goes on");
    assert_eq!(tenant_of(&mut browser).await, "home");
}

/// v5.0.0-15.3.7.
async fn a_cookie_that_came_twice_is_refused(world: &World) {
    let [home, _] = people(world).await;
    let mut browser = Browser::new(world);
    browser.sign_in(&home, PASSWORD).await;
    let (name, value) = browser.named("gl-session-")[0];
    for line in [
        format!("{name}={value}; {name}={value}"),
        format!("{name}=planted; {name}={value}"),
        format!("{name}={value}; x=1; gl-device=a; gl-device=b"),
        format!("{name}={value};gl-current=a;gl-current=a"),
    ] {
        let call = world.get(SESSION).header("cookie", &line);
        call.send().await.expect_problem(400, "duplicate_cookie");
    }
    let two_lines = world
        .get(SESSION)
        .header("cookie", format!("{name}={value}"));
    let two_lines = two_lines.header("cookie", format!("{name}=planted"));
    two_lines
        .send()
        .await
        .expect_problem(400, "duplicate_cookie");
    // Others' may repeat.
    let others = world
        .get(SESSION)
        .header("cookie", format!("a=1; a=2; {name}={value}"));
    others.send().await.expect(200);
}

async fn other_cookies_do_not_hide_ours(world: &World) {
    let [home, _] = people(world).await;
    let mut browser = Browser::new(world);
    browser.sign_in(&home, PASSWORD).await;
    let (name, value) = browser.named("gl-session-")[0];
    for beside in [
        "name=Jos\u{e9}",
        "odd",
        "=",
        "a=\u{1F600}",
        "  ",
        "x=\"a,b\"",
        "y=\u{fffd}",
    ] {
        for line in [
            format!("{beside}; {name}={value}"),
            format!("{name}={value}; {beside}"),
        ] {
            let call = world.get(SESSION).header("cookie", &line);
            call.send().await.expect(200);
        }
    }
    for ugly in [
        "gl-session-=x",
        "gl-session-zz=\u{e9}",
        "gl-flow-=",
        "gl-current=\"",
        "gl-=1",
    ] {
        let call = world.get(SESSION).header("cookie", ugly);
        call.send().await.expect_problem(401, "unauthenticated");
    }
}

async fn a_browser_keeps_few_open_flows(world: &World) {
    people(world).await;
    let mut browser = Browser::new(world);
    let mut flows = Vec::new();
    for _ in 0..8 {
        flows.push(browser.begin("home").await);
        world.pass(std::time::Duration::from_millis(5));
    }
    assert_eq!(browser.named("gl-flow-").len(), 6);
    for (number, flow) in flows.iter().enumerate() {
        let expected = if number < 2 { 404 } else { 200 };
        browser.get(flow).await.expect(expected);
    }
}

/// On https every cookie is `__Host-`, Secure; one without the prefix counts
/// for nothing (the browser of these tests checks each that is set).
/// v5.0.0-3.3.1, v5.0.0-3.3.2, v5.0.0-3.3.3, v5.0.0-3.3.4, v5.0.0-3.4.1.
#[tokio::test]
async fn on_https_only_host_bound_cookies_count() {
    let world = World::with(|config| {
        config.server.origin = Some("https://id.example.org".parse().unwrap());
    })
    .await;
    let [home, _] = people(&world).await;
    let mut browser = Browser::new(&world);
    let done = browser.sign_in(&home, PASSWORD).await;
    let hsts = done.header("strict-transport-security");
    assert_eq!(hsts, Some("max-age=63072000; includeSubDomains"));
    assert_eq!(tenant_of(&mut browser).await, "home");
    assert!(
        browser
            .cookies
            .keys()
            .all(|name| name.starts_with("__Host-gl-"))
    );

    let (name, value) = browser.named("__Host-gl-session-")[0];
    let bare = name.strip_prefix("__Host-").unwrap();
    for line in [format!("{bare}={value}"), format!("__host-{bare}={value}")] {
        let call = world.get(SESSION).header("cookie", line);
        call.send().await.expect_problem(401, "unauthenticated");
    }
    // What a sibling domain plants beside ours changes nothing.
    let planted = format!("{bare}=planted; {name}={value}");
    world
        .get(SESSION)
        .header("cookie", planted)
        .send()
        .await
        .expect(200);
    let body = json!({"transport": "cookie", "tenant": "home"});
    let plain = world
        .call(Method::POST, "/api/v1/sign-in/flows")
        .json(&body);
    let plain = plain.header("origin", "http://id.example.org");
    plain.send().await.expect_problem(403, "origin_not_allowed");
}

#[tokio::test]
async fn on_loopback_there_is_no_hsts() {
    let world = World::in_memory().await;
    let answer = world.get("/healthz").send().await.expect(200);
    assert_eq!(answer.header("strict-transport-security"), None);
}
