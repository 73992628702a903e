//! A tenant at a host of its own: third parties know the server's host alone.

use gatelodge_e2e::{
    browser::Browser,
    place::{Place, Start},
    third_party::ThirdParty,
    world::TALKATIVE,
};

use super::{LABEL, PASSWORD, augusta, connection};
use crate::hosts::{free_port, is_at};

#[tokio::test]
async fn a_sign_in_that_begins_at_a_tenants_host_ends_there() {
    let there = ThirdParty::start().await;
    let port = free_port();
    let server = format!("http://localhost:{port}");
    let own = format!("http://acme.localhost:{port}");
    let connection = connection(there.issuer(), "oidc", "new_accounts = \"create\"");
    let place = Place::with_config(&format!(
        "{TALKATIVE}[server]\norigin = \"{server}\"\n[tenancy]\nhost_pattern = \"{{tenant}}.localhost\"\n\
         {PASSWORD}{connection}"
    ));
    let listen = format!("127.0.0.1:{port}");
    let running = place.serve_with(Start::with(&["--listen", &listen])).await;
    place.run(&["tenant", "create", "acme"]).await.succeeded();
    there.client("oidc", &server).await;
    there.account("augusta", augusta()).await;
    let browser = Browser::open(&running).await;
    let browser = browser.beside(there.issuer()).beside(&own);

    for is_first in [true, false] {
        browser.goto_address(&format!("{own}/sign-in")).await;
        browser.press_named(&format!("Continue with {LABEL}")).await;
        if is_first {
            browser.signs_in_there("augusta").await;
        }
        is_at(&browser, &format!("{own}/account")).await;
        browser.reads("Hello, Augusta King").await;
        // On the server's host nobody is signed in.
        browser.goto("/account").await;
        is_at(&browser, &format!("{server}/sign-in")).await;
        browser.goto_address(&format!("{own}/account")).await;
        browser.press_named("Sign out").await;
        browser.reads("You are signed out").await;
    }
    browser.close().await;
    there.keep_secrets(place.secrets()).await;
}
