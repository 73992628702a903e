//! S41: a stranger learns nothing from an answer about who has an account, in
//! its status, its body or its headers.

use serde_json::{Value, json};

use crate::support::{Answer, Browser, PASSWORD, World, given, on_each_storage};

on_each_storage!(
    s41_every_refused_sign_in_looks_the_same,
    s41_the_limit_comes_for_unknown_names_too,
    s41_beginning_a_flow_says_nothing_about_accounts,
);

/// One sign-in at `tenant` with the token transport.
async fn enter(world: &World, tenant: &str, name: &str, password: &str) -> Answer {
    let flow = world.begin(json!({"tenant": tenant})).await;
    world.enter(&flow, name, password).await
}

async fn s41_every_refused_sign_in_looks_the_same(world: &World) {
    for tenant in ["home", "shut"] {
        world.tenant(tenant).await;
    }
    let ada = world.person_with_password("home", "ada").await;
    world.person("home", "bare").await;
    let locked = world.person_with_password("home", "locked").await;
    world.lock(&locked).await;
    let idle = world.person_with_password("home", "idle").await;
    let grace = world.person_with_password("shut", "grace").await;
    world.make("home", "fresh", given(PASSWORD, true)).await;
    deactivate(world, &idle).await;
    world.lock_tenant(grace.tenant).await;
    let wrong = "not the password 99";
    let reference = enter(world, "home", "ada", wrong)
        .await
        .expect_problem(401, "sign_in_refused");
    for (tenant, name, password) in [
        ("home", "nobody", wrong),
        ("home", "nobody", PASSWORD),
        ("home", "bare", PASSWORD),
        ("home", "locked", wrong),
        ("home", "locked", PASSWORD),
        ("home", "idle", wrong),
        ("home", "idle", PASSWORD),
        ("home", "fresh", wrong),
        ("home", "grace", PASSWORD),
        ("home", "ada@example.com", PASSWORD),
        ("home", "x\u{0}y", PASSWORD),
        ("shut", "grace", wrong),
        ("shut", "grace", PASSWORD),
        ("shut", "nobody", PASSWORD),
    ] {
        let answer = enter(world, tenant, name, password).await;
        let same = answer.comparable() == reference.comparable();
        assert!(same, "{tenant} {name}: {answer}\n{reference}");
    }
    // Without a tenant, and with the cookie transport.
    let flow = world.begin(json!({})).await;
    for name in ["ada", "nobody", "locked", "grace"] {
        let answer = world.enter(&flow, name, wrong).await;
        assert_eq!(answer.comparable(), reference.comparable(), "{name}");
    }
    let mut browser = Browser::new(world);
    let flow = browser.begin("home").await;
    for person in [&ada, &locked, &idle, &grace] {
        let answer = browser.enter(&flow, person, wrong).await;
        assert_eq!(
            answer.comparable(),
            reference.comparable(),
            "{}",
            person.name
        );
    }
}

async fn deactivate(world: &World, person: &crate::support::Person) {
    let root = world.person("home", "someone").await;
    let grant = gatelodge_core::model::Grant::TenantAdministrator;
    world.grant(&root, grant).await;
    let token = world.session(&root).await;
    let call = world.patch(person.path()).bearer(&token);
    call.json(&json!({"active": false}))
        .send()
        .await
        .expect(200);
}

async fn s41_the_limit_comes_for_unknown_names_too(world: &World) {
    world.tenant("home").await;
    world.person_with_password("home", "ada").await;
    let locked = world.person_with_password("home", "locked").await;
    world.lock(&locked).await;
    let mut told: Vec<Vec<(u16, Option<String>, Value)>> = Vec::new();
    for (name, password) in [
        ("ada", "not the password 99"),
        ("nobody", "not the password 99"),
        // Even the right password of somebody who is locked out is counted.
        ("locked", PASSWORD),
    ] {
        let mut answers = Vec::new();
        for _ in 0..12 {
            let answer = enter(world, "home", name, password).await;
            let wait = answer.header("retry-after").map(str::to_owned);
            answers.push((answer.status.as_u16(), wait, answer.json()));
        }
        assert_eq!(answers[9].0, 401, "{name}");
        assert_eq!(answers[10].0, 429, "{name}");
        told.push(answers);
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0], told[2]);
}

async fn s41_beginning_a_flow_says_nothing_about_accounts(world: &World) {
    world.tenant("home").await;
    let empty = world.begin(json!({"tenant": "home"})).await;
    world.person_with_password("home", "ada").await;
    let full = world.begin(json!({"tenant": "home"})).await;
    let plain = |mut flow: Value| {
        flow["id"].take();
        flow["step"]["id"].take();
        flow
    };
    assert_eq!(plain(empty), plain(full));
}
