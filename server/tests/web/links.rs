//! Links from mails on the pages: invitations, forgotten passwords, the own address.

use axum::http::StatusCode;
use gatelodge_core::{
    model::{Grant, Tenant},
    provider::Message,
};

use crate::{
    browser::{Answer, Browser},
    world::World,
};

const FORGOT: &str = "/t/acme/forgot-password";
const SIGN_IN: &str = "/t/acme/sign-in";
const NEW_PASSWORD: &str = "copper meadow violin 77";

async fn world() -> (World, Tenant) {
    let world = World::with_mail().await;
    let acme = world.tenant("acme").await;
    world.user(acme.id, "boss", &Grant::ALL).await;
    (world, acme)
}

/// What stands in a mail.
fn address(tenant: &Tenant, mail: &Message) -> String {
    let address = mail
        .link
        .as_ref()
        .unwrap()
        .address(&format!("/t/{}", tenant.id));
    address.expose().to_owned()
}

/// The administrator makes a user who is invited.
async fn invite(world: &World, tenant: &Tenant, name: &str) -> (Browser, Answer) {
    let mut boss = world.signed_in("acme", "boss").await;
    let users = format!("/t/acme/console/tenants/{}/users", tenant.id);
    let page = boss.get(&users).await;
    page.assert_says("Send an invitation to choose one");
    let email = format!("{name}@example.org");
    let fields = [
        ("user_name", name),
        ("display_name", ""),
        ("email", email.as_str()),
        ("first_password", "invite"),
    ];
    let made = boss.submit_on(&page, &users, &fields).await;
    (boss, made)
}

/// Somebody who was invited and chose [`NEW_PASSWORD`].
async fn ada(world: &World, tenant: &Tenant) -> Browser {
    let (_, made) = invite(world, tenant, "ada").await;
    made.assert_says("an invitation is on its way");
    let mail = world.mail("ada@example.org").await;
    let mut browser = world.browser();
    let page = browser.open(&address(tenant, &mail)).await;
    let action = format!("/t/acme/link/{}", mail.link.unwrap().purpose.as_str());
    let duty = browser.submit_on(&page, &action, &[]).await;
    let chosen = [("new_password", NEW_PASSWORD)];
    browser.submit_on(&duty, SIGN_IN, &chosen).await;
    assert_eq!(
        world.mail("ada@example.org").await.template,
        "credential_changed"
    );
    browser
}

#[tokio::test]
async fn an_invitation_leads_to_a_password_and_into_the_account() {
    let (world, acme) = world().await;
    let mut browser = ada(&world, &acme).await;
    let account = browser.get("/t/acme/account").await;
    account.assert_says("ada@example.org");
    account.assert_says("Confirmed");
    let mut elsewhere = world.browser();
    let signed_in = elsewhere.sign_in("/t/acme", "ada", NEW_PASSWORD).await;
    assert_eq!(signed_in.path, "/t/acme/account");
}

#[tokio::test]
async fn an_address_with_a_token_becomes_a_clean_one_and_opening_it_uses_nothing_up() {
    let (world, acme) = world().await;
    invite(&world, &acme, "ada").await;
    let mail = world.mail("ada@example.org").await;
    let link = address(&acme, &mail);
    let token = mail.link.as_ref().unwrap().token.expose();
    // What looks at mails before their owner does.
    for _ in 0..3 {
        let mut scanner = world.browser();
        let opened = scanner.get(&link).await;
        assert_eq!(opened.status, StatusCode::SEE_OTHER);
        let clean = opened.location().unwrap();
        assert_eq!(clean, "/t/acme/link/invite");
        let cookie = opened.headers["set-cookie"].to_str().unwrap();
        assert!(
            cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
            "{cookie}"
        );
        let page = scanner.get(&clean).await;
        page.assert_says("Set up your account");
        assert!(!page.body.contains(token));
        assert_eq!(page.headers["referrer-policy"], "same-origin");
    }
    let mut browser = world.browser();
    let page = browser.open(&link).await;
    let duty = browser.submit_on(&page, "/t/acme/link/invite", &[]).await;
    duty.assert_says("New password");
    // A second click, and somebody else with the same link, are too late.
    let mut late = world.browser();
    let page = late.open(&link).await;
    let over = late.submit_on(&page, "/t/acme/link/invite", &[]).await;
    assert_eq!(over.status, StatusCode::NOT_FOUND);
    over.assert_says("This link does not work, or no longer does");
}

#[tokio::test]
async fn what_is_no_link_is_told_like_one_that_is_over() {
    let (world, acme) = world().await;
    for path in [
        format!("/t/{}/link/reset", acme.id),
        format!("/t/{}/link/reset?token=%3Cscript%3E", acme.id),
        format!("/t/{}/link/reset?token={}", acme.id, "a".repeat(501)),
        "/t/acme/link/reset".to_owned(),
        "/t/acme/link/device?token=abc".to_owned(),
    ] {
        let answer = world.browser().open(&path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!answer.body.contains("<script>"), "{path}");
    }
    let mut browser = world.browser();
    let page = browser.open("/t/acme/link/reset?token=abc").await;
    let over = browser.submit_on(&page, "/t/acme/link/reset", &[]).await;
    assert_eq!(over.status, StatusCode::NOT_FOUND);
    over.assert_says("Ask for a new one");
    // Not from a page of ours.
    browser.origin = Some("https://evil.example");
    let forged = browser.post("/t/acme/link/reset", &[]).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_the_code_in_the_browser_that_asked() {
    let (world, acme) = world().await;
    ada(&world, &acme).await;
    let mut browser = world.browser();
    let sign_in = browser.get(SIGN_IN).await;
    sign_in.assert_says("Forgot your password?");
    let page = browser.open(FORGOT).await;
    let asked = browser
        .submit_on(&page, FORGOT, &[("user_name", "ada")])
        .await;
    asked.assert_says("If there is such an account, a mail is on its way");
    let mail = world.mail("ada@example.org").await;
    assert_eq!(mail.template, "reset");
    let wrong = browser
        .submit_on(&asked, FORGOT, &[("code", "0000 0000")])
        .await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    let code = mail.code.unwrap().expose().to_owned();
    let duty = browser.submit_on(&wrong, FORGOT, &[("code", &code)]).await;
    duty.assert_says("New password");
    let chosen = [("new_password", "silver garden window 12")];
    let done = browser.submit_on(&duty, FORGOT, &chosen).await;
    assert_eq!(done.path, "/t/acme/account");
}

/// S41
#[tokio::test]
async fn s41_the_page_after_asking_says_the_same_to_everybody() {
    let (world, acme) = world().await;
    ada(&world, &acme).await;
    let mut pages = Vec::new();
    for name in ["ada", "boss", "nobody"] {
        let mut browser = world.browser();
        let page = browser.open(FORGOT).await;
        let asked = browser
            .submit_on(&page, FORGOT, &[("user_name", name)])
            .await;
        let form = asked.form(FORGOT);
        let mut body = asked.body;
        for (name, value) in &form.hidden {
            if name != "provider" {
                body = body.replace(value.as_str(), "…");
            }
        }
        pages.push((asked.status, body));
    }
    assert!(pages[0] == pages[1] && pages[1] == pages[2]);
}

#[tokio::test]
async fn a_lost_password_is_an_administrators_business_where_no_mail_is_sent() {
    let world = World::new().await;
    world.tenant("acme").await;
    let sign_in = world.browser().get(SIGN_IN).await;
    assert!(!sign_in.body.contains("forgot-password"));
    let page = world.browser().open(FORGOT).await;
    assert_eq!(page.status, StatusCode::NOT_IMPLEMENTED);
}

#[tokio::test]
async fn an_administrator_sends_a_reset_and_sees_neither_link_nor_code() {
    let (world, acme) = world().await;
    let (mut boss, made) = invite(&world, &acme, "bob").await;
    made.assert_says("Send an invitation");
    ada(&world, &acme).await;
    let users = boss
        .get(&format!("/t/acme/console/tenants/{}/users?q=ada", acme.id))
        .await;
    let body = users.body.replace("&#x2f;", "/");
    let (_, rest) = body.split_once("/users/").unwrap();
    let id = rest.split('"').next().unwrap();
    let path = format!("/t/acme/console/tenants/{}/users/{id}", acme.id);
    let page = boss.get(&path).await;
    page.assert_says("Send a reset link");
    let sent = boss.submit_on(&page, &format!("{path}/link"), &[]).await;
    sent.assert_says("A mail is on its way");
    let mail = world.mail("ada@example.org").await;
    assert_eq!(mail.template, "reset");
    assert!(!sent.body.contains(mail.link.unwrap().token.expose()));
    assert!(!sent.body.contains(mail.code.unwrap().expose()));
    let hidden = page.form(&format!("{path}/link")).hidden;
    let wrong = hidden.iter().map(|(name, value)| match name.as_str() {
        "purpose" => ("purpose", "steal"),
        name => (name, value.as_str()),
    });
    let wrong: Vec<_> = wrong.collect();
    let refused = boss.post(&format!("{path}/link"), &wrong).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let mut ada = world.browser();
    ada.sign_in("/t/acme", "ada", NEW_PASSWORD).await;
    let denied = ada
        .post(&format!("{path}/link"), &[("purpose", "reset")])
        .await;
    assert_eq!(denied.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_invitation_without_an_address_is_asked_for_one() {
    let (world, acme) = world().await;
    let mut boss = world.signed_in("acme", "boss").await;
    let users = format!("/t/acme/console/tenants/{}/users", acme.id);
    let page = boss.get(&users).await;
    let fields = [
        ("user_name", "eve"),
        ("email", ""),
        ("first_password", "invite"),
    ];
    let again = boss.submit_on(&page, &users, &fields).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    again.assert_says("An invitation needs an e-mail address.");
}

#[tokio::test]
async fn the_own_address_is_changed_once_the_new_mailbox_is_shown() {
    let (world, acme) = world().await;
    let mut browser = ada(&world, &acme).await;
    let flow = "/t/acme/account/flow";
    let prove = browser.open("/t/acme/account/email").await;
    let asks = browser
        .submit_on(&prove, flow, &[("password", NEW_PASSWORD)])
        .await;
    asks.assert_says("Confirm your e-mail address");
    let sent = browser
        .submit_on(&asks, flow, &[("email", "new@example.org")])
        .await;
    let mail = world.mail("new@example.org").await;
    // The link works in any browser, and the flow goes on in this one.
    let mut phone = world.browser();
    let page = phone.open(&address(&acme, &mail)).await;
    let shown = phone.submit_on(&page, "/t/acme/link/verify", &[]).await;
    shown.assert_says("Your e-mail address is confirmed");
    let late = [("code", mail.code.as_ref().unwrap().expose())];
    let late = browser.submit(&sent, flow, &late).await;
    assert_eq!(late.status, StatusCode::UNAUTHORIZED);
    let account = browser.get("/t/acme/account").await;
    account.assert_says("new@example.org");
    let old = world.mail("ada@example.org").await;
    assert_eq!(old.template, "address_changed");
}
