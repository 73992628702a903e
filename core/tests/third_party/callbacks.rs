//! Coming back: to the browser that left, or by way of the client that sent it.

use std::{collections::BTreeMap, time::Duration};

use gatelodge_core::{
    ErrorKind, Result,
    access::Caller,
    engine::{Arrival, Notice, Progress, StartFlow, StepBody, Transport},
    model::{ApplicationName, Audience, ReturnAddress},
    secret::Secret,
    service::{ApplicationPatch, ApplicationRef, NewApplication},
};

use super::{House, Person, come, house, house_with, leave};
use crate::support::{self, Browser, fields, kind, minutes, provider, refused, sign_in_at};

const BACK: &str = "https://app.example.org/back";

/// Ada, who is linked, and comes with the code `ada`.
async fn ada(house: &House) {
    house.user("ada").await;
    house.linked("ada", "google", Person::new("1")).await;
    house.abroad.says("ada", Person::new("1"));
}

fn brought(state: &str) -> BTreeMap<String, Secret> {
    let pairs = [("state", state), ("code", "ada")];
    pairs
        .map(|(name, value)| (name.to_owned(), Secret::new(value)))
        .into()
}

async fn arrive(house: &House, by: &str, state: &str, by_post: bool) -> Result<Arrival> {
    let sign_in = house.world.platform.sign_in();
    sign_in
        .arrive(
            &provider(by),
            &brought(state),
            by_post,
            &support::client("192.0.2.9"),
        )
        .await
}

/// Where a browser is sent on to: the address, and the secret in it.
async fn sent_on(house: &House, state: &str, by_post: bool) -> (String, Secret) {
    let arrival = arrive(house, "google", state, by_post).await.unwrap();
    let Arrival::Elsewhere { address } = arrival else {
        panic!("the browser goes on");
    };
    let url: url::Url = address.parse().unwrap();
    let (_, secret) = url.query_pairs().last().unwrap();
    let secret = Secret::new(secret.into_owned());
    (url[..url::Position::AfterPath].to_owned(), secret)
}

async fn fetch(
    house: &House,
    by: &str,
    handle: &Secret,
) -> Result<(String, BTreeMap<String, Secret>)> {
    let sign_in = house.world.platform.sign_in();
    sign_in.fetch_parked(&provider(by), handle).await
}

/// Comes back with what was fetched.
async fn back(
    house: &House,
    browser: &mut Browser,
    (flow, parameters): (String, BTreeMap<String, Secret>),
) -> Result<Progress> {
    assert_eq!(flow, browser.handle.id);
    let sign_in = house.world.platform.sign_in();
    let connection = provider("google");
    let back = sign_in.callback(
        &connection,
        &browser.handle,
        parameters,
        &browser.client,
        None,
    );
    let progress = back.await?;
    browser.note(&progress);
    Ok(progress)
}

/// A form that a third party made the browser send comes without cookies, and goes on to
/// come with them.
#[tokio::test]
async fn what_comes_by_post_is_fetched_once_with_its_cookie() {
    let house = house().await;
    ada(&house).await;
    let mut browser = Browser::at_tenant(&house.world, &house.acme).await;
    let state = leave(&house.world, &mut browser, "google").await;
    let (address, handle) = sent_on(&house, &state, true).await;
    assert_eq!(address, "https://id.example.com/callback/google");
    assert!(!address.contains(&state));
    let fetched = fetch(&house, "google", &handle).await.unwrap();
    let again = fetch(&house, "google", &handle).await;
    assert_eq!(kind(again), ErrorKind::NotFound);

    // S26: with what was fetched another browser gets nowhere.
    let other = Browser::at_tenant(&house.world, &house.acme).await;
    for binding in [None, other.handle.binding] {
        let mut elsewhere = browser.clone();
        elsewhere.handle.binding = binding;
        let refused = back(&house, &mut elsewhere, fetched.clone()).await;
        assert_eq!(kind(refused), ErrorKind::NotFound);
    }
    back(&house, &mut browser, fetched).await.unwrap();
    assert!(house.world.knows(&browser).await);
}

#[tokio::test]
async fn s26_what_was_parked_is_for_its_connection_and_a_minute() {
    let house = house().await;
    ada(&house).await;
    let mut browser = Browser::at_tenant(&house.world, &house.acme).await;
    let state = leave(&house.world, &mut browser, "google").await;
    for by_post in [true, false] {
        let wrong = arrive(&house, "twin", &state, by_post).await;
        assert_eq!(kind(wrong), ErrorKind::NotFound);
        for state in ["", "made up"] {
            let wrong = arrive(&house, "google", state, by_post).await;
            assert_eq!(kind(wrong), ErrorKind::NotFound);
        }
    }
    let (_, handle) = sent_on(&house, &state, true).await;
    let wrong = fetch(&house, "twin", &handle).await;
    assert_eq!(kind(wrong), ErrorKind::NotFound);
    let (_, handle) = sent_on(&house, &state, true).await;
    house.world.pass(Duration::from_secs(60));
    assert_eq!(
        kind(fetch(&house, "google", &handle).await),
        ErrorKind::NotFound
    );
    let (_, handle) = sent_on(&house, &state, true).await;
    house.world.pass(Duration::from_millis(59_999));
    fetch(&house, "google", &handle).await.unwrap();
    let no_state = house.world.platform.sign_in();
    let nothing = no_state
        .arrive(
            &provider("google"),
            &BTreeMap::new(),
            false,
            &support::client("192.0.2.9"),
        )
        .await;
    assert_eq!(kind(nothing), ErrorKind::NotFound);
    // A state is no handle, and a handle no state.
    assert_eq!(
        kind(fetch(&house, "google", &Secret::new(state)).await),
        ErrorKind::NotFound
    );
}

/// A tenant on a host of its own: the third party still knows the server's only.
#[tokio::test]
async fn who_left_a_tenants_own_origin_comes_back_there() {
    let house = house_with(|plan| plan.hosts = vec![("acme", "login.acme.example")]).await;
    ada(&house).await;
    let start = StartFlow {
        on_own_origin: true,
        ..sign_in_at(&house.acme)
    };
    let mut browser = Browser::start(&house.world, start).await.unwrap();
    let state = leave(&house.world, &mut browser, "google").await;
    let Some(StepBody::Redirect { url, .. }) = browser.view.step.clone().map(|s| s.body) else {
        panic!("away");
    };
    let there = "redirect_uri=https%3A%2F%2Fid.example.com%2Fcallback%2Fgoogle";
    assert!(url.contains(there), "{url}");
    for by_post in [false, true] {
        let (address, handle) = sent_on(&house, &state, by_post).await;
        assert_eq!(address, "https://login.acme.example/callback/google");
        let fetched = fetch(&house, "google", &handle).await.unwrap();
        if by_post {
            back(&house, &mut browser, fetched).await.unwrap();
        }
    }
    assert!(house.world.knows(&browser).await);
}

/// A client of an application, which keeps no cookies.
async fn client(house: &House) -> Browser {
    let start = StartFlow {
        transport: Transport::Token,
        application: Some(ApplicationRef::Audience(Audience::new("shop").unwrap())),
        return_to: Some(BACK.to_owned()),
        ..sign_in_at(&house.acme)
    };
    Browser::start(&house.world, start).await.unwrap()
}

async fn shop(house: &House) -> gatelodge_core::model::Application {
    let new = NewApplication {
        name: ApplicationName::new("shop").unwrap(),
        audience: Audience::new("shop").unwrap(),
        origins: Vec::new(),
        return_to: vec![ReturnAddress::new(BACK).unwrap()],
    };
    let applications = house.world.platform.applications();
    let operator = Caller::operator();
    let made = applications.create(&operator, house.acme.id, new);
    made.await.unwrap()
}

async fn bring(house: &House, client: &mut Browser, by: &str, code: &Secret) -> Result<Progress> {
    let answer = fields(&[("code", code.expose())]);
    client.answer(&house.world, by, answer).await
}

#[tokio::test]
async fn a_client_brings_the_code_that_its_browser_came_back_with() {
    let house = house().await;
    shop(&house).await;
    ada(&house).await;
    let mut client = client(&house).await;
    let state = leave(&house.world, &mut client, "google").await;
    let (address, code) = sent_on(&house, &state, false).await;
    assert_eq!(address, BACK);
    let again = arrive(&house, "google", &state, false).await;
    assert_eq!(kind(again), ErrorKind::NotFound, "the state is used up");
    let parameters = [("state", state.as_str()), ("code", "ada")];
    let direct = client.come_back(&house.world, "google", &parameters).await;
    assert_eq!(
        kind(direct),
        ErrorKind::NotFound,
        "it comes by no other way"
    );
    let missing = client.fill(&house.world, "google", &[]).await.unwrap();
    assert!(matches!(missing, Progress::Invalid { .. }));
    bring(&house, &mut client, "google", &code).await.unwrap();
    assert!(house.world.knows(&client).await);
    assert_eq!(
        client.done.as_ref().unwrap().return_to.as_deref(),
        Some(BACK)
    );
}

/// S26: the code counts once, in the flow that the browser left, by that connection,
/// for a minute.
#[tokio::test]
async fn s26_a_code_counts_only_where_it_was_made() {
    let house = house().await;
    shop(&house).await;
    ada(&house).await;
    let mut other = client(&house).await;
    let mut one = client(&house).await;
    let state = leave(&house.world, &mut one, "google").await;
    let (_, code) = sent_on(&house, &state, false).await;
    leave(&house.world, &mut other, "google").await;
    let stolen = bring(&house, &mut other, "google", &code).await.unwrap();
    assert!(refused(&stolen), "another flow's");
    let late = bring(&house, &mut one, "google", &code).await.unwrap();
    assert!(refused(&late), "used up");
    assert!(
        one.asked_by().contains(&"google".to_owned()),
        "every way is open again"
    );

    let state = leave(&house.world, &mut one, "google").await;
    let (_, code) = sent_on(&house, &state, false).await;
    house.world.pass(minutes(1));
    let late = bring(&house, &mut one, "google", &code).await.unwrap();
    assert!(refused(&late), "expired");

    let state = leave(&house.world, &mut one, "google").await;
    let (_, old) = sent_on(&house, &state, false).await;
    let wrong = bring(&house, &mut one, "google", &Secret::new("made up"))
        .await
        .unwrap();
    assert!(refused(&wrong));
    leave(&house.world, &mut one, "google").await;
    let old = bring(&house, &mut one, "google", &old).await.unwrap();
    assert!(refused(&old), "of an earlier step");
    assert!(one.token().is_none() && other.token().is_none());
    let refusals = house.world.refusals(None).await;
    let all = house.world.refusals(Some(house.acme.id)).await;
    let wrong = all
        .iter()
        .chain(&refusals)
        .filter(|r| *r == "wrong_return_code");
    assert_eq!(wrong.count(), 5);
}

#[tokio::test]
async fn s26_a_code_is_not_brought_to_another_connection() {
    let house = house().await;
    shop(&house).await;
    ada(&house).await;
    let mut client = client(&house).await;
    let state = leave(&house.world, &mut client, "google").await;
    let (_, code) = sent_on(&house, &state, false).await;
    let wrong = bring(&house, &mut client, "twin", &code).await;
    assert_eq!(kind(wrong), ErrorKind::NotFound);
    bring(&house, &mut client, "google", &code).await.unwrap();
    assert!(client.token().is_some());
}

/// S28: an address that was withdrawn while the browser was away is not gone to.
#[tokio::test]
async fn s28_a_withdrawn_return_address_gets_no_code() {
    let house = house().await;
    let shop = shop(&house).await;
    ada(&house).await;
    let mut client = client(&house).await;
    let state = leave(&house.world, &mut client, "google").await;
    let applications = house.world.platform.applications();
    let patch = ApplicationPatch {
        return_to: Some(Vec::new()),
        ..ApplicationPatch::default()
    };
    let place = (house.acme.id, shop.id);
    let operator = Caller::operator();
    let changed = applications.update(&operator, place, None, patch);
    changed.await.unwrap();
    let arrival = arrive(&house, "google", &state, false).await;
    assert_eq!(kind(arrival), ErrorKind::NotFound);
}

/// A browser with a cookie brings no codes.
#[tokio::test]
async fn a_browser_with_a_cookie_does_not_come_by_a_code() {
    let house = house().await;
    ada(&house).await;
    let mut browser = Browser::at_tenant(&house.world, &house.acme).await;
    let state = leave(&house.world, &mut browser, "google").await;
    let (_, handle) = sent_on(&house, &state, true).await;
    let answer = bring(&house, &mut browser, "google", &handle)
        .await
        .unwrap();
    assert!(refused(&answer));
    assert!(browser.token().is_none());
}

/// When the third party fails, its state is used up, but the person can go on.
#[tokio::test]
async fn after_a_fault_at_the_third_party_every_way_is_open_again() {
    let house = house().await;
    shop(&house).await;
    ada(&house).await;
    let mut browser = Browser::at_tenant(&house.world, &house.acme).await;
    let failed = super::try_come(&house.world, &mut browser, "google", "fault").await;
    assert_eq!(kind(failed), ErrorKind::Unavailable);
    let sign_in = house.world.platform.sign_in();
    browser.view = sign_in
        .view(&browser.handle, &browser.client)
        .await
        .unwrap();
    assert_eq!(browser.view.notice, Some(Notice::Failed));
    assert!(browser.asked_by().contains(&"password".to_owned()));
    come(&house.world, &mut browser, "google", "ada").await;
    assert!(browser.token().is_some());
    assert_eq!(house.abroad.brought("fault"), 1);
}

/// As many sessions as there may be: told, and nothing is stuck.
#[tokio::test]
async fn who_has_too_many_sessions_can_go_on_after_the_third_party() {
    let house = house().await;
    ada(&house).await;
    let settings = gatelodge_core::model::TenantSettings {
        session: gatelodge_core::model::SessionSettings {
            limit: Some(1),
            at_limit: Some(gatelodge_core::model::AtLimit::Refuse),
            ..Default::default()
        },
        ..Default::default()
    };
    let (first, _) = house.comes("first", Person::new("1")).await;
    house.world.put_settings(&house.acme, settings).await;
    let mut browser = Browser::at_tenant(&house.world, &house.acme).await;
    let full = super::try_come(&house.world, &mut browser, "google", "ada").await;
    assert_eq!(kind(full), ErrorKind::Refused);
    let operator = Caller::operator();
    let sessions = house.world.platform.sessions();
    let user = house.world.session(&first).await.user.id;
    sessions
        .end_of_user(&operator, house.acme.id, user)
        .await
        .unwrap();
    let sign_in = house.world.platform.sign_in();
    browser.view = sign_in
        .view(&browser.handle, &browser.client)
        .await
        .unwrap();
    come(&house.world, &mut browser, "google", "ada").await;
    assert!(browser.token().is_some());
}

/// What a browser is sent on with is nobody else's to read.
#[tokio::test]
async fn nothing_secret_is_shown_for_debugging() {
    let house = house().await;
    ada(&house).await;
    house.abroad.says("ada", Person::new("1").keeping("canary"));
    let mut browser = Browser::at_tenant(&house.world, &house.acme).await;
    let state = leave(&house.world, &mut browser, "google").await;
    let arrival = arrive(&house, "google", &state, true).await.unwrap();
    let Arrival::Elsewhere { address } = &arrival else {
        panic!("the browser goes on");
    };
    let handle = address.rsplit_once('=').unwrap().1;
    assert!(!format!("{arrival:?}").contains(handle));
    let fetched = fetch(&house, "google", &Secret::new(handle)).await.unwrap();
    assert!(!format!("{fetched:?}").contains("ada"));
    let progress = back(&house, &mut browser, fetched).await.unwrap();
    assert!(!format!("{progress:?}").contains("canary"), "{progress:?}");
}
