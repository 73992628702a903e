//! What every provider that keeps people signed in must show, and what this one
//! shows beyond that.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests may panic"
)]

mod suite {
    mod jose;
    mod model;
    mod own;
    mod world;
}
