//! The first administrator.

use std::time::Duration;

use gatelodge_core::{
    ErrorKind, Result,
    model::{Grant, Tenant, TenantName, User, UserName},
    secret::{Secret, Token},
    service::FirstAdministrator,
};

use crate::support::{MILLISECOND, World, kind};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn first(token: &str, tenant: &str, word: &str) -> FirstAdministrator {
    FirstAdministrator {
        token: Secret::new(token),
        tenant: TenantName::new(tenant).unwrap(),
        user_name: UserName::new("root").unwrap(),
        password: Secret::new(word),
    }
}

async fn prepared(world: &World) -> Token {
    let token = world.platform.set_up().prepare().await.unwrap();
    token.expect("nobody was set up yet")
}

async fn complete(world: &World, new: FirstAdministrator) -> Result<(Tenant, User)> {
    let client = crate::support::Browser::anywhere(world).await.client;
    world.platform.set_up().complete(new, &client).await
}

#[tokio::test]
async fn a_set_up_link_makes_one_administrator_and_never_another() {
    let world = World::new().await;
    let token = prepared(&world).await;
    let made = complete(&world, first(token.expose(), "acme", "long enough")).await;
    let (tenant, user) = made.unwrap();
    let browser = world.signed_in(&tenant, "root", "long enough").await;
    let session = world.session(&browser).await;
    assert_eq!(session.user.id, user.id);
    assert_eq!(session.grants, Grant::ALL);

    let again = complete(&world, first(token.expose(), "other", "long enough")).await;
    assert_eq!(kind(again), ErrorKind::NotFound);
    assert_eq!(world.platform.set_up().prepare().await.unwrap(), None);
    for made in ["tenant.create", "user.create"] {
        assert_eq!(world.count(&tenant, made).await, 1);
    }
}

#[tokio::test]
async fn a_set_up_link_lives_for_a_day() {
    let world = World::new().await;
    let token = prepared(&world).await;
    let set_up = world.platform.set_up();
    let secret = Secret::new(token.expose());
    world.pass(DAY - MILLISECOND);
    set_up.check(&secret).await.unwrap();
    world.pass(MILLISECOND);
    assert_eq!(kind(set_up.check(&secret).await), ErrorKind::NotFound);
    let late = complete(&world, first(token.expose(), "acme", "long enough")).await;
    assert_eq!(kind(late), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_wrong_token_and_an_older_one_are_refused_alike() {
    let world = World::new().await;
    let unprepared = complete(&world, first("anything", "acme", "long enough")).await;
    assert_eq!(kind(unprepared), ErrorKind::NotFound);
    let older = prepared(&world).await;
    let newer = prepared(&world).await;
    for token in ["", "wrong", older.expose()] {
        let refused = complete(&world, first(token, "acme", "long enough")).await;
        assert_eq!(kind(refused), ErrorKind::NotFound);
    }
    let made = complete(&world, first(newer.expose(), "acme", "long enough")).await;
    made.unwrap();
}

#[tokio::test]
async fn of_racing_set_ups_exactly_one_succeeds() {
    let world = World::new().await;
    let token = prepared(&world).await;
    let mut tasks = Vec::new();
    for racer in 0..8 {
        let platform = world.platform.clone();
        let new = first(token.expose(), &format!("tenant {racer}"), "long enough");
        tasks.push(tokio::spawn(async move {
            let client = Default::default();
            platform.set_up().complete(new, &client).await
        }));
    }
    let mut made = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => made += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
        }
    }
    assert_eq!(made, 1);
}

#[tokio::test]
async fn a_refused_set_up_changes_nothing_and_leaves_the_link_usable() {
    let world = World::new().await;
    world.tenant("Taken").await;
    let token = prepared(&world).await;
    let weak = complete(&world, first(token.expose(), "acme", "abc")).await;
    let weak = weak.unwrap_err();
    assert_eq!(
        (weak.kind(), weak.field()),
        (ErrorKind::Invalid, Some("password"))
    );
    let taken = complete(&world, first(token.expose(), "taken", "long enough")).await;
    assert_eq!(kind(taken), ErrorKind::AlreadyExists);
    complete(&world, first(token.expose(), "acme", "long enough"))
        .await
        .unwrap();
}

#[tokio::test]
async fn wrong_tokens_are_limited_and_weak_passwords_are_not() {
    let world = World::with(|plan| plan.limits.network.free_tries = 3).await;
    let token = prepared(&world).await;
    for _ in 0..5 {
        let weak = complete(&world, first(token.expose(), "acme", "abc")).await;
        assert_eq!(kind(weak), ErrorKind::Invalid);
    }
    for _ in 0..3 {
        let wrong = complete(&world, first("wrong", "acme", "long enough")).await;
        assert_eq!(kind(wrong), ErrorKind::NotFound);
    }
    let limited = complete(&world, first(token.expose(), "acme", "long enough")).await;
    assert_eq!(kind(limited), ErrorKind::Limited);
}

#[tokio::test]
async fn a_skipped_set_up_prints_no_link() {
    let world = World::new().await;
    let token = prepared(&world).await;
    world.platform.set_up().skip().await.unwrap();
    assert_eq!(world.platform.set_up().prepare().await.unwrap(), None);
    let refused = complete(&world, first(token.expose(), "acme", "long enough")).await;
    assert_eq!(kind(refused), ErrorKind::NotFound);
}
