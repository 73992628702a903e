//! Tenants and their rules.

use gatelodge_core::{
    ErrorKind,
    access::Caller,
    engine::Progress,
    model::{DisplayName, Grant, SessionSettings, Tenant, TenantName, TenantSettings},
    service::{DeleteTenant, NewLock, NewTenant, TenantPatch, TenantRef},
    storage::{Mode, Page, Scope, Storage},
};
use gatelodge_storage_suite::fixtures::Fixtures;

use crate::support::{Browser, World, kind, minutes, refused};

struct House {
    world: World,
    acme: Tenant,
    root: Caller,
}

/// A platform whose administrator lives in `acme`.
async fn house() -> House {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let grant = Grant::PlatformAdministrator;
    let (_, root) = world.administrator(&acme, "root", grant).await;
    House { world, acme, root }
}

fn named(name: &str) -> NewTenant {
    NewTenant {
        name: TenantName::new(name).unwrap(),
        display_name: None,
    }
}

#[tokio::test]
async fn a_tenants_name_is_unique_however_it_is_written() {
    let House { world, root, .. } = house().await;
    let tenants = world.platform.tenants();
    let made = tenants.create(&root, named("Straße")).await.unwrap();
    assert_eq!(made.display_name.as_str(), "Straße");
    let taken = tenants.create(&root, named("STRASSE")).await;
    assert_eq!(kind(taken), ErrorKind::AlreadyExists);
    let found = tenants.find(&TenantRef::parse("strasse")).await.unwrap();
    assert_eq!(found.as_ref(), Some(&made));
    let by_id = TenantRef::parse(&made.id.to_string());
    assert_eq!(tenants.read(&root, &by_id).await.unwrap(), made);
}

#[tokio::test]
async fn a_tenant_is_changed_from_the_version_that_was_read() {
    let House { world, acme, root } = house().await;
    let tenants = world.platform.tenants();
    let patch = |name: &str| TenantPatch {
        name: Some(TenantName::new(name).unwrap()),
        display_name: None,
    };
    let version = Some(acme.version);
    let new = tenants
        .update(&root, acme.id, version, patch("newer"))
        .await
        .unwrap();
    assert_eq!(new.version, acme.version + 1);
    let stale = tenants
        .update(&root, acme.id, version, patch("stale"))
        .await;
    assert_eq!(kind(stale), ErrorKind::Conflict);
    let before = world.actions(&acme).await.len();
    let same = tenants
        .update(&root, acme.id, None, patch("newer"))
        .await
        .unwrap();
    assert_eq!(same, new);
    assert_eq!(world.actions(&acme).await.len(), before, "nothing changed");
    tenants.create(&root, named("other")).await.unwrap();
    let taken = tenants.update(&root, acme.id, None, patch("OTHER")).await;
    assert_eq!(kind(taken), ErrorKind::AlreadyExists);
    let deleted = tenants
        .delete(&root, acme.id, DeleteTenant::default())
        .await;
    assert_eq!(kind(deleted), ErrorKind::Refused);
}

#[tokio::test]
async fn nobody_locks_or_deletes_the_own_tenant() {
    let House { world, acme, root } = house().await;
    let tenants = world.platform.tenants();
    // Even if another administrator would remain.
    let other = tenants.create(&root, named("other")).await.unwrap();
    let grant = Grant::PlatformAdministrator;
    world.administrator(&other, "second", grant).await;
    let locked = tenants.lock(&root, acme.id, NewLock::default()).await;
    assert_eq!(kind(locked), ErrorKind::Refused);
    let how = DeleteTenant {
        force: true,
        version: None,
    };
    let deleted = tenants.delete(&root, acme.id, how).await;
    assert_eq!(kind(deleted), ErrorKind::Refused);
}

#[tokio::test]
async fn a_locked_tenant_is_shut_until_the_lock_ends() {
    let House { world, root, .. } = house().await;
    let tenants = world.platform.tenants();
    let other = tenants.create(&root, named("other")).await.unwrap();
    let ada = world.user(&other, "ada", "ada's word").await;
    let browser = world.signed_in(&other, "ada", "ada's word").await;
    world.lock_user((other.id, ada.id)).await.unwrap();
    let users = world.platform.users();
    users.unlock(&root, other.id, ada.id).await.unwrap();
    let lock = |until, keep_sessions| NewLock {
        reason: Some("unpaid".to_owned()),
        until,
        keep_sessions,
    };
    let past = tenants
        .lock(&root, other.id, lock(Some(world.now()), false))
        .await;
    assert_eq!(kind(past), ErrorKind::Invalid);

    let in_minutes = |many| world.now() + jiff::SignedDuration::from_mins(many);
    let first = lock(Some(in_minutes(60)), false);
    tenants.lock(&root, other.id, first).await.unwrap();
    assert!(!world.knows(&browser).await);
    let again = lock(Some(in_minutes(5)), false);
    let locked = tenants.lock(&root, other.id, again).await.unwrap();
    assert_eq!(locked.lock.unwrap().until, Some(in_minutes(5)));

    let mut later = Browser::at_tenant(&world, &other).await;
    world.pass(minutes(5) - crate::support::MILLISECOND);
    assert!(refused(
        &later.word(&world, "ada", "ada's word").await.unwrap()
    ));
    world.pass(crate::support::MILLISECOND);
    let signed_in = later.word(&world, "ada", "ada's word").await.unwrap();
    assert!(matches!(signed_in, Progress::Complete(_)));
}

#[tokio::test]
async fn open_sessions_go_on_in_a_locked_tenant_if_they_shall() {
    let House { world, root, .. } = house().await;
    let tenants = world.platform.tenants();
    let other = tenants.create(&root, named("other")).await.unwrap();
    world.user(&other, "ada", "ada's word").await;
    let browser = world.signed_in(&other, "ada", "ada's word").await;
    let lock = NewLock {
        keep_sessions: true,
        ..NewLock::default()
    };
    tenants.lock(&root, other.id, lock).await.unwrap();
    assert!(world.knows(&browser).await);
    let mut new = Browser::at_tenant(&world, &other).await;
    assert!(refused(
        &new.word(&world, "ada", "ada's word").await.unwrap()
    ));
}

#[tokio::test]
async fn unlocking_a_tenant_leaves_its_users_own_locks() {
    let House { world, root, .. } = house().await;
    let tenants = world.platform.tenants();
    let other = tenants.create(&root, named("other")).await.unwrap();
    let ada = world.user(&other, "ada", "ada's word").await;
    world.user(&other, "bob", "bob's word").await;
    world.lock_user((other.id, ada.id)).await.unwrap();
    world.lock_tenant(&other).await.unwrap();
    let unlocked = tenants.unlock(&root, other.id).await.unwrap();
    assert!(unlocked.lock.is_none());
    let again = tenants.unlock(&root, other.id).await.unwrap();
    assert_eq!(again.version, unlocked.version, "it stays as it is");
    let mut browser = Browser::at_tenant(&world, &other).await;
    assert!(refused(
        &browser.word(&world, "ada", "ada's word").await.unwrap()
    ));
    browser.word(&world, "bob", "bob's word").await.unwrap();
    assert!(browser.token().is_some());
}

#[tokio::test]
async fn a_tenant_with_open_sessions_is_deleted_by_force_only() {
    let House { world, root, .. } = house().await;
    let tenants = world.platform.tenants();
    let other = tenants.create(&root, named("other")).await.unwrap();
    world.user(&other, "ada", "ada's word").await;
    let browser = world.signed_in(&other, "ada", "ada's word").await;
    let gently = DeleteTenant::default();
    let deleted = tenants.delete(&root, other.id, gently).await;
    assert_eq!(kind(deleted), ErrorKind::Refused);
    assert!(world.knows(&browser).await);
    let stale = DeleteTenant {
        force: true,
        version: Some(other.version + 1),
    };
    let deleted = tenants.delete(&root, other.id, stale).await;
    assert_eq!(kind(deleted), ErrorKind::Conflict);
    assert!(world.knows(&browser).await);

    let force = DeleteTenant {
        force: true,
        version: Some(other.version),
    };
    tenants.delete(&root, other.id, force).await.unwrap();
    assert!(!world.knows(&browser).await);
    assert_eq!(tenants.find(&TenantRef::Id(other.id)).await.unwrap(), None);
    let again = tenants.delete(&root, other.id, force).await;
    assert_eq!(kind(again), ErrorKind::NotFound);
    let platforms = world.audit(None).await;
    let deleted = platforms
        .iter()
        .find(|event| event.action == "tenant.delete");
    assert_eq!(deleted.unwrap().object_id, Some(other.id.to_string()));
    assert_eq!(world.count(&other, "session.end").await, 1);
}

#[tokio::test]
async fn a_refused_deletion_ends_no_session() {
    let House { world, root, .. } = house().await;
    let tenants = world.platform.tenants();
    let master = tenants.create(&root, named("master")).await.unwrap();
    world.user(&master, "ada", "ada's word").await;
    let browser = world.signed_in(&master, "ada", "ada's word").await;
    let sub = Fixtures::seeded(9).sub_tenant("sub", &master);
    let mut unit = world
        .storage
        .begin(Scope::Platform, Mode::Write)
        .await
        .unwrap();
    unit.tenants().create(&sub).await.unwrap();
    unit.commit().await.unwrap();
    let force = DeleteTenant {
        force: true,
        version: None,
    };
    let deleted = tenants.delete(&root, master.id, force).await;
    assert_eq!(kind(deleted), ErrorKind::Refused);
    assert!(world.knows(&browser).await);
}

#[tokio::test]
async fn a_masters_cascading_lock_shuts_its_sub_tenants() {
    let House { world, root, .. } = house().await;
    let tenants = world.platform.tenants();
    let mut master = tenants.create(&root, named("master")).await.unwrap();
    let sub = Fixtures::seeded(9).sub_tenant("sub", &master);
    let mut unit = world
        .storage
        .begin(Scope::Platform, Mode::Write)
        .await
        .unwrap();
    unit.tenants().create(&sub).await.unwrap();
    unit.commit().await.unwrap();
    world.user(&sub, "ada", "ada's word").await;
    world.lock_tenant(&master).await.unwrap();
    world.signed_in(&sub, "ada", "ada's word").await;

    master = tenants
        .read(&root, &TenantRef::Id(master.id))
        .await
        .unwrap();
    master.lock.as_mut().unwrap().cascade = true;
    let mut unit = world
        .storage
        .begin(Scope::Platform, Mode::Write)
        .await
        .unwrap();
    unit.tenants().update(&master).await.unwrap();
    unit.commit().await.unwrap();
    let mut browser = Browser::at_tenant(&world, &sub).await;
    assert!(refused(
        &browser.word(&world, "ada", "ada's word").await.unwrap()
    ));
}

#[tokio::test]
async fn settings_are_checked_versioned_and_in_force() {
    let House { world, acme, root } = house().await;
    let tenants = world.platform.tenants();
    let idle = |minutes| TenantSettings {
        session: SessionSettings {
            idle_minutes: Some(minutes),
            ..SessionSettings::default()
        },
        ..TenantSettings::default()
    };
    let (_, version) = tenants
        .put_settings(&root, acme.id, Some(0), idle(5))
        .await
        .unwrap();
    let stale = tenants.put_settings(&root, acme.id, Some(0), idle(6)).await;
    assert_eq!(kind(stale), ErrorKind::Conflict);
    for wrong in [0, 43_201] {
        let refused = tenants
            .put_settings(&root, acme.id, None, idle(wrong))
            .await;
        assert_eq!(kind(refused), ErrorKind::Invalid);
    }
    let (own, stored, effective) = tenants.settings(&root, acme.id).await.unwrap();
    assert_eq!((own, stored), (idle(5), version));
    assert_eq!(effective.session_idle, minutes(5));
}

/// S35, S37: a tenant administrator sees the own tenant and nothing of others.
#[tokio::test]
async fn s37_a_tenant_administrator_stays_in_the_own_tenant() {
    let House { world, acme, root } = house().await;
    let tenants = world.platform.tenants();
    let other = tenants.create(&root, named("other")).await.unwrap();
    let grant = Grant::TenantAdministrator;
    let (_, boss) = world.administrator(&acme, "boss", grant).await;
    let listed = tenants.list(&boss, None, Page::first(10)).await.unwrap();
    let names: Vec<_> = listed
        .items
        .iter()
        .map(|tenant| tenant.name.as_str())
        .collect();
    assert_eq!(names, ["acme"]);
    tenants.read(&boss, &TenantRef::Id(acme.id)).await.unwrap();
    for unseen in [
        TenantRef::Id(other.id),
        TenantRef::parse("other"),
        TenantRef::parse("none"),
    ] {
        assert_eq!(
            kind(tenants.read(&boss, &unseen).await),
            ErrorKind::NotFound
        );
    }
    let patch = TenantPatch {
        display_name: Some(DisplayName::new("New").unwrap()),
        ..TenantPatch::default()
    };
    for (tenant, expected) in [
        (acme.id, ErrorKind::Denied),
        (other.id, ErrorKind::NotFound),
    ] {
        let lock = NewLock::default();
        let how = DeleteTenant::default();
        for refused in [
            tenants
                .update(&boss, tenant, None, patch.clone())
                .await
                .map(|_| ()),
            tenants.lock(&boss, tenant, lock).await.map(|_| ()),
            tenants.unlock(&boss, tenant).await.map(|_| ()),
            tenants.delete(&boss, tenant, how).await,
        ] {
            assert_eq!(kind(refused), expected);
        }
    }
    let created = tenants.create(&boss, named("third")).await;
    assert_eq!(kind(created), ErrorKind::Denied);
    let settings = TenantSettings::default();
    let foreign = tenants
        .put_settings(&boss, other.id, None, settings.clone())
        .await;
    assert_eq!(kind(foreign), ErrorKind::NotFound);
    tenants
        .put_settings(&boss, acme.id, None, settings)
        .await
        .unwrap();
}

#[tokio::test]
async fn tenants_are_listed_in_pages_and_searched() {
    let House { world, root, .. } = house().await;
    let tenants = world.platform.tenants();
    for name in ["100_", "1000", "North_1", "north 2"] {
        world.pass(crate::support::MILLISECOND);
        tenants.create(&root, named(name)).await.unwrap();
    }
    let names = |listed: gatelodge_core::service::Listed<Tenant, _>| -> Vec<String> {
        listed
            .items
            .iter()
            .map(|tenant| tenant.name.to_string())
            .collect()
    };
    let found = tenants
        .list(&root, Some("NORTH"), Page::first(10))
        .await
        .unwrap();
    assert_eq!(names(found), ["North_1", "north 2"]);
    let found = tenants
        .list(&root, Some("00_"), Page::first(10))
        .await
        .unwrap();
    assert_eq!(names(found), ["100_"]);
    let mut seen = Vec::new();
    let mut page = Page::first(2);
    loop {
        let listed = tenants.list(&root, None, page).await.unwrap();
        let next = listed.next;
        seen.extend(names(listed));
        match next {
            Some(next) => page = Page::after(next, 2),
            None => break,
        }
    }
    assert_eq!(seen, ["acme", "100_", "1000", "North_1", "north 2"]);
}
