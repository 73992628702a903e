//! Behind a pooler that hands connections out per transaction.

use std::time::{Duration, Instant};

use gatelodge_e2e::{
    nodes::Nodes,
    revocation::Seen,
    storage::Postgres,
    wait,
    world::{HOME, World},
};
use gatelodge_postgres::{PoolMode, Pooler};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_work_behind_a_pooler_and_follow_changes_through_it() {
    works_behind_a_pooler(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_work_behind_a_pooler_and_follow_changes_past_it() {
    works_behind_a_pooler(true).await;
}

async fn works_behind_a_pooler(is_direct: bool) {
    let postgres = Postgres::new();
    let target = postgres.superuser_url().to_owned();
    let start = move || Pooler::start(&target, PoolMode::Transaction);
    let pooler = tokio::task::spawn_blocking(start).await.unwrap();
    let behind = postgres.behind(&pooler, is_direct);
    // Set up and signed in through it.
    let nodes = Nodes::on(behind.clone(), behind, "").await;
    let world = &nodes.world;
    let password = world.user(HOME, "ada").await;
    let here = format!("/t/{HOME}");
    let visitor = world.visitor();
    visitor.sign_in(&here, "ada", &password).await;
    assert!(visitor.at(&nodes.other).is_signed_in(&here).await);
    assert_eq!(sessions_listed(world, &visitor.cookies()).await, 1);

    let mut seen = Seen::default();
    for _ in 0..5 {
        let program = world.nobody().sign_in(HOME, "ada", &password).await;
        let there = program.at(&nodes.other);
        for _ in 0..2 {
            there.get("/api/v1/session").await.expect(200);
        }
        let sessions = program.get("/api/v1/account/sessions").await.expect(200);
        assert_eq!(sessions["items"].as_array().unwrap().len(), 2, "{sessions}");
        program.delete("/api/v1/session").await.expect(204);
        seen.add(&Seen::until_refused(&there, Instant::now()).await);
    }
    world
        .run(&["user", "lock", "-t", HOME, "ada"])
        .await
        .succeeded();
    let since = Instant::now();
    wait::until("the lock on the other node", async || {
        !visitor.at(&nodes.other).is_signed_in(&here).await
    })
    .await;
    println!(
        "behind a pooler, changes followed {}: 5 sessions revoked; {seen}; a lock after {:.3?}",
        if is_direct { "past it" } else { "through it" },
        since.elapsed()
    );
    assert!(seen.accepted < Duration::from_secs(1), "{seen}");
    let new = json!({ "name": "late" });
    let made = world.administrator.post("/api/v1/tenants", new).await;
    made.expect(201);
}

/// How many sessions the administrator sees of the user `ada`.
async fn sessions_listed(world: &World, cookies: &str) -> usize {
    assert!(!cookies.is_empty());
    let listed = world
        .run(&["--json", "user", "sessions", "-t", HOME, "ada"])
        .await
        .json();
    let sessions = listed.as_array().or_else(|| listed["items"].as_array());
    sessions.unwrap().len()
}
