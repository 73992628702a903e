//! The guards that every test here relies on would notice.

use gatelodge_e2e::{browser::Browser, place::Place, world::World};

/// Whether it ends in a panic, as a failing test does.
async fn fails(work: impl Future<Output = ()> + Send + 'static) -> bool {
    tokio::spawn(work)
        .await
        .is_err_and(|error| error.is_panic())
}

#[tokio::test]
async fn a_page_that_asks_another_host_fails_its_test() {
    let place = Place::new();
    let server = place.serve().await;
    let browser = Browser::open(&server).await;
    browser.goto("/sign-in").await;
    let script = "document.body.insertAdjacentHTML('beforeend', '<img src=\"http://evil.invalid/x.png\" alt=\"\">')";
    browser.execute(script).await;
    assert!(fails(browser.close()).await);
}

#[tokio::test]
async fn a_page_with_a_broken_script_fails_its_test() {
    let place = Place::new();
    let server = place.serve().await;
    let browser = Browser::open(&server).await;
    browser.goto("/sign-in").await;
    browser.execute("console.error('broken')").await;
    assert!(fails(browser.close()).await);
}

#[tokio::test]
async fn a_picture_without_an_alternative_fails_its_test() {
    let place = Place::new();
    let server = place.serve().await;
    let browser = Browser::open(&server).await;
    browser.goto("/sign-in").await;
    let script = "document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=\"/assets/mark.svg\">')";
    browser.execute(script).await;
    assert!(fails(async move { browser.inspect("guard").await }).await);
}

#[tokio::test]
async fn a_logged_secret_fails_its_test() {
    let world = World::new().await;
    // A word that is in every log stands for a password that got there.
    world.place.secrets().keep("gatelodge_server");
    assert!(fails(async move { drop(world) }).await);
}
