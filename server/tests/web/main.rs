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

mod browser;
mod world;

mod account;
mod applications;
mod assets;
mod console_tenants;
mod console_users;
mod devices;
mod forgery;
mod hosts;
mod links;
mod other_ways;
mod password_rules;
mod required_factors;
mod returning;
mod second_factors;
mod set_up;
mod sign_in;
mod sign_out;
mod sign_up;
mod tenants;
mod third_parties;
mod ways;
