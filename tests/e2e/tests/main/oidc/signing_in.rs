//! From the button to the third party and back.

use gatelodge_e2e::world::HOME;
use serde_json::json;

use super::{House, LABEL, connection, here, leaves_again, proves};

/// The whole way of somebody whose company turns on a third party (L4, L10).
#[tokio::test]
async fn five_lines_let_people_link_their_account_and_sign_in_by_the_button_alone() {
    let house = House::new("").await;
    let password = house.world.user(HOME, "ada").await;
    let browser = house.browser().await;
    house.leaves(&browser).await;
    browser.signs_in_there("augusta").await;
    browser.reads("Link your account").await;
    browser.press_named("Sign in and link it").await;
    browser.reads("go on only if that is you").await;
    proves(&browser, "ada", &password).await;
    browser.arrives_at("/account").await;
    browser.reads("Hello, ada").await;
    browser.reads("augusta@example.com, linked").await;

    leaves_again(&browser).await;
    house.leaves(&browser).await;
    // It still knows who they are there, and asks nothing.
    browser.arrives_at("/account").await;
    browser.reads("Hello, ada").await;
    let facts = browser.element("#current").await.text().await.unwrap();
    assert!(
        facts.contains(&format!("Signed in with\n{LABEL}")),
        "{facts}"
    );
    assert_eq!(house.people().await, 2);
    house.done(browser).await;
}

#[tokio::test]
async fn where_accounts_are_made_at_once_somebody_new_comes_right_in_and_the_second_time_too() {
    let house = House::new("new_accounts = \"create\"").await;
    let browser = house.browser().await;
    for is_first in [true, false] {
        house.leaves(&browser).await;
        if is_first {
            browser.signs_in_there("augusta").await;
        }
        browser.arrives_at("/account").await;
        browser.reads("Hello, Augusta King").await;
        leaves_again(&browser).await;
    }
    assert_eq!(house.people().await, 2);
    house.done(browser).await;
}

#[tokio::test]
async fn where_somebody_new_is_asked_the_account_is_shown_first_and_can_be_changed() {
    let house = House::new("new_accounts = \"ask\"").await;
    let browser = house.browser().await;
    house.leaves(&browser).await;
    browser.signs_in_there("augusta").await;
    browser.reads("You are new here").await;
    assert_eq!(browser.value("user_name").await, "augusta");
    assert_eq!(browser.value("display_name").await, "Augusta King");
    browser.fill("user_name", "keeper").await;
    browser.send_form_of("user_name").await;
    browser.element(".field-error").await;
    browser.fill("user_name", "countess").await;
    browser.send_form_of("user_name").await;
    browser.arrives_at("/account").await;
    browser.reads("Hello, Augusta King").await;
    browser.reads("countess").await;
    house.done(browser).await;
}

/// The callback comes as a POST from a page of the third party, with which no cookie comes.
#[tokio::test]
async fn a_callback_by_form_ends_in_the_same_session() {
    let house = House::new("response_mode = \"form_post\"\nnew_accounts = \"create\"").await;
    let browser = house.browser().await;
    house.leaves(&browser).await;
    browser.signs_in_there("augusta").await;
    browser.arrives_at("/account").await;
    browser.reads("Hello, Augusta King").await;
    house.done(browser).await;
}

#[tokio::test]
async fn whoever_gives_it_up_there_is_told_so_and_can_sign_in_another_way() {
    let house = House::new("").await;
    let password = house.world.user(HOME, "ada").await;
    let browser = house.browser().await;
    house.leaves(&browser).await;
    browser.reads("Sign in there").await;
    browser.press_named("Cancel").await;
    browser
        .reads("You came back without having signed in there.")
        .await;
    proves(&browser, "ada", &password).await;
    browser.arrives_at("/account").await;
    house.done(browser).await;
}

#[tokio::test]
async fn keys_that_the_third_party_changes_are_found_at_the_next_sign_in() {
    let house = House::new("new_accounts = \"create\"").await;
    let browser = house.browser().await;
    house.leaves(&browser).await;
    browser.signs_in_there("augusta").await;
    browser.arrives_at("/account").await;
    leaves_again(&browser).await;
    house.there.rotate_keys().await;
    house.leaves(&browser).await;
    browser.arrives_at("/account").await;
    browser.reads("Hello, Augusta King").await;
    let fetched = house.there.seen().await;
    let fetched = fetched.iter().filter(|asked| *asked == "GET /jwks").count();
    assert_eq!(fetched, 2, "the new key was fetched once");
    house.done(browser).await;
}

/// The same person, by the same third party, as two of its clients know them: who is linked to one is nobody to the
/// other.
#[tokio::test]
async fn connections_of_one_kind_are_apart() {
    let configured = |issuer: &str| {
        let first = connection(issuer, "first", "id = \"first\"\nlabel = \"First\"");
        let second = connection(issuer, "second", "id = \"second\"\nlabel = \"Second\"");
        format!("{first}{second}")
    };
    let house = House::with(&["first", "second"], configured).await;
    let password = house.world.user(HOME, "ada").await;
    let browser = house.browser().await;
    browser.goto(&here("/sign-in")).await;
    browser.press_named("Continue with First").await;
    browser.signs_in_there("augusta").await;
    browser.press_named("Sign in and link it").await;
    browser.reads("go on only if that is you").await;
    proves(&browser, "ada", &password).await;
    browser.arrives_at("/account").await;
    leaves_again(&browser).await;

    browser.goto(&here("/sign-in")).await;
    browser.press_named("Continue with Second").await;
    browser.press_named("Allow").await;
    browser.reads("No account here is linked").await;
    browser.press_named("Sign in another way").await;
    browser.press_named("Continue with First").await;
    browser.arrives_at("/account").await;
    browser.reads("Hello, ada").await;
    house.done(browser).await;
}

#[tokio::test]
async fn whoever_signs_out_there_too_is_asked_who_they_are_the_next_time() {
    let house = House::new("new_accounts = \"create\"\nsign_out = true").await;
    let browser = house.browser().await;
    house.leaves(&browser).await;
    browser.signs_in_there("augusta").await;
    browser.arrives_at("/account").await;
    leaves_again(&browser).await;
    browser
        .press_named(&format!("Sign out at {LABEL} too"))
        .await;
    browser.press_named("Sign out there").await;
    browser.reads("You are signed out").await;
    assert!(
        browser.path().await.starts_with("/sign-out"),
        "{}",
        browser.path().await
    );
    house.leaves(&browser).await;
    browser.reads("Sign in there").await;
    house.there.account("grace", json!({})).await;
    browser.signs_in_there("grace").await;
    browser.reads("You are new here").await;
    house.done(browser).await;
}
