//! scratch
use crate::support::{PASSWORD, World, flow_path, town};
use serde_json::json;

#[tokio::test]
async fn s40_registration_that_is_switched_off_is_off_for_flows_that_began() {
    let world = World::in_memory().await;
    let town = town(&world).await;
    let put = async |on: bool| {
        let call = world
            .put("/api/v1/tenants/home/settings")
            .bearer(&town.mayor_token);
        call.json(&json!({"registration": {"enabled": on}}))
            .send()
            .await
            .expect(200);
    };
    put(true).await;
    let flow = world
        .begin(json!({"tenant": "home", "intent": "sign_up"}))
        .await;
    put(false).await;
    let body =
        json!({"provider": "password", "answer": {"user_name": "late", "new_password": PASSWORD}});
    let answer = world.post(flow_path(&flow)).json(&body).send().await;
    assert!(answer.status.is_client_error(), "{answer}");
}

#[tokio::test]
async fn t8_a_flow_of_a_deleted_tenant_signs_nobody_in_elsewhere() {
    let world = World::in_memory().await;
    let town = town(&world).await;
    world.person_with_password("away", "only").await;
    let flow = world.begin(json!({"tenant": "home"})).await;
    let gone = world
        .delete("/api/v1/tenants/home?force=true")
        .bearer(&town.root_token);
    gone.send().await.expect(204);
    let answer = world.enter(&flow, "only", PASSWORD).await;
    assert!(answer.status.is_client_error(), "{answer}");
}

#[tokio::test]
async fn s20_a_flow_half_done_does_not_survive_deletion() {
    let world = World::in_memory().await;
    let town = town(&world).await;
    let ada = world
        .make("home", "ada", crate::support::given(PASSWORD, true))
        .await;
    let flow = world.begin(json!({"tenant": "home"})).await;
    world.enter(&flow, "ada", PASSWORD).await.expect(200);
    world
        .delete(ada.path())
        .bearer(&town.mayor_token)
        .send()
        .await
        .expect(204);
    let body = json!({"provider": "duty:change-credential", "answer": {"new_password": "copper meadow violin 77"}});
    let answer = world.post(flow_path(&flow)).json(&body).send().await;
    assert!(answer.status.is_client_error(), "{answer}");
    let answer = world.get(flow_path(&flow)).send().await;
    assert!(
        answer.status.is_client_error() || answer.status.is_success(),
        "{answer}"
    );
}

#[tokio::test]
async fn s20_an_enrolment_asked_for_in_a_session_dies_with_it() {
    let world = World::in_memory().await;
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    let token = world.token(&ada, PASSWORD).await;
    let body = json!({"transport": "token", "intent": "enrol", "provider": "password"});
    let flow = world
        .post("/api/v1/sign-in/flows")
        .bearer(&token)
        .json(&body)
        .send()
        .await
        .expect(201)
        .json();
    let prove = json!({"provider": "password", "answer": {"password": PASSWORD}});
    world
        .post(flow_path(&flow))
        .json(&prove)
        .send()
        .await
        .expect(200);
    world
        .delete("/api/v1/session")
        .bearer(&token)
        .send()
        .await
        .expect(204);
    let change =
        json!({"provider": "password", "answer": {"new_password": "copper meadow violin 77"}});
    let answer = world.post(flow_path(&flow)).json(&change).send().await;
    assert!(answer.status.is_client_error(), "{answer}");
}
