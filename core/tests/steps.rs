//! Steps are answered once, by the browser that owns the flow, in time.

use std::sync::Arc;

use gatelodge_core::{
    ErrorKind,
    engine::{FlowHandle, Progress, Reply, StartFlow, Transport},
    model::Tenant,
    secret::Token,
};

use crate::support::{Browser, MILLISECOND, World, fields, kind, minutes, refused};

async fn world() -> (World, Tenant) {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    (world, acme)
}

async fn world_with_code() -> (World, Tenant) {
    let (world, acme) = world().await;
    world.enrol_code(&acme, "ada", "ada's word", "123456").await;
    (world, acme)
}

#[tokio::test]
async fn a_step_that_was_answered_is_a_conflict() {
    let (world, acme) = world_with_code().await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    let first = browser.view.clone();
    browser.word(&world, "ada", "ada's word").await.unwrap();
    let mut replayed = browser.clone();
    replayed.view = first.clone();
    let again = replayed.word(&world, "ada", "ada's word").await;
    assert_eq!(kind(again), ErrorKind::Conflict);
    replayed.view = first;
    assert_eq!(
        kind(replayed.code(&world, "123456").await),
        ErrorKind::Conflict
    );

    let second = browser.clone();
    browser.code(&world, "123456").await.unwrap();
    let again = second.clone().code(&world, "123456").await;
    assert_eq!(kind(again), ErrorKind::Conflict);
    let unnamed = Reply {
        step: None,
        provider: "code".to_owned(),
        answer: fields(&[("code", "123456")]),
        device: None,
        stay: false,
    };
    let again = browser.send(&world, unnamed).await;
    assert_eq!(kind(again), ErrorKind::Conflict, "the flow is complete");
}

#[tokio::test]
async fn whoever_names_no_step_answers_the_current_one() {
    let (world, acme) = world().await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    let reply = Reply {
        step: None,
        provider: "password".to_owned(),
        answer: fields(&[("user_name", "ada"), ("password", "ada's word")]),
        device: None,
        stay: false,
    };
    browser.send(&world, reply).await.unwrap();
    assert!(browser.token().is_some());
}

/// R5: one step, 32 right answers at once, one session.
#[tokio::test]
async fn of_parallel_right_answers_exactly_one_gives_a_session() {
    let (world, acme) = world_with_code().await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    browser.word(&world, "ada", "ada's word").await.unwrap();
    let world = Arc::new(world);
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let (world, mut browser) = (world.clone(), browser.clone());
            tokio::spawn(async move { browser.code(&world, "123456").await })
        })
        .collect();
    let mut signed_in = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(Progress::Complete(_)) => signed_in += 1,
            Ok(other) => panic!("{other:?}"),
            Err(error) => assert!(
                matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Limited),
                "{error:?}"
            ),
        }
    }
    assert_eq!(signed_in, 1);
    let started = world.count(&acme, "session.start").await;
    assert_eq!(started, 3, "two while the code was set up, and this one");
    // Who came too late answered nothing wrong: the lane is free again.
    for _ in 0..2 {
        let mut next = Browser::at_tenant(&world, &acme).await;
        next.word(&world, "ada", "ada's word").await.unwrap();
        for _ in 0..4 {
            assert!(refused(&next.code(&world, "000000").await.unwrap()));
        }
        next.code(&world, "123456").await.unwrap();
    }
}

#[tokio::test]
async fn a_flow_is_not_there_for_another_browser() {
    let (world, acme) = world().await;
    let browser = Browser::at_tenant(&world, &acme).await;
    let other = Browser::at_tenant(&world, &acme).await;
    let made_up = Some(Token::generate(world.platform.environment()));
    for binding in [None, other.handle.binding.clone(), made_up] {
        let mut stolen = browser.clone();
        stolen.handle.binding = binding;
        let answer = stolen.word(&world, "ada", "ada's word").await;
        assert_eq!(kind(answer), ErrorKind::NotFound);
        let sign_in = world.platform.sign_in();
        let seen = sign_in.view(&stolen.handle, &stolen.client).await;
        assert_eq!(kind(seen), ErrorKind::NotFound);
        assert_eq!(
            kind(sign_in.cancel(&stolen.handle).await),
            ErrorKind::NotFound
        );
    }
    assert_eq!(world.word.asked(), 0);
}

/// S01: what somebody planted before the proof is worth nothing after it.
#[tokio::test]
async fn s01_the_binding_is_new_after_every_proof() {
    let (world, acme) = world_with_code().await;
    let planted = Browser::at_tenant(&world, &acme).await;
    let mut victim = planted.clone();
    victim.word(&world, "ada", "ada's word").await.unwrap();
    assert_ne!(victim.handle.binding, planted.handle.binding);
    let mut attacker = planted.clone();
    attacker.view = victim.view.clone();
    assert_eq!(
        kind(attacker.code(&world, "123456").await),
        ErrorKind::NotFound
    );
    let sign_in = world.platform.sign_in();
    let seen = sign_in.view(&planted.handle, &planted.client).await;
    assert_eq!(kind(seen), ErrorKind::NotFound);
    victim.code(&world, "123456").await.unwrap();
    assert!(victim.token().is_some());
}

#[tokio::test]
async fn a_flow_lives_for_ten_minutes_whatever_happens_in_it() {
    let (world, acme) = world_with_code().await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    world.pass(minutes(9));
    browser.word(&world, "ada", "ada's word").await.unwrap();
    let mut late = browser.clone();
    world.pass(minutes(1) - MILLISECOND);
    assert!(refused(&browser.code(&world, "000000").await.unwrap()));
    world.pass(MILLISECOND);
    assert_eq!(kind(late.code(&world, "123456").await), ErrorKind::NotFound);
    let sign_in = world.platform.sign_in();
    let seen = sign_in.view(&browser.handle, &browser.client).await;
    assert_eq!(kind(seen), ErrorKind::NotFound);
    assert!(!world.platform.tidy().await.unwrap());
}

#[tokio::test]
async fn a_flow_that_was_given_up_is_gone() {
    let (world, acme) = world().await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    world
        .platform
        .sign_in()
        .cancel(&browser.handle)
        .await
        .unwrap();
    let answer = browser.word(&world, "ada", "ada's word").await;
    assert_eq!(kind(answer), ErrorKind::NotFound);
    let nowhere = FlowHandle {
        id: "made up".to_owned(),
        binding: None,
    };
    let seen = world
        .platform
        .sign_in()
        .view(&nowhere, &browser.client)
        .await;
    assert_eq!(kind(seen), ErrorKind::NotFound);
}

#[tokio::test]
async fn without_cookies_the_flows_id_is_the_secret() {
    let (world, acme) = world_with_code().await;
    let start = StartFlow {
        transport: Transport::Token,
        ..crate::support::sign_in_at(&acme)
    };
    let mut client = Browser::start(&world, start).await.unwrap();
    assert!(Token::parse(&client.handle.id).is_some());
    assert!(client.handle.binding.is_none());
    client.word(&world, "ada", "ada's word").await.unwrap();
    client.code(&world, "123456").await.unwrap();
    assert!(world.knows(&client).await);
}

#[tokio::test]
async fn a_step_that_cannot_be_stored_is_not_taken() {
    let (world, acme) = world_with_code().await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    world.storage.break_down(true);
    let answer = browser.word(&world, "ada", "ada's word").await;
    assert_eq!(kind(answer), ErrorKind::Unavailable);
    world.storage.break_down(false);
    browser.word(&world, "ada", "ada's word").await.unwrap();
    browser.code(&world, "123456").await.unwrap();
    assert!(browser.token().is_some());
}

#[tokio::test]
async fn a_flow_leads_only_to_pages_of_this_server() {
    let (world, acme) = world().await;
    let to = |path: &str| StartFlow {
        return_to: Some(path.to_owned()),
        ..crate::support::sign_in_at(&acme)
    };
    let evil = Browser::start(&world, to("//evil.example")).await;
    assert_eq!(kind(evil), ErrorKind::Invalid);
    let mut browser = Browser::start(&world, to("/account?tab=1")).await.unwrap();
    browser.word(&world, "ada", "ada's word").await.unwrap();
    let done = browser.done.unwrap();
    assert_eq!(done.return_to.as_deref(), Some("/account?tab=1"));
}

#[tokio::test]
async fn a_network_starts_only_so_many_flows_a_minute() {
    let world = World::with(|plan| plan.limits.flows_per_minute = 3).await;
    let start = || StartFlow::sign_in(Transport::Cookie);
    for _ in 0..3 {
        Browser::start(&world, start()).await.unwrap();
    }
    let limited = Browser::start(&world, start()).await;
    assert_eq!(kind(limited), ErrorKind::Limited);
    Browser::start_from(&world, start(), "192.0.2.2")
        .await
        .unwrap();
    world.pass(minutes(1));
    Browser::start(&world, start()).await.unwrap();
}
