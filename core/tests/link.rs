//! Signing in by a link.

use std::sync::Arc;

use gatelodge_core::{
    ErrorKind, Result,
    engine::{Progress, ReplyAnswer, StartFlow},
    model::Tenant,
    provider::LinkPurpose,
    secret::Secret,
};

use crate::{
    providers::Link,
    support::{Browser, World, kind, refused, sign_in_at},
};

const TOKEN: &str = "a token that nobody guesses";

async fn world_with(scope: Option<&str>) -> (World, Tenant, gatelodge_core::model::User) {
    let (world, acme, ada) = world_without(scope).await;
    let mut enrolling = enrolling(&world, &acme).await;
    keep(&world, &mut enrolling).await;
    (world, acme, ada)
}

async fn world_without(scope: Option<&str>) -> (World, Tenant, gatelodge_core::model::User) {
    let link = Arc::new(Link {
        scope: scope.map(str::to_owned),
    });
    let world = World::with(|plan| plan.more = vec![("link", link)]).await;
    let acme = world.tenant("acme").await;
    let ada = world.user(&acme, "ada", "ada's word").await;
    (world, acme, ada)
}

/// Ada about to have a link made, by her word so far.
async fn enrolling(world: &World, acme: &Tenant) -> Browser {
    let browser = world.signed_in(acme, "ada", "ada's word").await;
    let mut enrolling = browser.enrolling(world, "link").await;
    enrolling.word(world, "ada", "ada's word").await.unwrap();
    enrolling
}

async fn keep(world: &World, enrolling: &mut Browser) {
    let kept = enrolling.fill(world, "link", &[("token", TOKEN)]).await;
    kept.unwrap();
}

async fn follow(world: &World, tenant: &Tenant, token: &str) -> Result<Browser> {
    let start = StartFlow {
        link: Some((LinkPurpose::SignIn, Secret::new(token))),
        ..sign_in_at(tenant)
    };
    Browser::start(world, start).await
}

async fn confirm(world: &World, browser: &mut Browser) -> Result<Progress> {
    let action = ReplyAnswer::Action("confirm".to_owned());
    browser.answer(world, "link", action).await
}

#[tokio::test]
async fn a_link_signs_in_once_and_opening_it_uses_nothing_up() {
    let (world, acme, ada) = world_with(None).await;
    let opened = follow(&world, &acme, TOKEN).await.unwrap();
    assert_eq!(opened.asked_by(), ["link"]);
    let mut late = follow(&world, &acme, TOKEN).await.unwrap();
    let mut browser = follow(&world, &acme, TOKEN).await.unwrap();
    confirm(&world, &mut browser).await.unwrap();
    assert_eq!(world.session(&browser).await.user.id, ada.id);
    assert!(refused(&confirm(&world, &mut late).await.unwrap()));
    let again = follow(&world, &acme, TOKEN).await;
    assert_eq!(kind(again), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_wrong_link_and_another_tenants_lead_nowhere() {
    let (world, acme, _) = world_with(None).await;
    let other = world.tenant("other").await;
    assert_eq!(
        kind(follow(&world, &acme, "wrong").await),
        ErrorKind::NotFound
    );
    assert_eq!(
        kind(follow(&world, &other, TOKEN).await),
        ErrorKind::NotFound
    );
    let start = StartFlow {
        link: Some((LinkPurpose::Reset, Secret::new(TOKEN))),
        ..sign_in_at(&acme)
    };
    assert_eq!(
        kind(Browser::start(&world, start).await),
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn of_parallel_uses_of_one_link_exactly_one_signs_in() {
    let (world, acme, _) = world_with(None).await;
    let world = Arc::new(world);
    let mut browsers = Vec::new();
    for _ in 0..16 {
        browsers.push(follow(&world, &acme, TOKEN).await.unwrap());
    }
    let mut tasks = Vec::new();
    for mut browser in browsers {
        let world = world.clone();
        tasks.push(tokio::spawn(async move {
            confirm(&world, &mut browser).await.unwrap();
            browser.token().is_some()
        }));
    }
    let mut signed_in = 0;
    for task in tasks {
        signed_in += u32::from(task.await.unwrap());
    }
    assert_eq!(signed_in, 1);
}

/// U7: a refusal because of a lock does not use the link up.
#[tokio::test]
async fn a_locked_persons_link_works_again_after_the_lock() {
    let (world, acme, ada) = world_with(None).await;
    world.lock_user((acme.id, ada.id)).await.unwrap();
    let mut browser = follow(&world, &acme, TOKEN).await.unwrap();
    assert!(refused(&confirm(&world, &mut browser).await.unwrap()));
    let operator = gatelodge_core::access::Caller::operator();
    let users = world.platform.users();
    users.unlock(&operator, acme.id, ada.id).await.unwrap();
    confirm(&world, &mut browser).await.unwrap();
    assert!(browser.token().is_some());
}

#[tokio::test]
async fn a_links_purpose_limits_the_session() {
    let (world, acme, _) = world_with(Some("one-page")).await;
    let mut browser = follow(&world, &acme, TOKEN).await.unwrap();
    confirm(&world, &mut browser).await.unwrap();
    let session = world.session(&browser).await;
    assert_eq!(session.session.scope.as_deref(), Some("one-page"));
    let caller = world.caller(&browser).await;
    let page = gatelodge_core::storage::Page::first(10);
    let own = world.platform.sessions().list_own(&caller, page).await;
    assert_eq!(kind(own), ErrorKind::Denied);
}

/// S12: a link is one factor, too.
#[tokio::test]
async fn s12_a_link_does_not_replace_the_second_factor() {
    let (world, acme, _) = world_without(None).await;
    let set_up = world.enrol_code(&acme, "ada", "ada's word", "123456").await;
    let mut enrolling = set_up.enrolling(&world, "link").await;
    enrolling.word(&world, "ada", "ada's word").await.unwrap();
    enrolling.code(&world, "123456").await.unwrap();
    keep(&world, &mut enrolling).await;
    let mut browser = follow(&world, &acme, TOKEN).await.unwrap();
    confirm(&world, &mut browser).await.unwrap();
    assert!(browser.token().is_none());
    assert_eq!(browser.asked_by(), ["code"]);
    browser.code(&world, "123456").await.unwrap();
    assert!(browser.token().is_some());
}
