//! The JSON API through its one door, the router, over both kinds of storage
//! and with the real password provider. The clock stands still unless a test
//! moves it. Every answer that any test gets is held against the API's
//! description and against what all answers have in common (`support::answer`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

mod support;

mod access_tokens;
mod account;
mod applications;
mod audit;
mod bodies;
mod clock;
mod connections;
mod cookies;
mod cors;
mod cross_site;
mod description;
mod device_ends;
mod devices;
mod equal_answers;
mod failures;
mod flows;
mod forward_auth;
mod forwarded;
mod fuzz;
mod headers;
mod hosts;
mod isolation;
mod limits;
mod link_ends;
mod links;
mod lists;
mod logs;
mod mass_assignment;
mod matrix;
mod names;
mod password_rules;
mod passwords;
mod recovery;
mod required_factors;
mod return_to;
mod revocation;
mod second_factors;
mod session;
mod sessions;
mod set_up;
mod settings;
mod sign_up;
mod steps;
mod tenants;
mod third_parties;
mod tokens;
mod users;
mod versions;
