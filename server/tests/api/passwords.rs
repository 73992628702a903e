//! S43: what a password may hold, over HTTP.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{PASSWORD, World, given, on_each_storage};

on_each_storage!(
    s43_the_whole_password_is_compared,
    s43_a_huge_password_is_refused_fast,
    w2_a_refused_password_is_told_why,
    a_password_does_not_grow_old,
);

/// v5.0.0-6.2.8.
async fn s43_the_whole_password_is_compared(world: &World) {
    world.tenant("home").await;
    let long = "quiet harbour lantern ".repeat(20);
    let cases = [
        // A hash that stops at byte 72 takes the second for the first.
        (format!("{}a", &long[..72]), format!("{}b", &long[..72])),
        (long[..73].to_owned(), long[..72].to_owned()),
        (
            format!("{}\u{0}one", &PASSWORD),
            format!("{}\u{0}two", &PASSWORD),
        ),
        (format!("{PASSWORD}\u{0}"), PASSWORD.to_owned()),
        (format!("{PASSWORD} "), PASSWORD.to_owned()),
        (format!(" {PASSWORD}"), PASSWORD.to_owned()),
        (PASSWORD.to_uppercase(), PASSWORD.to_owned()),
        (long[..400].to_owned(), long[..399].to_owned()),
    ];
    for (index, (right, wrong)) in cases.into_iter().enumerate() {
        let name = format!("user {index}");
        let person = world.make("home", &name, given(&right, false)).await;
        let refused = world.sign_in(&person, &wrong).await;
        refused.expect_problem(401, "sign_in_refused");
        world.token(&person, &right).await;
    }
    // The two ways to write one letter are one password (NFC).
    let composed = "caf\u{e9} harbour lantern 41";
    let person = world.make("home", "josé", given(composed, false)).await;
    world.token(&person, "cafe\u{301} harbour lantern 41").await;
}

async fn s43_a_huge_password_is_refused_fast(world: &World) {
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    let mut root = world.person("home", "root").await;
    world
        .grant(&root, gatelodge_core::model::Grant::TenantAdministrator)
        .await;
    root.name.clear();
    let token = world.session(&root).await;
    let begun = Instant::now();
    for (length, status, code) in [
        (1_025, 422, "validation_failed"),
        (60_000, 422, "validation_failed"),
        (100_000, 422, "validation_failed"),
        (1 << 20, 413, "payload_too_large"),
    ] {
        let huge = "x".repeat(length);
        let answer = world.sign_in(&ada, &huge).await;
        answer.expect_problem(status, code);
        let body = json!({"user_name": "new", "password": huge});
        let call = world.post("/api/v1/tenants/home/users").bearer(&token);
        call.json(&body).send().await.expect_problem(status, code);
        let body = json!({"token": "x", "tenant": "x", "user_name": "x", "password": huge});
        let answer = world.post("/api/v1/setup").json(&body).send().await;
        assert!(answer.status.is_client_error());
    }
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "work was done for it"
    );
    // As long as is allowed, it is compared; and none of it was counted as a try.
    for _ in 0..9 {
        world.sign_in(&ada, &"x".repeat(1_024)).await.expect(401);
    }
    world.token(&ada, PASSWORD).await;
}

async fn w2_a_refused_password_is_told_why(world: &World) {
    let token = {
        world.tenant("home").await;
        let root = world.person("home", "root").await;
        world
            .grant(&root, gatelodge_core::model::Grant::TenantAdministrator)
            .await;
        world.session(&root).await
    };
    for password in ["short", "passwordpassword", "newcomernewcomernewcomer"] {
        let body = json!({"user_name": "newcomer", "password": password});
        let call = world.post("/api/v1/tenants/home/users").bearer(&token);
        let answer = call
            .json(&body)
            .send()
            .await
            .expect_problem(422, "validation_failed");
        assert_eq!(answer.fields(), ["password"], "{password}");
        let message: Value = answer.json()["errors"][0]["message"].take();
        assert!(message.as_str().unwrap().len() > 10, "{message}");
        assert!(!answer.text().contains(&format!("\"{password}\"")));
    }
}

/// v5.0.0-6.2.10: nobody is made to change a password because of its age.
async fn a_password_does_not_grow_old(world: &World) {
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    world.pass(Duration::from_secs(2 * 366 * 24 * 60 * 60));
    let done = world.sign_in(&ada, PASSWORD).await.expect(200).json();
    assert_eq!(done["state"], "complete");
}
