//! Third parties that cannot be made to have somebody prove anew who they are.

use gatelodge_core::model::{Email, SignInSettings, TenantSettings};

use super::{House, Person, come, creating, house, house_where, link};
use crate::support::{Browser, provider};

/// Ada, who has linked `google`, about to link `twin`.
async fn ada_links(house: &House) -> Browser {
    let signed_in = house.linked("ada", "google", Person::new("1")).await;
    link(&house.world, &signed_in, "twin").await.unwrap()
}

#[tokio::test]
async fn one_that_proves_nothing_anew_gives_way_to_a_word() {
    let house = house().await;
    house.user("ada").await;
    let asked = ada_links(&house).await;
    assert_eq!(asked.asked_by(), ["password", "google"]);
    house.abroad.linger();
    let mut asked = ada_links_again(&house, &asked).await;
    assert_eq!(asked.asked_by(), ["password"]);
    let gone = asked.go(&house.world, "google").await;
    assert!(gone.is_err(), "nor is it taken");
    // It signs in as ever.
    let (browser, _) = house.comes("code", Person::new("1")).await;
    assert!(house.world.knows(&browser).await);
}

async fn ada_links_again(house: &House, _: &Browser) -> Browser {
    let (browser, _) = house.comes("again", Person::new("1")).await;
    link(&house.world, &browser, "twin").await.unwrap()
}

#[tokio::test]
async fn who_has_nothing_else_confirms_by_it() {
    let house = house_where(creating).await;
    house.abroad.linger();
    let world = &house.world;
    let (browser, _) = house.comes("eve", Person::new("1").called("eve")).await;
    house.abroad.says("second", Person::new("2"));
    let mut linking = link(world, &browser, "twin").await.unwrap();
    assert_eq!(linking.asked_by(), ["google"]);
    come(world, &mut linking, "google", "eve").await;
    assert_eq!(linking.asked_by(), ["twin"]);
}

/// A word that lets nobody in here is no other way.
#[tokio::test]
async fn what_is_not_offered_is_no_other_way() {
    let house = house().await;
    house.user("ada").await;
    house.linked("ada", "google", Person::new("1")).await;
    house.abroad.linger();
    let ways = ["google", "twin"].map(provider).to_vec();
    let settings = TenantSettings {
        sign_in: SignInSettings {
            providers: Some(ways),
        },
        ..TenantSettings::default()
    };
    house.world.put_settings(&house.acme, settings).await;
    let (browser, _) = house.comes("code", Person::new("1")).await;
    let asked = link(&house.world, &browser, "twin").await.unwrap();
    assert_eq!(asked.asked_by(), ["google"]);
}

/// What needs nothing set up reaches only who has an address that is theirs.
#[tokio::test]
async fn what_comes_by_mail_counts_for_who_has_an_address() {
    let house = super::house_with(|plan| {
        let mut rule = gatelodge_core::provider::Admission::default();
        creating(&mut rule);
        plan.offerings = super::offering(rule);
        let mailer = crate::providers::Mailer::default();
        plan.more.push(("mailer", std::sync::Arc::new(mailer)));
    })
    .await;
    house.abroad.linger();
    let world = &house.world;
    let (browser, _) = house.comes("eve", Person::new("1").called("eve")).await;
    let asked = link(world, &browser, "twin").await.unwrap();
    assert_eq!(asked.asked_by(), ["google", "mailer"]);
    let place = (house.acme.id, world.session(&browser).await.user.id);
    world
        .alter_user(place, |user| {
            user.email = Some(Email::new("eve@example.org").unwrap());
            user.email_verified = true;
        })
        .await;
    let (browser, _) = house.comes("eve", Person::new("1").called("eve")).await;
    let asked = link(world, &browser, "twin").await.unwrap();
    assert_eq!(asked.asked_by(), ["mailer"]);
}
