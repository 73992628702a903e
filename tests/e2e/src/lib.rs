//! What the end-to-end tests stand on: the real binary in a folder of its own, and who talks to it — a command line, a
//! program, a browser without scripts, and Chromium.
//!
//! | module | what |
//! |---|---|
//! | [`place`] | a temporary folder with a configuration; runs the binary in it |
//! | [`storage`] | where a place keeps its data: the embedded database, or Postgres |
//! | [`server`] | a running `gatelodge serve`: what it announced, how it is stopped, what it logged |
//! | [`world`] | a server that was set up, with an administrator, tenants and users |
//! | [`nodes`] | two servers on one database |
//! | [`revocation`] | how long a session that was ended is let in elsewhere |
//! | [`load`] | clients that change things, with a journal of what was acknowledged |
//! | [`api`] | a program with a bearer token |
//! | [`third_party`] | a real OpenID provider beside the server |
//! | [`visitor`] | a browser without scripts: cookies, forms, redirects |
//! | [`browser`] | Chromium, driven by WebDriver |
//! | [`inspect`] | what is checked of each page in Chromium: accessibility, width, pictures |
//!
//! Everything that a test starts is ended with it, also when it panics. Every password, token and cookie that passes
//! through here is remembered, and a server's log in which one of them stands fails the test (S47, `v5.0.0-16.2.5`).
//!
//! Nothing sleeps for a fixed time: what has to come is asked for again and again until it is there, within bounds
//! ([`wait`]).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::string_slice,
    reason = "a library for tests: what is not as expected fails the test"
)]

pub mod api;
pub mod browser;
mod chromedriver;
pub mod html;
pub mod inspect;
pub mod load;
pub mod nodes;
pub mod place;
pub mod revocation;
pub mod secrets;
pub mod server;
pub mod storage;
pub mod third_party;
pub mod visitor;
pub mod wait;
pub mod world;
