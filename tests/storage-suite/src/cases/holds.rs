//! What is begun in a tenant that is held comes before or after its end, and
//! units that take several rows do not wait for each other.

use gatelodge_core::{
    Error, ErrorKind,
    environment::later,
    model::{DisplayName, Lock, Tenant},
    storage::{Page, Scope, SessionFilter, SessionTouch},
};

use super::sessions::end_now;
use crate::world::{World, start_both, start_together};

/// How many units begin something at once.
const RACERS: usize = 12;

pub(crate) async fn a_held_tenant_is_there_for_every_unit_that_reaches_it(w: World) {
    let (acme, other) = (w.tenant("acme").await, w.tenant("other").await);
    let ghost = w.make.tenant("ghost");
    for scope in [Scope::Platform, Scope::Tenant(acme.id)] {
        w.write(scope, async |u| {
            let tenants = u.tenants();
            assert_eq!(tenants.hold(acme.id).await?.as_ref(), Some(&acme));
            assert_eq!(tenants.hold(acme.id).await?.as_ref(), Some(&acme));
            assert_eq!(tenants.hold(ghost.id).await?, None);
            tenants.lock_row(acme.id).await
        })
        .await;
    }
    let seen = w
        .write(&acme, async |u| {
            let foreign = u.tenants().hold(other.id).await?;
            assert_eq!(foreign, None, "another tenant is not there");
            u.tenants().by_id(acme.id).await
        })
        .await;
    assert_eq!(seen.as_ref(), Some(&acme), "holding changes nothing");
    let changed = Tenant {
        display_name: DisplayName::new("Acme Ltd").unwrap(),
        ..acme.clone()
    };
    w.write(&acme, async |u| {
        let new = u.tenants().update(&changed).await?;
        assert_eq!(u.tenants().hold(acme.id).await?, Some(new));
        Ok(())
    })
    .await;
}

pub(crate) async fn no_session_begins_in_a_tenant_that_is_locked_meanwhile(w: World) {
    for round in 0..6 {
        let acme = w.tenant(&format!("acme {round}")).await;
        let (id, end) = (acme.id, end_now(&w));
        let mut racers: Vec<_> = (0..RACERS)
            .map(|n| {
                let session = w.make.session(&acme, &w.make.user(&format!("user {n}")));
                w.racer(Scope::Tenant(id), move |u| {
                    Box::pin(async move {
                        u.tenants().by_id(id).await?;
                        let held = u.tenants().hold(id).await?;
                        let held = held.ok_or_else(|| Error::not_found("tenant"))?;
                        if held.lock.is_some() {
                            return Err(Error::refused("the tenant is locked"));
                        }
                        u.sessions().create(&session).await
                    })
                })
            })
            .collect();
        let lock = Lock {
            reason: None,
            until: None,
            since: w.make.now(),
            cascade: false,
        };
        let locker = w.racer(Scope::Platform, move |u| {
            Box::pin(async move {
                u.tenants().lock_row(id).await?;
                let tenant = u.tenants().by_id(id).await?;
                let tenant = tenant.ok_or_else(|| Error::not_found("tenant"))?;
                let lock = Some(lock);
                u.tenants().update(&Tenant { lock, ..tenant }).await?;
                u.enter(id).await?;
                u.sessions().end_all(&SessionFilter::default(), end).await?;
                Ok(())
            })
        });
        racers.insert(2 * round, locker);
        let mut begun = 0;
        for (at, result) in start_together(racers).await.iter().enumerate() {
            match result {
                Ok(()) => begun += usize::from(at != 2 * round),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
                    assert_ne!(at, 2 * round, "the lock is never refused");
                }
            }
        }
        let (tenant, sessions) = w
            .read(&acme, async |u| {
                let all = SessionFilter::default();
                let sessions = u.sessions().list(&all, Page::first(99)).await?;
                Ok((u.tenants().by_id(id).await?, sessions))
            })
            .await;
        assert!(tenant.unwrap().lock.is_some());
        assert_eq!(sessions.len(), begun);
        let open = sessions.iter().filter(|session| session.ended.is_none());
        assert_eq!(open.count(), 0, "round {round}");
    }
}

pub(crate) async fn a_tenant_that_is_held_is_deleted_afterwards(w: World) {
    for round in 0..8 {
        let acme = w.tenant(&format!("acme {round}")).await;
        let ada = w.make.user("ada");
        let (id, version, user) = (acme.id, acme.version, ada.clone());
        let results = start_both(
            round,
            w.racer(Scope::Tenant(id), move |u| {
                Box::pin(async move {
                    let held = u.tenants().hold(id).await?;
                    held.ok_or_else(|| Error::not_found("tenant"))?;
                    // Deleted meanwhile, it would not be found.
                    u.users().create(&user).await.map_err(|error| {
                        Error::internal("the held tenant is gone").because(error)
                    })?;
                    u.users().lock_row(user.id).await
                })
            }),
            w.racer(Scope::Platform, move |u| {
                Box::pin(async move {
                    u.tenants().lock_row(id).await?;
                    u.tenants().delete(id, version).await
                })
            }),
        )
        .await;
        results[1].as_ref().unwrap();
        if let Err(error) = &results[0] {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
        }
        let seen = w
            .read(&acme, async |u| {
                Ok((u.tenants().by_id(id).await?, u.users().by_id(ada.id).await?))
            })
            .await;
        assert_eq!(seen, (None, None), "round {round}");
    }
}

pub(crate) async fn sessions_are_touched_and_ended_in_any_order_at_once(w: World) {
    let acme = w.tenant("acme").await;
    let ada = w.make.user("ada");
    let sessions: Vec<_> = (0..20).map(|_| w.make.session(&acme, &ada)).collect();
    w.write(&acme, async |u| {
        for session in &sessions {
            u.sessions().create(session).await?;
        }
        Ok(())
    })
    .await;
    let at = later(w.make.now(), std::time::Duration::from_secs(5));
    let (end, tenant, count) = (end_now(&w), acme.id, sessions.len());
    let touches: Vec<_> = sessions
        .iter()
        .map(|session| SessionTouch {
            tenant,
            id: session.id,
            at,
        })
        .collect();
    let racers = (0..RACERS).map(|racer| {
        let mut touches = touches.clone();
        touches.rotate_left(racer);
        if racer % 4 == 0 {
            touches.reverse();
        }
        let ends = racer % 2 == 1;
        let scope = if ends {
            Scope::Tenant(tenant)
        } else {
            Scope::Platform
        };
        w.racer(scope, move |u| {
            Box::pin(async move {
                if ends {
                    return u.sessions().end_all(&SessionFilter::default(), end).await;
                }
                u.sessions().touch(&touches).await.map(|()| 0)
            })
        })
    });
    let results = start_together(racers.collect()).await;
    let ended: u64 = results.into_iter().map(Result::unwrap).sum();
    assert_eq!(ended, count as u64, "each is ended once");
}
