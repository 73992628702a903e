//! Units of work: what they see, keep, undo and refuse.

use std::task::Poll;

use gatelodge_core::{
    ErrorKind,
    model::{Tenant, User},
    storage::{Mode, Page, Scope},
};

use crate::{
    operations::{self, Effect},
    twins::Twins,
    world::{Boxed, Unit, World},
};

pub(crate) async fn a_unit_knows_its_scope(w: World) {
    let tenant = w.tenant("acme").await;
    for scope in [Scope::Platform, Scope::Tenant(tenant.id)] {
        for mode in [Mode::Read, Mode::Write] {
            let unit = w.begin(scope, mode).await;
            assert_eq!(unit.scope(), scope);
        }
    }
}

pub(crate) async fn a_unit_without_a_statement_can_be_ended_either_way(w: World) {
    for mode in [Mode::Read, Mode::Write] {
        w.begin(Scope::Platform, mode).await.commit().await.unwrap();
        w.begin(Scope::Platform, mode)
            .await
            .rollback()
            .await
            .unwrap();
        drop(w.begin(Scope::Platform, mode).await);
    }
    w.tenant("acme").await;
}

pub(crate) async fn a_unit_sees_its_own_writes(w: World) {
    let tenant = w.tenant("acme").await;
    let (ada, bob) = (w.make.user("ada"), w.make.user("bob"));
    w.write(&tenant, async |u| {
        u.users().create(&ada).await?;
        u.users().create(&bob).await?;
        assert_eq!(u.users().by_id(ada.id).await?, Some(ada.clone()));
        let changed = u
            .users()
            .update(&User {
                credential_epoch: 3,
                ..ada.clone()
            })
            .await?;
        assert_eq!(
            u.users().by_login(&ada.user_name.key()).await?,
            Some(changed)
        );
        u.users().delete(bob.id, bob.version).await?;
        let left = u.users().list(None, Page::first(9)).await?;
        assert_eq!(left.len(), 1, "the deleted user is no longer listed");
        Ok(())
    })
    .await;
}

pub(crate) async fn no_write_is_seen_by_others_before_it_is_committed(w: World) {
    let twins = Twins::stored(&w).await;
    let before = twins.picture(&w).await;
    for operation in operations::writes() {
        for scope in operation.scopes(&twins) {
            let mut unit = w.begin(scope, Mode::Write).await;
            operation
                .run(unit.as_mut(), &twins)
                .await
                .expect(operation.name);
            let by = format!("{} before commit", operation.name);
            twins.assert_unchanged(&w, &before, &by).await;
            unit.rollback().await.unwrap();
        }
    }
}

pub(crate) async fn every_write_is_seen_by_others_once_it_is_committed(w: World) {
    for operation in operations::writes() {
        let twins = Twins::stored(&w).await;
        let before = twins.picture(&w).await;
        let scope = operation.scopes(&twins).remove(0);
        w.write(scope, async |u| operation.run(u, &twins).await)
            .await;
        let changed = twins.picture(&w).await.changed_since(&before);
        assert!(
            !changed.is_empty(),
            "{} is not seen after commit",
            operation.name
        );
    }
}

pub(crate) async fn rolling_back_undoes_every_write(w: World) {
    undone(&w, async |unit| unit.rollback().await.unwrap()).await;
}

pub(crate) async fn dropping_a_unit_undoes_every_write(w: World) {
    undone(&w, async |unit| drop(unit)).await;
}

/// Runs every write in a unit that then ends in this way.
async fn undone(w: &World, end: impl AsyncFn(Box<Unit>)) {
    let twins = Twins::stored(w).await;
    let before = twins.picture(w).await;
    for operation in operations::writes() {
        for scope in operation.scopes(&twins) {
            let mut unit = w.begin(scope, Mode::Write).await;
            operation
                .run(unit.as_mut(), &twins)
                .await
                .expect(operation.name);
            end(unit).await;
            // A write unit of its own: by its turn the one before has ended.
            drop(w.begin(scope, Mode::Write).await);
            twins.assert_unchanged(w, &before, operation.name).await;
        }
    }
}

/// Polls `work` at most `polls` times, then drops it; answers whether it ended.
async fn cancelled_after(polls: usize, mut work: Boxed<'_, ()>) -> bool {
    let mut polled = 0;
    std::future::poll_fn(|context| {
        if polled == polls {
            return Poll::Ready(false);
        }
        polled += 1;
        match work.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(true),
            Poll::Pending if polled == polls => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

pub(crate) async fn a_unit_dropped_at_any_await_point_leaves_all_or_nothing(w: World) {
    for polls in 1..200 {
        let tenant = w.tenant(&format!("acme {polls}")).await;
        let users = ["ada", "bob", "cleo"].map(|name| w.make.user(name));
        let work = Box::pin(async {
            let mut unit = w.begin(&tenant, Mode::Write).await;
            for user in &users {
                unit.users().create(user).await.unwrap();
            }
            unit.commit().await.unwrap();
        });
        let has_ended = cancelled_after(polls, work).await;
        let kept = w
            .read(&tenant, async |u| {
                u.users().list(None, Page::first(9)).await
            })
            .await;
        assert!(
            if has_ended {
                kept.len() == 3
            } else {
                [0, 3].contains(&kept.len())
            },
            "dropped after {polls} polls, a unit of three writes left {}",
            kept.len()
        );
        if has_ended {
            return;
        }
    }
    panic!("a unit of three writes ends within 200 polls");
}

pub(crate) async fn a_cancelled_wait_for_a_unit_holds_nobody_up(w: World) {
    let mut first = w.begin(Scope::Platform, Mode::Write).await;
    let tenant = w.make.tenant("acme");
    first.tenants().create(&tenant).await.unwrap();
    let mut waiting = Vec::new();
    for polls in 1..=4 {
        let mut begun = w.storage.begin(Scope::Platform, Mode::Write);
        std::future::poll_fn(|context| {
            // Where write units run side by side, it may well have begun.
            let has_begun = (0..polls).any(|_| begun.as_mut().poll(context).is_ready());
            Poll::Ready(has_begun)
        })
        .await;
        waiting.push(begun);
    }
    drop(waiting);
    first.commit().await.unwrap();
    let ada = w.make.user("ada");
    w.write(&tenant, async |u| u.users().create(&ada).await)
        .await;
}

/// A unit that made one user and then failed.
async fn failed_unit(w: &World, tenant: &Tenant) -> Box<Unit> {
    let (ada, again) = (w.make.user("ada"), w.make.user("ADA"));
    let mut unit = w.begin(tenant, Mode::Write).await;
    unit.users().create(&ada).await.unwrap();
    let error = unit.users().create(&again).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    unit
}

async fn assert_no_users(w: &World, tenant: &Tenant) {
    drop(w.begin(tenant, Mode::Write).await);
    let users = w
        .read(tenant, async |u| u.users().list(None, Page::first(9)).await)
        .await;
    assert_eq!(users.len(), 0, "nothing of the failed unit is kept");
}

pub(crate) async fn a_failed_statement_leaves_nothing_of_a_dropped_unit(w: World) {
    let tenant = w.tenant("acme").await;
    drop(failed_unit(&w, &tenant).await);
    assert_no_users(&w, &tenant).await;
}

pub(crate) async fn a_failed_statement_leaves_nothing_of_a_rolled_back_unit(w: World) {
    let tenant = w.tenant("acme").await;
    failed_unit(&w, &tenant).await.rollback().await.unwrap();
    assert_no_users(&w, &tenant).await;
}

pub(crate) async fn a_unit_with_a_failed_statement_cannot_be_committed(w: World) {
    let tenant = w.tenant("acme").await;
    let committed = failed_unit(&w, &tenant).await.commit().await;
    assert!(committed.is_err(), "after an error only rollback is left");
    assert_no_users(&w, &tenant).await;
}

pub(crate) async fn a_read_unit_refuses_every_write(w: World) {
    let twins = Twins::stored(&w).await;
    let before = twins.picture(&w).await;
    let writing = operations::all()
        .into_iter()
        .filter(|operation| operation.effect != Effect::Reads);
    for operation in writing {
        for scope in operation.scopes(&twins) {
            let result = w
                .attempt(scope, Mode::Read, async |u| operation.run(u, &twins).await)
                .await;
            let kind = result.expect_err(operation.name).kind();
            assert_eq!(
                kind,
                ErrorKind::Unsupported,
                "{} in a read unit",
                operation.name
            );
        }
    }
    twins.assert_unchanged(&w, &before, "a read unit").await;
}

pub(crate) async fn a_read_unit_reads_everything(w: World) {
    let twins = Twins::stored(&w).await;
    let reading = operations::all()
        .into_iter()
        .filter(|operation| operation.effect == Effect::Reads);
    for operation in reading {
        for scope in operation.scopes(&twins) {
            let result = w
                .attempt(scope, Mode::Read, async |u| operation.run(u, &twins).await)
                .await;
            result.expect(operation.name);
        }
    }
}

pub(crate) async fn a_read_unit_sees_one_consistent_state(w: World) {
    let tenant = w.tenant("acme").await;
    let (ada, bob) = (w.make.user("ada"), w.make.user("bob"));
    w.write(&tenant, async |u| u.users().create(&ada).await)
        .await;

    let mut reader = w.begin(&tenant, Mode::Read).await;
    assert_eq!(
        reader.users().by_id(ada.id).await.unwrap(),
        Some(ada.clone())
    );
    w.write(&tenant, async |u| {
        u.users().create(&bob).await?;
        u.users().delete(ada.id, ada.version).await
    })
    .await;
    let seen = reader.users().list(None, Page::first(9)).await.unwrap();
    assert_eq!(seen, vec![ada], "what was committed meanwhile is not seen");
    reader.commit().await.unwrap();

    let seen = w
        .read(&tenant, async |u| {
            u.users().list(None, Page::first(9)).await
        })
        .await;
    assert_eq!(seen, vec![bob], "a later unit sees it");
}

pub(crate) async fn a_read_unit_is_not_held_up_by_a_write_unit(w: World) {
    let tenant = w.tenant("acme").await;
    let ada = w.make.user("ada");
    let mut writer = w.begin(&tenant, Mode::Write).await;
    writer.users().create(&ada).await.unwrap();
    let seen = w
        .read(&tenant, async |u| u.users().by_id(ada.id).await)
        .await;
    assert_eq!(seen, None);
    writer.commit().await.unwrap();
}

pub(crate) async fn what_a_commit_made_is_there_in_the_next_unit(w: World) {
    let tenant = w.tenant("acme").await;
    for number in 0..50 {
        let user = w.make.user(&format!("user {number}"));
        w.write(&tenant, async |u| u.users().create(&user).await)
            .await;
        let seen = w
            .read(&tenant, async |u| u.users().by_id(user.id).await)
            .await;
        assert_eq!(seen, Some(user), "user {number}");
    }
}

pub(crate) async fn write_units_wait_for_their_turn(w: World) {
    let tenant = w.tenant("acme").await;
    let users: Vec<_> = (0..40).map(|n| w.make.user(&format!("user {n}"))).collect();
    let made = users.clone();
    let results = w
        .race(&tenant, users.len(), move |racer, u| {
            let user = made[racer].clone();
            Box::pin(async move { u.users().create(&user).await })
        })
        .await;
    for result in results {
        result.expect("no write unit is turned away");
    }
    let kept = w
        .read(&tenant, async |u| {
            u.users().list(None, Page::first(99)).await
        })
        .await;
    assert_eq!(kept.len(), users.len());
}
