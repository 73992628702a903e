//! Tokens that a server could have made, and everything that only looks like one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

mod claims;
mod fetching;
mod forge;
mod headers;
