//! A tenant at a host of its own, in a real browser.

use std::net::TcpListener;

use gatelodge_e2e::{
    browser::Browser,
    place::{Place, Start},
    wait,
    world::{ADMINISTRATOR, ADMINISTRATORS_PASSWORD, HOME, TALKATIVE},
};

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Where the browser is, without the query.
pub(crate) async fn is_at(browser: &Browser, address: &str) {
    let arrived = wait::holds_within(wait::PATIENCE, async || {
        let here = browser
            .execute("return location.origin + location.pathname")
            .await;
        here.as_str() == Some(address)
    })
    .await;
    assert!(arrived, "never came to {address}: {}", browser.text().await);
}

#[tokio::test]
async fn the_first_administrator_signs_in_at_the_tenants_host_and_nowhere_else() {
    let port = free_port();
    let (server, own) = (
        format!("http://localhost:{port}"),
        format!("http://{HOME}.localhost:{port}"),
    );
    let place = Place::with_config(&format!(
        "{TALKATIVE}[server]\norigin = \"{server}\"\n[tenancy]\nhost_pattern = \"{{tenant}}.localhost\"\n"
    ));
    place.secrets().keep(ADMINISTRATORS_PASSWORD);
    let listen = format!("127.0.0.1:{port}");
    let running = place.serve_with(Start::with(&["--listen", &listen])).await;
    let browser = Browser::open(&running).await.beside(&own);

    browser.goto_address(&running.set_up_link()).await;
    browser.fill("tenant", HOME).await;
    browser.fill("user_name", ADMINISTRATOR).await;
    browser.fill("password", ADMINISTRATORS_PASSWORD).await;
    browser.send_form_of("password").await;
    // The form ends on another origin, which the page's policy allows.
    is_at(&browser, &format!("{own}/sign-in")).await;
    browser.fill("user_name", ADMINISTRATOR).await;
    browser.fill("password", ADMINISTRATORS_PASSWORD).await;
    browser.send_form_of("password").await;
    is_at(&browser, &format!("{own}/account")).await;
    browser.reads("Hello, ").await;

    // On the server's host nobody is signed in, and old addresses lead over.
    browser.goto("/account").await;
    is_at(&browser, &format!("{server}/sign-in")).await;
    browser.goto(&format!("/t/{HOME}/account")).await;
    is_at(&browser, &format!("{own}/account")).await;
    browser.press_named("Sign out").await;
    browser.reads("You are signed out").await;
    browser.close().await;
}
