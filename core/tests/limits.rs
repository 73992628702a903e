//! Brute force.

use std::{sync::Arc, time::Duration};

use gatelodge_core::{
    ErrorKind,
    access::Caller,
    engine::Progress,
    model::{Tenant, User},
};

use crate::support::{
    Browser, MILLISECOND, Plan, WRONG, World, kind, minutes, refused, sign_in_at,
};

const HALF_A_MINUTE: Duration = Duration::from_secs(30);

async fn world_with(change: impl FnOnce(&mut Plan)) -> (World, Tenant, User) {
    let world = World::with(|plan| {
        plan.limits.flows_per_minute = 10_000;
        change(plan);
    })
    .await;
    let acme = world.tenant("acme").await;
    let ada = world.user(&acme, "ada", "ada's word").await;
    (world, acme, ada)
}

async fn from(world: &World, acme: &Tenant, network: &str) -> Browser {
    let started = Browser::start_from(world, sign_in_at(acme), network).await;
    started.unwrap()
}

/// Wrong words until nothing more is tried, each from a network of its own.
async fn exhaust(world: &World, acme: &Tenant, name: &str) -> u32 {
    for tried in 0..200 {
        let mut browser = from(world, acme, &format!("198.51.100.{tried}")).await;
        match browser.word(world, name, WRONG).await {
            Ok(progress) => assert!(refused(&progress)),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Limited);
                return tried;
            }
        }
    }
    panic!("a lane ends")
}

/// S10: 500 parallel wrong answers with a limit of ten.
#[tokio::test]
async fn s10_parallel_wrong_answers_do_not_slip_through() {
    let (world, acme, _) = world_with(|_| ()).await;
    let world = Arc::new(world);
    let mut tasks = Vec::new();
    for number in 0..500 {
        let network = format!("2001:db8:{number:x}::/64");
        let mut browser = from(&world, &acme, &network).await;
        let world = world.clone();
        tasks.push(tokio::spawn(async move {
            browser.word(&world, "ada", WRONG).await
        }));
    }
    let mut limited = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(progress) => assert!(refused(&progress)),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Limited);
                assert_eq!(error.retry_after(), Some(HALF_A_MINUTE));
                limited += 1;
            }
        }
    }
    assert_eq!((world.word.asked(), limited), (10, 490));
    let mut right = from(&world, &acme, "203.0.113.9").await;
    let too_late = right.word(&world, "ada", "ada's word").await;
    assert_eq!(kind(too_late), ErrorKind::Limited);
    assert_eq!(world.word.asked(), 10);

    world.pass(HALF_A_MINUTE - MILLISECOND);
    let early = right.word(&world, "ada", "ada's word").await;
    assert_eq!(kind(early), ErrorKind::Limited);
    world.pass(MILLISECOND);
    right.word(&world, "ada", "ada's word").await.unwrap();
    assert!(right.token().is_some());
}

/// L9: an unknown name runs into the same wall.
#[tokio::test]
async fn s10_unknown_names_are_limited_like_known_ones() {
    let (world, acme, _) = world_with(|_| ()).await;
    for name in ["ada", "nobody"] {
        assert_eq!(exhaust(&world, &acme, name).await, 10, "{name}");
    }
    let mut bob = from(&world, &acme, "203.0.113.9").await;
    assert!(refused(&bob.word(&world, "bob", WRONG).await.unwrap()));
}

#[tokio::test]
async fn a_right_answer_starts_the_count_anew() {
    let (world, acme, _) = world_with(|_| ()).await;
    for _ in 0..3 {
        for _ in 0..9 {
            let mut browser = from(&world, &acme, "203.0.113.1").await;
            assert!(refused(&browser.word(&world, "ada", WRONG).await.unwrap()));
        }
        world.signed_in(&acme, "ada", "ada's word").await;
    }
}

#[tokio::test]
async fn malformed_answers_and_faults_are_no_tries() {
    let (world, acme, _) = world_with(|_| ()).await;
    let mut browser = from(&world, &acme, "203.0.113.1").await;
    for _ in 0..30 {
        let short = browser.word(&world, "ada", "abc").await.unwrap();
        assert!(matches!(short, Progress::Invalid { .. }));
        let fault = browser.word(&world, "ada", "fault").await;
        assert_eq!(kind(fault), ErrorKind::Unavailable);
    }
    assert_eq!(exhaust(&world, &acme, "ada").await, 10);
    // Nor do they make a wait longer that was sat out.
    world.pass(HALF_A_MINUTE);
    for _ in 0..5 {
        let short = browser.word(&world, "ada", "abc").await.unwrap();
        assert!(matches!(short, Progress::Invalid { .. }));
    }
    browser.word(&world, "ada", "ada's word").await.unwrap();
    assert!(browser.token().is_some());
}

#[tokio::test]
async fn waits_grow_with_every_further_wrong_answer() {
    let (world, acme, _) = world_with(|_| ()).await;
    exhaust(&world, &acme, "ada").await;
    for wait in [30, 60, 120] {
        let mut browser = from(&world, &acme, "203.0.113.1").await;
        let early = browser.word(&world, "ada", WRONG).await.unwrap_err();
        assert_eq!(early.retry_after(), Some(Duration::from_secs(wait)));
        world.pass(Duration::from_secs(wait));
        assert!(refused(&browser.word(&world, "ada", WRONG).await.unwrap()));
    }
}

/// Q1: nobody can lock another out of a browser that signed in before.
#[tokio::test]
async fn a_known_browser_has_a_lane_of_its_own() {
    let (world, acme, _) = world_with(|plan| plan.limits.network.free_tries = 20).await;
    world.user(&acme, "eve", "eve's word").await;
    let known = world.signed_in(&acme, "ada", "ada's word").await;
    let eves = world.signed_in(&acme, "eve", "eve's word").await;
    exhaust(&world, &acme, "ada").await;

    let mut again = known.again(&world, sign_in_at(&acme)).await.unwrap();
    again.word(&world, "ada", "ada's word").await.unwrap();
    assert!(again.token().is_some());

    exhaust(&world, &acme, "ada").await;
    let mut forged = known.again(&world, sign_in_at(&acme)).await.unwrap();
    for device in ["", "forged", eves.device.as_ref().unwrap().expose()] {
        forged.device = Some(device.into());
        let limited = forged.word(&world, "ada", "ada's word").await;
        assert_eq!(kind(limited), ErrorKind::Limited, "{device}");
    }
}

#[tokio::test]
async fn a_known_browsers_lane_ends_too() {
    let (world, acme, _) = world_with(|_| ()).await;
    let known = world.signed_in(&acme, "ada", "ada's word").await;
    for _ in 0..10 {
        let mut again = known.again(&world, sign_in_at(&acme)).await.unwrap();
        assert!(refused(&again.word(&world, "ada", WRONG).await.unwrap()));
    }
    let mut again = known.again(&world, sign_in_at(&acme)).await.unwrap();
    let limited = again.word(&world, "ada", WRONG).await;
    assert_eq!(kind(limited), ErrorKind::Limited);
    world.signed_in(&acme, "ada", "ada's word").await;
}

#[tokio::test]
async fn a_network_is_limited_over_all_accounts() {
    let (world, acme, _) = world_with(|plan| plan.limits.network.free_tries = 20).await;
    let mut browser = from(&world, &acme, "203.0.113.1").await;
    for number in 0..20 {
        let name = format!("guess {number}");
        assert!(refused(&browser.word(&world, &name, WRONG).await.unwrap()));
    }
    let limited = browser.word(&world, "ada", "ada's word").await;
    assert_eq!(kind(limited), ErrorKind::Limited);
    let mut elsewhere = from(&world, &acme, "203.0.113.2").await;
    elsewhere.word(&world, "ada", "ada's word").await.unwrap();
    world.pass(minutes(30));
    let mut later = from(&world, &acme, "203.0.113.1").await;
    for number in 0..19 {
        let name = format!("late guess {number}");
        assert!(refused(&later.word(&world, &name, WRONG).await.unwrap()));
    }
}

/// S11: a second factor is limited across flows.
#[tokio::test]
async fn s11_second_factors_are_limited_across_flows() {
    let (world, acme, _) = world_with(|_| ()).await;
    world.enrol_code(&acme, "ada", "ada's word", "123456").await;
    let asked = world.code.asked();
    for _ in 0..5 {
        let mut browser = from(&world, &acme, "203.0.113.1").await;
        browser.word(&world, "ada", "ada's word").await.unwrap();
        for _ in 0..2 {
            assert!(refused(&browser.code(&world, "000000").await.unwrap()));
        }
    }
    let mut browser = from(&world, &acme, "203.0.113.1").await;
    browser.word(&world, "ada", "ada's word").await.unwrap();
    let limited = browser.code(&world, "123456").await;
    assert_eq!(kind(limited), ErrorKind::Limited);
    assert_eq!(world.code.asked() - asked, 10);
}

/// Wrong answers, each after its wait, until only somebody else can help.
async fn disable(world: &World, acme: &Tenant) {
    let mut tries = 0;
    for hour in 0..200 {
        let mut browser = from(world, acme, &format!("198.51.100.{hour}")).await;
        match browser.word(world, "ada", WRONG).await {
            Ok(_) => tries += 1,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Limited);
                break;
            }
        }
        world.pass(minutes(60));
    }
    assert_eq!(tries, 100, "NIST SP 800-63B-4 section 3.2.2");
    world.pass(minutes(60 * 24 * 30));
    let mut browser = from(world, acme, "203.0.113.1").await;
    let right = browser.word(world, "ada", "ada's word").await;
    assert_eq!(kind(right), ErrorKind::Limited);
}

#[tokio::test]
async fn after_a_hundred_wrong_answers_an_administrator_can_help() {
    let (world, acme, ada) = world_with(|_| ()).await;
    disable(&world, &acme).await;
    let users = world.platform.users();
    let operator = Caller::operator();
    users.unlock(&operator, acme.id, ada.id).await.unwrap();
    world.signed_in(&acme, "ada", "ada's word").await;
    let actions = world.actions(&acme).await;
    assert!(actions.contains(&"user.unlock".to_owned()));
}

#[tokio::test]
async fn after_a_hundred_wrong_answers_a_known_browser_opens_the_door_again() {
    let (world, acme, _) = world_with(|_| ()).await;
    let known = world.signed_in(&acme, "ada", "ada's word").await;
    disable(&world, &acme).await;
    let mut again = known.again(&world, sign_in_at(&acme)).await.unwrap();
    again.word(&world, "ada", "ada's word").await.unwrap();
    world.signed_in(&acme, "ada", "ada's word").await;
}

#[tokio::test]
async fn a_locked_persons_right_word_counts_like_a_wrong_one() {
    let (world, acme, ada) = world_with(|_| ()).await;
    world.lock_user((acme.id, ada.id)).await.unwrap();
    for _ in 0..10 {
        let mut browser = from(&world, &acme, "203.0.113.1").await;
        let progress = browser.word(&world, "ada", "ada's word").await;
        assert!(refused(&progress.unwrap()));
    }
    let mut browser = from(&world, &acme, "203.0.113.1").await;
    let limited = browser.word(&world, "ada", "ada's word").await;
    assert_eq!(kind(limited), ErrorKind::Limited);
}
