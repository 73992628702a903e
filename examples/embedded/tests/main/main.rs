//! The application as browsers and programs see it, on SQLite in a folder of its own for each test; through its router,
//! and once over a listener.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod browser;
mod club;

mod changes;
mod mounted;
mod serving;
mod visitors;
