//! `/api/v1/tenants/{tenant}/sessions`: what administrators see and end.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{PASSWORD, Town, World, on_each_storage, redacted, town};

const SESSIONS: &str = "/api/v1/tenants/home/sessions";

on_each_storage!(
    sessions_are_listed_with_their_end,
    one_session_is_ended_by_its_id,
    tenants_are_listed_as_far_as_one_may_see,
);

async fn list(world: &World, town: &Town, query: &str) -> Vec<Value> {
    let call = world
        .get(format!("{SESSIONS}?{query}"))
        .bearer(&town.mayor_token);
    let listed = call.send().await.expect(200).json();
    listed["items"].as_array().unwrap().clone()
}

async fn sessions_are_listed_with_their_end(world: &World) {
    let town = town(world).await;
    let ada = world.person_with_password("home", "ada").await;
    let signed_out = world.token(&ada, PASSWORD).await;
    world
        .delete("/api/v1/session")
        .bearer(&signed_out)
        .send()
        .await
        .expect(204);
    world.token(&ada, PASSWORD).await;
    let of_ada = format!("user={}", ada.id);
    assert_eq!(list(world, &town, &of_ada).await.len(), 1);
    let all = list(world, &town, &format!("{of_ada}&ended=true")).await;
    assert_eq!(all.len(), 2);
    let ended = all
        .iter()
        .find(|session| !session["ended_at"].is_null())
        .unwrap();
    assert_eq!(
        redacted(ended.clone()),
        json!({
            "id": "<id>", "user": "<id>", "user_name": "ada", "application": null, "amr": ["pwd"],
            "address": "192.0.2.1", "user_agent": null, "started_at": "<time>",
            "last_active_at": "<time>", "expires_at": "<time>", "ended_at": "<time>",
            "end_reason": "signed_out", "current": false,
        })
    );
    let own = list(world, &town, &format!("user={}", town.mayor.id)).await;
    assert_eq!(own[0]["current"], true);
    // An abandoned one ended when it was last used, and its time was up.
    let began: jiff::Timestamp = all[0]["started_at"].as_str().unwrap().parse().unwrap();
    world.pass(Duration::from_secs(29 * 60));
    assert!(world.accepts(&town.mayor_token).await);
    world.platform.flush_activity().await.unwrap();
    world.pass(Duration::from_secs(29 * 60));
    let all = list(world, &town, &format!("{of_ada}&ended=true")).await;
    let timed_out = all
        .iter()
        .find(|session| session["end_reason"] == "timed_out")
        .unwrap();
    let at: jiff::Timestamp = timed_out["ended_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(at.duration_since(began).as_secs(), 30 * 60);
    assert!(list(world, &town, &of_ada).await.is_empty());
    for wrong in ["user=x", "user=", "ended=1", "ended", "valid=true"] {
        let call = world
            .get(format!("{SESSIONS}?{wrong}"))
            .bearer(&town.mayor_token);
        call.send().await.expect_problem(400, "invalid_request");
    }
}

async fn one_session_is_ended_by_its_id(world: &World) {
    let town = town(world).await;
    let session = &list(world, &town, &format!("user={}", town.citizen.id)).await[0];
    let path = format!("{SESSIONS}/{}", session["id"].as_str().unwrap());
    let end = || world.delete(&path).bearer(&town.mayor_token).send();
    end().await.expect(204);
    assert!(!world.accepts(&town.citizen_token).await);
    end().await.expect_problem(404, "not_found");
    for id in ["x", "", "..", "%00"] {
        let answer = world
            .delete(format!("{SESSIONS}/{id}"))
            .bearer(&town.mayor_token);
        assert_eq!(answer.send().await.status.as_u16(), 404, "{id}");
    }
    let all = list(world, &town, "ended=true").await;
    let ended = all
        .iter()
        .find(|session| session["end_reason"] == "revoked")
        .unwrap();
    assert_eq!(ended["user"], town.citizen.id.to_string());
}

async fn tenants_are_listed_as_far_as_one_may_see(world: &World) {
    let town = town(world).await;
    let names = async |token: &str, query: &str| {
        let call = world.get(format!("/api/v1/tenants?{query}")).bearer(token);
        let listed = call.send().await.expect(200).json();
        let items = listed["items"].as_array().unwrap().iter();
        let mut names: Vec<_> = items
            .map(|t| t["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&town.root_token, "").await, ["away", "home", "lodge"]);
    assert_eq!(names(&town.root_token, "search=O").await, ["home", "lodge"]);
    assert_eq!(names(&town.mayor_token, "").await, ["home"]);
    assert_eq!(names(&town.mayor_token, "search=away").await, [""; 0]);
    assert_eq!(names(&town.stranger_token, "").await, ["away"]);
}
