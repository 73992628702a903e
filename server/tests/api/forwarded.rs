//! S08 and S09: headers about where a request comes from or goes to change a
//! decision only where a trusted proxy wrote them.

use gatelodge_server::config::Config;
use serde_json::{Value, json};

use crate::support::{World, flow_path, on_each_storage, town};

on_each_storage!(
    s08_forwarding_headers_mean_nothing_without_a_trusted_proxy,
    s09_rotating_headers_do_not_get_around_the_limit,
    s09_addresses_of_one_ipv6_network_share_a_limit,
    s08_behind_a_trusted_proxy_its_own_word_counts,
    s07_a_foreign_host_is_misdirected,
);

const HEADERS: [&str; 9] = [
    "x-forwarded-for",
    "x-real-ip",
    "forwarded",
    "x-client-ip",
    "cf-connecting-ip",
    "true-client-ip",
    "x-cluster-client-ip",
    "x-forwarded-host",
    "x-forwarded-proto",
];

async fn address_of_last_event(world: &World, token: &str) -> Value {
    let list = world
        .get("/api/v1/tenants/home/audit-events?limit=1")
        .bearer(token);
    list.send().await.expect(200).json()["items"][0]["address"].take()
}

/// S08: nothing that a client writes moves the address that is recorded, nor a decision.
/// v5.0.0-4.1.3.
async fn s08_forwarding_headers_mean_nothing_without_a_trusted_proxy(world: &World) {
    let town = town(world).await;
    let values = [
        "127.0.0.1",
        "10.0.0.1",
        "::1",
        "not an address",
        "",
        ",,,",
        "127.0.0.1, 10.0.0.1",
        "for=127.0.0.1;host=evil.example;proto=https",
        "evil.example",
        "https",
        "\u{ff}",
    ];
    for header in HEADERS {
        for value in values {
            world.pass(std::time::Duration::from_millis(1));
            let grant = format!("{}/grants/tenant_administrator", town.citizen.path());
            let call = world
                .put(&grant)
                .bearer(&town.mayor_token)
                .header(header, value);
            call.at_peer("203.0.113.9").send().await.expect(200);
            let found = address_of_last_event(world, &town.mayor_token).await;
            assert_eq!(found, "203.0.113.9", "{header}: {value}");
            world
                .delete(&grant)
                .bearer(&town.mayor_token)
                .send()
                .await
                .expect(200);
            // And it opens nothing.
            let call = world.get("/api/v1/tenants").header(header, value);
            call.send().await.expect_problem(401, "unauthenticated");
        }
    }
}

/// S09: whoever changes these headers at each try is limited all the same.
async fn s09_rotating_headers_do_not_get_around_the_limit(world: &World) {
    let few = |config: &mut Config| config.limits.network_free_tries = 20;
    let world = world.another_with(few).await;
    world.tenant("home").await;
    let mut limited = 0;
    for number in 0..60 {
        let flow = world.begin(json!({"tenant": "home"})).await;
        let answer =
            json!({"user_name": format!("user {number}"), "password": "not the password 99"});
        let body = json!({"provider": "password", "answer": answer});
        let mut call = world.post(flow_path(&flow)).json(&body);
        for header in HEADERS {
            call = call.header(header, format!("198.51.100.{number}"));
        }
        let answer = call.send().await;
        limited += usize::from(answer.status == 429);
    }
    assert_eq!(limited, 40);
}

/// S09: one subscriber's IPv6 network is one network.
async fn s09_addresses_of_one_ipv6_network_share_a_limit(world: &World) {
    let few = |config: &mut Config| config.limits.network_free_tries = 20;
    let world = world.another_with(few).await;
    world.tenant("home").await;
    let flow = world.begin(json!({"tenant": "home"})).await;
    let mut statuses = Vec::new();
    for number in 0..25 {
        let answer =
            json!({"user_name": format!("user {number}"), "password": "not the password 99"});
        let body = json!({"provider": "password", "answer": answer});
        let call = world.post(flow_path(&flow)).json(&body);
        let call = call.at_peer(&format!("2001:db8:0:1:{number:x}::{number:x}"));
        statuses.push(call.send().await.status.as_u16());
    }
    assert_eq!(
        statuses.iter().filter(|status| **status == 429).count(),
        5,
        "{statuses:?}"
    );
    let answer = json!({"user_name": "x", "password": "not the password 99"});
    let body = json!({"provider": "password", "answer": answer});
    let elsewhere = world
        .post(flow_path(&flow))
        .json(&body)
        .at_peer("2001:db8:0:2::1");
    elsewhere
        .send()
        .await
        .expect_problem(401, "sign_in_refused");
}

/// Behind a trusted proxy the last hop that it did not write itself counts.
/// v5.0.0-15.3.4.
async fn s08_behind_a_trusted_proxy_its_own_word_counts(world: &World) {
    let behind = |config: &mut Config| {
        config.server.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    };
    let world = world.another_with(behind).await;
    let town = town(&world).await;
    for (peer, forwarded, expected) in [
        ("10.1.2.3", "203.0.113.5", "203.0.113.5"),
        ("10.1.2.3", "1.1.1.1, 203.0.113.5", "203.0.113.5"),
        ("10.1.2.3", "203.0.113.5, 10.9.9.9", "203.0.113.5"),
        ("10.1.2.3", "127.0.0.1, nonsense", "10.1.2.3"),
        ("10.1.2.3", "", "10.1.2.3"),
        ("192.0.2.99", "203.0.113.5", "192.0.2.99"),
    ] {
        world.pass(std::time::Duration::from_millis(1));
        let grant = format!("{}/grants/tenant_administrator", town.citizen.path());
        let call = world.put(&grant).bearer(&town.mayor_token);
        let call = call.at_peer(peer).header("x-forwarded-for", forwarded);
        call.send().await.expect(200);
        let found = address_of_last_event(&world, &town.mayor_token).await;
        assert_eq!(found, expected, "{peer} {forwarded}");
        world
            .delete(&grant)
            .bearer(&town.mayor_token)
            .send()
            .await
            .expect(200);
    }
}

/// S07: the host is the configured one, whatever a request says.
async fn s07_a_foreign_host_is_misdirected(world: &World) {
    for host in [
        "evil.example",
        "localhost",
        "localhost:80",
        "localhost:08080",
        "localhost:8080.evil.example",
        "localhost:8080@evil.example",
        "user@localhost:8080",
        "127.0.0.1",
        "[::1]:80",
        "",
        "localhost:8080, evil.example",
        "localhost.:8080",
        "localhost:8080/",
        "xn--lcalhost-0ya:8080",
    ] {
        for path in ["/api/v1/session", "/openapi.json"] {
            let answer = world.get(path).host(host).send().await;
            answer.expect_problem(421, "misdirected");
        }
        let page = world.get("/sign-in").host(host).send().await.expect(421);
        assert!(!page.text().contains("evil.example"), "{page}");
    }
    let none = world.get("/api/v1/session").without("host").send().await;
    none.expect_problem(421, "misdirected");
    let two = world
        .get("/api/v1/session")
        .header("host", "evil.example")
        .send()
        .await;
    two.expect_problem(421, "misdirected");
    for host in [
        "localhost:8080",
        "127.0.0.1:8080",
        "[::1]:8080",
        "LocalHost:8080",
    ] {
        let answer = world.get("/api/v1/session").host(host).send().await;
        answer.expect_problem(401, "unauthenticated");
    }
    // An absolute address counts like the header, and must agree with it.
    let absolute = world.get("http://evil.example/api/v1/session").send().await;
    assert_eq!(absolute.status.as_u16(), 421, "{absolute}");
    // No forwarding header brings another host in.
    for header in ["x-forwarded-host", "forwarded", "x-host", "x-original-host"] {
        let call = world.get("/sign-in").header(header, "evil.example");
        let page = call.send().await;
        assert!(!page.text().contains("evil.example"), "{page}");
        assert!(
            !format!("{:?}", page.headers).contains("evil.example"),
            "{page}"
        );
    }
}

/// Whoever watches the server knows it by another address than people do.
#[tokio::test]
async fn health_is_told_under_every_host() {
    let world = World::in_memory().await;
    for path in ["/healthz", "/readyz"] {
        for host in ["10.4.0.17:8080", "gatelodge.internal", "localhost:8080"] {
            world.get(path).host(host).send().await.expect(200);
        }
        world.get(path).without("host").send().await.expect(200);
    }
}
