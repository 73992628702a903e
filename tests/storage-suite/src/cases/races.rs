//! Units that race for the same thing: the rules hold whoever comes first.

use gatelodge_core::{
    Error, ErrorKind,
    model::{Application, Grant, SessionId, Tenant, User},
    storage::{Mode, Page, Record, RowKind, Scope, SessionFilter},
};

use super::sessions::end_now;
use crate::{
    fixtures::provider,
    rows::rows,
    world::{Place as _, World, assert_one_winner, start_both, start_together},
};

/// How many units race.
const RACERS: usize = 12;

pub(crate) async fn one_of_many_users_gets_the_name(w: World) {
    let acme = w.tenant("acme").await;
    let users: Vec<_> = (0..RACERS).map(|_| w.make.user("ada")).collect();
    let results = w
        .race(&acme, RACERS, move |racer, u| {
            let user = users[racer].clone();
            Box::pin(async move { u.users().create(&user).await })
        })
        .await;
    assert_one_winner(&results, &[ErrorKind::AlreadyExists]);
}

pub(crate) async fn one_of_many_users_gets_the_verified_address(w: World) {
    let acme = w.tenant("acme").await;
    let users: Vec<_> = (0..RACERS)
        .map(|n| {
            w.make
                .user_with_email(&format!("user {n}"), "ada@example.com", false)
        })
        .collect();
    w.write(&acme, async |u| {
        for user in &users {
            u.users().create(user).await?;
        }
        Ok(())
    })
    .await;
    let results = w
        .race(&acme, RACERS, move |racer, u| {
            let user = User {
                email_verified: true,
                ..users[racer].clone()
            };
            Box::pin(async move { u.users().update(&user).await })
        })
        .await;
    assert_one_winner(&results, &[ErrorKind::AlreadyExists]);
}

pub(crate) async fn one_of_many_tenants_gets_the_name(w: World) {
    let tenants: Vec<_> = (0..RACERS).map(|_| w.make.tenant("acme")).collect();
    let results = w
        .race(Scope::Platform, RACERS, move |racer, u| {
            let tenant = tenants[racer].clone();
            Box::pin(async move { u.tenants().create(&tenant).await })
        })
        .await;
    assert_one_winner(&results, &[ErrorKind::AlreadyExists]);
}

pub(crate) async fn one_of_many_records_gets_the_key(w: World) {
    let acme = w.tenant("acme").await;
    let key = Some(w.make.hash());
    let records: Vec<_> = (0..RACERS)
        .map(|_| Record {
            key,
            ..w.make.record(&provider("link"), None)
        })
        .collect();
    let results = w
        .race(&acme, RACERS, move |racer, u| {
            let record = records[racer].clone();
            Box::pin(async move { u.records().create(&record).await })
        })
        .await;
    assert_one_winner(&results, &[ErrorKind::AlreadyExists]);
}

pub(crate) async fn one_of_many_applications_gets_the_audience(w: World) {
    let tenants = [w.tenant("acme").await, w.tenant("other").await];
    let audience = w.make.application(&tenants[0], "shop").audience;
    let racers = (0..RACERS).map(|racer| {
        let tenant = &tenants[racer % 2];
        let application = Application {
            audience: audience.clone(),
            ..w.make.application(tenant, &format!("shop {racer}"))
        };
        w.racer(tenant.scope(), move |u| {
            Box::pin(async move { u.applications().create(&application).await })
        })
    });
    let results = start_together(racers.collect()).await;
    assert_one_winner(&results, &[ErrorKind::AlreadyExists]);
}

pub(crate) async fn a_record_is_used_up_by_one_of_many(w: World) {
    let acme = w.tenant("acme").await;
    let record = w.make.record(&provider("link"), None);
    w.write(&acme, async |u| u.records().create(&record).await)
        .await;
    let results = w
        .race(&acme, RACERS, move |_, u| {
            let record = record.clone();
            Box::pin(async move {
                u.records().by_id(&record.provider, record.id).await?;
                u.records()
                    .delete(&record.provider, record.id, record.version)
                    .await
            })
        })
        .await;
    assert_one_winner(&results, &[ErrorKind::NotFound, ErrorKind::Conflict]);
}

pub(crate) async fn a_record_is_changed_by_one_of_many(w: World) {
    let acme = w.tenant("acme").await;
    let record = w.make.record(&provider("totp"), None);
    w.write(&acme, async |u| u.records().create(&record).await)
        .await;
    let results = w
        .race(&acme, RACERS, move |_, u| {
            let record = record.clone();
            Box::pin(async move { u.records().update(&record).await })
        })
        .await;
    assert_one_winner(&results, &[ErrorKind::Conflict]);
}

pub(crate) async fn a_message_is_claimed_by_one_of_many(w: World) {
    let acme = w.tenant("acme").await;
    let ada = w.make.user("ada");
    let messages: Vec<_> = (0..RACERS).map(|_| w.make.message(&acme, &ada)).collect();
    w.write(&acme, async |u| {
        u.users().create(&ada).await?;
        for message in &messages {
            u.outbox().add(message).await?;
        }
        Ok(())
    })
    .await;
    let (now, until) = (w.make.now(), w.make.at(60_000));
    let results = w
        .race(Scope::Platform, RACERS, move |_, u| {
            Box::pin(async move { u.outbox().claim(now, until, 2).await })
        })
        .await;
    let claimed = results.into_iter().flat_map(Result::unwrap);
    let mut claimed: Vec<_> = claimed.map(|entry| entry.id).collect();
    // What another held is left for a later look.
    let rest = w
        .write(Scope::Platform, async |u| {
            u.outbox().claim(now, until, 99).await
        })
        .await;
    claimed.extend(rest.iter().map(|entry| entry.id));
    claimed.sort_unstable();
    let mut expected: Vec<_> = messages.iter().map(|message| message.id).collect();
    expected.sort_unstable();
    assert_eq!(claimed, expected, "each is claimed once");
}

pub(crate) async fn a_message_is_settled_by_one_of_many(w: World) {
    let acme = w.tenant("acme").await;
    let ada = w.make.user("ada");
    let message = w.make.message(&acme, &ada);
    w.write(&acme, async |u| {
        u.users().create(&ada).await?;
        u.outbox().add(&message).await
    })
    .await;
    let results = w
        .race(Scope::Platform, RACERS, move |_, u| {
            let message = message.clone();
            Box::pin(async move {
                u.outbox()
                    .settle(message.tenant, message.id, message.version)
                    .await
            })
        })
        .await;
    assert_one_winner(&results, &[ErrorKind::NotFound, ErrorKind::Conflict]);
}

pub(crate) async fn a_flow_takes_one_of_many_steps(w: World) {
    let flow = w.make.flow();
    w.write(Scope::Platform, async |u| u.flows().create(&flow).await)
        .await;
    let stepped = flow.clone();
    let results = w
        .race(Scope::Platform, RACERS, move |_, u| {
            let flow = stepped.clone();
            Box::pin(async move {
                u.flows().by_handle(&flow.handle).await?;
                u.flows().update(&flow).await
            })
        })
        .await;
    assert_one_winner(&results, &[ErrorKind::Conflict]);
    let seen = w
        .read(Scope::Platform, async |u| {
            u.flows().by_handle(&flow.handle).await
        })
        .await;
    assert_eq!(seen.unwrap().version, 2);
}

pub(crate) async fn a_flow_is_deleted_by_one_of_many(w: World) {
    let flow = w.make.flow();
    w.write(Scope::Platform, async |u| u.flows().create(&flow).await)
        .await;
    let results = w
        .race(Scope::Platform, RACERS, move |_, u| {
            let handle = flow.handle;
            Box::pin(async move { u.flows().delete(&handle).await })
        })
        .await;
    let deleted: Vec<bool> = results.into_iter().map(Result::unwrap).collect();
    assert_eq!(deleted.iter().filter(|deleted| **deleted).count(), 1);
}

pub(crate) async fn a_value_is_stored_by_one_of_many(w: World) {
    for round in 0..2 {
        let version = w
            .read(Scope::Platform, async |u| {
                u.installation().value("key").await
            })
            .await
            .map_or(0, |value| value.version);
        let results = w
            .race(Scope::Platform, RACERS, move |racer, u| {
                let value = [racer as u8];
                Box::pin(async move { u.installation().put("key", &value, version).await })
            })
            .await;
        assert_one_winner(&results, &[ErrorKind::Conflict]);
        let winner = results.iter().position(Result::is_ok).unwrap();
        let stored = w
            .read(Scope::Platform, async |u| {
                u.installation().value("key").await
            })
            .await
            .unwrap();
        assert_eq!(stored.value, [winner as u8], "round {round}");
    }
}

pub(crate) async fn settings_are_stored_by_one_of_many(w: World) {
    let acme = w.tenant("acme").await;
    let id = acme.id;
    for _ in 0..2 {
        let (settings, version) = w
            .read(&acme, async |u| u.tenants().settings(id).await)
            .await;
        let results = w
            .race(&acme, RACERS, move |_, u| {
                let settings = settings.clone();
                Box::pin(async move { u.tenants().put_settings(id, &settings, version).await })
            })
            .await;
        assert_one_winner(&results, &[ErrorKind::Conflict]);
    }
}

pub(crate) async fn one_of_many_sessions_gets_the_token(w: World) {
    let acme = w.tenant("acme").await;
    let session = w.make.session(&acme, &w.make.user("ada"));
    let ids: Vec<_> = (0..RACERS)
        .map(|_| SessionId::generate(w.make.environment()))
        .collect();
    let results = w
        .race(&acme, RACERS, move |racer, u| {
            let mut session = session.clone();
            session.id = ids[racer];
            Box::pin(async move { u.sessions().create(&session).await })
        })
        .await;
    assert_one_winner(&results, &[ErrorKind::AlreadyExists]);
}

pub(crate) async fn a_session_is_ended_by_one_of_many(w: World) {
    let acme = w.tenant("acme").await;
    let session = w.make.session(&acme, &w.make.user("ada"));
    w.write(&acme, async |u| u.sessions().create(&session).await)
        .await;
    let end = end_now(&w);
    let results = w
        .race(&acme, RACERS, move |racer, u| {
            Box::pin(async move {
                if racer % 2 == 0 {
                    return u.sessions().end(session.id, end).await;
                }
                let ended = u.sessions().end_all(&SessionFilter::default(), end).await?;
                Ok(ended == 1)
            })
        })
        .await;
    let ended: Vec<bool> = results.into_iter().map(Result::unwrap).collect();
    assert_eq!(ended.iter().filter(|ended| **ended).count(), 1);
}

pub(crate) async fn every_try_is_counted(w: World) {
    let acme = w.tenant("acme").await;
    let key = w.make.hash();
    let new = w.make.limit(0);
    let racers = (0..24).map(|racer| {
        // From every scope: the counter is one and the same.
        let scope = if racer % 2 == 0 {
            Scope::Platform
        } else {
            Scope::Tenant(acme.id)
        };
        w.racer(scope, move |u| {
            Box::pin(async move {
                let mut state = u.limits().load(&key).await?.unwrap_or(new);
                state.count += 1;
                u.limits().store(&key, &state).await
            })
        })
    });
    for result in start_together(racers.collect()).await {
        result.unwrap();
    }
    let counted = w
        .read(Scope::Platform, async |u| u.limits().load(&key).await)
        .await;
    assert_eq!(counted.unwrap().count, 24);
}

pub(crate) async fn no_change_of_a_user_is_lost(w: World) {
    let acme = w.tenant("acme").await;
    let ada = w.make.user("ada");
    w.write(&acme, async |u| u.users().create(&ada).await).await;
    let mut left = RACERS;
    // Each racer reads and raises; whoever read too early tries again.
    while left > 0 {
        let id = ada.id;
        let read = w
            .read(&acme, async |u| u.users().by_id(id).await)
            .await
            .unwrap();
        let results = w
            .race(&acme, left, move |_, u| {
                let mut user = read.clone();
                user.credential_epoch += 1;
                Box::pin(async move { u.users().update(&user).await })
            })
            .await;
        assert_one_winner(&results, &[ErrorKind::Conflict]);
        left -= 1;
    }
    let seen = w
        .read(&acme, async |u| u.users().by_id(ada.id).await)
        .await
        .unwrap();
    assert_eq!(seen.credential_epoch, RACERS as i64);
    assert_eq!(seen.version, 1 + RACERS as i64);
}

pub(crate) async fn a_users_anchor_keeps_a_limit_on_sessions(w: World) {
    let acme = w.tenant("acme").await;
    let ada = w.make.user("ada");
    w.write(&acme, async |u| u.users().create(&ada).await).await;
    let sessions: Vec<_> = (0..RACERS).map(|_| w.make.session(&acme, &ada)).collect();
    let user = ada.id;
    let results = w
        .race(&acme, RACERS, move |racer, u| {
            let session = sessions[racer].clone();
            Box::pin(async move {
                u.users().lock_row(user).await?;
                if u.sessions().count(&SessionFilter::default()).await? >= 3 {
                    return Err(Error::refused("three sessions are enough"));
                }
                u.sessions().create(&session).await
            })
        })
        .await;
    let begun = results.iter().filter(|result| result.is_ok()).count();
    let count = w
        .read(&acme, async |u| {
            u.sessions().count(&SessionFilter::default()).await
        })
        .await;
    assert_eq!((begun, count), (3, 3));
}

pub(crate) async fn a_tenants_anchor_keeps_the_last_administrator(w: World) {
    let acme = w.tenant("acme").await;
    let id = acme.id;
    let grant = Grant::TenantAdministrator;
    let users: Vec<_> = (0..RACERS)
        .map(|n| w.make.user(&format!("user {n}")))
        .collect();
    w.write(&acme, async |u| {
        for user in &users {
            u.users().create(user).await?;
            u.users().set_grant(user.id, grant, true).await?;
        }
        Ok(())
    })
    .await;
    let racers = users.into_iter().enumerate().map(|(at, user)| {
        let from_platform = at % 2 == 0;
        let scope = if from_platform {
            Scope::Platform
        } else {
            Scope::Tenant(id)
        };
        w.racer(scope, move |u| {
            Box::pin(async move {
                if from_platform {
                    u.enter(id).await?;
                }
                u.tenants().lock_row(id).await?;
                if u.users().holders(grant).await?.len() == 1 {
                    return Err(Error::refused("the last administrator stays"));
                }
                u.users().set_grant(user.id, grant, false).await
            })
        })
    });
    let results = start_together(racers.collect()).await;
    let refused: Vec<_> = results
        .iter()
        .filter_map(|result| result.as_ref().err())
        .collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0].kind(), ErrorKind::Refused);
    let holders = w
        .read(&acme, async |u| u.users().holders(grant).await)
        .await;
    assert_eq!(holders.len(), 1);
}

pub(crate) async fn a_tenant_gets_a_sub_tenant_or_is_deleted(w: World) {
    for round in 0..8 {
        let master = w.tenant(&format!("master {round}")).await;
        let below = w.make.sub_tenant(&format!("below {round}"), &master);
        let made = below.clone();
        let gone = master.clone();
        let results = start_both(
            round,
            w.racer(Scope::Platform, move |u| {
                Box::pin(async move { u.tenants().create(&made).await })
            }),
            w.racer(Scope::Platform, move |u| {
                Box::pin(async move { u.tenants().delete(gone.id, gone.version).await })
            }),
        )
        .await;
        assert_one_winner(&results, &[ErrorKind::NotFound, ErrorKind::Refused]);
        let tenants = w
            .read(Scope::Platform, async |u| {
                u.tenants().ancestors(below.id).await
            })
            .await;
        let expected: Vec<Tenant> = if results[0].is_ok() {
            vec![master]
        } else {
            vec![]
        };
        assert_eq!(tenants, expected);
    }
}

pub(crate) async fn nothing_is_made_in_a_tenant_that_is_deleted_meanwhile(w: World) {
    for round in 0..8 {
        let tenant = w.tenant(&format!("acme {round}")).await;
        let ada = w.make.user("ada");
        let gone = tenant.clone();
        let user = ada.clone();
        let results = start_both(
            round,
            w.racer(Scope::Tenant(tenant.id), move |u| {
                Box::pin(async move { u.users().create(&user).await })
            }),
            w.racer(Scope::Platform, move |u| {
                Box::pin(async move { u.tenants().delete(gone.id, gone.version).await })
            }),
        )
        .await;
        results[1].as_ref().unwrap();
        if let Err(error) = &results[0] {
            assert_eq!(error.kind(), ErrorKind::NotFound);
        }
        let users = w
            .read(&tenant, async |u| {
                u.users().list(None, Page::first(9)).await
            })
            .await;
        assert_eq!(users, vec![], "round {round}");
    }
}

pub(crate) async fn no_record_is_left_of_a_user_deleted_meanwhile(w: World) {
    let acme = w.tenant("acme").await;
    for round in 0..8 {
        let ada = w.make.user("ada");
        let record = w.make.record(&provider("password"), Some(ada.id));
        w.write(&acme, async |u| u.users().create(&ada).await).await;
        let made = record.clone();
        let (id, version) = (ada.id, ada.version);
        let results = start_both(
            round,
            w.racer(Scope::Tenant(acme.id), move |u| {
                Box::pin(async move { u.records().create(&made).await })
            }),
            w.racer(Scope::Tenant(acme.id), move |u| {
                Box::pin(async move { u.users().delete(id, version).await })
            }),
        )
        .await;
        results[1].as_ref().unwrap();
        if let Err(error) = &results[0] {
            assert_eq!(error.kind(), ErrorKind::NotFound);
        }
        let found = w
            .read(&acme, async |u| {
                u.records().by_id(&record.provider, record.id).await
            })
            .await;
        assert_eq!(found, None, "round {round}");
    }
}

pub(crate) async fn no_message_is_left_of_a_user_deleted_meanwhile(w: World) {
    let acme = w.tenant("acme").await;
    for round in 0..8 {
        let ada = w.make.user("ada");
        let message = w.make.message(&acme, &ada);
        w.write(&acme, async |u| u.users().create(&ada).await).await;
        let (id, version) = (ada.id, ada.version);
        let results = start_both(
            round,
            w.racer(Scope::Tenant(acme.id), move |u| {
                Box::pin(async move { u.outbox().add(&message).await })
            }),
            w.racer(Scope::Tenant(acme.id), move |u| {
                Box::pin(async move { u.users().delete(id, version).await })
            }),
        )
        .await;
        results[1].as_ref().unwrap();
        if let Err(error) = &results[0] {
            assert_eq!(error.kind(), ErrorKind::NotFound);
        }
        let left = rows(&w, &acme, RowKind::Message).await;
        assert!(left.is_empty(), "round {round}");
    }
}

pub(crate) async fn what_has_expired_is_removed_once_by_many(w: World) {
    let acme = w.tenant("acme").await;
    w.write(&acme, async |u| {
        for _ in 0..30 {
            let record = Record {
                expires_at: Some(w.make.at(-1)),
                ..w.make.record(&provider("link"), None)
            };
            u.records().create(&record).await?;
        }
        Ok(())
    })
    .await;
    let now = w.make.now();
    let results = w
        .race(&acme, RACERS, move |_, u| {
            Box::pin(async move { u.records().delete_expired(now, 7).await })
        })
        .await;
    let removed: u64 = results.into_iter().map(Result::unwrap).sum();
    let rest = w
        .attempt(&acme, Mode::Write, async |u| {
            u.records().delete_expired(now, 99).await
        })
        .await;
    assert_eq!(removed + rest.unwrap(), 30, "each is counted once");
}
