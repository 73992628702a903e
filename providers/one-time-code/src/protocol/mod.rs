//! What this crate knows about codes, free of the provider contract: where they
//! are sent to, how often, what they look like, and what is kept of them.

mod address;
mod code;
mod pace;
mod words;

use serde::{Deserialize, Serialize};

pub use address::Address;
pub use code::Code;
pub(crate) use code::{CODE_BYTES, Issued, NONCE_BYTES, Nonce};
pub(crate) use pace::Pace;
pub(crate) use words::{Words, told};

/// What is kept of an address that somebody has proven, sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    pub(crate) to: Address,
    /// The newest code that was sent to it, until it is used. An older one does
    /// not count any more.
    pub(crate) code: Option<Issued>,
    pub(crate) sent: Pace,
}

/// What is kept of somebody who sets addresses up, sealed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptPace {
    pub(crate) sent: Pace,
}
