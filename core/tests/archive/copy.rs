use std::sync::Arc;

use gatelodge_core::{
    ErrorKind,
    archive::{Copied, CopyOptions, copy, ensure_whole},
    storage::{Scope, Storage},
};
use gatelodge_storage_suite::memory::MemoryStorage;

use super::{
    failing::{Failing, Fails},
    installation::{Dump, Installation, assert_same, count, dump, rotate, write},
    quiet,
};
use crate::support::{World, kind};

/// In one piece where it can be, and in tiny ones.
pub(super) const PIECES: [u32; 3] = [200, 4, 1];

pub(super) fn options(piece: u32) -> CopyOptions {
    CopyOptions {
        piece,
        ..CopyOptions::at(gatelodge_storage_suite::fixtures::time(1))
    }
}

pub(super) async fn copied(from: &dyn Storage, to: &dyn Storage, piece: u32) -> Copied {
    let copied = copy(from, to, &options(piece), &mut quiet()).await;
    copied.unwrap()
}

#[tokio::test]
async fn a_copy_holds_the_same_in_an_empty_database() {
    let source = Installation::new().await;
    let expected = dump(&source.storage).await;
    for piece in PIECES {
        let target = MemoryStorage::new();
        let done = copied(&source.storage, &target, piece).await;
        assert_same(&dump(&target).await, &expected, "after a copy");
        ensure_whole(&target).await.unwrap();
        let rows = count(&expected);
        let expected = Copied {
            rows,
            written: rows,
            removed: 0,
            tenants: 5,
        };
        assert_eq!(done, expected);
    }
    assert_same(&dump(&source.storage).await, &expected, "the source");
}

#[tokio::test]
async fn a_copy_tells_how_far_it_has_come() {
    let source = Installation::new().await;
    let mut told = Vec::new();
    let target = MemoryStorage::new();
    copy(&source.storage, &target, &options(4), &mut |progress| {
        told.push(progress);
    })
    .await
    .unwrap();
    assert!(told.iter().all(|progress| progress.tenants == 5));
    assert!(told.is_sorted_by_key(|progress| progress.tenants_done));
    assert_eq!(told.last().unwrap().tenants_done, 5);
    let in_one_kind = told.chunk_by(|a, b| (a.scope, a.kind) == (b.scope, b.kind));
    let most = in_one_kind.map(|of_kind| of_kind.iter().map(|p| p.rows).max());
    assert!(
        most.flatten().any(|rows| rows == 17),
        "sessions of a tenant"
    );
}

#[tokio::test]
async fn a_copy_interrupted_at_any_unit_is_finished_by_the_next() {
    let source = Installation::new().await;
    let expected = dump(&source.storage).await;
    for (piece, fails) in [200, 4]
        .into_iter()
        .flat_map(|p| Fails::ALL.map(|f| (p, f)))
    {
        for left in 0.. {
            let target = MemoryStorage::new();
            let failing = Failing::new(&target, left, fails);
            let result = copy(&source.storage, &failing, &options(piece), &mut quiet()).await;
            if result.is_ok() {
                assert!(left > 10, "there are many units");
                assert_same(&dump(&target).await, &expected, "uninterrupted");
                break;
            }
            assert_eq!(kind(result), ErrorKind::Unavailable);
            let is_whole = ensure_whole(&target).await.is_ok();
            let is_ended = dump(&target).await == expected;
            let is_begun = !dump(&target).await.is_empty();
            assert!(!is_whole || is_ended || !is_begun, "{fails:?} after {left}");
            if is_ended && is_whole {
                // Nobody knows, and so the next copy is refused.
                assert_eq!(fails, Fails::AfterCommit);
                let again = copy(&source.storage, &target, &options(piece), &mut quiet()).await;
                assert_eq!(kind(again), ErrorKind::Refused);
                continue;
            }
            copied(&source.storage, &target, piece).await;
            let when = format!("{fails:?} after {left} units");
            assert_same(&dump(&target).await, &expected, &when);
            ensure_whole(&target).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_copy_that_goes_on_writes_only_what_is_missing() {
    let source = Installation::new().await;
    let whole = count(&dump(&source.storage).await);
    let target = MemoryStorage::new();
    let failing = Failing::new(&target, 30, Fails::AtCommit);
    let result = copy(&source.storage, &failing, &options(4), &mut quiet()).await;
    assert_eq!(kind(result), ErrorKind::Unavailable);
    let there = count(&dump(&target).await);
    assert!(there > 20 && there < whole);
    let done = copied(&source.storage, &target, 4).await;
    assert_eq!((done.written, done.removed), (whole - there, 0));
}

#[tokio::test]
async fn only_an_empty_database_or_an_unfinished_copy_is_a_target() {
    let source = Installation::new().await;
    let other = Installation::seeded(2).await;
    let before = dump(&other.storage).await;
    let to_full = copy(&source.storage, &other.storage, &options(200), &mut quiet()).await;
    assert_eq!(
        to_full.as_ref().unwrap_err().to_string(),
        "the target is not empty"
    );
    assert_eq!(kind(to_full), ErrorKind::Refused);
    let to_itself = copy(
        &source.storage,
        &source.storage,
        &options(200),
        &mut quiet(),
    )
    .await;
    assert_eq!(kind(to_itself), ErrorKind::Refused);
    assert_same(&dump(&other.storage).await, &before, "a refused target");

    let target = MemoryStorage::new();
    let more = CopyOptions {
        more_to_come: true,
        ..options(200)
    };
    copy(&other.storage, &target, &more, &mut quiet())
        .await
        .unwrap();
    let half = copy(&source.storage, &target, &options(200), &mut quiet()).await;
    assert_eq!(
        kind(half),
        ErrorKind::Refused,
        "a copy of another installation"
    );
    assert_same(&dump(&target).await, &before, "a refused target");
    copied(&other.storage, &target, 200).await;
    let again = copy(&other.storage, &target, &options(200), &mut quiet()).await;
    assert_eq!(kind(again), ErrorKind::Refused, "a finished copy is in use");
}

#[tokio::test]
async fn any_single_row_makes_a_target_one_that_is_not_empty() {
    let source = Installation::new().await;
    let make = &source.make;
    let tenant = make.tenant("left");
    let event = make.audit_event(Some(tenant.id), "user.create");
    let targets = [(); 4].map(|()| MemoryStorage::new());
    let [flow, value, own, left] = &targets;
    write(flow, Scope::Platform, async |u| {
        u.flows().create(&make.flow()).await
    })
    .await;
    write(value, Scope::Platform, async |u| {
        u.installation().put("set_up", b"{}", 0).await
    })
    .await;
    write(own, Scope::Platform, async |u| {
        u.audit()
            .append(&make.audit_event(None, "tenant.create"))
            .await
    })
    .await;
    write(left, Scope::Tenant(tenant.id), async |u| {
        u.audit().append(&event).await
    })
    .await;
    for target in &targets {
        let result = copy(&source.storage, target, &options(200), &mut quiet()).await;
        assert_eq!(kind(result), ErrorKind::Refused);
        ensure_whole(target).await.unwrap();
    }
}

#[tokio::test]
async fn a_source_needs_data_keys_and_has_to_be_whole() {
    let empty = MemoryStorage::new();
    let target = MemoryStorage::new();
    let nothing = copy(&empty, &target, &options(200), &mut quiet()).await;
    assert_eq!(nothing.unwrap_err().to_string(), "there is nothing to copy");
    let source = Installation::new().await;
    let more = CopyOptions {
        more_to_come: true,
        ..options(200)
    };
    let half = MemoryStorage::new();
    copy(&source.storage, &half, &more, &mut quiet())
        .await
        .unwrap();
    let of_half = copy(&half, &target, &options(200), &mut quiet()).await;
    assert_eq!(kind(of_half), ErrorKind::Refused);
    assert_eq!(dump(&target).await, Dump::new());
    ensure_whole(&target).await.unwrap();
}

#[tokio::test]
async fn of_two_copies_into_one_database_the_later_goes_on() {
    let source = Installation::new().await;
    let target = MemoryStorage::new();
    let (from, piece) = (&source.storage, &options(4));
    let (earlier, later) = (Failing::never(&target), Failing::never(&target));
    let (mut one, mut other) = (quiet(), quiet());
    let (first, second) = tokio::join!(
        copy(from, &earlier, piece, &mut one),
        copy(from, &later, piece, &mut other)
    );
    assert_eq!(kind(first), ErrorKind::Conflict, "it is told of the other");
    assert!(earlier.begun() < 5, "it writes no more");
    second.unwrap();
    let expected = dump(&source.storage).await;
    assert_same(&dump(&target).await, &expected, "after both");
    ensure_whole(&target).await.unwrap();
}

#[tokio::test]
async fn keys_may_be_rotated_between_two_copies() {
    let source = Installation::new().await;
    let target = MemoryStorage::new();
    let more = CopyOptions {
        more_to_come: true,
        ..options(200)
    };
    copy(&source.storage, &target, &more, &mut quiet())
        .await
        .unwrap();
    rotate(&source.storage, &source.make).await;
    let done = copied(&source.storage, &target, 200).await;
    assert_eq!((done.written, done.removed), (1, 0), "the key ring");
    assert_same(
        &dump(&target).await,
        &dump(&source.storage).await,
        "after both",
    );
}

#[tokio::test]
async fn an_unfinished_copy_is_not_opened() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    world.user(&tenant, "ada", "a word").await;
    let target = MemoryStorage::new();
    let more = CopyOptions {
        more_to_come: true,
        ..options(200)
    };
    copy(world.storage.as_ref(), &target, &more, &mut quiet())
        .await
        .unwrap();
    let failing = Arc::new(Failing::never(&target));
    let opened = world.node_on(failing.clone()).await;
    let error = opened.expect_err("it is not opened");
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("`gatelodge storage copy`"));
    assert_eq!(failing.begun(), 0, "nothing is written before");
    copied(world.storage.as_ref(), &target, 200).await;
    world.node_on(failing).await.unwrap();

    // Begun, but nothing there yet: it is no empty database either.
    let empty = MemoryStorage::new();
    let failing = Failing::new(&empty, 1, Fails::AtBegin);
    let begun = copy(world.storage.as_ref(), &failing, &more, &mut quiet()).await;
    assert_eq!(kind(begun), ErrorKind::Unavailable);
    let opened = world.node_on(Arc::new(empty.clone())).await;
    assert_eq!(kind(opened.map(drop)), ErrorKind::Refused);
    assert_eq!(dump(&empty).await, Dump::new());
}
