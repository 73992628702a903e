//! Administrators who let somebody choose a new credential.

use gatelodge_core::{
    ErrorKind,
    access::Caller,
    engine::{DutyReason, StepBody},
    model::{Grant, MustChange, Tenant, User},
};

use crate::support::{Browser, World, kind, refused};

struct House {
    world: World,
    acme: Tenant,
    root: Caller,
    ada: User,
}

async fn house() -> House {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let grant = Grant::TenantAdministrator;
    let (_, root) = world.administrator(&acme, "root", grant).await;
    let ada = world.user(&acme, "ada", "first word").await;
    House {
        world,
        acme,
        root,
        ada,
    }
}

impl House {
    async fn require(&self, reason: MustChange) -> gatelodge_core::Result<User> {
        let users = self.world.platform.users();
        let place = (self.acme.id, self.ada.id);
        users.require_change(&self.root, place, None, reason).await
    }
}

fn message(browser: &Browser) -> String {
    match &browser.view.step.as_ref().unwrap().body {
        StepBody::Prompt { form, .. } => form.message.clone().unwrap(),
        other => panic!("{other:?}"),
    }
}

/// v5.0.0-6.4.6: whoever demands it learns nothing of the old or new word.
#[tokio::test]
async fn an_administrator_asks_for_a_change_and_sessions_go_on() {
    let house = house().await;
    let (world, acme) = (&house.world, &house.acme);
    let open = world.signed_in(acme, "ada", "first word").await;
    let ada = house.require(MustChange::Administrator).await.unwrap();
    assert_eq!(ada.must_change, Some(MustChange::Administrator));
    assert_eq!(ada.version, house.ada.version + 1);
    assert!(world.knows(&open).await);
    let again = house.require(MustChange::Administrator).await.unwrap();
    assert_eq!(again.version, ada.version, "nothing changes");
    assert_eq!(world.count(acme, "user.require_change").await, 1);

    let mut browser = Browser::at_tenant(world, acme).await;
    browser.word(world, "ada", "first word").await.unwrap();
    let step = browser.view.step.as_ref().unwrap();
    assert_eq!(step.reason, Some(DutyReason::Administrator));
    assert!(message(&browser).starts_with("Your administrator asks"));
    browser.change_word(world, "second word").await.unwrap();
    assert!(world.knows(&browser).await);
    let ada = world.read_user((acme.id, house.ada.id)).await;
    assert_eq!(ada.must_change, None);
}

/// S20: what was let in with a word that others know is out at once.
#[tokio::test]
async fn s20_a_known_word_ends_sessions_and_sign_ins_under_way() {
    let house = house().await;
    let (world, acme) = (&house.world, &house.acme);
    world.enrol_code(acme, "ada", "first word", "123456").await;
    let mut open = Browser::at_tenant(world, acme).await;
    open.word(world, "ada", "first word").await.unwrap();
    open.code(world, "123456").await.unwrap();
    assert!(world.knows(&open).await);
    let mut halfway = Browser::at_tenant(world, acme).await;
    halfway.word(world, "ada", "first word").await.unwrap();

    let ada = house.require(MustChange::Compromised).await.unwrap();
    assert_eq!(ada.must_change, Some(MustChange::Compromised));
    assert!(!world.knows(&open).await);
    let code = halfway.code(world, "123456").await.unwrap();
    assert!(refused(&code), "it was proven before");

    let mut browser = Browser::at_tenant(world, acme).await;
    browser.word(world, "ada", "first word").await.unwrap();
    browser.code(world, "123456").await.unwrap();
    assert!(browser.token().is_none());
    assert!(message(&browser).contains("known to somebody else"));
    browser.change_word(world, "second word").await.unwrap();
    assert!(world.knows(&browser).await);
    let mut old = Browser::at_tenant(world, acme).await;
    let answered = old.word(world, "ada", "first word").await.unwrap();
    assert!(refused(&answered));
}

#[tokio::test]
async fn s37_nobody_demands_it_of_those_above_and_strangers_of_nobody() {
    let house = house().await;
    let (world, acme) = (&house.world, &house.acme);
    let users = world.platform.users();
    let reason = MustChange::Compromised;
    let grant = Grant::PlatformAdministrator;
    let (boss, _) = world.administrator(acme, "boss", grant).await;
    let above = users.require_change(&house.root, (acme.id, boss.id), None, reason);
    assert_eq!(kind(above.await), ErrorKind::Denied);
    let browser = world.signed_in(acme, "ada", "first word").await;
    let plain = world.caller(&browser).await;
    let denied = users.require_change(&plain, (acme.id, boss.id), None, reason);
    assert_eq!(kind(denied.await), ErrorKind::Denied);
    let other = world.tenant("other").await;
    let foreign = users.require_change(&house.root, (other.id, house.ada.id), None, reason);
    assert_eq!(kind(foreign.await), ErrorKind::NotFound);
    let lost = users.require_change(
        &house.root,
        (
            acme.id,
            gatelodge_core::model::UserId::from_uuid(uuid::Uuid::max()),
        ),
        None,
        reason,
    );
    assert_eq!(kind(lost.await), ErrorKind::NotFound);
    assert!(world.knows(&browser).await);
    assert_eq!(world.count(acme, "user.require_change").await, 0);
}

#[tokio::test]
async fn a_stale_version_and_a_reason_that_is_nobodys_to_give_change_nothing() {
    let house = house().await;
    let users = house.world.platform.users();
    let place = (house.acme.id, house.ada.id);
    let stale = Some(house.ada.version + 1);
    let stale = users.require_change(&house.root, place, stale, MustChange::Compromised);
    assert_eq!(kind(stale.await), ErrorKind::Conflict);
    let age = house.require(MustChange::Age).await.unwrap_err();
    assert_eq!(
        (age.kind(), age.field()),
        (ErrorKind::Invalid, Some("reason"))
    );
    let ada = house.world.read_user(place).await;
    assert_eq!(ada.must_change, None);
}

#[tokio::test]
async fn the_rules_of_the_ways_to_sign_in_are_there_to_read() {
    let house = house().await;
    let tenants = house.world.platform.tenants();
    let rules = tenants.rules(&house.root, house.acme.id).unwrap();
    assert_eq!(rules.len(), 1);
    assert_eq!(rules[0].provider.as_str(), "password");
    assert_eq!(rules[0].rules[0].key.as_deref(), Some("shortest"));
    let other = house.world.tenant("other").await;
    assert!(tenants.rules(&house.root, other.id).is_err());
}
