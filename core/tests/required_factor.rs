//! Second factors that a tenant requires of its people.

use std::{sync::Arc, time::Duration};

use gatelodge_core::{
    ErrorKind,
    engine::{DutyReason, Progress, ReplyAnswer, StartFlow, StepBody},
    environment::{earlier, later},
    model::{Grant, SecondFactorRule, SecondFactorSettings, Tenant, TenantSettings},
    provider::{Intent, LinkPurpose, Provider},
    secret::Secret,
};
use jiff::Timestamp;

use crate::{
    providers::{Code, Link},
    support::{Browser, World, kind, refused, sign_in_at},
};

const CHOICE: &str = "duty:second-factor";
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

fn required(from: Option<Timestamp>) -> TenantSettings {
    rules(Some(SecondFactorRule::Required), None, from)
}

fn rules(
    everyone: Option<SecondFactorRule>,
    administrators: Option<SecondFactorRule>,
    required_from: Option<Timestamp>,
) -> TenantSettings {
    TenantSettings {
        second_factor: SecondFactorSettings {
            everyone,
            administrators,
            required_from,
        },
        ..TenantSettings::default()
    }
}

/// Ada in a tenant that requires what can be set up beside the word: `code` and `more`.
async fn house(from: Option<Duration>, more: &[&'static str]) -> (World, Tenant) {
    let other = |id: &&'static str| {
        let made = match *id {
            "spare" => Code::spare(),
            _ => Code::default(),
        };
        (*id, Arc::new(made) as Arc<dyn Provider>)
    };
    let more = more.iter().map(other).collect();
    let world = World::with(|plan| plan.more = more).await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    let from = from.map(|from| later(world.now(), from));
    world.put_settings(&acme, required(from)).await;
    (world, acme)
}

async fn by_word(world: &World, acme: &Tenant) -> Browser {
    let mut browser = Browser::at_tenant(world, acme).await;
    browser.word(world, "ada", "ada's word").await.unwrap();
    browser
}

async fn press(world: &World, browser: &mut Browser, provider: &str, action: &str) -> Progress {
    let action = ReplyAnswer::Action(action.to_owned());
    browser.answer(world, provider, action).await.unwrap()
}

async fn set_up(world: &World, browser: &mut Browser, provider: &str) {
    let values = [("new_code", "123456")];
    browser.fill(world, provider, &values).await.unwrap();
}

/// Whether the open step asks for a second factor, until when, and its buttons.
fn asked(browser: &Browser) -> (Option<Timestamp>, Vec<String>) {
    let step = browser.view.step.as_ref().expect("a step");
    assert_eq!(step.reason, Some(DutyReason::SecondFactorRequired));
    let actions = match &step.body {
        StepBody::Choose { actions, .. } => actions,
        StepBody::Prompt { form, .. } => &form.actions,
        other => panic!("{other:?}"),
    };
    let actions = actions.iter().map(|action| action.id.clone());
    (step.due, actions.collect())
}

#[tokio::test]
async fn who_has_none_sets_one_up_before_the_session() {
    let (world, acme) = house(None, &[]).await;
    let mut browser = by_word(&world, &acme).await;
    assert!(browser.token().is_none());
    assert_eq!(browser.asked_by(), ["code"]);
    assert_eq!(asked(&browser), (None, Vec::new()));
    set_up(&world, &mut browser, "code").await;
    assert!(world.knows(&browser).await);
    assert_eq!(browser.amr(), ["pwd"], "setting up proves nothing");
    // From now on it is asked for.
    let mut next = by_word(&world, &acme).await;
    assert_eq!(next.asked_by(), ["code"]);
    assert!(next.view.step.as_ref().unwrap().reason.is_none());
    next.code(&world, "123456").await.unwrap();
    assert_eq!(next.amr(), ["pwd", "otp", "mfa"]);
    let actions = world.actions(&acme).await;
    assert!(actions.contains(&"user.change_credential".to_owned()));
}

#[tokio::test]
async fn one_of_several_is_chosen_and_another_one_can_be() {
    let (world, acme) = house(None, &["other", "spare"]).await;
    let mut browser = by_word(&world, &acme).await;
    // What only stands in for others is none of them.
    assert_eq!(browser.asked_by(), ["code", "other"]);
    assert_eq!(asked(&browser), (None, Vec::new()));
    browser.go(&world, "code").await.unwrap();
    assert_eq!(browser.asked_by(), ["code"]);
    assert_eq!(asked(&browser).1, ["another_way"]);
    press(&world, &mut browser, "code", "another_way").await;
    assert_eq!(browser.asked_by(), ["code", "other"]);
    browser.go(&world, "other").await.unwrap();
    set_up(&world, &mut browser, "other").await;
    assert!(world.knows(&browser).await);
    assert_eq!(by_word(&world, &acme).await.asked_by(), ["other"]);
}

#[tokio::test]
async fn until_the_date_it_is_put_off_at_each_sign_in_and_from_then_on_not() {
    for more in [&[][..], &["other"][..]] {
        let (world, acme) = house(Some(DAY), more).await;
        let due = later(world.now(), DAY);
        let asks = if more.is_empty() { "code" } else { CHOICE };
        for _ in 0..2 {
            let mut browser = by_word(&world, &acme).await;
            assert_eq!(asked(&browser), (Some(due), vec!["later".to_owned()]));
            press(&world, &mut browser, asks, "later").await;
            assert!(world.knows(&browser).await);
        }
        assert_eq!(world.count(&acme, "user.put_off_second_factor").await, 2);
        world.pass(DAY);
        let mut browser = by_word(&world, &acme).await;
        assert_eq!(asked(&browser), (None, Vec::new()));
        let late = press(&world, &mut browser, asks, "later").await;
        assert!(matches!(late, Progress::Invalid { .. }));
        assert!(browser.token().is_none());
    }
}

/// S12: who was shown the button before the date is not let in by it afterwards.
#[tokio::test]
async fn s12_a_step_that_could_wait_is_not_put_off_after_the_date() {
    let (world, acme) = house(Some(HOUR), &["other"]).await;
    world.pass(HOUR - Duration::from_secs(60));
    let mut browser = by_word(&world, &acme).await;
    let mut chosen = by_word(&world, &acme).await;
    chosen.go(&world, "code").await.unwrap();
    assert_eq!(asked(&chosen).1, ["another_way", "later"]);
    world.pass(Duration::from_secs(60));
    for (browser, asks) in [(&mut browser, CHOICE), (&mut chosen, "code")] {
        let late = press(&world, browser, asks, "later").await;
        assert!(matches!(late, Progress::Next { .. }), "{late:?}");
        assert!(browser.token().is_none());
        assert_eq!(asked(browser), (None, Vec::new()));
    }
    browser.go(&world, "other").await.unwrap();
    set_up(&world, &mut browser, "other").await;
    assert!(world.knows(&browser).await);
}

/// The date holds at the clock's word: an hour back, and two years on.
#[tokio::test]
async fn the_date_follows_the_clock_both_ways() {
    let (world, acme) = house(Some(DAY), &[]).await;
    let start = world.now();
    let years = Duration::from_secs(2 * 365 * 86_400);
    for (now, may_wait) in [
        (later(start, DAY), false),
        (earlier(later(start, DAY), HOUR), true),
        (later(start, years), false),
        (start, true),
    ] {
        world.clock.set(now);
        let browser = by_word(&world, &acme).await;
        assert_eq!(asked(&browser).0.is_some(), may_wait, "{now}");
    }
}

/// S12: no other answer, other flow or other intent gets past it.
#[tokio::test]
async fn s12_nothing_but_setting_one_up_gets_past_it() {
    let (world, acme) = house(None, &["other", "spare"]).await;
    let mut browser = by_word(&world, &acme).await;
    for provider in [
        "password",
        "spare",
        "duty:change-credential",
        "duty:nothing",
    ] {
        let other = browser.fill(&world, provider, &[("new_code", "123456")]);
        assert_eq!(kind(other.await), ErrorKind::NotFound, "{provider}");
    }
    let not_offered = browser.go(&world, "spare").await;
    assert_eq!(kind(not_offered), ErrorKind::NotFound);
    assert_eq!(kind(browser.go(&world, CHOICE).await), ErrorKind::NotFound);
    for action in ["later", "another_way", "made up"] {
        for provider in [CHOICE, "code"] {
            let pressed = press(&world, &mut browser, provider, action).await;
            assert!(matches!(pressed, Progress::Invalid { .. }), "{action}");
        }
    }
    let code = browser.code(&world, "123456").await.unwrap();
    assert!(matches!(code, Progress::Invalid { .. }));
    // Beside it, a second flow ends where the first one does.
    let mut beside = by_word(&world, &acme).await;
    beside.go(&world, "code").await.unwrap();
    set_up(&world, &mut beside, "code").await;
    assert!(world.knows(&beside).await);
    // What was proven before it was set up does not count any more.
    browser.go(&world, "other").await.unwrap();
    let late = browser.fill(&world, "other", &[("new_code", "999999")]);
    assert!(refused(&late.await.unwrap()));
    assert!(browser.token().is_none());
    let reasons = world.refusals(Some(acme.id)).await;
    assert_eq!(
        reasons.last().map(String::as_str),
        Some("credential_changed")
    );
}

/// S13: what one person sets up is that person's, whoever answers whose flow.
#[tokio::test]
async fn s13_a_factor_is_added_to_the_account_that_was_proven() {
    let (world, acme) = house(None, &[]).await;
    world.user(&acme, "eve", "eve's word").await;
    let mut ada = by_word(&world, &acme).await;
    let mut eve = Browser::at_tenant(&world, &acme).await;
    eve.word(&world, "eve", "eve's word").await.unwrap();
    let mut crossed = eve.clone();
    crossed.handle.id.clone_from(&ada.handle.id);
    let swapped = crossed.fill(&world, "code", &[("new_code", "666666")]);
    assert_eq!(kind(swapped.await), ErrorKind::NotFound);
    let mut crossed = eve.clone();
    crossed.view = ada.view.clone();
    let swapped = crossed.fill(&world, "code", &[("new_code", "666666")]);
    assert_eq!(kind(swapped.await), ErrorKind::Conflict);
    set_up(&world, &mut eve, "code").await;
    assert_eq!(world.session(&eve).await.user.user_name.as_str(), "eve");
    set_up(&world, &mut ada, "code").await;
    assert_eq!(world.session(&ada).await.user.user_name.as_str(), "ada");
}

/// S12: a session from before does not get past it by a change or a new proof.
#[tokio::test]
async fn s12_a_session_from_before_gets_no_new_one_without() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    let before = world.signed_in(&acme, "ada", "ada's word").await;
    world.put_settings(&acme, required(None)).await;
    assert!(world.knows(&before).await, "it goes on");
    let start = StartFlow {
        intent: Intent::Reprove,
        session: Some(world.session(&before).await),
        ..StartFlow::sign_in(gatelodge_core::engine::Transport::Cookie)
    };
    let mut again = before.again(&world, start).await.unwrap();
    again.word(&world, "ada", "ada's word").await.unwrap();
    assert!(again.token().is_none());
    assert_eq!(asked(&again), (None, Vec::new()));
    // Another credential: what was asked for first, and then it.
    let mut change = before.enrolling(&world, "password").await;
    change.word(&world, "ada", "ada's word").await.unwrap();
    let values = [("new_password", "another word")];
    change.fill(&world, "password", &values).await.unwrap();
    assert!(change.token().is_none());
    assert_eq!(asked(&change), (None, Vec::new()));
    set_up(&world, &mut change, "code").await;
    assert!(world.knows(&change).await);
}

#[tokio::test]
async fn setting_one_up_on_the_account_page_is_enough() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    let before = world.signed_in(&acme, "ada", "ada's word").await;
    world.put_settings(&acme, required(None)).await;
    let mut change = before.enrolling(&world, "code").await;
    change.word(&world, "ada", "ada's word").await.unwrap();
    assert_eq!(change.asked_by(), ["code"]);
    set_up(&world, &mut change, "code").await;
    assert!(world.knows(&change).await);
}

/// S12: what only stands in for others is not what is required, and lets nobody in.
#[tokio::test]
async fn s12_what_stands_in_for_others_is_no_second_factor() {
    let world = World::with(|plan| plan.more = vec![("spare", Arc::new(Code::spare()))]).await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    let mut spare = browser.enrolling(&world, "spare").await;
    spare.word(&world, "ada", "ada's word").await.unwrap();
    let values = [("new_code", "777777")];
    spare.fill(&world, "spare", &values).await.unwrap();
    world.put_settings(&acme, required(None)).await;
    let browser = by_word(&world, &acme).await;
    assert_eq!(browser.asked_by(), ["code"]);
    assert_eq!(asked(&browser), (None, Vec::new()));
    // Nor where two factors are asked for, which it makes up.
    let start = StartFlow {
        two_factors: true,
        ..sign_in_at(&acme)
    };
    let mut browser = Browser::start(&world, start).await.unwrap();
    browser.word(&world, "ada", "ada's word").await.unwrap();
    assert_eq!(browser.asked_by(), ["spare"]);
    let values = [("code", "777777")];
    browser.fill(&world, "spare", &values).await.unwrap();
    assert!(browser.token().is_none());
    assert_eq!(browser.asked_by(), ["code"]);
}

#[tokio::test]
async fn where_two_factors_are_asked_for_the_new_one_is_confirmed_with() {
    let (world, acme) = house(None, &[]).await;
    let start = StartFlow {
        two_factors: true,
        ..sign_in_at(&acme)
    };
    let mut browser = Browser::start(&world, start).await.unwrap();
    browser.word(&world, "ada", "ada's word").await.unwrap();
    assert_eq!(asked(&browser), (None, Vec::new()));
    set_up(&world, &mut browser, "code").await;
    assert!(browser.token().is_none());
    browser.code(&world, "123456").await.unwrap();
    assert_eq!(browser.amr(), ["pwd", "otp", "mfa"]);
}

#[tokio::test]
async fn what_holds_for_administrators_is_at_least_what_holds_for_everyone() {
    use SecondFactorRule::{Off, Optional, Required};
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    let boss = world.user(&acme, "boss", "boss's word").await;
    world
        .grant((acme.id, boss.id), Grant::TenantAdministrator)
        .await;
    for (everyone, administrators, of_ada, of_boss) in [
        (Optional, Some(Required), false, true),
        (Off, Some(Required), false, true),
        (Required, Some(Off), true, true),
        (Required, None, true, true),
        (Optional, None, false, false),
    ] {
        let settings = rules(Some(everyone), administrators, None);
        world.put_settings(&acme, settings).await;
        for (name, word, is_asked) in [
            ("ada", "ada's word", of_ada),
            ("boss", "boss's word", of_boss),
        ] {
            let mut browser = Browser::at_tenant(&world, &acme).await;
            browser.word(&world, name, word).await.unwrap();
            assert_eq!(browser.token().is_none(), is_asked, "{name} {everyone:?}");
        }
    }
}

#[tokio::test]
async fn where_it_is_off_none_is_set_up_and_those_there_are_are_asked_for() {
    let world = World::with(|plan| plan.more = vec![("spare", Arc::new(Code::spare()))]).await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    world.user(&acme, "bob", "bob's word").await;
    let ada = world.enrol_code(&acme, "ada", "ada's word", "123456").await;
    let off = rules(Some(SecondFactorRule::Off), None, None);
    world.put_settings(&acme, off).await;
    let bob = world.signed_in(&acme, "bob", "bob's word").await;
    let start = |browser: &Browser, target: &str| {
        let target = Some(crate::support::provider(target));
        let browser = browser.clone();
        let world = &world;
        async move {
            let start = StartFlow {
                intent: Intent::Enrol,
                session: Some(world.session(&browser).await),
                target,
                ..StartFlow::sign_in(gatelodge_core::engine::Transport::Cookie)
            };
            browser.again(world, start).await
        }
    };
    for target in ["code", "spare"] {
        let refused = start(&bob, target).await;
        let error = refused.err().expect("refused");
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert_eq!(
            error.message(),
            "this organisation offers no second factors"
        );
    }
    assert!(start(&bob, "password").await.is_ok());
    // Whoever has one is asked for it, and may change it.
    assert_eq!(by_word(&world, &acme).await.asked_by(), ["code"]);
    assert!(start(&ada, "code").await.is_ok());
    assert!(start(&ada, "spare").await.is_err());
    let accounts = world.platform.accounts();
    let ids = async |browser: &Browser| {
        let caller = world.caller(browser).await;
        let methods = accounts.sign_in_methods(&caller).await.unwrap();
        let ids = methods.iter().map(|method| method.provider.to_string());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(ids(&bob).await, ["password"]);
    assert_eq!(ids(&ada).await, ["password", "code"]);
}

/// A session that is limited to one page may set nothing up: none without a factor.
#[tokio::test]
async fn s12_a_link_to_one_page_leads_in_only_as_long_as_it_may_wait() {
    let link = Arc::new(Link {
        scope: Some("one-page".to_owned()),
    });
    let world = World::with(|plan| plan.more = vec![("link", link)]).await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    let mut links = Vec::new();
    for token in ["the first token", "the second token"] {
        let browser = world.signed_in(&acme, "ada", "ada's word").await;
        let mut keeping = browser.enrolling(&world, "link").await;
        keeping.word(&world, "ada", "ada's word").await.unwrap();
        let values = [("token", token)];
        keeping.fill(&world, "link", &values).await.unwrap();
        let start = StartFlow {
            link: Some((LinkPurpose::SignIn, Secret::new(token))),
            ..sign_in_at(&acme)
        };
        links.push(start);
    }
    let from = Some(later(world.now(), HOUR));
    world.put_settings(&acme, required(from)).await;
    let mut early = Browser::start(&world, links.remove(0)).await.unwrap();
    press(&world, &mut early, "link", "confirm").await;
    assert!(world.knows(&early).await);
    world.pass(HOUR);
    let mut late = Browser::start(&world, links.remove(0)).await.unwrap();
    let refusal = press(&world, &mut late, "link", "confirm").await;
    assert!(refused(&refusal));
    assert_eq!(world.refusals(Some(acme.id)).await, ["second_factor_due"]);
}

/// S12: where nothing could be set up nobody gets in, and nobody decides so by mistake.
#[tokio::test]
async fn s12_where_nothing_can_be_set_up_nobody_gets_in() {
    let world = World::with(|plan| plan.only_word = true).await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    let operator = gatelodge_core::access::Caller::operator();
    let tenants = world.platform.tenants();
    let refused_setting = tenants.put_settings(&operator, acme.id, None, required(None));
    let error = refused_setting.await.unwrap_err();
    assert_eq!(error.field(), Some("second_factor.everyone"));
    // It was set while there was something, or by the configuration.
    let from = later(world.now(), HOUR);
    let world = World::with(|plan| {
        plan.only_word = true;
        plan.settings.second_factor_everyone = SecondFactorRule::Required;
        plan.settings.second_factor_required_from = Some(from);
    });
    let world = world.await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    assert!(by_word(&world, &acme).await.token().is_some());
    world.pass(HOUR);
    assert!(by_word(&world, &acme).await.token().is_none());
    let reasons = world.refusals(Some(acme.id)).await;
    assert_eq!(reasons, ["second_factor_cannot_be_set_up"]);
}

#[tokio::test]
async fn who_signs_up_sets_one_up_too() {
    let (world, acme) = house(None, &[]).await;
    let settings = TenantSettings {
        registration: gatelodge_core::model::RegistrationSettings {
            enabled: Some(true),
            ..Default::default()
        },
        ..required(None)
    };
    world.put_settings(&acme, settings).await;
    let start = StartFlow {
        intent: Intent::SignUp,
        ..sign_in_at(&acme)
    };
    let mut browser = Browser::start(&world, start).await.unwrap();
    let values = [
        ("user_name", "new"),
        ("display_name", "New"),
        ("new_password", "new's word"),
    ];
    browser.fill(&world, "password", &values).await.unwrap();
    assert!(browser.token().is_none());
    assert_eq!(asked(&browser), (None, Vec::new()));
    set_up(&world, &mut browser, "code").await;
    assert!(world.knows(&browser).await);
}

#[tokio::test]
async fn a_new_word_that_is_owed_comes_first() {
    let (world, acme) = house(None, &[]).await;
    let credential = gatelodge_core::service::InitialCredential::Given {
        password: Secret::new("first word"),
        must_change: true,
    };
    world.user_with(&acme, "bob", credential).await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    browser.word(&world, "bob", "first word").await.unwrap();
    assert_eq!(browser.asked_by(), ["duty:change-credential"]);
    browser.change_word(&world, "second word").await.unwrap();
    assert!(browser.token().is_none());
    assert_eq!(asked(&browser), (None, Vec::new()));
    set_up(&world, &mut browser, "code").await;
    assert!(world.knows(&browser).await);
}
