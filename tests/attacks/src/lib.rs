//! What is tried against Gatelodge, and what that proves.
//!
//! * [`coverage`] reads the names and documentation of all tests of the repository and says which attacks and which
//!   requirements of the OWASP ASVS they prove: `cargo run -p gatelodge-attacks`. The lists are in `data/`; a test
//!   proves what its name begins with (`s09_…`) or its documentation names (`S09`, `v5.0.0-6.2.8`).
//! * [`doors`] feeds whatever bytes to every parser of what comes from outside. The targets in `fuzz/` call it under
//!   cargo-fuzz; `tests/corpus.rs` replays what they found, and what they began with, on every run.

pub mod coverage;
pub mod doors;
