//! Copies into what an earlier copy left.

use gatelodge_core::{
    archive::{CopyOptions, copy},
    model::{Application, EndReason, Grant, SessionEnd, Tenant, TenantName, User},
    storage::{Page, Record, Row, RowKind, Scope},
};
use gatelodge_storage_suite::{fixtures::Fixtures, memory::MemoryStorage};

use super::{
    copy::{PIECES, copied, options},
    failing::{Failing, Fails},
    installation::{Installation, assert_same, dump},
    quiet,
};

/// Copies, lets the source change, and copies again.
async fn caught_up(change: impl AsyncFn(&Installation)) {
    for piece in PIECES {
        let source = Installation::new().await;
        let target = MemoryStorage::new();
        let more = CopyOptions {
            more_to_come: true,
            ..options(piece)
        };
        copy(&source.storage, &target, &more, &mut quiet())
            .await
            .unwrap();
        change(&source).await;
        let expected = dump(&source.storage).await;
        assert!(dump(&target).await != expected, "something has changed");
        copied(&source.storage, &target, piece).await;
        let when = format!("pieces of {piece}");
        assert_same(&dump(&target).await, &expected, &when);
    }
}

async fn put(source: &Installation, scope: Scope, rows: &[Row]) {
    source
        .write(scope, async |u| u.archive().put(rows).await)
        .await;
}

fn called(user: &User, like: &User) -> User {
    User {
        user_name: like.user_name.clone(),
        email: like.email.clone(),
        email_verified: like.email_verified,
        version: user.version + 1,
        ..user.clone()
    }
}

/// Lets users of `acme` swap their names and addresses, the last for the first.
async fn rotate_names(source: &Installation, users: &[User]) {
    let make: &Fixtures = &source.make;
    let parked: Vec<_> = users
        .iter()
        .map(|user| called(user, &make.user(&format!("parked {}", user.id))))
        .map(Row::User)
        .collect();
    put(source, source.inside(), &parked).await;
    let likes = users.iter().cycle().skip(1);
    let rotated: Vec<_> = users
        .iter()
        .zip(likes)
        .map(|(user, like)| called(user, like))
        .collect();
    let rotated: Vec<_> = rotated.into_iter().map(Row::User).collect();
    put(source, source.inside(), &rotated).await;
}

#[tokio::test]
async fn users_may_have_swapped_their_names() {
    caught_up(async |source| rotate_names(source, &source.users[..2]).await).await;
    caught_up(async |source| rotate_names(source, &source.users).await).await;
}

#[tokio::test]
async fn a_user_may_have_the_name_and_address_of_one_who_is_gone() {
    caught_up(async |source| {
        let (first, last) = (&source.users[0], &source.users[7]);
        for (gone, heir) in [(first, last), (&source.users[6], &source.users[1])] {
            source
                .write(source.inside(), async |u| {
                    u.users().delete(gone.id, gone.version).await?;
                    let mut heir = heir.clone();
                    heir.user_name = gone.user_name.clone();
                    heir.email = gone.email.clone();
                    heir.email_verified = true;
                    u.users().update(&heir).await
                })
                .await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_verified_address_may_have_moved() {
    caught_up(async |source| {
        source
            .write(source.inside(), async |u| {
                let (from, to) = (&source.users[0], &source.users[1]);
                let mut from = from.clone();
                let address = from.email.clone();
                from.email_verified = false;
                u.users().update(&from).await?;
                let mut to = to.clone();
                to.email = address;
                u.users().update(&to).await
            })
            .await;
    })
    .await;
}

async fn applications(source: &Installation, tenant: &Tenant) -> Vec<Application> {
    let scope = Scope::Tenant(tenant.id);
    source
        .write(scope, async |u| u.applications().list(Page::first(9)).await)
        .await
}

fn known_as(application: &Application, like: &Application) -> Application {
    Application {
        name: like.name.clone(),
        audience: like.audience.clone(),
        version: application.version + 1,
        ..application.clone()
    }
}

/// Lets applications give each other their names and audiences, wherever they are.
async fn rotate_audiences(source: &Installation, all: &[Application]) {
    let tenants = [&source.acme, &source.bottom, &source.other];
    let likes = all.iter().cycle().skip(1);
    let rotated: Vec<_> = all
        .iter()
        .zip(likes)
        .map(|(a, like)| known_as(a, like))
        .collect();
    let parked = all.iter().map(|application| {
        let like = source
            .make
            .application(&source.acme, &application.id.to_string());
        known_as(application, &like)
    });
    for application in parked.chain(rotated) {
        let tenant = tenants
            .iter()
            .find(|tenant| tenant.id == application.tenant);
        let scope = Scope::Tenant(tenant.unwrap().id);
        put(source, scope, &[Row::Application(application)]).await;
    }
}

#[tokio::test]
async fn applications_may_have_swapped_names_and_audiences() {
    caught_up(async |source| {
        let all = applications(source, &source.acme).await;
        rotate_audiences(source, &all).await;
    })
    .await;
}

#[tokio::test]
async fn an_audience_may_have_moved_to_another_tenant() {
    caught_up(async |source| {
        let mut all = Vec::new();
        for tenant in [&source.other, &source.acme, &source.bottom] {
            all.push(applications(source, tenant).await.remove(0));
        }
        rotate_audiences(source, &all).await;
    })
    .await;
    // Or the one that had it is gone.
    caught_up(async |source| {
        let gone = applications(source, &source.other).await.remove(0);
        let heir = applications(source, &source.acme).await.remove(0);
        source
            .write(Scope::Tenant(source.other.id), async |u| {
                u.applications().delete(gone.id, gone.version).await
            })
            .await;
        let heir = Application {
            audience: gone.audience,
            ..heir
        };
        put(source, source.inside(), &[Row::Application(heir)]).await;
    })
    .await;
}

#[tokio::test]
async fn tenants_may_have_swapped_their_names() {
    caught_up(async |source| {
        let (acme, other) = (&source.acme, &source.other);
        let name = |tenant: &Tenant, name: &TenantName| {
            Row::Tenant(Tenant {
                name: name.clone(),
                version: tenant.version + 1,
                ..tenant.clone()
            })
        };
        let free = TenantName::new("free").unwrap();
        let steps = [
            name(acme, &free),
            name(other, &acme.name),
            name(acme, &other.name),
        ];
        put(source, Scope::Platform, &steps).await;
    })
    .await;
}

#[tokio::test]
async fn a_tenant_may_have_been_made_again_under_its_name() {
    caught_up(async |source| {
        let again = source.make.tenant("OTHER");
        source
            .write(Scope::Platform, async |u| {
                u.tenants().delete(source.other.id, 1).await?;
                u.tenants().create(&again).await
            })
            .await;
        let ada = source.make.user("ada");
        source
            .write(Scope::Tenant(again.id), async |u| {
                u.users().create(&ada).await
            })
            .await;
    })
    .await;
}

#[tokio::test]
async fn masters_may_have_moved() {
    let below = |tenant: &Tenant, master: Option<&Tenant>| {
        Row::Tenant(Tenant {
            master: master.map(|master| master.id),
            version: tenant.version + 1,
            ..tenant.clone()
        })
    };
    // Upside down: each is below what was below it.
    caught_up(async |source| {
        let steps = [
            below(&source.bottom, None),
            below(&source.middle, Some(&source.bottom)),
            below(&source.acme, Some(&source.middle)),
        ];
        put(source, Scope::Platform, &steps).await;
    })
    .await;
    // What was between is gone, and what was below it is elsewhere.
    caught_up(async |source| {
        put(
            source,
            Scope::Platform,
            &[below(&source.bottom, Some(&source.other))],
        )
        .await;
        source
            .write(Scope::Platform, async |u| {
                u.tenants().delete(source.middle.id, 1).await?;
                u.tenants().delete(source.acme.id, 1).await
            })
            .await;
    })
    .await;
    // All of a line is gone.
    caught_up(async |source| {
        source
            .write(Scope::Platform, async |u| {
                for tenant in [&source.bottom, &source.middle, &source.acme] {
                    u.tenants().delete(tenant.id, 1).await?;
                }
                Ok(())
            })
            .await;
    })
    .await;
}

#[tokio::test]
async fn records_may_have_swapped_their_keys_and_grants_been_withdrawn() {
    caught_up(async |source| {
        let dump = dump(&source.storage).await;
        let records = super::installation::rows_of(&dump, source.inside(), RowKind::Record);
        let records = records.iter().filter_map(|row| match row {
            Row::Record(record) if record.provider.as_str() == "password" => Some(record),
            _ => None,
        });
        let mut records: Vec<Record> = records.cloned().collect();
        let keys: Vec<_> = records.iter().map(|record| record.key).collect();
        for record in &mut records {
            record.key = None;
        }
        let freed: Vec<_> = records.iter().cloned().map(Row::Record).collect();
        put(source, source.inside(), &freed).await;
        let last = keys.len() - 1;
        for (number, record) in records.iter_mut().enumerate() {
            record.key = keys[last - number];
            record.version += 1;
        }
        let swapped: Vec<_> = records.into_iter().map(Row::Record).collect();
        put(source, source.inside(), &swapped).await;
        source
            .write(source.inside(), async |u| {
                let ada = source.users[0].id;
                u.users()
                    .set_grant(ada, Grant::PlatformAdministrator, false)
                    .await?;
                let bob = source.users[1].id;
                u.users()
                    .set_grant(bob, Grant::PlatformAdministrator, true)
                    .await
            })
            .await;
    })
    .await;
}

#[tokio::test]
async fn everything_else_may_have_come_changed_and_gone() {
    caught_up(async |source| {
        let make = &source.make;
        source
            .write(Scope::Platform, async |u| {
                u.installation().put("a_b", b"changed", 1).await?;
                u.installation().delete("aB", 1).await?;
                u.installation().put("ab", b"new", 0).await?;
                u.flows().delete_expired(make.at(900_000), 3).await?;
                u.flows().create(&make.flow()).await?;
                u.limits().store(&make.hash(), &make.limit(9)).await?;
                let event = make.audit_event(None, "tenant.delete");
                u.audit().append(&event).await
            })
            .await;
        source
            .write(source.inside(), async |u| {
                let (at, reason) = (make.at(1), EndReason::Revoked);
                let end = SessionEnd { at, reason };
                u.sessions().end(source.session.id, end).await?;
                let eve = source.users[4].clone();
                u.users().delete(eve.id, eve.version).await?;
                u.users().create(&make.user("new")).await?;
                u.records().delete_expired(make.at(9_000_000), 5).await?;
                let (settings, version) = u.tenants().settings(source.acme.id).await?;
                let id = source.acme.id;
                u.tenants().put_settings(id, &settings, version).await
            })
            .await;
    })
    .await;
}

#[tokio::test]
async fn catching_up_can_be_interrupted_at_any_unit() {
    for fails in Fails::ALL {
        for left in 0.. {
            let source = Installation::new().await;
            let target = MemoryStorage::new();
            let more = CopyOptions {
                more_to_come: true,
                ..options(4)
            };
            copy(&source.storage, &target, &more, &mut quiet())
                .await
                .unwrap();
            rotate_names(&source, &source.users).await;
            source
                .write(Scope::Platform, async |u| {
                    let bottom = Tenant {
                        name: source.other.name.clone(),
                        ..source.bottom.clone()
                    };
                    u.tenants().delete(source.other.id, 1).await?;
                    u.tenants().update(&bottom).await
                })
                .await;
            let expected = dump(&source.storage).await;
            let failing = Failing::new(&target, left, fails);
            let result = copy(&source.storage, &failing, &more, &mut quiet()).await;
            if result.is_ok() {
                assert!(left > 5, "there are many units");
                break;
            }
            copied(&source.storage, &target, 4).await;
            let when = format!("{fails:?} after {left} units");
            assert_same(&dump(&target).await, &expected, &when);
        }
    }
}

#[tokio::test]
async fn what_has_not_changed_is_not_written_again() {
    let source = Installation::new().await;
    for piece in PIECES {
        let target = MemoryStorage::new();
        let more = CopyOptions {
            more_to_come: true,
            ..options(piece)
        };
        copy(&source.storage, &target, &more, &mut quiet())
            .await
            .unwrap();
        let counting = Failing::never(&target);
        let done = copied(&source.storage, &counting, piece).await;
        assert_eq!((done.written, done.removed), (0, 0));
        assert_eq!(counting.begun(), 2, "the marker comes and goes");
    }
}

/// The states of a source, one after another.
async fn live(source: &Installation) -> Vec<super::installation::Dump> {
    let mut states = vec![dump(&source.storage).await];
    for number in 0..40 {
        let user = source.make.user(&format!("user {number}"));
        let tenant = source.make.tenant(&format!("tenant {number}"));
        source
            .write(Scope::Platform, async |u| {
                u.tenants().create(&tenant).await?;
                u.enter(tenant.id).await?;
                u.users().create(&user).await
            })
            .await;
        states.push(dump(&source.storage).await);
        source
            .write(source.inside(), async |u| {
                let users = u.users().list(None, Page::first(1)).await?;
                let mut user = users[0].clone();
                user.credential_epoch += 1;
                u.users().update(&user).await
            })
            .await;
        states.push(dump(&source.storage).await);
    }
    states
}

#[tokio::test]
async fn a_copy_of_a_source_in_use_is_one_of_its_states() {
    let source = Installation::new().await;
    let target = MemoryStorage::new();
    let more = CopyOptions {
        more_to_come: true,
        ..options(4)
    };
    let mut progress = quiet();
    let (copied_live, states) = tokio::join!(
        copy(&source.storage, &target, &more, &mut progress),
        live(&source)
    );
    copied_live.unwrap();
    let found = dump(&target).await;
    let state = states.iter().position(|state| *state == found);
    let state = state.expect("the copy is one of the states");
    assert!(state < 5, "it is the state of the beginning: {state}");
    copied(&source.storage, &target, 4).await;
    let expected = dump(&source.storage).await;
    assert_same(&dump(&target).await, &expected, "caught up");
}
