//! Brute force over HTTP (Q1, S10).

use std::time::Duration;

use serde_json::json;
use tower::ServiceExt as _;

use crate::support::{Browser, PASSWORD, World, flow_path, on_each_storage};

on_each_storage!(
    s10_parallel_wrong_passwords_are_all_counted,
    a_growing_wait_follows_wrong_passwords,
    nobody_locks_out_a_browser_that_is_known,
    what_is_no_try_is_not_counted,
);

const WRONG: &str = "not the password 99";

/// v5.0.0-6.3.1, v5.0.0-15.4.2.
async fn s10_parallel_wrong_passwords_are_all_counted(world: &World) {
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    let mut flows = Vec::new();
    for _ in 0..60 {
        flows.push(world.begin(json!({"tenant": "home"})).await);
    }
    let mut tries = tokio::task::JoinSet::new();
    for (number, flow) in flows.iter().enumerate() {
        let router = world.router.clone();
        let (path, host) = (flow_path(flow), world.host().to_owned());
        tries.spawn(async move {
            let body = json!({
                "provider": "password", "answer": {"user_name": "ada", "password": WRONG},
            });
            let mut request = axum::http::Request::post(path)
                .header("host", host)
                .header("content-type", "application/json")
                .body(axum::body::Body::from(body.to_string()))
                .unwrap();
            // Each from a network of its own.
            let octet = u8::try_from(number).unwrap();
            let peer = std::net::SocketAddr::from(([198, 51, 100, octet], 1));
            request
                .extensions_mut()
                .insert(axum::extract::ConnectInfo(peer));
            router.oneshot(request).await.unwrap().status().as_u16()
        });
    }
    let statuses = tries.join_all().await;
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(401), count(429)), (10, 50), "{statuses:?}");
    // Nor is the right one looked at now.
    let right = world.sign_in(&ada, PASSWORD).await;
    let right = right.expect_problem(429, "too_many_requests");
    assert_eq!(right.header("retry-after"), Some("30"));
}

/// v5.0.0-6.3.1.
async fn a_growing_wait_follows_wrong_passwords(world: &World) {
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    let ben = world.person_with_password("home", "ben").await;
    for _ in 0..10 {
        world
            .sign_in(&ada, WRONG)
            .await
            .expect_problem(401, "sign_in_refused");
    }
    for wait in [30, 60, 120] {
        let limited = world.sign_in(&ada, PASSWORD).await;
        let limited = limited.expect_problem(429, "too_many_requests");
        assert_eq!(
            limited.header("retry-after"),
            Some(wait.to_string().as_str())
        );
        // Others are not held up.
        world.token(&ben, PASSWORD).await;
        world.pass(Duration::from_secs(wait) - Duration::from_millis(1));
        world.sign_in(&ada, PASSWORD).await.expect(429);
        world.pass(Duration::from_millis(1));
        world.sign_in(&ada, WRONG).await.expect(401);
    }
    world.pass(Duration::from_secs(240));
    world.token(&ada, PASSWORD).await;
    // The right one begins the count anew.
    for _ in 0..10 {
        world.sign_in(&ada, WRONG).await.expect(401);
    }
    world.sign_in(&ada, WRONG).await.expect(429);
}

async fn nobody_locks_out_a_browser_that_is_known(world: &World) {
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    let mut browser = Browser::new(world);
    browser.sign_in(&ada, PASSWORD).await;
    for _ in 0..11 {
        world.sign_in(&ada, WRONG).await;
    }
    world.sign_in(&ada, PASSWORD).await.expect(429);
    browser.sign_in(&ada, PASSWORD).await;
    // Its own lane has a limit too.
    let flow = browser.begin("home").await;
    let mut statuses = Vec::new();
    for _ in 0..11 {
        statuses.push(browser.enter(&flow, &ada, WRONG).await.status.as_u16());
    }
    assert_eq!(statuses[9..], [401, 429]);
    // Its right answer freed the way for others too, until wrong ones come again.
    for _ in 0..10 {
        world.sign_in(&ada, WRONG).await.expect(401);
    }
    // A note that is made up, or another account's, is no lane.
    let ben = world.person_with_password("home", "ben").await;
    let mut other = Browser::new(world);
    other.sign_in(&ben, PASSWORD).await;
    for note in [
        other.cookies["gl-device"].clone(),
        "A".repeat(200),
        String::new(),
    ] {
        let mut thief = Browser::new(world);
        thief.cookies.insert("gl-device".to_owned(), note);
        let flow = thief.begin("home").await;
        thief.enter(&flow, &ada, PASSWORD).await.expect(429);
    }
}

async fn what_is_no_try_is_not_counted(world: &World) {
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    let flow = world.begin(json!({"tenant": "home"})).await;
    for _ in 0..12 {
        world.enter(&flow, &ada.name, "").await.expect(422);
        world
            .enter(&flow, &ada.name, &"x".repeat(2_000))
            .await
            .expect(422);
    }
    world.enter(&flow, &ada.name, PASSWORD).await.expect(200);
}

async fn begin_many(world: &World, peer: &str) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let call = world.post("/api/v1/sign-in/flows").at_peer(peer);
        let answer = call.json(&json!({"transport": "token"})).send().await;
        statuses.push(answer.status.as_u16());
    }
    statuses
}

#[tokio::test]
async fn a_network_begins_so_many_flows_a_minute() {
    let world = World::with(|config| config.limits.flows_per_network_per_minute = 3).await;
    assert_eq!(begin_many(&world, "192.0.2.7").await, [201, 201, 201, 429]);
    assert_eq!(begin_many(&world, "192.0.2.8").await, [201, 201, 201, 429]);
    world.pass(Duration::from_secs(60));
    assert_eq!(begin_many(&world, "192.0.2.7").await, [201, 201, 201, 429]);
}

/// NIST SP 800-63B-4 section 3.2.2: after a hundred in a row, nothing more is
/// tried until somebody steps in.
#[tokio::test]
async fn after_a_hundred_wrong_passwords_an_administrator_must_help() {
    let world = World::with(|config| config.limits.disable_after = 12).await;
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    for _ in 0..12 {
        world.sign_in(&ada, WRONG).await.expect(401);
        world.pass(Duration::from_secs(4_000));
    }
    world.sign_in(&ada, PASSWORD).await.expect(429);
    world.pass(Duration::from_secs(400_000));
    world.sign_in(&ada, PASSWORD).await.expect(429);
}
