//! Making an account for oneself, where the tenant allows it (S40).

use serde_json::{Value, json};

use crate::support::{PASSWORD, World, flow_path, on_each_storage, town};

const FLOWS: &str = "/api/v1/sign-in/flows";

on_each_storage!(
    s40_where_registration_is_off_the_door_is_shut,
    an_account_is_made_and_signed_in,
    what_the_tenant_demands_is_asked_for,
    a_taken_name_and_a_bad_value_are_named,
);

async fn allow(world: &World, registration: Value) {
    let tenants = world.platform.tenants();
    let named = gatelodge_core::service::TenantRef::parse("home");
    let home = tenants.find(&named).await.unwrap().unwrap();
    let settings = json!({"registration": registration});
    let settings = serde_json::from_value(settings).unwrap();
    world.put_settings(home.id, settings).await;
}

async fn begin(world: &World, tenant: &str) -> crate::support::Answer {
    let body = json!({"transport": "token", "intent": "sign_up", "tenant": tenant});
    world.post(FLOWS).json(&body).send().await
}

async fn s40_where_registration_is_off_the_door_is_shut(world: &World) {
    let town = town(world).await;
    begin(world, "home").await.expect_problem(403, "denied");
    allow(world, json!({"enabled": true})).await;
    begin(world, "home").await.expect(201);
    begin(world, "away").await.expect_problem(403, "denied");
    allow(world, json!({"enabled": false})).await;
    begin(world, "home").await.expect_problem(403, "denied");
    // A page's form or a signed-in person changes nothing about it.
    let body = json!({"transport": "token", "intent": "sign_up", "tenant": "home"});
    let call = world.post(FLOWS).json(&body).bearer(&town.mayor_token);
    call.send().await.expect_problem(403, "denied");
}

async fn an_account_is_made_and_signed_in(world: &World) {
    world.tenant("home").await;
    allow(world, json!({"enabled": true})).await;
    let flow = begin(world, "home").await.expect(201).json();
    assert_eq!(flow["intent"], "sign_up");
    let fields = flow["step"]["providers"][0]["form"]["fields"]
        .as_array()
        .unwrap();
    let told: Vec<_> = fields
        .iter()
        .map(|field| {
            let part = |name: &str| field[name].as_str().unwrap().to_owned();
            format!(
                "{} {} {} {}",
                part("name"),
                part("type"),
                part("role"),
                field["required"]
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "user_name text identifier true",
            "display_name text other false",
            "email email other false",
            "new_password new_password secret true",
        ]
    );
    let answer = json!({"user_name": "Newcomer", "new_password": PASSWORD});
    let body = json!({"provider": "password", "answer": answer});
    let done = world
        .post(flow_path(&flow))
        .json(&body)
        .send()
        .await
        .expect(200)
        .json();
    let token = done["session"]["token"].as_str().unwrap();
    let read = world
        .get("/api/v1/session")
        .bearer(token)
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(read["user"]["user_name"], "Newcomer");
    // With no grant, and nothing that the form did not ask for.
    let users = world
        .get("/api/v1/tenants/home/users")
        .bearer(token)
        .send()
        .await;
    users.expect_problem(403, "denied");
    let again = world.post(flow_path(&flow)).json(&body).send().await;
    again.expect_problem(409, "conflict");
}

async fn what_the_tenant_demands_is_asked_for(world: &World) {
    world.tenant("home").await;
    let demand = json!({"enabled": true, "email_required": true, "display_name_required": true});
    allow(world, demand).await;
    let flow = begin(world, "home").await.expect(201).json();
    let post = async |answer: Value| {
        let body = json!({"provider": "password", "answer": answer});
        world.post(flow_path(&flow)).json(&body).send().await
    };
    let bare = post(json!({"user_name": "new", "new_password": PASSWORD})).await;
    let bare = bare.expect_problem(422, "validation_failed");
    assert_eq!(bare.fields(), ["display_name", "email"]);
    let full = json!({
        "user_name": "new", "display_name": "N. Ew", "email": "new@example.com",
        "new_password": PASSWORD,
    });
    post(full).await.expect(200);
}

async fn a_taken_name_and_a_bad_value_are_named(world: &World) {
    world.tenant("home").await;
    allow(world, json!({"enabled": true})).await;
    world.person("home", "ada").await;
    let flow = begin(world, "home").await.expect(201).json();
    for (answer, field) in [
        (
            json!({"user_name": "ADA", "new_password": PASSWORD}),
            "user_name",
        ),
        (
            json!({"user_name": "a\u{202e}b", "new_password": PASSWORD}),
            "user_name",
        ),
        (
            json!({"user_name": "new", "email": "a,b@c.example", "new_password": PASSWORD}),
            "email",
        ),
        (
            json!({"user_name": "new", "display_name": "a\nb", "new_password": PASSWORD}),
            "display_name",
        ),
        (
            json!({"user_name": "new", "new_password": "short"}),
            "new_password",
        ),
        (
            json!({"user_name": "newcomer-newcomer", "new_password": "newcomer-newcomer"}),
            "new_password",
        ),
        (
            json!({"user_name": "new", "new_password": PASSWORD, "grants": "x"}),
            "grants",
        ),
        (
            json!({"user_name": "new", "new_password": PASSWORD, "tenant": "away"}),
            "tenant",
        ),
    ] {
        let body = json!({"provider": "password", "answer": answer});
        let answer = world.post(flow_path(&flow)).json(&body).send().await;
        let answer = answer.expect_problem(422, "validation_failed");
        assert_eq!(answer.fields(), [field]);
    }
}
