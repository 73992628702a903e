//! Linking and unlinking on one's own account.

use gatelodge_e2e::{browser::Browser, world::HOME};
use serde_json::json;

use super::{House, LABEL, connection, here, leaves_again, proves};

/// The button by which a linked account is unlinked.
const UNLINK: &str = "#connections a[href$='/remove']";

/// Begins to link the third party, or another account there, and proves who one is.
async fn begins(browser: &Browser, button: &str, password: &str) {
    browser.goto(&here("/account")).await;
    browser
        .press(&format!("#connections a[href$='{button}']"))
        .await;
    browser.reads("Confirm it’s you").await;
    browser.fill("password", password).await;
    browser.send_form_of("password").await;
}

#[tokio::test]
async fn linking_asks_for_a_proof_first_and_unlinking_ends_the_sessions() {
    let house = House::new("").await;
    let password = house.world.user(HOME, "ada").await;
    let browser = house.browser().await;
    browser.signs_in(&here(""), "ada", &password).await;
    browser.reads("Not linked").await;
    begins(&browser, "/link", &password).await;
    browser.reads("can sign in here with it from then on").await;
    browser.press_named(&format!("Continue with {LABEL}")).await;
    browser.signs_in_there("augusta").await;
    browser.arrives_at("/account").await;
    browser.element(".notice-success").await;
    browser.reads("augusta@example.com, linked").await;

    let elsewhere = house.browser().await;
    house.leaves(&elsewhere).await;
    elsewhere.signs_in_there("augusta").await;
    elsewhere.arrives_at("/account").await;
    elsewhere.reads("Hello, ada").await;

    browser.press(UNLINK).await;
    browser.reads("Confirm it’s you").await;
    browser.fill("password", &password).await;
    browser.send_form_of("password").await;
    browser.reads(&format!("Remove {LABEL}?")).await;
    browser.press("button[name=action]").await;
    browser.arrives_at("/account").await;
    browser.reads("Not linked").await;
    elsewhere.goto(&here("/account")).await;
    elsewhere.arrives_at("/sign-in").await;
    elsewhere.close().await;
    leaves_again(&browser).await;
    house.leaves(&browser).await;
    browser.reads("No account here is linked").await;
    house.done(browser).await;
}

#[tokio::test]
async fn what_is_linked_to_one_person_cannot_be_linked_to_another() {
    let house = House::new("").await;
    let browser = house.browser().await;
    for (user, ends) in [
        ("ada", "augusta@example.com, linked"),
        ("grace", "Not linked"),
    ] {
        let password = house.world.user(HOME, user).await;
        browser.signs_in(&here(""), user, &password).await;
        begins(&browser, "/link", &password).await;
        browser.press_named(&format!("Continue with {LABEL}")).await;
        // Who links an account chooses it there, whoever is still signed in.
        browser.names_oneself_there("augusta").await;
        match user {
            "ada" => browser.press_named("Allow").await,
            _ => browser.reads("linked to somebody else here").await,
        }
        browser.goto(&here("/account")).await;
        browser.reads(ends).await;
        leaves_again(&browser).await;
    }
    house.done(browser).await;
}

/// Whoever opens the sign-in page anew may be another person at the same computer: what the one before them was going to
/// link is not linked to their account.
#[tokio::test]
async fn what_was_going_to_be_linked_is_forgotten_when_somebody_begins_anew() {
    let house = House::new("").await;
    let password = house.world.user(HOME, "ada").await;
    let browser = house.browser().await;
    house.leaves(&browser).await;
    browser.signs_in_there("augusta").await;
    browser.press_named("Sign in and link it").await;
    browser.reads("go on only if that is you").await;
    browser.goto(&here("/sign-in")).await;
    let text = browser.text().await;
    assert!(!text.contains("augusta@example.com"), "{text}");
    proves(&browser, "ada", &password).await;
    browser.arrives_at("/account").await;
    browser.reads("Not linked").await;
    house.done(browser).await;
}

#[tokio::test]
async fn the_last_way_in_is_not_unlinked() {
    let house = House::new("new_accounts = \"create\"").await;
    let browser = house.browser().await;
    house.leaves(&browser).await;
    browser.signs_in_there("augusta").await;
    browser.arrives_at("/account").await;
    browser.press(UNLINK).await;
    browser
        .reads("This is the only way to sign in that is left")
        .await;
    browser.goto(&here("/account")).await;
    browser.reads("augusta@example.com, linked").await;
    house.done(browser).await;
}

/// Who somebody is at a third party is said by the subject, never by an address, whatever it says of that.
#[tokio::test]
async fn s22_an_address_that_moves_to_another_account_there_takes_nothing_along() {
    let house = House::new("new_accounts = \"create\"").await;
    let browser = house.browser().await;
    house.leaves(&browser).await;
    browser.signs_in_there("augusta").await;
    browser.arrives_at("/account").await;
    leaves_again(&browser).await;
    let moved = json!({ "email": "countess@example.com", "email_verified": true });
    house.there.account("augusta", moved).await;
    let mallory = json!({ "preferred_username": "mallory", "email": "augusta@example.com", "email_verified": true });
    house.there.account("mallory", mallory).await;
    house.leaves(&browser).await;
    browser.arrives_at("/account").await;
    browser.reads("Hello, Augusta King").await;
    browser.reads("countess@example.com, linked").await;
    browser.close().await;

    let other = house.browser().await;
    house.leaves(&other).await;
    other.signs_in_there("mallory").await;
    let text = other.text().await;
    assert!(!text.contains("Augusta King"), "{text}");
    house.done(other).await;
}

/// The address shows that there is an account; that it is theirs, they prove by the other third party.
#[tokio::test]
async fn whose_proven_address_is_known_is_led_to_their_account_and_proves_that_it_is_theirs() {
    let house = two().await;
    let browser = house.browser().await;
    comes_by_both(&browser).await;
    browser.press_named("Sign in and link it").await;
    browser.reads("go on only if that is you").await;
    browser.press_named("Continue with First").await;
    browser.arrives_at("/account").await;
    browser.reads("Hello, Augusta King").await;
    assert_eq!(house.people().await, 2);
    let rows = browser.element("#connections").await.text().await.unwrap();
    assert_eq!(
        rows.matches("augusta@example.com, linked").count(),
        2,
        "{rows}"
    );
    house.done(browser).await;
}

/// A house with two connections: the first speaks for its addresses and makes accounts at once, the second asks.
pub(super) async fn two() -> House {
    let configured = |issuer: &str| {
        let more = "authoritative_domains = [\"example.com\"]\nnew_accounts = \"create\"";
        let first = format!("id = \"first\"\nlabel = \"First\"\n{more}");
        let second = "id = \"second\"\nlabel = \"Second\"\nnew_accounts = \"ask\"";
        let first = connection(issuer, "first", &first);
        format!("{first}{}", connection(issuer, "second", second))
    };
    House::with(&["first", "second"], configured).await
}

/// Augusta has an account by the first, and comes by the second.
pub(super) async fn comes_by_both(browser: &Browser) {
    browser.goto(&here("/sign-in")).await;
    browser.press_named("Continue with First").await;
    browser.signs_in_there("augusta").await;
    browser.arrives_at("/account").await;
    leaves_again(browser).await;
    browser.goto(&here("/sign-in")).await;
    browser.press_named("Continue with Second").await;
    browser.press_named("Allow").await;
    browser
        .reads("There is an account here with your address")
        .await;
}
