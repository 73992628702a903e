//! S38: nothing but what a request describes can be set, and a request that
//! tries changes nothing at all.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    matrix::{Fill, Role, Stage, body_of, everything_in},
    support::{
        World,
        description::{Operation, operations, properties, schema},
        on_each_storage,
    },
};

on_each_storage!(
    s38_no_field_of_what_is_read_can_be_set_beside_those_that_are_described,
    s38_an_array_is_no_object,
);

/// The fields of everything that can be read, and some that attackers try.
fn tempting() -> BTreeSet<String> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for read in [
        "TenantJson",
        "UserJson",
        "SessionJson",
        "ApplicationJson",
        "TokenAnswer",
        "AuditEventJson",
        "SessionAnswer",
        "LockJson",
    ] {
        names.extend(properties(schema(read)).unwrap());
    }
    let more = [
        "is_admin",
        "admin",
        "role",
        "roles",
        "grant",
        "status",
        "verified",
        "is_verified",
        "password",
        "must_change_password",
        "credential_epoch",
        "attributes",
        "__proto__",
        "constructor",
        "tenant_id",
        "user_id",
        "owner",
        "scope",
        "cascade",
        "unknown",
        "",
        "User_Name",
        "user-name",
        "userName",
    ];
    names.extend(more.map(str::to_owned));
    names
}

fn values() -> [Value; 3] {
    [json!(true), json!("x"), json!(null)]
}

/// v5.0.0-8.2.3, v5.0.0-15.3.3.
async fn s38_no_field_of_what_is_read_can_be_set_beside_those_that_are_described(world: &World) {
    let stage = Stage::new(world).await;
    let fill = stage.fill(world, &stage.town.citizen).await;
    let tenants = [stage.town.citizen.tenant, stage.town.root.tenant];
    for operation in operations() {
        let Some(body) = body_of(&operation.id) else {
            continue;
        };
        let content = &operation.body["requestBody"]["content"]["application/json"];
        let described = properties(&content["schema"]).unwrap();
        let before = everything_in(world, &tenants).await;
        for name in tempting() {
            if described.contains(&name) {
                continue;
            }
            for value in values() {
                let mut body = body.clone();
                body[&name] = value;
                refused(world, &stage, operation, &fill, &body).await;
            }
        }
        assert_eq!(
            before,
            everything_in(world, &tenants).await,
            "{}",
            operation.id
        );
    }
    // Nested objects too.
    for body in [
        json!({"session": {"idle_minutes": 5, "token": "x"}}),
        json!({"session": {"idleMinutes": 5}}),
        json!({"registration": {"enabled": true, "roles": ["administrator"]}}),
    ] {
        let call = world.put("/api/v1/tenants/home/settings").json(&body);
        let answer = call.bearer(&stage.town.mayor_token).send().await;
        answer.expect_problem(400, "invalid_request");
    }
}

async fn refused(world: &World, stage: &Stage, operation: &Operation, fill: &Fill, body: &Value) {
    let path = fill.path(&operation.path);
    let call = world
        .call(operation.method.parse().unwrap(), path)
        .json(body);
    let call = call.bearer(stage.token(Role::Platform).unwrap());
    call.send().await.expect_problem(400, "invalid_request");
}

/// A decoder that takes a list for an object would let fields be set by their place.
async fn s38_an_array_is_no_object(world: &World) {
    let stage = Stage::new(world).await;
    let fill = stage.fill(world, &stage.town.citizen).await;
    let tenants = [stage.town.citizen.tenant];
    let before = everything_in(world, &tenants).await;
    for operation in operations() {
        let Some(body) = body_of(&operation.id) else {
            continue;
        };
        let values: Vec<_> = body.as_object().unwrap().values().cloned().collect();
        let mut lists = vec![json!([]), json!(values), json!([body])];
        lists.extend((1..8).map(|length| json!(vec![Value::Null; length])));
        for list in lists
            .iter()
            .chain([&json!(null), &json!(1), &json!("x"), &json!(true)])
        {
            refused(world, &stage, operation, &fill, list).await;
        }
    }
    let call = world.put("/api/v1/tenants/home/settings");
    let nested = json!({"session": [5, 5, 5, "refuse"], "registration": [true, true, true]});
    let answer = call
        .bearer(&stage.town.mayor_token)
        .json(&nested)
        .send()
        .await;
    let answer = answer.expect_problem(400, "invalid_request");
    assert!(
        !answer.text().contains("Json"),
        "a type of the program: {answer}"
    );
    assert_eq!(before, everything_in(world, &tenants).await);
}
