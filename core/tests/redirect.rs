//! Signing in at a third party.

use std::sync::Arc;

use gatelodge_core::{
    ErrorKind,
    engine::{Arrival, Progress, StartFlow, StepBody, Transport},
    provider::{Proof, Turn},
    secret::Secret,
};

use crate::{
    providers::{Away, Liar, form},
    support::{Browser, MILLISECOND, World, kind, minutes, provider, refused},
};

async fn world() -> (World, Arc<Away>) {
    let (away, asks) = (Arc::new(Away::default()), Away::asking_first());
    let made = away.clone();
    let world = World::with(|plan| {
        plan.more = vec![
            ("away", made.clone()),
            ("twin", made),
            ("asks", Arc::new(asks)),
        ];
    })
    .await;
    let acme = world.tenant("acme").await;
    let ada = world.user(&acme, "ada", "ada's word").await;
    away.issue("ada's code", (acme.id, ada.id));
    (world, away)
}

/// Leaves for the third party; answers the `state` parameter.
async fn leave(world: &World, browser: &mut Browser, provider: &str) -> String {
    browser.go(world, provider).await.unwrap();
    state_of(browser)
}

fn state_of(browser: &Browser) -> String {
    let Some(StepBody::Redirect { url, .. }) = browser.view.step.clone().map(|step| step.body)
    else {
        panic!("the browser is sent away");
    };
    let url: url::Url = url.parse().unwrap();
    assert_eq!(url.host_str(), Some("third.example"));
    let mut pairs = url.query_pairs();
    let state = pairs.find(|(name, _)| name == "state");
    state.map(|(_, value)| value.into_owned()).unwrap()
}

#[tokio::test]
async fn who_comes_back_with_the_right_state_is_signed_in_once() {
    let (world, _) = world().await;
    let mut browser = Browser::anywhere(&world).await;
    assert!(browser.asked_by().contains(&"away".to_owned()));
    let state = leave(&world, &mut browser, "away").await;
    let sign_in = world.platform.sign_in();
    let secret = Secret::new(state.as_str());
    let brought = [("state".to_owned(), secret)].into();
    let arrival = sign_in
        .arrive(&provider("away"), &brought, false, &browser.client)
        .await;
    let flow = browser.handle.id.clone();
    assert_eq!(arrival.unwrap(), Arrival::Here { flow });

    let parameters = [("state", state.as_str()), ("code", "ada's code")];
    browser
        .come_back(&world, "away", &parameters)
        .await
        .unwrap();
    assert!(world.knows(&browser).await);
    let again = browser.come_back(&world, "away", &parameters).await;
    assert_eq!(kind(again), ErrorKind::NotFound);
    let arrival = sign_in
        .arrive(&provider("away"), &brought, false, &browser.client)
        .await;
    assert_eq!(kind(arrival), ErrorKind::NotFound);
}

#[tokio::test]
async fn coming_back_to_a_busy_provider_uses_nothing_up() {
    let (world, away) = world().await;
    let mut browser = Browser::anywhere(&world).await;
    let state = leave(&world, &mut browser, "away").await;
    let parameters = [("state", state.as_str()), ("code", "ada's code")];
    away.is_busy(true);
    let busy = browser.come_back(&world, "away", &parameters).await;
    assert_eq!(kind(busy), ErrorKind::Unavailable);
    away.is_busy(false);
    browser
        .come_back(&world, "away", &parameters)
        .await
        .unwrap();
    assert!(world.knows(&browser).await);
}

/// S26: the state belongs to one flow, one browser, one connection.
#[tokio::test]
async fn s26_a_state_works_only_where_it_was_made() {
    let (world, _) = world().await;
    let mut browser = Browser::anywhere(&world).await;
    let mut other = Browser::anywhere(&world).await;
    let state = leave(&world, &mut browser, "away").await;
    let foreign = leave(&world, &mut other, "away").await;
    let right = [("state", state.as_str()), ("code", "ada's code")];

    for parameters in [
        vec![("code", "ada's code")],
        vec![("state", ""), ("code", "ada's code")],
        vec![("state", "made up"), ("code", "ada's code")],
        vec![("state", foreign.as_str()), ("code", "ada's code")],
    ] {
        let refused = browser.come_back(&world, "away", &parameters).await;
        assert_eq!(kind(refused), ErrorKind::NotFound, "{parameters:?}");
    }
    let refused = browser.come_back(&world, "twin", &right).await;
    assert_eq!(kind(refused), ErrorKind::NotFound, "another connection");
    let refused = other.clone().come_back(&world, "away", &right).await;
    assert_eq!(kind(refused), ErrorKind::NotFound, "another flow");
    for binding in [None, other.handle.binding.clone()] {
        let mut elsewhere = browser.clone();
        elsewhere.handle.binding = binding;
        let refused = elsewhere.come_back(&world, "away", &right).await;
        assert_eq!(kind(refused), ErrorKind::NotFound, "another browser");
    }
    browser.come_back(&world, "away", &right).await.unwrap();
    assert!(browser.token().is_some(), "none of that used the state up");
}

#[tokio::test]
async fn of_two_callbacks_with_one_state_one_signs_in() {
    let (world, _) = world().await;
    let mut one = Browser::anywhere(&world).await;
    let state = leave(&world, &mut one, "away").await;
    let mut two = one.clone();
    let parameters = [("state", state.as_str()), ("code", "ada's code")];
    let (first, second) = tokio::join!(
        one.come_back(&world, "away", &parameters),
        two.come_back(&world, "away", &parameters),
    );
    let signed_in = [first, second].into_iter().filter_map(Result::ok);
    let complete = |progress: &Progress| matches!(progress, Progress::Complete(_));
    assert_eq!(signed_in.filter(complete).count(), 1);
}

#[tokio::test]
async fn a_state_dies_with_its_flow() {
    let (world, _) = world().await;
    let mut browser = Browser::anywhere(&world).await;
    let state = leave(&world, &mut browser, "away").await;
    world.pass(minutes(10));
    let parameters = [("state", state.as_str()), ("code", "ada's code")];
    let late = browser.come_back(&world, "away", &parameters).await;
    assert_eq!(kind(late), ErrorKind::NotFound);
    world
        .clock
        .set(world.now() - jiff::SignedDuration::try_from(MILLISECOND).unwrap());
    browser
        .come_back(&world, "away", &parameters)
        .await
        .unwrap();
}

/// Whoever is refused there, or changes their mind, can go on here.
#[tokio::test]
async fn after_a_refusal_at_the_third_party_every_way_is_open_again() {
    let (world, _) = world().await;
    let mut browser = Browser::anywhere(&world).await;
    let state = leave(&world, &mut browser, "away").await;
    let denied = [("state", state.as_str()), ("error", "access_denied")];
    let progress = browser.come_back(&world, "away", &denied).await.unwrap();
    assert!(refused(&progress));
    assert!(browser.asked_by().contains(&"password".to_owned()));

    let second = leave(&world, &mut browser, "away").await;
    assert_ne!(second, state);
    let parameters = [("state", second.as_str()), ("code", "ada's code")];
    browser
        .come_back(&world, "away", &parameters)
        .await
        .unwrap();
    assert!(browser.token().is_some());
}

/// S13: who was refused leaves nothing behind for the next person in the flow.
#[tokio::test]
async fn s13_who_is_refused_after_the_third_party_leaves_no_trace_in_the_flow() {
    let (world, away) = world().await;
    let acme = world.found("acme").await;
    world.enrol_code(&acme, "ada", "ada's word", "123456").await;
    let single = world.user(&acme, "single", "some word").await;
    let place = (acme.id, single.id);
    let change = world.alter_user(place, |user| user.credential_epoch += 5);
    change.await;
    away.issue("single's code", place);
    let start = StartFlow {
        two_factors: true,
        ..StartFlow::sign_in(Transport::Cookie)
    };
    let mut browser = Browser::start(&world, start).await.unwrap();
    let state = leave(&world, &mut browser, "away").await;
    let parameters = [("state", state.as_str()), ("code", "single's code")];
    let back = browser.come_back(&world, "away", &parameters).await;
    assert!(refused(&back.unwrap()), "one factor is not enough");

    browser.word(&world, "ada", "ada's word").await.unwrap();
    assert!(browser.token().is_none());
    browser.code(&world, "123456").await.unwrap();
    let session = world.session(&browser).await;
    assert_eq!(session.user.user_name.as_str(), "ada");
    assert_eq!(browser.amr(), ["pwd", "otp", "mfa"]);
}

#[tokio::test]
async fn a_provider_that_asks_first_can_send_away_too() {
    let (world, _) = world().await;
    let mut browser = Browser::anywhere(&world).await;
    browser
        .fill(&world, "asks", &[("user_name", "ada")])
        .await
        .unwrap();
    let state = state_of(&browser);
    let denied = [("state", state.as_str()), ("code", "unknown")];
    let progress = browser.come_back(&world, "asks", &denied).await.unwrap();
    assert!(refused(&progress));
}

/// S13: who was named before the way to the third party is forgotten after it.
#[tokio::test]
async fn s13_a_name_from_before_a_refusal_is_nobody_afterwards() {
    let mut nameless = Liar::saying(|facts| {
        Ok(match &facts.subject {
            Some(subject) => Turn::proven(Proof::of_subject(subject.id)),
            None => Turn::refused("nobody"),
        })
    });
    nameless.first = Box::new(|_| Ok(Turn::prompt(form([]))));
    let world = World::with(|plan| {
        plan.more = vec![
            ("asks", Arc::new(Away::asking_first())),
            ("nameless", Arc::new(nameless)),
        ];
    })
    .await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    let named = browser.fill(&world, "asks", &[("user_name", "ada")]);
    named.await.unwrap();
    let state = state_of(&browser);
    let denied = [("state", state.as_str())];
    let back = browser.come_back(&world, "asks", &denied).await.unwrap();
    assert!(refused(&back));
    let answer = browser.fill(&world, "nameless", &[]).await.unwrap();
    assert!(refused(&answer));
    assert!(browser.token().is_none());
}

#[tokio::test]
async fn a_client_without_cookies_or_a_return_address_is_not_sent_away() {
    let (world, _) = world().await;
    let start = StartFlow::sign_in(Transport::Token);
    let mut client = Browser::start(&world, start).await.unwrap();
    let left = client.go(&world, "away").await;
    assert_eq!(kind(left), ErrorKind::Invalid);
    client.word(&world, "ada", "ada's word").await.unwrap();
    assert!(client.token().is_some());
}
