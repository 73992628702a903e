//! A password as this crate sees it: normalised, of bounded length, wiped after use.

use std::fmt;

use icu_normalizer::ComposingNormalizerBorrowed;
use zeroize::Zeroizing;

use crate::Error;

/// The most bytes a password may have, counted after normalisation.
///
/// NIST asks for at least 64 characters; this allows 256 of four bytes each.
/// The limit only keeps megabytes away from the normaliser and the queue.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// No text in NFC is shorter than a quarter of any equivalent text, in bytes:
/// the strongest composition turns nine bytes into three.
const MAX_UNNORMALISED_BYTES: usize = 4 * MAX_PASSWORD_BYTES;

/// A password in Unicode normalisation form C, wiped when dropped.
///
/// * Nothing but the normalisation is done: case, inner and outer spaces and
///   NUL stay, and every byte counts when it is hashed.
/// * `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Normalises `text`; at most [`MAX_PASSWORD_BYTES`] may result.
    ///
    /// A text of any length is answered at once: one that cannot become short
    /// enough is refused without being read.
    pub fn new(text: &str) -> Result<Self, Error> {
        let too_long = Error::TooLong {
            limit: MAX_PASSWORD_BYTES,
        };
        if text.len() > MAX_UNNORMALISED_BYTES {
            return Err(too_long);
        }
        let normalised = nfc(text);
        if normalised.len() > MAX_PASSWORD_BYTES {
            return Err(too_long);
        }
        Ok(Self(normalised))
    }

    /// The length in Unicode code points, as NIST SP 800-63B-4 counts it.
    pub fn code_points(&self) -> usize {
        self.0.chars().count()
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[password]")
    }
}

/// Normalises into a buffer that need not grow, so that no copy stays behind.
pub(super) fn nfc(text: &str) -> Zeroizing<String> {
    let mut normalised = Zeroizing::new(String::with_capacity(3 * text.len()));
    // Writing into a string cannot fail.
    let _ = ComposingNormalizerBorrowed::new_nfc().normalize_to(text, &mut *normalised);
    normalised
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composed_and_decomposed_letters_are_the_same_password() {
        let composed = Password::new("caf\u{e9} \u{ac00}").unwrap();
        let decomposed = Password::new("cafe\u{301} \u{1100}\u{1161}").unwrap();
        assert_eq!(composed.expose(), decomposed.expose());
        assert_eq!(composed.code_points(), 6);
    }

    #[test]
    fn compatibility_forms_case_and_spaces_stay_different() {
        for (one, other) in [
            ("\u{fb01}sh", "fish"),
            ("Secret", "secret"),
            (" secret", "secret"),
            ("secret ", "secret"),
            ("sec  ret", "sec ret"),
            ("sec\0ret", "sec"),
        ] {
            let (one, other) = (Password::new(one).unwrap(), Password::new(other).unwrap());
            assert_ne!(one.expose(), other.expose());
        }
    }

    #[test]
    fn the_limit_counts_bytes_after_normalisation() {
        assert!(Password::new(&"e\u{301}".repeat(MAX_PASSWORD_BYTES / 2)).is_ok());
        assert!(Password::new(&"x".repeat(MAX_PASSWORD_BYTES)).is_ok());
        for text in ["x".repeat(MAX_PASSWORD_BYTES + 1), "x".repeat(1 << 20)] {
            let refused = Password::new(&text).unwrap_err();
            assert!(matches!(refused, Error::TooLong { limit: 1024 }));
        }
    }

    #[test]
    fn debug_shows_nothing() {
        let password = Password::new("correct horse").unwrap();
        assert_eq!(format!("{password:?}"), "[password]");
    }
}
