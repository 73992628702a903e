#![doc = include_str!("../README.md")]

mod error;
mod protocol;
mod provider;

pub use error::Error;
pub use protocol::{Claims, Device, Key, Keys, MAX_TOKEN, Place, SKEW, Sign, TYP, WINDOW, When};
pub use provider::{KIND, MAX_DEVICES, RememberDeviceProvider, register};
