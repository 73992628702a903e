//! Users of a tenant and their rules.

use gatelodge_core::{
    ErrorKind,
    access::Caller,
    engine::Progress,
    model::{DisplayName, Email, Grant, Tenant, User, UserName, UserStatus},
    secret::Secret,
    service::{InitialCredential, NewLock, NewUser, UserPatch},
    storage::Page,
};

use crate::support::{Browser, MILLISECOND, World, kind, minutes, refused};

struct House {
    world: World,
    acme: Tenant,
    root: Caller,
    roots: User,
}

async fn house() -> House {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let grant = Grant::PlatformAdministrator;
    let (roots, root) = world.administrator(&acme, "root", grant).await;
    House {
        world,
        acme,
        root,
        roots,
    }
}

fn named(name: &str) -> NewUser {
    NewUser {
        user_name: UserName::new(name).unwrap(),
        display_name: None,
        email: None,
        credential: InitialCredential::None,
    }
}

fn renamed(name: &str) -> UserPatch {
    UserPatch {
        user_name: Some(UserName::new(name).unwrap()),
        ..UserPatch::default()
    }
}

fn deactivated() -> UserPatch {
    UserPatch {
        status: Some(UserStatus::Deactivated),
        ..UserPatch::default()
    }
}

#[tokio::test]
async fn a_user_name_is_unique_in_its_tenant_however_it_is_written() {
    let House {
        world, acme, root, ..
    } = house().await;
    let users = world.platform.users();
    let (made, word) = users.create(&root, acme.id, named("Ａda")).await.unwrap();
    assert!(word.is_none());
    assert_eq!(made.display_name.as_str(), "Ａda");
    let taken = users.create(&root, acme.id, named("ADA")).await;
    assert_eq!(kind(taken), ErrorKind::AlreadyExists);
    let other = world.tenant("other").await;
    users.create(&root, other.id, named("ada")).await.unwrap();
    let nowhere = gatelodge_core::model::TenantId::from_uuid(uuid::Uuid::max());
    let lost = users.create(&root, nowhere, named("ada")).await;
    assert_eq!(kind(lost), ErrorKind::NotFound);
    let bob = users.create(&root, acme.id, named("bob")).await.unwrap().0;
    let place = (acme.id, bob.id);
    let taken = users.update(&root, place, None, renamed("aDa")).await;
    assert_eq!(kind(taken), ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn a_weak_first_word_makes_no_user() {
    let House {
        world, acme, root, ..
    } = house().await;
    let users = world.platform.users();
    let weak = NewUser {
        credential: InitialCredential::Given {
            password: Secret::new("abc"),
            must_change: false,
        },
        ..named("ada")
    };
    let refused = users.create(&root, acme.id, weak).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.field()),
        (ErrorKind::Invalid, Some("password"))
    );
    let found = users.by_login(&root, acme.id, "ada").await;
    assert_eq!(kind(found), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_user_is_changed_from_the_version_that_was_read() {
    let House {
        world, acme, root, ..
    } = house().await;
    let users = world.platform.users();
    let ada = world.user(&acme, "ada", "ada's word").await;
    let place = (acme.id, ada.id);
    let version = Some(ada.version);
    let new = users
        .update(&root, place, version, renamed("countess"))
        .await
        .unwrap();
    assert_eq!(new.version, ada.version + 1);
    let stale = users.update(&root, place, version, renamed("stale")).await;
    assert_eq!(kind(stale), ErrorKind::Conflict);
    assert_eq!(
        kind(users.delete(&root, place, version).await),
        ErrorKind::Conflict
    );
    let before = world.actions(&acme).await.len();
    users
        .update(&root, place, None, renamed("countess"))
        .await
        .unwrap();
    assert_eq!(world.actions(&acme).await.len(), before);
    world.signed_in(&acme, "countess", "ada's word").await;
    users.delete(&root, place, Some(new.version)).await.unwrap();
    assert_eq!(
        kind(users.read(&root, acme.id, ada.id).await),
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn a_new_address_is_not_verified() {
    let House {
        world, acme, root, ..
    } = house().await;
    let users = world.platform.users();
    let ada = world.user(&acme, "ada", "ada's word").await;
    let place = (acme.id, ada.id);
    let address = |text: &str| UserPatch {
        email: Some(Some(Email::new(text).unwrap())),
        ..UserPatch::default()
    };
    users
        .update(&root, place, None, address("ada@example.com"))
        .await
        .unwrap();
    world
        .alter_user(place, |user| user.email_verified = true)
        .await;
    let same = users
        .update(&root, place, None, address("ada@example.com"))
        .await
        .unwrap();
    assert!(same.email_verified);
    let other = users
        .update(&root, place, None, address("ada@other.example"))
        .await
        .unwrap();
    assert!(!other.email_verified);
    let none = UserPatch {
        email: Some(None),
        ..UserPatch::default()
    };
    assert!(
        users
            .update(&root, place, None, none)
            .await
            .unwrap()
            .email
            .is_none()
    );
}

/// U5: nobody locks, deletes or switches off oneself.
#[tokio::test]
async fn nobody_shuts_oneself_out() {
    let House {
        world,
        acme,
        root,
        roots,
    } = house().await;
    world
        .administrator(&acme, "second", Grant::PlatformAdministrator)
        .await;
    let (users, own) = (world.platform.users(), (acme.id, roots.id));
    for refused in [
        users.lock(&root, own, NewLock::default()).await.map(|_| ()),
        users
            .update(&root, own, None, deactivated())
            .await
            .map(|_| ()),
        users.delete(&root, own, None).await,
    ] {
        assert_eq!(kind(refused), ErrorKind::Refused);
    }
    users
        .update(&root, own, None, renamed("renamed root"))
        .await
        .unwrap();
}

/// S20: lock, deactivation and deletion end what is open.
#[tokio::test]
async fn s20_who_is_shut_out_loses_every_session() {
    let House {
        world, acme, root, ..
    } = house().await;
    let users = world.platform.users();
    let ada = world.user(&acme, "ada", "ada's word").await;
    let place = (acme.id, ada.id);
    for way in 0..3 {
        let browser = world.signed_in(&acme, "ada", "ada's word").await;
        match way {
            0 => drop(users.lock(&root, place, NewLock::default()).await.unwrap()),
            1 => drop(
                users
                    .update(&root, place, None, deactivated())
                    .await
                    .unwrap(),
            ),
            _ => users.delete(&root, place, None).await.unwrap(),
        }
        assert!(!world.knows(&browser).await, "way {way}");
        let mut again = Browser::at_tenant(&world, &acme).await;
        assert!(refused(
            &again.word(&world, "ada", "ada's word").await.unwrap()
        ));
        if way == 0 {
            users.unlock(&root, acme.id, ada.id).await.unwrap();
        } else if way == 1 {
            let active = UserPatch {
                status: Some(UserStatus::Active),
                ..UserPatch::default()
            };
            users.update(&root, place, None, active).await.unwrap();
        }
        assert!(!world.knows(&browser).await, "nothing revives way {way}");
    }
}

#[tokio::test]
async fn a_lock_ends_by_the_clock_and_is_replaced_by_the_next() {
    let House {
        world, acme, root, ..
    } = house().await;
    let users = world.platform.users();
    let ada = world.user(&acme, "ada", "ada's word").await;
    let place = (acme.id, ada.id);
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    let until = |many| NewLock {
        until: Some(world.now() + jiff::SignedDuration::from_mins(many)),
        keep_sessions: true,
        reason: None,
    };
    users.lock(&root, place, until(60)).await.unwrap();
    assert!(world.knows(&browser).await, "open sessions go on");
    users.lock(&root, place, until(5)).await.unwrap();
    let long = NewLock {
        reason: Some("x".repeat(501)),
        ..NewLock::default()
    };
    assert_eq!(
        kind(users.lock(&root, place, long).await),
        ErrorKind::Invalid
    );
    let mut new = Browser::at_tenant(&world, &acme).await;
    world.pass(minutes(5) - MILLISECOND);
    assert!(refused(
        &new.word(&world, "ada", "ada's word").await.unwrap()
    ));
    world.pass(MILLISECOND);
    let signed_in = new.word(&world, "ada", "ada's word").await.unwrap();
    assert!(matches!(signed_in, Progress::Complete(_)));
    let unlocked = users.unlock(&root, acme.id, ada.id).await.unwrap();
    let again = users.unlock(&root, acme.id, ada.id).await.unwrap();
    assert_eq!(again.version, unlocked.version);
}

/// S35, S37: what an administrator of a tenant may do, and what not.
#[tokio::test]
async fn s37_a_tenant_administrator_manages_the_own_tenants_users_only() {
    let House {
        world, acme, roots, ..
    } = house().await;
    let users = world.platform.users();
    let other = world.tenant("other").await;
    let eve = world.user(&other, "eve", "eve's word").await;
    let ada = world.user(&acme, "ada", "ada's word").await;
    let (_, boss) = world
        .administrator(&acme, "boss", Grant::TenantAdministrator)
        .await;
    let adas = world.signed_in(&acme, "ada", "ada's word").await;
    let ada_herself = world.caller(&adas).await;
    let fresh = || world.platform.environment().uuid().to_string();
    let everything = async |caller: &Caller, place| {
        let (tenant, id) = place;
        let grant = Grant::TenantAdministrator;
        vec![
            users.read(caller, tenant, id).await.map(|_| ()),
            users
                .update(caller, place, None, renamed("x"))
                .await
                .map(|_| ()),
            users
                .lock(caller, place, NewLock::default())
                .await
                .map(|_| ()),
            users.unlock(caller, tenant, id).await.map(|_| ()),
            users
                .set_grant(caller, place, grant, true)
                .await
                .map(|_| ()),
            users.delete(caller, place, None).await,
            users
                .create(caller, tenant, named(&fresh()))
                .await
                .map(|_| ()),
            users
                .list(caller, tenant, None, Page::first(1))
                .await
                .map(|_| ()),
        ]
    };
    for foreign in everything(&boss, (other.id, eve.id)).await {
        assert_eq!(kind(foreign), ErrorKind::NotFound);
    }
    for missing in everything(&boss, (acme.id, eve.id))
        .await
        .into_iter()
        .take(6)
    {
        assert_eq!(kind(missing), ErrorKind::NotFound);
    }
    for denied in everything(&ada_herself, (acme.id, roots.id)).await {
        assert_eq!(kind(denied), ErrorKind::Denied);
    }
    let above = everything(&boss, (acme.id, roots.id)).await;
    let above = above
        .into_iter()
        .take(6)
        .map(|done| done.map_err(|error| error.kind()));
    let above: Vec<_> = above.collect();
    assert_eq!(above[0], Ok(()), "seen, but not touched");
    assert_eq!(above[1..], [Err(ErrorKind::Denied); 5]);
    let place = (acme.id, ada.id);
    let grant = Grant::PlatformAdministrator;
    let raised = users.set_grant(&boss, place, grant, true).await;
    assert_eq!(kind(raised), ErrorKind::Denied);
    for own in everything(&boss, place).await {
        own.unwrap();
    }
}

#[tokio::test]
async fn giving_twice_and_taking_what_is_absent_change_nothing() {
    let House {
        world, acme, root, ..
    } = house().await;
    let users = world.platform.users();
    let ada = world.user(&acme, "ada", "ada's word").await;
    let browser = world.signed_in(&acme, "ada", "ada's word").await;
    let (place, grant) = ((acme.id, ada.id), Grant::TenantAdministrator);
    let none = users.set_grant(&root, place, grant, false).await.unwrap();
    assert!(none.is_empty());
    for _ in 0..2 {
        let given = users.set_grant(&root, place, grant, true).await.unwrap();
        assert_eq!(given, [grant]);
    }
    assert_eq!(
        world.session(&browser).await.grants,
        [grant],
        "in force at once"
    );
    users.set_grant(&root, place, grant, false).await.unwrap();
    let events = world.audit(Some(acme.id)).await.into_iter();
    let about_ada = events.filter(|event| {
        event.action == "user.grant" && event.object_id == Some(ada.id.to_string())
    });
    assert_eq!(about_ada.count(), 2);
}

#[tokio::test]
async fn of_racing_users_with_one_name_exactly_one_is_made() {
    let House {
        world, acme, root, ..
    } = house().await;
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let (platform, root, tenant) = (world.platform.clone(), root.clone(), acme.id);
        tasks.push(tokio::spawn(async move {
            platform.users().create(&root, tenant, named("ada")).await
        }));
    }
    let mut made = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => made += 1,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::AlreadyExists);
                assert_eq!(
                    error.message(),
                    "this user name is already taken in the tenant"
                );
            }
        }
    }
    assert_eq!(made, 1);
}

#[tokio::test]
async fn users_are_searched_by_any_of_their_names() {
    let House {
        world, acme, root, ..
    } = house().await;
    let users = world.platform.users();
    let ada = NewUser {
        display_name: Some(DisplayName::new("Augusta").unwrap()),
        email: Some(Email::new("countess@example.com").unwrap()),
        ..named("ada")
    };
    users.create(&root, acme.id, ada).await.unwrap();
    for search in ["ADA", "gust", "countess@"] {
        let found = users
            .list(&root, acme.id, Some(search), Page::first(10))
            .await
            .unwrap();
        assert_eq!(found.items.len(), 1, "{search}");
    }
    let all = users
        .list(&root, acme.id, Some(""), Page::first(1))
        .await
        .unwrap();
    assert!(all.next.is_some());
}
