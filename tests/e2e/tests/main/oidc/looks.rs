//! Every page on the way by a third party, looked at.

use gatelodge_e2e::world::HOME;
use serde_json::json;

use super::{
    House, here, leaves_again,
    linking::{comes_by_both, two},
    proves,
};

const NAMED: &str = "label = \"Harbour ID\"\nsign_out = true";

#[tokio::test]
async fn the_pages_about_somebody_new_are_fit_to_be_seen() {
    let house = House::new(NAMED).await;
    let password = house.world.user(HOME, "ada").await;
    let browser = house.browser().await;
    browser.goto(&here("/sign-in")).await;
    browser.press_named("Continue with Harbour ID").await;
    browser.reads("Sign in there").await;
    browser.press_named("Cancel").await;
    browser.element(".notice-error").await;
    browser.inspect("third-party-cancelled").await;
    browser.press_named("Continue with Harbour ID").await;
    browser.signs_in_there("augusta").await;
    browser.reads("Link your account").await;
    browser.inspect("third-party-not-linked").await;
    browser.press_named("Sign in and link it").await;
    browser.reads("go on only if that is you").await;
    browser.inspect("third-party-sign-in-to-link").await;
    proves(&browser, "ada", &password).await;
    browser.arrives_at("/account").await;
    browser.inspect("account-linked").await;
    browser.press("#connections a[href$='/remove']").await;
    browser.element("[name=password]").await;
    browser.inspect("unlink-confirm-it-is-you").await;
    browser.fill("password", &password).await;
    browser.send_form_of("password").await;
    browser.reads("Remove Harbour ID?").await;
    browser.inspect("unlink").await;
    leaves_again(&browser).await;
    house.done(browser).await;
}

#[tokio::test]
async fn the_pages_about_new_accounts_and_leaving_are_fit_to_be_seen() {
    let house = House::new(&format!("{NAMED}\nnew_accounts = \"ask\"")).await;
    house
        .there
        .account("grace", json!({ "email": "grace@example.com" }))
        .await;
    let browser = house.browser().await;
    browser.goto(&here("/sign-in")).await;
    browser.press_named("Continue with Harbour ID").await;
    browser.signs_in_there("augusta").await;
    browser.reads("You are new here").await;
    browser.inspect("new-account").await;
    browser.fill("user_name", "keeper").await;
    browser.send_form_of("user_name").await;
    browser.element(".field-error").await;
    browser.inspect("new-account-errors").await;
    browser.fill("user_name", "augusta").await;
    browser.send_form_of("user_name").await;
    browser.arrives_at("/account").await;
    browser.press("#connections a[href$='/remove']").await;
    browser
        .reads("This is the only way to sign in that is left")
        .await;
    browser.inspect("unlink-last-way-in").await;
    leaves_again(&browser).await;
    browser.inspect("signed-out-here").await;
    house.done(browser).await;
}

#[tokio::test]
async fn the_page_about_a_known_address_is_fit_to_be_seen() {
    let house = two().await;
    let browser = house.browser().await;
    comes_by_both(&browser).await;
    browser.inspect("new-account-known").await;
    browser.press_named("Sign in and link it").await;
    browser.reads("go on only if that is you").await;
    browser.inspect("sign-in-to-link-third-parties").await;
    house.done(browser).await;
}

#[tokio::test]
async fn the_pages_of_linking_are_fit_to_be_seen() {
    // A service that many run on their own, for its picture.
    let house = House::new(&format!("{NAMED}\npreset = \"gitlab\"")).await;
    let password = house.world.user(HOME, "ada").await;
    let browser = house.browser().await;
    browser.signs_in(&here(""), "ada", &password).await;
    browser.press("#connections a").await;
    browser.element("[name=password]").await;
    browser.inspect("link-confirm-it-is-you").await;
    browser.fill("password", &password).await;
    browser.send_form_of("password").await;
    browser.reads("can sign in here with it from then on").await;
    browser.inspect("link").await;
    browser.press_named("Continue with Harbour ID").await;
    browser.signs_in_there("augusta").await;
    browser.element(".notice-success").await;
    browser.inspect("account-just-linked").await;
    house.done(browser).await;
}
