//! Turns, groups, cancellation, full disks and locks.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use gatelodge_core::{
    ErrorKind,
    storage::{Mode, Scope, Storage},
};
use gatelodge_storage_sqlite::SqliteStorage;
use gatelodge_storage_suite::fixtures::Fixtures;

use crate::place::{Place, cancelled_after, has, put, put_in, run};

#[tokio::test]
async fn waiting_commits_share_transactions() {
    let place = Place::new();
    let storage = place.open().await;
    let first = storage.begin(Scope::Platform, Mode::Write).await.unwrap();
    let names: Vec<_> = (0..200).map(|number| number.to_string()).collect();
    let waiting = join_all(names.iter().map(|name| put(&storage, name, b"1")));
    // The waiting ones are polled first: all of them stand in line.
    let (answers, first) = tokio::join!(waiting, first.commit());
    first.unwrap();
    assert!(answers.iter().all(Result::is_ok));
    let stats = storage.stats();
    assert_eq!(stats.units, 201);
    assert!(stats.commits * 4 <= stats.units, "{stats:?}");
    for name in &names {
        assert!(has(&storage, name).await);
    }
}

#[tokio::test]
async fn a_unit_that_fails_takes_nothing_of_its_group_with_it() {
    let place = Place::new();
    let storage = place.open().await;
    let first = storage.begin(Scope::Platform, Mode::Write).await.unwrap();
    let failing = async {
        let mut unit = storage.begin(Scope::Platform, Mode::Write).await.unwrap();
        put_in(unit.as_mut(), "failing", b"1").await.unwrap();
        let too_long = vec![0; 65_537];
        let error = put_in(unit.as_mut(), "long", &too_long).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().contains("64 kib"), "{error}");
        unit.commit().await
    };
    let (before, failed, after, first) = tokio::join!(
        put(&storage, "before", b"1"),
        failing,
        put(&storage, "after", b"1"),
        first.commit()
    );
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Internal);
    assert!(before.is_ok() && after.is_ok() && first.is_ok());
    assert!(has(&storage, "before").await && has(&storage, "after").await);
    assert!(!has(&storage, "failing").await);
}

#[tokio::test]
async fn a_unit_cancelled_at_any_await_leaves_nothing_and_holds_nobody_up() {
    let place = Place::new();
    let storage = place.open().await;
    for polls in 1..80 {
        let name = format!("cancelled {polls}");
        let work = async {
            let mut unit = storage.begin(Scope::Platform, Mode::Write).await.unwrap();
            for part in 0..6 {
                put_in(unit.as_mut(), &format!("{name} {part}"), b"1")
                    .await
                    .unwrap();
            }
            std::future::pending::<()>().await;
        };
        // A second unit stands in line while the first is cancelled.
        let next = format!("neighbour {polls}");
        let (cancelled, neighbour) = tokio::join!(
            tokio::time::timeout(Duration::from_secs(1), cancelled_after(polls, work)),
            put(&storage, &next, b"1")
        );
        neighbour.unwrap();
        let has_run_to_its_end = cancelled.is_err();
        for part in 0..6 {
            assert!(
                !has(&storage, &format!("{name} {part}")).await,
                "{polls} polls"
            );
        }
        if has_run_to_its_end {
            return;
        }
    }
    panic!("six writes take at most 80 polls");
}

#[tokio::test]
async fn a_commit_that_is_dropped_leaves_all_or_nothing() {
    let place = Place::new();
    let storage = place.open().await;
    for polls in 1..80 {
        let work = async {
            let mut unit = storage.begin(Scope::Platform, Mode::Write).await.unwrap();
            put_in(unit.as_mut(), &format!("one {polls}"), b"1")
                .await
                .unwrap();
            put_in(unit.as_mut(), &format!("two {polls}"), b"1")
                .await
                .unwrap();
            unit.commit().await.unwrap();
        };
        let ended = cancelled_after(polls, work).await.is_some();
        put(&storage, &format!("next {polls}"), b"1").await.unwrap();
        let one = has(&storage, &format!("one {polls}")).await;
        assert_eq!(one, has(&storage, &format!("two {polls}")).await);
        if ended {
            assert!(one);
            return;
        }
    }
    panic!("two writes take at most 80 polls");
}

#[tokio::test]
async fn a_unit_whose_statement_was_cut_short_can_only_be_rolled_back() {
    let place = Place::new();
    let storage = place.open().await;
    for _ in 0..1_000 {
        let mut unit = storage.begin(Scope::Platform, Mode::Write).await.unwrap();
        if cancelled_after(1, put_in(unit.as_mut(), "x", b"1"))
            .await
            .is_some()
        {
            // The database was quicker than the first poll.
            continue;
        }
        let error = put_in(unit.as_mut(), "y", b"1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(unit.commit().await.is_err());
        put(&storage, "x", b"2").await.unwrap();
        assert!(!has(&storage, "y").await);
        return;
    }
    panic!("some statement takes longer than one poll");
}

#[test]
fn units_are_dropped_outside_of_a_run_time() {
    let place = Place::new();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let mut config = place.config();
    config.max_readers = 1;
    let storage = runtime.block_on(SqliteStorage::open(config)).unwrap();
    let begin = async |mode| {
        let mut unit = storage.begin(Scope::Platform, mode).await.unwrap();
        if mode == Mode::Write {
            put_in(unit.as_mut(), "x", b"1").await.unwrap();
        } else {
            unit.installation().value("x").await.unwrap();
        }
        unit
    };
    for mode in [Mode::Write, Mode::Read, Mode::Write, Mode::Read] {
        let unit = runtime.block_on(begin(mode));
        drop(unit);
    }
    runtime.block_on(async {
        assert!(!has(&storage, "x").await);
        put(&storage, "x", b"1").await.unwrap();
        assert!(has(&storage, "x").await);
    });
    let left = runtime.block_on(begin(Mode::Read));
    drop(storage);
    drop(runtime);
    drop(left);
}

#[tokio::test]
async fn a_dropped_read_unit_gives_its_state_and_its_place_back() {
    let place = Place::new();
    let mut config = place.config();
    config.max_readers = 1;
    let storage = SqliteStorage::open(config).await.unwrap();
    for round in 0..50 {
        let name = round.to_string();
        let mut unit = storage.begin(Scope::Platform, Mode::Read).await.unwrap();
        // Cut short at another await in each round.
        let seen = cancelled_after(round % 3 + 1, unit.installation().value(&name)).await;
        assert_eq!(seen.and_then(Result::unwrap), None);
        put(&storage, &name, b"1").await.unwrap();
        drop(unit);
        assert!(
            has(&storage, &name).await,
            "the state of the unit before is gone"
        );
    }
    // With a state still held, this could not empty the log.
    let mut other = place.other_process().await;
    let busy: i64 = sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)")
        .fetch_one(&mut other)
        .await
        .unwrap();
    assert_eq!(busy, 0);
}

#[tokio::test]
async fn a_full_database_refuses_writes_in_words_and_serves_again_when_it_has_room() {
    let place = Place::new();
    let mut config = place.config();
    config.max_size_mib = Some(1);
    let storage = SqliteStorage::open(config).await.unwrap();
    let value = vec![7; 60_000];
    let mut kept = Vec::new();
    let error = loop {
        let name = kept.len().to_string();
        match put(&storage, &name, &value).await {
            Ok(_) => kept.push(name),
            Err(error) => break error,
        }
        assert!(kept.len() < 100, "it fills up");
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.message().contains("full"), "{error}");
    assert!(error.retry_after().is_some());
    assert!(
        !has(&storage, &kept.len().to_string()).await,
        "nothing of it is kept"
    );
    for name in &kept {
        assert!(
            has(&storage, name).await,
            "reading goes on, and nothing was lost"
        );
    }

    let mut unit = storage.begin(Scope::Platform, Mode::Write).await.unwrap();
    for name in kept.iter().take(3) {
        unit.installation().delete(name, 1).await.unwrap();
    }
    unit.commit().await.unwrap();
    put(&storage, "again", &value).await.unwrap();
    assert!(has(&storage, "again").await);
}

#[tokio::test]
async fn another_processs_lock_is_waited_for_and_then_named() {
    let place = Place::new();
    let mut config = place.config();
    config.busy_timeout_ms = 20;
    let storage = SqliteStorage::open(config).await.unwrap();
    let mut other = place.other_process().await;
    run(&mut other, "BEGIN IMMEDIATE").await;
    for _ in 0..2 {
        let error = put(&storage, "x", b"1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(
            error.message().contains("locked by another process"),
            "{error}"
        );
        assert!(error.retry_after().is_some());
    }
    assert!(!has(&storage, "x").await, "reading goes on");
    run(&mut other, "COMMIT").await;
    put(&storage, "x", b"1").await.unwrap();
}

#[tokio::test]
async fn two_storages_of_one_file_take_turns() {
    let place = Place::new();
    let storages = [Arc::new(place.open().await), Arc::new(place.open().await)];
    let tasks: Vec<_> = (0..100)
        .map(|number| {
            let storage = storages[number % 2].clone();
            tokio::spawn(async move { put(&storage, &number.to_string(), b"1").await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    for number in 0..100 {
        assert!(has(&storages[0], &number.to_string()).await);
    }
}

#[tokio::test]
async fn more_units_than_may_wait_are_told_to_come_back() {
    let place = Place::new();
    let storage = place.open().await;
    let first = storage.begin(Scope::Platform, Mode::Write).await.unwrap();
    let begin = || async { storage.begin(Scope::Platform, Mode::Write).await.map(drop) };
    let waiting = join_all((0..1_100).map(|_| begin()));
    let (answers, _) = tokio::join!(waiting, first.rollback());
    let refused: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), 1_100 - 1_024);
    for error in refused {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.retry_after().is_some());
    }
    put(&storage, "x", b"1").await.unwrap();
}

#[tokio::test]
async fn taken_names_are_named() {
    let place = Place::new();
    let storage = place.open().await;
    let make = Fixtures::seeded(1);
    let tenant = make.tenant("acme");
    let mut unit = storage.begin(Scope::Platform, Mode::Write).await.unwrap();
    unit.tenants().create(&tenant).await.unwrap();
    unit.enter(tenant.id).await.unwrap();
    unit.users().create(&make.user("ada")).await.unwrap();
    let error = unit.users().create(&make.user("ADA")).await.unwrap_err();
    assert_eq!(error.message(), "this user name is already taken");
    assert!(
        format!("{error:?}").contains("during users.create"),
        "{error:?}"
    );
}
