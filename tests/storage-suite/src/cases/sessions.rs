//! Sessions: rows, filters, validity.

use gatelodge_core::{
    ErrorKind,
    model::{
        ClientFacts, EndReason, Factor, FactorClass, Session, SessionEnd, SessionId, Tenant, UserId,
    },
    storage::{Page, Scope, SessionFilter},
};
use jiff::Timestamp;

use crate::{
    fixtures::provider,
    world::{World, paged},
};

async fn create(w: &World, tenant: &Tenant, session: &Session) {
    w.write(tenant, async |u| u.sessions().create(session).await)
        .await;
}

pub(crate) async fn a_session_comes_back_as_it_was_made(w: World) {
    let acme = w.tenant("acme").await;
    let ada = w.make.user("ada");
    let factor = |id, class, amr: &str, millis| Factor {
        provider: provider(id),
        class,
        amr: amr.to_owned(),
        at: w.make.at(millis),
        credential: (class == FactorClass::Remembered)
            .then(|| w.make.record(&provider(id), None).id),
    };
    let full = Session {
        tenant_name: "Ácme 株式会社".to_owned(),
        user_name: "🦊".repeat(254),
        application: Some("intranet".to_owned()),
        factors: vec![
            factor("password", FactorClass::Knowledge, "pwd", -30_001),
            factor("totp", FactorClass::Possession, "otp", -1),
            factor("passkey", FactorClass::Inherence, "hwk", 0),
            factor("google", FactorClass::Federated, "fed", 1),
            factor("device", FactorClass::Remembered, "rba", 2),
        ],
        scope: Some("set_password".to_owned()),
        client: ClientFacts {
            address: Some("192.0.2.7".to_owned()),
            network: Some("192.0.2.7".to_owned()),
            user_agent: Some("Mozilla/5.0 (“quoted”)".to_owned()),
            request_id: Some("0f".to_owned()),
        },
        credential_epoch: 9,
        ..w.make.session(&acme, &ada)
    };
    let mut sessions = vec![full, w.make.session(&acme, &ada)];
    sessions.push(Session {
        factors: Vec::new(),
        application: Some(String::new()),
        ..w.make.session(&acme, &ada)
    });
    for reason in [
        EndReason::SignedOut,
        EndReason::TimedOut,
        EndReason::Replaced,
        EndReason::Revoked,
        EndReason::Locked,
        EndReason::CredentialChanged,
        EndReason::Restored,
    ] {
        let at = w.make.at(3);
        sessions.push(Session {
            ended: Some(SessionEnd { at, reason }),
            ..w.make.session(&acme, &ada)
        });
    }
    for session in sessions {
        create(&w, &acme, &session).await;
        let seen = w
            .read(&acme, async |u| u.sessions().by_id(session.id).await)
            .await;
        assert_eq!(seen, Some(session.clone()));
        let seen = w
            .read(Scope::Platform, async |u| {
                u.sessions().by_token(&session.token_hash).await
            })
            .await;
        assert_eq!(seen, Some(session));
    }
}

pub(crate) async fn a_session_that_was_never_made_is_not_found(w: World) {
    let acme = w.tenant("acme").await;
    let ghost = w.make.session(&acme, &w.make.user("ada"));
    let end = end_now(&w);
    w.write(&acme, async |u| {
        assert_eq!(u.sessions().by_id(ghost.id).await?, None);
        assert!(!u.sessions().end(ghost.id, end).await?);
        let everything = SessionFilter::default();
        assert_eq!(u.sessions().end_all(&everything, end).await?, 0);
        assert_eq!(u.sessions().count(&everything).await?, 0);
        Ok(())
    })
    .await;
    let seen = w
        .read(Scope::Platform, async |u| {
            u.sessions().by_token(&ghost.token_hash).await
        })
        .await;
    assert_eq!(seen, None);
}

pub(crate) async fn a_taken_token_or_session_id_is_refused(w: World) {
    let (acme, other) = (w.tenant("acme").await, w.tenant("other").await);
    let ada = w.make.user("ada");
    let session = w.make.session(&acme, &ada);
    create(&w, &acme, &session).await;
    let same_token = |tenant: &Tenant| Session {
        token_hash: session.token_hash,
        ..w.make.session(tenant, &ada)
    };
    let same_id = Session {
        id: session.id,
        ..w.make.session(&acme, &ada)
    };
    for (tenant, taken) in [
        (&acme, same_token(&acme)),
        (&other, same_token(&other)),
        (&acme, same_id),
    ] {
        let kind = w
            .refusal(tenant, async |u| u.sessions().create(&taken).await)
            .await;
        assert_eq!(kind, ErrorKind::AlreadyExists);
    }
    let seen = w
        .read(Scope::Platform, async |u| {
            u.sessions().by_token(&session.token_hash).await
        })
        .await;
    assert_eq!(seen, Some(session));
}

pub(crate) async fn pages_of_sessions_make_up_the_whole_list(w: World) {
    let (acme, other) = (w.tenant("acme").await, w.tenant("other").await);
    let ada = w.make.user("ada");
    let mut expected = Vec::new();
    for _ in 0..15 {
        let session = w.make.session(&acme, &ada);
        create(&w, &acme, &session).await;
        expected.push(session);
        create(&w, &other, &w.make.session(&other, &ada)).await;
    }
    expected.sort_by_key(|session| session.id);
    let valid = SessionFilter {
        user: Some(ada.id),
        valid_at: Some(w.make.now()),
        except: None,
    };
    for filter in [SessionFilter::default(), valid] {
        let listed = paged(
            |session: &Session| session.id,
            async |page| {
                w.read(&acme, async |u| u.sessions().list(&filter, page).await)
                    .await
            },
        )
        .await;
        assert_eq!(listed, expected);
    }
}

pub(crate) async fn a_page_stays_where_it_is_while_sessions_begin(w: World) {
    let acme = w.tenant("acme").await;
    let ada = w.make.user("ada");
    let mut sessions: Vec<_> = (0..5).map(|_| w.make.session(&acme, &ada)).collect();
    sessions.sort_by_key(|session| session.id);
    create(&w, &acme, &sessions[1]).await;
    create(&w, &acme, &sessions[2]).await;
    let page = async |page: Page<SessionId>| {
        let all = SessionFilter::default();
        w.read(&acme, async |u| u.sessions().list(&all, page).await)
            .await
    };
    assert_eq!(page(Page::first(2)).await, sessions[1..3]);
    for session in [&sessions[0], &sessions[3], &sessions[4]] {
        create(&w, &acme, session).await;
    }
    assert_eq!(page(Page::after(sessions[2].id, 9)).await, sessions[3..]);
}

/// Sessions of every shape: idle soon, over soon, both at once, ended, used long ago.
fn shapes(w: &World, tenant: &Tenant) -> Vec<Session> {
    let ada = w.make.user("ada");
    let shape = |active: i64, idle_seconds: i64, expires: i64| Session {
        started_at: w.make.at(-100_000),
        last_active_at: w.make.at(active),
        idle_seconds,
        expires_at: w.make.at(expires),
        ..w.make.session(tenant, &ada)
    };
    let ended = |millis: i64, session: Session| Session {
        ended: Some(SessionEnd {
            at: w.make.at(millis),
            reason: EndReason::SignedOut,
        }),
        ..session
    };
    vec![
        shape(0, 1, 60_000),
        shape(-999, 1, 60_000),
        shape(-1_000, 1, 60_000),
        shape(-1_001, 1, 60_000),
        shape(0, 3_600, 1),
        shape(0, 3_600, 0),
        shape(0, 3_600, -1),
        shape(0, 1, 1_000),
        shape(0, 0, 60_000),
        shape(500, 1, 60_000),
        shape(0, 10 * 365 * 86_400, 1_001),
        ended(-1, shape(0, 3_600, 60_000)),
        ended(1_000, shape(0, 3_600, 60_000)),
    ]
}

/// Every moment at which a shape can change, with the ones beside it.
fn moments(w: &World) -> Vec<Timestamp> {
    let borders = [
        -1_000, -1, 0, 1, 500, 999, 1_000, 1_001, 1_500, 60_000, 3_600_000,
    ];
    let around = borders.into_iter().flat_map(|at| [at - 1, at, at + 1]);
    around.map(|millis| w.make.at(millis)).collect()
}

pub(crate) async fn a_list_of_valid_sessions_agrees_with_the_model(w: World) {
    let acme = w.tenant("acme").await;
    let sessions = shapes(&w, &acme);
    for session in &sessions {
        create(&w, &acme, session).await;
    }
    for now in moments(&w) {
        let filter = SessionFilter {
            valid_at: Some(now),
            ..SessionFilter::default()
        };
        let mut expected: Vec<_> = sessions
            .iter()
            .filter(|session| session.is_valid_at(now))
            .cloned()
            .collect();
        expected.sort_by_key(|session| session.id);
        let (listed, count) = w
            .read(&acme, async |u| {
                let listed = u.sessions().list(&filter, Page::first(99)).await?;
                Ok((listed, u.sessions().count(&filter).await?))
            })
            .await;
        assert_eq!(listed, expected, "valid at {now}");
        assert_eq!(count, expected.len() as u64, "valid at {now}");
    }
}

pub(crate) async fn filters_of_sessions_hold_together(w: World) {
    let acme = w.tenant("acme").await;
    let (ada, bob) = (w.make.user("ada"), w.make.user("bob"));
    let over = Session {
        expires_at: w.make.now(),
        ..w.make.session(&acme, &ada)
    };
    let sessions = [
        w.make.session(&acme, &ada),
        w.make.session(&acme, &ada),
        over,
        w.make.session(&acme, &bob),
    ];
    for session in &sessions {
        create(&w, &acme, session).await;
    }
    let ghost = UserId::generate(w.make.environment());
    for (user, is_valid, except, expected) in [
        (None, false, None, vec![0, 1, 2, 3]),
        (Some(ada.id), false, None, vec![0, 1, 2]),
        (None, true, None, vec![0, 1, 3]),
        (None, false, Some(0), vec![1, 2, 3]),
        (Some(ada.id), true, None, vec![0, 1]),
        (Some(ada.id), true, Some(0), vec![1]),
        (Some(bob.id), true, Some(3), vec![]),
        (Some(bob.id), true, Some(0), vec![3]),
        (Some(ghost), false, None, vec![]),
    ] {
        let filter = SessionFilter {
            user,
            valid_at: is_valid.then(|| w.make.now()),
            except: except.map(|at: usize| sessions[at].id),
        };
        let mut expected: Vec<SessionId> = expected
            .into_iter()
            .map(|at: usize| sessions[at].id)
            .collect();
        expected.sort();
        let (listed, count) = w
            .read(&acme, async |u| {
                let listed = u.sessions().list(&filter, Page::first(99)).await?;
                Ok((listed, u.sessions().count(&filter).await?))
            })
            .await;
        let listed: Vec<_> = listed.iter().map(|session| session.id).collect();
        assert_eq!(listed, expected, "{filter:?}");
        assert_eq!(count, expected.len() as u64, "{filter:?}");
    }
}

pub(crate) fn end_now(w: &World) -> SessionEnd {
    SessionEnd {
        at: w.make.now(),
        reason: EndReason::Revoked,
    }
}
