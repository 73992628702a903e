use gatelodge_core::{
    archive::{CopyOptions, Difference, copy, verify},
    storage::{RowKind, Scope},
};
use gatelodge_storage_suite::memory::MemoryStorage;

use super::{
    copy::{copied, options},
    installation::{Installation, count, dump},
    quiet,
};

#[tokio::test]
async fn a_copy_is_verified() {
    let source = Installation::new().await;
    let target = MemoryStorage::new();
    copied(&source.storage, &target, 200).await;
    let found = verify(&source.storage, &target, &mut quiet())
        .await
        .unwrap();
    assert!(found.is_same());
    assert_eq!(found.rows, count(&dump(&source.storage).await));
    assert_eq!(found.tenants, 5);
    assert_eq!(found.digests[0].len(), 64);
    assert_eq!(found.digests[0], found.digests[1]);
}

#[tokio::test]
async fn a_marker_is_no_difference() {
    let source = Installation::new().await;
    let target = MemoryStorage::new();
    let more = CopyOptions {
        more_to_come: true,
        ..options(200)
    };
    copy(&source.storage, &target, &more, &mut quiet())
        .await
        .unwrap();
    let found = verify(&source.storage, &target, &mut quiet())
        .await
        .unwrap();
    assert!(found.is_same());
}

#[tokio::test]
async fn every_difference_is_named() {
    let source = Installation::new().await;
    let target = MemoryStorage::new();
    copied(&source.storage, &target, 200).await;
    let ada = &source.users[0];
    source
        .write(source.inside(), async |u| {
            let mut ada = ada.clone();
            ada.credential_epoch += 1;
            u.users().update(&ada).await?;
            let event = source.make.audit_event(Some(source.acme.id), "user.update");
            u.audit().append(&event).await
        })
        .await;
    source
        .write(Scope::Platform, async |u| {
            u.tenants().delete(source.other.id, 1).await
        })
        .await;
    let found = verify(&source.storage, &target, &mut quiet())
        .await
        .unwrap();
    assert!(!found.is_same());
    let difference = |scope, kind, rows| Difference { scope, kind, rows };
    let (inside, other) = (source.inside(), Scope::Tenant(source.other.id));
    let mut expected = vec![
        difference(Scope::Platform, RowKind::Tenant, [3, 4]),
        difference(inside, RowKind::User, [8, 8]),
        difference(inside, RowKind::Event, [9, 8]),
        difference(other, RowKind::Settings, [0, 1]),
        difference(other, RowKind::Application, [0, 3]),
        difference(other, RowKind::User, [0, 8]),
        difference(other, RowKind::Grant, [0, 9]),
        difference(other, RowKind::Record, [0, 17]),
        difference(other, RowKind::Message, [0, 8]),
    ];
    let place = |difference: &Difference| match difference.scope {
        Scope::Platform => (None, difference.kind),
        Scope::Tenant(tenant) => (Some(tenant), difference.kind),
    };
    expected.sort_by_key(place);
    assert_eq!(found.differences, expected);
    assert_ne!(found.digests[0], found.digests[1]);
}
