//! Flows of several steps of one provider, and of waiting.

use std::sync::Arc;

use gatelodge_core::{
    ErrorKind,
    access::Caller,
    engine::{Progress, StepBody},
    model::{Tenant, User},
    storage::{Mode, Scope, Storage},
};

use crate::{
    providers::{TwoSteps, Waiting},
    support::{Browser, WRONG, World, kind, provider, refused},
};

async fn two_steps() -> (World, Tenant, User) {
    let two = Arc::new(TwoSteps::default());
    let world = World::with(|plan| plan.more = vec![("two", two)]).await;
    let acme = world.tenant("acme").await;
    let ada = world.user(&acme, "ada", "ada's word").await;
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    let mut enrolling = browser.enrolling(&world, "two").await;
    enrolling.word(&world, "ada", "ada's word").await.unwrap();
    let set_up = enrolling.fill(&world, "two", &[("new_word", "other word")]);
    set_up.await.unwrap();
    (world, acme, ada)
}

#[tokio::test]
async fn a_provider_may_ask_for_the_name_first_and_the_word_then() {
    let (world, acme, ada) = two_steps().await;
    for mut browser in [
        Browser::anywhere(&world).await,
        Browser::at_tenant(&world, &acme).await,
    ] {
        let named = browser.fill(&world, "two", &[("user_name", "ada")]).await;
        assert!(matches!(named, Ok(Progress::Next { .. })), "{named:?}");
        let word = browser.fill(&world, "two", &[("word", WRONG)]).await;
        assert!(refused(&word.unwrap()));
        let word = browser.fill(&world, "two", &[("word", "other word")]);
        word.await.unwrap();
        assert_eq!(world.session(&browser).await.user.id, ada.id);
    }
}

#[tokio::test]
async fn the_second_step_is_about_who_was_named_in_the_first() {
    let (world, acme, _) = two_steps().await;
    world.user(&acme, "bob", "bob's word").await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    let named = browser.fill(&world, "two", &[("user_name", "bob")]);
    named.await.unwrap();
    let word = browser.fill(&world, "two", &[("word", "other word")]).await;
    assert!(refused(&word.unwrap()));
    let renamed = [("user_name", "ada"), ("word", "other word")];
    let renamed = browser.fill(&world, "two", &renamed).await.unwrap();
    assert!(matches!(renamed, Progress::Invalid { .. }));
}

/// S11: the second step counts against the account that was named.
#[tokio::test]
async fn s11_wrong_second_steps_are_counted_for_the_account() {
    let (world, acme, _) = two_steps().await;
    for name in ["ada", "nobody"] {
        for try_number in 0..10 {
            let network = format!("198.51.100.{try_number}");
            let start = crate::support::sign_in_at(&acme);
            let browser = Browser::start_from(&world, start, &network).await;
            let mut browser = browser.unwrap();
            let named = browser.fill(&world, "two", &[("user_name", name)]).await;
            named.unwrap();
            let word = browser.fill(&world, "two", &[("word", WRONG)]).await;
            assert!(refused(&word.unwrap()));
        }
        let mut browser = Browser::at_tenant(&world, &acme).await;
        let named = browser.fill(&world, "two", &[("user_name", name)]).await;
        assert_eq!(kind(named), ErrorKind::Limited, "{name}");
    }
}

#[tokio::test]
async fn a_credential_that_is_set_up_anew_has_no_wrong_answers_behind_it() {
    let (world, acme, _) = two_steps().await;
    let owner = world.signed_in(&acme, "ada", "ada's word").await;
    for _ in 0..10 {
        let mut stranger = Browser::at_tenant(&world, &acme).await;
        let named = stranger.fill(&world, "two", &[("user_name", "ada")]);
        named.await.unwrap();
        let word = stranger.fill(&world, "two", &[("word", WRONG)]).await;
        assert!(refused(&word.unwrap()));
    }
    let mut enrolling = owner.enrolling(&world, "two").await;
    enrolling.word(&world, "ada", "ada's word").await.unwrap();
    let set_up = enrolling.fill(&world, "two", &[("new_word", "newest word")]);
    set_up.await.unwrap();
    let mut browser = Browser::at_tenant(&world, &acme).await;
    let named = browser.fill(&world, "two", &[("user_name", "ada")]);
    named.await.unwrap();
    let word = browser.fill(&world, "two", &[("word", "newest word")]);
    word.await.unwrap();
    assert!(browser.token().is_some());
}

/// U7: nothing happens for a locked person, and nobody can tell.
#[tokio::test]
async fn a_first_step_has_effects_only_for_who_may_sign_in() {
    let two = Arc::new(TwoSteps { notes: true });
    let world = World::with(|plan| plan.more = vec![("two", two)]).await;
    let acme = world.tenant("acme").await;
    let ada = world.user(&acme, "ada", "ada's word").await;
    let kept = async || {
        let scope = Scope::Tenant(acme.id);
        let mut unit = world.storage.begin(scope, Mode::Read).await.unwrap();
        let records = unit.records().by_user(&provider("two"), ada.id).await;
        records.unwrap().len()
    };
    world.lock_user((acme.id, ada.id)).await.unwrap();
    let mut locked = Browser::at_tenant(&world, &acme).await;
    let named = locked.fill(&world, "two", &[("user_name", "ada")]);
    named.await.unwrap();
    assert_eq!(kept().await, 0);
    let (users, operator) = (world.platform.users(), Caller::operator());
    users.unlock(&operator, acme.id, ada.id).await.unwrap();
    let mut free = Browser::at_tenant(&world, &acme).await;
    let named = free.fill(&world, "two", &[("user_name", "ada")]);
    named.await.unwrap();
    assert_eq!(kept().await, 1);
    assert!(crate::support::views_equal(&free.view, &locked.view));
}

#[tokio::test]
async fn once_a_step_of_its_own_is_open_no_other_provider_answers() {
    let (world, acme, _) = two_steps().await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    let named = browser.fill(&world, "two", &[("user_name", "ada")]);
    named.await.unwrap();
    let other = browser.word(&world, "ada", "ada's word").await;
    assert_eq!(kind(other), ErrorKind::NotFound);
}

#[tokio::test]
async fn waiting_ends_with_the_approval_of_the_one_who_was_named() {
    let waiting = Arc::new(Waiting::default());
    let made = waiting.clone();
    let world = World::with(|plan| plan.more = vec![("wait", made)]).await;
    let acme = world.tenant("acme").await;
    let ada = world.user(&acme, "ada", "ada's word").await;
    let bob = world.user(&acme, "bob", "bob's word").await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    let named = browser.fill(&world, "wait", &[("user_name", "ada")]);
    named.await.unwrap();
    waiting.approve(bob.id);
    for _ in 0..20 {
        let Some(StepBody::Wait { poll_after, .. }) = browser.view.step.clone().map(|s| s.body)
        else {
            panic!("it waits: {:?}", browser.view);
        };
        assert_eq!(poll_after, 500);
        browser.go(&world, "wait").await.unwrap();
    }
    waiting.approve(ada.id);
    let mut other = browser.clone();
    other.handle.binding = Browser::anywhere(&world).await.handle.binding;
    assert_eq!(kind(other.go(&world, "wait").await), ErrorKind::NotFound);
    browser.go(&world, "wait").await.unwrap();
    assert_eq!(world.session(&browser).await.user.id, ada.id);
}

#[tokio::test]
async fn who_waits_for_nobody_waits_forever() {
    let waiting = Arc::new(Waiting::default());
    let world = World::with(|plan| plan.more = vec![("wait", waiting)]).await;
    let acme = world.tenant("acme").await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    let named = browser.fill(&world, "wait", &[("user_name", "nobody")]);
    named.await.unwrap();
    for _ in 0..3 {
        let progress = browser.go(&world, "wait").await.unwrap();
        assert!(matches!(progress, Progress::Next { .. }));
    }
}
