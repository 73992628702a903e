//! The command line as an operator has it: the real program, a data folder, and
//! often a server that holds the same database.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic"
)]

#[path = "cli/bad_input.rs"]
mod bad_input;
#[path = "cli/concurrency.rs"]
mod concurrency;
#[path = "cli/installation.rs"]
mod installation;
#[path = "cli/sessions.rs"]
mod sessions;
#[path = "cli/tenants.rs"]
mod tenants;
#[path = "cli/users.rs"]
mod users;
