//! Every page, looked at: accessible, narrow enough for a phone, in light and dark, and kept as a picture.

use gatelodge_e2e::{
    browser::Browser,
    place::Place,
    world::{ADMINISTRATOR, ADMINISTRATORS_PASSWORD, HOME, TALKATIVE, World},
};
use serde_json::json;

const OTHER_PASSWORD: &str = "canary: of another feather";

#[tokio::test]
async fn the_set_up_pages_are_fit_to_be_seen() {
    let place = Place::with_config(TALKATIVE);
    let server = place.serve().await;
    let browser = Browser::open(&server).await;
    browser.goto_address(&server.set_up_link()).await;
    browser.inspect("setup").await;
    browser.fill("tenant", HOME).await;
    browser.fill("user_name", ADMINISTRATOR).await;
    browser.fill("password", "passwordpassword").await;
    browser.send_form_of("password").await;
    browser.element(".notice-error").await;
    browser.inspect("setup-errors").await;
    browser.fill("password", ADMINISTRATORS_PASSWORD).await;
    browser.send_form_of("password").await;
    browser.arrives_at("/sign-in").await;
    browser.inspect("sign-in-after-set-up").await;
    browser.goto_address(&server.set_up_link()).await;
    browser.inspect("setup-used-up").await;
    browser.close().await;
}

#[tokio::test]
async fn the_pages_before_signing_in_are_fit_to_be_seen() {
    let world =
        World::with_config("[pages]\nremember_name = true\n[limits]\nfree_tries = 2\n").await;
    world.open_registration(HOME).await;
    let first =
        json!({ "user_name": "ada", "password": OTHER_PASSWORD, "display_name": "Ada Lovelace" });
    world
        .administrator
        .post(&format!("/api/v1/tenants/{HOME}/users"), first)
        .await
        .expect(201);
    world.user(HOME, "slow").await;
    let here = format!("/t/{HOME}");
    let browser = world.browser().await;
    browser.goto(&format!("{here}/sign-in")).await;
    browser.inspect("sign-in").await;
    browser.goto("/sign-in").await;
    browser.inspect("sign-in-without-tenant").await;
    browser.sign_in(&here, "slow", "canary: a wrong note").await;
    browser.element(".notice-error").await;
    browser.inspect("sign-in-refused").await;
    browser.goto(&format!("{here}/sign-up")).await;
    browser.inspect("sign-up").await;
    browser.fill("user_name", "grace").await;
    browser.fill("display_name", "Grace").await;
    browser.fill("new_password", "passwordpassword").await;
    browser.send_form_of("new_password").await;
    browser.element(".notice-error").await;
    browser.inspect("sign-up-errors").await;
    browser.goto("/nowhere").await;
    browser.inspect("not-found").await;
    browser
        .goto(&format!(
            "{here}/sign-in?flow=0192f0c1-0000-7000-8000-000000000000"
        ))
        .await;
    browser.inspect("expired").await;
    browser.sign_in(&here, "slow", "canary: a wrong note").await;
    browser.element(".notice-error").await;
    browser.sign_in(&here, "slow", "canary: a wrong note").await;
    browser.reads("Too many tries").await;
    browser.inspect("too-many-tries").await;
    browser.sign_in(&here, "ada", OTHER_PASSWORD).await;
    browser.element("[name=new_password]").await;
    browser.inspect("must-change").await;
    browser.close().await;
}

#[tokio::test]
async fn the_pages_of_an_account_are_fit_to_be_seen() {
    let world = World::new().await;
    let password = world.user(HOME, "ada").await;
    let here = format!("/t/{HOME}");
    for _ in 0..2 {
        world.visitor().sign_in(&here, "ada", &password).await;
    }
    let browser = world.browser().await;
    browser.signs_in(&here, "ada", &password).await;
    browser.inspect("account").await;
    browser.press("#methods a.button").await;
    browser.element("[name=password]").await;
    browser.inspect("confirm-it-is-you").await;
    browser.fill("password", &password).await;
    browser.send_form_of("password").await;
    browser.element("[name=new_password]").await;
    browser.inspect("change-password").await;
    browser.fill("new_password", "passwordpassword").await;
    browser.send_form_of("new_password").await;
    browser.element(".notice-error").await;
    browser.inspect("change-password-errors").await;
    browser.goto(&format!("{here}/console")).await;
    browser.inspect("forbidden").await;
    browser.goto(&format!("{here}/sign-out")).await;
    browser.inspect("sign-out").await;
    browser.press_named("Sign out").await;
    browser.reads("You are signed out").await;
    browser.inspect("signed-out").await;
    browser.close().await;
}

#[tokio::test]
async fn the_console_pages_about_users_are_fit_to_be_seen() {
    let world = World::new().await;
    let here = format!("/t/{HOME}");
    let password = world.user(HOME, "ada").await;
    world.visitor().sign_in(&here, "ada", &password).await;
    let grace = json!({ "user_name": "grace", "display_name": "Grace Brewster Murray Hopper", "email": "grace@example.com" });
    world
        .administrator
        .post(&format!("/api/v1/tenants/{HOME}/users"), grace)
        .await
        .expect(201);
    world
        .run(&[
            "user", "lock", "-t", HOME, "grace", "--reason", "on leave", "--for", "7d",
        ])
        .await
        .succeeded();
    let browser = world.browser().await;
    browser
        .signs_in(&here, ADMINISTRATOR, ADMINISTRATORS_PASSWORD)
        .await;
    browser.press_named("Users").await;
    browser.arrives_at("/users").await;
    browser.inspect("users").await;
    browser.press_named("New user").await;
    browser.fill("user_name", "ADA").await;
    browser.send_form_of("user_name").await;
    browser.element(".notice-error").await;
    browser.inspect("users-errors").await;
    browser.fill("user_name", "margaret").await;
    browser.send_form_of("user_name").await;
    browser.element("output.secret").await;
    browser.inspect("user-created").await;
    browser.press_named("Users").await;
    browser.press_named("ada").await;
    browser.element("#lock").await;
    browser.inspect("user").await;
    browser.press("#danger li:last-child a").await;
    browser.element(".consequences").await;
    browser.inspect("user-delete").await;
    browser.press_named("Users").await;
    browser.press_named("Grace Brewster Murray Hopper").await;
    browser.reads("Reason: on leave").await;
    browser.inspect("user-locked").await;
    browser.close().await;
}

#[tokio::test]
async fn the_console_pages_about_tenants_are_fit_to_be_seen() {
    let world = World::new().await;
    let harbour = json!({ "name": "harbour", "display_name": "Harbour Works & Sons" });
    world
        .administrator
        .post("/api/v1/tenants", harbour)
        .await
        .expect(201);
    let browser = world.browser().await;
    browser
        .signs_in(
            &format!("/t/{HOME}"),
            ADMINISTRATOR,
            ADMINISTRATORS_PASSWORD,
        )
        .await;
    browser.press_named("Organisations").await;
    browser.arrives_at("/console/tenants").await;
    browser.inspect("tenants").await;
    browser.press_named("Harbour Works & Sons").await;
    browser.element("#danger").await;
    browser.inspect("tenant").await;
    browser.press("#danger a").await;
    browser.element(".consequences").await;
    browser.inspect("tenant-delete").await;
    browser.close().await;
}

/// v5.0.0-6.4.6, with the real program: an administrator asks, and sees no password.
#[tokio::test]
async fn the_pages_about_rules_for_passwords_are_fit_to_be_seen() {
    let world = World::with_config(
        "[[providers]]\nkind = \"password\"\nprofile = \"legacy\"\nacknowledge_nonconformance = true\n\
         minimum_length = 12\nrequired_types = [\"lower\", \"symbol\"]\nmaximum_age_days = 90\nhistory = 4\n",
    )
    .await;
    let here = format!("/t/{HOME}");
    let password = world.user(HOME, "ada").await;
    let browser = world.browser().await;
    browser
        .signs_in(&here, ADMINISTRATOR, ADMINISTRATORS_PASSWORD)
        .await;
    browser.press_named("Organisations").await;
    browser.arrives_at("/console/tenants").await;
    browser.press_named(HOME).await;
    browser.element("#rules").await;
    browser.inspect("tenant-rules").await;
    browser.press_named("Users").await;
    browser.press_named("ada").await;
    browser.element("#require-change").await;
    browser.press("#require-change button").await;
    browser.reads("A new password has to be chosen").await;
    browser.inspect("user-must-change").await;
    let ada = world.browser().await;
    ada.sign_in(&here, "ada", &password).await;
    ada.reads("Your administrator asks for another password")
        .await;
    ada.fill("new_password", "HERONS, EIGHT").await;
    ada.send_form_of("new_password").await;
    ada.element(".notice-error").await;
    ada.reads("The password needs a small letter.").await;
    ada.inspect("must-change-rules").await;
    ada.close().await;
    browser.close().await;
}
