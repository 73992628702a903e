//! Every parser of what comes from outside, fed with whatever bytes. Each function goes through a public door and
//! panics when a promise is broken: that is what a fuzzer looks for, and what a test fails by.

#![expect(
    clippy::expect_used,
    reason = "a broken promise is a panic, and so is a house that cannot be built"
)]

mod files;
mod house;
mod openid;
mod services;
mod texts;
mod third_parties;
mod web;

pub use files::{backup_text, configuration, password_hashes, sealed_values};
pub use openid::openid_answers;
pub use services::services;
pub use texts::{addresses, cookies, names, one_time_codes, recovery_codes, tokens};
pub use third_parties::{access_tokens, applications};
pub use web::{bodies, cursors, requests, return_to};

/// A function that takes whatever bytes.
pub type Door = fn(&[u8]);

/// All doors, each by the name of its function, of its target in `fuzz/fuzz_targets` and of its folder in
/// `fuzz/corpus`.
pub const DOORS: [(&str, Door); 18] = [
    ("access_tokens", access_tokens),
    ("addresses", addresses),
    ("applications", applications),
    ("backup_text", backup_text),
    ("bodies", bodies),
    ("configuration", configuration),
    ("cookies", cookies),
    ("cursors", cursors),
    ("names", names),
    ("one_time_codes", one_time_codes),
    ("openid_answers", openid_answers),
    ("password_hashes", password_hashes),
    ("recovery_codes", recovery_codes),
    ("requests", requests),
    ("return_to", return_to),
    ("sealed_values", sealed_values),
    ("services", services),
    ("tokens", tokens),
];
