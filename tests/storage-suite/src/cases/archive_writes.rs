//! Rows that are put into the archive, and removed from it.

use gatelodge_core::{
    ErrorKind,
    model::{Application, Grant, Tenant, TenantId, TenantSettings, User},
    secret::TokenHash,
    storage::{Mode, OutboxEntry, Page, Record, Row, RowKey, RowKind, Scope},
};

use crate::{
    fixtures::provider,
    rows::{Stock, keys, put, rows},
    twins::Twins,
    world::{Place, World},
};

pub(crate) async fn every_kind_of_row_comes_back_as_it_was_put(w: World) {
    let acme = w.tenant("acme").await;
    let stock = Stock::made(&w, &acme);
    stock.store(&w).await;
    for (scope, kind, expected) in &stock.rows {
        let mut found = rows(&w, *scope, *kind).await;
        let mut expected = expected.clone();
        expected.sort_by_cached_key(Row::key);
        if *kind == RowKind::Tenant {
            found.retain(|row| row.key() != RowKey::Id(acme.id.as_uuid()));
        }
        assert_eq!(keys(&found), keys(&expected), "{kind:?} in {scope:?}");
        for (found, expected) in found.iter().zip(&expected) {
            assert!(found == expected, "{kind:?} in {scope:?} is changed");
        }
    }
}

pub(crate) async fn rows_that_were_put_are_found_by_the_repositories(w: World) {
    let acme = w.tenant("acme").await;
    let stock = Stock::made(&w, &acme);
    stock.store(&w).await;
    for (scope, _, rows) in &stock.rows {
        let mut unit = w.begin(*scope, Mode::Read).await;
        for row in rows {
            let u = unit.as_mut();
            let is_found = match row {
                Row::Value { name, value, .. } => {
                    let found = u.installation().value(name).await.unwrap();
                    found.is_some_and(|found| found.value == *value)
                }
                Row::Tenant(tenant) => {
                    let found = u.tenants().by_name(&tenant.name.key()).await.unwrap();
                    found.as_ref() == Some(tenant)
                }
                Row::Limit { key, state } => u.limits().load(key).await.unwrap() == Some(*state),
                Row::Flow(flow) => {
                    u.flows().by_handle(&flow.handle).await.unwrap().as_ref() == Some(flow)
                }
                Row::Settings { settings, version } => {
                    let found = u.tenants().settings(stock.tenant.id).await.unwrap();
                    found == (settings.clone(), *version)
                }
                Row::Application(application) => {
                    let found = u.applications().by_audience(&application.audience);
                    found.await.unwrap().as_ref() == Some(application)
                }
                Row::User(user) => {
                    let found = u.users().by_login(&user.user_name.key()).await.unwrap();
                    found.as_ref() == Some(user)
                }
                Row::Grant { user, grant } => {
                    u.users().grants(*user).await.unwrap().contains(grant)
                }
                Row::Record(record) => {
                    let records = u.records();
                    let found = records.by_id(&record.provider, record.id).await.unwrap();
                    found.as_ref() == Some(record)
                }
                // Only a claim finds it: see the cases of the outbox.
                Row::Message(_) => true,
                Row::Session(session) => {
                    let found = u.sessions().by_id(session.id).await.unwrap();
                    found.as_ref() == Some(session)
                }
                Row::Event(event) => {
                    let every = gatelodge_core::model::AuditFilter::default();
                    let found = u.audit().list(&every, Page::first(99)).await.unwrap();
                    found.contains(event)
                }
            };
            assert!(is_found, "{row:?} is found by its repository");
        }
        unit.rollback().await.unwrap();
    }
}

/// The same rows with other contents, under the same keys.
fn changed(row: &Row, other: &Row) -> Row {
    match (row.clone(), other.clone()) {
        (Row::Value { name, .. }, Row::Value { value, .. }) => Row::Value {
            name,
            value,
            version: 2,
        },
        (Row::Tenant(tenant), Row::Tenant(other)) => Row::Tenant(Tenant {
            id: tenant.id,
            master: None,
            version: 3,
            ..other
        }),
        (Row::Limit { key, .. }, Row::Limit { state, .. }) => Row::Limit { key, state },
        (Row::Flow(mut flow), Row::Flow(other)) => {
            flow.sealed = other.sealed;
            flow.version = 1;
            Row::Flow(flow)
        }
        (Row::Settings { .. }, _) => Row::Settings {
            settings: TenantSettings::default(),
            version: 1,
        },
        (Row::Application(application), Row::Application(other)) => Row::Application(Application {
            origins: other.origins,
            version: 3,
            ..application
        }),
        (Row::User(user), Row::User(other)) => Row::User(User {
            id: user.id,
            version: 3,
            ..other
        }),
        (Row::Record(record), Row::Record(other)) => Row::Record(Record {
            id: record.id,
            user: record.user,
            ..other
        }),
        (Row::Message(mut message), Row::Message(other)) => {
            message.due_at = other.due_at;
            message.tries = other.tries;
            message.sealed = other.sealed;
            Row::Message(message)
        }
        (Row::Session(mut session), Row::Session(other)) => {
            session.ended = other.ended;
            session.token_hash = other.token_hash;
            session.last_active_at = session.started_at;
            Row::Session(session)
        }
        (Row::Event(mut event), Row::Event(other)) => {
            event.changes = other.changes;
            event.at = other.at;
            Row::Event(event)
        }
        (row, _) => row,
    }
}

pub(crate) async fn a_row_that_is_put_replaces_the_one_of_its_key(w: World) {
    let acme = w.tenant("acme").await;
    let stock = Stock::made(&w, &acme);
    stock.store(&w).await;
    // Never stored, so that what is unique in it is free.
    let free = Stock::made(&w, &acme);
    for ((scope, kind, rows_of), (_, _, others)) in stock.rows.iter().zip(&free.rows) {
        let before = rows(&w, *scope, *kind).await;
        // The last: a tenant below, a session that has ended.
        let (row, other) = (rows_of.last().unwrap(), others.first().unwrap());
        let over = changed(row, other);
        put(&w, *scope, std::slice::from_ref(&over)).await;
        let mut expected = before;
        if *kind == RowKind::Event {
            // An audit event that is there stays as it is.
            assert!(rows(&w, *scope, *kind).await == expected, "{scope:?}");
            continue;
        }
        for stored in &mut expected {
            if stored.key() == over.key() {
                *stored = over.clone();
            }
        }
        assert!(rows(&w, *scope, *kind).await == expected, "{kind:?}");
    }
}

pub(crate) async fn rows_of_a_tenant_that_is_gone_are_put_and_removed(w: World) {
    let gone = w.make.tenant("gone");
    let stock = Stock::made(&w, &gone);
    for kind in [RowKind::Session, RowKind::Event] {
        let of_kind = |(scope, of, _): &&(Scope, RowKind, Vec<Row>)| {
            *of == kind && *scope == Scope::Tenant(gone.id)
        };
        let (scope, _, expected) = stock.rows.iter().find(of_kind).unwrap();
        put(&w, *scope, expected).await;
        assert!(rows(&w, &gone, kind).await == *expected, "{kind:?}");
        let listed = w
            .read(Scope::Platform, async |u| {
                u.archive().tenants(Page::first(9)).await
            })
            .await;
        assert_eq!(listed, [gone.id]);
        if kind == RowKind::Event {
            continue;
        }
        let keys = keys(expected);
        w.write(&gone, async |u| u.archive().remove(kind, &keys).await)
            .await;
        assert!(rows(&w, &gone, kind).await.is_empty(), "{kind:?}");
    }
}

async fn above(w: &World, tenant: &Tenant) -> Vec<TenantId> {
    let masters = w
        .read(Scope::Platform, async |u| {
            u.tenants().ancestors(tenant.id).await
        })
        .await;
    masters.iter().map(|master| master.id).collect()
}

async fn below(w: &World, tenant: &Tenant) -> Vec<TenantId> {
    w.read(Scope::Platform, async |u| {
        u.tenants().descendants(tenant.id).await
    })
    .await
}

fn sorted(tenants: &[&Tenant]) -> Vec<TenantId> {
    let mut ids: Vec<_> = tenants.iter().map(|tenant| tenant.id).collect();
    ids.sort();
    ids
}

pub(crate) async fn masters_follow_tenants_that_are_put(w: World) {
    let top = w.make.tenant("top");
    let middle = w.make.sub_tenant("middle", &top);
    let bottom = w.make.sub_tenant("bottom", &middle);
    let all = [&top, &middle, &bottom].map(|tenant| Row::Tenant(tenant.clone()));
    put(&w, Scope::Platform, &all).await;
    // Put again as they are, they change nothing.
    for _ in 0..2 {
        assert_eq!(above(&w, &bottom).await, [middle.id, top.id]);
        assert_eq!(above(&w, &middle).await, [top.id]);
        assert_eq!(above(&w, &top).await, []);
        assert_eq!(below(&w, &top).await, sorted(&[&middle, &bottom]));
        assert_eq!(below(&w, &middle).await, [bottom.id]);
        put(&w, Scope::Platform, &all).await;
    }
    let seen = w
        .read(&bottom, async |u| u.tenants().ancestors(bottom.id).await)
        .await;
    assert_eq!(seen, [middle, top], "a tenant sees its masters");
}

pub(crate) async fn masters_follow_a_tenant_that_is_put_below_another(w: World) {
    let [one, other] = [w.tenant("one").await, w.tenant("other").await];
    let middle = w.sub_tenant("middle", &one).await;
    let bottom = w.sub_tenant("bottom", &middle).await;
    let moved = Tenant {
        master: Some(other.id),
        version: 2,
        ..middle.clone()
    };
    put(&w, Scope::Platform, &[Row::Tenant(moved.clone())]).await;
    assert_eq!(above(&w, &bottom).await, [middle.id, other.id]);
    assert_eq!(above(&w, &middle).await, [other.id]);
    assert_eq!(below(&w, &one).await, []);
    assert_eq!(below(&w, &other).await, sorted(&[&middle, &bottom]));
    let seen = w
        .read(&bottom, async |u| u.tenants().ancestors(bottom.id).await)
        .await;
    assert_eq!(seen, [moved.clone(), other.clone()]);
    // To the top, and the other below it.
    let top = Tenant {
        master: None,
        version: 3,
        ..moved
    };
    let under = Tenant {
        master: Some(bottom.id),
        version: 2,
        ..other.clone()
    };
    let put_both = [Row::Tenant(top), Row::Tenant(under)];
    put(&w, Scope::Platform, &put_both).await;
    assert_eq!(above(&w, &other).await, [bottom.id, middle.id]);
    assert_eq!(above(&w, &middle).await, []);
    assert_eq!(below(&w, &middle).await, sorted(&[&bottom, &other]));
    let kind = w
        .refusal(Scope::Platform, async |u| {
            u.tenants().delete(bottom.id, bottom.version).await
        })
        .await;
    assert_eq!(kind, ErrorKind::Refused, "it has a sub-tenant now");
    w.write(Scope::Platform, async |u| {
        u.tenants().delete(other.id, 2).await?;
        u.tenants().delete(one.id, one.version).await
    })
    .await;
}

async fn refusal(w: &World, place: impl Place, row: Row) -> ErrorKind {
    let rows = [row];
    w.refusal(place, async |u| u.archive().put(&rows).await)
        .await
}

pub(crate) async fn a_taken_unique_key_is_not_put(w: World) {
    let twins = Twins::stored(&w).await;
    let before = twins.picture(&w).await;
    let (user, new, inside) = (&twins.user, &twins.new, &twins.one);
    let named = User {
        user_name: user.user_name.clone(),
        ..new.user.clone()
    };
    let addressed = User {
        email: user.email.clone(),
        email_verified: true,
        ..new.user.clone()
    };
    let record = Record {
        key: twins.record.key,
        ..new.record.clone()
    };
    let session = gatelodge_core::model::Session {
        token_hash: twins.other_session.token_hash,
        ..new.session.clone()
    };
    let called = Application {
        name: twins.application.name.clone(),
        ..new.application.clone()
    };
    let meant_for = Application {
        audience: twins.other_application.audience.clone(),
        ..new.application.clone()
    };
    for row in [
        Row::Application(called),
        Row::Application(meant_for),
        Row::User(named),
        Row::User(addressed),
        Row::Record(record),
        Row::Session(session),
    ] {
        let text = format!("{row:?}");
        let kind = refusal(&w, inside, row).await;
        assert_eq!(kind, ErrorKind::AlreadyExists, "{text}");
    }
    let tenant = Tenant {
        name: twins.one.name.clone(),
        ..new.tenant.clone()
    };
    let kind = refusal(&w, Scope::Platform, Row::Tenant(tenant)).await;
    assert_eq!(kind, ErrorKind::AlreadyExists);
    twins.assert_unchanged(&w, &before, "what is taken").await;
    let unverified = User {
        email: user.email.clone(),
        ..new.user.clone()
    };
    put(&w, inside, &[Row::User(unverified)]).await;
}

pub(crate) async fn a_broken_reference_is_not_put(w: World) {
    let twins = Twins::stored(&w).await;
    let before = twins.picture(&w).await;
    let new = &twins.new;
    let foreign = twins.foreign_user.id;
    let (grant, settings) = (Grant::TenantAdministrator, TenantSettings::default());
    let of_foreign = Record {
        user: Some(foreign),
        ..new.record.clone()
    };
    let of_nobody = Record {
        user: None,
        ..new.record.clone()
    };
    let of_nowhere = Application {
        tenant: new.tenant.id,
        ..new.application.clone()
    };
    let to_foreign = OutboxEntry {
        user: foreign,
        ..new.message.clone()
    };
    let settings = Row::Settings {
        settings,
        version: 1,
    };
    let below = Tenant {
        master: Some(TenantId::generate(w.make.environment())),
        ..new.tenant.clone()
    };
    let (one, nowhere) = (Scope::Tenant(twins.one.id), Scope::Tenant(new.tenant.id));
    let broken = [
        (one, Row::Record(of_foreign)),
        (one, Row::Message(to_foreign)),
        (
            one,
            Row::Grant {
                user: foreign,
                grant,
            },
        ),
        (nowhere, Row::Record(of_nobody)),
        (nowhere, Row::Application(of_nowhere)),
        (nowhere, Row::User(new.user.clone())),
        (nowhere, settings),
        (Scope::Platform, Row::Tenant(below)),
    ];
    for (scope, row) in broken {
        let text = format!("{row:?} in {scope:?}");
        let kind = refusal(&w, scope, row).await;
        assert_eq!(kind, ErrorKind::NotFound, "{text}");
    }
    twins.assert_unchanged(&w, &before, "what is broken").await;
}

pub(crate) async fn rows_are_removed_by_their_keys(w: World) {
    let acme = w.tenant("acme").await;
    let stock = Stock::made(&w, &acme);
    stock.store(&w).await;
    // What refers goes before what it refers to.
    let removable = |(_, kind, _): &&(Scope, RowKind, Vec<Row>)| *kind != RowKind::Event;
    for (scope, kind, stored) in stock.rows.iter().rev().filter(removable) {
        let mut left = rows(&w, *scope, *kind).await;
        for row in stored.iter().rev() {
            let key = row.key();
            w.write(*scope, async |u| {
                let keys = std::slice::from_ref(&key);
                u.archive().remove(*kind, keys).await
            })
            .await;
            left.retain(|row| row.key() != key);
            assert!(rows(&w, *scope, *kind).await == left, "{kind:?}");
        }
    }
    let tenants = rows(&w, Scope::Platform, RowKind::Tenant).await;
    assert!(tenants == [Row::Tenant(acme)]);
}

pub(crate) async fn removing_what_is_not_there_is_no_error(w: World) {
    let twins = Twins::stored(&w).await;
    let before = twins.picture(&w).await;
    let strange = Stock::made(&w, &twins.one);
    let nowhere = Scope::Tenant(TenantId::generate(w.make.environment()));
    for (scope, kind, rows) in &strange.rows {
        let keys = keys(rows);
        let scopes = if *scope == Scope::Platform {
            vec![*scope]
        } else {
            vec![*scope, nowhere]
        };
        for scope in scopes {
            // The settings of `one` are there; events are not removed anyway.
            if *kind == RowKind::Event || *kind == RowKind::Settings && scope != nowhere {
                continue;
            }
            w.write(scope, async |u| u.archive().remove(*kind, &keys).await)
                .await;
        }
    }
    twins.assert_unchanged(&w, &before, "what is absent").await;
    let absent = RowKey::Hash(TokenHash::of("nothing"));
    let there = RowKey::Hash(twins.flow.handle);
    w.write(Scope::Platform, async |u| {
        u.archive().remove(RowKind::Flow, &[absent, there]).await
    })
    .await;
    assert_eq!(rows(&w, Scope::Platform, RowKind::Flow).await.len(), 1);
}

pub(crate) async fn audit_events_stay_as_they_are(w: World) {
    let acme = w.tenant("acme").await;
    let stock = Stock::made(&w, &acme);
    stock.store(&w).await;
    for (scope, kind, stored) in &stock.rows {
        if *kind != RowKind::Event {
            continue;
        }
        let before = rows(&w, *scope, *kind).await;
        let Some(Row::Event(event)) = stored.first() else {
            panic!("the stock has events");
        };
        let other = Row::Event(gatelodge_core::model::AuditEvent {
            action: "nothing.happened".to_owned(),
            ..event.clone()
        });
        put(&w, *scope, &[other]).await;
        assert!(rows(&w, *scope, *kind).await == before, "{scope:?}");
        let key = RowKey::Id(event.id.as_uuid());
        let refused = w
            .refusal(*scope, async |u| {
                u.archive()
                    .remove(RowKind::Event, std::slice::from_ref(&key))
                    .await
            })
            .await;
        assert_eq!(refused, ErrorKind::Unsupported);
        assert!(rows(&w, *scope, *kind).await == before, "{scope:?}");
    }
}

pub(crate) async fn a_user_that_is_removed_takes_its_own_along(w: World) {
    let twins = Twins::stored(&w).await;
    let apart = Record {
        user: None,
        ..w.make.record(&provider("link"), None)
    };
    put(&w, &twins.one, &[Row::Record(apart.clone())]).await;
    let sessions = rows(&w, &twins.one, RowKind::Session).await;
    w.write(&twins.one, async |u| {
        let user = RowKey::Id(twins.user.id.as_uuid());
        u.archive().remove(RowKind::User, &[user]).await
    })
    .await;
    for kind in [RowKind::User, RowKind::Grant, RowKind::Message] {
        assert!(rows(&w, &twins.one, kind).await.is_empty(), "{kind:?}");
    }
    assert!(rows(&w, &twins.one, RowKind::Record).await == [Row::Record(apart)]);
    assert!(rows(&w, &twins.one, RowKind::Session).await == sessions);
    let other = rows(&w, &twins.other, RowKind::User).await;
    assert_eq!(other.len(), 2, "the twin of the same id stays");
}

pub(crate) async fn a_tenant_that_is_removed_takes_its_own_along(w: World) {
    let twins = Twins::stored(&w).await;
    let sessions = rows(&w, &twins.one, RowKind::Session).await;
    let events = rows(&w, &twins.one, RowKind::Event).await;
    w.write(Scope::Platform, async |u| {
        let tenant = RowKey::Id(twins.one.id.as_uuid());
        u.archive().remove(RowKind::Tenant, &[tenant]).await
    })
    .await;
    for kind in [
        RowKind::Settings,
        RowKind::Application,
        RowKind::User,
        RowKind::Grant,
        RowKind::Record,
        RowKind::Message,
    ] {
        assert!(rows(&w, &twins.one, kind).await.is_empty(), "{kind:?}");
    }
    assert!(rows(&w, &twins.one, RowKind::Session).await == sessions);
    assert!(rows(&w, &twins.one, RowKind::Event).await == events);
    assert_eq!(rows(&w, &twins.other, RowKind::User).await.len(), 2);
}

pub(crate) async fn a_tenant_with_sub_tenants_is_not_removed(w: World) {
    let acme = w.tenant("acme").await;
    let below = w.sub_tenant("below", &acme).await;
    let key = |tenant: &Tenant| RowKey::Id(tenant.id.as_uuid());
    let kind = w
        .refusal(Scope::Platform, async |u| {
            u.archive().remove(RowKind::Tenant, &[key(&acme)]).await
        })
        .await;
    assert_eq!(kind, ErrorKind::Refused);
    assert_eq!(above(&w, &below).await, [acme.id]);
    w.write(Scope::Platform, async |u| {
        let both = [key(&below), key(&acme)];
        u.archive().remove(RowKind::Tenant, &both).await
    })
    .await;
    assert!(rows(&w, Scope::Platform, RowKind::Tenant).await.is_empty());
}
