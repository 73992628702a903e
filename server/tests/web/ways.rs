//! The card of the console on which a tenant's ways to sign in are chosen.

use std::sync::Arc;

use axum::http::StatusCode;
use gatelodge_core::{
    access::Caller,
    model::{Grant, Tenant},
    provider::Provider,
};
use gatelodge_provider_one_time_token::{Config as Mailed, OneTimeTokenProvider};
use gatelodge_provider_totp::{Config, TotpProvider};

use crate::{browser::Answer, world::World};

/// A password, an app and mailed links, and the boss of acme.
async fn house() -> (World, Tenant) {
    let app = Arc::new(TotpProvider::new(Config::default()).unwrap());
    let mailed = Arc::new(OneTimeTokenProvider::new(Mailed::default()));
    let ways: Vec<(&str, Arc<dyn Provider>)> = vec![("app", app), ("mailed", mailed)];
    let world = World::with_ways(|_| {}, ways).await;
    let acme = world.tenant("acme").await;
    let grants = [Grant::TenantAdministrator];
    world.user(acme.id, "boss", &grants).await;
    (world, acme)
}

/// The ids that the tenant itself names.
async fn own(world: &World, acme: &Tenant) -> Option<Vec<String>> {
    let (tenants, operator) = (world.platform.tenants(), Caller::operator());
    let (own, _, _) = tenants.settings(&operator, acme.id).await.unwrap();
    let ids = own.sign_in.providers?;
    Some(ids.iter().map(ToString::to_string).collect())
}

/// Whether a box of the page is ticked.
fn is_ticked(page: &Answer, name: &str) -> bool {
    let name = format!(" name=\"{name}\"");
    let mut inputs = page.body.split("<input ").skip(1);
    let input = inputs.find(|input| input.contains(&name)).unwrap();
    input.split('>').next().unwrap().contains(" checked")
}

#[tokio::test]
async fn an_administrator_chooses_the_ways_to_sign_in() {
    let (world, acme) = house().await;
    let mut browser = world.signed_in("acme", "boss").await;
    let path = format!("/t/acme/console/tenants/{}", acme.id);
    let form = format!("{path}/ways");
    let page = browser.get(&path).await;
    for way in ["way-password", "way-app", "way-mailed"] {
        assert!(is_ticked(&page, way), "{way}");
    }
    let sign_in = world.browser().get("/t/acme/sign-in").await;
    assert!(
        sign_in
            .links()
            .iter()
            .any(|l| l.contains("/forgot-password"))
    );
    let fields = [("whose", "own"), ("way-password", "true")];
    let saved = browser.submit_on(&page, &form, &fields).await;
    saved.assert_says("Saved.");
    assert_eq!(own(&world, &acme).await, Some(vec!["password".to_owned()]));
    assert!(is_ticked(&saved, "way-password") && !is_ticked(&saved, "way-app"));
    let account = browser.get("/t/acme/account").await;
    assert!(!account.links().iter().any(|link| link.contains("/app")));
    let sign_in = world.browser().get("/t/acme/sign-in").await;
    assert!(
        !sign_in
            .links()
            .iter()
            .any(|l| l.contains("/forgot-password"))
    );
    // Other settings leave it alone, and it leaves them alone.
    let settings = [("registration", "on"), ("idle_minutes", "10")];
    let other = format!("{path}/settings");
    let page = browser.submit_on(&saved, &other, &settings).await;
    let again = browser.submit_on(&page, &form, &fields).await;
    assert_eq!(again.value("idle_minutes").as_deref(), Some("10"));
    let inherited = [("whose", "inherit"), ("way-app", "true")];
    let page = browser.submit_on(&again, &form, &inherited).await;
    assert_eq!(own(&world, &acme).await, None);
    assert!(is_ticked(&page, "way-password"));
}

#[tokio::test]
async fn a_choice_with_which_nobody_could_sign_in_is_shown_again() {
    let (world, acme) = house().await;
    let mut browser = world.signed_in("acme", "boss").await;
    let path = format!("/t/acme/console/tenants/{}", acme.id);
    let form = format!("{path}/ways");
    let page = browser.get(&path).await;
    let fields = [("whose", "own"), ("way-app", "true")];
    let refused = browser.submit(&page, &form, &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.assert_says("at least one way that a sign-in can start with");
    assert!(is_ticked(&refused, "way-app") && !is_ticked(&refused, "way-password"));
    for wrong in [&[("way-password", "true")][..], &[("whose", "all")]] {
        let refused = browser.submit(&page, &form, wrong).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert_eq!(own(&world, &acme).await, None);
    let fields = [("whose", "own"), ("way-password", "true")];
    browser.submit_on(&page, &form, &fields).await;
    let stale = browser.submit(&page, &form, &fields).await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
}
