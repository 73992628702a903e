//! `/api/v1/tenants` and one tenant.

use serde_json::{Value, json};

use crate::{
    matrix::everything_in,
    support::{Answer, Person, World, on_each_storage, redacted, town},
};

const TENANTS: &str = "/api/v1/tenants";

on_each_storage!(
    a_tenant_is_made_read_renamed_and_deleted,
    a_name_is_unique_and_checked,
    a_lock_has_a_reason_and_an_end,
    a_tenant_with_open_sessions_is_deleted_only_by_force,
    nobody_locks_or_deletes_the_own_tenant,
    the_last_administrator_of_the_platform_stays,
    of_two_administrators_who_remove_each_other_one_stays,
);

fn tenant(name: &str, display_name: &str, version: i64) -> Value {
    json!({
        "id": "<id>",
        "name": name,
        "display_name": display_name,
        "master": null,
        "lock": null,
        "created_at": "<time>",
        "version": version,
    })
}

async fn a_tenant_is_made_read_renamed_and_deleted(world: &World) {
    let root = town(world).await.root_token;
    let call = world.post(TENANTS).bearer(&root);
    let made = call.json(&json!({"name": "Ärger & Söhne"})).send().await;
    let made = made.expect(201);
    assert_eq!(made.etag(), "\"1\"");
    assert_eq!(
        redacted(made.json()),
        tenant("Ärger & Söhne", "Ärger & Söhne", 1)
    );

    let id = made.json()["id"].as_str().unwrap().to_owned();
    let by_name = format!("{TENANTS}/%C3%84RGER%20%26%20S%C3%96HNE");
    for path in [format!("{TENANTS}/{id}"), by_name] {
        let read = world.get(path).bearer(&root).send().await.expect(200);
        assert_eq!(read.json(), made.json());
        assert_eq!(read.etag(), "\"1\"");
    }

    let path = format!("{TENANTS}/{id}");
    let patch = json!({"name": "sons", "display_name": "Sons Ltd"});
    let renamed = world.patch(&path).bearer(&root).json(&patch).send().await;
    let renamed = renamed.expect(200);
    assert_eq!(redacted(renamed.json()), tenant("sons", "Sons Ltd", 2));
    assert_eq!(renamed.etag(), "\"2\"");
    assert_eq!(renamed.json()["id"], id);
    // The same again changes nothing.
    let again = world.patch(&path).bearer(&root).json(&patch).send().await;
    assert_eq!(again.expect(200).json(), renamed.json());

    let gone = world.delete(&path).bearer(&root).send().await.expect(204);
    assert!(gone.body.is_empty());
    let read = world.get(&path).bearer(&root).send().await;
    read.expect_problem(404, "not_found");
    let again = world.delete(&path).bearer(&root).send().await;
    again.expect_problem(404, "not_found");
}

async fn a_name_is_unique_and_checked(world: &World) {
    let root = town(world).await.root_token;
    let make = async |body: Value| world.post(TENANTS).bearer(&root).json(&body).send().await;
    for taken in ["home", "HOME", "ＨＯＭＥ"] {
        let answer = make(json!({"name": taken})).await;
        answer.expect_problem(409, "already_exists");
    }
    let bad = [
        "",
        " home2",
        "a\nb",
        "a/b",
        "..",
        "a%2fb",
        "\u{202e}abc",
        "0190a6c2-7f1e-7000-8000-000000000000",
    ];
    for bad in bad.map(str::to_owned).into_iter().chain(["x".repeat(51)]) {
        let answer = make(json!({"name": bad})).await;
        assert_eq!(
            answer.expect_problem(422, "validation_failed").fields(),
            ["name"]
        );
    }
    let answer = make(json!({"name": "fine", "display_name": "a\u{1b}[31m"})).await;
    let answer = answer.expect_problem(422, "validation_failed");
    assert_eq!(answer.fields(), ["display_name"]);
    make(json!({"name": "ü".repeat(50)})).await.expect(201);

    let path = format!("{TENANTS}/home");
    let patch = json!({"name": "away"});
    let taken = world.patch(path).bearer(&root).json(&patch).send().await;
    taken.expect_problem(409, "already_exists");
}

async fn a_lock_has_a_reason_and_an_end(world: &World) {
    let root = town(world).await.root_token;
    let path = format!("{TENANTS}/home/lock");
    let put = async |body: Value| world.put(&path).bearer(&root).json(&body).send().await;
    check_locks(world, put).await;
    let read = || world.get(format!("{TENANTS}/home")).bearer(&root).send();
    // The end is read off the clock.
    put(json!({"duration_seconds": 60})).await.expect(200);
    assert!(!read().await.json()["lock"].is_null());
    world.pass(std::time::Duration::from_secs(60));
    assert!(read().await.json()["lock"].is_null());

    put(json!({})).await.expect(200);
    for _ in 0..2 {
        let unlocked = world.delete(&path).bearer(&root).send().await.expect(200);
        assert!(unlocked.json()["lock"].is_null());
    }
}

/// What is the same for locks of tenants and users; leaves it locked.
pub(crate) async fn check_locks(world: &World, put: impl AsyncFn(Value) -> Answer) {
    let plain = put(json!({})).await.expect(200).json();
    let since = plain["lock"]["since"].clone();
    assert_eq!(
        plain["lock"],
        json!({"reason": null, "until": null, "since": since})
    );
    let now = world.platform.now();
    let later = (now + jiff::SignedDuration::from_secs(90)).to_string();
    // Locking again replaces reason and end.
    let reason = "paid too late; \u{1b}[31m\r\nred";
    let replaced = put(json!({"reason": reason, "until": later}))
        .await
        .expect(200)
        .json();
    assert_eq!(replaced["lock"]["reason"], reason);
    assert_eq!(replaced["lock"]["until"], later);
    let timed = put(json!({"duration_seconds": 90, "keep_sessions": true})).await;
    let timed = timed.expect(200).json();
    assert_eq!(timed["lock"]["reason"], Value::Null);
    assert_eq!(timed["lock"]["until"], later);

    let both = put(json!({"until": later, "duration_seconds": 90})).await;
    both.expect_problem(400, "invalid_request");
    for past in [now.to_string(), "1970-01-01T00:00:00Z".to_owned()] {
        let answer = put(json!({"until": past})).await;
        assert_eq!(
            answer.expect_problem(422, "validation_failed").fields(),
            ["until"]
        );
    }
    let zero = put(json!({"duration_seconds": 0})).await;
    assert_eq!(
        zero.expect_problem(422, "validation_failed").fields(),
        ["duration_seconds"]
    );
    let long = put(json!({"reason": "x".repeat(501)})).await;
    assert_eq!(
        long.expect_problem(422, "validation_failed").fields(),
        ["reason"]
    );
    for wrong in [
        json!({"until": "tomorrow"}),
        json!({"until": 5}),
        json!({"duration_seconds": -1}),
        json!({"duration_seconds": 1.5}),
        json!({"duration_seconds": 4_294_967_296_u64}),
        json!({"keep_sessions": "yes"}),
        json!({"cascade": true}),
    ] {
        put(wrong).await.expect_problem(400, "invalid_request");
    }
    // The longest there is, and the last moment there is.
    put(json!({"duration_seconds": u32::MAX})).await.expect(200);
    put(json!({"until": "9999-12-30T22:00:00.999999999Z"}))
        .await
        .expect(200);
}

async fn a_tenant_with_open_sessions_is_deleted_only_by_force(world: &World) {
    let town = town(world).await;
    let path = format!("{TENANTS}/home");
    let plain = world.delete(&path).bearer(&town.root_token).send().await;
    let problem = plain.expect_problem(409, "refused").json();
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("2 open sessions")
    );
    assert!(world.accepts(&town.mayor_token).await);
    let unforced = format!("{path}?force=false");
    let unforced = world.delete(unforced).bearer(&town.root_token).send().await;
    unforced.expect_problem(409, "refused");
    for wrong in [
        "force=1",
        "force=",
        "force",
        "force=true&force=true",
        "force=true&x=1",
    ] {
        let answer = world
            .delete(format!("{path}?{wrong}"))
            .bearer(&town.root_token);
        answer.send().await.expect_problem(400, "invalid_request");
    }
    let forced = format!("{path}?force=true");
    let forced = world.delete(forced).bearer(&town.root_token).send().await;
    forced.expect(204);
    for token in [&town.mayor_token, &town.citizen_token] {
        assert!(!world.accepts(token).await);
    }
    assert!(world.accepts(&town.stranger_token).await);
}

async fn nobody_locks_or_deletes_the_own_tenant(world: &World) {
    let root = town(world).await.root_token;
    let path = format!("{TENANTS}/lodge");
    let locked = world
        .put(format!("{path}/lock"))
        .bearer(&root)
        .json(&json!({}));
    locked.send().await.expect_problem(409, "refused");
    let deleted = world.delete(format!("{path}?force=true")).bearer(&root);
    deleted.send().await.expect_problem(409, "refused");
    assert!(world.accepts(&root).await);
}

async fn the_last_administrator_of_the_platform_stays(world: &World) {
    let town = town(world).await;
    // The mayor holds the grant too, but could not sign in again.
    let grant = gatelodge_core::model::Grant::PlatformAdministrator;
    world.grant(&town.mayor, grant).await;
    let lock = world.put(format!("{}/lock", town.mayor.path()));
    let lock = lock
        .json(&json!({"keep_sessions": true}))
        .bearer(&town.root_token);
    lock.send().await.expect(200);
    let root = town.root.path();
    let calls = [
        world.delete(format!("{root}/grants/platform_administrator")),
        world.patch(&root).json(&json!({"active": false})),
        world.put(format!("{root}/lock")).json(&json!({})),
        world.delete(&root),
        world.put(format!("{TENANTS}/lodge/lock")).json(&json!({})),
        world.delete(format!("{TENANTS}/lodge?force=true")),
    ];
    let before = everything_in(world, &[town.root.tenant]).await;
    for call in calls {
        let problem = call.bearer(&town.mayor_token).send().await;
        let problem = problem.expect_problem(409, "refused").json();
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("without an administrator"), "{detail}");
    }
    assert_eq!(before, everything_in(world, &[town.root.tenant]).await);
    assert!(world.accepts(&town.root_token).await);
}

async fn of_two_administrators_who_remove_each_other_one_stays(world: &World) {
    let town = town(world).await;
    let grant = gatelodge_core::model::Grant::PlatformAdministrator;
    world.grant(&town.mayor, grant).await;
    let take = |from: &Person, by: &str| {
        let path = format!("{}/grants/platform_administrator", from.path());
        world.delete(path).bearer(by).send()
    };
    let (one, other) = tokio::join!(
        take(&town.root, &town.mayor_token),
        take(&town.mayor, &town.root_token),
    );
    let statuses = [one.status.as_u16(), other.status.as_u16()];
    assert_eq!(
        statuses.iter().filter(|status| **status == 200).count(),
        1,
        "{one}\n{other}"
    );
    let operator = gatelodge_core::access::Caller::operator();
    let mut holders = 0;
    for person in [&town.root, &town.mayor] {
        let users = world.platform.users();
        let details = users
            .read(&operator, person.tenant, person.id)
            .await
            .unwrap();
        holders += usize::from(details.grants.contains(&grant));
    }
    assert_eq!(holders, 1);
}
