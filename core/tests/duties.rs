//! Duties before a session: changing a credential.

use gatelodge_core::{
    engine::Progress, model::MustChange, secret::Secret, service::InitialCredential,
};

use crate::support::{Browser, World, refused};

fn given(word: &str) -> InitialCredential {
    InitialCredential::Given {
        password: Secret::new(word),
        must_change: true,
    }
}

#[tokio::test]
async fn who_must_change_the_word_does_so_before_the_session() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let (ada, _) = world.user_with(&acme, "ada", given("first word")).await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    browser.word(&world, "ada", "first word").await.unwrap();
    assert_eq!(browser.asked_by(), ["duty:change-credential"]);
    assert!(browser.token().is_none());

    let short = browser.change_word(&world, "abc").await.unwrap();
    assert!(matches!(short, Progress::Invalid { .. }));
    browser.change_word(&world, "second word").await.unwrap();
    assert!(world.knows(&browser).await);
    assert_eq!(world.read_user((acme.id, ada.id)).await.must_change, None);
    let mut old = Browser::at_tenant(&world, &acme).await;
    assert!(refused(
        &old.word(&world, "ada", "first word").await.unwrap()
    ));
    world.signed_in(&acme, "ada", "second word").await;
    let actions = world.actions(&acme).await;
    assert!(actions.contains(&"user.change_credential".to_owned()));
}

#[tokio::test]
async fn a_generated_word_works_once_and_must_be_changed() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let generated = InitialCredential::Generated;
    let (ada, word) = world.user_with(&acme, "ada", generated).await;
    assert_eq!(ada.must_change, Some(MustChange::Administrator));
    let word = word.unwrap();
    assert!(word.len() >= 20);
    let mut browser = Browser::at_tenant(&world, &acme).await;
    browser.word(&world, "ada", word.expose()).await.unwrap();
    assert!(browser.token().is_none());
    browser.change_word(&world, "my own word").await.unwrap();
    assert!(world.knows(&browser).await);
}

/// S20: the duty ends what was signed in with the old word, at once.
#[tokio::test]
async fn s20_a_changed_word_ends_the_sessions_of_the_old_one() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let ada = world.user(&acme, "ada", "first word").await;
    let old = world.signed_in(&acme, "ada", "first word").await;
    assert!(world.knows(&old).await);
    world
        .alter_user((acme.id, ada.id), |user| {
            user.must_change = Some(MustChange::Compromised);
        })
        .await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    browser.word(&world, "ada", "first word").await.unwrap();
    browser.change_word(&world, "second word").await.unwrap();
    assert!(world.knows(&browser).await);
    assert!(!world.knows(&old).await);
}

#[tokio::test]
async fn the_second_factor_comes_before_the_duty() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let ada = world.user(&acme, "ada", "first word").await;
    world.enrol_code(&acme, "ada", "first word", "123456").await;
    world
        .alter_user((acme.id, ada.id), |user| {
            user.must_change = Some(MustChange::Age);
        })
        .await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    browser.word(&world, "ada", "first word").await.unwrap();
    assert_eq!(browser.asked_by(), ["code"]);
    browser.code(&world, "123456").await.unwrap();
    assert_eq!(browser.asked_by(), ["duty:change-credential"]);
    browser.change_word(&world, "second word").await.unwrap();
    assert_eq!(browser.amr(), ["pwd", "otp", "mfa"]);
}

/// S03: a duty that arises in the middle of a flow is a duty of that flow.
#[tokio::test]
async fn s03_a_duty_given_after_it_was_done_has_to_be_done_again() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let (ada, _) = world.user_with(&acme, "ada", given("first word")).await;
    let owner = {
        let mut browser = Browser::at_tenant(&world, &acme).await;
        browser.word(&world, "ada", "first word").await.unwrap();
        browser.change_word(&world, "second word").await.unwrap();
        browser
    };
    let mut enrolling = owner.enrolling(&world, "code").await;
    enrolling.word(&world, "ada", "second word").await.unwrap();
    world
        .alter_user((acme.id, ada.id), |user| {
            user.must_change = Some(MustChange::Compromised);
        })
        .await;
    let set_up = enrolling.fill(&world, "code", &[("new_code", "123456")]);
    set_up.await.unwrap();
    assert!(
        enrolling.token().is_none(),
        "the word is still to be changed"
    );
    assert_eq!(enrolling.asked_by(), ["duty:change-credential"]);
    let user = world.read_user((acme.id, ada.id)).await;
    assert_eq!(user.must_change, Some(MustChange::Compromised));
    enrolling.change_word(&world, "third word").await.unwrap();
    assert!(world.knows(&enrolling).await);
}

#[tokio::test]
async fn a_word_that_was_changed_in_another_flow_is_not_changed_again() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    world.user_with(&acme, "ada", given("first word")).await;
    let mut owner = Browser::at_tenant(&world, &acme).await;
    let mut thief = Browser::at_tenant(&world, &acme).await;
    owner.word(&world, "ada", "first word").await.unwrap();
    thief.word(&world, "ada", "first word").await.unwrap();
    owner.change_word(&world, "second word").await.unwrap();
    assert!(refused(
        &thief.change_word(&world, "thief's word").await.unwrap()
    ));
    assert!(world.knows(&owner).await);
    world.signed_in(&acme, "ada", "second word").await;
}
