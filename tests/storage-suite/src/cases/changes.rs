//! The change feed. Where a backend declares none, each of these cases shows
//! that it is refused.

use std::time::Duration;

use gatelodge_core::{
    ErrorKind,
    model::{SessionId, TenantId, UserId},
    storage::{Change, ChangeFeed, Changed, FeedEvent, Mode, Scope},
};

use crate::world::{PATIENCE, World};

impl World {
    /// Opens the feed; `None` when it is refused because it is not declared.
    async fn feed(&self) -> Option<Box<dyn ChangeFeed>> {
        let feed = self.storage.changes().await;
        if self.storage.capabilities().change_feed {
            return Some(feed.expect("the feed opens"));
        }
        let kind = feed.err().map(|error| error.kind());
        assert_eq!(
            kind,
            Some(ErrorKind::Unsupported),
            "what is not declared is refused"
        );
        None
    }

    fn change(&self) -> Change {
        Change {
            tenant: TenantId::generate(self.make.environment()),
            what: Changed::Tenant,
        }
    }

    async fn announce(&self, change: Change) {
        self.write(Scope::Platform, async |u| u.announce(change).await)
            .await;
    }
}

/// What comes next, soon.
async fn next(feed: &mut dyn ChangeFeed) -> FeedEvent {
    let next = tokio::time::timeout(PATIENCE, feed.next()).await;
    next.expect("the feed says something")
        .expect("the feed is unbroken")
}

/// How often a feed may confirm before it delivers what was committed. Once is
/// right, when it looked before the commit; for ever would be wrong.
const CONFIRMATIONS: usize = 20;

/// Reads until all of these have come; answers all that came.
async fn until_seen(feed: &mut dyn ChangeFeed, wanted: &[Change]) -> Vec<Change> {
    let mut seen = Vec::new();
    let mut confirmed = 0;
    while !wanted.iter().all(|change| seen.contains(change)) {
        match next(feed).await {
            FeedEvent::Changes(changes) => seen.extend(changes),
            FeedEvent::Confirmed => confirmed += 1,
            FeedEvent::Lost => panic!("a feed that was read in time lost changes"),
        }
        assert!(
            confirmed < CONFIRMATIONS,
            "every announced change is delivered"
        );
    }
    seen
}

pub(crate) async fn every_kind_of_change_is_delivered_once_committed(w: World) {
    let Some(mut feed) = w.feed().await else {
        return;
    };
    let acme = w.tenant("acme").await;
    let environment = w.make.environment();
    let changes = [
        Changed::Tenant,
        Changed::User(UserId::generate(environment)),
        Changed::Session(SessionId::generate(environment)),
    ]
    .map(|what| Change {
        tenant: acme.id,
        what,
    });
    for scope in [Scope::Platform, Scope::Tenant(acme.id)] {
        for change in changes {
            w.write(scope, async |u| u.announce(change).await).await;
            until_seen(feed.as_mut(), &[change]).await;
        }
    }
    w.write(Scope::Platform, async |u| {
        u.enter(acme.id).await?;
        u.announce(changes[1]).await
    })
    .await;
    until_seen(feed.as_mut(), &changes[1..2]).await;
}

pub(crate) async fn all_changes_of_many_units_are_delivered(w: World) {
    let Some(mut feed) = w.feed().await else {
        return;
    };
    let changes: Vec<_> = (0..60).map(|_| w.change()).collect();
    let announced = changes.clone();
    let results = w
        .race(Scope::Platform, 20, move |racer, u| {
            let mine = announced[racer * 3..][..3].to_vec();
            Box::pin(async move {
                for change in mine {
                    u.announce(change).await?;
                }
                Ok(())
            })
        })
        .await;
    assert!(results.iter().all(Result::is_ok));
    until_seen(feed.as_mut(), &changes).await;
}

pub(crate) async fn what_was_committed_can_be_read_when_its_change_arrives(w: World) {
    let Some(mut feed) = w.feed().await else {
        return;
    };
    let acme = w.tenant("acme").await;
    for number in 0..10 {
        let user = w.make.user(&format!("user {number}"));
        let change = Change {
            tenant: acme.id,
            what: Changed::User(user.id),
        };
        w.write(&acme, async |u| {
            u.announce(change).await?;
            u.users().create(&user).await
        })
        .await;
        until_seen(feed.as_mut(), &[change]).await;
        let seen = w
            .read(&acme, async |u| u.users().by_id(user.id).await)
            .await;
        assert!(seen.is_some(), "user {number}");
    }
}

pub(crate) async fn nobody_is_told_of_what_was_not_committed(w: World) {
    let Some(mut feed) = w.feed().await else {
        return;
    };
    let (rolled_back, dropped, failed) = (w.change(), w.change(), w.change());
    let mut unit = w.begin(Scope::Platform, Mode::Write).await;
    unit.announce(rolled_back).await.unwrap();
    unit.rollback().await.unwrap();
    let mut unit = w.begin(Scope::Platform, Mode::Write).await;
    unit.announce(dropped).await.unwrap();
    drop(unit);
    let mut unit = w.begin(Scope::Platform, Mode::Write).await;
    unit.announce(failed).await.unwrap();
    unit.users()
        .lock_row(UserId::generate(w.make.environment()))
        .await
        .unwrap_err();
    drop(unit);
    let last = w.change();
    w.announce(last).await;
    let seen = until_seen(feed.as_mut(), &[last]).await;
    for never in [rolled_back, dropped, failed] {
        assert!(!seen.contains(&never), "nothing is told of what was undone");
    }
}

pub(crate) async fn nobody_is_told_before_the_commit(w: World) {
    let Some(mut feed) = w.feed().await else {
        return;
    };
    let change = w.change();
    let mut unit = w.begin(Scope::Platform, Mode::Write).await;
    unit.announce(change).await.unwrap();
    for _ in 0..2 {
        assert_eq!(next(feed.as_mut()).await, FeedEvent::Confirmed);
    }
    unit.commit().await.unwrap();
    until_seen(feed.as_mut(), &[change]).await;
}

pub(crate) async fn two_feeds_both_get_every_change(w: World) {
    let (Some(mut one), Some(mut other)) = (w.feed().await, w.feed().await) else {
        return;
    };
    let (first, second) = (w.change(), w.change());
    w.announce(first).await;
    until_seen(one.as_mut(), &[first]).await;
    until_seen(other.as_mut(), &[first]).await;
    drop(one);
    w.announce(second).await;
    until_seen(other.as_mut(), &[second]).await;
}

pub(crate) async fn a_quiet_feed_keeps_confirming(w: World) {
    let Some(mut feed) = w.feed().await else {
        return;
    };
    for _ in 0..3 {
        assert_eq!(next(feed.as_mut()).await, FeedEvent::Confirmed);
    }
    let change = w.change();
    w.announce(change).await;
    until_seen(feed.as_mut(), &[change]).await;
    // It may say the same change again, but goes on to confirm.
    while next(feed.as_mut()).await != FeedEvent::Confirmed {}
}

pub(crate) async fn a_dropped_wait_for_the_feed_loses_nothing(w: World) {
    let Some(mut feed) = w.feed().await else {
        return;
    };
    let mut announced = Vec::new();
    let mut seen = Vec::new();
    for _ in 0..20 {
        let change = w.change();
        w.announce(change).await;
        announced.push(change);
        for _ in 0..3 {
            // The shortest wait is one poll, whatever it finds.
            let next = tokio::time::timeout(Duration::ZERO, feed.next()).await;
            if let Ok(Ok(FeedEvent::Changes(changes))) = next {
                seen.extend(changes);
            }
        }
    }
    announced.retain(|change| !seen.contains(change));
    until_seen(feed.as_mut(), &announced).await;
}
