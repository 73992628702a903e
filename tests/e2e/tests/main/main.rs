//! The real binary, over HTTP and in a real browser.
//!
//! One program, since each that is linked costs seconds; a module per subject. Tests run side by side, each with a
//! server of its own; no more than two browsers run at a time. Only `third_parties` has its server in this process, for
//! ways to sign in that the binary does not have.
//!
//! They run on the embedded database, and with `E2E_STORAGE=postgres` on Postgres. `tests/run` does both; which modules it
//! leaves out the second time, and why, is said there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::string_slice,
    reason = "tests may panic, and say what they measured"
)]

mod account;
mod applications;
mod embedded;
mod first_steps;
mod forward_auth;
mod guards;
mod hosts;
mod keyboard;
mod locks;
mod looks;
mod mails;
mod moving;
mod nodes;
mod oidc;
mod operations;
mod outages;
mod pooler;
mod refusals;
mod running;
mod saving;
mod signing_in;
mod signing_out;
mod signing_up;
mod tenants;
mod third_parties;
