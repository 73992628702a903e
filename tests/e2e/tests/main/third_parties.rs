//! The buttons of third parties and the way to one, in Chromium. The server runs in this process, on a storage in
//! memory, with ways to sign in that do nothing but send people away.

mod server;

use gatelodge_e2e::{browser::Browser, secrets::Secrets, wait};
use serde_json::{Value, json};
use server::{Elsewhere, MARKS, house};
use thirtyfour::Key;

async fn browser(origin: &str, elsewhere: &Elsewhere) -> Browser {
    let browser = Browser::open_at(origin, Secrets::default()).await;
    let [first, second] = &elsewhere.origins;
    browser.beside(first).beside(second)
}

#[tokio::test]
async fn the_buttons_of_third_parties_are_fit_to_be_seen() {
    let elsewhere = Elsewhere::start().await;
    let origin = house(&elsewhere).await;
    let browser = browser(&origin, &elsewhere).await;
    browser.goto("/t/home/sign-in").await;
    browser.inspect("sign-in-third-parties").await;
    let boxes = browser
        .execute(
            "return [...document.querySelectorAll('.button-third-party')].map(button => {
                 const mark = button.querySelector('svg').getBoundingClientRect();
                 const text = button.querySelector('span').getBoundingClientRect();
                 const whole = button.getBoundingClientRect();
                 return {
                     height: whole.height,
                     mark: [mark.width, mark.height],
                     centred: Math.abs((whole.left + whole.right) - (text.left + text.right)) < 2,
                     level: Math.abs((whole.top + whole.bottom) - (mark.top + mark.bottom)) < 2,
                     apart: mark.right < text.left,
                 };
             })",
        )
        .await;
    let one =
        json!({ "height": 44, "mark": [20, 20], "centred": true, "level": true, "apart": true });
    assert_eq!(boxes, Value::Array(vec![one; MARKS.len()]));
    browser.close().await;
}

/// Also where the third party itself goes on to another host, as those do that know people by their company's: no
/// policy of ours could name that one.
#[tokio::test]
async fn a_button_leads_to_a_third_party_and_on_without_a_script_and_back_leads_to_the_buttons() {
    let elsewhere = Elsewhere::start().await;
    let origin = house(&elsewhere).await;
    let browser = browser(&origin, &elsewhere).await;
    browser.without_scripts().await;
    for _ in 0..2 {
        browser.goto("/t/home/sign-in?again=1").await;
        browser.press_named("Continue with Google").await;
        arrives(&browser, &elsewhere).await;
        browser.back().await;
        let is_back = wait::holds_within(wait::PATIENCE, async || {
            browser.has("[name=password]").await && browser.has(".button-third-party").await
        })
        .await;
        assert!(is_back, "is at `{}`", browser.path().await);
    }
    assert_eq!(elsewhere.referrers(), ["none", "none"]);
    browser.close().await;
}

#[tokio::test]
async fn the_page_on_the_way_to_a_third_party_is_fit_to_be_seen() {
    let elsewhere = Elsewhere::mute().await;
    let origin = house(&elsewhere).await;
    let browser = browser(&origin, &elsewhere).await;
    browser.goto("/t/home/sign-in").await;
    browser.press_named("Continue with GitHub").await;
    browser.reads("Taking you to GitHub.").await;
    browser.inspect("leaving-to-third-party").await;
    browser.press_named("Continue with GitHub").await;
    browser.press_named("Start again").await;
    browser.element("[name=password]").await;
    browser.close().await;
}

#[tokio::test]
async fn a_third_party_is_reached_by_the_keyboard() {
    let elsewhere = Elsewhere::start().await;
    let origin = house(&elsewhere).await;
    let browser = browser(&origin, &elsewhere).await;
    browser.goto("/t/home/sign-in").await;
    let mut stops = Vec::new();
    let found = wait::holds_within(wait::PATIENCE, async || {
        browser.press_key(Key::Tab).await;
        let stop = browser.focus().await;
        stops.push(stop["text"].clone());
        stop["text"] == "Continue with Google" && stop["outline"] == true
    })
    .await;
    assert!(found, "{stops:?}");
    browser.inspect("sign-in-third-party-focused").await;
    browser.press_key(Key::Enter).await;
    arrives(&browser, &elsewhere).await;
    browser.close().await;
}

/// Waits for the page at the end of the third party's own redirect.
async fn arrives(browser: &Browser, elsewhere: &Elsewhere) {
    let seen = elsewhere.visits();
    let arrived = wait::holds_within(wait::PATIENCE, async || {
        browser.path().await == "/there?a=1&b=2"
    })
    .await;
    assert!(
        arrived,
        "is at `{}`; elsewhere saw {seen}",
        browser.path().await
    );
}
