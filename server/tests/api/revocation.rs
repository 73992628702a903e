//! S20: what ends sessions ends them at once, whether they are checked from
//! memory or from the storage.

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{Browser, OTHER_PASSWORD, PASSWORD, World, flow_path, on_each_storage, town};

on_each_storage!(
    s20_every_event_ends_the_sessions_that_it_must,
    s20_it_is_so_for_sessions_in_memory_too,
    s20_a_password_change_ends_every_older_session,
    s21_a_locked_user_signs_in_by_no_way,
    s20_a_taken_grant_is_gone_at_once,
);

/// Each event that ends the citizen's sessions, as the platform's administrator
/// causes it, and whether it ends the mayor's too.
fn events(user: &str) -> Vec<(&'static str, Method, String, Option<Value>, bool)> {
    let home = "/api/v1/tenants/home".to_owned();
    vec![
        (
            "lock",
            Method::PUT,
            format!("{user}/lock"),
            Some(json!({})),
            false,
        ),
        (
            "deactivate",
            Method::PATCH,
            user.to_owned(),
            Some(json!({"active": false})),
            false,
        ),
        ("delete", Method::DELETE, user.to_owned(), None, false),
        (
            "revoke",
            Method::DELETE,
            format!("{user}/sessions"),
            None,
            false,
        ),
        (
            "tenant lock",
            Method::PUT,
            format!("{home}/lock"),
            Some(json!({})),
            true,
        ),
        (
            "tenant delete",
            Method::DELETE,
            format!("{home}?force=true"),
            None,
            true,
        ),
    ]
}

async fn check_events(world: &World, in_memory: bool) {
    for number in 0..6 {
        let world = world.another_like_this().await;
        if in_memory {
            world.follow().await;
        }
        let town = town(&world).await;
        let second = world.session(&town.citizen).await;
        for token in [
            &second,
            &town.citizen_token,
            &town.mayor_token,
            &town.stranger_token,
        ] {
            assert!(world.accepts(token).await);
        }
        let (event, method, path, body, whole_tenant) =
            events(&town.citizen.path()).swap_remove(number);
        let mut call = world.call(method, path).bearer(&town.root_token);
        if let Some(body) = body {
            call = call.json(&body);
        }
        let done = call.send().await;
        assert!(done.status.is_success(), "{event}: {done}");
        for token in [&second, &town.citizen_token] {
            assert!(!world.accepts(token).await, "{event}");
        }
        assert_eq!(
            world.accepts(&town.mayor_token).await,
            !whole_tenant,
            "{event}"
        );
        assert!(world.accepts(&town.stranger_token).await, "{event}");
        assert!(world.accepts(&town.root_token).await, "{event}");
        // What is undone brings no session back.
        for path in [
            format!("{}/lock", town.citizen.path()),
            "/api/v1/tenants/home/lock".to_owned(),
        ] {
            world.delete(path).bearer(&town.root_token).send().await;
        }
        let call = world.patch(town.citizen.path()).bearer(&town.root_token);
        call.json(&json!({"active": true})).send().await;
        assert!(!world.accepts(&second).await, "{event}");
    }
}

/// v5.0.0-7.4.2.
async fn s20_every_event_ends_the_sessions_that_it_must(world: &World) {
    check_events(world, false).await;
}

async fn s20_it_is_so_for_sessions_in_memory_too(world: &World) {
    check_events(world, true).await;
}

/// v5.0.0-7.4.3: not offered but done.
async fn s20_a_password_change_ends_every_older_session(world: &World) {
    world.follow().await;
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    let bearer = world.token(&ada, PASSWORD).await;
    let (mut here, mut there) = (Browser::new(world), Browser::new(world));
    here.sign_in(&ada, PASSWORD).await;
    there.sign_in(&ada, PASSWORD).await;
    let begin = json!({"transport": "cookie", "intent": "enrol", "provider": "password"});
    let flow = here
        .post("/api/v1/sign-in/flows", &begin)
        .await
        .expect(201)
        .json();
    let mut half = there.clone();
    let half_flow = half
        .post("/api/v1/sign-in/flows", &begin)
        .await
        .expect(201)
        .json();
    let prove = json!({"provider": "password", "answer": {"password": PASSWORD}});
    here.post(flow_path(&flow), &prove).await.expect(200);
    let old = here.cookies.clone();
    let change = json!({"provider": "password", "answer": {"new_password": OTHER_PASSWORD}});
    here.post(flow_path(&flow), &change).await.expect(200);

    assert!(!world.accepts(&bearer).await);
    there.get("/api/v1/session").await.expect(401);
    here.get("/api/v1/session").await.expect(200);
    let mut stolen = Browser::new(world);
    stolen.cookies = old;
    stolen.get("/api/v1/session").await.expect(401);
    // A flow that was half done with the old password gets no further by it.
    let late = half.post(flow_path(&half_flow), &prove).await;
    assert!(late.status.is_client_error(), "{late}");
}

async fn s21_a_locked_user_signs_in_by_no_way(world: &World) {
    let town = town(world).await;
    let ada = world.person_with_password("home", "ada").await;
    let half = world.begin(json!({"tenant": "home"})).await;
    world.lock(&ada).await;
    world.enter(&half, &ada.name, PASSWORD).await.expect(401);
    world.sign_in(&ada, PASSWORD).await.expect(401);
    let unlock = world.delete(format!("{}/lock", ada.path()));
    unlock.bearer(&town.mayor_token).send().await.expect(200);
    world.enter(&half, &ada.name, PASSWORD).await.expect(200);

    // Sessions that a lock lets go on do: for what they already may.
    let token = world.token(&ada, PASSWORD).await;
    let keep = world
        .put(format!("{}/lock", ada.path()))
        .json(&json!({"keep_sessions": true}));
    keep.bearer(&town.mayor_token).send().await.expect(200);
    assert!(world.accepts(&token).await);
    world.sign_in(&ada, PASSWORD).await.expect(401);
    let begin = json!({"transport": "token", "intent": "reprove"});
    let flow = world
        .post("/api/v1/sign-in/flows")
        .bearer(&token)
        .json(&begin);
    let flow = flow.send().await.expect(201).json();
    let body = json!({"provider": "password", "answer": {"password": PASSWORD}});
    let proven = world.post(flow_path(&flow)).json(&body).send().await;
    proven.expect_problem(401, "sign_in_refused");
    assert!(world.accepts(&token).await);
}

/// v5.0.0-8.3.2.
async fn s20_a_taken_grant_is_gone_at_once(world: &World) {
    world.follow().await;
    let town = town(world).await;
    let list = || {
        world
            .get("/api/v1/tenants/home/users")
            .bearer(&town.mayor_token)
            .send()
    };
    list().await.expect(200);
    let path = format!("{}/grants/tenant_administrator", town.mayor.path());
    world
        .delete(path)
        .bearer(&town.root_token)
        .send()
        .await
        .expect(200);
    list().await.expect_problem(403, "denied");
}
