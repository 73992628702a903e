#![doc = include_str!("../README.md")]

mod config;
mod error;
mod protocol;
mod provider;

pub use config::{ClientAuth, Config};
pub use error::Error;
pub use protocol::{Liar, Lie};
pub use provider::{KIND, OAuth2Provider, register};
