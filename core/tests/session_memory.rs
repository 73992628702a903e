//! Sessions in memory: fast, and never later than promised.

use std::time::Duration;

use gatelodge_core::{
    ErrorKind, Platform,
    access::Caller,
    model::{AtLimit, DisplayName, SessionSettings, Tenant, TenantSettings, User},
    service::UserPatch,
};

use crate::support::{Browser, MILLISECOND, World, kind, minutes};

async fn world() -> (World, Tenant, User) {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let ada = world.user(&acme, "ada", "ada's word").await;
    follow(&world.platform).await;
    (world, acme, ada)
}

/// Follows the change feed until its first confirmation.
async fn follow(platform: &Platform) {
    let followed = platform.clone();
    tokio::spawn(async move { followed.follow_changes().await });
    settle().await;
}

/// Lets the feed deliver and confirm; the time is the runtime's own and paused.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(250)).await;
}

async fn valid(platform: &Platform, browser: &Browser) -> bool {
    let checked = platform.sessions().check(browser.token().unwrap()).await;
    checked.unwrap().is_some()
}

async fn rename(world: &World, acme: &Tenant, ada: &User) {
    let patch = UserPatch {
        display_name: Some(DisplayName::new("Ada L.").unwrap()),
        ..UserPatch::default()
    };
    let (users, operator) = (world.platform.users(), Caller::operator());
    let place = (acme.id, ada.id);
    users.update(&operator, place, None, patch).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_known_session_is_checked_without_the_storage() {
    let (world, acme, ada) = world().await;
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    assert!(world.knows(&browser).await);
    let begun = world.storage.begun();
    for _ in 0..100 {
        assert!(world.knows(&browser).await);
    }
    assert_eq!(world.storage.begun(), begun);
    rename(&world, &acme, &ada).await;
    let session = world.session(&browser).await;
    assert_eq!(session.user.display_name.as_str(), "Ada L.");
}

#[tokio::test(start_paused = true)]
async fn what_ends_a_session_is_in_force_here_when_it_is_answered() {
    let (world, acme, ada) = world().await;
    let operator = Caller::operator();
    let (sessions, users) = (world.platform.sessions(), world.platform.users());
    for way in 0..5 {
        let browser = world.signed_in(&acme, "ada", "ada's word").await;
        assert!(world.knows(&browser).await);
        let id = browser.done.as_ref().unwrap().session.id;
        let caller = world.caller(&browser).await;
        match way {
            0 => sessions.sign_out(&caller).await.unwrap(),
            1 => sessions.end(&operator, acme.id, id).await.unwrap(),
            2 => drop(
                sessions
                    .end_of_user(&operator, acme.id, ada.id)
                    .await
                    .unwrap(),
            ),
            3 => {
                world.lock_tenant(&acme).await.unwrap();
                world
                    .platform
                    .tenants()
                    .unlock(&operator, acme.id)
                    .await
                    .unwrap();
            }
            _ => {
                let place = (acme.id, ada.id);
                users.delete(&operator, place, None).await.unwrap();
            }
        }
        assert!(!world.knows(&browser).await, "way {way}");
    }
}

/// S20: on this server at once, without waiting for the change feed.
#[tokio::test(start_paused = true)]
async fn s20_a_changed_credential_is_in_force_here_when_it_is_answered() {
    let (world, acme, ada) = world().await;
    let other = world.signed_in(&acme, "ada", "ada's word").await;
    assert!(world.knows(&other).await);
    let begun = world.storage.begun();
    assert!(world.knows(&other).await);
    assert_eq!(world.storage.begun(), begun, "it is in memory");
    world
        .alter_user((acme.id, ada.id), |user| {
            user.must_change = Some(gatelodge_core::model::MustChange::Compromised);
        })
        .await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    browser.word(&world, "ada", "ada's word").await.unwrap();
    browser.change_word(&world, "second word").await.unwrap();
    assert!(!world.knows(&other).await);
}

#[tokio::test(start_paused = true)]
async fn a_replaced_session_is_refused_here_at_once() {
    let (world, acme, _) = world().await;
    let settings = TenantSettings {
        session: SessionSettings {
            limit: Some(1),
            at_limit: Some(AtLimit::ReplaceOldest),
            ..SessionSettings::default()
        },
        ..TenantSettings::default()
    };
    world.put_settings(&acme, settings).await;
    let first = world.signed_in(&acme, "ada", "ada's word").await;
    assert!(world.knows(&first).await);
    let second = world.signed_in(&acme, "ada", "ada's word").await;
    assert!(!world.knows(&first).await);
    assert!(world.knows(&second).await);
}

#[tokio::test(start_paused = true)]
async fn another_server_learns_of_it_through_the_feed() {
    let (world, acme, _) = world().await;
    let node = world.another_node().await;
    follow(&node).await;
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    settle().await;
    assert!(valid(&node, &browser).await);
    let begun = world.storage.begun();
    assert!(valid(&node, &browser).await);
    assert_eq!(world.storage.begun(), begun, "served from memory");

    let caller = world.caller(&browser).await;
    world.platform.sessions().sign_out(&caller).await.unwrap();
    tokio::time::sleep(MILLISECOND).await;
    assert!(!valid(&node, &browser).await);
}

/// A confirmation may be 400 ms old when it comes: one second in all.
#[tokio::test(start_paused = true)]
async fn memory_is_not_trusted_600_ms_after_the_last_confirmation() {
    let (world, acme, _) = world().await;
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    assert!(world.knows(&browser).await);
    world.pass(Duration::from_millis(600));
    let begun = world.storage.begun();
    assert!(world.knows(&browser).await);
    assert_eq!(world.storage.begun(), begun);
    world.pass(MILLISECOND);
    assert!(world.knows(&browser).await);
    assert!(world.storage.begun() > begun, "it reads through");

    world.storage.break_down(true);
    let sessions = world.platform.sessions();
    let unknown = sessions.check(browser.token().unwrap()).await;
    assert_eq!(kind(unknown), ErrorKind::Unavailable, "nobody passes");
    settle().await;
    assert!(
        world.knows(&browser).await,
        "confirmed again, memory serves"
    );
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_does_not_make_memory_trusted_for_longer() {
    let (world, acme, _) = world().await;
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    assert!(world.knows(&browser).await);
    let start = world.now();
    for moment in [-minutes_of(60), 0, 599, minutes_of(60)] {
        settle().await;
        // The time runs on, unconfirmed, and then the clock is set.
        world.pass(Duration::from_millis(601));
        let to = start.as_millisecond() + moment;
        world
            .clock
            .set(jiff::Timestamp::from_millisecond(to).unwrap());
        let begun = world.storage.begun();
        world.check(browser.token().unwrap()).await;
        assert!(world.storage.begun() > begun, "set to {moment} ms");
        world.clock.set(start);
    }
    settle().await;
    let begun = world.storage.begun();
    world.clock.set(start + jiff::SignedDuration::from_mins(1));
    world.check(browser.token().unwrap()).await;
    assert!(world.storage.begun() > begun, "a machine that slept");
}

fn minutes_of(minutes: i64) -> i64 {
    minutes * 60_000
}

#[tokio::test(start_paused = true)]
async fn without_a_feed_every_check_reads() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    let node = world.another_node().await;
    for _ in 0..3 {
        let begun = world.storage.begun();
        assert!(valid(&node, &browser).await);
        assert!(world.storage.begun() > begun);
    }
    let caller = world.caller(&browser).await;
    world.platform.sessions().sign_out(&caller).await.unwrap();
    assert!(!valid(&node, &browser).await);
}

#[tokio::test(start_paused = true)]
async fn a_broken_feed_is_reported_and_memory_forgotten() {
    let (world, acme, _) = world().await;
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    assert!(world.knows(&browser).await);
    let platform = world.platform.clone();
    let feed = tokio::spawn(async move { platform.follow_changes().await });
    settle().await;
    world.platform.storage().close().await;
    assert_eq!(kind(feed.await.unwrap()), ErrorKind::Unavailable);
    let sessions = world.platform.sessions();
    let unknown = sessions.check(browser.token().unwrap()).await;
    assert_eq!(kind(unknown), ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn activity_is_stored_in_batches_and_kept_when_that_fails() {
    let (world, acme, _) = world().await;
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    assert!(world.knows(&browser).await);
    let begun = world.storage.begun();
    world.platform.flush_activity().await.unwrap();
    assert_eq!(world.storage.begun(), begun, "nothing to store");

    world.pass(minutes(29));
    settle().await;
    assert!(world.knows(&browser).await);
    world.storage.break_down(true);
    let failed = world.platform.flush_activity().await;
    assert_eq!(kind(failed), ErrorKind::Unavailable);
    world.storage.break_down(false);
    world.platform.flush_activity().await.unwrap();
    world.pass(minutes(29));
    let node = world.another_node().await;
    assert!(valid(&node, &browser).await, "another server reads the use");
}

async fn idle_for_a_minute() -> (World, Tenant, User, Browser) {
    let (world, acme, ada) = world().await;
    let settings = TenantSettings {
        session: SessionSettings {
            idle_minutes: Some(1),
            ..SessionSettings::default()
        },
        ..TenantSettings::default()
    };
    world.put_settings(&acme, settings).await;
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    assert!(world.knows(&browser).await);
    world.pass(Duration::from_secs(55));
    settle().await;
    assert!(world.knows(&browser).await);
    world.pass(Duration::from_secs(6));
    settle().await;
    (world, acme, ada, browser)
}

/// S3: activity counts from the moment it happened, stored or not.
#[tokio::test(start_paused = true)]
async fn activity_that_is_not_stored_yet_counts() {
    let (world, acme, ada, browser) = idle_for_a_minute().await;
    rename(&world, &acme, &ada).await;
    assert!(world.knows(&browser).await, "it was used six seconds ago");
    world.pass(Duration::from_secs(60));
    settle().await;
    rename(&world, &acme, &ada).await;
    assert!(!world.knows(&browser).await);
}

#[tokio::test(start_paused = true)]
async fn tidying_up_ends_no_session_that_is_in_use() {
    let (world, acme, _, browser) = idle_for_a_minute().await;
    world.platform.tidy().await.unwrap();
    let operator = Caller::operator();
    let page = gatelodge_core::storage::Page::first(10);
    let sessions = world.platform.sessions();
    let open = sessions.list(&operator, acme.id, None, true, page).await;
    assert_eq!(open.unwrap().items.len(), 1);
    assert!(world.knows(&browser).await);
}
