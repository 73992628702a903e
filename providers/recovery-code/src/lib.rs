#![doc = include_str!("../README.md")]

mod protocol;
mod provider;

pub use protocol::{CODES, Code, CodeSet};
pub use provider::{KIND, RecoveryCodeProvider, register};
