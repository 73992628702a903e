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

#[path = "suite/account.rs"]
mod account;
#[path = "suite/first_steps.rs"]
mod first_steps;
#[path = "suite/keyboard.rs"]
mod keyboard;
#[path = "suite/locks.rs"]
mod locks;
#[path = "suite/looks.rs"]
mod looks;
#[path = "suite/operations.rs"]
mod operations;
#[path = "suite/refusals.rs"]
mod refusals;
#[path = "suite/running.rs"]
mod running;
#[path = "suite/signing_in.rs"]
mod signing_in;
#[path = "suite/signing_out.rs"]
mod signing_out;
#[path = "suite/signing_up.rs"]
mod signing_up;
#[path = "suite/storage_trouble.rs"]
mod storage_trouble;
#[path = "suite/tenants.rs"]
mod tenants;
