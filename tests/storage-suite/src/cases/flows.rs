//! Sign-in flows at rest.

use gatelodge_core::{
    ErrorKind,
    storage::{Mode, Scope, StoredFlow},
};

use crate::world::World;

pub(crate) async fn a_flow_is_reached_by_its_handle_from_every_scope(w: World) {
    let (acme, other) = (w.tenant("acme").await, w.tenant("other").await);
    let scopes = [
        Scope::Platform,
        Scope::Tenant(acme.id),
        Scope::Tenant(other.id),
    ];
    for (at, from) in scopes.into_iter().enumerate() {
        let mut flow = w.make.flow();
        w.write(from, async |u| u.flows().create(&flow).await).await;
        for to in scopes {
            let seen = w
                .read(to, async |u| u.flows().by_handle(&flow.handle).await)
                .await;
            assert_eq!(seen, Some(flow.clone()));
            flow.sealed.push(7);
            flow = w.write(to, async |u| u.flows().update(&flow).await).await;
        }
        let gone = scopes[(at + 1) % 3];
        let was_there = w
            .write(gone, async |u| u.flows().delete(&flow.handle).await)
            .await;
        assert!(was_there);
    }
}

pub(crate) async fn a_flow_that_was_never_made_is_not_found(w: World) {
    let ghost = w.make.flow();
    let seen = w
        .read(Scope::Platform, async |u| {
            u.flows().by_handle(&ghost.handle).await
        })
        .await;
    assert_eq!(seen, None);
    let kind = w
        .refusal(Scope::Platform, async |u| u.flows().update(&ghost).await)
        .await;
    assert_eq!(kind, ErrorKind::NotFound);
}

pub(crate) async fn a_taken_flow_handle_is_refused(w: World) {
    let acme = w.tenant("acme").await;
    let flow = w.make.flow();
    w.write(&acme, async |u| u.flows().create(&flow).await)
        .await;
    let taken = StoredFlow {
        sealed: vec![1],
        ..flow.clone()
    };
    for scope in [Scope::Platform, Scope::Tenant(acme.id)] {
        let kind = w
            .refusal(scope, async |u| u.flows().create(&taken).await)
            .await;
        assert_eq!(kind, ErrorKind::AlreadyExists);
    }
    let seen = w
        .read(&acme, async |u| u.flows().by_handle(&flow.handle).await)
        .await;
    assert_eq!(seen, Some(flow));
}

pub(crate) async fn a_step_replaces_expiry_and_bytes(w: World) {
    let flow = w.make.flow();
    w.write(Scope::Platform, async |u| u.flows().create(&flow).await)
        .await;
    let stepped = StoredFlow {
        expires_at: w.make.at(5),
        sealed: vec![0, 1, 2],
        ..flow.clone()
    };
    let updated = w
        .write(Scope::Platform, async |u| u.flows().update(&stepped).await)
        .await;
    let expected = StoredFlow {
        version: 2,
        ..stepped
    };
    assert!(updated == expected, "the answer is what is stored");
    let seen = w
        .read(Scope::Platform, async |u| {
            u.flows().by_handle(&flow.handle).await
        })
        .await;
    assert!(seen == Some(expected), "the step is stored");
}

pub(crate) async fn a_step_on_a_stale_flow_is_refused(w: World) {
    let flow = w.make.flow();
    w.write(Scope::Platform, async |u| u.flows().create(&flow).await)
        .await;
    let current = w
        .write(Scope::Platform, async |u| u.flows().update(&flow).await)
        .await;
    for version in [0, 1, 3] {
        let stale = StoredFlow {
            version,
            sealed: vec![6],
            ..flow.clone()
        };
        let kind = w
            .refusal(Scope::Platform, async |u| u.flows().update(&stale).await)
            .await;
        assert_eq!(kind, ErrorKind::Conflict, "version {version}");
    }
    let seen = w
        .read(Scope::Platform, async |u| {
            u.flows().by_handle(&flow.handle).await
        })
        .await;
    assert!(seen == Some(current), "nothing is lost");
}

pub(crate) async fn deleting_a_flow_tells_whether_it_was_there(w: World) {
    let flow = w.make.flow();
    let delete = async || {
        w.write(Scope::Platform, async |u| {
            u.flows().delete(&flow.handle).await
        })
        .await
    };
    assert!(!delete().await);
    w.write(Scope::Platform, async |u| u.flows().create(&flow).await)
        .await;
    assert!(delete().await);
    assert!(!delete().await);
    let result = w
        .attempt(Scope::Platform, Mode::Write, async |u| {
            u.flows().update(&flow).await
        })
        .await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound);
}

pub(crate) async fn a_flow_carries_256_kib_of_any_bytes(w: World) {
    for (length, byte) in [(0, 0), (1, 0), (256 * 1024, 0), (256 * 1024, 255)] {
        let mut flow = StoredFlow {
            sealed: vec![byte; length],
            ..w.make.flow()
        };
        w.write(Scope::Platform, async |u| u.flows().create(&flow).await)
            .await;
        flow.sealed.reverse();
        let updated = w
            .write(Scope::Platform, async |u| u.flows().update(&flow).await)
            .await;
        let seen = w
            .read(Scope::Platform, async |u| {
                u.flows().by_handle(&flow.handle).await
            })
            .await;
        assert!(seen.as_ref() == Some(&updated), "{length} bytes come back");
        assert!(
            updated.sealed == flow.sealed,
            "{length} bytes are unchanged"
        );
    }
}

pub(crate) async fn flows_are_removed_from_the_millisecond_after_their_end(w: World) {
    let acme = w.tenant("acme").await;
    let flows = [-1, 0, 1].map(|millis| StoredFlow {
        expires_at: w.make.at(millis),
        ..w.make.flow()
    });
    w.write(&acme, async |u| {
        for flow in &flows {
            u.flows().create(flow).await?;
        }
        Ok(())
    })
    .await;
    let left = || async {
        w.read(&acme, async |u| {
            let mut left = Vec::new();
            for flow in &flows {
                left.push(u.flows().by_handle(&flow.handle).await?.is_some());
            }
            Ok(left)
        })
        .await
    };
    assert_eq!(
        left().await,
        [true, true, true],
        "expired ones are found too"
    );
    for (scope, millis, expected) in [
        (Scope::Platform, 0, [false, true, true]),
        (Scope::Tenant(acme.id), 1, [false, false, true]),
        (Scope::Platform, 2, [false, false, false]),
    ] {
        let now = w.make.at(millis);
        let removed = w
            .write(scope, async |u| u.flows().delete_expired(now, 9).await)
            .await;
        assert_eq!(removed, 1, "at {millis} ms");
        assert_eq!(left().await, expected, "at {millis} ms");
    }
}

pub(crate) async fn expired_flows_are_removed_piece_by_piece(w: World) {
    w.write(Scope::Platform, async |u| {
        for _ in 0..5 {
            let expires_at = w.make.at(-1);
            u.flows()
                .create(&StoredFlow {
                    expires_at,
                    ..w.make.flow()
                })
                .await?;
        }
        u.flows().create(&w.make.flow()).await
    })
    .await;
    let mut removed = Vec::new();
    for limit in [0, 2, 2, 2, u32::MAX] {
        let now = w.make.now();
        let count = w
            .write(Scope::Platform, async |u| {
                u.flows().delete_expired(now, limit).await
            })
            .await;
        removed.push(count);
    }
    assert_eq!(removed, [0, 2, 2, 1, 0]);
}
