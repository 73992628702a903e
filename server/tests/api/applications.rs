//! Registered applications over HTTP, from every side that the matrix does not show.

use serde_json::{Value, json};

use crate::support::{Town, World, on_each_storage, redacted, town};

on_each_storage!(
    an_application_is_registered_read_changed_and_deleted,
    what_cannot_be_an_application_is_refused_in_words,
    a_name_is_taken_in_its_tenant_and_an_audience_everywhere,
    a_change_carries_the_version_that_was_read,
    applications_are_listed_page_by_page,
    every_change_of_an_application_is_in_the_log,
);

const HOME: &str = "/api/v1/tenants/home/applications";

fn shop() -> Value {
    json!({
        "name": "Shop",
        "audience": "https://api.shop.example",
        "origins": ["https://shop.example", "http://localhost:5173"],
        "return_to": ["https://shop.example/signed-in?from=gate", "http://127.0.0.1/callback"],
    })
}

async fn register(world: &World, town: &Town, body: &Value) -> Value {
    let call = world.post(HOME).bearer(&town.mayor_token).json(body);
    call.send().await.expect(201).json()
}

async fn an_application_is_registered_read_changed_and_deleted(world: &World) {
    let town = town(world).await;
    let call = world.post(HOME).bearer(&town.mayor_token).json(&shop());
    let made = call.send().await.expect(201);
    assert_eq!(made.etag(), "\"1\"");
    assert_eq!(
        redacted(made.json()),
        json!({
            "id": "<id>", "tenant": "<id>", "name": "Shop",
            "audience": "https://api.shop.example",
            "origins": ["https://shop.example", "http://localhost:5173"],
            "return_to": ["https://shop.example/signed-in?from=gate", "http://127.0.0.1/callback"],
            "created_at": "<time>", "version": 1,
        })
    );
    let path = format!("{HOME}/{}", made.json()["id"].as_str().unwrap());
    let read = world.get(&path).bearer(&town.mayor_token).send().await;
    assert_eq!(read.expect(200).json(), made.json());
    let change = json!({"name": "Store", "origins": []});
    let call = world.patch(&path).bearer(&town.mayor_token).json(&change);
    let changed = call.send().await.expect(200);
    assert_eq!(changed.etag(), "\"2\"");
    let body = changed.json();
    assert_eq!(
        (&body["name"], &body["origins"]),
        (&json!("Store"), &json!([]))
    );
    assert_eq!(
        body["return_to"],
        made.json()["return_to"],
        "what is absent stays"
    );
    let same = world.patch(&path).bearer(&town.mayor_token).json(&change);
    assert_eq!(
        same.send().await.expect(200).etag(),
        "\"2\"",
        "nothing changed"
    );
    let delete = || world.delete(&path).bearer(&town.mayor_token).send();
    delete().await.expect(204);
    delete().await.expect_problem(404, "not_found");
}

async fn what_cannot_be_an_application_is_refused_in_words(world: &World) {
    let town = town(world).await;
    let made = register(world, &town, &shop()).await;
    let path = format!("{HOME}/{}", made["id"].as_str().unwrap());
    let many: Vec<_> = (0..21)
        .map(|number| format!("https://{number}.shop.example"))
        .collect();
    for (field, value) in [
        ("name", json!("")),
        ("name", json!("x".repeat(51))),
        ("name", json!(" padded ")),
        ("audience", json!("two words")),
        ("audience", json!("0190a6c2-0000-7000-8000-000000000000")),
        ("audience", json!("urn:gatelodge:device")),
        ("audience", json!("http://localhost:8080")),
        ("audience", json!("http://localhost:8080/")),
        ("origins", json!(["*"])),
        ("origins", json!(["https://shop.example/"])),
        ("origins", json!(["http://shop.example"])),
        ("origins", json!(["https://shop.example", "null"])),
        ("origins", json!(many)),
        ("return_to", json!(["/account"])),
        ("return_to", json!(["https://shop.example"])),
        ("return_to", json!(["https://shop.example/#x"])),
        ("return_to", json!(["javascript:alert(1)"])),
    ] {
        let mut new = json!({"name": "New", "audience": "new"});
        new[field] = value.clone();
        let change = json!({ field: value });
        let calls = [
            world.post(HOME).json(&new),
            world.patch(&path).json(&change),
        ];
        for call in calls {
            let answer = call.bearer(&town.mayor_token).send().await;
            let answer = answer.expect_problem(422, "validation_failed");
            assert_eq!(answer.fields(), [field], "{change}");
        }
    }
    let read = world.get(&path).bearer(&town.mayor_token).send().await;
    assert_eq!(read.json(), made);
    let wrong = world.get(format!("{HOME}/shop")).bearer(&town.mayor_token);
    wrong.send().await.expect_problem(404, "not_found");
}

async fn a_name_is_taken_in_its_tenant_and_an_audience_everywhere(world: &World) {
    let town = town(world).await;
    register(world, &town, &shop()).await;
    let ask = async |tenant: &str, name: &str, audience: &str| {
        let path = format!("/api/v1/tenants/{tenant}/applications");
        let body = json!({"name": name, "audience": audience});
        let call = world.post(path).bearer(&town.root_token).json(&body);
        call.send().await
    };
    let taken = ask("home", "SHOP", "other").await;
    let taken = taken.expect_problem(409, "already_exists");
    assert!(taken.text().contains("name is already taken"), "{taken}");
    for tenant in ["home", "away"] {
        let taken = ask(tenant, "Other", "https://api.shop.example").await;
        let taken = taken.expect_problem(409, "already_exists");
        assert!(
            taken.text().contains("audience is already taken"),
            "{taken}"
        );
    }
    ask("away", "Shop", "other").await.expect(201);
}

async fn a_change_carries_the_version_that_was_read(world: &World) {
    let town = town(world).await;
    let made = register(world, &town, &shop()).await;
    let path = format!("{HOME}/{}", made["id"].as_str().unwrap());
    let patch = |name: &str, etag: &str| {
        let body = json!({"name": name});
        let call = world.patch(&path).bearer(&town.mayor_token).json(&body);
        call.header("if-match", etag).send()
    };
    patch("Store", "\"1\"").await.expect(200);
    let stale = patch("Stand", "\"1\"").await;
    stale.expect_problem(412, "version_mismatch");
    let delete = |etag: &str| {
        let call = world.delete(&path).bearer(&town.mayor_token);
        call.header("if-match", etag).send()
    };
    let stale = delete("\"1\"").await;
    stale.expect_problem(412, "version_mismatch");
    delete("\"2\"").await.expect(204);
}

async fn applications_are_listed_page_by_page(world: &World) {
    let town = town(world).await;
    for number in 0..5 {
        let body = json!({"name": format!("app {number}"), "audience": format!("app-{number}")});
        register(world, &town, &body).await;
    }
    world.application(town.stranger.tenant, "theirs").await;
    let mut names = Vec::new();
    let mut query = "?limit=2".to_owned();
    loop {
        let call = world
            .get(format!("{HOME}{query}"))
            .bearer(&town.mayor_token);
        let page = call.send().await.expect(200).json();
        let items = page["items"].as_array().unwrap().clone();
        assert!(items.len() <= 2);
        names.extend(items.iter().map(|item| item["name"].clone()));
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        query = format!("?limit=2&cursor={cursor}");
    }
    names.sort_by_key(ToString::to_string);
    assert_eq!(
        names,
        ["app 0", "app 1", "app 2", "app 3", "app 4"].map(|name| json!(name))
    );
}

async fn every_change_of_an_application_is_in_the_log(world: &World) {
    let town = town(world).await;
    let made = register(world, &town, &shop()).await;
    let id = made["id"].as_str().unwrap();
    let path = format!("{HOME}/{id}");
    let body = json!({"origins": ["https://store.example"]});
    let call = world.patch(&path).bearer(&town.mayor_token).json(&body);
    call.send().await.expect(200);
    let call = world.delete(&path).bearer(&town.mayor_token);
    call.send().await.expect(204);
    let log = world
        .get("/api/v1/tenants/home/audit-events?limit=200")
        .bearer(&town.mayor_token);
    let log = log.send().await.expect(200).json();
    let events = log["items"].as_array().unwrap();
    let of = |verb: &str| {
        let action = json!(format!("application.{verb}"));
        let mut found = events.iter().filter(|event| event["action"] == action);
        let event = found.next().unwrap();
        assert!(found.next().is_none(), "{verb} once");
        assert_eq!(event["object_id"], json!(id));
        assert_eq!(event["actor"]["id"], json!(town.mayor.id));
        event
    };
    for verb in ["create", "delete"] {
        assert_eq!(of(verb)["changes"].as_array().unwrap().len(), 4);
    }
    assert_eq!(
        of("update")["changes"],
        json!([{
            "field": "origins",
            "old": "https://shop.example http://localhost:5173",
            "new": "https://store.example",
        }])
    );
}
