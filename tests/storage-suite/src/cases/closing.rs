//! Checking and closing a storage.

use std::task::Poll;

use gatelodge_core::{
    ErrorKind,
    storage::{Mode, Scope},
};

use crate::world::World;

pub(crate) async fn a_check_answers_while_the_storage_is_open(w: World) {
    w.storage.check().await.unwrap();
    let open = w.begin(Scope::Platform, Mode::Write).await;
    w.storage.check().await.unwrap();
    open.rollback().await.unwrap();
}

pub(crate) async fn a_closed_storage_is_unavailable(w: World) {
    let acme = w.tenant("acme").await;
    w.storage.close().await;
    for scope in [Scope::Platform, Scope::Tenant(acme.id)] {
        for mode in [Mode::Read, Mode::Write] {
            let kind = w
                .storage
                .begin(scope, mode)
                .await
                .err()
                .map(|error| error.kind());
            assert_eq!(kind, Some(ErrorKind::Unavailable));
        }
    }
    let kind = w.storage.snapshot().await.err().map(|error| error.kind());
    assert_eq!(kind, Some(ErrorKind::Unavailable));
    let kind = w.storage.check().await.unwrap_err().kind();
    assert_eq!(kind, ErrorKind::Unavailable);
    if w.storage.capabilities().change_feed {
        let kind = w.storage.changes().await.err().map(|error| error.kind());
        assert_eq!(kind, Some(ErrorKind::Unavailable));
    }
}

pub(crate) async fn closing_twice_is_no_different(w: World) {
    w.storage.close().await;
    w.storage.close().await;
    let result = w.storage.begin(Scope::Platform, Mode::Read).await;
    assert_eq!(
        result.err().map(|error| error.kind()),
        Some(ErrorKind::Unavailable)
    );
}

pub(crate) async fn closing_lets_an_open_unit_finish(w: World) {
    let acme = w.tenant("acme").await;
    let (ada, bob) = (w.make.user("ada"), w.make.user("bob"));
    let mut unit = w.begin(&acme, Mode::Write).await;
    unit.users().create(&ada).await.unwrap();
    let mut closing = w.storage.close();
    let has_closed = std::future::poll_fn(|context| {
        let has_closed = (0..3).any(|_| closing.as_mut().poll(context).is_ready());
        Poll::Ready(has_closed)
    })
    .await;
    unit.users().create(&bob).await.unwrap();
    unit.commit().await.unwrap();
    if !has_closed {
        closing.await;
    }
}
