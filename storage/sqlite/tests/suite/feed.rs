//! The stream of changes, within and between processes.

use std::{sync::Arc, time::Duration};

use gatelodge_core::{
    environment::ManualClock,
    model::TenantId,
    storage::{Change, ChangeFeed, Changed, FeedEvent, Mode, Scope, Storage},
};
use gatelodge_storage_sqlite::SqliteStorage;
use jiff::Timestamp;
use tokio::time::timeout;
use uuid::Uuid;

use crate::place::{Place, number, put, run};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn change(number: u128) -> Change {
    Change {
        tenant: TenantId::from_uuid(Uuid::from_u128(number)),
        what: Changed::Tenant,
    }
}

async fn announce(storage: &SqliteStorage, number: u128) {
    let mut unit = storage.begin(Scope::Platform, Mode::Write).await.unwrap();
    unit.announce(change(number)).await.unwrap();
    unit.commit().await.unwrap();
}

/// What comes next beside confirmations.
async fn news(feed: &mut Box<dyn ChangeFeed>) -> FeedEvent {
    let next = async {
        loop {
            match feed.next().await.unwrap() {
                FeedEvent::Confirmed => {}
                event => return event,
            }
        }
    };
    timeout(PATIENCE, next).await.unwrap()
}

#[tokio::test]
async fn a_change_reaches_another_process_within_a_second() {
    let place = Place::new();
    let (here, there) = (place.open().await, place.open().await);
    let mut feed = there.changes().await.unwrap();
    for round in 1..=3 {
        announce(&here, round).await;
        let event = timeout(Duration::from_secs(1), news(&mut feed)).await;
        assert_eq!(
            event.expect("within a second"),
            FeedEvent::Changes(vec![change(round)])
        );
    }
}

#[tokio::test]
async fn a_change_of_this_process_is_told_at_once_and_only_when_it_is_committed() {
    let place = Place::new();
    let storage = place.open().await;
    let mut feed = storage.changes().await.unwrap();
    let mut unit = storage.begin(Scope::Platform, Mode::Write).await.unwrap();
    unit.announce(change(1)).await.unwrap();
    unit.rollback().await.unwrap();
    announce(&storage, 2).await;
    assert_eq!(news(&mut feed).await, FeedEvent::Changes(vec![change(2)]));
}

#[tokio::test]
async fn a_quiet_feed_is_confirmed_at_least_twice_a_second() {
    let place = Place::new();
    let storage = place.open().await;
    let mut feed = storage.changes().await.unwrap();
    assert_eq!(feed.next().await.unwrap(), FeedEvent::Confirmed);
    for _ in 0..4 {
        let event = timeout(Duration::from_millis(500), feed.next()).await;
        assert_eq!(
            event.expect("twice a second").unwrap(),
            FeedEvent::Confirmed
        );
    }
}

#[tokio::test]
async fn a_feed_that_falls_behind_is_told_that_it_lost_something() {
    let place = Place::new();
    let storage = place.open().await;
    let mut slow = storage.changes().await.unwrap();
    let mut quick = storage.changes().await.unwrap();
    for round in 1..=300 {
        announce(&storage, round).await;
        assert_eq!(
            news(&mut quick).await,
            FeedEvent::Changes(vec![change(round)])
        );
    }
    assert_eq!(news(&mut slow).await, FeedEvent::Lost);
}

#[tokio::test]
async fn a_listener_that_slept_while_rows_were_removed_is_told() {
    let place = Place::new();
    let storage = place.open().await;
    let mut feed = storage.changes().await.unwrap();
    let mut other = place.other_process().await;
    let insert = "INSERT INTO changes (at, tenant, what) VALUES (0, zeroblob(16), 'tenant');";
    run(
        &mut other,
        &format!("BEGIN; {insert} DELETE FROM changes; {insert} COMMIT"),
    )
    .await;
    assert_eq!(news(&mut feed).await, FeedEvent::Lost);
    run(
        &mut other,
        &format!("BEGIN; {insert} DELETE FROM changes; COMMIT"),
    )
    .await;
    assert_eq!(news(&mut feed).await, FeedEvent::Lost);
    run(&mut other, insert).await;
    assert_eq!(news(&mut feed).await, FeedEvent::Changes(vec![change(0)]));
}

#[tokio::test]
async fn a_change_of_a_kind_that_only_a_newer_program_knows_means_forget_everything() {
    let place = Place::new();
    let storage = place.open().await;
    let mut feed = storage.changes().await.unwrap();
    let mut other = place.other_process().await;
    run(
        &mut other,
        "INSERT INTO changes (at, tenant, what) VALUES (0, zeroblob(16), 'weather')",
    )
    .await;
    assert_eq!(news(&mut feed).await, FeedEvent::Lost);
    announce(&storage, 1).await;
    assert_eq!(news(&mut feed).await, FeedEvent::Changes(vec![change(1)]));
}

#[tokio::test]
async fn a_feed_that_cannot_be_sure_is_silent_and_then_says_so() {
    let place = Place::new();
    let storage = place.open().await;
    let mut feed = storage.changes().await.unwrap();
    let mut other = place.other_process().await;
    run(&mut other, "ALTER TABLE changes RENAME TO hidden").await;
    // Silent for longer than any confirmation takes.
    let silence = async {
        while timeout(Duration::from_millis(900), feed.next())
            .await
            .is_ok()
        {}
    };
    timeout(PATIENCE, silence).await.unwrap();
    run(&mut other, "ALTER TABLE hidden RENAME TO changes").await;
    let event = timeout(PATIENCE, feed.next()).await.unwrap().unwrap();
    assert_eq!(event, FeedEvent::Lost);
    announce(&storage, 1).await;
    assert_eq!(news(&mut feed).await, FeedEvent::Changes(vec![change(1)]));
}

#[tokio::test]
async fn change_rows_are_removed_when_they_are_old() {
    let place = Place::new();
    let clock = ManualClock::at(Timestamp::from_second(1_800_000_000).unwrap());
    let storage = SqliteStorage::open_with_clock(place.config(), clock.clone())
        .await
        .unwrap();
    let mut other = place.other_process().await;
    for (minutes, kept) in [(0, 1), (9, 2), (2, 2), (11, 1)] {
        clock.advance(Duration::from_secs(minutes * 60));
        announce(&storage, 1).await;
        // By the turn of another unit, the old ones are gone.
        put(&storage, &format!("after {minutes}"), b"1")
            .await
            .unwrap();
        assert_eq!(
            number(&mut other, "SELECT count(*) FROM changes").await,
            kept,
            "{minutes}"
        );
    }
    let mut feed = storage.changes().await.unwrap();
    announce(&storage, 2).await;
    assert_eq!(news(&mut feed).await, FeedEvent::Changes(vec![change(2)]));
}

#[tokio::test]
async fn a_feed_ends_when_its_storage_is_closed() {
    let place = Place::new();
    let storage = Arc::new(place.open().await);
    let mut feed = storage.changes().await.unwrap();
    storage.close().await;
    let end = async { while feed.next().await.is_ok() {} };
    timeout(PATIENCE, end).await.expect("the feed ends");
}
