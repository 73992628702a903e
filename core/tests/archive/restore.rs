//! Installations made of backups.

use std::sync::Arc;

use gatelodge_core::{
    ErrorKind, Result,
    archive::{
        BackupBytes, BackupFile, Restored, What, copy, ensure_whole, restore_whole, write_backup,
    },
    model::{Actor, AuditEvent, EndReason, Session, SessionEnd, User},
    service::FirstAdministrator,
    storage::{Record, Row, RowKind, Scope, Storage},
};
use gatelodge_storage_suite::{fixtures::Fixtures, memory::MemoryStorage};

use super::{
    backup::backup,
    copy::options,
    failing::{Failing, Fails},
    installation::{Dump, Installation, assert_same, dump, rows_of, write},
    quiet,
};
use crate::support::{Browser, World, kind};

/// As a restore leaves it: all that was stored, but for what could let anybody in.
pub(super) fn expected(dump: &Dump, make: &Fixtures) -> Dump {
    let mut expected = Dump::new();
    for (scope, kind, rows) in dump {
        if [RowKind::Flow, RowKind::Limit, RowKind::Message].contains(kind) {
            continue;
        }
        let rows = rows.iter().filter_map(|row| restored(row, make));
        expected.push((*scope, *kind, rows.collect()));
    }
    expected
}

fn restored(row: &Row, make: &Fixtures) -> Option<Row> {
    match row.clone() {
        Row::Record(Record {
            expires_at: Some(_),
            ..
        }) => None,
        Row::User(user) => Some(Row::User(User {
            credential_epoch: user.credential_epoch + 1,
            version: user.version + 1,
            ..user
        })),
        Row::Session(session) if session.ended.is_none() => {
            let (at, reason) = (make.now(), EndReason::Restored);
            let ended = Some(SessionEnd { at, reason });
            Some(Row::Session(Session { ended, ..session }))
        }
        other => Some(other),
    }
}

async fn restore(backup: &Vec<u8>, storage: &dyn Storage, make: &Fixtures) -> Result<Restored> {
    restore_whole(backup, storage, make.environment(), &mut quiet()).await
}

/// Takes the entry that records the restore out of the platform's log.
fn without_entry(mut dump: Dump) -> (Dump, AuditEvent) {
    let log = |(scope, kind, _): &&mut (Scope, RowKind, Vec<Row>)| {
        (*scope, *kind) == (Scope::Platform, RowKind::Event)
    };
    let (_, _, events) = dump.iter_mut().find(log).expect("there is a log");
    let is_entry = |row: &Row| matches!(row, Row::Event(e) if e.action == "backup.restore");
    let place = events.iter().position(is_entry).expect("it is recorded");
    let Row::Event(entry) = events.remove(place) else {
        panic!("it is an event");
    };
    (dump, entry)
}

#[tokio::test]
async fn a_restored_installation_holds_what_the_backup_holds() {
    let source = Installation::new().await;
    let text = backup(&source, What::Whole).await;
    let target = MemoryStorage::new();
    let restored = restore(&text, &target, &source.make).await.unwrap();
    let (found, entry) = without_entry(dump(&target).await);
    let wanted = expected(&dump(&source.storage).await, &source.make);
    assert_same(&found, &wanted, "after a restore");
    ensure_whole(&target).await.unwrap();
    assert_eq!(restored.left_out, 24, "records that expire");
    assert_eq!(restored.sessions_ended, 26);
    assert_eq!(restored.rows[&RowKind::User], 24);
    assert_eq!((entry.tenant, entry.actor), (None, Actor::Operator));
    let number = |field: &str| {
        let change = entry.changes.iter().find(|change| change.field == field);
        change.and_then(|change| change.new.clone()).unwrap()
    };
    assert_eq!(number("user"), "24");
    assert_eq!(number("left_out"), "24");
    assert_eq!(number("made_at"), source.make.now().to_string());
}

#[tokio::test]
async fn a_session_that_had_timed_out_ends_when_it_did() {
    let source = Installation::new().await;
    let ends_at = source.session.ends_at();
    let late = gatelodge_core::environment::later(ends_at, std::time::Duration::from_secs(9));
    let mut text = Vec::new();
    write_backup(&source.storage, What::Whole, late, &mut text, &mut quiet())
        .await
        .unwrap();
    let target = MemoryStorage::new();
    restore(&text, &target, &source.make).await.unwrap();
    let dump = dump(&target).await;
    let ended = rows_of(&dump, source.inside(), RowKind::Session)
        .iter()
        .find_map(|row| match row {
            Row::Session(session) if session.id == source.session.id => session.ended,
            _ => None,
        });
    let (at, reason) = (ends_at, EndReason::TimedOut);
    assert_eq!(ended, Some(SessionEnd { at, reason }));
}

#[tokio::test]
async fn a_restore_interrupted_at_any_unit_is_begun_again() {
    let source = Installation::new().await;
    let text = backup(&source, What::Whole).await;
    let wanted = expected(&dump(&source.storage).await, &source.make);
    let other = Installation::seeded(2).await;
    let other_text = backup(&other, What::Whole).await;
    for fails in Fails::ALL {
        for left in 0.. {
            let target = MemoryStorage::new();
            let failing = Failing::new(&target, left, fails);
            let result = restore(&text, &failing, &source.make).await;
            if result.is_ok() {
                assert!(left > 20, "there are many units");
                break;
            }
            assert_eq!(kind(result), ErrorKind::Unavailable);
            let is_begun = left > 0 || fails == Fails::AfterCommit;
            let is_whole = ensure_whole(&target).await.is_ok();
            let is_ended = is_whole && is_begun;
            if is_ended {
                assert_eq!(fails, Fails::AfterCommit);
                let (found, _) = without_entry(dump(&target).await);
                assert_same(&found, &wanted, "it had ended, and nobody knew");
                continue;
            }
            // Another one does not take its place once it has begun; the same goes on.
            if is_begun {
                let refused = restore(&other_text, &target, &other.make).await;
                assert_eq!(kind(refused), ErrorKind::Refused);
            }
            restore(&text, &target, &source.make).await.unwrap();
            let (found, _) = without_entry(dump(&target).await);
            let when = format!("{fails:?} after {left} units");
            assert_same(&found, &wanted, &when);
            ensure_whole(&target).await.unwrap();
        }
    }
}

#[tokio::test]
async fn only_an_empty_database_is_restored_into() {
    let source = Installation::new().await;
    let text = backup(&source, What::Whole).await;
    let before = dump(&source.storage).await;
    let full = restore(&text, &source.storage, &source.make).await;
    assert_eq!(full.unwrap_err().to_string(), "the target is not empty");
    assert_same(&dump(&source.storage).await, &before, "a refused target");
    let half = MemoryStorage::new();
    let failing = Failing::new(&half, 9, Fails::AtCommit);
    let copied = copy(&source.storage, &failing, &options(4), &mut quiet()).await;
    assert_eq!(kind(copied), ErrorKind::Unavailable);
    let onto_copy = restore(&text, &half, &source.make).await;
    assert_eq!(kind(onto_copy), ErrorKind::Refused);
    let begun = MemoryStorage::new();
    let failing = Failing::new(&begun, 9, Fails::AtCommit);
    assert_eq!(
        kind(restore(&text, &failing, &source.make).await),
        ErrorKind::Unavailable
    );
    let copied = copy(&source.storage, &begun, &options(4), &mut quiet()).await;
    assert_eq!(kind(copied), ErrorKind::Refused, "a copy onto a restore");
}

#[tokio::test]
async fn nothing_is_written_of_a_backup_that_is_not_whole() {
    let source = Installation::new().await;
    let text = backup(&source, What::Whole).await;
    let mut changed = text.clone();
    let last_user = text.windows(3).rposition(|bytes| bytes == b"hal").unwrap();
    changed[last_user] = b'H';
    let of_tenant = backup(&source, What::Tenant(source.acme.id)).await;
    for wrong in [
        changed,
        text[..text.len() - 1].to_vec(),
        of_tenant,
        Vec::new(),
    ] {
        let target = MemoryStorage::new();
        let counting = Failing::never(&target);
        let result = restore(&wrong, &counting, &source.make).await;
        assert_eq!(kind(result), ErrorKind::Refused);
        assert_eq!(counting.begun(), 0);
    }
}

/// A file that is another one when it is opened again.
struct Changing(std::sync::Mutex<Vec<Vec<u8>>>);

#[async_trait::async_trait]
impl BackupFile for Changing {
    async fn open(&self) -> Result<Box<dyn BackupBytes>> {
        let next = self.0.lock().unwrap().pop().unwrap();
        next.open().await
    }
}

#[tokio::test]
async fn a_backup_that_changes_while_it_is_read_is_not_served() {
    let source = Installation::new().await;
    let text = backup(&source, What::Whole).await;
    let user = source.make.user("later");
    source
        .write(source.inside(), async |u| u.users().create(&user).await)
        .await;
    let later = backup(&source, What::Whole).await;
    let target = MemoryStorage::new();
    let file = Changing(std::sync::Mutex::new(vec![later, text]));
    let result = restore_whole(&file, &target, source.make.environment(), &mut quiet()).await;
    assert_eq!(kind(result), ErrorKind::Refused);
    assert_eq!(kind(ensure_whole(&target).await), ErrorKind::Refused);
}

async fn backed_up(world: &World) -> Vec<u8> {
    let mut text = Vec::new();
    let storage = world.storage.as_ref();
    write_backup(storage, What::Whole, world.now(), &mut text, &mut quiet())
        .await
        .unwrap();
    text
}

#[tokio::test]
async fn who_was_signed_in_has_to_sign_in_again() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    let under_way = Browser::at_tenant(&world, &acme).await;
    let text = backed_up(&world).await;
    let target = MemoryStorage::new();
    let environment = world.platform.environment();
    restore_whole(&text, &target, environment, &mut quiet())
        .await
        .unwrap();
    assert!(world.knows(&browser).await, "in the installation as it is");
    let node = world.node_on(Arc::new(target)).await.unwrap();
    let checked = node.sessions().check(browser.token().unwrap()).await;
    assert!(checked.unwrap().is_none(), "the session has ended");
    let shown = node
        .sign_in()
        .view(&under_way.handle, &under_way.client)
        .await;
    assert!(shown.is_err(), "the flow is gone");
    let mut restored = world;
    restored.platform = node;
    let again = restored.signed_in(&acme, "ada", "ada's word").await;
    assert!(again.token().is_some(), "the word still counts");
}

/// A key that was withdrawn since the backup must not sign again.
#[tokio::test]
async fn keys_that_sign_tokens_are_made_anew() {
    let world = World::new().await;
    world.platform.tokens().tend().await.unwrap();
    let before = world.platform.tokens().published_keys().await.unwrap();
    let text = backed_up(&world).await;
    let target = MemoryStorage::new();
    let environment = world.platform.environment();
    let restored = restore_whole(&text, &target, environment, &mut quiet()).await;
    assert_eq!(restored.unwrap().left_out, 1);
    let node = world.node_on(Arc::new(target)).await.unwrap();
    let after = node.tokens().published_keys().await.unwrap();
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_ne!(before, after);
    // A copy takes them along.
    let target = MemoryStorage::new();
    copy(world.storage.as_ref(), &target, &options(100), &mut quiet())
        .await
        .unwrap();
    let node = world.node_on(Arc::new(target)).await.unwrap();
    assert_eq!(node.tokens().published_keys().await.unwrap(), before);
}

#[tokio::test]
async fn the_link_of_a_set_up_leads_nowhere() {
    let world = World::new().await;
    let link = world.platform.set_up().prepare().await.unwrap().unwrap();
    let text = backed_up(&world).await;
    let target = MemoryStorage::new();
    let environment = world.platform.environment();
    let restored = restore_whole(&text, &target, environment, &mut quiet()).await;
    assert_eq!(restored.unwrap().left_out, 1);
    let node = world.node_on(Arc::new(target)).await.unwrap();
    let link = gatelodge_core::secret::Secret::new(link.expose());
    assert_eq!(kind(node.set_up().check(&link).await), ErrorKind::NotFound);

    // Done, it stays done.
    let first = FirstAdministrator {
        token: link,
        tenant: gatelodge_core::model::TenantName::new("first").unwrap(),
        user_name: gatelodge_core::model::UserName::new("admin").unwrap(),
        password: "a long enough word".into(),
    };
    let client = Default::default();
    world
        .platform
        .set_up()
        .complete(first, &client)
        .await
        .unwrap();
    let text = backed_up(&world).await;
    let target = MemoryStorage::new();
    restore_whole(&text, &target, environment, &mut quiet())
        .await
        .unwrap();
    let node = world.node_on(Arc::new(target)).await.unwrap();
    assert!(node.set_up().prepare().await.unwrap().is_none());
}

#[tokio::test]
async fn an_unfinished_restore_is_not_opened() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    let text = backed_up(&world).await;
    let environment = world.platform.environment();
    for left in 1..6 {
        let target = MemoryStorage::new();
        let failing = Failing::new(&target, left, Fails::AtBegin);
        let result = restore_whole(&text, &failing, environment, &mut quiet()).await;
        assert_eq!(kind(result), ErrorKind::Unavailable);
        let opened = world.node_on(Arc::new(target.clone())).await;
        assert_eq!(kind(opened.map(drop)), ErrorKind::Refused, "after {left}");
    }
}

#[tokio::test]
async fn a_value_of_the_restore_itself_is_never_restored() {
    let source = Installation::new().await;
    let text = backup(&source, What::Whole).await;
    let target = MemoryStorage::new();
    restore(&text, &target, &source.make).await.unwrap();
    write(&target, Scope::Platform, async |u| {
        for name in ["copy", "restore"] {
            assert_eq!(u.installation().value(name).await?, None);
        }
        Ok(())
    })
    .await;
}
