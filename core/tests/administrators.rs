//! No change leaves the platform without an administrator who can sign in.

use gatelodge_core::{
    ErrorKind, Platform, Result,
    access::Caller,
    model::{Grant, Tenant, TenantId, User, UserId, UserName, UserStatus},
    service::{DeleteTenant, NewLock, UserPatch},
};

use crate::support::{World, kind};

const GRANT: Grant = Grant::PlatformAdministrator;

/// Two administrators in two tenants.
async fn two() -> (World, (Tenant, User), (Tenant, User)) {
    let world = World::new().await;
    let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
    let one = world.user(&acme, "one", "one's word").await;
    let two = world.user(&other, "two", "two's word").await;
    world.grant((acme.id, one.id), GRANT).await;
    world.grant((other.id, two.id), GRANT).await;
    (world, (acme, one), (other, two))
}

/// Every way in which an administrator can be lost.
async fn lose(platform: &Platform, way: u32, place: (TenantId, UserId)) -> Result<()> {
    let (users, tenants, operator) = (platform.users(), platform.tenants(), Caller::operator());
    let force = DeleteTenant {
        force: true,
        version: None,
    };
    let off = UserPatch {
        status: Some(UserStatus::Deactivated),
        ..UserPatch::default()
    };
    match way {
        0 => users
            .set_grant(&operator, place, GRANT, false)
            .await
            .map(|_| ()),
        1 => users
            .lock(&operator, place, NewLock::default())
            .await
            .map(|_| ()),
        2 => users.update(&operator, place, None, off).await.map(|_| ()),
        3 => users.delete(&operator, place, None).await,
        4 => tenants
            .lock(&operator, place.0, NewLock::default())
            .await
            .map(|_| ()),
        _ => tenants.delete(&operator, place.0, force).await,
    }
}

async fn remaining(world: &World, places: &[(TenantId, UserId)]) -> usize {
    let (mut remaining, operator) = (0, Caller::operator());
    for (tenant, user) in places {
        let details = world.platform.users().read(&operator, *tenant, *user).await;
        let tenant = gatelodge_core::service::TenantRef::Id(*tenant);
        let tenant = world.platform.tenants().find(&tenant).await.unwrap();
        if let (Ok(details), Some(tenant)) = (details, tenant) {
            let now = world.now();
            let can = details.user.may_sign_in_at(now) && !tenant.is_locked_at(now);
            remaining += usize::from(can && details.grants.contains(&GRANT));
        }
    }
    remaining
}

/// R9: each way is open while another administrator remains, and shut then.
#[tokio::test]
async fn the_last_administrator_cannot_be_lost_in_any_way() {
    for first in 0..6 {
        for second in 0..6 {
            let (world, one, two) = two().await;
            let places = [(one.0.id, one.1.id), (two.0.id, two.1.id)];
            lose(&world.platform, first, places[0]).await.unwrap();
            let refused = lose(&world.platform, second, places[1]).await;
            assert_eq!(kind(refused), ErrorKind::Refused, "{first} then {second}");
            assert_eq!(remaining(&world, &places).await, 1);
        }
    }
}

#[tokio::test]
async fn of_two_racing_removals_one_administrator_remains() {
    for way in 0..6 {
        for other in 0..6 {
            let (world, one, two) = two().await;
            let places = [(one.0.id, one.1.id), (two.0.id, two.1.id)];
            let platform = world.platform.clone();
            let meanwhile = places[1];
            // The second removal happens between the first one's look and its act.
            world.storage.before_write(
                0,
                Box::pin(async move { lose(&platform, other, meanwhile).await.unwrap() }),
            );
            let lost = lose(&world.platform, way, places[0]).await;
            assert!(lost.is_err(), "{way} against {other}");
            assert_eq!(remaining(&world, &places).await, 1, "{way} against {other}");
        }
    }
}

#[tokio::test]
async fn of_many_parallel_removals_one_administrator_remains() {
    let (world, one, two) = two().await;
    let places = [(one.0.id, one.1.id), (two.0.id, two.1.id)];
    let tasks: Vec<_> = (0..12)
        .map(|number: usize| {
            let platform = world.platform.clone();
            let way = u32::try_from(number / 2).unwrap();
            let place = places[number % 2];
            tokio::spawn(async move { lose(&platform, way, place).await.is_ok() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(remaining(&world, &places).await, 1);
}

/// Somebody is made administrator and is the only one left, while a change that
/// was looked at before is about to shut just that person out.
#[tokio::test]
async fn a_new_administrator_is_not_lost_by_a_change_that_began_before() {
    for way in 1..6 {
        let world = World::new().await;
        let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
        let one = world.user(&acme, "one", "one's word").await;
        let new = world.user(&other, "new", "new's word").await;
        world.grant((acme.id, one.id), GRANT).await;
        let places = [(acme.id, one.id), (other.id, new.id)];
        let platform = world.platform.clone();
        world.storage.before_write(
            0,
            Box::pin(async move {
                let (users, operator) = (platform.users(), Caller::operator());
                let given = users.set_grant(&operator, places[1], GRANT, true);
                given.await.unwrap();
                lose(&platform, 0, places[0]).await.unwrap();
            }),
        );
        let lost = lose(&world.platform, way, places[1]).await;
        assert_eq!(kind(lost), ErrorKind::Conflict, "way {way}");
        assert_eq!(remaining(&world, &places).await, 1, "way {way}");
    }
}

/// S37: an administrator of a tenant does not get hold of somebody who was
/// raised above meanwhile.
#[tokio::test]
async fn s37_who_was_raised_meanwhile_is_out_of_reach() {
    for way in 0..3 {
        let (world, one, _) = two().await;
        let acme = one.0;
        let ada = world.user(&acme, "ada", "ada's word").await;
        let grant = Grant::TenantAdministrator;
        let (_, boss) = world.administrator(&acme, "boss", grant).await;
        let place = (acme.id, ada.id);
        let platform = world.platform.clone();
        world.storage.before_write(
            0,
            Box::pin(async move {
                let (users, operator) = (platform.users(), Caller::operator());
                let given = users.set_grant(&operator, place, GRANT, true);
                given.await.unwrap();
            }),
        );
        let users = world.platform.users();
        let patch = UserPatch {
            user_name: Some(UserName::new("seized").unwrap()),
            ..UserPatch::default()
        };
        let reached = match way {
            0 => users
                .lock(&boss, place, NewLock::default())
                .await
                .map(|_| ()),
            1 => users.update(&boss, place, None, patch).await.map(|_| ()),
            _ => users.delete(&boss, place, None).await,
        };
        assert_eq!(kind(reached), ErrorKind::Denied, "way {way}");
        assert_eq!(world.read_user(place).await, ada);
    }
}

#[tokio::test]
async fn a_platform_without_administrators_loses_none() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let ada = world.user(&acme, "ada", "ada's word").await;
    lose(&world.platform, 1, (acme.id, ada.id)).await.unwrap();
    lose(&world.platform, 5, (acme.id, ada.id)).await.unwrap();
}
