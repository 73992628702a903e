//! A connection that is there for some tenants only: in every way in.

use gatelodge_core::{
    ErrorKind, Result,
    engine::Progress,
    model::{Tenant, TenantName},
    provider::{Admission, NewAccounts, Offering},
};

use super::{House, NEW, Person, come, house_with, link, linked_in};
use crate::support::{Browser, World, kind, provider, refused, sign_in_at};

/// `google` is there for `acme` only, whose people register themselves.
async fn house() -> (House, Tenant) {
    let house = house_with(|plan| {
        let offering = Offering {
            tenants: Some(vec![TenantName::new("ACME").unwrap()]),
            admission: Admission {
                new_accounts: Some(NewAccounts::Ask),
                ..Admission::default()
            },
        };
        plan.offerings = [("google", offering)].into();
    })
    .await;
    let other = house.world.tenant("other").await;
    (house, other)
}

async fn ways(world: &World, browser: Result<Browser>) -> Vec<String> {
    let _ = world;
    browser.unwrap().asked_by()
}

#[tokio::test]
async fn it_is_offered_in_its_tenants_only() {
    let (house, other) = house().await;
    let world = &house.world;
    let here = ways(world, Browser::start(world, sign_in_at(&house.acme)).await).await;
    assert!(here.contains(&"google".to_owned()));
    let there = ways(world, Browser::start(world, sign_in_at(&other)).await).await;
    assert!(!there.contains(&"google".to_owned()));
    assert!(there.contains(&"twin".to_owned()));
    let anywhere = Browser::anywhere(world).await;
    assert!(!anywhere.asked_by().contains(&"google".to_owned()));
    for mut browser in [Browser::at_tenant(world, &other).await, anywhere] {
        let gone = browser.go(world, "google").await;
        assert_eq!(kind(gone), ErrorKind::NotFound, "unseen is not there");
    }
}

#[tokio::test]
async fn it_is_linked_in_its_tenants_only() {
    let (house, other) = house().await;
    let world = &house.world;
    world.user(&other, "ada", "ada's own word").await;
    let browser = world.signed_in(&other, "ada", "ada's own word").await;
    let begun = link(world, &browser, "google").await;
    assert_eq!(kind(begun), ErrorKind::NotFound);
    let caller = world.caller(&browser).await;
    let connections = world
        .platform
        .accounts()
        .connections(&caller)
        .await
        .unwrap();
    assert!(connections.iter().all(|c| c.id != provider("google")));
    house.user("ada").await;
    house.linked("ada", "google", Person::new("1")).await;
}

/// Renamed, a tenant is another one for this; flows under way notice it.
#[tokio::test]
async fn s26_it_lets_nobody_in_where_it_is_not_offered_any_more() {
    let (house, _) = house().await;
    let world = &house.world;
    let user = house.user("ada").await;
    house.linked("ada", "google", Person::new("1")).await;
    house.abroad.says("known", Person::new("1"));
    house.abroad.says("new", Person::new("2").called("eve"));
    let mut known = Browser::at_tenant(world, &house.acme).await;
    let mut new = Browser::at_tenant(world, &house.acme).await;
    let mut asked = Browser::at_tenant(world, &house.acme).await;
    come(world, &mut asked, "google", "new").await;
    assert_eq!(asked.asked_by(), [NEW]);
    let signed_in = world.signed_in(&house.acme, "ada", "ada's own word").await;
    let mut linking = link(world, &signed_in, "google").await.unwrap();
    linking.word(world, "ada", "ada's own word").await.unwrap();
    let states = [
        super::leave(world, &mut known, "google").await,
        super::leave(world, &mut new, "google").await,
        super::leave(world, &mut linking, "google").await,
    ];

    let patch = gatelodge_core::service::TenantPatch {
        name: Some(TenantName::new("renamed").unwrap()),
        ..Default::default()
    };
    let operator = gatelodge_core::access::Caller::operator();
    let tenants = world.platform.tenants();
    tenants
        .update(&operator, house.acme.id, None, patch)
        .await
        .unwrap();

    for (browser, state, code) in [
        (&mut known, &states[0], "known"),
        (&mut new, &states[1], "new"),
        (&mut linking, &states[2], "new"),
    ] {
        let parameters = [("state", state.as_str()), ("code", code)];
        let progress = browser.come_back(world, "google", &parameters).await;
        assert!(!matches!(progress, Ok(Progress::Complete(_))), "{code}");
        assert!(browser.token().is_none(), "{code}");
    }
    let filled = asked.fill(world, NEW, &[("user_name", "eve")]).await;
    assert!(!matches!(filled, Ok(Progress::Complete(_))), "{filled:?}");
    assert_eq!(house.names().await, ["ada"]);
    let links = super::links_of(world, &house.acme, &user).await;
    assert_eq!(links.len(), 1);
}

/// T9: whoever comes where no tenant is named does not get into one that it is not for.
#[tokio::test]
async fn a_link_of_a_tenant_that_it_is_not_for_does_not_count() {
    let house = house_with(|_| ()).await;
    let world = &house.world;
    let other = world.tenant("other").await;
    house.user("ada").await;
    world.user(&other, "ada", "ada's own word").await;
    house.linked("ada", "google", Person::new("1")).await;
    linked_in(&house, &other, "ada", ("google", Person::new("1"))).await;
    house.abroad.says("code", Person::new("1"));
    let mut browser = Browser::at_tenant(world, &other).await;
    let progress = come(world, &mut browser, "google", "code").await;
    assert!(!refused(&progress));
    assert_eq!(
        world.session(&browser).await.tenant.id,
        other.id,
        "only of this tenant"
    );
}
