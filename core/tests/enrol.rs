//! Setting something up and proving oneself again while signed in.

use gatelodge_core::{
    ErrorKind,
    engine::{StartFlow, Transport},
    model::EndReason,
    provider::Intent,
};

use crate::support::{Browser, WRONG, World, kind, provider, refused};

#[tokio::test]
async fn nothing_is_set_up_without_a_session_or_a_way_to() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    for intent in [Intent::Enrol, Intent::Reprove] {
        let start = StartFlow {
            intent,
            target: Some(provider("code")),
            ..StartFlow::sign_in(Transport::Cookie)
        };
        let started = Browser::start(&world, start).await;
        assert_eq!(kind(started), ErrorKind::Unauthenticated);
    }
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    for target in [None, Some(provider("made-up"))] {
        let start = StartFlow {
            intent: Intent::Enrol,
            session: Some(world.session(&browser).await),
            target,
            ..StartFlow::sign_in(Transport::Cookie)
        };
        assert_eq!(
            kind(browser.again(&world, start).await),
            ErrorKind::NotFound
        );
    }
}

#[tokio::test]
async fn setting_up_asks_for_a_fresh_proof_first() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    world.user(&acme, "eve", "eve's word").await;
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    let mut enrolling = browser.enrolling(&world, "code").await;
    assert_eq!(enrolling.asked_by(), ["password"]);
    let early = enrolling.fill(&world, "code", &[("new_code", "1")]).await;
    assert_eq!(kind(early), ErrorKind::NotFound);
    assert!(refused(
        &enrolling.word(&world, "ada", WRONG).await.unwrap()
    ));
    // Another's name and word prove nothing about the one who is signed in.
    assert!(refused(
        &enrolling.word(&world, "eve", "eve's word").await.unwrap()
    ));
    enrolling.word(&world, "ada", "ada's word").await.unwrap();
    assert_eq!(enrolling.asked_by(), ["code"]);
    enrolling
        .fill(&world, "code", &[("new_code", "123456")])
        .await
        .unwrap();
    assert!(world.knows(&enrolling).await);
    let caller = world.caller(&enrolling).await;
    let methods = world.platform.accounts().sign_in_methods(&caller).await;
    let methods: Vec<_> = methods.unwrap().into_iter().collect();
    let counts: Vec<_> = methods
        .iter()
        .map(|method| (method.provider.as_str(), method.credentials.len()))
        .collect();
    assert_eq!(counts, [("password", 1), ("code", 1)]);
}

/// A factor that was just set up is not asked for in the same flow, and in
/// every later one.
#[tokio::test]
async fn a_new_second_factor_counts_from_the_next_sign_in_on() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    let mut enrolling = browser.enrolling(&world, "code").await;
    enrolling.word(&world, "ada", "ada's word").await.unwrap();
    enrolling
        .fill(&world, "code", &[("new_code", "123456")])
        .await
        .unwrap();
    assert!(enrolling.token().is_some());
    assert_eq!(enrolling.amr(), ["pwd"], "setting up proves nothing");
    let mut next = Browser::at_tenant(&world, &acme).await;
    next.word(&world, "ada", "ada's word").await.unwrap();
    assert_eq!(next.asked_by(), ["code"]);
}

/// S20, S01: after a change of credentials only the session that made it lives,
/// under a new token.
#[tokio::test]
async fn s20_a_change_of_credentials_ends_every_other_session_at_once() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    world.user(&acme, "bob", "bob's word").await;
    let other = world.signed_in(&acme, "ada", "ada's word").await;
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    let bob = world.signed_in(&acme, "bob", "bob's word").await;
    let mut enrolling = browser.enrolling(&world, "password").await;
    enrolling.word(&world, "ada", "ada's word").await.unwrap();
    assert!(world.knows(&other).await, "nothing has changed yet");
    enrolling
        .fill(&world, "password", &[("new_password", "another word")])
        .await
        .unwrap();
    assert!(world.knows(&enrolling).await);
    assert!(!world.knows(&browser).await, "the old token is dead");
    assert!(!world.knows(&other).await);
    assert!(world.knows(&bob).await);
    let mut old = Browser::at_tenant(&world, &acme).await;
    assert!(refused(
        &old.word(&world, "ada", "ada's word").await.unwrap()
    ));
}

/// v5.0.0-7.2.4.
#[tokio::test]
async fn proving_oneself_again_replaces_the_session() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    world.pass(crate::support::minutes(5));
    let start = StartFlow {
        intent: Intent::Reprove,
        session: Some(world.session(&browser).await),
        ..StartFlow::sign_in(Transport::Cookie)
    };
    let mut again = browser.again(&world, start).await.unwrap();
    again.word(&world, "ada", "ada's word").await.unwrap();
    assert!(!world.knows(&browser).await);
    let session = world.session(&again).await;
    assert_eq!(session.session.auth_time(), world.now());
    let operator = gatelodge_core::access::Caller::operator();
    let page = gatelodge_core::storage::Page::first(10);
    let sessions = world.platform.sessions();
    let all = sessions.list(&operator, acme.id, None, false, page).await;
    let ends: Vec<_> = all
        .unwrap()
        .items
        .iter()
        .map(|s| s.ended.map(|e| e.reason))
        .collect();
    assert_eq!(ends, [Some(EndReason::Replaced), None]);
}

#[tokio::test]
async fn a_second_factor_is_asked_again_before_it_is_changed() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    let browser = world.enrol_code(&acme, "ada", "ada's word", "123456").await;
    let mut enrolling = browser.enrolling(&world, "code").await;
    enrolling.word(&world, "ada", "ada's word").await.unwrap();
    assert_eq!(enrolling.asked_by(), ["code"]);
    let early = enrolling
        .fill(&world, "code", &[("new_code", "999999")])
        .await;
    assert!(matches!(
        early.unwrap(),
        gatelodge_core::engine::Progress::Invalid { .. }
    ));
    enrolling.code(&world, "123456").await.unwrap();
    enrolling
        .fill(&world, "code", &[("new_code", "654321")])
        .await
        .unwrap();
    let mut next = Browser::at_tenant(&world, &acme).await;
    next.word(&world, "ada", "ada's word").await.unwrap();
    assert!(refused(&next.code(&world, "123456").await.unwrap()));
    next.code(&world, "654321").await.unwrap();
    assert!(next.token().is_some());
}

/// L3: a session that is limited to a purpose cannot set anything up.
#[tokio::test]
async fn a_limited_session_sets_nothing_up() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    let mut session = (*world.session(&browser).await).clone();
    session.session.scope = Some("one-page".to_owned());
    let start = StartFlow {
        intent: Intent::Enrol,
        session: Some(std::sync::Arc::new(session)),
        target: Some(provider("code")),
        ..StartFlow::sign_in(Transport::Cookie)
    };
    assert_eq!(kind(browser.again(&world, start).await), ErrorKind::Denied);
}

/// S03: a change of credentials that was begun in a session ends with it.
#[tokio::test]
async fn s03_a_change_that_was_begun_in_a_session_ends_with_it() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    let mut enrolling = browser.enrolling(&world, "password").await;
    enrolling.word(&world, "ada", "ada's word").await.unwrap();
    let caller = world.caller(&browser).await;
    world.platform.sessions().sign_out(&caller).await.unwrap();
    let late = enrolling
        .fill(&world, "password", &[("new_password", "another word")])
        .await;
    assert!(refused(&late.unwrap()));
    let refusals = world.refusals(Some(acme.id)).await;
    assert_eq!(refusals.last().map(String::as_str), Some("session_over"));
}
