//! Second factors.

use std::{sync::Arc, time::Duration};

use gatelodge_core::{
    ErrorKind,
    engine::{Progress, StartFlow},
    model::{FactorClass, Outcome, Tenant},
};

use crate::{
    providers::Code,
    support::{Browser, WRONG, World, kind, refused, sign_in_at},
};

#[tokio::test]
async fn a_second_factor_is_demanded_of_who_has_one_and_of_nobody_else() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    world.user(&acme, "bob", "bob's word").await;
    world.enrol_code(&acme, "ada", "ada's word", "123456").await;

    world.signed_in(&acme, "bob", "bob's word").await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    let half = browser.word(&world, "ada", "ada's word").await.unwrap();
    assert!(matches!(half, Progress::Next { .. }));
    assert_eq!(browser.asked_by(), ["code"]);
    assert!(refused(&browser.code(&world, "999999").await.unwrap()));
    browser.code(&world, "123456").await.unwrap();
    assert_eq!(browser.amr(), ["pwd", "otp", "mfa"]);
    let classes: Vec<_> = world.session(&browser).await.session.factors.clone();
    let classes: Vec<_> = classes.into_iter().map(|factor| factor.class).collect();
    assert_eq!(classes, [FactorClass::Knowledge, FactorClass::Possession]);
}

/// S12: half a sign-in is worth nothing, however it is asked.
#[tokio::test]
async fn s12_one_of_two_factors_gives_no_session() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let ada = world.user(&acme, "ada", "ada's word").await;
    world.enrol_code(&acme, "ada", "ada's word", "123456").await;
    let before = world.audit(Some(acme.id)).await;

    let mut browser = Browser::at_tenant(&world, &acme).await;
    assert_eq!(
        kind(browser.code(&world, "123456").await),
        ErrorKind::NotFound
    );
    browser.word(&world, "ada", "ada's word").await.unwrap();
    let again = browser.word(&world, "ada", "ada's word").await;
    assert_eq!(kind(again), ErrorKind::NotFound);
    let action = gatelodge_core::engine::ReplyAnswer::Go;
    browser.answer(&world, "code", action).await.unwrap();
    assert!(refused(&browser.code(&world, WRONG).await.unwrap()));
    assert!(browser.token().is_none());
    let after = world.audit(Some(acme.id)).await.into_iter();
    let mut started =
        after.filter(|event| event.action == "session.start" && event.outcome == Outcome::Success);
    assert!(started.all(|event| before.contains(&event)));
    let operator = gatelodge_core::access::Caller::operator();
    let sessions = world.platform.sessions();
    let page = gatelodge_core::storage::Page::first(10);
    let open = sessions.list(&operator, acme.id, Some(ada.id), true, page);
    assert_eq!(open.await.unwrap().items.len(), 1, "the one that set it up");
}

/// S13: a second factor confirms the sign-in it was asked in, and no other.
#[tokio::test]
async fn s13_two_half_logins_cannot_be_swapped() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    for (name, word, code) in [
        ("ada", "ada's word", "111111"),
        ("eve", "eve's word", "222222"),
    ] {
        world.user(&acme, name, word).await;
        world.enrol_code(&acme, name, word, code).await;
    }
    let mut ada = Browser::at_tenant(&world, &acme).await;
    let mut eve = Browser::at_tenant(&world, &acme).await;
    ada.word(&world, "ada", "ada's word").await.unwrap();
    eve.word(&world, "eve", "eve's word").await.unwrap();

    assert!(refused(&ada.code(&world, "222222").await.unwrap()));
    let mut crossed = eve.clone();
    crossed.handle.id.clone_from(&ada.handle.id);
    assert_eq!(
        kind(crossed.code(&world, "222222").await),
        ErrorKind::NotFound
    );
    let mut crossed = eve.clone();
    crossed.view = ada.view.clone();
    assert_eq!(
        kind(crossed.code(&world, "222222").await),
        ErrorKind::Conflict
    );

    ada.code(&world, "111111").await.unwrap();
    eve.code(&world, "222222").await.unwrap();
    assert_eq!(world.session(&ada).await.user.user_name.as_str(), "ada");
    assert_eq!(world.session(&eve).await.user.user_name.as_str(), "eve");
}

#[tokio::test]
async fn two_factors_that_are_asked_for_must_be_there() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    let start = StartFlow {
        two_factors: true,
        ..sign_in_at(&acme)
    };
    let mut browser = Browser::start(&world, start.clone()).await.unwrap();
    assert!(refused(
        &browser.word(&world, "ada", "ada's word").await.unwrap()
    ));
    assert_eq!(world.refusals(Some(acme.id)).await, ["no_second_factor"]);

    world.enrol_code(&acme, "ada", "ada's word", "123456").await;
    let mut browser = Browser::start(&world, start).await.unwrap();
    browser.word(&world, "ada", "ada's word").await.unwrap();
    browser.code(&world, "123456").await.unwrap();
    assert!(browser.token().is_some());
}

/// S12: what was proven before a credential changed does not count after it.
#[tokio::test]
async fn s12_a_first_factor_dies_when_the_credential_changes_before_the_second() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    let owner = world.enrol_code(&acme, "ada", "ada's word", "123456").await;

    let mut thief = Browser::at_tenant(&world, &acme).await;
    thief.word(&world, "ada", "ada's word").await.unwrap();
    let mut owner = owner.enrolling(&world, "password").await;
    owner.word(&world, "ada", "ada's word").await.unwrap();
    owner.code(&world, "123456").await.unwrap();
    let changed = owner.fill(&world, "password", &[("new_password", "another word")]);
    changed.await.unwrap();
    assert!(world.knows(&owner).await);

    assert!(refused(&thief.code(&world, "123456").await.unwrap()));
    assert!(thief.token().is_none());
    let reasons = world.refusals(Some(acme.id)).await;
    assert_eq!(reasons, ["credential_changed"]);
}

#[tokio::test]
async fn a_person_locked_between_the_factors_stays_out() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let ada = world.user(&acme, "ada", "ada's word").await;
    world.enrol_code(&acme, "ada", "ada's word", "123456").await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    browser.word(&world, "ada", "ada's word").await.unwrap();
    world.lock_user((acme.id, ada.id)).await.unwrap();
    assert!(refused(&browser.code(&world, "123456").await.unwrap()));
    let operator = gatelodge_core::access::Caller::operator();
    let users = world.platform.users();
    users.unlock(&operator, acme.id, ada.id).await.unwrap();
    world.pass(Duration::from_secs(1));
    browser.code(&world, "123456").await.unwrap();
    assert!(browser.token().is_some());
}

/// A world in which what stands in for a second factor is configured as `spare`.
async fn with_spare() -> (World, Tenant) {
    let world = World::with(|plan| plan.more = vec![("spare", Arc::new(Code::spare()))]).await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    (world, acme)
}

/// Sets up what stands in, in the browser of somebody who signed in.
async fn enrol_spare(world: &World, browser: &Browser, code: Option<&str>) {
    let mut browser = browser.enrolling(world, "spare").await;
    browser.word(world, "ada", "ada's word").await.unwrap();
    if let Some(code) = code {
        browser.code(world, code).await.unwrap();
    }
    let values = [("new_code", "777777")];
    browser.fill(world, "spare", &values).await.unwrap();
    assert!(browser.token().is_some(), "it is set up");
}

#[tokio::test]
async fn what_stands_in_for_a_second_factor_is_not_asked_for_alone() {
    let (world, acme) = with_spare().await;
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    enrol_spare(&world, &browser, None).await;
    let again = world.signed_in(&acme, "ada", "ada's word").await;
    assert_eq!(again.amr(), ["pwd"]);
    // Where two factors are asked for it is one all the same.
    let start = StartFlow {
        two_factors: true,
        ..sign_in_at(&acme)
    };
    let mut browser = Browser::start(&world, start).await.unwrap();
    browser.word(&world, "ada", "ada's word").await.unwrap();
    assert_eq!(browser.asked_by(), ["spare"]);
    let values = [("code", "777777")];
    browser.fill(&world, "spare", &values).await.unwrap();
    assert_eq!(browser.amr(), ["pwd", "otp", "mfa"]);
}

#[tokio::test]
async fn beside_a_second_factor_either_it_or_what_stands_in_confirms() {
    let (world, acme) = with_spare().await;
    let browser = world.enrol_code(&acme, "ada", "ada's word", "123456").await;
    enrol_spare(&world, &browser, Some("123456")).await;
    for (provider, code) in [("code", "123456"), ("spare", "777777")] {
        let mut browser = Browser::at_tenant(&world, &acme).await;
        browser.word(&world, "ada", "ada's word").await.unwrap();
        assert_eq!(browser.asked_by(), ["code", "spare"]);
        for (other, wrong) in [("spare", "123456"), ("code", "777777")] {
            let refusal = browser.fill(&world, other, &[("code", wrong)]).await;
            assert!(refused(&refusal.unwrap()), "the code of the other one");
        }
        let values = [("code", code)];
        browser.fill(&world, provider, &values).await.unwrap();
        assert!(browser.token().is_some(), "{provider}");
    }
}

/// S12: setting up what stands in for a second factor asks for that factor.
#[tokio::test]
async fn s12_who_has_a_second_factor_proves_it_before_setting_up_what_stands_in() {
    let (world, acme) = with_spare().await;
    let browser = world.enrol_code(&acme, "ada", "ada's word", "123456").await;
    let mut browser = browser.enrolling(&world, "spare").await;
    browser.word(&world, "ada", "ada's word").await.unwrap();
    assert_eq!(browser.asked_by(), ["code"]);
    let early = browser.fill(&world, "spare", &[("new_code", "777777")]);
    assert_eq!(kind(early.await), ErrorKind::NotFound);
}
