//! Locking somebody while they work.

use std::time::Duration;

use gatelodge_e2e::{
    visitor::Visitor,
    wait,
    world::{HOME, World},
};
use serde_json::json;

/// How soon a change by another process must be in force.
const SECOND: Duration = Duration::from_secs(1);

async fn refused_within_a_second(visitor: &Visitor, base: &str) {
    let refused = wait::holds_within(SECOND, async || !visitor.is_signed_in(base).await).await;
    assert!(refused, "the session still works after a second");
}

/// U5, U7, S6: a lock from the command line reaches a running server within a second, and unlocking lets in again.
#[tokio::test]
async fn a_user_locked_from_the_command_line_is_refused_within_a_second() {
    let world = World::new().await;
    let password = world.user(HOME, "ada").await;
    let here = format!("/t/{HOME}");
    let visitor = world.visitor();
    visitor.sign_in(&here, "ada", &password).await;
    assert!(visitor.is_signed_in(&here).await);
    let program = world.nobody().sign_in(HOME, "ada", &password).await;

    world
        .run(&[
            "user",
            "lock",
            "-t",
            HOME,
            "ada",
            "--reason",
            "left the house",
        ])
        .await
        .succeeded();
    refused_within_a_second(&visitor, &here).await;
    assert!(!program.is_signed_in().await);
    let again = visitor.sign_in(&here, "ada", &password).await;
    assert_eq!(again.status, 401);
    assert!(
        !again.says("left the house") && !again.says("locked"),
        "{}",
        again.text()
    );

    world
        .run(&["user", "unlock", "-t", HOME, "ada"])
        .await
        .succeeded();
    assert!(
        !visitor.is_signed_in(&here).await,
        "an ended session came back"
    );
    visitor.sign_in(&here, "ada", &password).await;
    assert!(visitor.is_signed_in(&here).await);
}

#[tokio::test]
async fn a_tenant_locked_from_the_command_line_is_refused_within_a_second() {
    let world = World::new().await;
    world.tenant("other").await;
    let password = world.user("other", "ada").await;
    let visitor = world.visitor();
    visitor.sign_in("/t/other", "ada", &password).await;
    assert!(visitor.is_signed_in("/t/other").await);
    world.run(&["tenant", "lock", "other"]).await.succeeded();
    refused_within_a_second(&visitor, "/t/other").await;
    assert_eq!(
        visitor.sign_in("/t/other", "ada", &password).await.status,
        401
    );
    assert!(
        world.administrator.is_signed_in().await,
        "a lock reaches its own tenant only"
    );
}

#[tokio::test]
async fn a_lock_in_the_console_ends_the_persons_sessions_at_once() {
    let world = World::new().await;
    let password = world.user(HOME, "ada").await;
    let here = format!("/t/{HOME}");
    let visitor = world.visitor();
    visitor.sign_in(&here, "ada", &password).await;
    let keeper = gatelodge_e2e::world::ADMINISTRATOR;
    let browser = world.browser().await;
    browser
        .signs_in(&here, keeper, gatelodge_e2e::world::ADMINISTRATORS_PASSWORD)
        .await;
    browser.press_named("Users").await;
    browser.press_named("ada").await;
    browser.fill("reason", "on leave").await;
    browser.send_form_of("reason").await;
    browser.reads("Reason: on leave").await;
    assert!(!visitor.is_signed_in(&here).await);
    browser.press_named("Unlock").await;
    browser.element("[name=reason]").await;
    browser.close().await;
    visitor.sign_in(&here, "ada", &password).await;
    assert!(visitor.is_signed_in(&here).await);
}

#[tokio::test]
async fn a_deleted_user_is_gone_at_once() {
    let world = World::new().await;
    let password = world.user(HOME, "ada").await;
    let program = world.nobody().sign_in(HOME, "ada", &password).await;
    let id = program.get("/api/v1/session").await.expect(200)["user"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/api/v1/tenants/{HOME}/users/{id}");
    world.administrator.delete(&path).await.expect(204);
    assert!(!program.is_signed_in().await);
    assert!(
        world
            .nobody()
            .try_sign_in(Some(HOME), "ada", &password)
            .await
            .is_err()
    );
    // The name is free again, and what was the other's is not the new one's.
    let other = world.user(HOME, "ada").await;
    assert!(!program.is_signed_in().await);
    let new = world.nobody().sign_in(HOME, "ada", &other).await;
    assert_ne!(
        new.get("/api/v1/session").await.body["user"]["id"],
        json!(id)
    );
}
