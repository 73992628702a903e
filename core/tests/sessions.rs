//! Sessions: how long they last, how many there are, how they end.

use std::{sync::Arc, time::Duration};

use gatelodge_core::{
    ErrorKind,
    access::{Caller, Principal},
    model::{AtLimit, EndReason, Grant, Session, SessionSettings, Tenant, TenantSettings, User},
    storage::Page,
};

use crate::support::{Browser, MILLISECOND, World, kind, minutes, sign_in_at};

async fn world() -> (World, Tenant, User) {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let ada = world.user(&acme, "ada", "ada's word").await;
    (world, acme, ada)
}

async fn with_settings(session: SessionSettings) -> (World, Tenant, User) {
    let (world, acme, ada) = world().await;
    let settings = TenantSettings {
        session,
        ..TenantSettings::default()
    };
    world.put_settings(&acme, settings).await;
    (world, acme, ada)
}

async fn all(world: &World, tenant: &Tenant) -> Vec<Session> {
    let sessions = world.platform.sessions();
    let operator = Caller::operator();
    let page = Page::first(100);
    let listed = sessions.list(&operator, tenant.id, None, false, page).await;
    listed.unwrap().items
}

async fn ends(world: &World, tenant: &Tenant) -> Vec<Option<EndReason>> {
    let sessions = all(world, tenant).await.into_iter();
    sessions
        .map(|session| session.ended.map(|end| end.reason))
        .collect()
}

#[tokio::test]
async fn an_unused_session_ends_at_the_millisecond() {
    let (world, acme, _) = world().await;
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    world.pass(minutes(30) - MILLISECOND);
    assert!(world.knows(&browser).await);
    // That was a use; the server stores it and the time begins anew.
    world.platform.flush_activity().await.unwrap();
    world.pass(minutes(30) - MILLISECOND);
    assert!(world.knows(&browser).await);
    world.platform.flush_activity().await.unwrap();
    world.pass(minutes(30));
    assert!(!world.knows(&browser).await);
}

#[tokio::test]
async fn a_session_in_use_ends_at_its_absolute_end() {
    let (world, acme, _) = with_settings(SessionSettings {
        idle_minutes: Some(10),
        absolute_minutes: Some(25),
        ..SessionSettings::default()
    })
    .await;
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    for _ in 0..3 {
        world.pass(minutes(8));
        assert!(world.knows(&browser).await);
        world.platform.flush_activity().await.unwrap();
    }
    world.pass(minutes(1) - MILLISECOND);
    assert!(world.knows(&browser).await);
    world.pass(MILLISECOND);
    assert!(!world.knows(&browser).await);
}

/// S3: an abandoned session ended when it was last used, not when that was found.
#[tokio::test]
async fn an_abandoned_session_is_closed_at_the_moment_it_ended() {
    let (world, acme, _) = world().await;
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    let started = world.now();
    world.pass(minutes(300));
    assert!(!world.platform.tidy().await.unwrap());
    let session = &all(&world, &acme).await[0];
    let end = session.ended.unwrap();
    assert_eq!(end.reason, EndReason::TimedOut);
    let idle = jiff::SignedDuration::try_from(minutes(30)).unwrap();
    assert_eq!(end.at, started + idle);
    assert!(!world.knows(&browser).await);
}

#[tokio::test]
async fn at_the_limit_a_sign_in_is_refused_or_replaces_the_oldest() {
    for at_limit in [AtLimit::Refuse, AtLimit::ReplaceOldest] {
        let (world, acme, _) = with_settings(SessionSettings {
            limit: Some(2),
            at_limit: Some(at_limit),
            ..SessionSettings::default()
        })
        .await;
        let first = world.signed_in(&acme, "ada", "ada's word").await;
        world.pass(Duration::from_secs(5));
        let second = world.signed_in(&acme, "ada", "ada's word").await;
        world.pass(Duration::from_secs(5));
        // The first is used last, so the second is the oldest.
        assert!(world.knows(&first).await);
        world.platform.flush_activity().await.unwrap();

        let mut third = Browser::at_tenant(&world, &acme).await;
        let answer = third.word(&world, "ada", "ada's word").await;
        if at_limit == AtLimit::Refuse {
            assert_eq!(kind(answer), ErrorKind::Refused);
            assert!(world.knows(&second).await);
            world.user(&acme, "bob", "bob's word").await;
            world.signed_in(&acme, "bob", "bob's word").await;
        } else {
            answer.unwrap();
            assert!(!world.knows(&second).await);
            assert!(world.knows(&third).await);
            let ends = ends(&world, &acme).await;
            assert_eq!(ends, [None, Some(EndReason::Replaced), None]);
        }
        assert!(world.knows(&first).await);
    }
}

#[tokio::test]
async fn parallel_sign_ins_keep_to_the_limit() {
    let (world, acme, _) = with_settings(SessionSettings {
        limit: Some(1),
        at_limit: Some(AtLimit::Refuse),
        ..SessionSettings::default()
    })
    .await;
    let world = Arc::new(world);
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let mut browser = Browser::at_tenant(&world, &acme).await;
        let world = world.clone();
        tasks.push(tokio::spawn(async move {
            browser.word(&world, "ada", "ada's word").await.is_ok()
        }));
    }
    let mut signed_in = 0;
    for task in tasks {
        signed_in += u32::from(task.await.unwrap());
    }
    assert_eq!(signed_in, 1);
    // A full account is no wrong answer: nothing was counted.
    for _ in 0..12 {
        let mut browser = Browser::at_tenant(&world, &acme).await;
        let full = browser.word(&world, "ada", "ada's word").await;
        assert_eq!(kind(full), ErrorKind::Refused);
    }
}

#[tokio::test]
async fn an_expired_session_takes_no_place() {
    let (world, acme, _) = with_settings(SessionSettings {
        limit: Some(1),
        at_limit: Some(AtLimit::Refuse),
        ..SessionSettings::default()
    })
    .await;
    world.signed_in(&acme, "ada", "ada's word").await;
    world.pass(minutes(30));
    world.signed_in(&acme, "ada", "ada's word").await;
}

/// S02: a signed-out token is dead, and so is nobody else's.
#[tokio::test]
async fn s02_signing_out_ends_exactly_that_session() {
    let (world, acme, _) = world().await;
    let here = world.signed_in(&acme, "ada", "ada's word").await;
    let there = world.signed_in(&acme, "ada", "ada's word").await;
    let caller = world.caller(&here).await;
    world.platform.sessions().sign_out(&caller).await.unwrap();
    assert!(!world.knows(&here).await);
    assert!(world.knows(&there).await);
    world.platform.sessions().sign_out(&caller).await.unwrap();
    let mut ends = ends(&world, &acme).await;
    ends.sort_by_key(Option::is_none);
    assert_eq!(ends, [Some(EndReason::SignedOut), None]);
    let nobody = Caller {
        principal: Principal::Anonymous,
        client: here.client.clone(),
    };
    let refused = world.platform.sessions().sign_out(&nobody).await;
    assert_eq!(kind(refused), ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn ones_own_sessions_are_listed_and_ended() {
    let (world, acme, _) = world().await;
    world.user(&acme, "eve", "eve's word").await;
    let here = world.signed_in(&acme, "ada", "ada's word").await;
    let there = world.signed_in(&acme, "ada", "ada's word").await;
    let third = world.signed_in(&acme, "ada", "ada's word").await;
    let eves = world.signed_in(&acme, "eve", "eve's word").await;
    let (caller, sessions) = (world.caller(&here).await, world.platform.sessions());
    let own = sessions.list_own(&caller, Page::first(2)).await.unwrap();
    assert_eq!((own.items.len(), own.next), (2, Some(own.items[1].id)));
    let rest = Page::after(own.next.unwrap(), 2);
    let rest = sessions.list_own(&caller, rest).await.unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));

    let id = |browser: &Browser| browser.done.as_ref().unwrap().session.id;
    sessions.end_own(&caller, id(&there)).await.unwrap();
    assert!(!world.knows(&there).await);
    for gone in [id(&there), id(&eves)] {
        let refused = sessions.end_own(&caller, gone).await;
        assert_eq!(kind(refused), ErrorKind::NotFound);
    }
    assert_eq!(sessions.end_own_others(&caller).await.unwrap(), 1);
    assert!(!world.knows(&third).await);
    assert!(world.knows(&here).await && world.knows(&eves).await);
}

#[tokio::test]
async fn administrators_end_sessions_of_their_tenant_only() {
    let (world, acme, ada) = world().await;
    let other = world.tenant("other").await;
    let eve = world.user(&other, "eve", "eve's word").await;
    let root = world.user(&acme, "root", "root's word").await;
    world
        .grant((acme.id, root.id), Grant::PlatformAdministrator)
        .await;
    let grant = Grant::TenantAdministrator;
    let (_, administrator) = world.administrator(&acme, "boss", grant).await;
    let adas = [
        world.signed_in(&acme, "ada", "ada's word").await,
        world.signed_in(&acme, "ada", "ada's word").await,
    ];
    let eves = world.signed_in(&other, "eve", "eve's word").await;
    let roots = world.signed_in(&acme, "root", "root's word").await;
    let sessions = world.platform.sessions();
    let id = |browser: &Browser| browser.done.as_ref().unwrap().session.id;

    let foreign = sessions.end(&administrator, other.id, id(&eves)).await;
    assert_eq!(kind(foreign), ErrorKind::NotFound);
    let foreign = sessions.end(&administrator, acme.id, id(&eves)).await;
    assert_eq!(kind(foreign), ErrorKind::NotFound);
    let foreign = sessions.end_of_user(&administrator, acme.id, eve.id).await;
    assert_eq!(kind(foreign), ErrorKind::NotFound);
    for above in [
        sessions.end(&administrator, acme.id, id(&roots)).await,
        sessions
            .end_of_user(&administrator, acme.id, root.id)
            .await
            .map(|_| ()),
    ] {
        assert_eq!(kind(above), ErrorKind::Denied, "s37");
    }
    let adas_own = world.caller(&adas[0]).await;
    let denied = sessions.end(&adas_own, acme.id, id(&adas[1])).await;
    assert_eq!(kind(denied), ErrorKind::Denied);

    sessions
        .end(&administrator, acme.id, id(&adas[0]))
        .await
        .unwrap();
    assert!(!world.knows(&adas[0]).await);
    let ended = sessions.end_of_user(&administrator, acme.id, ada.id).await;
    assert_eq!(ended.unwrap(), 1);
    assert!(!world.knows(&adas[1]).await);
    assert!(world.knows(&eves).await && world.knows(&roots).await);
    let listed = sessions.list(&administrator, acme.id, Some(ada.id), true, Page::first(10));
    assert!(listed.await.unwrap().items.is_empty());
}

#[tokio::test]
async fn new_settings_hold_for_new_sessions() {
    let (world, acme, _) = world().await;
    let old = world.signed_in(&acme, "ada", "ada's word").await;
    let settings = TenantSettings {
        session: SessionSettings {
            idle_minutes: Some(1),
            ..SessionSettings::default()
        },
        ..TenantSettings::default()
    };
    world.put_settings(&acme, settings).await;
    let new = world.signed_in(&acme, "ada", "ada's word").await;
    world.pass(minutes(1));
    assert!(world.knows(&old).await);
    assert!(!world.knows(&new).await);
}

/// S06: a made-up token and a hash of a real one are nobody's.
#[tokio::test]
async fn s06_only_a_sessions_own_token_opens_it() {
    let (world, acme, _) = world().await;
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    let made_up = gatelodge_core::secret::Token::generate(world.platform.environment());
    assert!(world.check(&made_up).await.is_none());
    let started = Browser::start(&world, sign_in_at(&acme)).await.unwrap();
    let binding = started.handle.binding.unwrap();
    assert!(world.check(&binding).await.is_none(), "a flow's cookie");
    assert!(world.knows(&browser).await);
}
