//! Second factors that are required, on the pages; and the account page's view of them.

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use gatelodge_core::{
    access::Caller,
    environment::later,
    model::{Grant, SecondFactorRule, SecondFactorSettings, Tenant, TenantSettings},
    provider::Provider,
};
use gatelodge_provider_recovery_code::RecoveryCodeProvider;
use gatelodge_provider_totp::{Algorithm, Authenticator, Config, TotpProvider};
use jiff::Timestamp;

use crate::{
    browser::{Answer, Browser},
    world::{PASSWORD, World},
};

const ACCOUNT: &str = "/t/acme/account";
const FLOW: &str = "/t/acme/account/flow";
const SIGN_IN: &str = "/t/acme/sign-in";
const DAY: Duration = Duration::from_secs(86_400);

/// Ada of acme, with as many kinds of apps, and recovery codes.
async fn house(apps: &[&'static str]) -> (World, Tenant) {
    let app = |id: &&'static str| {
        let made = TotpProvider::new(Config::default()).unwrap();
        (*id, Arc::new(made) as Arc<dyn Provider>)
    };
    let mut ways: Vec<_> = apps.iter().map(app).collect();
    ways.push(("recovery-code", Arc::new(RecoveryCodeProvider)));
    let world = World::with_ways(|_| {}, ways).await;
    let acme = world.tenant("acme").await;
    world.user(acme.id, "ada", &[]).await;
    (world, acme)
}

async fn put(world: &World, acme: &Tenant, rule: SecondFactorRule, from: Option<Timestamp>) {
    let settings = TenantSettings {
        second_factor: SecondFactorSettings {
            everyone: Some(rule),
            administrators: None,
            required_from: from,
        },
        ..TenantSettings::default()
    };
    let (tenants, operator) = (world.platform.tenants(), Caller::operator());
    let put = tenants.put_settings(&operator, acme.id, None, settings);
    put.await.unwrap();
}

fn app_on(page: &Answer) -> Authenticator {
    let key = page.inside("<code class=\"secret\"");
    Authenticator::from_base32(&key, Algorithm::Sha1, 6, 30).unwrap()
}

fn present(world: &World, app: &Authenticator) -> String {
    let now = world.platform.now().as_second();
    app.code(app.step_at(u64::try_from(now).unwrap()))
        .to_string()
}

/// Presses a button that carries a value of its own.
async fn press(browser: &mut Browser, page: &Answer, action: &str) -> Answer {
    let forms = page.forms();
    let form = &forms[0];
    let hidden = form.hidden.iter();
    let mut fields: Vec<_> = hidden.map(|(n, v)| (n.as_str(), v.as_str())).collect();
    fields.push(("action", action));
    let sent = browser.post(&form.action, &fields).await;
    browser.follow(sent).await
}

#[tokio::test]
async fn the_only_way_is_shown_at_once_and_leads_in() {
    let (world, acme) = house(&["totp"]).await;
    put(&world, &acme, SecondFactorRule::Required, None).await;
    let mut browser = world.browser();
    let page = browser.sign_in("/t/acme", "ada", PASSWORD).await;
    page.assert_says("Authenticator app");
    page.assert_says("Set one up to go on.");
    assert!(!page.says("Not now"));
    assert!(
        browser.get(ACCOUNT).await.location().is_some(),
        "not in yet"
    );
    let code = present(&world, &app_on(&page));
    let done = browser.submit_on(&page, SIGN_IN, &[("code", &code)]).await;
    done.assert_says("Hello, ada");
    done.assert_says("Second step");
}

#[tokio::test]
async fn one_of_several_is_chosen_changed_and_put_off() {
    let (world, acme) = house(&["totp", "work-app"]).await;
    let from = later(world.platform.now(), DAY);
    put(&world, &acme, SecondFactorRule::Required, Some(from)).await;
    let mut browser = world.browser();
    let page = browser.sign_in("/t/acme", "ada", PASSWORD).await;
    page.assert_says("Add a second step");
    page.assert_says("starting tomorrow at");
    let forms = page.forms();
    assert_eq!(forms.len(), 3, "two ways, and not now");
    let chosen = forms[1].hidden.iter();
    let chosen: Vec<_> = chosen.map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let sent = browser.post(SIGN_IN, &chosen).await;
    let page = browser.follow(sent).await;
    page.assert_says("Choose another way");
    page.assert_says("Not now");
    let back = press(&mut browser, &page, "another_way").await;
    back.assert_says("Add a second step");
    // Not now.
    let forms = back.forms();
    let later = forms.last().unwrap().hidden.iter();
    let later: Vec<_> = later.map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert!(later.contains(&("action", "later")));
    let sent = browser.post(SIGN_IN, &later).await;
    let done = browser.follow(sent).await;
    done.assert_says("Hello, ada");
    done.assert_says("Your organisation asks for one, starting tomorrow at");

    world.pass(DAY);
    let page = world.browser().sign_in("/t/acme", "ada", PASSWORD).await;
    page.assert_says("Add a second step");
    assert!(!page.says("Not now"));
    assert_eq!(page.forms().len(), 2);
}

/// Sets something up on the account page.
async fn set_up(
    world: &World,
    browser: &mut Browser,
    what: &str,
    app: Option<&Authenticator>,
) -> Answer {
    let prove = browser
        .open(&format!("{ACCOUNT}/sign-in-methods/{what}"))
        .await;
    let proof = [("password", PASSWORD)];
    let page = browser.submit_on(&prove, FLOW, &proof).await;
    match app {
        Some(app) => {
            let code = present(world, app);
            browser.submit_on(&page, FLOW, &[("code", &code)]).await
        }
        None => page,
    }
}

#[tokio::test]
async fn the_account_page_says_how_safe_it_is() {
    let (world, acme) = house(&["totp"]).await;
    let mut browser = world.signed_in("acme", "ada").await;
    let page = browser.get(ACCOUNT).await;
    page.assert_says("What keeps others out of your account.");
    page.assert_says("The present one since");
    page.assert_says("Whoever learns your password gets in.");
    page.assert_says("1 open session");
    assert!(
        !page.says("a lost phone"),
        "there is nothing to stand in for"
    );
    let scan = set_up(&world, &mut browser, "totp", None).await;
    let app = app_on(&scan);
    let code = present(&world, &app);
    let page = browser.submit_on(&scan, FLOW, &[("code", &code)]).await;
    page.assert_says("None. Without them, a lost phone keeps you out too.");
    page.assert_says("Make some");

    world.pass(Duration::from_secs(60));
    let shown = set_up(&world, &mut browser, "recovery-code", Some(&app)).await;
    let (_, list) = shown.body.split_once("<ol class=\"codes\">").unwrap();
    let (list, _) = list.split_once("</ol>").unwrap();
    let codes = list.split("<li>").skip(1);
    let codes: Vec<_> = codes
        .map(|item| item.split('<').next().unwrap().to_owned())
        .collect();
    let page = browser.submit_on(&shown, FLOW, &[("kept", "true")]).await;
    page.assert_says("10 left");
    assert!(!page.says("Running out"));
    for (number, code) in codes[..8].iter().enumerate() {
        let mut next = world.browser();
        let asked = next.sign_in("/t/acme", "ada", PASSWORD).await;
        let forms = asked.forms();
        let is_codes = |form: &&crate::browser::Form| {
            form.hidden.iter().any(|hidden| hidden.1 == "recovery-code")
        };
        let way = forms.iter().find(is_codes).unwrap().hidden.iter();
        let fields: Vec<_> = way.map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let sent = next.post(SIGN_IN, &fields).await;
        let asked = next.follow(sent).await;
        let done = next.submit_on(&asked, SIGN_IN, &[("code", code)]).await;
        assert_eq!(done.says("Running out"), number == 7, "{number}");
    }
    let page = browser.get(ACCOUNT).await;
    page.assert_says("Only 2 left.");
    assert!(
        page.links()
            .contains(&format!("{ACCOUNT}/sign-in-methods/recovery-code"))
    );
    page.assert_says("Make new ones");
    // What cannot be set up here is not spoken of, and what is there stays.
    put(&world, &acme, SecondFactorRule::Off, None).await;
    browser.get(ACCOUNT).await.assert_says("Only 2 left.");
    world.user(acme.id, "bob", &[]).await;
    let bob = world.signed_in("acme", "bob").await.get(ACCOUNT).await;
    assert!(!bob.says("Second step") && !bob.says("Authenticator app"));
}

#[tokio::test]
async fn a_second_step_is_removed_after_a_proof_and_a_question() {
    let (world, acme) = house(&["totp"]).await;
    let mut browser = world.signed_in("acme", "ada").await;
    let mut other = world.signed_in("acme", "ada").await;
    let scan = set_up(&world, &mut browser, "totp", None).await;
    let app = app_on(&scan);
    let code = present(&world, &app);
    let values = [("code", code.as_str()), ("name", "Phone")];
    let page = browser.submit_on(&scan, FLOW, &values).await;
    page.assert_says("Phone, set up");
    assert!(other.get(ACCOUNT).await.location().is_some());
    let links = page.links();
    let remove = links
        .iter()
        .find(|link| link.ends_with("/remove"))
        .unwrap()
        .clone();

    world.pass(Duration::from_secs(60));
    let prove = browser.open(&remove).await;
    let asked = browser
        .submit_on(&prove, FLOW, &[("password", PASSWORD)])
        .await;
    let code = present(&world, &app);
    let asked = browser.submit_on(&asked, FLOW, &[("code", &code)]).await;
    asked.assert_says("Remove Authenticator app?");
    asked.assert_says("Phone");
    assert!(
        asked.links().contains(&ACCOUNT.to_owned()),
        "back without it"
    );
    let done = press_remove(&mut browser, &asked).await;
    assert_eq!(done.path, format!("{ACCOUNT}?notice=own_factor_removed"));
    done.assert_says("Removed. All other devices were signed out.");
    assert!(!done.says("Phone, set up"));
    world
        .browser()
        .sign_in("/t/acme", "ada", PASSWORD)
        .await
        .assert_says("Hello, ada");

    // The last one stays where one is required, and the page says why.
    let scan = set_up(&world, &mut browser, "totp", None).await;
    let code = present(&world, &app_on(&scan));
    let page = browser.submit_on(&scan, FLOW, &[("code", &code)]).await;
    put(&world, &acme, SecondFactorRule::Required, None).await;
    let links = page.links();
    let remove = links.iter().find(|link| link.ends_with("/remove")).unwrap();
    let refused = browser.get(remove).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    for wrong in ["nothing", "0192f0c1-0000-7000-8000-000000000000"] {
        let path = format!("{ACCOUNT}/factors/{wrong}/remove");
        assert_eq!(browser.get(&path).await.status, StatusCode::NOT_FOUND);
    }
}

async fn press_remove(browser: &mut Browser, page: &Answer) -> Answer {
    let forms = page.forms();
    let form = forms.iter().find(|form| form.action == FLOW).unwrap();
    let hidden = form.hidden.iter();
    let mut fields: Vec<_> = hidden.map(|(n, v)| (n.as_str(), v.as_str())).collect();
    fields.push(("action", "remove"));
    let sent = browser.post(FLOW, &fields).await;
    browser.follow(sent).await
}

#[tokio::test]
async fn an_administrator_sets_the_rule_in_the_console_and_sees_who_has_none() {
    let (world, acme) = house(&["totp"]).await;
    world
        .user(acme.id, "boss", &[Grant::TenantAdministrator])
        .await;
    let mut browser = world.signed_in("acme", "boss").await;
    let path = format!("/t/acme/console/tenants/{}", acme.id);
    let form = format!("{path}/second-factor");
    let page = browser.get(&path).await;
    page.assert_says("In force now: Optional.");
    let fields = [
        ("everyone", "required"),
        ("administrators", "inherit"),
        ("required_from", "2027-01-31"),
    ];
    let saved = browser.submit_on(&page, &form, &fields).await;
    saved.assert_says("Saved.");
    assert_eq!(
        saved.value("required_from").as_deref(),
        Some("2027-01-31T00:00:00Z")
    );
    for (field, wrong) in [
        ("everyone", "sometimes"),
        ("administrators", ""),
        ("required_from", "soon"),
        ("required_from", "2027-02-30"),
    ] {
        let mut fields = fields.to_vec();
        fields.retain(|(name, _)| *name != field);
        fields.push((field, wrong));
        let again = browser.submit(&saved, &form, &fields).await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}");
    }
    let stale = browser.submit(&page, &form, &fields).await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
    let operator = Caller::operator();
    let ada = world
        .platform
        .users()
        .by_login(&operator, acme.id, "ada")
        .await;
    let ada = format!("{path}/users/{}", ada.unwrap().user.id);
    let user = browser.get(&ada).await;
    user.assert_says("Not set up; required from: 31 January 2027 at 00:00 UTC");
    // Other settings leave it alone.
    let settings = [("registration", "inherit"), ("idle_minutes", "10")];
    let page = browser
        .submit_on(&saved, &format!("{path}/settings"), &settings)
        .await;
    assert!(page.value("required_from").is_some());
    let cleared = [("everyone", "required"), ("administrators", "inherit")];
    let saved = browser.submit_on(&page, &form, &cleared).await;
    assert_eq!(saved.value("required_from"), None);
    browser.get(&ada).await.assert_says("Required, not set up");
}

#[tokio::test]
async fn what_nobody_could_set_up_is_not_required() {
    let (world, tenant) = World::acme().await;
    let mut browser = world.signed_in("acme", "ada").await;
    let path = format!("/t/acme/console/tenants/{}", tenant.id);
    let page = browser.get(&path).await;
    let fields = [("everyone", "inherit"), ("administrators", "required")];
    let form = format!("{path}/second-factor");
    let refused = browser.submit(&page, &form, &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.assert_says("nothing that is offered can be set up as a second factor");
}
