//! The hosted pages through the router, as a browser sees them: it keeps
//! cookies, follows redirects and sends the forms that stand on the page. The
//! storage is in memory, the clock stands still unless a test moves it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "web/browser.rs"]
mod browser;
#[path = "web/world.rs"]
mod world;

#[path = "web/account.rs"]
mod account;
#[path = "web/console_tenants.rs"]
mod console_tenants;
#[path = "web/console_users.rs"]
mod console_users;
#[path = "web/forgery.rs"]
mod forgery;
#[path = "web/returning.rs"]
mod returning;
#[path = "web/set_up.rs"]
mod set_up;
#[path = "web/sign_in.rs"]
mod sign_in;
#[path = "web/sign_out.rs"]
mod sign_out;
#[path = "web/sign_up.rs"]
mod sign_up;
#[path = "web/tenants.rs"]
mod tenants;
