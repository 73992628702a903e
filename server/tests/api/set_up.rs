//! `POST /api/v1/setup`: the first administrator.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, World, on_each_storage, redacted};

const SETUP: &str = "/api/v1/setup";

on_each_storage!(
    s04_the_link_makes_the_administrator_once,
    s04_s06_a_wrong_an_older_and_a_late_token_are_not_found,
    a_bad_value_is_named_and_uses_nothing_up,
    s18_of_racing_set_ups_one_wins,
    nobody_is_there_before_the_set_up,
);

fn body(token: &str) -> Value {
    json!({"token": token, "tenant": "lodge", "user_name": "ada", "password": PASSWORD})
}

async fn prepared(world: &World) -> String {
    let token = world.platform.set_up().prepare().await.unwrap().unwrap();
    token.expose().to_owned()
}

/// v5.0.0-2.3.4.
async fn s04_the_link_makes_the_administrator_once(world: &World) {
    let token = prepared(world).await;
    let made = world
        .post(SETUP)
        .json(&body(&token))
        .send()
        .await
        .expect(201);
    let (mut tenant, mut user) = (made.json()["tenant"].clone(), made.json()["user"].clone());
    assert_eq!(redacted(tenant.take())["name"], "lodge");
    let expected = json!({
        "id": "<id>", "tenant": "<id>", "user_name": "ada", "display_name": "ada", "email": null,
        "email_verified": false, "active": true, "lock": null, "must_change": null,
        "created_at": "<time>", "version": 1,
    });
    assert_eq!(redacted(user.take()), expected);
    for token in [token.as_str(), "", "wrong"] {
        let again = world.post(SETUP).json(&body(token)).send().await;
        again.expect_problem(404, "not_found");
    }
    assert!(world.platform.set_up().prepare().await.unwrap().is_none());

    let ada = Person {
        tenant: made.json()["tenant"]["id"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap(),
        tenant_name: "lodge".to_owned(),
        id: made.json()["user"]["id"].as_str().unwrap().parse().unwrap(),
        name: "ada".to_owned(),
    };
    let session = world.token(&ada, PASSWORD).await;
    let read = world
        .get(ada.path())
        .bearer(&session)
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(
        read["grants"],
        json!(["platform_administrator", "tenant_administrator"])
    );
    let tenant = world.post("/api/v1/tenants").bearer(&session);
    tenant
        .json(&json!({"name": "second"}))
        .send()
        .await
        .expect(201);
}

async fn s04_s06_a_wrong_an_older_and_a_late_token_are_not_found(world: &World) {
    let before_any = world.post(SETUP).json(&body("")).send().await;
    before_any.expect_problem(404, "not_found");
    let old = prepared(world).await;
    let token = prepared(world).await;
    for wrong in [
        old.as_str(),
        "",
        &token[1..],
        &format!("{token}A"),
        &token.to_lowercase(),
        &format!(" {token}"),
        &"A".repeat(100_000),
    ] {
        let answer = world.post(SETUP).json(&body(wrong)).send().await;
        answer.expect_problem(404, "not_found");
    }
    world.pass(Duration::from_secs(24 * 60 * 60));
    let late = world.post(SETUP).json(&body(&token)).send().await;
    late.expect_problem(404, "not_found");
    let fresh = prepared(world).await;
    world.pass(Duration::from_secs(24 * 60 * 60 - 1));
    world
        .post(SETUP)
        .json(&body(&fresh))
        .send()
        .await
        .expect(201);
}

async fn a_bad_value_is_named_and_uses_nothing_up(world: &World) {
    let token = prepared(world).await;
    for (field, value) in [
        ("password", "short"),
        ("password", "lodgelodgelodgelodge"),
        ("password", ""),
        ("tenant", ""),
        ("tenant", "a/b"),
        ("tenant", "x\u{202e}y"),
        ("user_name", ""),
        ("user_name", " ada"),
    ] {
        let mut body = body(&token);
        body[field] = value.into();
        let answer = world.post(SETUP).json(&body).send().await;
        let answer = answer.expect_problem(422, "validation_failed");
        assert_eq!(answer.fields(), [field]);
        assert!(!answer.text().contains(&token));
    }
    for missing in ["token", "tenant", "user_name", "password"] {
        let mut body = body(&token);
        body.as_object_mut().unwrap().remove(missing);
        let answer = world.post(SETUP).json(&body).send().await;
        let answer = answer.expect_problem(400, "invalid_request");
        assert!(answer.text().contains(missing));
    }
    world
        .post(SETUP)
        .json(&body(&token))
        .send()
        .await
        .expect(201);
}

async fn s18_of_racing_set_ups_one_wins(world: &World) {
    let token = prepared(world).await;
    let set_up = || world.post(SETUP).json(&body(&token)).send();
    let answers = tokio::join!(set_up(), set_up(), set_up(), set_up());
    let mut statuses = [answers.0, answers.1, answers.2, answers.3].map(|a| a.status.as_u16());
    statuses.sort();
    assert_eq!(statuses, [201, 404, 404, 404]);
}

/// v5.0.0-6.3.2: a fresh installation has no account that anybody knows.
async fn nobody_is_there_before_the_set_up(world: &World) {
    prepared(world).await;
    for name in [
        "admin",
        "administrator",
        "root",
        "gatelodge",
        "user",
        "demo",
    ] {
        for password in ["", "admin", "password", "gatelodge", "changeme", name] {
            let flow = world.begin(json!({})).await;
            let answer = world.enter(&flow, name, password).await;
            assert!(
                matches!(answer.status.as_u16(), 401 | 422 | 429),
                "{answer}"
            );
        }
    }
    let users = world.get("/api/v1/tenants").send().await;
    users.expect_problem(401, "unauthenticated");
}

/// Wrong tokens are counted like wrong passwords.
#[tokio::test]
async fn guessing_the_token_is_slowed_down() {
    let world = World::with(|config| config.limits.network_free_tries = 5).await;
    let token = prepared(&world).await;
    let mut statuses = Vec::new();
    for _ in 0..6 {
        let answer = world.post(SETUP).json(&body("wrong")).send().await;
        statuses.push(answer.status.as_u16());
    }
    assert_eq!(statuses, [404, 404, 404, 404, 404, 429]);
    let limited = world.post(SETUP).json(&body(&token)).send().await;
    limited.expect_problem(429, "too_many_requests");
    let elsewhere = world
        .post(SETUP)
        .json(&body(&token))
        .at_peer("198.51.100.1");
    elsewhere.send().await.expect(201);
}
