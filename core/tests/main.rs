//! The behaviour of the engine and the services, seen through
//! [`gatelodge_core::Platform`], on a storage in memory and with scripted
//! providers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic"
)]

mod addresses;
mod administrators;
mod applications;
mod archive;
mod audit;
mod backups;
mod busy;
mod duties;
mod enrol;
mod flows;
mod keys;
mod late_tenant;
mod liars;
mod limits;
mod link;
mod messages;
mod model;
mod providers;
mod races;
mod redirect;
mod removed_factor;
mod renewals;
mod require_change;
mod required_factor;
mod second_factor;
mod session_memory;
mod sessions;
mod set_up;
mod sign_in;
mod sign_up;
mod steps;
mod support;
mod tenants;
mod third_party;
mod tidying;
mod tokens;
mod users;
