//! The stream of changes, between nodes and through what goes wrong.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use gatelodge_core::{
    model::TenantId,
    storage::{Change, ChangeFeed, Changed, FeedEvent, Mode, Scope, Storage},
};
use gatelodge_postgres::Proxy;
use gatelodge_storage_postgres::PostgresStorage;
use sqlx::{Connection as _, PgConnection};
use tokio::time::timeout;
use uuid::Uuid;

use crate::place::{Place, run};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn change(number: u128) -> Change {
    Change {
        tenant: TenantId::from_uuid(Uuid::from_u128(number)),
        what: Changed::Tenant,
    }
}

pub(crate) async fn announce(storage: &PostgresStorage, number: u128) {
    let mut unit = storage.begin(Scope::Platform, Mode::Write).await.unwrap();
    unit.announce(change(number)).await.unwrap();
    unit.commit().await.unwrap();
}

/// What comes next beside confirmations.
pub(crate) async fn news(feed: &mut Box<dyn ChangeFeed>) -> FeedEvent {
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

/// Nothing but confirmations for several looks.
async fn is_quiet(feed: &mut Box<dyn ChangeFeed>) {
    for _ in 0..4 {
        is_confirmed(feed).await;
    }
}

async fn is_confirmed(feed: &mut Box<dyn ChangeFeed>) {
    let event = timeout(PATIENCE, feed.next()).await.unwrap().unwrap();
    assert_eq!(event, FeedEvent::Confirmed);
}

#[tokio::test]
async fn a_change_reaches_another_node_within_a_second_beside_a_transaction_that_stays_open() {
    let place = Place::new();
    // Somebody writes for hours, elsewhere on the server.
    let elsewhere = Place::new();
    let mut long = PgConnection::connect(&elsewhere.0.url()).await.unwrap();
    run(&mut long, "BEGIN; SELECT pg_current_xact_id()")
        .await
        .unwrap();
    let (here, there) = (place.open().await, place.open().await);
    let mut feed = there.changes().await.unwrap();
    for round in 1..=3 {
        announce(&here, round).await;
        let event = timeout(Duration::from_secs(1), news(&mut feed)).await;
        let expected = FeedEvent::Changes(vec![change(round)]);
        assert_eq!(event.expect("within a second"), expected);
    }
    // They are not told again, neither now nor when it has ended.
    is_quiet(&mut feed).await;
    run(&mut long, "COMMIT").await.unwrap();
    is_quiet(&mut feed).await;
}

#[tokio::test]
async fn a_change_that_was_announced_first_and_committed_last_is_delivered() {
    let place = Place::new();
    let (here, there) = (place.open().await, place.open().await);
    let mut feed = there.changes().await.unwrap();
    let mut first = here.begin(Scope::Platform, Mode::Write).await.unwrap();
    first.announce(change(1)).await.unwrap();
    announce(&here, 2).await;
    assert_eq!(news(&mut feed).await, FeedEvent::Changes(vec![change(2)]));
    first.commit().await.unwrap();
    assert_eq!(news(&mut feed).await, FeedEvent::Changes(vec![change(1)]));
    is_quiet(&mut feed).await;
}

/// Counts what a feed delivers until so many have come.
async fn count(feed: &mut Box<dyn ChangeFeed>, all: usize, counted: &mut HashMap<Change, u32>) {
    while counted.len() < all {
        let FeedEvent::Changes(changes) = news(feed).await else {
            panic!("nothing is lost");
        };
        for change in changes {
            *counted.entry(change).or_default() += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_announce_at_once_are_each_heard_exactly_once() {
    let place = Place::new();
    let here = Arc::new(place.open().await);
    let there = place.open().await;
    let mut feeds = [
        here.changes().await.unwrap(),
        there.changes().await.unwrap(),
    ];
    let mut counted = [HashMap::new(), HashMap::new()];
    // Never more at a time than a listener may fall behind.
    for wave in 1..=8 {
        let announcers: Vec<_> = (0..8)
            .map(|announcer| {
                let here = here.clone();
                tokio::spawn(async move {
                    for number in 0..25 {
                        announce(&here, wave * 10_000 + announcer * 100 + number).await;
                    }
                })
            })
            .collect();
        let all = 200 * usize::try_from(wave).unwrap();
        for (feed, counted) in feeds.iter_mut().zip(&mut counted) {
            count(feed, all, counted).await;
        }
        for announcer in announcers {
            announcer.await.unwrap();
        }
    }
    for (feed, counted) in feeds.iter_mut().zip(&counted) {
        assert!(counted.values().all(|count| *count == 1), "{counted:?}");
        is_quiet(feed).await;
    }
}

#[tokio::test]
async fn a_listener_whose_connection_is_ended_again_and_again_misses_nothing() {
    let place = Place::new();
    let here = place.open().await;
    let listener = place.0.login("listener", "hears", "SUPERUSER");
    let mut config = place.config();
    config.direct_url = Some(place.0.url_as(&listener, "hears"));
    let there = PostgresStorage::open(config).await.unwrap();
    let mut feed = there.changes().await.unwrap();
    let end = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '{listener}'"
    );
    for round in 1..=4 {
        // Whatever was confirmed before is heard before.
        is_confirmed(&mut feed).await;
        assert_eq!(place.0.sql(&end), "1");
        announce(&here, round).await;
        let mut confirmed = 0;
        let event = loop {
            match timeout(PATIENCE, feed.next()).await.unwrap().unwrap() {
                FeedEvent::Confirmed => confirmed += 1,
                event => break event,
            }
        };
        assert_eq!(event, FeedEvent::Lost, "round {round}");
        // At most one look before the end, whose confirmation nobody had fetched yet.
        assert!(confirmed <= 2, "round {round}: {confirmed}");
        announce(&here, 100 + round).await;
        assert_eq!(
            news(&mut feed).await,
            FeedEvent::Changes(vec![change(100 + round)])
        );
    }
}

#[tokio::test]
async fn through_a_network_that_hangs_nothing_is_confirmed() {
    let place = Place::new();
    let here = place.open().await;
    let proxy = Proxy::start(place.0.address());
    let mut config = place.config();
    config.direct_url = Some(proxy.url(&config.url));
    let there = PostgresStorage::open(config).await.unwrap();
    let mut feed = there.changes().await.unwrap();
    for (round, silence) in [(1, 900), (2, 2_600)] {
        is_confirmed(&mut feed).await;
        proxy.hang();
        let hung = Instant::now();
        announce(&here, round).await;
        let mut last = Duration::ZERO;
        let silence = Duration::from_millis(silence);
        while let Ok(event) = timeout(silence - hung.elapsed(), feed.next()).await {
            assert_eq!(event.unwrap(), FeedEvent::Confirmed);
            last = hung.elapsed();
        }
        assert!(last <= Duration::from_millis(600), "{last:?}");
        proxy.restore();
        // A look that was only late has the news; one that was given up does not know.
        let event = news(&mut feed).await;
        let is_told = event == FeedEvent::Lost || event == FeedEvent::Changes(vec![change(round)]);
        assert!(is_told, "{event:?}");
        announce(&here, 100 + round).await;
        assert_eq!(
            news(&mut feed).await,
            FeedEvent::Changes(vec![change(100 + round)])
        );
    }
}

#[tokio::test]
async fn a_change_of_a_kind_that_only_a_newer_program_knows_means_forget_everything() {
    let place = Place::new();
    let storage = place.open().await;
    let mut feed = storage.changes().await.unwrap();
    place.0.sql("INSERT INTO gatelodge.changes (at, tenant, what) VALUES (now(), gen_random_uuid(), 'weather')");
    assert_eq!(news(&mut feed).await, FeedEvent::Lost);
    announce(&storage, 1).await;
    assert_eq!(news(&mut feed).await, FeedEvent::Changes(vec![change(1)]));
}

#[tokio::test]
async fn more_than_anybody_wants_to_be_told_one_by_one_means_forget_everything() {
    let place = Place::new();
    let storage = place.open().await;
    let mut feed = storage.changes().await.unwrap();
    place.0.sql(
        "INSERT INTO gatelodge.changes (at, tenant, what) \
         SELECT now(), gen_random_uuid(), 'tenant' FROM generate_series(1, 1001)",
    );
    assert_eq!(news(&mut feed).await, FeedEvent::Lost);
    is_quiet(&mut feed).await;
}

#[tokio::test]
async fn a_feed_ends_when_its_storage_is_closed() {
    let place = Place::new();
    let storage = place.open().await;
    let mut feed = storage.changes().await.unwrap();
    storage.close().await;
    let end = async { while feed.next().await.is_ok() {} };
    timeout(PATIENCE, end).await.expect("the feed ends");
    assert!(storage.changes().await.is_err());
}
