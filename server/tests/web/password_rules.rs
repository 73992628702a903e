//! Rules for passwords on pages: said beforehand, told when broken, and the duty
//! to choose a new one.

use std::time::Duration;

use axum::http::StatusCode;
use gatelodge_core::model::{Grant, Tenant, User};
use serde_json::json;

use crate::{
    browser::Answer,
    world::{PASSWORD, World},
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const NEW: &str = "entirely different words here";
const SIGN_IN: &str = "/t/acme/sign-in";

async fn aging(more: serde_json::Value) -> (World, Tenant) {
    let mut rules = json!({
        "profile": "legacy", "acknowledge_nonconformance": true, "maximum_age_days": 90,
    });
    let more = more.as_object().unwrap().clone();
    rules.as_object_mut().unwrap().extend(more);
    let world = World::with_rules(rules).await;
    let tenant = world.tenant("acme").await;
    world.user(tenant.id, "ada", &Grant::ALL).await;
    (world, tenant)
}

fn page(tenant: &Tenant, user: &User) -> String {
    format!("/t/acme/console/tenants/{}/users/{}", tenant.id, user.id)
}

#[tokio::test]
async fn an_old_password_has_to_be_changed_and_the_page_says_why() {
    let (world, _) = aging(json!({})).await;
    world.pass(90 * DAY);
    let mut ada = world.browser();
    let duty = ada.sign_in("/t/acme", "ada", PASSWORD).await;
    duty.assert_says("Your password is older than the rules here allow.");
    duty.assert_says("It has to be changed after 90 days.");
    assert!(!duty.says("Not now"));
    assert!(ada.cookies_like("gl-session-").is_empty());
    let done = ada
        .submit_on(&duty, SIGN_IN, &[("new_password", NEW)])
        .await;
    assert_eq!(done.path, "/t/acme/account");
}

/// v5.0.0-6.4.5.
#[tokio::test]
async fn a_change_that_is_not_due_yet_is_put_off_by_a_button() {
    let (world, _) = aging(json!({})).await;
    world.pass(80 * DAY);
    let mut ada = world.browser();
    let duty = ada.sign_in("/t/acme", "ada", PASSWORD).await;
    duty.assert_says("Your password has to be changed by");
    duty.assert_says("Not now");
    assert!(
        duty.body.contains("formnovalidate"),
        "the button works with the field left empty"
    );
    let done = ada.submit_on(&duty, SIGN_IN, &[("action", "later")]).await;
    assert_eq!(done.path, "/t/acme/account");
}

/// Every reason of a refused password is on the page.
#[tokio::test]
async fn a_refused_password_is_told_all_its_reasons() {
    let (world, _) = aging(json!({"required_types": ["lower", "symbol"], "history": 3})).await;
    world.pass(90 * DAY);
    let mut ada = world.browser();
    let duty = ada.sign_in("/t/acme", "ada", PASSWORD).await;
    duty.assert_says("At least 15 characters, among them at least a small letter and a symbol.");
    duty.assert_says("nor are the 3 passwords that you had before the present one");
    let again = ada
        .submit(&duty, SIGN_IN, &[("new_password", "HERONS")])
        .await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    again.assert_says("The password has 6 characters; it needs at least 15.");
    again.assert_says("The password needs a small letter.");
    again.assert_says("The password needs a symbol.");
    again.assert_says("Your password is older than the rules here allow.");
}

async fn ask(world: &World, tenant: &Tenant, user: &User, reason: &str) -> Answer {
    let mut browser = world.signed_in("acme", "ada").await;
    let path = page(tenant, user);
    let shown = browser.get(&path).await;
    let action = format!("{path}/require-change");
    let fields = [("must_change", reason)];
    browser.submit_on(&shown, &action, &fields).await
}

/// v5.0.0-6.4.6: the page neither shows nor asks for a password.
#[tokio::test]
async fn an_administrator_asks_for_a_new_password_by_a_button() {
    let (world, tenant) = World::acme().await;
    let carol = world.user(tenant.id, "carol", &[]).await;
    let mut own = world.signed_in("acme", "carol").await;
    let done = ask(&world, &tenant, &carol, "administrator").await;
    done.assert_says("A new password has to be chosen at the next sign-in.");
    done.assert_says("an administrator set the present one or asked for another");
    assert!(!done.body.contains("type=\"password\""));
    assert!(own.get("/t/acme/account").await.location().is_none());
    let mut browser = world.browser();
    let duty = browser.sign_in("/t/acme", "carol", PASSWORD).await;
    duty.assert_says("Your administrator asks for another password");
    let done = browser
        .submit_on(&duty, SIGN_IN, &[("new_password", NEW)])
        .await;
    assert_eq!(done.path, "/t/acme/account");
}

#[tokio::test]
async fn s20_a_known_password_ends_the_sessions_and_the_page_says_so() {
    let (world, tenant) = World::acme().await;
    let carol = world.user(tenant.id, "carol", &[]).await;
    let mut own = world.signed_in("acme", "carol").await;
    ask(&world, &tenant, &carol, "compromised")
        .await
        .assert_says("the present one is known to others");
    assert!(own.get("/t/acme/account").await.location().is_some());
    let duty = world.browser().sign_in("/t/acme", "carol", PASSWORD).await;
    duty.assert_says("Your password may be known to somebody else.");
}

#[tokio::test]
async fn a_reason_that_there_is_not_is_refused_on_the_page() {
    let (world, tenant) = World::acme().await;
    let carol = world.user(tenant.id, "carol", &[]).await;
    for reason in ["", "boredom", "age"] {
        let again = ask(&world, &tenant, &carol, reason).await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "{reason}");
    }
    world.signed_in("acme", "carol").await;
}

#[tokio::test]
async fn the_rules_and_what_they_cost_are_on_the_organisations_page() {
    let (world, tenant) = aging(json!({"minimum_length": 12})).await;
    let mut browser = world.signed_in("acme", "ada").await;
    let shown = browser
        .get(&format!("/t/acme/console/tenants/{}", tenant.id))
        .await;
    shown.assert_says("Ways to sign in");
    shown.assert_says("A new password has at least 12 characters.");
    shown.assert_says("Falls short of OWASP ASVS 5.0.0, 6.2.10:");
    shown.assert_says("Falls short of NIST SP 800-63B-4, 3.1.1.2:");
    let (world, tenant) = World::acme().await;
    let mut browser = world.signed_in("acme", "ada").await;
    let shown = browser
        .get(&format!("/t/acme/console/tenants/{}", tenant.id))
        .await;
    shown.assert_says("A new password has at least 15 characters.");
    assert!(!shown.says("Falls short"));
}
