//! Providers that have no room for another answer.

use std::time::Duration;

use gatelodge_core::{
    ErrorKind,
    engine::{Progress, Reply, ReplyAnswer, StartFlow, Transport},
    model::{RegistrationSettings, Tenant, TenantSettings},
    provider::Intent,
};

use crate::support::{Browser, WRONG, World, fields, kind, refused, sign_in_at};

const WAIT: Duration = Duration::from_secs(7);

async fn world() -> (World, Tenant) {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    (world, acme)
}

/// What somebody is told who answers now, and how many units that takes.
async fn told(world: &World, browser: &mut Browser, reply: Reply) -> (String, usize) {
    let before = world.storage.begun();
    let error = browser.send(world, reply).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.retry_after(), Some(WAIT));
    (error.to_string(), world.storage.begun() - before)
}

fn reply(provider: &str, answer: ReplyAnswer) -> Reply {
    Reply {
        step: None,
        provider: provider.to_owned(),
        answer,
        device: None,
        stay: false,
    }
}

#[tokio::test]
async fn a_busy_provider_tells_everybody_the_same_and_looks_at_nothing() {
    let (world, acme) = world().await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    let mut lost = browser.clone();
    lost.handle.id = "no such flow".to_owned();
    world.word.is_busy(Some(WAIT));
    let mut heard = Vec::new();
    for (name, word) in [("ada", "ada's word"), ("ada", WRONG), ("nobody", WRONG)] {
        let answer = fields(&[("user_name", name), ("password", word)]);
        heard.push(told(&world, &mut browser, reply("password", answer.clone())).await);
        heard.push(told(&world, &mut lost, reply("password", answer)).await);
    }
    let button = ReplyAnswer::Action("again".to_owned());
    heard.push(told(&world, &mut browser, reply("password", button)).await);
    heard.dedup();
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert_eq!(heard[0].1, 0, "nothing is read or written");
    assert_eq!(world.word.asked(), 0);
}

#[tokio::test]
async fn a_refusal_for_want_of_room_is_no_try_and_the_flow_goes_on_afterwards() {
    let (world, acme) = world().await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    let recorded = world.actions(&acme).await;
    world.word.is_busy(Some(WAIT));
    for _ in 0..200 {
        let busy = browser.word(&world, "ada", WRONG).await;
        assert_eq!(kind(busy), ErrorKind::Unavailable);
    }
    assert_eq!(world.actions(&acme).await, recorded);
    world.word.is_busy(None);
    for _ in 0..9 {
        assert!(refused(&browser.word(&world, "ada", WRONG).await.unwrap()));
    }
    browser.word(&world, "ada", "ada's word").await.unwrap();
    assert!(world.knows(&browser).await);
}

#[tokio::test]
async fn what_makes_no_work_goes_on_while_a_provider_is_busy() {
    let (world, acme) = world().await;
    world.enrol_code(&acme, "ada", "ada's word", "123456").await;
    let mut half = Browser::at_tenant(&world, &acme).await;
    half.word(&world, "ada", "ada's word").await.unwrap();
    world.word.is_busy(Some(WAIT));
    // Another provider, looking at the step, and beginning anew.
    half.code(&world, "123456").await.unwrap();
    assert!(world.knows(&half).await);
    let mut browser = Browser::start(&world, sign_in_at(&acme)).await.unwrap();
    let shown = browser.go(&world, "password").await.unwrap();
    assert!(matches!(shown, Progress::Next { .. }));
    let unknown = browser.fill(&world, "nothing", &[]).await;
    assert_eq!(kind(unknown), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_busy_provider_makes_no_account_either() {
    let (world, acme) = world().await;
    let registration = RegistrationSettings {
        enabled: Some(true),
        ..Default::default()
    };
    let open = TenantSettings {
        registration,
        ..Default::default()
    };
    world.put_settings(&acme, open).await;
    let start = StartFlow {
        intent: Intent::SignUp,
        transport: Transport::Cookie,
        ..sign_in_at(&acme)
    };
    let mut browser = Browser::start(&world, start).await.unwrap();
    world.word.is_busy(Some(WAIT));
    let mut heard = Vec::new();
    for name in ["ada", "bob"] {
        let answer = fields(&[("user_name", name), ("new_password", "bob's word")]);
        heard.push(told(&world, &mut browser, reply("password", answer)).await);
    }
    assert_eq!(heard[0], heard[1], "a taken name looks like a free one");
    assert_eq!(world.count(&acme, "user.create").await, 1);
}
