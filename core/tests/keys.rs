//! The key ring.

use std::{sync::Arc, time::Duration};

use gatelodge_core::{
    Environment, ErrorKind, Result,
    engine::{Progress, Reply},
    environment::{ManualClock, SeededRandom},
    seal::{KeyRing, MasterKey, SealContext},
    storage::{Mode, Scope, Storage as _},
};
use gatelodge_storage_suite::memory::MemoryStorage;
use jiff::Timestamp;

use crate::support::{Browser, World, fields, kind};

async fn ring(storage: &MemoryStorage, master: u8, seed: u64) -> Result<KeyRing> {
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let environment = Environment::new(clock, SeededRandom::new(seed));
    KeyRing::open(storage, environment, MasterKey::new([master; 32])).await
}

fn at<'a>(purpose: &'static str, place: &'a [&'a [u8]]) -> SealContext<'a> {
    SealContext { purpose, place }
}

#[tokio::test]
async fn what_is_sealed_opens_for_its_purpose_and_place_only() {
    let ring = ring(&MemoryStorage::new(), 1, 1).await.unwrap();
    let place: &[&[u8]] = &[b"ab", b"c"];
    for plain in [b"".as_slice(), b"a secret", &[0; 100_000]] {
        let sealed = ring.seal(&at("record", place), plain).unwrap();
        assert!(sealed.len() <= plain.len() + KeyRing::OVERHEAD);
        assert_eq!(
            ring.open_sealed(&at("record", place), &sealed).unwrap(),
            plain
        );
        for other in [
            at("flow", place),
            at("record", &[]),
            at("record", &[b"a", b"bc"]),
            at("record", &[b"abc"]),
            at("record", &[b"ab", b"c", b""]),
        ] {
            let opened = ring.open_sealed(&other, &sealed);
            assert_eq!(kind(opened), ErrorKind::Corrupt);
        }
    }
}

#[tokio::test]
async fn the_same_value_is_never_sealed_alike() {
    let ring = ring(&MemoryStorage::new(), 1, 1).await.unwrap();
    let context = at("record", &[]);
    let one = ring.seal(&context, b"a secret").unwrap();
    let other = ring.seal(&context, b"a secret").unwrap();
    assert_ne!(one, other);
    assert!(!one.windows(6).any(|bytes| bytes == b"secret"));
}

#[tokio::test]
async fn a_changed_or_shortened_value_does_not_open() {
    let ring = ring(&MemoryStorage::new(), 1, 1).await.unwrap();
    ring.seal(&at("warm", &[]), b"up").unwrap();
    let context = at("record", &[b"here"]);
    let sealed = ring.seal(&context, b"a secret").unwrap();
    for position in 0..sealed.len() {
        for bit in [1, 128] {
            let mut changed = sealed.clone();
            changed[position] ^= bit;
            let opened = ring.open_sealed(&context, &changed);
            assert_eq!(kind(opened), ErrorKind::Corrupt, "byte {position}");
        }
        let opened = ring.open_sealed(&context, &sealed[..position]);
        assert_eq!(kind(opened), ErrorKind::Corrupt, "{position} bytes");
    }
}

#[tokio::test]
async fn older_values_open_after_rotation_and_after_a_restart() {
    let storage = MemoryStorage::new();
    let first = ring(&storage, 1, 1).await.unwrap();
    let context = at("record", &[]);
    let old = first.seal(&context, b"old").unwrap();
    first.rotate(&storage).await.unwrap();
    let new = first.seal(&context, b"new").unwrap();
    assert_ne!(old[1..5], new[1..5], "another key");
    for ring in [first, ring(&storage, 1, 2).await.unwrap()] {
        assert_eq!(ring.open_sealed(&context, &old).unwrap(), b"old");
        assert_eq!(ring.open_sealed(&context, &new).unwrap(), b"new");
    }
}

#[tokio::test]
async fn a_server_reads_the_keys_that_another_made() {
    let storage = MemoryStorage::new();
    let (one, other) = (
        ring(&storage, 1, 1).await.unwrap(),
        ring(&storage, 1, 2).await.unwrap(),
    );
    one.rotate(&storage).await.unwrap();
    let context = at("record", &[]);
    let sealed = one.seal(&context, b"new").unwrap();
    assert_eq!(
        kind(other.open_sealed(&context, &sealed)),
        ErrorKind::Corrupt
    );
    assert!(other.reload(&storage).await.unwrap());
    assert_eq!(other.open_sealed(&context, &sealed).unwrap(), b"new");
}

#[tokio::test]
async fn the_wrong_master_key_is_refused() {
    let storage = MemoryStorage::new();
    let right = ring(&storage, 1, 1).await.unwrap();
    let wrong = ring(&storage, 2, 2).await;
    let error = wrong.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.message().contains("master key"));
    let sealed = right.seal(&at("record", &[]), b"x").unwrap();
    let again = ring(&storage, 1, 3).await.unwrap();
    assert_eq!(
        again.open_sealed(&at("record", &[]), &sealed).unwrap(),
        b"x"
    );
}

#[tokio::test]
async fn servers_that_start_at_once_share_one_key() {
    let storage = Arc::new(MemoryStorage::new());
    let mut tasks = Vec::new();
    for seed in 0..8 {
        let storage = storage.clone();
        tasks.push(tokio::spawn(async move { ring(&storage, 1, seed).await }));
    }
    let mut rings = Vec::new();
    for task in tasks {
        rings.push(task.await.unwrap().unwrap());
    }
    let context = at("record", &[]);
    for ring in &rings {
        let sealed = ring.seal(&context, b"shared").unwrap();
        for other in &rings {
            assert_eq!(other.open_sealed(&context, &sealed).unwrap(), b"shared");
        }
    }
}

#[tokio::test]
async fn parallel_rotations_lose_no_key() {
    let storage = Arc::new(MemoryStorage::new());
    let ring = Arc::new(ring(&storage, 1, 1).await.unwrap());
    let context = at("record", &[]);
    let mut sealed = vec![ring.seal(&context, b"0").unwrap()];
    let rotations: Vec<_> = (0..4)
        .map(|_| {
            let (ring, storage) = (ring.clone(), storage.clone());
            tokio::spawn(async move { ring.rotate(storage.as_ref()).await })
        })
        .collect();
    for rotation in rotations {
        match rotation.await.unwrap() {
            Ok(()) => sealed.push(ring.seal(&context, b"0").unwrap()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict),
        }
    }
    for value in &sealed {
        assert_eq!(ring.open_sealed(&context, value).unwrap(), b"0");
    }
}

#[tokio::test]
async fn keys_are_not_shown() {
    let ring = ring(&MemoryStorage::new(), 1, 1).await.unwrap();
    assert_eq!(format!("{ring:?}"), "KeyRing");
    assert_eq!(format!("{:?}", MasterKey::new([1; 32])), "MasterKey");
}

/// R16: a node goes on with what another one sealed under a key that it made.
#[tokio::test]
async fn a_flow_goes_on_at_a_node_that_does_not_know_the_newest_key() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let node = world.another_node().await;
    let keys = world.platform.keys();
    keys.rotate(world.storage.as_ref()).await.unwrap();
    world.user(&acme, "ada", "ada's word").await;
    let browser = Browser::at_tenant(&world, &acme).await;
    let seen = node.sign_in().view(&browser.handle, &browser.client).await;
    assert_eq!(seen.unwrap().id, browser.view.id);

    // A second rotation, right after the first was learned.
    world.pass(Duration::from_secs(1));
    keys.rotate(world.storage.as_ref()).await.unwrap();
    world.user(&acme, "bob", "bob's word").await;
    let values = [("user_name", "bob"), ("password", "bob's word")];
    let reply = Reply {
        step: None,
        provider: "password".to_owned(),
        answer: fields(&values),
        device: None,
        stay: false,
    };
    let sign_in = node.sign_in();
    let answered = sign_in.answer(&browser.handle, reply, &browser.client);
    assert!(matches!(answered.await.unwrap(), Progress::Complete(_)));
}

#[tokio::test]
async fn made_up_keys_make_a_node_look_once_a_second() {
    let world = World::new().await;
    let context = at("cursor", &[]);
    let open = async |key: u8| {
        let sealed = [[1, 0, 0, 0, key].as_slice(), &[0; 40]].concat();
        kind(world.platform.open_sealed(&context, &sealed).await)
    };
    for _ in 0..3 {
        let begun = world.storage.begun();
        assert_eq!(open(99).await, ErrorKind::Corrupt, "it was looked for");
        for key in 100..120 {
            assert_eq!(open(key).await, ErrorKind::Unavailable, "nobody knows");
        }
        assert_eq!(open(1).await, ErrorKind::Corrupt, "a key that is known");
        assert_eq!(world.storage.begun(), begun + 1);
        world.pass(Duration::from_secs(1));
    }
}

#[tokio::test]
async fn whoever_meets_a_new_key_at_once_waits_for_one_look() {
    let world = World::new().await;
    let node = world.another_node().await;
    let keys = world.platform.keys();
    keys.rotate(world.storage.as_ref()).await.unwrap();
    let context = at("record", &[]);
    let sealed = keys.seal(&context, b"new").unwrap();
    let begun = world.storage.begun();
    let looks = (0..20).map(|_| node.open_sealed(&context, &sealed));
    for opened in futures_util::future::join_all(looks).await {
        assert_eq!(opened.unwrap(), b"new");
    }
    assert_eq!(world.storage.begun(), begun + 1);
}

#[tokio::test]
async fn tidying_up_learns_new_keys() {
    let world = World::new().await;
    let node = world.another_node().await;
    let keys = world.platform.keys();
    keys.rotate(world.storage.as_ref()).await.unwrap();
    node.tidy().await.unwrap();
    let context = at("cursor", &[]);
    let sealed = keys.seal(&context, b"new").unwrap();
    assert_eq!(node.keys().open_sealed(&context, &sealed).unwrap(), b"new");
}

#[tokio::test]
async fn a_stored_key_ring_tells_whether_a_master_key_opens_it() {
    let storage = MemoryStorage::new();
    ring(&storage, 1, 1).await.unwrap();
    let mut unit = storage.begin(Scope::Platform, Mode::Read).await.unwrap();
    let stored = unit.installation().value("data_keys").await.unwrap();
    let value = stored.unwrap().value;
    let master = |byte| MasterKey::new([byte; 32]);
    assert!(KeyRing::check("data_keys", &value, &master(1)).unwrap());
    assert!(KeyRing::check("data_keys", &value, &master(2)).is_err());
    assert!(KeyRing::check("data_keys", b"[]x", &master(1)).is_err());
    assert!(!KeyRing::check("set_up", &value, &master(2)).unwrap());
}
