//! `/api/v1/account/sessions`: one's own sessions.

use serde_json::json;

use crate::support::{World, on_each_storage, town};

const SESSIONS: &str = "/api/v1/account/sessions";

on_each_storage!(
    one_sees_and_ends_ones_own_sessions_only,
    one_ends_all_sessions_but_the_present_one,
);

async fn id_of(world: &World, token: &str) -> String {
    let read = world
        .get("/api/v1/session")
        .bearer(token)
        .send()
        .await
        .expect(200);
    read.json()["session"]["id"].as_str().unwrap().to_owned()
}

async fn one_sees_and_ends_ones_own_sessions_only(world: &World) {
    let town = town(world).await;
    let second = world.session(&town.citizen).await;
    let listed = world
        .get(SESSIONS)
        .bearer(&second)
        .send()
        .await
        .expect(200)
        .json();
    let items = listed["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    let present = id_of(world, &second).await;
    for item in items {
        assert_eq!(item["user"], town.citizen.id.to_string());
        assert_eq!(item["current"], item["id"] == present);
    }
    let end = async |token: &str, id: &str| {
        world
            .delete(format!("{SESSIONS}/{id}"))
            .bearer(token)
            .send()
            .await
    };
    // Others' are not there, for administrators neither.
    for token in [&town.mayor_token, &town.root_token, &town.stranger_token] {
        end(token, &present).await.expect_problem(404, "not_found");
    }
    for id in [
        town.citizen.id.to_string(),
        "x".to_owned(),
        present.to_uppercase() + "0",
    ] {
        end(&second, &id).await.expect_problem(404, "not_found");
    }
    assert!(world.accepts(&second).await);
    let first = id_of(world, &town.citizen_token).await;
    end(&second, &first).await.expect(204);
    assert!(!world.accepts(&town.citizen_token).await);
    end(&second, &first).await.expect_problem(404, "not_found");
    // The present one can be ended like this too.
    end(&second, &present).await.expect(204);
    assert!(!world.accepts(&second).await);
}

async fn one_ends_all_sessions_but_the_present_one(world: &World) {
    let town = town(world).await;
    let present = world.session(&town.citizen).await;
    let third = world.session(&town.citizen).await;
    let ended = world.delete(SESSIONS).bearer(&present).send().await;
    assert_eq!(ended.expect(200).json(), json!({"ended": 2}));
    for (token, accepted) in [
        (&present, true),
        (&third, false),
        (&town.citizen_token, false),
        (&town.mayor_token, true),
        (&town.tourist_token, true),
    ] {
        assert_eq!(world.accepts(token).await, accepted);
    }
}
