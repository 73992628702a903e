//! How sessions are used and end.

use gatelodge_core::{
    model::{EndReason, Session, SessionEnd, SessionId, Tenant, TenantId},
    storage::{Page, Scope, SessionFilter, SessionTouch},
};
use jiff::Timestamp;

use super::sessions::end_now;
use crate::world::World;

/// Stores sessions of one new user.
async fn begin<const N: usize>(w: &World, tenant: &Tenant, user: &str) -> [Session; N] {
    let user = w.make.user(user);
    let sessions = std::array::from_fn(|_| w.make.session(tenant, &user));
    w.write(tenant, async |u| {
        for session in &sessions {
            u.sessions().create(session).await?;
        }
        Ok(())
    })
    .await;
    sessions
}

async fn stored(w: &World, tenant: &Tenant, id: SessionId) -> Session {
    let session = w.read(tenant, async |u| u.sessions().by_id(id).await).await;
    session.expect("the session is there")
}

pub(crate) async fn a_session_ends_once_and_keeps_its_end(w: World) {
    let acme = w.tenant("acme").await;
    let [session, other] = begin(&w, &acme, "ada").await;
    let first = SessionEnd {
        at: w.make.at(-5),
        reason: EndReason::SignedOut,
    };
    let later = SessionEnd {
        at: w.make.at(5),
        reason: EndReason::Locked,
    };
    let end = async |end| {
        w.write(&acme, async |u| u.sessions().end(session.id, end).await)
            .await
    };
    assert!(end(first).await);
    assert!(!end(later).await);
    let expected = Session {
        ended: Some(first),
        ..session.clone()
    };
    assert_eq!(stored(&w, &acme, session.id).await, expected);
    assert_eq!(stored(&w, &acme, other.id).await, other);
}

pub(crate) async fn all_but_one_session_of_a_user_end_together(w: World) {
    let acme = w.tenant("acme").await;
    let [kept, second, third] = begin(&w, &acme, "ada").await;
    let [of_another] = begin(&w, &acme, "bob").await;
    let signed_out = SessionEnd {
        at: w.make.at(-9),
        reason: EndReason::SignedOut,
    };
    w.write(&acme, async |u| {
        u.sessions().end(third.id, signed_out).await
    })
    .await;
    let filter = SessionFilter {
        user: Some(kept.user),
        valid_at: None,
        except: Some(kept.id),
    };
    let end = end_now(&w);
    let end_all = async || {
        w.write(&acme, async |u| u.sessions().end_all(&filter, end).await)
            .await
    };
    assert_eq!(end_all().await, 1, "one of them had ended before");
    assert_eq!(end_all().await, 0);
    for (session, ended) in [
        (&kept, None),
        (&second, Some(end)),
        (&third, Some(signed_out)),
        (&of_another, None),
    ] {
        assert_eq!(stored(&w, &acme, session.id).await.ended, ended);
    }
}

pub(crate) async fn all_valid_sessions_of_a_tenant_end_together(w: World) {
    let (acme, other) = (w.tenant("acme").await, w.tenant("other").await);
    let [ada] = begin(&w, &acme, "ada").await;
    let [bob] = begin(&w, &acme, "bob").await;
    let [foreign] = begin(&w, &other, "ada").await;
    let over = Session {
        expires_at: w.make.now(),
        ..w.make.session(&acme, &w.make.user("cleo"))
    };
    w.write(&acme, async |u| u.sessions().create(&over).await)
        .await;
    let filter = SessionFilter {
        valid_at: Some(w.make.now()),
        ..SessionFilter::default()
    };
    let end = end_now(&w);
    let ended = w
        .write(&acme, async |u| u.sessions().end_all(&filter, end).await)
        .await;
    assert_eq!(ended, 2);
    assert_eq!(stored(&w, &acme, ada.id).await.ended, Some(end));
    assert_eq!(stored(&w, &acme, bob.id).await.ended, Some(end));
    assert_eq!(stored(&w, &acme, over.id).await.ended, None);
    assert_eq!(stored(&w, &other, foreign.id).await.ended, None);
}

async fn touch(w: &World, touches: &[(TenantId, SessionId, Timestamp)]) {
    let touches: Vec<_> = touches
        .iter()
        .map(|(tenant, id, at)| SessionTouch {
            tenant: *tenant,
            id: *id,
            at: *at,
        })
        .collect();
    w.write(Scope::Platform, async |u| {
        u.sessions().touch(&touches).await
    })
    .await;
}

pub(crate) async fn activity_is_noted_for_sessions_of_all_tenants(w: World) {
    let (acme, other) = (w.tenant("acme").await, w.tenant("other").await);
    let [one, unused] = begin(&w, &acme, "ada").await;
    let [two] = begin(&w, &other, "bob").await;
    let (sooner, later) = (w.make.at(1), w.make.at(61_234));
    touch(&w, &[(acme.id, one.id, sooner), (other.id, two.id, later)]).await;
    touch(&w, &[]).await;
    let expected = |session: &Session, last_active_at| Session {
        last_active_at,
        ..session.clone()
    };
    assert_eq!(stored(&w, &acme, one.id).await, expected(&one, sooner));
    assert_eq!(stored(&w, &other, two.id).await, expected(&two, later));
    assert_eq!(stored(&w, &acme, unused.id).await, unused);
}

pub(crate) async fn activity_never_moves_backwards(w: World) {
    let acme = w.tenant("acme").await;
    let [session] = begin(&w, &acme, "ada").await;
    let active = async || stored(&w, &acme, session.id).await.last_active_at;
    touch(&w, &[(acme.id, session.id, w.make.at(10))]).await;
    assert_eq!(active().await, w.make.at(10));
    for millis in [9, 0, -1] {
        touch(&w, &[(acme.id, session.id, w.make.at(millis))]).await;
        assert_eq!(active().await, w.make.at(10), "touched at {millis} ms");
    }
    let twice = [20, 15].map(|millis| (acme.id, session.id, w.make.at(millis)));
    touch(&w, &twice).await;
    assert_eq!(active().await, w.make.at(20), "also within one call");
    let twice = [25, 30].map(|millis| (acme.id, session.id, w.make.at(millis)));
    touch(&w, &twice).await;
    assert_eq!(active().await, w.make.at(30), "in either order");
}

pub(crate) async fn activity_of_an_ended_or_unknown_session_changes_nothing(w: World) {
    let (acme, other) = (w.tenant("acme").await, w.tenant("other").await);
    let [ended, live] = begin(&w, &acme, "ada").await;
    let end = end_now(&w);
    w.write(&acme, async |u| u.sessions().end(ended.id, end).await)
        .await;
    let at = w.make.at(7);
    let ghost = SessionId::generate(w.make.environment());
    touch(
        &w,
        &[
            (acme.id, ended.id, at),
            (acme.id, ghost, at),
            (other.id, live.id, at),
            (TenantId::generate(w.make.environment()), live.id, at),
        ],
    )
    .await;
    let expected = Session {
        ended: Some(end),
        ..ended.clone()
    };
    assert_eq!(stored(&w, &acme, ended.id).await, expected);
    assert_eq!(
        stored(&w, &acme, live.id).await,
        live,
        "named with another tenant"
    );
    let seen = w
        .read(&acme, async |u| u.sessions().by_id(ghost).await)
        .await;
    assert_eq!(seen, None);
    touch(&w, &[(acme.id, ghost, at), (acme.id, live.id, at)]).await;
    let touched = stored(&w, &acme, live.id).await.last_active_at;
    assert_eq!(touched, at, "an unknown one does not hold up the others");
}

async fn end_timed_out(w: &World, now: Timestamp, limit: u32) -> u64 {
    w.write(Scope::Platform, async |u| {
        u.sessions().end_timed_out(now, limit).await
    })
    .await
}

pub(crate) async fn a_timed_out_session_ended_the_moment_it_was_reached(w: World) {
    let (acme, other) = (w.tenant("acme").await, w.tenant("other").await);
    let ada = w.make.user("ada");
    let shape = |tenant: &Tenant, active: i64, idle_seconds, expires: i64| Session {
        last_active_at: w.make.at(active),
        idle_seconds,
        expires_at: w.make.at(expires),
        ..w.make.session(tenant, &ada)
    };
    let signed_out = SessionEnd {
        at: w.make.at(-500),
        reason: EndReason::SignedOut,
    };
    let ended = Session {
        ended: Some(signed_out),
        ..shape(&acme, -5_000, 1, 60_000)
    };
    // Each with the moment of its end, if that is reached.
    let sessions = [
        (shape(&acme, -5_000, 1, 60_000), Some(-4_000)),
        (shape(&other, -5_000, 3_600, -2_000), Some(-2_000)),
        (shape(&acme, -5_000, 1, -4_500), Some(-4_500)),
        (shape(&acme, -1_001, 1, 60_000), Some(-1)),
        (shape(&other, -1_000, 1, 60_000), Some(0)),
        (shape(&acme, -999, 1, 60_000), None),
        (shape(&acme, 0, 3_600, 0), Some(0)),
        (shape(&acme, 0, 3_600, 1), None),
    ];
    w.write(&acme, async |u| u.sessions().create(&ended).await)
        .await;
    for (session, _) in &sessions {
        let tenant = session.tenant;
        w.write(tenant, async |u| u.sessions().create(session).await)
            .await;
    }
    assert_eq!(end_timed_out(&w, w.make.now(), 99).await, 6);
    assert_eq!(end_timed_out(&w, w.make.now(), 99).await, 0);
    for (session, end) in sessions {
        let expected = end.map(|millis| SessionEnd {
            at: w.make.at(millis),
            reason: EndReason::TimedOut,
        });
        let tenant = session.tenant;
        let seen = w
            .read(tenant, async |u| u.sessions().by_id(session.id).await)
            .await;
        let expected = Session {
            ended: expected,
            ..session
        };
        assert_eq!(seen, Some(expected));
    }
    assert_eq!(stored(&w, &acme, ended.id).await, ended, "an end is kept");
    assert_eq!(
        end_timed_out(&w, w.make.at(1), 99).await,
        2,
        "a millisecond later"
    );
}

pub(crate) async fn ending_timed_out_sessions_agrees_with_the_model(w: World) {
    for (round, millis) in (0_i64..).zip([-1, 0, 1, 999, 1_000, 1_001]) {
        let tenant = w.tenant(&format!("acme {round}")).await;
        let ada = w.make.user("ada");
        let mut sessions = Vec::new();
        for active in [-1_000, -1, 0, 1] {
            for idle_seconds in [0, 1, 2] {
                for expires in [-1, 0, 1, 1_000, 5_000] {
                    sessions.push(Session {
                        last_active_at: w.make.at(active),
                        idle_seconds,
                        expires_at: w.make.at(expires),
                        ..w.make.session(&tenant, &ada)
                    });
                }
            }
        }
        w.write(&tenant, async |u| {
            for session in &sessions {
                u.sessions().create(session).await?;
            }
            Ok(())
        })
        .await;
        let now = w.make.at(millis);
        end_timed_out(&w, now, u32::MAX).await;
        for session in sessions {
            let expected = (!session.is_valid_at(now)).then(|| session.ends_at());
            let ended = stored(&w, &tenant, session.id).await.ended;
            assert_eq!(
                ended.map(|end| end.at),
                expected,
                "at {millis} ms: {session:?}"
            );
        }
    }
}

pub(crate) async fn timed_out_sessions_end_piece_by_piece(w: World) {
    let acme = w.tenant("acme").await;
    let [..] = begin::<5>(&w, &acme, "ada").await;
    let now = w.make.at(86_400_000);
    let mut ended = Vec::new();
    for limit in [0, 2, 2, 2, u32::MAX] {
        ended.push(end_timed_out(&w, now, limit).await);
    }
    assert_eq!(ended, [0, 2, 2, 1, 0]);
}

pub(crate) async fn an_ended_session_is_still_found_and_listed(w: World) {
    let acme = w.tenant("acme").await;
    let [session] = begin(&w, &acme, "ada").await;
    let end = end_now(&w);
    w.write(&acme, async |u| u.sessions().end(session.id, end).await)
        .await;
    let expected = Session {
        ended: Some(end),
        ..session
    };
    let listed = w
        .read(&acme, async |u| {
            u.sessions()
                .list(&SessionFilter::default(), Page::first(9))
                .await
        })
        .await;
    assert_eq!(listed, vec![expected.clone()]);
    let found = w
        .read(Scope::Platform, async |u| {
            u.sessions().by_token(&expected.token_hash).await
        })
        .await;
    assert_eq!(found, Some(expected));
}
