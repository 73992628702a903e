//! What an unknown and a foreign tenant have in common: the answer (S34, T2).

use axum::http::Method;
use serde_json::json;

use crate::{
    matrix::{Fill, Role, Stage, everything_in},
    support::{Answer, World, description::operations, on_each_storage, town},
};

on_each_storage!(
    s34_a_foreign_tenant_and_an_unknown_one_answer_the_same_bytes,
    s34_a_tenant_named_in_header_body_or_query_does_not_count,
    t7_the_same_names_in_two_tenants_are_different_people,
    s36_a_filter_by_a_foreign_user_finds_nothing,
);

/// v5.0.0-8.4.1.
async fn s34_a_foreign_tenant_and_an_unknown_one_answer_the_same_bytes(world: &World) {
    let stage = Stage::new(world).await;
    let random = world.platform.environment().uuid().to_string();
    let away = stage.fill(world, &stage.town.tourist).await;
    for operation in operations() {
        if !operation.path.contains("{tenant}") {
            continue;
        }
        for role in [Role::User, Role::Administrator, Role::Scoped] {
            let mut first: Option<Answer> = None;
            for tenant in [
                away.tenant.as_str(),
                "away",
                random.as_str(),
                "nowhere",
                "a b",
            ] {
                let fill = Fill {
                    tenant: tenant.replace(' ', "%20"),
                    ..away.clone()
                };
                let answer = stage.ask(world, operation, role, &fill).await;
                let answer = answer.expect_problem(404, "not_found");
                match &first {
                    None => first = Some(answer),
                    Some(first) => {
                        let same = first.comparable() == answer.comparable();
                        assert!(same, "{} as {role:?}: {first}\n{answer}", operation.id);
                    }
                }
            }
        }
    }
}

async fn s34_a_tenant_named_in_header_body_or_query_does_not_count(world: &World) {
    let town = town(world).await;
    let home = town.mayor.tenant.to_string();
    let tenants = [town.mayor.tenant, town.stranger.tenant];
    let before = everything_in(world, &tenants).await;
    // The stranger's own path, with the other tenant named beside it.
    let own = "/api/v1/tenants/away/users";
    for name in ["x-tenant", "x-tenant-id", "tenant", "x-zitadel-orgid"] {
        let call = world.get(own).bearer(&town.stranger_token);
        let body = call.header(name, &home).send().await.expect(200).json();
        for user in body["items"].as_array().unwrap() {
            assert_eq!(user["tenant"], town.stranger.tenant.to_string());
        }
    }
    let body = json!({"user_name": "planted", "tenant": home});
    let call = world.post(own).bearer(&town.stranger_token).json(&body);
    call.send().await.expect_problem(400, "invalid_request");
    let call = world.get(format!("{own}?tenant={home}"));
    let answer = call.bearer(&town.stranger_token).send().await;
    answer.expect_problem(400, "invalid_request");
    assert_eq!(before, everything_in(world, &tenants).await);
}

async fn t7_the_same_names_in_two_tenants_are_different_people(world: &World) {
    let town = town(world).await;
    for name in ["home", "away"] {
        let call = world.post(format!("/api/v1/tenants/{name}/users"));
        let body = json!({"user_name": "ada", "email": "ada@example.com"});
        let call = call.bearer(&town.root_token).json(&body);
        call.send().await.expect(201);
    }
    let find = async |tenant: &str, token: &str| {
        let path = format!("/api/v1/tenants/{tenant}/users?search=ADA");
        let found = world
            .get(path)
            .bearer(token)
            .send()
            .await
            .expect(200)
            .json();
        assert_eq!(found["items"].as_array().unwrap().len(), 1);
        found["items"][0]["id"].as_str().unwrap().to_owned()
    };
    let here = find("home", &town.mayor_token).await;
    let there = find("away", &town.stranger_token).await;
    assert_ne!(here, there);
    // Each in its own tenant only.
    for (id, tenant, token) in [
        (&here, "away", &town.stranger_token),
        (&there, "home", &town.mayor_token),
    ] {
        for method in [Method::GET, Method::DELETE] {
            let path = format!("/api/v1/tenants/{tenant}/users/{id}");
            let answer = world.call(method, path).bearer(token).send().await;
            answer.expect_problem(404, "not_found");
        }
    }
}

async fn s36_a_filter_by_a_foreign_user_finds_nothing(world: &World) {
    let town = town(world).await;
    let ids = [
        town.tourist.id.to_string(),
        world.platform.environment().uuid().to_string(),
    ];
    for id in ids {
        for list in [
            format!("/api/v1/tenants/home/sessions?ended=true&user={id}"),
            format!("/api/v1/tenants/home/audit-events?object={id}"),
        ] {
            let found = world.get(list).bearer(&town.mayor_token).send().await;
            assert_eq!(found.expect(200).json(), json!({"items": []}));
        }
    }
}
