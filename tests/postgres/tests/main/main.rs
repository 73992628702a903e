//! Servers, poolers and networks for tests, used as tests use them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic"
)]

mod database;
mod pooler;
mod proxy;
mod server;
mod session;
mod shared;
