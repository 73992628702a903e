//! The contracts, the model and the sign-in engine of Gatelodge.
//!
//! * [`provider`] is the contract for ways to prove who one is, and the how-to
//!   for writing one.
//! * [`storage`] is the contract for places to keep data, and the how-to for
//!   writing one.
//! * [`archive`] copies, verifies, backs up and restores what is stored.
//! * [`messages`] brings mails and text messages on their way.
//! * [`model`] is what the system knows.
//! * [`engine`] signs people in, [`service`] does everything else, both on a
//!   [`Platform`].
//! * [`tokens`] signs access tokens for applications, and keeps the keys.
//!
//! This crate knows no HTTP, no database and no asynchronous run time: clock
//! and randomness come from [`environment`], loops are futures that the server
//! spawns.

pub mod access;
pub mod archive;
pub mod engine;
pub mod environment;
mod error;
pub mod limits;
pub mod messages;
pub mod model;
mod origins;
mod platform;
pub mod provider;
pub mod seal;
pub mod secret;
pub mod service;
mod session_table;
pub mod storage;
pub mod tokens;

pub use environment::{Clock, Environment, Random};
pub use error::{Error, ErrorKind, Result};
pub use origins::Origins;
pub use platform::{Parts, Platform};
pub use session_table::CheckedSession;
