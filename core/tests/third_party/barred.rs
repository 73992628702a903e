//! A third party, or the rules for it, do not let somebody in: what they came in by ends.

use std::sync::Arc;

use gatelodge_core::{
    engine::{Notice, Progress, Reply, ResumeDevice, Resumed, Transport},
    model::{EndReason, Session},
    provider::{Admission, Verified},
    secret::Secret,
    storage::Page,
};

use super::{House, Person, come, creating, house, house_where, linked_in};
use crate::support::{Browser, fields, provider, refused};

fn ada() -> Person {
    Person::new("ada-1").address("ada@example.org", Verified::Provider)
}

fn only_example_org(rule: &mut Admission) {
    rule.allowed_domains = vec!["example.org".to_owned()];
}

/// Signs in by word and stays signed in; answers what the browser keeps.
async fn stays(house: &House, name: &str) -> Secret {
    let mut browser = Browser::at_tenant(&house.world, &house.acme).await;
    let word = super::word_of(name);
    let reply = Reply {
        step: None,
        provider: "password".to_owned(),
        answer: fields(&[("user_name", name), ("password", &word)]),
        device: None,
        stay: true,
    };
    browser.send(&house.world, reply).await.unwrap();
    browser.done.unwrap().kept.expect("a device").token
}

async fn resumes(house: &House, token: Secret) -> bool {
    let resume = ResumeDevice {
        token,
        tenant: None,
        transport: Transport::Cookie,
        application: None,
        return_to: None,
        lane: None,
    };
    let client = crate::support::client("192.0.2.9");
    let sign_in = house.world.platform.sign_in();
    let resumed = sign_in.resume_device(resume, &client).await;
    matches!(resumed.unwrap(), Resumed::Known { .. })
}

async fn ends(house: &House, browser: &Browser) -> Option<EndReason> {
    let session = &browser.done.as_ref().unwrap().session;
    let sessions = house.world.platform.sessions();
    let operator = gatelodge_core::access::Caller::operator();
    let listed = sessions.list(&operator, session.tenant, None, false, Page::first(100));
    let all: Vec<Session> = listed.await.unwrap().items;
    let found = all.into_iter().find(|one| one.id == session.id);
    found.unwrap().ended.map(|end| end.reason)
}

#[tokio::test]
async fn an_address_outside_the_allowed_domains_is_barred() {
    let house = house_where(only_example_org).await;
    let world = &house.world;
    let user = house.user("ada").await;
    let browser = house.linked("ada", "google", ada()).await;
    let device = stays(&house, "ada").await;
    assert!(resumes(&house, device.clone()).await);
    let other = world.tenant("other").await;
    world.user(&other, "bob", "bob's own word").await;
    let bystander = world.signed_in(&other, "bob", "bob's own word").await;

    let moved = Person::new("ada-1").address("ada@example.com", Verified::Provider);
    let (refused_browser, progress) = house.comes("code", moved).await;
    assert!(refused(&progress));
    assert_eq!(refused_browser.view.notice, Some(Notice::Barred));
    assert!(!world.knows(&browser).await);
    assert_eq!(ends(&house, &browser).await, Some(EndReason::Revoked));
    assert!(!resumes(&house, device).await);
    assert!(world.knows(&bystander).await);
    let events = world.audit(Some(house.acme.id)).await;
    let bars: Vec<_> = events.iter().filter(|e| e.action == "user.bar").collect();
    assert_eq!(bars.len(), 1);
    assert_eq!(bars[0].object_id, Some(user.id.to_string()));
    let changes: Vec<_> = bars[0]
        .changes
        .iter()
        .filter_map(|c| c.new.as_deref())
        .collect();
    assert_eq!(changes, ["google", "domain_not_allowed"]);
    assert_eq!(
        world.refusals(Some(house.acme.id)).await,
        ["domain_not_allowed"]
    );

    // The account itself is nobody's to close but the administrators'.
    world.signed_in(&house.acme, "ada", "ada's own word").await;
    assert_eq!(house.links(&user).await.len(), 1);
    let (back, _) = house.comes("again", ada()).await;
    assert!(world.knows(&back).await);
}

#[tokio::test]
async fn only_proven_addresses_count_for_the_allowed_domains() {
    let house = house_where(|rule| {
        creating(rule);
        only_example_org(rule);
    })
    .await;
    for person in [
        Person::new("1").called("eve"),
        Person::new("2")
            .called("eve")
            .address("eve@example.org", Verified::Claimed),
        Person::new("3")
            .called("eve")
            .address("eve@sub.example.org", Verified::DomainOwner),
        Person::new("4")
            .called("eve")
            .address("eve@notexample.org", Verified::DomainOwner),
    ] {
        let (browser, progress) = house.comes("code", person).await;
        assert!(refused(&progress));
        assert_eq!(browser.view.notice, Some(Notice::Barred));
    }
    assert!(house.names().await.is_empty());
    let eve = Person::new("5")
        .called("eve")
        .address("eve@EXAMPLE.org", Verified::Provider);
    let (browser, _) = house.comes("code", eve).await;
    assert!(house.world.knows(&browser).await);
}

/// The third party's word holds wherever that identity is linked.
#[tokio::test]
async fn whom_the_third_party_bars_is_signed_out_everywhere() {
    let house = house().await;
    let world = &house.world;
    let other = world.tenant("other").await;
    house.user("ada").await;
    house.user("eve").await;
    world.user(&other, "ada", "ada's own word").await;
    let here = house.linked("ada", "google", ada()).await;
    let there = linked_in(&house, &other, "ada", ("google", ada())).await;
    let bystander = house.linked("eve", "google", Person::new("eve-1")).await;
    let twin = house.linked("eve", "twin", ada()).await;

    let (browser, progress) = house.comes("code", ada().barred("suspended")).await;
    assert!(refused(&progress));
    assert_eq!(browser.view.notice, Some(Notice::Barred));
    assert!(!world.knows(&here).await);
    assert!(!world.knows(&there).await);
    assert_eq!(world.count(&other, "user.bar").await, 1);
    assert!(
        world.knows(&twin).await,
        "by another connection it is somebody else"
    );
    drop(bystander);
}

/// A connection says nothing about those who come by another.
#[tokio::test]
async fn a_connection_bars_nobody_elses_people() {
    let house = house().await;
    house.user("ada").await;
    let browser = house.linked("ada", "google", ada()).await;
    house
        .abroad
        .says("lie", ada().barred("suspended").by(provider("google")));
    let mut liar = Browser::at_tenant(&house.world, &house.acme).await;
    let progress = come(&house.world, &mut liar, "twin", "lie").await;
    assert!(refused(&progress));
    assert!(house.world.knows(&browser).await);
    assert_eq!(house.world.count(&house.acme, "user.bar").await, 0);
}

/// A sign-in that is half done is worth nothing afterwards.
#[tokio::test]
async fn who_is_barred_during_a_sign_in_does_not_finish_it() {
    let house = house().await;
    let (world, acme) = (&house.world, &house.acme);
    house.user("ada").await;
    house.linked("ada", "google", ada()).await;
    world
        .enrol_code(acme, "ada", "ada's own word", "123456")
        .await;
    let (mut half, _) = house.comes("code", ada()).await;
    assert_eq!(half.asked_by(), ["code"]);
    house.comes("barred", ada().barred("suspended")).await;
    let progress = half.code(world, "123456").await.unwrap();
    assert!(!matches!(progress, Progress::Complete(_)), "{progress:?}");
}

/// Words of the third party become no more than words.
#[tokio::test]
async fn a_malformed_reason_is_not_written_down() {
    let house = house().await;
    house.comes("code", ada().barred("<b>Suspended</b>")).await;
    let refusals = house.world.refusals(Some(house.acme.id)).await;
    assert_eq!(refusals, ["malformed_reason"]);
}

/// Nobody is linked: nobody is signed out, and nobody is made.
#[tokio::test]
async fn a_barred_stranger_is_refused() {
    let house = Arc::new(house_where(creating).await);
    let (_, progress) = house.comes("code", ada().barred("suspended")).await;
    assert!(refused(&progress));
    assert!(house.names().await.is_empty());
    assert_eq!(house.world.count(&house.acme, "user.bar").await, 0);
}
