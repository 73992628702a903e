//! Counters of tries.

use gatelodge_core::storage::{LimitState, Scope};

use crate::world::World;

pub(crate) async fn a_counter_comes_back_as_it_was_stored(w: World) {
    let key = w.make.hash();
    let load = || async {
        w.read(Scope::Platform, async |u| u.limits().load(&key).await)
            .await
    };
    assert_eq!(load().await, None);
    let states = [
        w.make.limit(1),
        LimitState {
            blocked_until: Some(w.make.at(1)),
            ..w.make.limit(i64::MAX)
        },
        LimitState {
            since: w.make.at(-7),
            expires_at: w.make.at(-1),
            ..w.make.limit(0)
        },
    ];
    for state in states {
        w.write(Scope::Platform, async |u| {
            u.limits().store(&key, &state).await
        })
        .await;
        assert_eq!(
            load().await,
            Some(state),
            "over whatever was there, expired or not"
        );
    }
}

pub(crate) async fn a_counter_is_reached_from_every_scope(w: World) {
    let (acme, other) = (w.tenant("acme").await, w.tenant("other").await);
    let scopes = [
        Scope::Platform,
        Scope::Tenant(acme.id),
        Scope::Tenant(other.id),
    ];
    let key = w.make.hash();
    for from in scopes {
        for to in scopes {
            let state = w.make.limit(5);
            w.write(from, async |u| u.limits().store(&key, &state).await)
                .await;
            let seen = w.read(to, async |u| u.limits().load(&key).await).await;
            assert_eq!(seen, Some(state));
            w.write(to, async |u| u.limits().clear(&key).await).await;
            let seen = w.read(from, async |u| u.limits().load(&key).await).await;
            assert_eq!(seen, None);
        }
    }
}

pub(crate) async fn clearing_a_counter_leaves_the_others(w: World) {
    let (one, other) = (w.make.hash(), w.make.hash());
    let state = w.make.limit(3);
    w.write(Scope::Platform, async |u| {
        u.limits().store(&one, &state).await?;
        u.limits().store(&other, &state).await?;
        u.limits().clear(&one).await?;
        u.limits().clear(&one).await
    })
    .await;
    w.read(Scope::Platform, async |u| {
        assert_eq!(u.limits().load(&one).await?, None);
        assert_eq!(u.limits().load(&other).await?, Some(state));
        Ok(())
    })
    .await;
}

pub(crate) async fn counters_are_removed_from_the_millisecond_after_their_end(w: World) {
    let acme = w.tenant("acme").await;
    let keys = [-1, 0, 1].map(|millis| (w.make.hash(), w.make.at(millis)));
    w.write(&acme, async |u| {
        for (key, expires_at) in keys {
            let state = LimitState {
                expires_at,
                ..w.make.limit(1)
            };
            u.limits().store(&key, &state).await?;
        }
        Ok(())
    })
    .await;
    for (scope, millis, expected) in [
        (Scope::Platform, 0, [false, true, true]),
        (Scope::Tenant(acme.id), 1, [false, false, true]),
        (Scope::Platform, 2, [false, false, false]),
    ] {
        let now = w.make.at(millis);
        let removed = w
            .write(scope, async |u| u.limits().delete_expired(now, 9).await)
            .await;
        assert_eq!(removed, 1, "at {millis} ms");
        let mut left = Vec::new();
        for (key, _) in keys {
            let seen = w
                .read(Scope::Platform, async |u| u.limits().load(&key).await)
                .await;
            left.push(seen.is_some());
        }
        assert_eq!(left, expected, "at {millis} ms");
    }
}

pub(crate) async fn expired_counters_are_removed_piece_by_piece(w: World) {
    w.write(Scope::Platform, async |u| {
        for _ in 0..5 {
            let state = LimitState {
                expires_at: w.make.at(-1),
                ..w.make.limit(1)
            };
            u.limits().store(&w.make.hash(), &state).await?;
        }
        u.limits().store(&w.make.hash(), &w.make.limit(1)).await
    })
    .await;
    let mut removed = Vec::new();
    for limit in [0, 2, 2, 2, u32::MAX] {
        let now = w.make.now();
        let count = w
            .write(Scope::Platform, async |u| {
                u.limits().delete_expired(now, limit).await
            })
            .await;
        removed.push(count);
    }
    assert_eq!(removed, [0, 2, 2, 1, 0]);
}
