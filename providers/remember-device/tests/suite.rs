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

gatelodge_provider_suite::silent_suite!(gatelodge_provider_remember_device::register);

mod suite {
    mod jose;
    mod model;
    mod own;
    mod world;
}
