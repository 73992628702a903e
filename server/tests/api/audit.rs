//! `/api/v1/tenants/{tenant}/audit-events`: what was done, by whom, from where.

use serde_json::{Value, json};

use crate::support::{PASSWORD, Town, World, on_each_storage, redacted, town};

const EVENTS: &str = "/api/v1/tenants/home/audit-events";

on_each_storage!(
    g1_every_change_is_recorded_once_with_actor_and_client,
    g1_sign_in_failure_and_sign_out_are_recorded_without_secrets,
    events_are_filtered,
    a_tenants_events_are_its_own,
);

async fn events(world: &World, town: &Town, query: &str) -> Vec<Value> {
    let call = world
        .get(format!("{EVENTS}?{query}"))
        .bearer(&town.mayor_token);
    let listed = call.send().await.expect(200).json();
    listed["items"].as_array().unwrap().clone()
}

async fn g1_every_change_is_recorded_once_with_actor_and_client(world: &World) {
    let town = town(world).await;
    let user = town.citizen.path();
    let home = "/api/v1/tenants/home";
    let lock = json!({"reason": "r"});
    let changes = [
        (
            "user.update",
            world.patch(&user).json(&json!({"display_name": "C"})),
        ),
        ("user.lock", world.put(format!("{user}/lock")).json(&lock)),
        ("user.unlock", world.delete(format!("{user}/lock"))),
        (
            "user.grant",
            world.put(format!("{user}/grants/tenant_administrator")),
        ),
        (
            "user.grant",
            world.delete(format!("{user}/grants/tenant_administrator")),
        ),
        ("session.end", world.delete(format!("{user}/sessions"))),
        (
            "user.create",
            world
                .post(format!("{home}/users"))
                .json(&json!({"user_name": "n"})),
        ),
        (
            "settings.update",
            world.put(format!("{home}/settings")).json(&json!({})),
        ),
        (
            "tenant.update",
            world.patch(home).json(&json!({"display_name": "H"})),
        ),
        (
            "tenant.lock",
            world
                .put(format!("{home}/lock"))
                .json(&json!({"keep_sessions": true})),
        ),
        ("tenant.unlock", world.delete(format!("{home}/lock"))),
        ("user.delete", world.delete(&user)),
    ];
    for (action, call) in changes {
        world.pass(std::time::Duration::from_millis(1));
        let before = events(world, &town, "limit=200").await.len();
        let call = call
            .header("user-agent", "test agent")
            .at_peer("203.0.113.7");
        let done = call.bearer(&town.root_token).send().await;
        assert!(done.status.is_success(), "{done}");
        let after = events(world, &town, "limit=200").await;
        assert_eq!(after.len(), before + 1, "{action}");
        let event = &after[0];
        assert_eq!(event["action"], action);
        assert_eq!(event["outcome"], "success");
        assert_eq!(event["actor"]["kind"], "user");
        assert_eq!(event["actor"]["id"], town.root.id.to_string());
        assert_eq!(event["actor"]["tenant"], town.root.tenant.to_string());
        assert_eq!(event["address"], "203.0.113.7");
        assert_eq!(event["user_agent"], "test agent");
        assert_eq!(event["request_id"].as_str(), done.header("x-request-id"));
    }
}

/// v5.0.0-16.3.1.
async fn g1_sign_in_failure_and_sign_out_are_recorded_without_secrets(world: &World) {
    let town = town(world).await;
    let ada = world.person_with_password("home", "ada").await;
    world.pass(std::time::Duration::from_millis(1));
    world.sign_in(&ada, "not the password 99").await.expect(401);
    world.pass(std::time::Duration::from_millis(1));
    let token = world.token(&ada, PASSWORD).await;
    world.pass(std::time::Duration::from_millis(1));
    let out = world.delete("/api/v1/session").bearer(&token).send().await;
    out.expect(204);
    let all = events(world, &town, "").await;
    let told: Vec<_> = all
        .iter()
        .take(4)
        .map(|event| {
            let part = |name: &str| event[name].as_str().unwrap_or("-").to_owned();
            format!("{} {} {}", part("action"), part("outcome"), part("reason"))
        })
        .collect();
    assert_eq!(told[0], "session.end success -");
    assert_eq!(told[3], "session.start refused wrong_password");
    let mut middle = told[1..3].to_vec();
    middle.sort();
    assert_eq!(
        middle,
        ["session.prove success -", "session.start success -"]
    );
    assert_eq!(
        redacted(all[3].clone()),
        json!({
            "id": "<id>", "at": "<time>", "actor": {"kind": "anonymous"}, "action": "session.start",
            "object_kind": "session", "object_id": "<id>", "outcome": "refused",
            "reason": "wrong_password",
            "changes": [{"field": "provider", "old": null, "new": "password"}],
            "address": "192.0.2.1", "user_agent": null, "request_id": "<id>",
        })
    );
    let text = serde_json::to_string(&all).unwrap();
    for secret in [PASSWORD, "not the password 99", token.as_str()] {
        assert!(!text.contains(secret));
    }
}

async fn events_are_filtered(world: &World) {
    let town = town(world).await;
    let all = events(world, &town, "limit=200").await;
    world.pass(std::time::Duration::from_millis(1));
    world.lock(&town.citizen).await;
    let locks = events(world, &town, "action=user.lock").await;
    assert_eq!(locks.len(), 1);
    assert_eq!(locks[0]["object_id"], town.citizen.id.to_string());
    let about = events(world, &town, &format!("object={}", town.citizen.id)).await;
    assert!(
        about
            .iter()
            .all(|event| event["object_id"] == town.citizen.id.to_string())
    );
    assert!(about.len() >= 2);
    // From is inclusive, until is not, to the millisecond and below it.
    let at = locks[0]["at"].as_str().unwrap();
    assert_eq!(events(world, &town, &format!("from={at}")).await, locks);
    assert_eq!(
        events(world, &town, &format!("limit=200&until={at}")).await,
        all
    );
    let at: jiff::Timestamp = at.parse().unwrap();
    let just_after = at + jiff::SignedDuration::from_nanos(1);
    assert_eq!(
        events(world, &town, &format!("from={just_after}")).await,
        Vec::<Value>::new()
    );
    assert_eq!(
        events(world, &town, &format!("limit=1&until={just_after}")).await,
        locks
    );
    assert_eq!(
        events(world, &town, &format!("from={just_after}&until={at}")).await,
        Vec::<Value>::new()
    );
    for ugly in ["'", "%25", "user.%25", "%00", "USER.LOCK", "user.lock%20"] {
        let found = events(world, &town, &format!("action={ugly}")).await;
        assert_eq!(found, Vec::<Value>::new(), "{ugly}");
    }
    for wrong in [
        "from=yesterday",
        "until=",
        "from=1",
        "action=a&action=b",
        "actor=x",
    ] {
        let call = world
            .get(format!("{EVENTS}?{wrong}"))
            .bearer(&town.mayor_token);
        call.send().await.expect_problem(400, "invalid_request");
    }
    for extreme in ["-009999-01-02T01:59:59Z", "9999-12-30T22:00:00.999999999Z"] {
        events(world, &town, &format!("from={extreme}")).await;
        events(world, &town, &format!("until={extreme}")).await;
    }
}

async fn a_tenants_events_are_its_own(world: &World) {
    let town = town(world).await;
    world.lock(&town.tourist).await;
    let text = serde_json::to_string(&events(world, &town, "limit=200").await).unwrap();
    assert!(!text.contains(&town.tourist.id.to_string()));
    assert!(!text.contains(&town.stranger.tenant.to_string()));
}
