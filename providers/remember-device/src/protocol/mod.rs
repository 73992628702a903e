//! Tokens, the keys that sign them, and the device that a row keeps: all of it
//! without a provider around it, with every time handed in.

mod device;
mod keys;
mod token;

pub use device::{Device, When};
pub use keys::{Key, Keys};
pub use token::{Claims, Place, Sign};

use std::time::Duration;

/// The `typ` of the header (RFC 8725 section 3.11).
pub const TYP: &str = "device+jwt";
/// The most bytes of a token.
pub const MAX_TOKEN: usize = 2_048;
/// For how long the token that was just replaced gets the same successor again.
pub const WINDOW: Duration = Duration::from_secs(30);
/// How far the clocks of two servers may be apart.
pub const SKEW: Duration = Duration::from_secs(60);
/// The longest that a device is remembered, and how long a key signs.
pub(crate) const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;

/// Random bytes as a text.
pub(crate) fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The time that has run from one moment to a later one; none if it is not later.
pub(crate) fn run(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}

/// The moment `by` later.
pub(crate) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
