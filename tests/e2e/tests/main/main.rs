//! The real binary, over HTTP and in a real browser.
//!
//! One program, since each that is linked costs seconds; a module per subject. Tests run side by side, each with a
//! server of its own; no more than two browsers run at a time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests may panic"
)]

mod account;
mod first_steps;
mod guards;
mod keyboard;
mod locks;
mod looks;
mod operations;
mod refusals;
mod running;
mod signing_in;
mod signing_out;
mod signing_up;
mod storage_trouble;
mod tenants;
