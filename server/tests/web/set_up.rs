use axum::http::StatusCode;

use crate::{browser::Answer, world::World};

const FIELDS: [(&str, &str); 3] = [
    ("tenant", "Acme & Sons"),
    ("user_name", "ada"),
    ("password", "correct horse battery staple"),
];

#[tokio::test]
async fn the_link_makes_the_first_administrator_and_its_token_leaves_the_address() {
    let world = World::new().await;
    let mut browser = world.browser();
    let token = world.set_up_token().await;
    let first = browser
        .get(&format!("/setup?token={}", token.expose()))
        .await;
    assert_eq!(first.location().as_deref(), Some("/setup"));
    let page = browser.follow(first).await;
    page.assert_says("At least 15 characters");
    assert!(!page.body.contains(token.expose()));

    let done = browser.submit(&page, "/setup", &FIELDS).await;
    let to = done.location().unwrap();
    assert_eq!(to, "/t/Acme%20&%20Sons/sign-in?notice=set_up");
    assert!(browser.cookies_like("gl-setup").is_empty());
    let page = browser.get(&to).await;
    page.assert_says("All set");
    let fields = [FIELDS[1], FIELDS[2]];
    let account = browser
        .submit_on(&page, "/t/Acme%20&%20Sons/sign-in", &fields)
        .await;
    account.assert_says("Hello, ada");
    account.assert_says("Organisations");
}

#[tokio::test]
async fn a_link_works_once() {
    let world = World::new().await;
    let token = world.set_up_token().await;
    let link = format!("/setup?token={}", token.expose());
    let (mut first, mut second) = (world.browser(), world.browser());
    let pages = (first.open(&link).await, second.open(&link).await);
    let done = first.submit(&pages.0, "/setup", &FIELDS).await;
    assert!(done.location().is_some());
    let late = second.submit(&pages.1, "/setup", &FIELDS).await;
    refused(&late);
    refused(&world.browser().open(&link).await);
}

#[tokio::test]
async fn without_the_right_token_there_is_no_form() {
    let world = World::new().await;
    world.set_up_token().await;
    for path in [
        "/setup",
        "/setup?token=wrong",
        "/setup?token=%0d%0aSet-Cookie:%20a=b",
    ] {
        refused(&world.browser().open(path).await);
    }
    let answer = world.browser().post("/setup", &FIELDS).await;
    refused(&answer);
}

fn refused(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    answer.assert_says("This set-up link is wrong, used or expired.");
}

#[tokio::test]
async fn what_is_wrong_stands_beside_its_field_and_the_names_are_kept() {
    let world = World::new().await;
    let mut browser = world.browser();
    let token = world.set_up_token().await;
    let page = browser
        .open(&format!("/setup?token={}", token.expose()))
        .await;
    for (fields, said) in [
        (
            [
                ("tenant", "acme"),
                ("user_name", "ada"),
                ("password", "zq9-zq9"),
            ],
            "at least 15",
        ),
        (
            [("tenant", "a/b"), FIELDS[1], FIELDS[2]],
            "A tenant name cannot",
        ),
        ([FIELDS[0], ("user_name", ""), FIELDS[2]], "A user name has"),
    ] {
        let again = browser.submit(&page, "/setup", &fields).await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
        again.assert_says(said);
        assert_eq!(again.value("tenant").as_deref(), Some(fields[0].1));
        assert_eq!(again.value("password"), None);
        assert!(!again.body.contains(fields[2].1), "the password is shown");
    }
}
