//! The command line as an operator has it: the real program, a data folder, and
//! often a server that holds the same database.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic"
)]

mod applications;
mod backups;
mod bad_input;
mod concurrency;
mod examples;
mod installation;
mod mails;
mod restores;
mod sessions;
mod tenants;
mod third_parties;
mod users;
