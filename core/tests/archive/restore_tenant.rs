//! One tenant brought back.

use gatelodge_core::{
    ErrorKind, Result,
    archive::{CopyOptions, RestoreTenant, Restored, What, copy, ensure_whole, restore_tenant},
    model::{EndReason, Grant, Tenant, TenantId, User},
    service::TenantRef,
    storage::{Change, Changed, FeedEvent, Mode, Page, Row, RowKind, Scope, Storage},
};

use gatelodge_storage_suite::memory::MemoryStorage;

use super::{
    backup::backup,
    copy::options,
    failing::{Failing, Fails},
    installation::{Dump, Installation, assert_same, dump, rotate, rows_of},
    quiet,
    restore::expected,
};
use crate::support::kind;

async fn restore_into(
    storage: &dyn Storage,
    source: &Installation,
    backup: &Vec<u8>,
    which: &RestoreTenant,
) -> Result<Restored> {
    let environment = source.make.environment();
    restore_tenant(backup, storage, environment, which, &mut quiet()).await
}

async fn restore(
    source: &Installation,
    backup: &Vec<u8>,
    which: &RestoreTenant,
) -> Result<Restored> {
    restore_into(&source.storage, source, backup, which).await
}

fn named(name: &str) -> RestoreTenant {
    RestoreTenant {
        tenant: Some(TenantRef::parse(name)),
        replace: false,
    }
}

fn replacing() -> RestoreTenant {
    RestoreTenant {
        tenant: None,
        replace: true,
    }
}

async fn delete(source: &Installation, tenant: &Tenant) {
    source
        .write(Scope::Platform, async |u| {
            u.tenants().delete(tenant.id, tenant.version).await
        })
        .await;
}

/// The rows of one kind in a tenant.
async fn rows(source: &Installation, tenant: &Tenant, kind: RowKind) -> Vec<Row> {
    let dump = dump(&source.storage).await;
    rows_of(&dump, Scope::Tenant(tenant.id), kind).to_vec()
}

async fn users(source: &Installation, tenant: &Tenant) -> Vec<User> {
    let mut unit = source
        .storage
        .begin(Scope::Tenant(tenant.id), Mode::Read)
        .await
        .unwrap();
    unit.users().list(None, Page::first(99)).await.unwrap()
}

/// Sees everything unchanged after a refusal that has these words.
async fn refused(source: &Installation, backup: &Vec<u8>, which: &RestoreTenant, words: &str) {
    let before = dump(&source.storage).await;
    let error = restore(source, backup, which).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains(words), "{error}");
    assert_same(&dump(&source.storage).await, &before, words);
}

#[tokio::test]
async fn a_deleted_tenant_comes_back_out_of_either_backup() {
    for is_whole in [false, true] {
        let source = Installation::new().await;
        let other = source.other.clone();
        let before = dump(&source.storage).await;
        let what = if is_whole {
            What::Whole
        } else {
            What::Tenant(other.id)
        };
        let text = backup(&source, what).await;
        delete(&source, &other).await;
        let which = if is_whole {
            named("OTHER")
        } else {
            RestoreTenant::default()
        };
        let restored = restore(&source, &text, &which).await.unwrap();
        let scope = Scope::Tenant(other.id);
        let wanted = expected(&before, &source.make);
        let found = dump(&source.storage).await;
        for kind in [RowKind::Settings, RowKind::User, RowKind::Record] {
            assert!(
                rows_of(&found, scope, kind) == rows_of(&wanted, scope, kind),
                "{kind:?}"
            );
        }
        let grants = rows_of(&found, scope, RowKind::Grant);
        assert_eq!(
            grants.len(),
            8,
            "all but that of the platform's administrator"
        );
        let events = rows_of(&found, scope, RowKind::Event);
        let recorded = events
            .iter()
            .filter(|row| matches!(row, Row::Event(event) if event.action == "backup.restore"));
        assert_eq!((events.len(), recorded.count()), (9, 1));
        // Records that expire, one grant; what the deleted tenant left.
        assert_eq!(restored.left_out, 8 + 1 + 16 + 8);
        assert_eq!(restored.sessions_ended, 8);
        let tenants = rows_of(&found, Scope::Platform, RowKind::Tenant);
        let back = Tenant {
            version: 2,
            ..other
        };
        assert!(tenants.contains(&Row::Tenant(back)));
        // Nothing else has changed.
        let apart = |dump: &Dump| -> Dump {
            let others = dump.iter().filter(|(s, kind, _)| {
                *s != scope && (*s, *kind) != (Scope::Platform, RowKind::Tenant)
            });
            others.cloned().collect()
        };
        assert_same(&apart(&found), &apart(&before), "other tenants");
    }
}

#[tokio::test]
async fn a_tenant_that_is_there_is_replaced_only_when_asked_for() {
    let source = Installation::new().await;
    let text = backup(&source, What::Tenant(source.other.id)).await;
    refused(&source, &text, &RestoreTenant::default(), "is there").await;
    let scope = Scope::Tenant(source.other.id);
    let (ada, late) = (&source.users[0], source.make.user("late"));
    source
        .write(scope, async |u| {
            let changed = User {
                credential_epoch: 41,
                version: ada.version,
                ..ada.clone()
            };
            u.users().update(&changed).await?;
            u.users().create(&late).await?;
            let record = source.record(Some(&late), false);
            u.records().create(&record).await?;
            let session = source.make.session(&source.other, &late);
            u.sessions().create(&session).await?;
            let event = source
                .make
                .audit_event(Some(source.other.id), "user.update");
            u.audit().append(&event).await
        })
        .await;
    let restored = restore(&source, &text, &replacing()).await.unwrap();
    let found = users(&source, &source.other).await;
    assert_eq!(found.len(), 8, "whoever came later is gone");
    let ada = found.iter().find(|user| user.id == ada.id).unwrap();
    assert_eq!(
        ada.credential_epoch, 42,
        "what was bound to 41 no longer counts"
    );
    assert_eq!(ada.version, 3);
    let records = rows(&source, &source.other, RowKind::Record).await;
    assert_eq!(records.len(), 9);
    let events = rows(&source, &source.other, RowKind::Event).await;
    assert_eq!(events.len(), 8 + 1 + 1, "the log only grows");
    let sessions = rows(&source, &source.other, RowKind::Session).await;
    assert_eq!(sessions.len(), 17);
    let open = sessions
        .iter()
        .filter(|row| matches!(row, Row::Session(session) if session.ended.is_none()));
    assert_eq!(open.count(), 0);
    assert_eq!(restored.sessions_ended, 9);
}

#[tokio::test]
async fn an_ended_session_keeps_its_end() {
    let source = Installation::new().await;
    let text = backup(&source, What::Tenant(source.acme.id)).await;
    let at = source.make.at(7);
    let reason = EndReason::SignedOut;
    source
        .write(source.inside(), async |u| {
            let end = gatelodge_core::model::SessionEnd { at, reason };
            u.sessions().end(source.session.id, end).await
        })
        .await;
    restore(&source, &text, &replacing()).await.unwrap();
    let sessions = rows(&source, &source.acme, RowKind::Session).await;
    let end = sessions.iter().find_map(|row| match row {
        Row::Session(session) if session.id == source.session.id => session.ended,
        _ => None,
    });
    assert_eq!(end.unwrap().reason, reason);
}

#[tokio::test]
async fn nobody_becomes_administrator_of_the_platform_by_a_restore() {
    let source = Installation::new().await;
    let text = backup(&source, What::Tenant(source.acme.id)).await;
    let holds = async || {
        let grants = rows(&source, &source.acme, RowKind::Grant).await;
        let all = grants.into_iter().filter_map(|row| match row {
            Row::Grant {
                user,
                grant: Grant::PlatformAdministrator,
            } => Some(user),
            _ => None,
        });
        all.collect::<Vec<_>>()
    };
    let ada = source.users[0].id;
    restore(&source, &text, &replacing()).await.unwrap();
    assert_eq!(holds().await, [ada], "whoever is one stays one");
    source
        .write(source.inside(), async |u| {
            u.users()
                .set_grant(ada, Grant::PlatformAdministrator, false)
                .await
        })
        .await;
    restore(&source, &text, &replacing()).await.unwrap();
    assert_eq!(holds().await, []);
}

#[tokio::test]
async fn a_tenant_with_sub_tenants_is_replaced_above_them() {
    let source = Installation::new().await;
    let text = backup(&source, What::Tenant(source.acme.id)).await;
    restore(&source, &text, &replacing()).await.unwrap();
    let mut unit = source
        .storage
        .begin(Scope::Platform, Mode::Read)
        .await
        .unwrap();
    let masters = unit.tenants().ancestors(source.bottom.id).await.unwrap();
    let masters: Vec<_> = masters.iter().map(|master| master.id).collect();
    assert_eq!(masters, [source.middle.id, source.acme.id]);
    assert_eq!(users(&source, &source.bottom).await.len(), 8);
}

#[tokio::test]
async fn a_name_that_another_tenant_has_is_not_taken() {
    let source = Installation::new().await;
    let text = backup(&source, What::Tenant(source.other.id)).await;
    delete(&source, &source.other).await;
    let again = source.make.tenant("Other");
    source
        .write(Scope::Platform, async |u| u.tenants().create(&again).await)
        .await;
    for which in [RestoreTenant::default(), replacing()] {
        refused(&source, &text, &which, "another tenant is called").await;
    }
}

#[tokio::test]
async fn an_audience_that_another_tenants_application_has_is_not_taken() {
    let source = Installation::new().await;
    let text = backup(&source, What::Tenant(source.other.id)).await;
    let lost = rows(&source, &source.other, RowKind::Application).await;
    let Row::Application(lost) = &lost[0] else {
        panic!("an application");
    };
    delete(&source, &source.other).await;
    let taken = gatelodge_core::model::Application {
        audience: lost.audience.clone(),
        ..source.make.application(&source.acme, "taken")
    };
    source
        .write(source.inside(), async |u| {
            u.applications().create(&taken).await
        })
        .await;
    for which in [RestoreTenant::default(), replacing()] {
        refused(&source, &text, &which, "has the audience").await;
    }
}

#[tokio::test]
async fn a_master_has_to_be_there_and_above() {
    let source = Installation::new().await;
    let text = backup(&source, What::Tenant(source.bottom.id)).await;
    let middle = backup(&source, What::Tenant(source.middle.id)).await;
    delete(&source, &source.bottom).await;
    delete(&source, &source.middle).await;
    refused(&source, &text, &RestoreTenant::default(), "master").await;
    restore(&source, &middle, &RestoreTenant::default())
        .await
        .unwrap();
    restore(&source, &text, &RestoreTenant::default())
        .await
        .unwrap();
    // Upside down, as it is now.
    source
        .write(Scope::Platform, async |u| {
            let below = |tenant: &Tenant, master: Option<TenantId>| {
                Row::Tenant(Tenant {
                    master,
                    ..tenant.clone()
                })
            };
            let rows = [
                below(&source.bottom, None),
                below(&source.middle, Some(source.bottom.id)),
            ];
            u.archive().put(&rows).await
        })
        .await;
    refused(&source, &text, &replacing(), "is below the tenant now").await;
}

#[tokio::test]
async fn a_backup_of_another_installation_is_refused() {
    let source = Installation::new().await;
    let other = Installation::seeded(2).await;
    let text = backup(&other, What::Tenant(other.other.id)).await;
    refused(
        &source,
        &text,
        &RestoreTenant::default(),
        "another installation",
    )
    .await;
}

#[tokio::test]
async fn a_backup_outlives_the_rotation_of_keys_but_not_their_loss() {
    let source = Installation::new().await;
    let before = backup(&source, What::Tenant(source.other.id)).await;
    let ring = rows_of(
        &dump(&source.storage).await,
        Scope::Platform,
        RowKind::Value,
    )
    .iter()
    .find(|row| matches!(row, Row::Value { name, .. } if name == "data_keys"))
    .cloned()
    .unwrap();
    rotate(&source.storage, &source.make).await;
    let after = backup(&source, What::Tenant(source.other.id)).await;
    restore(&source, &before, &replacing()).await.unwrap();
    source
        .write(Scope::Platform, async |u| {
            u.archive().put(std::slice::from_ref(&ring)).await
        })
        .await;
    refused(&source, &after, &replacing(), "data keys").await;
}

#[tokio::test]
async fn a_tenant_that_the_backup_does_not_have_is_refused() {
    let source = Installation::new().await;
    let whole = backup(&source, What::Whole).await;
    let of_other = backup(&source, What::Tenant(source.other.id)).await;
    refused(&source, &whole, &named("nowhere"), "no such tenant").await;
    refused(&source, &whole, &named("gone"), "no such tenant").await;
    refused(&source, &whole, &RestoreTenant::default(), "name one").await;
    refused(&source, &of_other, &named("acme"), "no such tenant").await;
    let mut cut = whole.clone();
    cut.pop();
    refused(&source, &cut, &named("other"), "cut off").await;
}

#[tokio::test]
async fn a_tenant_is_restored_in_one_unit_or_not_at_all() {
    let source = Installation::new().await;
    let text = backup(&source, What::Tenant(source.acme.id)).await;
    let before = dump(&source.storage).await;
    for fails in [Fails::AtBegin, Fails::AtCommit] {
        let failing = Failing::new(&source.storage, 0, fails);
        let result = restore_into(&failing, &source, &text, &replacing()).await;
        assert_eq!(kind(result), ErrorKind::Unavailable);
        assert_same(&dump(&source.storage).await, &before, "a failed restore");
    }
    let counting = Failing::never(&source.storage);
    restore_into(&counting, &source, &text, &replacing())
        .await
        .unwrap();
    assert_eq!(counting.begun(), 1);
    ensure_whole(&source.storage).await.unwrap();
}

#[tokio::test]
async fn no_tenant_is_restored_into_an_unfinished_copy() {
    let source = Installation::new().await;
    let text = backup(&source, What::Tenant(source.other.id)).await;
    let half = MemoryStorage::new();
    let more = CopyOptions {
        more_to_come: true,
        ..options(200)
    };
    copy(&source.storage, &half, &more, &mut quiet())
        .await
        .unwrap();
    let before = dump(&half).await;
    let result = restore_into(&half, &source, &text, &replacing()).await;
    assert_eq!(kind(result), ErrorKind::Refused);
    assert_same(&dump(&half).await, &before, "an unfinished copy");
}

#[tokio::test]
async fn other_nodes_are_told_of_a_restored_tenant() {
    let source = Installation::new().await;
    let text = backup(&source, What::Tenant(source.acme.id)).await;
    let mut feed = source.storage.changes().await.unwrap();
    restore(&source, &text, &replacing()).await.unwrap();
    let change = Change {
        tenant: source.acme.id,
        what: Changed::Tenant,
    };
    loop {
        match feed.next().await.unwrap() {
            FeedEvent::Changes(changes) => {
                assert_eq!(changes, [change]);
                break;
            }
            other => assert_eq!(other, FeedEvent::Confirmed),
        }
    }
}
