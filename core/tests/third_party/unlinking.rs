//! Removing a link: after a proof, and never the last way in.

use std::sync::Arc;

use gatelodge_core::{
    ErrorKind, Result,
    access::Caller,
    engine::{Progress, StartFlow, Transport},
    model::{Grant, RecordId, User},
    provider::Intent,
    service::LinkedIdentity,
};

use super::{House, Person, come, creating, house, house_where, link, press};
use crate::support::{Browser, kind, provider, refused};

const REMOVE: &str = "duty:remove-factor";

async fn removing(house: &House, browser: &Browser, id: RecordId) -> Result<Browser> {
    let start = StartFlow {
        intent: Intent::Remove,
        session: Some(house.world.session(browser).await),
        factor: Some(id),
        ..StartFlow::sign_in(Transport::Cookie)
    };
    browser.again(&house.world, start).await
}

/// Somebody made by `google`, who has no word.
async fn eve(house: &House) -> (User, Browser) {
    let (browser, _) = house.comes("eve", Person::new("1").called("eve")).await;
    let user = house.world.session(&browser).await.user.clone();
    (user, browser)
}

/// The same with a second link, by `twin`.
async fn eve_with_two(house: &House) -> (User, Browser, [LinkedIdentity; 2]) {
    let (user, browser) = eve(house).await;
    let world = &house.world;
    let mut linking = link(world, &browser, "twin").await.unwrap();
    come(world, &mut linking, "google", "eve").await;
    come(world, &mut linking, "twin", "eve").await;
    assert!(world.knows(&linking).await);
    let links = house.links(&user).await.try_into().unwrap();
    (user, linking, links)
}

/// The question whether to remove, with everything proven.
async fn asked(house: &House, browser: &Browser, id: RecordId) -> Browser {
    let mut flow = removing(house, browser, id).await.unwrap();
    assert!(
        !flow.asked_by().contains(&REMOVE.to_owned()),
        "a proof comes first"
    );
    come(&house.world, &mut flow, "google", "eve").await;
    assert_eq!(flow.asked_by(), [REMOVE]);
    flow
}

#[tokio::test]
async fn a_link_is_removed_after_a_proof() {
    let house = house().await;
    let world = &house.world;
    let user = house.user("ada").await;
    let browser = house.linked("ada", "google", Person::new("1")).await;
    let elsewhere = house.comes("code", Person::new("1")).await.0;
    let link = house.links(&user).await.remove(0);
    let mut flow = removing(&house, &browser, link.id).await.unwrap();
    assert_eq!(flow.asked_by(), ["password", "google"]);
    flow.word(world, "ada", "wrong word").await.unwrap();
    flow.word(world, "ada", "ada's own word").await.unwrap();
    assert_eq!(flow.asked_by(), [REMOVE]);
    assert_eq!(house.links(&user).await.len(), 1, "not unasked");
    flow.answer(world, REMOVE, press("remove")).await.unwrap();
    assert!(world.knows(&flow).await);
    assert!(!world.knows(&browser).await, "what it let in ends");
    assert!(!world.knows(&elsewhere).await);
    assert!(house.links(&user).await.is_empty());
    assert_eq!(world.count(&house.acme, "user.unlink_identity").await, 1);
    let (stranger, _) = house.comes("code", Person::new("1")).await;
    assert!(stranger.token().is_none());
}

#[tokio::test]
async fn what_is_anothers_is_not_there_to_remove() {
    let house = house().await;
    let user = house.user("ada").await;
    house.user("eve").await;
    house.linked("ada", "google", Person::new("1")).await;
    let link = house.links(&user).await.remove(0);
    let eve = house
        .world
        .signed_in(&house.acme, "eve", "eve's own word")
        .await;
    let begun = removing(&house, &eve, link.id).await;
    assert_eq!(kind(begun), ErrorKind::NotFound);
}

#[tokio::test]
async fn the_last_way_in_is_not_removed() {
    let house = house_where(creating).await;
    let (user, browser) = eve(&house).await;
    let link = house.links(&user).await.remove(0);
    let begun = removing(&house, &browser, link.id).await;
    assert_eq!(kind(begun), ErrorKind::Refused);
    let users = house.world.platform.users();
    let operator = Caller::operator();
    let place = (house.acme.id, user.id);
    let removed = users.unlink_identity(&operator, place, link.id).await;
    assert_eq!(
        kind(removed),
        ErrorKind::Refused,
        "by an administrator neither"
    );
    assert_eq!(house.links(&user).await.len(), 1);
}

/// A second factor is no way in.
#[tokio::test]
async fn a_second_factor_does_not_make_up_for_the_last_way_in() {
    let house = house_where(creating).await;
    let (user, browser) = eve(&house).await;
    let world = &house.world;
    let mut flow = browser.enrolling(world, "code").await;
    come(world, &mut flow, "google", "eve").await;
    flow.fill(world, "code", &[("new_code", "123456")])
        .await
        .unwrap();
    assert!(world.knows(&flow).await);
    let link = house.links(&user).await.remove(0);
    assert_eq!(
        kind(removing(&house, &flow, link.id).await),
        ErrorKind::Refused
    );
}

#[tokio::test]
async fn of_two_links_one_may_go() {
    let house = house_where(creating).await;
    let (user, browser, links) = eve_with_two(&house).await;
    let mut flow = asked(&house, &browser, links[0].id).await;
    flow.answer(&house.world, REMOVE, press("remove"))
        .await
        .unwrap();
    assert!(house.world.knows(&flow).await);
    let left = house.links(&user).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].connection, provider("twin"));
    assert_eq!(
        kind(removing(&house, &flow, left[0].id).await),
        ErrorKind::Refused
    );
}

/// Both are asked about, and only then both are removed.
#[tokio::test]
async fn of_two_removals_of_the_last_two_links_one_succeeds() {
    let house = house_where(creating).await;
    let (user, browser, links) = eve_with_two(&house).await;
    let world = &house.world;
    let mut one = asked(&house, &browser, links[0].id).await;
    let mut two = asked(&house, &browser, links[1].id).await;
    let outcomes = tokio::join!(
        one.answer(world, REMOVE, press("remove")),
        two.answer(world, REMOVE, press("remove")),
    );
    let complete = |p: &Result<Progress>| matches!(p, Ok(Progress::Complete(_)));
    let done = [complete(&outcomes.0), complete(&outcomes.1)];
    assert_eq!(done.iter().filter(|done| **done).count(), 1, "{outcomes:?}");
    assert_eq!(house.links(&user).await.len(), 1);
}

/// An administrator removes one while its owner removes the other.
#[tokio::test]
async fn owner_and_administrator_do_not_remove_the_last_two_links() {
    let house = Arc::new(house_where(creating).await);
    let (user, browser, links) = eve_with_two(&house).await;
    let mut flow = asked(&house, &browser, links[0].id).await;
    let (shared, place) = (house.clone(), (house.acme.id, user.id));
    let second = links[1].id;
    let removal = async move {
        let users = shared.world.platform.users();
        let operator = Caller::operator();
        users
            .unlink_identity(&operator, place, second)
            .await
            .unwrap();
    };
    house.world.storage.before_write(0, Box::pin(removal));
    let answer = flow.answer(&house.world, REMOVE, press("remove")).await;
    assert!(refused(&answer.unwrap()));
    let left = house.links(&user).await;
    assert_eq!(left.len(), 1);

    // Nor when the owner is first.
    let house = Arc::new(house_where(creating).await);
    let (user, browser, links) = eve_with_two(&house).await;
    let mut flow = asked(&house, &browser, links[0].id).await;
    let (shared, place) = (house.clone(), (house.acme.id, user.id));
    let removal = async move {
        let answer = flow.answer(&shared.world, REMOVE, press("remove")).await;
        assert!(matches!(answer, Ok(Progress::Complete(_))), "{answer:?}");
    };
    house.world.storage.before_write(0, Box::pin(removal));
    let users = house.world.platform.users();
    let removed = users
        .unlink_identity(&Caller::operator(), place, links[1].id)
        .await;
    assert_eq!(kind(removed), ErrorKind::Refused);
    assert_eq!(house.links(&user).await.len(), 1);
}

/// What is there for other tenants only is no way in here.
#[tokio::test]
async fn a_connection_that_is_not_offered_is_no_way_in() {
    let house = super::house_with(|plan| {
        let mut rule = gatelodge_core::provider::Admission::default();
        creating(&mut rule);
        plan.offerings = super::offering(rule);
        let elsewhere = gatelodge_core::provider::Offering {
            tenants: Some(vec![
                gatelodge_core::model::TenantName::new("other").unwrap(),
            ]),
            ..Default::default()
        };
        plan.offerings.insert("twin", elsewhere);
    })
    .await;
    let (user, browser) = eve(&house).await;
    let world = &house.world;
    let begun = link(world, &browser, "twin").await;
    assert_eq!(kind(begun), ErrorKind::NotFound);
    let link = house.links(&user).await.remove(0);
    assert_eq!(
        kind(removing(&house, &browser, link.id).await),
        ErrorKind::Refused
    );
}

#[tokio::test]
async fn an_administrator_removes_a_link_and_ends_what_it_let_in() {
    let house = house().await;
    let world = &house.world;
    let user = house.user("ada").await;
    let browser = house.linked("ada", "google", Person::new("1")).await;
    let (_, chief) = world
        .administrator(&house.acme, "chief", Grant::TenantAdministrator)
        .await;
    let other = world.tenant("other").await;
    let (_, stranger) = world
        .administrator(&other, "chief", Grant::TenantAdministrator)
        .await;
    let link = house.links(&user).await.remove(0);
    let (users, place) = (world.platform.users(), (house.acme.id, user.id));
    let refused = users.identities(&stranger, place.0, place.1).await;
    assert_eq!(kind(refused), ErrorKind::NotFound);
    let refused = users.unlink_identity(&stranger, place, link.id).await;
    assert_eq!(kind(refused), ErrorKind::NotFound);
    let own = world.caller(&browser).await;
    let refused = users.identities(&own, place.0, place.1).await;
    assert!(refused.is_err(), "it is no list for users");
    users.unlink_identity(&chief, place, link.id).await.unwrap();
    assert!(!world.knows(&browser).await);
    assert!(house.links(&user).await.is_empty());
    let again = users.unlink_identity(&chief, place, link.id).await;
    assert_eq!(kind(again), ErrorKind::NotFound);
}
