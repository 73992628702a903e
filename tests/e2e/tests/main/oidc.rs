//! Signing in at a real OpenID provider, in Chromium, and on the command line.

mod clients;
mod doctor;
mod hosts;
mod linking;
mod looks;
mod signing_in;

use gatelodge_e2e::{
    browser::Browser,
    place::Place,
    third_party::{CLIENT_SECRET, ThirdParty},
    world::{HOME, TALKATIVE, World},
};
use serde_json::{Value, json};

/// The way in that is there without any configuration, which a list of others has to name.
const PASSWORD: &str = "[[providers]]\nkind = \"password\"\n";

/// The pages of the tenant in which everything happens.
fn here(path: &str) -> String {
    format!("/t/{HOME}{path}")
}

/// What is configured for a connection at `issuer`: five lines, the first of which every table has, and `more`.
fn connection(issuer: &str, id: &str, more: &str) -> String {
    format!(
        "[[providers]]\nkind = \"oidc\"\nissuer = \"{issuer}\"\nclient_id = \"{id}\"\n\
         client_secret = \"{CLIENT_SECRET}\"\nloopback = true\n{more}\n"
    )
}

/// Somebody who has an account at the third party.
fn augusta() -> Value {
    json!({
        "name": "Augusta King",
        "preferred_username": "augusta",
        "email": "augusta@example.com",
        "email_verified": true,
        "groups": ["staff"],
    })
}

/// A server, and a third party that it has a connection to.
struct House {
    world: World,
    there: ThirdParty,
}

impl House {
    /// One with the connection `oidc`, about which `more` is configured.
    async fn new(more: &str) -> Self {
        Self::with(&["oidc"], |issuer| connection(issuer, "oidc", more)).await
    }

    /// One with connections of these names, which `configured` configures for an issuer. `augusta` has an account there.
    async fn with(names: &[&str], configured: impl Fn(&str) -> String) -> Self {
        let there = ThirdParty::start().await;
        let config = configured(there.issuer());
        let place = Place::with_config(&format!("{TALKATIVE}{PASSWORD}{config}"));
        let world = World::of(place).await;
        for name in names {
            there.client(name, world.server.origin()).await;
        }
        there.account("augusta", augusta()).await;
        Self { world, there }
    }

    async fn browser(&self) -> Browser {
        self.world.browser().await.beside(self.there.issuer())
    }

    /// Opens the sign-in page and goes to the third party.
    async fn leaves(&self, browser: &Browser) {
        browser.goto(&here("/sign-in")).await;
        browser.press_named(&format!("Continue with {LABEL}")).await;
    }

    /// How many people have an account in the tenant.
    async fn people(&self) -> usize {
        let path = format!("/api/v1/tenants/{HOME}/users");
        let users = self.world.administrator.get(&path).await.expect(200);
        users["items"].as_array().unwrap().len()
    }

    /// Looks at what the browser did, and has the log be searched for what the third party gave.
    async fn done(self, browser: Browser) {
        browser.close().await;
        self.there.keep_secrets(self.world.place.secrets()).await;
    }
}

/// What a connection is called that is not given a name.
const LABEL: &str = "127.0.0.1";

/// Types name and password of somebody who has an account here.
async fn proves(browser: &Browser, user: &str, password: &str) {
    browser.fill("user_name", user).await;
    browser.fill("password", password).await;
    browser.send_form_of("password").await;
}

/// Signs out, so that the sign-in page is shown next.
async fn leaves_again(browser: &Browser) {
    browser.goto(&here("/account")).await;
    browser.press_named("Sign out").await;
    browser.reads("You are signed out").await;
}
