//! From an empty folder to a user who signed in.

use gatelodge_e2e::{
    browser::Browser,
    place::Place,
    visitor::Visitor,
    world::{ADMINISTRATOR, ADMINISTRATORS_PASSWORD, HOME, TALKATIVE},
};

const FIRST_PASSWORD_OF_HER_OWN: &str = "canary: five notes & a long trill";

/// The whole way of somebody who installs Gatelodge: the printed link, the first administrator, a user with a first
/// password, that user's own password (L2, L10, U1, W3, S2).
#[tokio::test]
async fn an_empty_folder_becomes_an_installation_with_a_user_who_signs_in() {
    let place = Place::with_config(TALKATIVE);
    let server = place.serve().await;
    let browser = Browser::open(&server).await;

    browser.goto_address(&server.set_up_link()).await;
    browser.arrives_at("/setup").await;
    assert_eq!(
        browser.path().await,
        "/setup",
        "the token stands in the address"
    );
    browser.fill("tenant", HOME).await;
    browser.fill("user_name", ADMINISTRATOR).await;
    browser.fill("password", ADMINISTRATORS_PASSWORD).await;
    browser.send_form_of("password").await;

    browser.arrives_at(&format!("/t/{HOME}/sign-in")).await;
    browser.fill("user_name", ADMINISTRATOR).await;
    browser.fill("password", ADMINISTRATORS_PASSWORD).await;
    browser.send_form_of("password").await;
    browser.arrives_at("/account").await;
    browser.reads(&format!("Hello, {ADMINISTRATOR}")).await;

    browser.press_named("Users").await;
    browser.arrives_at("/users").await;
    browser.press_named("New user").await;
    browser.fill("user_name", "ada").await;
    browser.fill("display_name", "Ada <Lovelace> & Co").await;
    browser.send_form_of("display_name").await;
    let first_password = browser.element("output.secret").await.text().await.unwrap();
    browser.reads("Ada <Lovelace> & Co").await;
    browser.close().await;

    let hers = Browser::open(&server).await;
    hers.sign_in(&format!("/t/{HOME}"), "ada", &first_password)
        .await;
    hers.fill("new_password", FIRST_PASSWORD_OF_HER_OWN).await;
    hers.send_form_of("new_password").await;
    hers.arrives_at("/account").await;
    hers.reads("Hello, Ada <Lovelace> & Co").await;
    hers.press_named("Sign out").await;
    hers.reads("You are signed out").await;
    hers.sign_in(&format!("/t/{HOME}"), "ada", &first_password)
        .await;
    hers.element(".notice-error").await;
    hers.signs_in(&format!("/t/{HOME}"), "ada", FIRST_PASSWORD_OF_HER_OWN)
        .await;
    hers.close().await;
}

#[tokio::test]
async fn the_set_up_link_works_once_and_a_wrong_one_never() {
    let place = Place::with_config(TALKATIVE);
    let server = place.serve().await;
    let visitor = Visitor::new(&server);
    for path in ["/setup", "/setup?token=", "/setup?token=wrong"] {
        let page = visitor.open(path).await;
        assert_eq!(page.status, 404, "{path}");
    }
    let values = [
        ("tenant", HOME),
        ("user_name", ADMINISTRATOR),
        ("password", ADMINISTRATORS_PASSWORD),
    ];
    let link = format!("/setup?token={}", server.set_up_token());
    let form = visitor.open(&link).await.form("/setup");
    let done = visitor.submit(&form, &values).await;
    assert!(
        done.path.starts_with(&format!("/t/{HOME}/sign-in")),
        "{}",
        done.path
    );
    for browser in [&visitor, &Visitor::new(&server)] {
        assert_eq!(browser.open(&link).await.status, 404);
    }
    let again = Visitor::new(&server).send(&form, &values).await;
    assert_eq!(again.status, 404, "{}", again.text());
    assert!(server.stop().await.success());

    let next = place.serve().await;
    assert_eq!(
        next.announced(),
        [format!("Gatelodge is serving at {}", next.origin())]
    );
}

#[tokio::test]
async fn a_set_up_with_a_poor_password_says_why_and_can_be_finished() {
    let place = Place::with_config(TALKATIVE);
    let server = place.serve().await;
    let visitor = Visitor::new(&server);
    let link = format!("/setup?token={}", server.set_up_token());
    let form = visitor.open(&link).await.form("/setup");
    let minimum = form.inputs["password"].attribute("minlength");
    assert_eq!(minimum, Some("15"), "the minimum is said beforehand");
    let values = |password| {
        [
            ("tenant", HOME),
            ("user_name", ADMINISTRATOR),
            ("password", password),
        ]
    };
    let refused = visitor.submit(&form, &values("too short")).await;
    assert_eq!(refused.status, 422);
    assert!(refused.says("15"), "{}", refused.text());
    let form = refused.form("/setup");
    assert_eq!(form.inputs["tenant"].attribute("value"), Some(HOME));
    assert_eq!(form.inputs["password"].attribute("value"), None);
    let done = visitor
        .submit(&form, &values(ADMINISTRATORS_PASSWORD))
        .await;
    assert_eq!(done.status, 200);
    assert!(
        done.path.starts_with(&format!("/t/{HOME}/sign-in")),
        "{}",
        done.path
    );
}
