//! Snapshots, and rows as they are read from the archive.

use std::collections::BTreeSet;

use gatelodge_core::{
    ErrorKind,
    model::{Grant, Tenant, TenantId, User},
    storage::{Mode, OutboxEntry, Page, Row, RowKey, RowKind, Scope, Snapshot},
};

use crate::{
    rows::{Stock, keys, rows},
    twins::Twins,
    world::World,
};

/// All rows of a kind that a snapshot sees in a scope.
async fn seen(snapshot: &mut dyn Snapshot, scope: Scope, kind: RowKind) -> Vec<Row> {
    let unit = snapshot.scope(scope).await.expect("a scope is opened");
    assert_eq!(unit.scope(), scope);
    let rows = unit.archive().rows(kind, None, 1_000).await;
    rows.expect("a snapshot is read")
}

/// Everything that a snapshot sees of these tenants and the platform, in turn.
async fn everything(snapshot: &mut dyn Snapshot, tenants: &[TenantId]) -> Vec<Vec<Row>> {
    let mut all = Vec::new();
    for kind in RowKind::PLATFORM {
        all.push(seen(snapshot, Scope::Platform, kind).await);
        for tenant in tenants {
            for kind in RowKind::TENANT {
                all.push(seen(snapshot, Scope::Tenant(*tenant), kind).await);
            }
        }
    }
    all
}

/// Changes something of every kind that can be told from outside.
async fn change(w: &World, twins: &Twins) {
    w.write(Scope::Platform, async |u| {
        u.tenants().create(&twins.new.tenant).await?;
        u.flows().delete(&twins.flow.handle).await?;
        u.limits().clear(&twins.key).await?;
        u.installation().put(&twins.new.name, b"new", 0).await?;
        Ok(())
    })
    .await;
    w.write(&twins.one, async |u| {
        u.users().create(&twins.new.user).await?;
        u.sessions().end(twins.session.id, twins.end()).await?;
        u.audit().append(&twins.new.event).await
    })
    .await;
    w.write(&twins.other, async |u| {
        let user = &twins.foreign_user;
        u.users().delete(user.id, user.version).await
    })
    .await;
}

pub(crate) async fn a_snapshot_sees_one_state_in_every_scope(w: World) {
    let twins = Twins::stored(&w).await;
    let tenants = [twins.one.id, twins.other.id, twins.new.tenant.id];
    let mut expected = w.storage.snapshot().await.unwrap();
    let expected = everything(expected.as_mut(), &tenants).await;
    let mut snapshot = w.storage.snapshot().await.unwrap();
    seen(snapshot.as_mut(), Scope::Platform, RowKind::Tenant).await;
    change(&w, &twins).await;
    let found = everything(snapshot.as_mut(), &tenants).await;
    assert!(found == expected, "later commits are not in a snapshot");
    let mut later = w.storage.snapshot().await.unwrap();
    let later = everything(later.as_mut(), &tenants).await;
    assert!(later != expected, "a later snapshot sees them");
}

pub(crate) async fn a_snapshot_is_read_while_others_commit(w: World) {
    let acme = w.tenant("acme").await;
    let other = w.tenant("other").await;
    let tenants = [&acme, &other];
    let mut snapshot = w.storage.snapshot().await.unwrap();
    for round in 0..5 {
        for tenant in tenants {
            let scope = Scope::Tenant(tenant.id);
            let users = seen(snapshot.as_mut(), scope, RowKind::User).await;
            assert!(users.is_empty(), "in round {round}");
            let user = w.make.user(&format!("user {round}"));
            w.write(tenant, async |u| u.users().create(&user).await)
                .await;
        }
        let found = seen(snapshot.as_mut(), Scope::Platform, RowKind::Tenant).await;
        assert_eq!(found.len(), 2, "in round {round}");
        w.tenant(&format!("tenant {round}")).await;
    }
    drop(snapshot);
    assert_eq!(rows(&w, &acme, RowKind::User).await.len(), 5);
}

pub(crate) async fn a_snapshot_only_reads(w: World) {
    let twins = Twins::stored(&w).await;
    let before = twins.picture(&w).await;
    for scope in [Scope::Platform, Scope::Tenant(twins.one.id)] {
        let mut snapshot = w.storage.snapshot().await.unwrap();
        let unit = snapshot.scope(scope).await.unwrap();
        let put = unit.flows().create(&twins.new.flow).await;
        assert_eq!(put.unwrap_err().kind(), ErrorKind::Unsupported);
    }
    twins.assert_unchanged(&w, &before, "a snapshot").await;
}

pub(crate) async fn rows_are_what_the_repositories_stored(w: World) {
    let twins = Twins::stored(&w).await;
    let found = rows(&w, &twins.one, RowKind::User).await;
    assert!(found == [Row::User(twins.user.clone())]);
    let mut records = [&twins.record, &twins.expired].map(|r| Row::Record(r.clone()));
    records.sort_by_key(Row::key);
    assert!(rows(&w, &twins.one, RowKind::Record).await == records);
    let mut messages = [&twins.message, &twins.expired_message].map(|m| Row::Message(m.clone()));
    messages.sort_by_key(Row::key);
    assert!(rows(&w, &twins.one, RowKind::Message).await == messages);
    let mut sessions = [&twins.session, &twins.stale].map(|s| Row::Session(s.clone()));
    sessions.sort_by_key(Row::key);
    assert!(rows(&w, &twins.one, RowKind::Session).await == sessions);
    let grant = Row::Grant {
        user: twins.user.id,
        grant: Grant::TenantAdministrator,
    };
    assert!(rows(&w, &twins.one, RowKind::Grant).await == [grant]);
    let event = Row::Event(twins.event.clone());
    assert!(rows(&w, &twins.one, RowKind::Event).await == [event]);
    let (settings, version) = w
        .read(&twins.one, async |u| {
            u.tenants().settings(twins.one.id).await
        })
        .await;
    let settings = Row::Settings { settings, version };
    assert!(rows(&w, &twins.one, RowKind::Settings).await == [settings]);
    let mut tenants = [&twins.one, &twins.other].map(|t| Row::Tenant(t.clone()));
    tenants.sort_by_key(Row::key);
    assert!(rows(&w, Scope::Platform, RowKind::Tenant).await == tenants);
    let mut flows = [&twins.flow, &twins.expired_flow].map(|f| Row::Flow(f.clone()));
    flows.sort_by_key(Row::key);
    assert!(rows(&w, Scope::Platform, RowKind::Flow).await == flows);
    let values = [RowKey::Name(twins.name.clone())];
    assert_eq!(
        keys(&rows(&w, Scope::Platform, RowKind::Value).await),
        values
    );
    assert_eq!(rows(&w, Scope::Platform, RowKind::Limit).await.len(), 2);
    assert_eq!(rows(&w, Scope::Platform, RowKind::Event).await.len(), 0);
}

pub(crate) async fn a_kind_of_another_scope_is_refused(w: World) {
    let twins = Twins::stored(&w).await;
    let before = twins.picture(&w).await;
    let stock = Stock::made(&w, &twins.one);
    let inside = Scope::Tenant(twins.one.id);
    let foreign = [
        (inside, RowKind::PLATFORM.to_vec()),
        (Scope::Platform, RowKind::TENANT.to_vec()),
    ];
    for (scope, kinds) in foreign {
        for kind in kinds.into_iter().filter(|kind| !kind.is_in(scope)) {
            let row = stock.one(kind);
            let key = row.key();
            let refusals = [
                w.refusal(scope, async |u| u.archive().rows(kind, None, 9).await)
                    .await,
                w.refusal(scope, async |u| u.archive().put(&[row]).await)
                    .await,
                w.refusal(scope, async |u| u.archive().remove(kind, &[key]).await)
                    .await,
            ];
            assert_eq!(refusals, [ErrorKind::Unsupported; 3], "{kind:?}");
        }
    }
    twins.assert_unchanged(&w, &before, "a refused kind").await;
}

/// Reads a kind in pieces of several sizes; answers the whole.
async fn in_pieces(w: &World, scope: Scope, kind: RowKind) -> Vec<Row> {
    let whole = rows(w, scope, kind).await;
    for limit in [0, 1, 2, 3, 7] {
        let mut pieces = Vec::new();
        let mut after = None;
        loop {
            let piece = w
                .read(scope, async |u| {
                    u.archive().rows(kind, after.as_ref(), limit).await
                })
                .await;
            assert!(piece.len() <= limit as usize, "a piece of {kind:?}");
            let Some(last) = piece.last() else { break };
            after = Some(last.key());
            pieces.extend(piece);
            assert!(pieces.len() <= whole.len(), "no {kind:?} comes twice");
        }
        if limit > 0 {
            assert!(pieces == whole, "pieces of {limit} of {kind:?}");
        }
    }
    whole
}

pub(crate) async fn pieces_of_rows_make_up_the_whole(w: World) {
    let acme = w.tenant("acme").await;
    let stock = Stock::made(&w, &acme);
    stock.store(&w).await;
    let more = Stock::made(&w, &acme);
    more.store(&w).await;
    for scope in [Scope::Platform, Scope::Tenant(acme.id)] {
        for kind in RowKind::PLATFORM.into_iter().chain(RowKind::TENANT) {
            if !kind.is_in(scope) {
                continue;
            }
            let whole = in_pieces(&w, scope, kind).await;
            let keys = keys(&whole);
            assert!(keys.is_sorted(), "{kind:?} is sorted by key");
            let different: BTreeSet<_> = keys.iter().collect();
            assert_eq!(different.len(), keys.len(), "{kind:?} has unique keys");
            let least = if kind == RowKind::Settings { 1 } else { 2 };
            assert!(whole.len() >= least, "there are rows of {kind:?}");
        }
    }
}

pub(crate) async fn a_page_may_end_between_two_grants_of_a_user(w: World) {
    let acme = w.tenant("acme").await;
    let mut users = ["ada", "bob", "cleo"].map(|name| w.make.user(name));
    users.sort_by_key(|user| user.id);
    w.write(&acme, async |u| {
        for user in &users {
            u.users().create(user).await?;
            for grant in Grant::ALL {
                u.users().set_grant(user.id, grant, true).await?;
            }
        }
        Ok(())
    })
    .await;
    let expected: Vec<_> = users
        .iter()
        .flat_map(|user| Grant::ALL.map(|grant| (user.id, grant)))
        .map(|(user, grant)| Row::Grant { user, grant })
        .collect();
    let found = in_pieces(&w, Scope::Tenant(acme.id), RowKind::Grant).await;
    assert!(found == expected, "grants are sorted by user and name");
}

pub(crate) async fn names_are_sorted_by_their_bytes(w: World) {
    let names = [
        "aB", "a-b", "a_b", "ab", "é", "A", "a", "Z", "aa", "a b", "ß", "e\u{301}",
    ];
    w.write(Scope::Platform, async |u| {
        for name in names {
            u.installation().put(name, name.as_bytes(), 0).await?;
        }
        Ok(())
    })
    .await;
    let mut expected = names.map(|name| RowKey::Name(name.to_owned()));
    expected.sort();
    let found = in_pieces(&w, Scope::Platform, RowKind::Value).await;
    assert_eq!(keys(&found), expected);
}

pub(crate) async fn tenants_of_which_there_is_any_row_are_listed(w: World) {
    let there = w.tenant("there").await;
    let [session, event, nothing] = [
        w.tenant("left a session").await,
        w.tenant("left an event").await,
        w.tenant("left nothing").await,
    ];
    let ada = w.make.user("ada");
    let session_row = w.make.session(&session, &ada);
    w.write(&session, async |u| u.sessions().create(&session_row).await)
        .await;
    let event_row = w.make.audit_event(Some(event.id), "user.lock");
    w.write(&event, async |u| u.audit().append(&event_row).await)
        .await;
    let of_platform = w.make.audit_event(None, "tenant.delete");
    w.write(Scope::Platform, async |u| {
        for tenant in [&session, &event, &nothing] {
            u.tenants().delete(tenant.id, tenant.version).await?;
        }
        u.audit().append(&of_platform).await
    })
    .await;
    let mut expected = [there.id, session.id, event.id];
    expected.sort();
    let found = crate::world::paged(
        |id: &TenantId| *id,
        async |page: Page<TenantId>| {
            w.read(Scope::Platform, async |u| u.archive().tenants(page).await)
                .await
        },
    )
    .await;
    assert_eq!(found, expected);
    assert!(rows(&w, &session, RowKind::Session).await == [Row::Session(session_row)]);
    assert!(rows(&w, &event, RowKind::Event).await == [Row::Event(event_row)]);
}

pub(crate) async fn another_tenants_rows_are_not_there(w: World) {
    let twins = Twins::stored(&w).await;
    let foreign = [
        (RowKind::User, RowKey::Id(twins.foreign_user.id.as_uuid())),
        (
            RowKind::Record,
            RowKey::Id(twins.foreign_record.id.as_uuid()),
        ),
        (
            RowKind::Message,
            RowKey::Id(twins.foreign_message.id.as_uuid()),
        ),
        (
            RowKind::Session,
            RowKey::Id(twins.foreign_session.id.as_uuid()),
        ),
    ];
    for (kind, key) in &foreign {
        let found = keys(&rows(&w, &twins.one, *kind).await);
        assert!(!found.is_empty() && !found.contains(key), "{kind:?}");
        let found = keys(&rows(&w, &twins.other, *kind).await);
        assert!(found.contains(key), "{kind:?}");
    }
    let grants = rows(&w, &twins.one, RowKind::Grant).await;
    assert_eq!(grants.len(), 1);
    assert_eq!(rows(&w, &twins.one, RowKind::Event).await.len(), 1);
    let limit = |row: &Row| match row {
        Row::Settings { settings, .. } => settings.session.limit,
        _ => None,
    };
    let settings = rows(&w, &twins.one, RowKind::Settings).await;
    assert_eq!(settings.iter().map(limit).collect::<Vec<_>>(), [Some(1)]);
    let before = twins.picture(&w).await;
    w.write(&twins.one, async |u| {
        for (kind, key) in &foreign {
            let keys = std::slice::from_ref(key);
            u.archive().remove(*kind, keys).await?;
        }
        Ok(())
    })
    .await;
    twins.assert_unchanged(&w, &before, "another tenant").await;
    let nowhere = TenantId::generate(w.make.environment());
    for kind in RowKind::TENANT {
        assert!(rows(&w, nowhere, kind).await.is_empty(), "{kind:?}");
    }
}

/// Another tenant than `one` cannot slip in by a row that names it.
pub(crate) async fn a_row_of_another_tenant_is_not_put(w: World) {
    let twins = Twins::stored(&w).await;
    let before = twins.picture(&w).await;
    let session = gatelodge_core::model::Session {
        tenant: twins.other.id,
        ..twins.new.session.clone()
    };
    let message = OutboxEntry {
        tenant: twins.other.id,
        ..twins.new.message.clone()
    };
    let of = |tenant| {
        Row::Event(gatelodge_core::model::AuditEvent {
            tenant,
            ..twins.new.event.clone()
        })
    };
    let inside = Scope::Tenant(twins.one.id);
    let wrong = [
        (inside, Row::Message(message)),
        (inside, Row::Session(session)),
        (inside, of(Some(twins.other.id))),
        (inside, of(None)),
        (Scope::Platform, of(Some(twins.one.id))),
    ];
    for (scope, row) in wrong {
        let kind = w
            .refusal(scope, async |u| {
                u.archive().put(std::slice::from_ref(&row)).await
            })
            .await;
        assert_eq!(kind, ErrorKind::Invalid, "{row:?} in {scope:?}");
    }
    twins.assert_unchanged(&w, &before, "another tenant").await;
}

/// A read unit of the archive sees what its own unit put before.
pub(crate) async fn a_unit_sees_the_rows_that_it_put(w: World) {
    let tenant: Tenant = w.make.tenant("acme");
    let user: User = w.make.user("ada");
    let mut unit = w.begin(Scope::Platform, Mode::Write).await;
    let put = [Row::Tenant(tenant.clone())];
    unit.archive().put(&put).await.unwrap();
    let found = unit.archive().rows(RowKind::Tenant, None, 9).await.unwrap();
    assert!(found == put);
    unit.enter(tenant.id).await.unwrap();
    let put = [Row::User(user.clone())];
    unit.archive().put(&put).await.unwrap();
    let found = unit.archive().rows(RowKind::User, None, 9).await.unwrap();
    assert!(found == put);
    assert_eq!(unit.users().by_id(user.id).await.unwrap(), Some(user));
    unit.commit().await.unwrap();
}
