//! Credentials that are right and have to be changed: when their provider says so.

use std::time::Duration;

use gatelodge_core::{
    engine::{DutyReason, Progress, ReplyAnswer, StepBody},
    environment::later,
    model::{MustChange, Tenant, User},
    provider::Renewal,
};
use jiff::Timestamp;

use crate::support::{Browser, World, refused};

const DUTY: &str = "duty:change-credential";
const DAY: Duration = Duration::from_secs(86_400);

async fn house(due: Option<Timestamp>) -> (World, Tenant, User) {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let ada = world.user(&acme, "ada", "first word").await;
    world.word.renews(aged(due));
    (world, acme, ada)
}

fn aged(due: Option<Timestamp>) -> Option<Renewal> {
    Some(Renewal {
        reason: MustChange::Age,
        due,
    })
}

async fn by_word(world: &World, acme: &Tenant) -> Browser {
    let mut browser = Browser::at_tenant(world, acme).await;
    browser.word(world, "ada", "first word").await.unwrap();
    browser
}

async fn not_now(world: &World, browser: &mut Browser) -> Progress {
    let later = ReplyAnswer::Action("later".to_owned());
    browser.answer(world, DUTY, later).await.unwrap()
}

/// What the duty says, why, and whether it can be put off.
fn shown(browser: &Browser) -> (String, Option<DutyReason>, bool) {
    let step = browser.view.step.as_ref().unwrap();
    let StepBody::Prompt { provider, form } = &step.body else {
        panic!("{step:?}");
    };
    assert_eq!(provider, DUTY);
    let button = form.actions.iter().any(|action| action.id == "later");
    assert_eq!(button, step.due.is_some());
    (form.message.clone().unwrap(), step.reason, button)
}

#[tokio::test]
async fn a_credential_that_is_too_old_is_changed_before_the_session() {
    let (world, acme, ada) = house(None).await;
    let mut browser = by_word(&world, &acme).await;
    assert!(browser.token().is_none());
    let (words, reason, can_wait) = shown(&browser);
    assert_eq!((reason, can_wait), (Some(DutyReason::Age), false));
    assert!(words.starts_with("Your password is older than"), "{words}");
    assert!(matches!(
        not_now(&world, &mut browser).await,
        Progress::Invalid { .. }
    ));
    browser.change_word(&world, "second word").await.unwrap();
    assert!(world.knows(&browser).await);
    let kept = world.read_user((acme.id, ada.id)).await;
    assert_eq!(kept.must_change, None);
}

/// v5.0.0-6.4.3 for the duty: every other factor comes first.
#[tokio::test]
async fn s12_the_second_factor_comes_before_an_old_credential_is_changed() {
    let (world, acme, _) = house(None).await;
    world.word.renews(None);
    world.enrol_code(&acme, "ada", "first word", "123456").await;
    world.word.renews(aged(None));
    let mut browser = by_word(&world, &acme).await;
    assert_eq!(browser.asked_by(), ["code"]);
    assert_eq!(browser.view.step.as_ref().unwrap().reason, None);
    browser.code(&world, "123456").await.unwrap();
    assert_eq!(browser.asked_by(), [DUTY]);
    browser.change_word(&world, "second word").await.unwrap();
    assert_eq!(browser.amr(), ["pwd", "otp", "mfa"]);
}

/// v5.0.0-6.4.5.
#[tokio::test]
async fn what_is_not_due_yet_is_offered_and_can_be_put_off() {
    let (world, acme, _) = house(None).await;
    let due = later(world.now(), 3 * DAY);
    world.word.renews(aged(Some(due)));
    let mut browser = by_word(&world, &acme).await;
    let (words, reason, can_wait) = shown(&browser);
    assert_eq!((reason, can_wait), (Some(DutyReason::Age), true));
    let day = due.strftime("%-d %B %Y").to_string();
    assert!(words.contains(&day), "{words}");
    not_now(&world, &mut browser).await;
    assert!(world.knows(&browser).await);
    assert_eq!(world.count(&acme, "user.put_off_change").await, 1);

    let mut browser = by_word(&world, &acme).await;
    browser.change_word(&world, "second word").await.unwrap();
    assert!(world.knows(&browser).await);
    assert_eq!(world.count(&acme, "user.put_off_change").await, 1);
}

/// S03: the button is worth nothing once it is due, also in a page that shows it.
#[tokio::test]
async fn s03_what_became_due_meanwhile_cannot_be_put_off() {
    let (world, acme, _) = house(None).await;
    world
        .word
        .renews(aged(Some(later(world.now(), Duration::from_secs(60)))));
    let mut browser = by_word(&world, &acme).await;
    assert!(shown(&browser).2);
    world.pass(Duration::from_secs(60));
    not_now(&world, &mut browser).await;
    assert!(browser.token().is_none());
    assert_eq!(browser.asked_by(), [DUTY]);
    browser.change_word(&world, "second word").await.unwrap();
    assert!(world.knows(&browser).await);
}

#[tokio::test]
async fn what_an_administrator_demands_meanwhile_cannot_be_put_off() {
    let (world, acme, ada) = house(None).await;
    world.word.renews(aged(Some(later(world.now(), DAY))));
    let mut browser = by_word(&world, &acme).await;
    world
        .alter_user((acme.id, ada.id), |user| {
            user.must_change = Some(MustChange::Administrator);
        })
        .await;
    not_now(&world, &mut browser).await;
    assert!(browser.token().is_none());
    let (_, reason, can_wait) = shown(&browser);
    assert_eq!((reason, can_wait), (Some(DutyReason::Administrator), false));
    browser.change_word(&world, "second word").await.unwrap();
    assert!(world.knows(&browser).await, "one change does for both");
}

#[tokio::test]
async fn a_button_of_that_name_does_nothing_in_another_step() {
    let (world, acme, _) = house(None).await;
    world.word.renews(None);
    world.enrol_code(&acme, "ada", "first word", "123456").await;
    world.word.renews(aged(Some(later(world.now(), DAY))));
    let mut browser = by_word(&world, &acme).await;
    let later = ReplyAnswer::Action("later".to_owned());
    let answered = browser.answer(&world, "code", later).await.unwrap();
    assert!(matches!(answered, Progress::Invalid { .. }));
    browser.code(&world, "123456").await.unwrap();
    assert!(shown(&browser).2);
}

#[tokio::test]
async fn whoever_changes_a_credential_anyway_does_it_once() {
    let (world, acme, _) = house(None).await;
    world.word.renews(None);
    let browser = world.signed_in(&acme, "ada", "first word").await;
    world.word.renews(aged(None));
    let mut changing = browser.enrolling(&world, "password").await;
    changing.word(&world, "ada", "first word").await.unwrap();
    assert_eq!(changing.asked_by(), [DUTY]);
    changing.change_word(&world, "second word").await.unwrap();
    assert!(world.knows(&changing).await);
}

/// S41: only who knows the credential learns that it is old.
#[tokio::test]
async fn s41_a_wrong_answer_says_nothing_of_an_old_credential() {
    let (world, acme, _) = house(None).await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    let wrong = browser.word(&world, "ada", "not the word").await.unwrap();
    assert!(refused(&wrong));
    let seen = serde_json::to_string(&browser.view).unwrap();
    assert!(!seen.contains("age") && !seen.contains("due"), "{seen}");
}
