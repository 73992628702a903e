#![doc = include_str!("../README.md")]

mod config;
mod error;
mod protocol;
mod provider;

pub use config::Config;
pub use error::Error;
pub use protocol::{Address, Code};
pub use provider::{KIND, OneTimeCodeProvider, register};
