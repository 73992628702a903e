//! Staying signed in on a device, as a browser sees it.

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use gatelodge_core::{
    access::Caller,
    model::{Email, Grant, Tenant, TenantSettings},
    provider::Provider,
    service::UserPatch,
};
use gatelodge_provider_one_time_token::{Config as MailConfig, OneTimeTokenProvider};
use gatelodge_provider_remember_device::RememberDeviceProvider;
use gatelodge_provider_totp::{Algorithm, Authenticator, Config, TotpProvider};

use crate::{
    browser::{Answer, Browser},
    world::{PASSWORD, World},
};

const SIGN_IN: &str = "/t/acme/sign-in";
const ACCOUNT: &str = "/t/acme/account";
const BOX: &str = "Keep me signed in on this device";
/// Longer than an idle session lasts.
const AWAY: Duration = Duration::from_secs(2 * 60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn world() -> (World, Tenant) {
    let mailed = OneTimeTokenProvider::new(MailConfig::default());
    let ways: Vec<(&str, Arc<dyn Provider>)> = vec![
        ("one-time-token", Arc::new(mailed)),
        (
            "totp",
            Arc::new(TotpProvider::new(Config::default()).unwrap()),
        ),
        ("remember-device", Arc::new(RememberDeviceProvider)),
    ];
    let world = World::with_ways(|_| {}, ways).await;
    let acme = world.tenant("acme").await;
    world.user(acme.id, "ada", &[]).await;
    world.user(acme.id, "boss", &Grant::ALL).await;
    (world, acme)
}

/// Signs in by the page and ticks the box.
async fn stay_as(browser: &mut Browser, user: &str) -> Answer {
    let page = browser.get(&format!("{SIGN_IN}?again=1")).await;
    page.assert_says(BOX);
    let fields = [
        ("user_name", user),
        ("password", PASSWORD),
        ("stay", "true"),
    ];
    browser.submit_on(&page, SIGN_IN, &fields).await
}

async fn staying(world: &World) -> Browser {
    let mut browser = world.browser();
    stay_as(&mut browser, "ada").await.assert_says("Hello, ada");
    assert_eq!(kept(&browser).len(), 1);
    browser
}

fn kept(browser: &Browser) -> Vec<(String, String)> {
    browser.cookies_like("gl-stay-")
}

fn asks_for_a_name(page: &Answer) -> bool {
    page.status == StatusCode::OK && page.has_form(SIGN_IN) && page.body.contains("user_name")
}

#[tokio::test]
async fn whoever_ticks_the_box_comes_back_without_being_asked() {
    let (world, _) = world().await;
    let mut browser = staying(&world).await;
    let first = kept(&browser);
    world.pass(AWAY);
    let page = browser.arrive(ACCOUNT).await;
    page.assert_says("Hello, ada");
    page.assert_says("Remembered device");
    assert_ne!(kept(&browser), first, "each use rotates it");
    world.pass(AWAY);
    browser.arrive(ACCOUNT).await.assert_says("Hello, ada");
}

#[tokio::test]
async fn whoever_does_not_tick_it_is_asked_again() {
    let (world, _) = world().await;
    let mut browser = world.signed_in("acme", "ada").await;
    assert!(kept(&browser).is_empty());
    world.pass(AWAY);
    assert!(asks_for_a_name(&browser.arrive(ACCOUNT).await));
}

#[tokio::test]
async fn the_cookie_is_strict_and_ends_with_the_device() {
    let (world, _) = world().await;
    let mut browser = world.browser();
    let page = browser.get(SIGN_IN).await;
    let fields = [
        ("user_name", "ada"),
        ("password", PASSWORD),
        ("stay", "true"),
    ];
    let answer = browser.submit(&page, SIGN_IN, &fields).await;
    let line = |answer: &Answer| {
        let lines = answer.headers.get_all("set-cookie").iter();
        let mut lines = lines.map(|line| line.to_str().unwrap().to_owned());
        lines.find(|line| line.starts_with("gl-stay-")).unwrap()
    };
    let month = 30 * 24 * 60 * 60;
    assert!(line(&answer).ends_with(&format!(
        "; Path=/; HttpOnly; SameSite=Lax; Max-Age={month}"
    )));
    world.pass(DAY);
    let answer = browser.navigate(SIGN_IN).await;
    let left = month - 24 * 60 * 60;
    assert!(
        line(&answer).ends_with(&format!("; Max-Age={left}")),
        "no later end by use"
    );
}

#[tokio::test]
async fn the_browser_goes_where_the_person_wanted_to_go() {
    let (world, _) = world().await;
    let mut browser = staying(&world).await;
    world.pass(AWAY);
    let page = browser.navigate("/t/acme/account?x=1").await;
    let answer = browser.navigate(&page.location().unwrap()).await;
    assert_eq!(answer.location().as_deref(), Some("/t/acme/account?x=1"));
    world.pass(AWAY);
    let away = format!("{SIGN_IN}?return_to=https%3A%2F%2Fevil.example");
    let answer = browser.navigate(&away).await;
    assert_eq!(answer.location().as_deref(), Some(ACCOUNT));
}

#[tokio::test]
async fn at_an_address_without_a_tenant_the_only_one_counts() {
    let (world, _) = world().await;
    let mut browser = staying(&world).await;
    world.pass(AWAY);
    let page = browser.arrive("/account").await;
    page.assert_says("Hello, ada");
    assert_eq!(page.path, "/account");
}

/// What a browser only guesses, or a script, a frame or a picture asks for, signs
/// nobody in and uses nothing up.
#[tokio::test]
async fn only_a_person_going_to_the_page_is_signed_in() {
    let (world, _) = world().await;
    let mut browser = staying(&world).await;
    let before = kept(&browser);
    world.pass(AWAY);
    let navigate = ("sec-fetch-mode", "navigate");
    let document = ("sec-fetch-dest", "document");
    for headers in [
        vec![],
        vec![navigate],
        vec![document],
        vec![navigate, ("sec-fetch-dest", "iframe")],
        vec![("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")],
        vec![("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")],
        vec![navigate, document, ("sec-purpose", "prefetch;prerender")],
        vec![navigate, document, ("purpose", "prefetch")],
    ] {
        let answer = browser.get_with_all(SIGN_IN, &headers).await;
        assert_ne!(answer.status, StatusCode::SEE_OTHER, "{headers:?}");
        assert_eq!(kept(&browser), before, "{headers:?}");
        assert!(browser.get(ACCOUNT).await.location().is_some());
    }
    for parameter in ["again=1", "notice=address_verified", "flow=x"] {
        let answer = browser.navigate(&format!("{SIGN_IN}?{parameter}")).await;
        assert_ne!(answer.status, StatusCode::SEE_OTHER, "{parameter}");
        assert_eq!(kept(&browser), before, "{parameter}");
    }
    browser.arrive(ACCOUNT).await.assert_says("Hello, ada");
}

async fn app_of(world: &World, browser: &mut Browser) -> Authenticator {
    let prove = browser.open("/t/acme/account/sign-in-methods/totp").await;
    let flow = "/t/acme/account/flow";
    let page = browser
        .submit_on(&prove, flow, &[("password", PASSWORD)])
        .await;
    let key = page.inside("<code class=\"secret\"");
    let app = Authenticator::from_base32(&key, Algorithm::Sha1, 6, 30).unwrap();
    let code = present(world, &app);
    let fields = [("code", code.as_str()), ("name", "Phone")];
    browser.submit_on(&page, flow, &fields).await;
    app
}

fn present(world: &World, app: &Authenticator) -> String {
    let now = world.platform.now().as_second();
    app.code(app.step_at(u64::try_from(now).unwrap()))
        .to_string()
}

/// S14: a remembered device does not get past the second step, and half a sign-in
/// is none.
#[tokio::test]
async fn s14_somebody_with_a_second_factor_is_still_asked_for_it() {
    let (world, _) = world().await;
    let app = app_of(&world, &mut world.signed_in("acme", "ada").await).await;
    world.pass(Duration::from_secs(60));
    let mut browser = world.browser();
    let asked = stay_as(&mut browser, "ada").await;
    asked.assert_says("Code from the app");
    assert!(
        kept(&browser).is_empty(),
        "nothing is kept before the second step"
    );
    let code = [("code", present(&world, &app))];
    let code: Vec<_> = code.iter().map(|(n, v)| (*n, v.as_str())).collect();
    browser
        .submit_on(&asked, SIGN_IN, &code)
        .await
        .assert_says("Hello, ada");
    let first = kept(&browser);
    assert_eq!(first.len(), 1, "what was ticked in the first step holds");

    world.pass(AWAY);
    let asked = browser.arrive(ACCOUNT).await;
    asked.assert_says("Confirm it’s you");
    asked.assert_says("Code from the app");
    assert_ne!(kept(&browser), first, "it rotates all the same");
    // Who is somebody else gets to the form.
    let again = format!("{SIGN_IN}?again=1");
    let links = asked.links();
    assert!(
        links.iter().any(|link| link.starts_with(&again)),
        "{links:?}"
    );
    // The half of a sign-in opens nothing, however often it is begun.
    assert!(browser.get(ACCOUNT).await.location().is_some());
    let asked = browser.arrive(ACCOUNT).await;
    asked.assert_says("Code from the app");
    let wrong = [("code", "000000")];
    let refused = browser.submit(&asked, SIGN_IN, &wrong).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let code = present(&world, &app);
    let done = browser
        .submit_on(&asked, SIGN_IN, &[("code", code.as_str())])
        .await;
    done.assert_says("Hello, ada");
    assert_eq!(kept(&browser).len(), 1, "and it stays");
}

#[tokio::test]
async fn signing_out_forgets_the_device_of_this_browser_only() {
    let (world, _) = world().await;
    let (mut here, mut elsewhere) = (staying(&world).await, staying(&world).await);
    let mut copy = here.clone();
    let ask = here.get("/t/acme/sign-out").await;
    here.submit(&ask, "/t/acme/sign-out", &[]).await;
    assert!(kept(&here).is_empty());
    assert!(asks_for_a_name(&here.arrive(SIGN_IN).await));
    // A copy of what it kept is worth nothing either.
    world.pass(AWAY);
    assert!(asks_for_a_name(&copy.arrive(SIGN_IN).await));
    assert!(
        kept(&copy).is_empty(),
        "what is worth nothing is taken away"
    );
    elsewhere.arrive(ACCOUNT).await.assert_says("Hello, ada");
}

/// Somebody whose session has timed out wants to leave all the same.
#[tokio::test]
async fn signing_out_after_the_session_ended_asks_and_forgets() {
    let (world, _) = world().await;
    let mut browser = staying(&world).await;
    world.pass(AWAY);
    let ask = browser.get("/t/acme/sign-out").await;
    ask.assert_says("Sign out?");
    assert_eq!(kept(&browser).len(), 1, "a link alone does nothing");
    browser.submit(&ask, "/t/acme/sign-out", &[]).await;
    assert!(kept(&browser).is_empty());
    assert!(asks_for_a_name(&browser.arrive(SIGN_IN).await));
}

#[tokio::test]
async fn a_sign_in_by_hand_takes_the_place_of_what_was_kept() {
    let (world, _) = world().await;
    let mut browser = staying(&world).await;
    let mut copy = browser.clone();
    world.pass(AWAY);
    let page = browser.get(&format!("{SIGN_IN}?again=1")).await;
    let ticked = page.body.split("name=\"stay\"").nth(1).unwrap();
    assert!(ticked.split('>').next().unwrap().contains("checked"));
    let fields = [("user_name", "boss"), ("password", PASSWORD)];
    browser.submit_on(&page, SIGN_IN, &fields).await;
    assert!(
        kept(&browser).is_empty(),
        "nobody comes back as somebody else"
    );
    world.pass(AWAY);
    assert!(asks_for_a_name(&copy.arrive(SIGN_IN).await));
}

async fn give_address(world: &World, acme: &Tenant) {
    let (users, operator) = (world.platform.users(), Caller::operator());
    let found = users.by_login(&operator, acme.id, "ada").await.unwrap();
    let patch = UserPatch {
        email: Some(Email::new("ada@example.org").ok()),
        ..UserPatch::default()
    };
    let place = (acme.id, found.user.id);
    users.update(&operator, place, None, patch).await.unwrap();
}

/// Makes the address of `ada` a verified one.
async fn verify(world: &World, acme: &Tenant, browser: &mut Browser) {
    give_address(world, acme).await;
    let prove = browser.open("/t/acme/account/email").await;
    let flow = "/t/acme/account/flow";
    let ask = browser
        .submit_on(&prove, flow, &[("password", PASSWORD)])
        .await;
    let page = browser
        .submit_on(&ask, flow, &[("email", "ada@example.org")])
        .await;
    let code = world.mail("ada@example.org").await.code.unwrap();
    let fields = [("code", code.expose())];
    let done = browser.submit_on(&page, flow, &fields).await;
    done.assert_says("ada@example.org");
}

/// S14, S20: of two who hold one device's tokens, neither goes on; the person is
/// told, and the person's other devices stay.
#[tokio::test]
async fn s14_a_stolen_token_ends_the_device_and_tells_the_person() {
    let (world, acme) = world().await;
    let mut owner = world.browser();
    stay_as(&mut owner, "ada").await;
    verify(&world, &acme, &mut owner).await;
    let mut elsewhere = staying(&world).await;
    let mut thief = owner.clone();
    thief.cookies.retain(|name, _| name.starts_with("gl-stay-"));

    world.pass(AWAY);
    owner.arrive(ACCOUNT).await.assert_says("Hello, ada");
    world.pass(Duration::from_secs(31));
    let mails = world.mails("ada@example.org").await.len();
    assert!(asks_for_a_name(&thief.arrive(ACCOUNT).await));
    assert!(kept(&thief).is_empty());
    let told = world.mails("ada@example.org").await;
    assert_eq!(told.len(), mails + 1);
    assert_eq!(told.last().unwrap().template, "device_stolen");

    // The session that the device began has ended, and it begins no other one.
    assert!(asks_for_a_name(&owner.arrive(ACCOUNT).await));
    assert!(kept(&owner).is_empty());
    elsewhere.arrive(ACCOUNT).await.assert_says("Hello, ada");
}

/// The other way round: the thief was faster.
#[tokio::test]
async fn s14_a_thief_who_was_faster_is_thrown_out_by_the_owner() {
    let (world, _) = world().await;
    let mut owner = staying(&world).await;
    let mut thief = owner.clone();
    thief.cookies.retain(|name, _| name.starts_with("gl-stay-"));
    world.pass(AWAY);
    thief.arrive(ACCOUNT).await.assert_says("Hello, ada");
    world.pass(Duration::from_secs(31));
    assert!(asks_for_a_name(&owner.arrive(ACCOUNT).await));
    assert!(asks_for_a_name(&thief.arrive(ACCOUNT).await));
}

/// The answer of one tab is lost, or two tabs are faster than one another.
#[tokio::test]
async fn tabs_that_come_back_at_once_keep_the_same() {
    let (world, _) = world().await;
    let mut first = staying(&world).await;
    world.pass(AWAY);
    let (mut second, mut late) = (first.clone(), first.clone());
    first.arrive(ACCOUNT).await.assert_says("Hello, ada");
    world.pass(Duration::from_secs(29));
    second.arrive(ACCOUNT).await.assert_says("Hello, ada");
    assert_eq!(kept(&first), kept(&second));
    world.pass(Duration::from_secs(2));
    assert!(asks_for_a_name(&late.arrive(ACCOUNT).await));
}

#[tokio::test]
async fn the_account_page_lists_devices_and_forgets_them() {
    let (world, _) = world().await;
    let (mut here, mut elsewhere) = (staying(&world).await, staying(&world).await);
    world.pass(AWAY);
    here.arrive(ACCOUNT).await;
    elsewhere.arrive(ACCOUNT).await.assert_says("Hello, ada");
    let forget = "/t/acme/account/devices/forget";
    let page = here.get(ACCOUNT).await;
    page.assert_says("Devices that stay signed in");
    page.assert_says("Firefox on Linux");
    let forms: Vec<_> = page
        .forms()
        .into_iter()
        .filter(|form| form.action == forget)
        .collect();
    assert_eq!(forms.len(), 2);
    let (_, list) = page.body.split_once("id=\"devices\"").unwrap();
    let current = list
        .split("<li>")
        .position(|row| row.contains("This device"));
    let other = if current == Some(1) { 1 } else { 0 };
    let fields: Vec<_> = forms[other]
        .hidden
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let done = here.post(forget, &fields).await;
    here.follow(done)
        .await
        .assert_says("The device is forgotten.");
    // Its session has ended too, and nothing brings it back.
    assert!(asks_for_a_name(&elsewhere.arrive(ACCOUNT).await));
    // One's own goes, and the session goes on until it ends.
    let page = here.get(ACCOUNT).await;
    let done = here.submit_on(&page, forget, &[]).await;
    done.assert_says("The device is forgotten.");
    assert!(!done.says("Devices that stay signed in"));
    assert!(kept(&here).is_empty());
    world.pass(AWAY);
    assert!(asks_for_a_name(&here.arrive(ACCOUNT).await));
}

#[tokio::test]
async fn ending_a_session_elsewhere_ends_the_device_that_would_bring_it_back() {
    let (world, _) = world().await;
    // One was begun by its device, one was made in its session.
    let (mut begun, mut made) = (staying(&world).await, world.browser());
    world.pass(AWAY);
    begun.arrive(ACCOUNT).await.assert_says("Hello, ada");
    stay_as(&mut made, "ada").await.assert_says("Hello, ada");
    let mut here = world.signed_in("acme", "ada").await;
    for _ in 0..2 {
        let page = here.get(ACCOUNT).await;
        here.submit_on(&page, "/t/acme/account/sessions/end", &[])
            .await
            .assert_says("The session has ended.");
    }
    assert!(asks_for_a_name(&begun.arrive(ACCOUNT).await));
    assert!(asks_for_a_name(&made.arrive(ACCOUNT).await));
    here.get(ACCOUNT).await.assert_says("Hello, ada");
}

#[tokio::test]
async fn ending_all_other_sessions_leaves_this_device_alone() {
    let (world, _) = world().await;
    let (mut here, mut elsewhere) = (staying(&world).await, staying(&world).await);
    let mut asleep = staying(&world).await;
    world.pass(AWAY);
    here.arrive(ACCOUNT).await;
    elsewhere.arrive(ACCOUNT).await;
    let page = here.get(ACCOUNT).await;
    here.submit_on(&page, "/t/acme/account/sessions/end-others", &[])
        .await;
    assert!(asks_for_a_name(&elsewhere.arrive(ACCOUNT).await));
    assert!(asks_for_a_name(&asleep.arrive(ACCOUNT).await));
    world.pass(AWAY);
    here.arrive(ACCOUNT).await.assert_says("Hello, ada");
}

#[tokio::test]
async fn the_console_lists_a_users_devices_and_forgets_them() {
    let (world, acme) = world().await;
    let mut ada = staying(&world).await;
    world.pass(AWAY);
    ada.arrive(ACCOUNT).await;
    let mut boss = world.signed_in("acme", "boss").await;
    let users = world.platform.users();
    let found = users.by_login(&Caller::operator(), acme.id, "ada").await;
    let path = format!(
        "/t/acme/console/tenants/{}/users/{}",
        acme.id,
        found.unwrap().user.id
    );
    let page = boss.get(&path).await;
    page.assert_says("Where this user stays signed in");
    let forget = format!("{path}/devices/forget");
    let done = boss.submit_on(&page, &forget, &[]).await;
    done.assert_says("The device is forgotten.");
    assert!(!done.has_form(&forget));
    assert!(asks_for_a_name(&ada.arrive(ACCOUNT).await));
}

#[tokio::test]
async fn where_it_is_not_offered_there_is_no_box_and_no_way_back() {
    let (world, acme) = world().await;
    let mut browser = staying(&world).await;
    let mut settings = TenantSettings::default();
    settings.session.remember_days = Some(0);
    let tenants = world.platform.tenants();
    tenants
        .put_settings(&Caller::operator(), acme.id, None, settings)
        .await
        .unwrap();
    world.pass(AWAY);
    let page = browser.arrive(ACCOUNT).await;
    assert!(asks_for_a_name(&page) && !page.says(BOX));
    assert!(kept(&browser).is_empty());
    // Who says so all the same gets no further.
    let fields = [
        ("user_name", "ada"),
        ("password", PASSWORD),
        ("stay", "true"),
    ];
    browser.submit_on(&page, SIGN_IN, &fields).await;
    assert!(kept(&browser).is_empty());
}

#[tokio::test]
async fn a_shorter_time_ends_devices_that_are_older() {
    let (world, acme) = world().await;
    let mut browser = staying(&world).await;
    for _ in 0..3 {
        world.pass(DAY);
        browser.arrive(ACCOUNT).await.assert_says("Hello, ada");
    }
    let mut settings = TenantSettings::default();
    settings.session.remember_days = Some(2);
    let tenants = world.platform.tenants();
    tenants
        .put_settings(&Caller::operator(), acme.id, None, settings)
        .await
        .unwrap();
    world.pass(AWAY);
    assert!(asks_for_a_name(&browser.arrive(ACCOUNT).await));
}

#[tokio::test]
async fn a_device_proves_nothing_that_changes_a_credential() {
    let (world, _) = world().await;
    let mut browser = staying(&world).await;
    world.pass(AWAY);
    browser.arrive(ACCOUNT).await.assert_says("Hello, ada");
    let prove = browser.arrive("/t/acme/account/sign-in-methods/totp").await;
    assert!(prove.has_form("/t/acme/account/flow"));
    prove.assert_says("Password");
    assert!(!prove.says("Remembered device"));
}

#[tokio::test]
async fn links_and_other_doors_do_not_offer_it() {
    let (world, _) = world().await;
    let mut browser = world.browser();
    for path in ["/t/acme/forgot-password", "/t/acme/sign-up"] {
        assert!(!browser.get(path).await.says(BOX), "{path}");
    }
    browser.get(SIGN_IN).await.assert_says(BOX);
}
