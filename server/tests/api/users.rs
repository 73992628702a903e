//! `/api/v1/tenants/{tenant}/users` and one user.

use serde_json::{Value, json};

use crate::{
    support::{OTHER_PASSWORD, PASSWORD, Person, World, on_each_storage, redacted, town},
    tenants::check_locks,
};

const USERS: &str = "/api/v1/tenants/home/users";

on_each_storage!(
    a_user_is_made_read_changed_and_deleted,
    a_user_name_is_unique_and_checked,
    a_password_given_by_an_administrator_is_changed_at_the_first_sign_in,
    a_generated_password_is_told_once,
    a_lock_has_a_reason_and_an_end,
    nobody_locks_deactivates_or_deletes_oneself,
    grants_are_idempotent,
    sessions_of_a_user_are_listed_and_ended,
);

async fn a_user_is_made_read_changed_and_deleted(world: &World) {
    let mayor = town(world).await.mayor_token;
    let body = json!({"user_name": "Ada", "display_name": "Ada L.", "email": "ada@Example.com"});
    let made = world.post(USERS).bearer(&mayor).json(&body).send().await;
    let made = made.expect(201);
    assert_eq!(made.etag(), "\"1\"");
    let mut expected = json!({
        "id": "<id>",
        "tenant": "<id>",
        "user_name": "Ada",
        "display_name": "Ada L.",
        "email": "ada@example.com",
        "email_verified": false,
        "active": true,
        "lock": null,
        "must_change": null,
        "created_at": "<time>",
        "version": 1,
    });
    assert_eq!(redacted(made.json()), expected);
    let path = format!("{USERS}/{}", made.json()["id"].as_str().unwrap());

    expected["grants"] = json!([]);
    let read = world.get(&path).bearer(&mayor).send().await.expect(200);
    assert_eq!(redacted(read.json()), expected);
    assert_eq!(read.etag(), "\"1\"");

    let patch = async |body: Value| {
        let call = world.patch(&path).bearer(&mayor).json(&body);
        call.send().await.expect(200)
    };
    let nothing = patch(json!({})).await;
    assert_eq!(nothing.etag(), "\"1\"");
    let changed = patch(json!({"user_name": "lovelace", "active": false, "email": null})).await;
    assert_eq!(changed.etag(), "\"2\"");
    let changed = changed.json();
    assert_eq!(changed["user_name"], "lovelace");
    assert_eq!(changed["display_name"], "Ada L.");
    assert_eq!(changed["active"], false);
    assert_eq!(changed["email"], Value::Null);
    let back = patch(json!({"active": true})).await;
    assert_eq!(back.json()["active"], true);

    let gone = world.delete(&path).bearer(&mayor).send().await.expect(204);
    assert!(gone.body.is_empty());
    for call in [world.get(&path), world.delete(&path)] {
        let answer = call.bearer(&mayor).send().await;
        answer.expect_problem(404, "not_found");
    }
}

async fn a_user_name_is_unique_and_checked(world: &World) {
    let town = town(world).await;
    let mayor = &town.mayor_token;
    let make = async |body: Value| world.post(USERS).bearer(mayor).json(&body).send().await;
    for taken in ["citizen", "CITIZEN", "ｃitizen"] {
        let answer = make(json!({"user_name": taken})).await;
        answer.expect_problem(409, "already_exists");
        let rename = json!({"user_name": taken});
        let answer = world.patch(town.mayor.path()).bearer(mayor).json(&rename);
        answer.send().await.expect_problem(409, "already_exists");
    }
    let of_another_tenant = make(json!({"user_name": "tourist"})).await;
    of_another_tenant.expect(201);
    for (body, field) in [
        (json!({"user_name": ""}), "user_name"),
        (json!({"user_name": "a\u{200b}b"}), "user_name"),
        (json!({"user_name": "x".repeat(255)}), "user_name"),
        (
            json!({"user_name": "x", "display_name": "a\r\nb"}),
            "display_name",
        ),
        (
            json!({"user_name": "x", "email": "a@b@example.com"}),
            "email",
        ),
        (
            json!({"user_name": "x", "email": "a@example.com,b@example.com"}),
            "email",
        ),
        (json!({"user_name": "x", "password": "short"}), "password"),
    ] {
        let answer = make(body.clone())
            .await
            .expect_problem(422, "validation_failed");
        assert_eq!(answer.fields(), [field]);
    }
    for body in [
        json!({}),
        json!({"user_name": 7}),
        json!({"user_name": null}),
        json!({"user_name": "x", "password": PASSWORD, "generate_password": true}),
        json!({"user_name": "x", "generate_password": true, "must_change_password": false}),
        json!({"user_name": "x", "must_change_password": false}),
        json!([]),
        json!(["x", "X", null, null, false, false]),
        json!("x"),
    ] {
        make(body).await.expect_problem(400, "invalid_request");
    }
}

async fn made_with_password(
    world: &World,
    token: &str,
    name: &str,
    more: Value,
) -> (Person, Value) {
    let mut body = json!({"user_name": name});
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    let made = world.post(USERS).bearer(token).json(&body).send().await;
    let made = made.expect(201).json();
    let person = Person {
        tenant: made["tenant"].as_str().unwrap().parse().unwrap(),
        tenant_name: "home".to_owned(),
        id: made["id"].as_str().unwrap().parse().unwrap(),
        name: name.to_owned(),
    };
    (person, made)
}

async fn a_password_given_by_an_administrator_is_changed_at_the_first_sign_in(world: &World) {
    let mayor = town(world).await.mayor_token;
    for (name, more) in [
        ("ada", json!({"password": PASSWORD})),
        (
            "grace",
            json!({"password": PASSWORD, "must_change_password": true}),
        ),
    ] {
        let (person, made) = made_with_password(world, &mayor, name, more).await;
        assert_eq!(made["must_change"], "administrator");
        assert!(!made.to_string().contains(PASSWORD));
        change_at_first_sign_in(world, &person, PASSWORD).await;
    }
    let own_choice = json!({"password": PASSWORD, "must_change_password": false});
    let (linus, made) = made_with_password(world, &mayor, "linus", own_choice).await;
    assert_eq!(made["must_change"], Value::Null);
    world.token(&linus, PASSWORD).await;
}

async fn change_at_first_sign_in(world: &World, person: &Person, password: &str) {
    let flow = world.begin(json!({"tenant": "home"})).await;
    let step = world
        .enter(&flow, &person.name, password)
        .await
        .expect(200)
        .json();
    assert_eq!(step["state"], "active");
    assert_eq!(step["step"]["kind"], "prompt");
    assert_eq!(step["step"]["provider"], "duty:change-credential");
    assert!(step.get("session").is_none());
    let answer = async |provider: &str, new: &str| {
        let body = json!({"provider": provider, "answer": {"new_password": new}});
        let path = crate::support::flow_path(&flow);
        world.post(path).json(&body).send().await
    };
    // Only under its own name, and not with the same or a weak one.
    answer("password", OTHER_PASSWORD)
        .await
        .expect_problem(404, "not_found");
    for bad in [password, "short", "passwordpassword"] {
        let refused = answer("duty:change-credential", bad).await;
        let refused = refused.expect_problem(422, "validation_failed");
        assert_eq!(refused.fields(), ["new_password"]);
    }
    let done = answer("duty:change-credential", OTHER_PASSWORD)
        .await
        .expect(200)
        .json();
    assert_eq!(done["state"], "complete");
    assert!(
        world
            .accepts(done["session"]["token"].as_str().unwrap())
            .await
    );
    let old = world.sign_in(person, password).await;
    old.expect_problem(401, "sign_in_refused");
    world.token(person, OTHER_PASSWORD).await;
}

async fn a_generated_password_is_told_once(world: &World) {
    let mayor = town(world).await.mayor_token;
    let (ada, made) =
        made_with_password(world, &mayor, "ada", json!({"generate_password": true})).await;
    let password = made["initial_password"].as_str().unwrap().to_owned();
    assert!(password.len() >= 20);
    assert_eq!(made["must_change"], "administrator");
    for path in [
        ada.path(),
        USERS.to_owned(),
        "/api/v1/tenants/home/audit-events".to_owned(),
    ] {
        let answer = world.get(path).bearer(&mayor).send().await.expect(200);
        assert!(!answer.text().contains(&password));
    }
    change_at_first_sign_in(world, &ada, &password).await;
    let (_, grace) =
        made_with_password(world, &mayor, "grace", json!({"generate_password": true})).await;
    assert_ne!(grace["initial_password"], password);
}

async fn a_lock_has_a_reason_and_an_end(world: &World) {
    let town = town(world).await;
    let path = format!("{}/lock", town.citizen.path());
    let put = async |body: Value| {
        world
            .put(&path)
            .bearer(&town.mayor_token)
            .json(&body)
            .send()
            .await
    };
    check_locks(world, put).await;
    put(json!({"duration_seconds": 60})).await.expect(200);
    world.pass(std::time::Duration::from_secs(60));
    let read = world.get(town.citizen.path()).bearer(&town.mayor_token);
    assert!(read.send().await.json()["lock"].is_null());
    for _ in 0..2 {
        let unlocked = world.delete(&path).bearer(&town.mayor_token).send().await;
        assert!(unlocked.expect(200).json()["lock"].is_null());
    }
}

async fn nobody_locks_deactivates_or_deletes_oneself(world: &World) {
    let town = town(world).await;
    let path = town.mayor.path();
    let calls = [
        world.put(format!("{path}/lock")).json(&json!({})),
        world.patch(&path).json(&json!({"active": false})),
        world.delete(&path),
    ];
    for call in calls {
        let answer = call.bearer(&town.mayor_token).send().await;
        answer.expect_problem(409, "refused");
    }
    assert!(world.accepts(&town.mayor_token).await);
}

async fn grants_are_idempotent(world: &World) {
    let town = town(world).await;
    let path = format!("{}/grants/tenant_administrator", town.citizen.path());
    for _ in 0..2 {
        let given = world
            .put(&path)
            .bearer(&town.mayor_token)
            .send()
            .await
            .expect(200);
        assert_eq!(given.json(), json!({"grants": ["tenant_administrator"]}));
    }
    // In force at once, on the session that is already there.
    let list = || world.get(USERS).bearer(&town.citizen_token).send();
    list().await.expect(200);
    for _ in 0..2 {
        let taken = world
            .delete(&path)
            .bearer(&town.mayor_token)
            .send()
            .await
            .expect(200);
        assert_eq!(taken.json(), json!({"grants": []}));
    }
    list().await.expect_problem(403, "denied");
    for grant in [
        "owner",
        "Tenant_Administrator",
        "tenant_administrator%20",
        "%00",
    ] {
        let path = format!("{}/grants/{grant}", town.citizen.path());
        let answer = world.put(path).bearer(&town.mayor_token).send().await;
        answer.expect_problem(404, "not_found");
    }
}

/// v5.0.0-7.4.5.
async fn sessions_of_a_user_are_listed_and_ended(world: &World) {
    let town = town(world).await;
    let path = format!("{}/sessions", town.citizen.path());
    let second = world.session(&town.citizen).await;
    let list = async || {
        let listed = world.get(&path).bearer(&town.mayor_token).send().await;
        listed.expect(200).json()["items"]
            .as_array()
            .unwrap()
            .clone()
    };
    let listed = list().await;
    assert_eq!(listed.len(), 2);
    assert_eq!(
        redacted(listed[0].clone()),
        json!({
            "id": "<id>",
            "user": "<id>",
            "user_name": "citizen",
            "application": null,
            "amr": ["tkt"],
            "address": null,
            "user_agent": null,
            "started_at": "<time>",
            "last_active_at": "<time>",
            "expires_at": "<time>",
            "ended_at": null,
            "end_reason": null,
            "current": false,
        })
    );
    let ended = world.delete(&path).bearer(&town.mayor_token).send().await;
    assert_eq!(ended.expect(200).json(), json!({"ended": 2}));
    for token in [&second, &town.citizen_token] {
        assert!(!world.accepts(token).await);
    }
    assert!(list().await.is_empty());
    let again = world.delete(&path).bearer(&town.mayor_token).send().await;
    assert_eq!(again.expect(200).json(), json!({"ended": 0}));
    assert!(world.accepts(&town.mayor_token).await);
}
