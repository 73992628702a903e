//! Authenticator apps and recovery codes on the pages.

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use gatelodge_core::{model::Grant, provider::Provider};
use gatelodge_provider_recovery_code::RecoveryCodeProvider;
use gatelodge_provider_totp::{Algorithm, Authenticator, Config, TotpProvider};

use crate::{
    browser::{Answer, Browser},
    world::{PASSWORD, World},
};

const METHODS: &str = "/t/acme/account/sign-in-methods";
const FLOW: &str = "/t/acme/account/flow";
const SIGN_IN: &str = "/t/acme/sign-in";

async fn world() -> World {
    let app: Arc<dyn Provider> = Arc::new(TotpProvider::new(Config::default()).unwrap());
    let codes: Arc<dyn Provider> = Arc::new(RecoveryCodeProvider);
    let ways = vec![("totp", app), ("recovery-code", codes)];
    let world = World::with_ways(|_| {}, ways).await;
    let acme = world.tenant("acme").await;
    world.user(acme.id, "ada", &[]).await;
    world
}

fn present(world: &World, app: &Authenticator) -> String {
    let now = world.platform.now().as_second();
    let step = app.step_at(u64::try_from(now).unwrap());
    app.code(step).to_string()
}

/// Goes to the page on which something is set up.
async fn to_set_up(browser: &mut Browser, provider: &str) -> Answer {
    let prove = browser.open(&format!("{METHODS}/{provider}")).await;
    let proof = [("password", PASSWORD)];
    browser.submit_on(&prove, FLOW, &proof).await
}

fn app_on(page: &Answer) -> Authenticator {
    let key = page.inside("<code class=\"secret\"");
    Authenticator::from_base32(&key, Algorithm::Sha1, 6, 30).unwrap()
}

fn codes_on(page: &Answer) -> Vec<String> {
    let (_, list) = page.body.split_once("<ol class=\"codes\">").unwrap();
    let (list, _) = list.split_once("</ol>").unwrap();
    let items = list.split("<li>").skip(1);
    items
        .map(|item| item.split('<').next().unwrap().to_owned())
        .collect()
}

/// Reads the squares of a QR code off its path.
fn modules(page: &Answer) -> (usize, Vec<Vec<bool>>) {
    let (_, picture) = page.body.split_once("<div class=\"qr\"><svg ").unwrap();
    let (picture, _) = picture.split_once("</svg>").unwrap();
    let attribute = |name: &str| {
        let (_, rest) = picture.split_once(&format!("{name}=\"")).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let edges = attribute("viewBox");
    let edge: usize = edges.rsplit(' ').next().unwrap().parse().unwrap();
    let mut grid = vec![vec![false; edge]; edge];
    for square in attribute(" d").split('M').skip(1) {
        let place = square.strip_suffix("h1v1h-1z").unwrap();
        let (column, row) = place.split_once(' ').unwrap();
        let (column, row): (usize, usize) = (column.parse().unwrap(), row.parse().unwrap());
        grid[row][column] = true;
    }
    (edge, grid)
}

#[tokio::test]
async fn an_app_is_set_up_by_picture_or_text_and_confirms_the_next_sign_in() {
    let world = world().await;
    let mut browser = world.signed_in("acme", "ada").await;
    let account = browser.get("/t/acme/account").await;
    account.assert_says("Authenticator app");
    let page = to_set_up(&mut browser, "totp").await;
    page.assert_says("Scan this QR code with the app");
    let app = app_on(&page);

    // A wrong code leaves the same seed on the page.
    let wrong = [("code", "000000"), ("name", "Phone")];
    let refused = browser.submit_on(&page, FLOW, &wrong).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    refused.assert_says("That didn’t work.");
    assert_eq!(*app_on(&refused).base32(), *app.base32());
    assert_eq!(refused.value("name").as_deref(), Some("Phone"));
    assert_eq!(refused.value("code"), None);
    let code = present(&world, &app);
    let right = [("code", code.as_str()), ("name", "Phone")];
    let done = browser.submit_on(&refused, FLOW, &right).await;
    done.assert_says("All other devices were signed out.");
    done.assert_says("Phone, set up");

    world.pass(Duration::from_secs(60));
    let mut next = world.browser();
    let asked = next.sign_in("/t/acme", "ada", PASSWORD).await;
    asked.assert_says("Confirm it’s you");
    asked.assert_says("Code from the app");
    let input = asked
        .body
        .split("<input ")
        .find(|i| i.contains("name=\"code\""));
    let input = input.unwrap().split('>').next().unwrap();
    for part in ["inputmode=\"numeric\"", "autocomplete=\"one-time-code\""] {
        assert!(input.contains(part), "{input}");
    }
    let code = present(&world, &app);
    let signed_in = next.submit_on(&asked, SIGN_IN, &[("code", &code)]).await;
    signed_in.assert_says("Hello, ada");
}

#[tokio::test]
async fn the_qr_code_is_a_picture_with_a_name_and_a_quiet_zone_of_four() {
    let world = world().await;
    let mut browser = world.signed_in("acme", "ada").await;
    let page = to_set_up(&mut browser, "totp").await;
    let (_, tag) = page.body.split_once("<div class=\"qr\">").unwrap();
    let tag = tag.split('>').next().unwrap();
    for part in [
        "role=\"img\"",
        "aria-label=\"Scan this QR code with the app\"",
    ] {
        assert!(tag.contains(part), "{tag}");
    }
    assert!(!page.body.contains(" style="), "the policy allows none");
    let (edge, grid) = modules(&page);
    // ISO/IEC 18004: 21 to 177 modules in steps of four, and four around them.
    let width = edge - 8;
    assert!(
        (21..=177).contains(&width) && (width - 21) % 4 == 0,
        "{edge}"
    );
    for (row, columns) in grid.iter().enumerate() {
        for (column, dark) in columns.iter().enumerate() {
            let outside = [row, column].iter().any(|at| !(4..edge - 4).contains(at));
            assert!(!(outside && *dark), "{row} {column}");
        }
    }
    // The three finder patterns: a ring around a ring around a square.
    for (top, left) in [(4, 4), (4, edge - 11), (edge - 11, 4)] {
        for row in 0..7_usize {
            for column in 0..7_usize {
                let ring = [row, column].map(|at| at.abs_diff(3)).into_iter().max();
                let dark = grid[top + row][left + column];
                assert_eq!(dark, ring != Some(2), "{row} {column}");
            }
        }
    }
    // The address is nowhere on the page but in the picture.
    assert!(!page.body.contains("otpauth"));
    let style = include_str!("../../assets/app.css");
    let rule = style.lines().find(|line| line.starts_with(".qr {"));
    for part in [
        "background: #ffffff",
        "color: #000000",
        "forced-color-adjust: none",
    ] {
        assert!(rule.unwrap().contains(part), "in dark mode too: {part}");
    }
}

#[tokio::test]
async fn recovery_codes_are_shown_once_and_stand_in_for_the_app() {
    let world = world().await;
    let mut browser = world.signed_in("acme", "ada").await;
    let page = to_set_up(&mut browser, "recovery-code").await;
    let codes = codes_on(&page);
    assert_eq!(codes.len(), 10);
    let unread = browser.submit_on(&page, FLOW, &[]).await;
    assert_eq!(unread.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(codes_on(&unread), codes);
    let done = browser.submit_on(&unread, FLOW, &[("kept", "true")]).await;
    done.assert_says("10 codes left, set up");
    assert!(!done.body.contains(&codes[0]));
    let page = to_set_up(&mut browser, "totp").await;
    let code = present(&world, &app_on(&page));
    browser.submit_on(&page, FLOW, &[("code", &code)]).await;

    let mut next = world.browser();
    let asked = next.sign_in("/t/acme", "ada", PASSWORD).await;
    asked.assert_says("Continue with Recovery code");
    let forms = asked.forms();
    let way = forms
        .iter()
        .find(|f| f.hidden.iter().any(|h| h.1 == "recovery-code"));
    let fields = way.unwrap().hidden.iter();
    let fields: Vec<_> = fields.map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let chosen = next.post(SIGN_IN, &fields).await;
    let asked = next.follow(chosen).await;
    let input = asked
        .body
        .split("<input ")
        .find(|i| i.contains("name=\"code\""));
    let input = input.unwrap().split('>').next().unwrap();
    assert!(!input.contains("numeric"), "it has letters: {input}");
    let typed = codes[2].to_lowercase();
    let values = [("code", typed.as_str())];
    let signed_in = next.submit_on(&asked, SIGN_IN, &values).await;
    signed_in.assert_says("Hello, ada");
    signed_in.assert_says("9 codes left, set up");
}

/// F6.
#[tokio::test]
async fn an_administrator_removes_a_lost_app_on_the_page_of_the_user() {
    let world = world().await;
    let mut own = world.signed_in("acme", "ada").await;
    let page = to_set_up(&mut own, "totp").await;
    let code = present(&world, &app_on(&page));
    let values = [("code", code.as_str()), ("name", "Phone")];
    own.submit_on(&page, FLOW, &values).await;

    let operator = gatelodge_core::access::Caller::operator();
    let acme = gatelodge_core::service::TenantRef::parse("acme");
    let acme = world.platform.tenants().resolve(&operator, &acme).await;
    let acme = acme.unwrap().id;
    world
        .user(acme, "boss", &[Grant::TenantAdministrator])
        .await;
    let ada = world
        .platform
        .users()
        .by_login(&operator, acme, "ada")
        .await;
    let ada = ada.unwrap().user.id;
    let path = format!("/t/acme/console/tenants/{acme}/users/{ada}");
    let mut browser = world.signed_in("acme", "boss").await;
    let page = browser.get(&path).await;
    page.assert_says("Second factors");
    page.assert_says("Phone, set up");
    let remove = format!("{path}/factors/remove");
    let links = page.links();
    let ask = links.iter().find(|link| link.starts_with(&remove)).unwrap();
    let asked = browser.get(ask).await;
    asked.assert_says("Remove a second factor of ada?");
    asked.assert_says("Authenticator app (Phone) stops working at once.");
    asked.assert_says("1 open session ends at once.");
    assert!(own.get("/t/acme/account").await.location().is_none());
    let unknown = browser.get(&format!("{remove}?id={ada}")).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let done = browser.submit_on(&asked, &remove, &[]).await;
    done.assert_says("The second factor has been removed");
    assert!(!done.body.contains("Phone, set up"));
    assert!(own.get("/t/acme/account").await.location().is_some());
    let mut next = world.browser();
    let signed_in = next.sign_in("/t/acme", "ada", PASSWORD).await;
    signed_in.assert_says("Hello, ada");
}
