//! A server that stops, dies and comes back, networks that fail, locks, and units
//! that are dropped anywhere.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use gatelodge_core::{
    Error, ErrorKind,
    storage::{Mode, Scope, Storage, UnitOfWork},
};
use gatelodge_postgres::{Proxy, Server};
use gatelodge_storage_postgres::{PostgresConfig, PostgresStorage};
use tokio::time::timeout;

use crate::place::{Place, eventually, has, polled_once, put, put_in};

/// How long a unit waits for a connection here.
const PATIENCE: Duration = Duration::from_secs(1);

/// A configuration that gives up soon.
fn impatient(url: String) -> PostgresConfig {
    let mut config = PostgresConfig::at(url);
    config.acquire_timeout_ms = 1_000;
    config
}

async fn begin(storage: &PostgresStorage) -> Box<dyn UnitOfWork> {
    storage.begin(Scope::Platform, Mode::Write).await.unwrap()
}

/// Opens all connections of the pool, so that each of them can die.
async fn fill(storage: &PostgresStorage) {
    let mut units = Vec::new();
    for _ in 0..16 {
        units.push(begin(storage).await);
    }
    for unit in units {
        unit.rollback().await.unwrap();
    }
}

/// What is refused while the database is away, and how soon.
async fn is_away(storage: &PostgresStorage) {
    let asked = Instant::now();
    let (written, read, checked) = tokio::join!(
        put(storage, "while it is away"),
        has(storage, "x"),
        storage.check()
    );
    for error in [written.err(), read.err(), checked.err()] {
        let error = error.unwrap();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(error.retry_after().is_some());
    }
    assert!(asked.elapsed() < PATIENCE * 2, "{:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_or_dies_is_unavailable_and_used_again_once_it_is_back() {
    let mut server = Server::start();
    let storage = PostgresStorage::open(impatient(server.url()))
        .await
        .unwrap();
    for (round, end) in [Server::stop, Server::stop_immediate, Server::kill]
        .into_iter()
        .enumerate()
    {
        fill(&storage).await;
        let mut open = begin(&storage).await;
        put_in(open.as_mut(), "of an open unit").await.unwrap();
        end(&mut server);
        let error = put_in(open.as_mut(), "more").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        open.rollback().await.unwrap();
        is_away(&storage).await;
        server.start_again();
        // The very next unit works, with a pool that was full of dead connections.
        let back = Instant::now();
        put(&storage, &round.to_string()).await.unwrap();
        assert!(back.elapsed() < Duration::from_secs(5));
        assert!(!has(&storage, "of an open unit").await.unwrap());
        assert!(has(&storage, &round.to_string()).await.unwrap());
        // None of the connections that died is left.
        end_of_pool(&storage).await;
    }
}

/// Every connection that the pool can have works.
async fn end_of_pool(storage: &PostgresStorage) {
    let mut units = Vec::new();
    for _ in 0..16 {
        let mut unit = begin(storage).await;
        unit.installation().value("x").await.unwrap();
        units.push(unit);
    }
}

/// Stores pairs until it is told to stop; answers the acknowledged ones, and how
/// often it was refused.
async fn write_pairs(
    storage: Arc<PostgresStorage>,
    writer: usize,
    stop: Arc<AtomicBool>,
) -> (Vec<String>, u32) {
    let (mut journal, mut refused) = (Vec::new(), 0);
    for number in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let name = format!("{writer} {number}");
        let pair = async {
            let mut unit = storage.begin(Scope::Platform, Mode::Write).await?;
            put_in(unit.as_mut(), &format!("{name} a")).await?;
            put_in(unit.as_mut(), &format!("{name} b")).await?;
            unit.commit().await
        };
        match pair.await {
            Ok(()) => journal.push(name),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
                refused += 1;
            }
        }
    }
    (journal, refused)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kills_and_nothing_is_kept_by_half() {
    let mut server = Server::start();
    let storage = Arc::new(
        PostgresStorage::open(impatient(server.url()))
            .await
            .unwrap(),
    );
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|writer| tokio::spawn(write_pairs(storage.clone(), writer, stop.clone())))
        .collect();
    for kill in 1..=3 {
        // Killed in the middle of a crowd of commits.
        let enough = kill * 100;
        eventually(|| count(&server).is_ok_and(|count| count >= enough)).await;
        server.kill();
        server.start_again();
    }
    let there = count(&server).unwrap();
    eventually(|| count(&server).is_ok_and(|count| count > there)).await;
    stop.store(true, Ordering::SeqCst);
    let (mut acknowledged, mut refused) = (0, 0);
    for writer in writers {
        let (journal, times) = writer.await.unwrap();
        acknowledged += journal.len();
        refused += times;
        for name in journal {
            assert!(
                has(storage.as_ref(), &format!("{name} a")).await.unwrap(),
                "{name} is lost"
            );
            assert!(
                has(storage.as_ref(), &format!("{name} b")).await.unwrap(),
                "{name} is lost"
            );
        }
    }
    assert!(
        acknowledged >= 100 && refused >= 3,
        "{acknowledged} {refused}"
    );
    let halves = "SELECT count(*) FROM (SELECT 1 FROM gatelodge.installation GROUP BY left(name, -2) HAVING count(*) <> 2) AS half";
    assert_eq!(server.sql(halves), "0");
}

fn count(server: &Server) -> Result<u32, String> {
    let count = server.try_sql("SELECT count(*) FROM gatelodge.installation")?;
    count.parse().map_err(|_| count)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_cut_or_hangs_is_unavailable_in_bounded_time_and_then_good_again() {
    let place = Place::new();
    let proxy = Proxy::start(place.0.address());
    let mut config = impatient(place.0.url());
    config.url = proxy.url(&config.url);
    let storage = PostgresStorage::open(config).await.unwrap();
    // A pool full of connections that died costs nobody an error.
    fill(&storage).await;
    proxy.kill_connections();
    put(&storage, "x").await.unwrap();
    for break_ in [Proxy::cut, Proxy::hang] {
        fill(&storage).await;
        break_(&proxy);
        is_away(&storage).await;
        proxy.restore();
        let back = Instant::now();
        put(&storage, &format!("{back:?}")).await.unwrap();
        end_of_pool(&storage).await;
        assert!(back.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_given_up() {
    let place = Place::new();
    let proxy = Proxy::start(place.0.address());
    let mut config = impatient(place.0.url());
    config.direct_url = Some(config.url.clone());
    config.url = proxy.url(&config.url);
    let storage = PostgresStorage::open(config).await.unwrap();
    let mut units = [begin(&storage).await, begin(&storage).await];
    for (number, unit) in units.iter_mut().enumerate() {
        put_in(unit.as_mut(), &number.to_string()).await.unwrap();
    }
    proxy.hang();
    // Whatever is waited for, it is waited for in vain: time passes as quickly as it can.
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let [mut statement, commit] = units;
    let error = put_in(statement.as_mut(), "x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    let error = commit.commit().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(
        begun.elapsed() < Duration::from_secs(80),
        "{:?}",
        begun.elapsed()
    );
    drop(statement);
    tokio::time::resume();
    proxy.restore();
    // That the answer was not heard does not say what it was; the other one was none.
    put(&storage, "y").await.unwrap();
    assert!(!has(&storage, "0").await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_unavailable_and_kept_whole_or_not_at_all() {
    let place = Place::new();
    let proxy = Arc::new(Proxy::start(place.0.address()));
    let mut config = impatient(place.0.url());
    config.direct_url = Some(config.url.clone());
    config.url = proxy.url(&config.url);
    let storage = PostgresStorage::open(config).await.unwrap();
    for round in 0..10 {
        let mut unit = begin(&storage).await;
        put_in(unit.as_mut(), &format!("{round} a")).await.unwrap();
        put_in(unit.as_mut(), &format!("{round} b")).await.unwrap();
        let killer = {
            let proxy = proxy.clone();
            tokio::task::spawn_blocking(move || proxy.kill_connections())
        };
        let committed = unit.commit().await;
        killer.await.unwrap();
        if let Err(error) = &committed {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        }
        // Whether it was kept is known once its connection is gone.
        let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'";
        eventually(|| place.0.sql(open) == "0").await;
        let one = has(&storage, &format!("{round} a")).await.unwrap();
        assert_eq!(one, has(&storage, &format!("{round} b")).await.unwrap());
        assert!(one || committed.is_err());
    }
}

#[tokio::test]
async fn who_finds_all_connections_in_use_is_told_to_come_back() {
    let place = Place::new();
    let mut config = place.config();
    (config.max_connections, config.acquire_timeout_ms) = (2, 200);
    let storage = PostgresStorage::open(config).await.unwrap();
    let held = [begin(&storage).await, begin(&storage).await];
    let asked = Instant::now();
    let error = put(&storage, "x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.retry_after().is_some());
    assert!(error.message().contains("all are in use"), "{error}");
    assert!(asked.elapsed() >= Duration::from_millis(200));
    drop(held);
    put(&storage, "x").await.unwrap();
}

/// A value that two units change.
async fn with_value(storage: &PostgresStorage, names: &[&str]) {
    for name in names {
        put(storage, name).await.unwrap();
    }
}

async fn change(unit: &mut dyn UnitOfWork, name: &str) -> Result<i64, Error> {
    unit.installation().put(name, b"2", 1).await
}

/// Somebody who waits for the value gets it within a second.
async fn is_free(storage: &PostgresStorage, name: &str) {
    let mut unit = begin(storage).await;
    let changed = timeout(Duration::from_secs(1), change(unit.as_mut(), name)).await;
    changed.expect("within a second").unwrap();
    unit.rollback().await.unwrap();
}

#[tokio::test]
async fn a_dropped_unit_gives_its_locks_back_at_once_wherever_it_was() {
    let place = Place::new();
    let storage = place.open().await;
    with_value(&storage, &["one", "other"]).await;
    let mut unit = begin(&storage).await;
    change(unit.as_mut(), "one").await.unwrap();
    drop(unit);
    is_free(&storage, "one").await;

    // In the middle of a statement that waits for somebody else.
    let mut holder = begin(&storage).await;
    change(holder.as_mut(), "other").await.unwrap();
    let mut unit = begin(&storage).await;
    change(unit.as_mut(), "one").await.unwrap();
    let waits = timeout(Duration::from_millis(100), change(unit.as_mut(), "other")).await;
    assert!(waits.is_err(), "it waits");
    drop(unit);
    is_free(&storage, "one").await;
    holder.rollback().await.unwrap();
}

/// What a unit was at when it was dropped.
#[derive(Debug, Clone, Copy, PartialEq)]
enum At {
    Beginning,
    Writing,
    Committing,
    RollingBack,
    Nothing,
}

/// Drops a unit whose last question nobody answers yet.
async fn dropped(at: At, storage: &PostgresStorage, proxy: &Proxy) {
    if at == At::Beginning {
        proxy.hang();
        let begun = polled_once(storage.begin(Scope::Platform, Mode::Write)).await;
        assert!(begun.is_none());
        return;
    }
    let mut unit = begin(storage).await;
    change(unit.as_mut(), "one").await.unwrap();
    put_in(unit.as_mut(), "a").await.unwrap();
    proxy.hang();
    let is_answered = match at {
        At::Writing => polled_once(put_in(unit.as_mut(), "b")).await.is_some(),
        At::Committing => polled_once(unit.commit()).await.is_some(),
        At::RollingBack => polled_once(unit.rollback()).await.is_some(),
        At::Beginning | At::Nothing => false,
    };
    assert!(!is_answered);
}

#[tokio::test]
async fn a_unit_dropped_before_its_last_answer_came_leaves_all_or_nothing_and_no_lock() {
    let place = Place::new();
    let proxy = Proxy::start(place.0.address());
    let mut config = place.config();
    config.direct_url = Some(config.url.clone());
    config.url = proxy.url(&config.url);
    config.max_connections = 1;
    let (storage, beside) = (
        PostgresStorage::open(config).await.unwrap(),
        place.open().await,
    );
    with_value(&beside, &["one"]).await;
    for at in [
        At::Beginning,
        At::Writing,
        At::RollingBack,
        At::Nothing,
        // The last: it is kept.
        At::Committing,
    ] {
        // Its connection is open already.
        has(&storage, "one").await.unwrap();
        dropped(at, &storage, &proxy).await;
        proxy.restore();
        if at == At::Committing {
            // What was asked arrived in the end; without its answer, it could be either.
            eventually(|| {
                place
                    .0
                    .sql("SELECT count(backend_xid) FROM pg_stat_activity WHERE datname = current_database()")
                    == "0"
            })
            .await;
            let version = "SELECT version FROM gatelodge.installation WHERE name = 'one'";
            let is_kept = place.0.sql(version) == "2";
            assert_eq!(has(&beside, "a").await.unwrap(), is_kept);
        } else {
            is_free(&beside, "one").await;
            assert!(!has(&beside, "a").await.unwrap(), "{at:?}");
        }
        // The pool has its one connection back.
        has(&storage, "one").await.unwrap();
    }
}

#[test]
fn units_are_dropped_outside_of_a_run_time_and_after_it() {
    let place = Place::new();
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    };
    let first = runtime();
    let mut config = place.config();
    config.max_connections = 1;
    let storage = Arc::new(first.block_on(PostgresStorage::open(config)).unwrap());
    let begun = async |mode| {
        let mut unit = storage.begin(Scope::Platform, mode).await.unwrap();
        if mode == Mode::Write {
            put_in(unit.as_mut(), "x").await.unwrap();
        } else {
            // In the middle of a statement.
            polled_once(unit.installation().value("x")).await;
        }
        unit
    };
    for mode in [Mode::Write, Mode::Read, Mode::Write, Mode::Read] {
        let unit = first.block_on(begun(mode));
        drop(unit);
    }
    assert!(!first.block_on(has(storage.as_ref(), "x")).unwrap());
    first.block_on(put(storage.as_ref(), "x")).unwrap();
    // A task that is ended with the run time while it holds a unit.
    let (tell, told) = std::sync::mpsc::channel();
    let held = {
        let storage = storage.clone();
        async move {
            let unit = storage.begin(Scope::Platform, Mode::Write).await.unwrap();
            tell.send(()).unwrap();
            std::future::pending::<()>().await;
            drop(unit);
        }
    };
    first.spawn(held);
    told.recv().unwrap();
    drop(first);
    // One that outlives both.
    let second = runtime();
    let other = second
        .block_on(PostgresStorage::open(place.config()))
        .unwrap();
    let left = second
        .block_on(other.begin(Scope::Platform, Mode::Write))
        .unwrap();
    drop(other);
    drop(second);
    drop(left);
    drop(storage);
}

#[tokio::test]
async fn of_two_units_that_wait_for_each_other_one_goes_on() {
    let place = Place::new();
    let storage = place.open().await;
    with_value(&storage, &["one", "other"]).await;
    let (mut first, mut second) = (begin(&storage).await, begin(&storage).await);
    change(first.as_mut(), "one").await.unwrap();
    change(second.as_mut(), "other").await.unwrap();
    // Who is sent away lets go at once, or the other would wait for it still.
    let goes_on =
        async |mut unit: Box<dyn UnitOfWork>, name| match change(unit.as_mut(), name).await {
            Ok(_) => unit.commit().await,
            Err(error) => {
                unit.rollback().await.unwrap();
                Err(error)
            }
        };
    let (first, second) = tokio::join!(goes_on(first, "other"), goes_on(second, "one"));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    let error = first.and(second).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.retry_after().is_some());
}

#[tokio::test]
async fn closing_waits_for_open_units_but_not_forever() {
    let place = Place::new();
    let storage = Arc::new(place.open().await);
    let mut unit = begin(&storage).await;
    put_in(unit.as_mut(), "x").await.unwrap();
    let closing = {
        let storage = storage.clone();
        tokio::spawn(async move { storage.close().await })
    };
    // It has begun to close.
    while storage.begin(Scope::Platform, Mode::Read).await.is_ok() {
        tokio::task::yield_now().await;
    }
    unit.commit().await.unwrap();
    closing.await.unwrap();
    assert!(has(&place.open().await, "x").await.unwrap());

    let storage = place.open().await;
    let unit = begin(&storage).await;
    tokio::time::pause();
    let closed = tokio::time::Instant::now();
    storage.close().await;
    assert!(closed.elapsed() < Duration::from_secs(7));
    tokio::time::resume();
    unit.rollback().await.unwrap();
}

#[tokio::test]
async fn a_database_that_can_only_be_read_serves_readers_and_refuses_writers_in_words() {
    let place = Place::new();
    let storage = place.open().await;
    put(&storage, "x").await.unwrap();
    storage.close().await;
    let only_read = |is: &str| {
        let name = place.0.name();
        format!("ALTER DATABASE \"{name}\" SET default_transaction_read_only = {is}")
    };
    place.0.sql(&only_read("on"));
    let storage = place.open().await;
    assert!(has(&storage, "x").await.unwrap());
    let error = put(&storage, "y").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.message().contains("only be read"), "{error}");
    assert!(error.retry_after().is_some());
    storage.close().await;
    place.0.sql(&format!(
        "SET default_transaction_read_only = off; {}",
        only_read("off")
    ));
    put(&place.open().await, "y").await.unwrap();
}
