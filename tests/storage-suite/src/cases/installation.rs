//! The installation's own values.

use gatelodge_core::{
    ErrorKind, Result,
    storage::{InstallationValue, Mode, Scope},
};

use crate::world::World;

async fn put(w: &World, name: &str, value: &[u8], version: i64) -> Result<i64> {
    w.attempt(Scope::Platform, Mode::Write, async |u| {
        u.installation().put(name, value, version).await
    })
    .await
}

async fn value(w: &World, name: &str) -> Option<InstallationValue> {
    w.read(Scope::Platform, async |u| {
        u.installation().value(name).await
    })
    .await
}

async fn delete(w: &World, name: &str, version: i64) -> Result<()> {
    w.attempt(Scope::Platform, Mode::Write, async |u| {
        u.installation().delete(name, version).await
    })
    .await
}

pub(crate) async fn a_value_is_stored_and_replaced(w: World) {
    assert_eq!(value(&w, "key").await, None);
    let first = put(&w, "key", b"one", 0).await.unwrap();
    assert!(first > 0);
    let stored = |value: &[u8], version| InstallationValue {
        value: value.to_vec(),
        version,
    };
    assert_eq!(value(&w, "key").await, Some(stored(b"one", first)));
    let second = put(&w, "key", b"two", first).await.unwrap();
    assert!(second > first);
    assert_eq!(value(&w, "key").await, Some(stored(b"two", second)));
    assert_eq!(
        value(&w, "KEY").await,
        None,
        "names of values are compared as they are"
    );
    put(&w, "KEY", b"three", 0).await.unwrap();
    assert_eq!(value(&w, "key").await, Some(stored(b"two", second)));
}

pub(crate) async fn a_stale_value_is_not_written(w: World) {
    let first = put(&w, "key", b"one", 0).await.unwrap();
    let second = put(&w, "key", b"two", first).await.unwrap();
    for version in [0, first, second + 1] {
        let kind = put(&w, "key", b"lost", version).await.unwrap_err().kind();
        assert_eq!(kind, ErrorKind::Conflict, "over version {version}");
        let kind = delete(&w, "key", version).await.unwrap_err().kind();
        assert_eq!(kind, ErrorKind::Conflict, "removing version {version}");
    }
    let kind = put(&w, "absent", b"lost", 1).await.unwrap_err().kind();
    assert_eq!(kind, ErrorKind::Conflict, "over a version that never was");
    assert_eq!(value(&w, "absent").await, None);
    assert_eq!(value(&w, "key").await.unwrap().value, b"two");
}

pub(crate) async fn a_value_is_removed_once(w: World) {
    assert_eq!(
        delete(&w, "key", 0).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    let version = put(&w, "key", b"one", 0).await.unwrap();
    put(&w, "other", b"stays", 0).await.unwrap();
    delete(&w, "key", version).await.unwrap();
    assert_eq!(value(&w, "key").await, None);
    let error = delete(&w, "key", version).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(value(&w, "other").await.unwrap().value, b"stays");
    put(&w, "key", b"again", 0).await.unwrap();
}

pub(crate) async fn a_value_carries_64_kib_of_any_bytes(w: World) {
    for (length, byte) in [(0, 0), (1, 0), (64 * 1024, 0), (64 * 1024, 255)] {
        let name = format!("{length} times {byte}");
        let bytes = vec![byte; length];
        put(&w, &name, &bytes, 0).await.unwrap();
        let stored = value(&w, &name).await.unwrap();
        assert!(stored.value == bytes, "{name} comes back");
    }
}
