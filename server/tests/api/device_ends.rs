//! What ends devices that stay signed in, and whose they are.

use std::time::Duration;

use axum::http::Method;
use gatelodge_core::{access::Caller, model::Grant, service::NewLock};
use serde_json::{Value, json};

use crate::{
    devices::{
        AWAY, FLOWS, OWN, ada, app_of, back, devices, enter_and_stay, is_refused, present, stay,
        text,
    },
    support::{OTHER_PASSWORD, PASSWORD, Person, World, flow_path, on_each_storage, town},
};

on_each_storage!(
    s20_every_event_ends_the_devices_that_it_must,
    s20_a_changed_credential_ends_every_device,
    s20_a_session_and_its_device_end_together,
    s21_a_locked_person_gets_in_by_no_device,
    s35_a_device_is_found_only_at_its_owner,
);

type Event = (&'static str, Method, String, Option<Value>);

fn events(user: &str) -> Vec<Event> {
    let home = "/api/v1/tenants/home";
    let (put, delete) = (Method::PUT, Method::DELETE);
    let lock = || Some(json!({}));
    vec![
        ("lock", put.clone(), format!("{user}/lock"), lock()),
        (
            "deactivate",
            Method::PATCH,
            user.to_owned(),
            Some(json!({"active": false})),
        ),
        ("delete", delete.clone(), user.to_owned(), None),
        ("revoke", delete.clone(), format!("{user}/sessions"), None),
        ("tenant lock", put, format!("{home}/lock"), lock()),
        ("tenant delete", delete, format!("{home}?force=true"), None),
    ]
}

async fn s20_every_event_ends_the_devices_that_it_must(world: &World) {
    for number in 0..6 {
        let world = world.another_like_this().await;
        let town = town(&world).await;
        let ada = world.person_with_password("home", "ada").await;
        let bob = world.person_with_password("home", "bob").await;
        let eve = world.person_with_password("away", "eve").await;
        let (_, own) = stay(&world, &ada).await;
        let (_, asleep) = stay(&world, &ada).await;
        let ((_, neighbour), (_, stranger)) = (stay(&world, &bob).await, stay(&world, &eve).await);
        world.pass(AWAY);
        let root = world.session(&town.root).await;
        let (event, method, path, body) = events(&ada.path()).swap_remove(number);
        let mut call = world.call(method, path).bearer(&root);
        if let Some(body) = body {
            call = call.json(&body);
        }
        let done = call.send().await;
        assert!(done.status.is_success(), "{event}: {done}");
        is_refused(&world, &own).await;
        // What is undone brings no device back.
        let home = "/api/v1/tenants/home/lock".to_owned();
        for path in [format!("{}/lock", ada.path()), home] {
            world.delete(path).bearer(&root).send().await;
        }
        let call = world.patch(ada.path()).bearer(&root);
        call.json(&json!({"active": true})).send().await;
        is_refused(&world, &own).await;
        is_refused(&world, &asleep).await;
        match event.starts_with("tenant") {
            true => is_refused(&world, &neighbour).await,
            false => drop(back(&world, &neighbour).await),
        }
        back(&world, &stranger).await;
        if event == "tenant lock" {
            // Nobody is hindered from beginning anew.
            let (_, anew) = stay(&world, &ada).await;
            back(&world, &anew).await;
        }
    }
}

/// A password, a second factor: set up, changed, removed by an administrator.
async fn s20_a_changed_credential_ends_every_device(world: &World) {
    let ada = ada(world).await;
    let boss = world.person("home", "boss").await;
    world.grant(&boss, Grant::TenantAdministrator).await;
    let (session, first) = stay(world, &ada).await;
    let (_, second) = stay(world, &ada).await;
    let begin = json!({"transport": "token", "intent": "enrol", "provider": "password"});
    let flow = world.post(FLOWS).bearer(&session).json(&begin).send().await;
    let flow = flow.expect(201).json();
    for answer in [
        json!({"password": PASSWORD}),
        json!({"new_password": OTHER_PASSWORD}),
    ] {
        let body = json!({"provider": "password", "answer": answer});
        world
            .post(flow_path(&flow))
            .json(&body)
            .send()
            .await
            .expect(200);
    }
    for device in [&first, &second] {
        is_refused(world, device).await;
    }

    let bob = world.person_with_password("home", "bob").await;
    let (session, first) = stay(world, &bob).await;
    let (_, second) = stay(world, &bob).await;
    let app = app_of(world, &session).await;
    for device in [&first, &second] {
        is_refused(world, device).await;
    }
    world.pass(Duration::from_secs(60));
    let flow = world.begin(json!({"tenant": "home"})).await;
    enter_and_stay(world, &flow, &bob, PASSWORD)
        .await
        .expect(200);
    let code = json!({"provider": "totp", "answer": {"code": present(world, &app)}});
    let done = world.post(flow_path(&flow)).json(&code).send().await;
    let kept = text(&done.expect(200).json()["session"]["device_token"]);
    let boss = world.session(&boss).await;
    let factors = world.get(format!("{}/factors", bob.path())).bearer(&boss);
    let factors = factors.send().await.expect(200).json();
    let path = format!(
        "{}/factors/{}",
        bob.path(),
        text(&factors["items"][0]["id"])
    );
    world.delete(path).bearer(&boss).send().await.expect(204);
    is_refused(world, &kept).await;
}

async fn s20_a_session_and_its_device_end_together(world: &World) {
    let town = town(world).await;
    let ada = world.person_with_password("home", "ada").await;
    let boss = &town.mayor_token;
    let id_of = async |session: &str| {
        let shown = world.get("/api/v1/session").bearer(session).send().await;
        text(&shown.expect(200).json()["session"]["id"])
    };
    // The session that it was made in, and one that it began, by an administrator.
    for begun in [false, true] {
        let (mut session, mut device) = stay(world, &ada).await;
        if begun {
            (session, device) = back(world, &device).await;
        }
        let (_, other) = stay(world, &ada).await;
        let path = format!("/api/v1/tenants/home/sessions/{}", id_of(&session).await);
        world.delete(path).bearer(boss).send().await.expect(204);
        is_refused(world, &device).await;
        back(world, &other).await;
    }
    // Forgetting a device ends both of them.
    let (made_in, device) = stay(world, &ada).await;
    let (begun, device) = back(world, &device).await;
    let here = world.token(&ada, PASSWORD).await;
    let listed = devices(world, &begun).await;
    let own = listed
        .iter()
        .find(|device| device["current"] == true)
        .unwrap();
    let path = format!("{OWN}/{}", text(&own["id"]));
    world.delete(path).bearer(&here).send().await.expect(204);
    for session in [&made_in, &begun] {
        assert!(!world.accepts(session).await);
    }
    assert!(world.accepts(&here).await);
    is_refused(world, &device).await;
    // All others: the device of the one who asks stays.
    let (_, elsewhere) = stay(world, &ada).await;
    let (_, device) = stay(world, &ada).await;
    let (session, device) = back(world, &device).await;
    let others = world.delete("/api/v1/account/sessions").bearer(&session);
    others.send().await.expect(200);
    is_refused(world, &elsewhere).await;
    back(world, &device).await;
}

async fn s21_a_locked_person_gets_in_by_no_device(world: &World) {
    let ada = ada(world).await;
    let (session, device) = stay(world, &ada).await;
    let users = world.platform.users();
    let (operator, place) = (Caller::operator(), (ada.tenant, ada.id));
    let keep = NewLock {
        keep_sessions: true,
        ..NewLock::default()
    };
    users.lock(&operator, place, keep.clone()).await.unwrap();
    is_refused(world, &device).await;
    assert!(world.accepts(&session).await);
    users.unlock(&operator, ada.tenant, ada.id).await.unwrap();
    let (_, device) = back(world, &device).await;
    let tenants = world.platform.tenants();
    tenants.lock(&operator, ada.tenant, keep).await.unwrap();
    is_refused(world, &device).await;
    tenants.unlock(&operator, ada.tenant).await.unwrap();
    back(world, &device).await;
}

async fn s35_a_device_is_found_only_at_its_owner(world: &World) {
    let town = town(world).await;
    let ada = world.person_with_password("home", "ada").await;
    let (session, device) = stay(world, &ada).await;
    let id = text(&devices(world, &session).await[0]["id"]);
    let of = |person: &Person| format!("{}/devices", person.path());
    let foreign = [
        (format!("{OWN}/{id}"), &town.citizen_token, 404),
        (format!("{OWN}/{id}"), &town.mayor_token, 404),
        (format!("{}/{id}", of(&ada)), &town.citizen_token, 403),
        (format!("{}/{id}", of(&ada)), &session, 403),
        (format!("{}/{id}", of(&ada)), &town.stranger_token, 404),
        (
            format!("{}/{id}", of(&town.citizen)),
            &town.mayor_token,
            404,
        ),
        (
            format!("{}/{id}", of(&town.tourist)),
            &town.stranger_token,
            404,
        ),
        (format!("{}/{id}", of(&town.tourist)), &town.root_token, 404),
    ];
    for (path, token, status) in foreign {
        let answer = world.delete(&path).bearer(token).send().await;
        answer.expect(status);
    }
    assert_eq!(
        devices(world, &town.citizen_token).await,
        Vec::<Value>::new()
    );
    let (session, device) = back(world, &device).await;
    // Nobody reaches above oneself.
    let root = world.person_with_password("home", "above").await;
    world.grant(&root, Grant::PlatformAdministrator).await;
    let (above, kept) = stay(world, &root).await;
    let above = text(&devices(world, &above).await[0]["id"]);
    let path = format!("{}/{above}", of(&root));
    let denied = world.delete(path).bearer(&town.mayor_token).send().await;
    denied.expect_problem(403, "denied");
    back(world, &kept).await;

    let listed = world.get(of(&ada)).bearer(&town.mayor_token).send().await;
    let listed = listed.expect(200).json();
    assert_eq!(text(&listed["items"][0]["id"]), id);
    assert!(listed["items"][0]["current"].is_null());
    let path = format!("{}/{id}", of(&ada));
    world
        .delete(path)
        .bearer(&town.mayor_token)
        .send()
        .await
        .expect(204);
    assert!(!world.accepts(&session).await);
    is_refused(world, &device).await;
}
