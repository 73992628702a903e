//! Third parties are asked again about those whom they let in.

use std::{sync::Arc, time::Duration};

use gatelodge_core::{
    Error, ErrorKind,
    engine::{Progress, Reply},
    model::{Actor, SessionSettings, TenantSettings, User},
    provider::{Rechecked, State},
};

use super::{House, Person, house, house_with, linked_in, press};
use crate::{
    races::{ALIGNMENTS, aligned},
    support::{Browser, fields, kind, minutes, provider},
};

const HOUR: Duration = Duration::from_secs(60 * 60);
const SECOND: Duration = Duration::from_secs(1);

fn ada() -> Person {
    Person::new("ada-1").keeping("first")
}

fn welcome(keep: &str) -> gatelodge_core::Result<Rechecked> {
    let keep = State(keep.as_bytes().to_vec());
    Ok(Rechecked::Welcome { keep })
}

fn barred() -> gatelodge_core::Result<Rechecked> {
    let reason = "suspended".to_owned();
    Ok(Rechecked::Barred { reason })
}

/// A house whose sessions last for a day without use.
async fn lasting() -> House {
    let house = house().await;
    last(&house).await;
    house
}

async fn last(house: &House) {
    let settings = TenantSettings {
        session: SessionSettings {
            idle_minutes: Some(60 * 24),
            absolute_minutes: Some(60 * 24),
            ..SessionSettings::default()
        },
        ..TenantSettings::default()
    };
    house.world.put_settings(&house.acme, settings).await;
}

/// Ada, linked and signed in.
async fn signed_in(house: &House) -> (User, Browser) {
    let user = house.user("ada").await;
    let browser = house.linked("ada", "google", ada()).await;
    (user, browser)
}

impl House {
    /// Lets one call of the server's loop come; answers with what it asked.
    async fn rechecks(&self) -> Vec<String> {
        self.world.platform.recheck_identities().await.unwrap();
        self.abroad.asked()
    }
}

#[tokio::test]
async fn who_is_signed_in_is_asked_about_every_hour() {
    let house = lasting().await;
    let (_, browser) = signed_in(&house).await;
    assert!(house.rechecks().await.is_empty(), "it has just been said");
    house.world.pass(HOUR - SECOND);
    assert!(house.rechecks().await.is_empty());
    house.world.pass(minutes(5));
    house
        .abroad
        .will_answer([welcome("second"), welcome("third")]);
    assert_eq!(house.rechecks().await, ["first"]);
    house.world.pass(minutes(59));
    assert!(house.rechecks().await.is_empty());
    house.world.pass(minutes(6));
    assert_eq!(house.rechecks().await, ["second"], "what it gave anew");
    house.world.pass(minutes(66));
    assert_eq!(house.rechecks().await, ["third"]);
    assert!(house.world.knows(&browser).await);
    assert_eq!(house.world.count(&house.acme, "user.bar").await, 0);
}

/// What a third party gave stays when it gives nothing the next time, also by a choice.
#[tokio::test]
async fn what_was_kept_is_renewed_and_not_lost() {
    let house = lasting().await;
    let (world, other) = (&house.world, house.world.tenant("other").await);
    signed_in(&house).await;
    world.user(&other, "ada", "ada's own word").await;
    linked_in(&house, &other, "ada", ("google", ada().keeping("other's"))).await;
    house.comes("nothing", Person::new("ada-1")).await;
    house.abroad.says("nothing", Person::new("ada-1"));
    let mut browser = Browser::anywhere(world).await;
    super::come(world, &mut browser, "google", "nothing").await;
    let chosen = browser.fill(world, "duty:choose-tenant", &[("tenant", "acme")]);
    chosen.await.unwrap();
    world.pass(HOUR);
    let mut asked = house.rechecks().await;
    asked.sort_unstable();
    assert_eq!(asked, ["first"], "sessions of the other tenant are over");

    house.comes("renewed", ada().keeping("renewed")).await;
    assert!(
        house.rechecks().await.is_empty(),
        "the third party has just said so"
    );
    world.pass(HOUR);
    assert_eq!(house.rechecks().await, ["renewed"]);
}

#[tokio::test]
async fn whom_a_third_party_bars_is_signed_out() {
    let house = lasting().await;
    let (user, browser) = signed_in(&house).await;
    let bystander = {
        house.user("eve").await;
        house.linked("eve", "google", Person::new("eve-1")).await
    };
    let mut stays = Browser::at_tenant(&house.world, &house.acme).await;
    let reply = Reply {
        step: None,
        provider: "password".to_owned(),
        answer: fields(&[("user_name", "ada"), ("password", "ada's own word")]),
        device: None,
        stay: true,
    };
    stays.send(&house.world, reply).await.unwrap();
    house.world.pass(HOUR);
    house.abroad.will_answer([barred()]);
    assert_eq!(house.rechecks().await, ["first"]);
    assert!(!house.world.knows(&browser).await);
    assert!(!house.world.knows(&stays).await);
    let users = house.world.platform.users();
    let operator = gatelodge_core::access::Caller::operator();
    let devices = users.devices(&operator, house.acme.id, user.id).await;
    assert!(devices.unwrap().is_empty());
    assert!(house.world.knows(&bystander).await);
    let events = house.world.audit(Some(house.acme.id)).await;
    let bars: Vec<_> = events.iter().filter(|e| e.action == "user.bar").collect();
    assert_eq!(bars.len(), 1);
    assert!(matches!(bars[0].actor, Actor::System));
    assert_eq!(bars[0].object_id, Some(user.id.to_string()));

    // It was told once. Until they come by it again there is nothing to ask with.
    house
        .world
        .signed_in(&house.acme, "ada", "ada's own word")
        .await;
    house.world.pass(HOUR + minutes(5));
    assert!(house.rechecks().await.is_empty());
    let (back, _) = house.comes("back", ada().keeping("new")).await;
    house.world.pass(HOUR);
    assert_eq!(house.rechecks().await, ["new"]);
    assert!(house.world.knows(&back).await);
}

/// What the third party says of the person holds in each tenant.
#[tokio::test]
async fn who_is_barred_is_signed_out_in_every_tenant() {
    let house = house().await;
    let other = house.world.tenant("other").await;
    let settings = TenantSettings {
        session: SessionSettings {
            idle_minutes: Some(60 * 24),
            absolute_minutes: Some(60 * 24),
            ..SessionSettings::default()
        },
        ..TenantSettings::default()
    };
    house.world.put_settings(&other, settings.clone()).await;
    house.world.put_settings(&house.acme, settings).await;
    let (_, here) = signed_in(&house).await;
    house.world.user(&other, "ada", "ada's own word").await;
    let there = linked_in(&house, &other, "ada", ("google", ada())).await;
    house.world.pass(HOUR);
    house.abroad.will_answer([barred()]);
    assert_eq!(
        house.rechecks().await.len(),
        1,
        "nobody is left to be asked about"
    );
    assert!(!house.world.knows(&here).await);
    assert!(!house.world.knows(&there).await);
}

#[tokio::test]
async fn who_is_not_signed_in_is_not_asked_about() {
    let house = house().await;
    let (_, browser) = signed_in(&house).await;
    house.world.pass(HOUR);
    assert!(!house.world.knows(&browser).await, "idle for too long");
    assert!(house.rechecks().await.is_empty());
    let browser = house
        .world
        .signed_in(&house.acme, "ada", "ada's own word")
        .await;
    house.world.pass(minutes(6));
    assert_eq!(house.rechecks().await, ["first"]);
    assert!(house.world.knows(&browser).await);
}

/// A device brings sessions back, so it counts.
#[tokio::test]
async fn who_is_kept_signed_in_on_a_device_is_asked_about() {
    let house = house().await;
    signed_in(&house).await;
    let mut stays = Browser::at_tenant(&house.world, &house.acme).await;
    let reply = Reply {
        step: None,
        provider: "password".to_owned(),
        answer: fields(&[("user_name", "ada"), ("password", "ada's own word")]),
        device: None,
        stay: true,
    };
    let progress = stays.send(&house.world, reply).await.unwrap();
    assert!(matches!(progress, Progress::Complete(_)));
    house.world.pass(2 * HOUR);
    assert!(!house.world.knows(&stays).await);
    assert_eq!(house.rechecks().await, ["first"]);
}

#[tokio::test]
async fn where_nothing_is_kept_nobody_is_asked() {
    let house = lasting().await;
    house.user("ada").await;
    house.linked("ada", "google", Person::new("ada-1")).await;
    house.world.pass(HOUR);
    assert!(house.rechecks().await.is_empty());
}

/// No answer is no answer: nobody is signed out for it, and the next ones are not waited
/// for either.
#[tokio::test]
async fn a_third_party_that_is_silent_bars_nobody() {
    let house = lasting().await;
    let (_, browser) = signed_in(&house).await;
    house.user("eve").await;
    let eve = house
        .linked("eve", "google", Person::new("eve-1").keeping("eve's"))
        .await;
    house.world.pass(HOUR);
    let silent = Error::new(ErrorKind::Unavailable, "nobody answers there");
    house
        .abroad
        .will_answer([Err(silent), Ok(Rechecked::Unknown {})]);
    let first = house.rechecks().await;
    assert_eq!(first.len(), 1);
    assert!(house.rechecks().await.is_empty(), "not at once");
    house.world.pass(minutes(5));
    let second = house.rechecks().await;
    assert_eq!(second.len(), 1);
    assert_ne!(first, second, "the other one's turn");
    house.world.pass(minutes(61));
    let mut both = house.rechecks().await;
    both.sort_unstable();
    assert_eq!(both, ["eve's", "first"], "asked again later");
    assert!(house.world.knows(&browser).await);
    assert!(house.world.knows(&eve).await);
}

/// Of two servers one asks.
#[tokio::test]
async fn two_servers_do_not_ask_about_one_person_at_once() {
    let house = Arc::new(lasting().await);
    signed_in(&house).await;
    let node = house.world.another_node().await;
    house.world.pass(HOUR);
    // The other one looks after this one has, and notes it first.
    let (first, shared) = (node.clone(), house.clone());
    let other = async move {
        first.recheck_identities().await.unwrap();
        assert_eq!(shared.abroad.asked(), ["first"]);
    };
    house.world.storage.before_write(0, Box::pin(other));
    assert!(house.rechecks().await.is_empty());

    house.world.pass(HOUR + minutes(5));
    let (one, two) = tokio::join!(
        house.world.platform.recheck_identities(),
        node.recheck_identities(),
    );
    assert!(!one.unwrap() && !two.unwrap());
    assert_eq!(house.abroad.asked().len(), 1);
}

/// A sign-in is not disturbed by being asked about at the same time.
#[tokio::test]
async fn a_sign_in_and_a_recheck_at_once_both_succeed() {
    for steps in 0..ALIGNMENTS {
        let house = lasting().await;
        signed_in(&house).await;
        house.world.pass(HOUR);
        let (comes, rechecked) = aligned(
            steps,
            house.comes("newer", ada().keeping("newer")),
            house.world.platform.recheck_identities(),
        )
        .await;
        assert!(comes.0.token().is_some(), "{steps}: {:?}", comes.1);
        rechecked.unwrap();
        house.abroad.asked();
        house.world.pass(HOUR + minutes(5));
        assert_eq!(house.rechecks().await, ["newer"], "{steps}");
    }
}

/// Nothing is held while the third party thinks: the link can be renewed or removed, and
/// what it then says takes nobody's place.
#[tokio::test]
async fn what_changes_while_it_is_asked_stays() {
    let house = Arc::new(lasting().await);
    let (user, _) = signed_in(&house).await;
    house.world.pass(HOUR);
    house
        .abroad
        .meanwhile(Box::pin(signs_in_first(house.clone())));
    house.abroad.will_answer([welcome("older")]);
    assert_eq!(house.rechecks().await, ["first"]);
    house.world.pass(HOUR + minutes(5));

    let shared = house.clone();
    let unlinks = async move {
        let users = shared.world.platform.users();
        let operator = gatelodge_core::access::Caller::operator();
        let place = (shared.acme.id, user.id);
        let link = shared.links(&user).await.remove(0);
        users
            .unlink_identity(&operator, place, link.id)
            .await
            .unwrap();
    };
    house.abroad.meanwhile(Box::pin(unlinks));
    house.abroad.will_answer([welcome("too late")]);
    assert_eq!(house.rechecks().await, ["newer"]);
    house.world.pass(HOUR + minutes(5));
    assert!(house.rechecks().await.is_empty());
}

/// Somebody signs in by the third party while that is asked about them.
async fn signs_in_first(house: Arc<House>) {
    house.comes("newer", ada().keeping("newer")).await;
}

/// A call does so much, and says whether there is more.
#[tokio::test]
async fn the_work_of_one_call_is_bounded() {
    let house = house_with(|plan| plan.limits.flows_per_minute = 10_000).await;
    last(&house).await;
    for number in 0..45 {
        let name = format!("user-{number}");
        house.user(&name).await;
        let person = Person::new(&name).keeping(&name);
        house.linked(&name, "google", person).await;
    }
    house.world.pass(HOUR);
    let mut asked = Vec::new();
    for (more, most) in [(true, 20), (true, 20), (false, 5)] {
        assert_eq!(
            house.world.platform.recheck_identities().await.unwrap(),
            more
        );
        let now = house.abroad.asked();
        assert_eq!(now.len(), most);
        asked.extend(now);
    }
    asked.sort_unstable();
    asked.dedup();
    assert_eq!(asked.len(), 45, "each once");
    assert!(house.rechecks().await.is_empty());
}

/// Too much to keep is not kept; a fault of the storage is told, and the rest goes on.
#[tokio::test]
async fn nonsense_from_a_third_party_changes_nothing() {
    let house = lasting().await;
    let (_, browser) = signed_in(&house).await;
    house.world.pass(HOUR);
    house.abroad.will_answer([welcome(&"x".repeat(16_385))]);
    assert_eq!(house.rechecks().await, ["first"]);
    house.world.pass(HOUR + minutes(5));
    assert_eq!(house.rechecks().await, ["first"], "what was kept stays");
    assert!(house.world.knows(&browser).await);

    house.world.pass(HOUR + minutes(5));
    house.world.storage.break_down(true);
    let failed = house.world.platform.recheck_identities().await;
    assert_eq!(kind(failed), ErrorKind::Unavailable);
    house.world.storage.break_down(false);
    assert_eq!(house.rechecks().await, ["first"]);
}

/// An identity that was barred leaves its account alone.
#[tokio::test]
async fn the_link_of_who_was_barred_can_be_removed() {
    let house = lasting().await;
    let (user, _) = signed_in(&house).await;
    house.world.pass(HOUR);
    house.abroad.will_answer([barred()]);
    house.rechecks().await;
    let browser = house
        .world
        .signed_in(&house.acme, "ada", "ada's own word")
        .await;
    let link = house.links(&user).await.remove(0);
    assert_eq!(link.connection, provider("google"));
    let start = gatelodge_core::engine::StartFlow {
        intent: gatelodge_core::provider::Intent::Remove,
        session: Some(house.world.session(&browser).await),
        factor: Some(link.id),
        ..gatelodge_core::engine::StartFlow::sign_in(gatelodge_core::engine::Transport::Cookie)
    };
    let mut flow = browser.again(&house.world, start).await.unwrap();
    flow.word(&house.world, "ada", "ada's own word")
        .await
        .unwrap();
    flow.answer(&house.world, "duty:remove-factor", press("remove"))
        .await
        .unwrap();
    assert!(house.links(&user).await.is_empty());
}
