//! Signing in, and being refused.

use std::time::Duration;

use gatelodge_e2e::{
    inspect::Screen,
    visitor::{Page, Visitor},
    wait,
    world::{HOME, World},
};
use serde_json::json;

const REFUSED: &str = "That didn’t work. Check what you entered and try again.";

#[tokio::test]
async fn a_wrong_password_is_refused_in_words_and_the_name_stays() {
    let world = World::new().await;
    world.user(HOME, "ada").await;
    let browser = world.browser().await;
    browser
        .sign_in(&format!("/t/{HOME}"), "ada", "canary: of another feather")
        .await;
    let error = browser.element(".notice-error").await;
    assert_eq!(error.text().await.unwrap(), REFUSED);
    assert_eq!(error.attr("role").await.unwrap().as_deref(), Some("alert"));
    assert_eq!(browser.value("user_name").await, "ada");
    assert_eq!(browser.value("password").await, "");
    assert_eq!(browser.focus().await["name"], "password");
    browser.close().await;
}

#[tokio::test]
async fn a_password_works_as_it_was_typed_pasted_and_with_scripts_off() {
    let world = World::new().await;
    let password = world.user(HOME, "ada").await;
    let browser = world.browser().await;
    browser.without_scripts().await;
    browser
        .sign_in(&format!("/t/{HOME}"), "ada", "canary: of another feather")
        .await;
    browser.element(".notice-error").await;
    browser.press("[name=password]").await;
    // What a password manager and the clipboard do.
    browser
        .cdp("Input.insertText", json!({ "text": password }))
        .await;
    browser.send_form_of("password").await;
    browser.arrives_at("/account").await;
    browser.press_named("Sign out").await;
    browser.reads("You are signed out").await;
    browser.close().await;
}

#[tokio::test]
async fn the_form_says_what_its_fields_are_to_people_and_password_managers() {
    let world = World::new().await;
    let browser = world.browser().await;
    browser.show_on(Screen::Phone).await;
    browser.goto("/sign-in").await;
    for (name, kind, autocomplete) in [
        ("user_name", "text", "username"),
        ("password", "password", "current-password"),
        ("tenant", "text", "organization"),
    ] {
        let field = browser.element(&format!("[name={name}]")).await;
        let attribute = async |name: &str| field.attr(name).await.unwrap();
        assert_eq!(attribute("type").await.as_deref(), Some(kind), "{name}");
        assert_eq!(
            attribute("autocomplete").await.as_deref(),
            Some(autocomplete),
            "{name}"
        );
        for hindrance in ["maxlength", "readonly", "onpaste", "pattern"] {
            assert_eq!(attribute(hindrance).await, None, "{name} {hindrance}");
        }
        let script = format!("return document.querySelector('[name={name}]').labels[0].innerText");
        let label = browser.execute(&script).await;
        assert!(
            label.as_str().is_some_and(|label| !label.is_empty()),
            "{name}: {label}"
        );
    }
    browser.close().await;
}

/// Who refuses and why cannot be told from the answer (S41, L9): status, bytes and headers are the same.
#[tokio::test]
async fn s41_every_reason_for_a_refusal_gives_the_same_page() {
    let world = World::new().await;
    world.tenant("other").await;
    let right = world.user(HOME, "u-right").await;
    let locked = world.user(HOME, "u-lockd").await;
    let retired = world.user(HOME, "u-retrd").await;
    let first = world.user(HOME, "u-twice").await;
    world.user("other", "u-twice").await;
    let bare = json!({ "user_name": "u-nopwd" });
    let path = format!("/api/v1/tenants/{HOME}/users");
    world.administrator.post(&path, bare).await.expect(201);
    world
        .run(&["user", "lock", "-t", HOME, "u-lockd"])
        .await
        .succeeded();
    world
        .run(&["user", "deactivate", "-t", HOME, "u-retrd"])
        .await
        .succeeded();

    let here = format!("/t/{HOME}");
    let expected = attempt(&world, &here, "u-right", "canary: of another feather").await;
    assert_eq!(expected.0, 401);
    for (user, password, why) in [
        ("u-nosuc", right.as_str(), "no such user"),
        ("u-lockd", &locked, "locked"),
        (
            "u-lockd",
            "canary: of another feather",
            "locked, wrong password",
        ),
        ("u-retrd", &retired, "deactivated"),
        ("u-nopwd", &right, "has no password"),
        ("u-right", "wrong", "too short to be a password"),
    ] {
        assert_eq!(
            attempt(&world, &here, user, password).await,
            expected,
            "{why}"
        );
    }
    let without_tenant = attempt(&world, "", "u-right", "canary: of another feather").await;
    for (user, password, why) in [
        ("u-nosuc", right.as_str(), "no such user"),
        ("u-twice", &first, "in two tenants"),
        ("u-lockd", &locked, "locked"),
    ] {
        assert_eq!(
            attempt(&world, "", user, password).await,
            without_tenant,
            "{why}, tenant not named"
        );
    }
}

/// What a refused person can see: status, headers, page. What differs each time is left out.
async fn attempt(
    world: &World,
    base: &str,
    user: &str,
    password: &str,
) -> (u16, Vec<String>, String) {
    let page = world.visitor().sign_in(base, user, password).await;
    let headers = page
        .headers
        .iter()
        .filter(|(name, _)| *name != "x-request-id" && *name != "date");
    let headers = headers.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
    let mut headers: Vec<String> = headers.collect();
    headers.sort();
    (
        page.status,
        headers,
        page.without_values().replace(user, "…"),
    )
}

#[tokio::test]
async fn s28_signing_in_leads_to_a_page_of_ours_only() {
    let world = World::new().await;
    let password = world.user(HOME, "ada").await;
    let visitor = world.visitor();
    let to = async |visitor: &Visitor, return_to: &str| -> Page {
        let address = reqwest_query(&format!("/t/{HOME}/sign-in"), return_to);
        let page = visitor.open(&address).await;
        if page.status != 200 {
            return page;
        }
        let values = [("user_name", "ada"), ("password", password.as_str())];
        visitor.send(&page.form("/sign-in"), &values).await
    };
    let wished = to(&visitor, "/account?tab=1").await;
    assert_eq!(wished.header("location"), "/account?tab=1");
    for foreign in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/%2f%2fevil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
    ] {
        let page = to(&world.visitor(), foreign).await;
        assert!(
            !page.header("location").contains("evil"),
            "{foreign}: {}",
            page.header("location")
        );
        assert!(
            [303, 400, 422].contains(&page.status),
            "{foreign}: {}",
            page.status
        );
        // Who is signed in already is led on at once.
        let led = visitor
            .get(&reqwest_query(&format!("/t/{HOME}/sign-in"), foreign))
            .await;
        assert!(
            !led.header("location").contains("evil"),
            "{foreign}: {}",
            led.header("location")
        );
    }
}

fn reqwest_query(path: &str, return_to: &str) -> String {
    let escaped: String = return_to
        .bytes()
        .map(|byte| format!("%{byte:02X}"))
        .collect();
    format!("{path}?return_to={escaped}")
}

/// What an attacker put into the browser before is worth nothing after signing in (S01).
#[tokio::test]
async fn s01_nothing_that_was_known_before_signing_in_is_worth_anything_after() {
    let world = World::new().await;
    let password = world.user(HOME, "ada").await;
    let attacker = world.visitor();
    attacker.open(&format!("/t/{HOME}/sign-in")).await;
    let planted = attacker.cookies();
    assert!(planted.contains("gl-flow-"), "{planted}");

    let victim = world.visitor();
    victim.set_cookies(&planted);
    victim
        .sign_in(&format!("/t/{HOME}"), "ada", &password)
        .await;
    assert!(victim.is_signed_in("").await);
    assert!(!attacker.is_signed_in("").await);
    let page = attacker.open(&format!("/t/{HOME}/sign-in")).await;
    assert_eq!(page.status, 200);
    assert!(page.form("/sign-in").inputs.contains_key("password"));
}

#[tokio::test]
async fn many_wrong_passwords_are_slowed_down_in_words() {
    let world = World::with_config("[limits]\nfree_tries = 3\n").await;
    let password = world.user(HOME, "ada").await;
    let visitor = world.visitor();
    let here = format!("/t/{HOME}");
    for _ in 0..3 {
        assert_eq!(
            visitor
                .sign_in(&here, "ada", "canary: of another feather")
                .await
                .status,
            401
        );
    }
    let slowed = visitor.sign_in(&here, "ada", &password).await;
    assert_eq!(slowed.status, 429, "{}", slowed.text());
    let wait: u64 = slowed.header("retry-after").parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert!(slowed.says("Too many tries"), "{}", slowed.text());
    assert!(!visitor.is_signed_in("").await);
}

#[tokio::test]
async fn signing_in_works_again_after_the_wait() {
    let world = World::with_config("[limits]\nfree_tries = 1\nfirst_delay_seconds = 1\n").await;
    let password = world.user(HOME, "ada").await;
    let visitor = world.visitor();
    let here = format!("/t/{HOME}");
    assert_eq!(
        visitor
            .sign_in(&here, "ada", "canary: of another feather")
            .await
            .status,
        401
    );
    assert_eq!(visitor.sign_in(&here, "ada", &password).await.status, 429);
    let limit = Duration::from_secs(10);
    let let_in = wait::holds_within(limit, async || {
        visitor.sign_in(&here, "ada", &password).await.status == 200
    });
    assert!(let_in.await);
}
