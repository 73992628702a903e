//! Codes, and what is kept of one that was sent.

use std::fmt;

use gatelodge_core::secret::{Secret, TokenHash};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The random bytes that a code is made of.
pub(crate) const CODE_BYTES: usize = 8;
/// The random bytes that bind a code to the flow that asked for it.
pub(crate) const NONCE_BYTES: usize = 16;
/// The digits of a code. Six are the least (NIST SP 800-63B-4 section 3.1.3.2) and
/// a hair less than the 20 bits of ASVS 6.5.4; with eight, whoever knows a hundred
/// thousand passwords and tries ten codes for each is right once in a hundred times.
const DIGITS: usize = 8;

/// A code of eight digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(Zeroizing<String>);

impl Code {
    /// The code of these random bits. With 64 of them no code is likelier than
    /// another by more than one part in 10¹¹.
    pub fn from_bytes(bytes: [u8; CODE_BYTES]) -> Self {
        let number = u64::from_be_bytes(bytes) % 10_u64.pow(DIGITS as u32);
        Self(Zeroizing::new(format!("{number:0DIGITS$}")))
    }

    /// Reads what was typed: with or without spaces and hyphens. `None` for what
    /// can be no code.
    pub fn read(typed: &str) -> Option<Self> {
        let mut digits = Zeroizing::new(String::with_capacity(DIGITS));
        for c in typed.chars() {
            if c.is_whitespace() || c == '-' || ('\u{2010}'..='\u{2015}').contains(&c) {
                continue;
            }
            if !c.is_ascii_digit() || digits.len() == DIGITS {
                return None;
            }
            digits.push(c);
        }
        (digits.len() == DIGITS).then_some(Self(digits))
    }

    /// The code in two groups of four, for people who read it and type it.
    pub fn in_groups(&self) -> Secret {
        let (first, second) = self.0.split_at(DIGITS / 2);
        Secret::new(format!("{first} {second}"))
    }

    /// The code in one piece, for telephones that find and fill it in.
    pub fn in_one(&self) -> Secret {
        Secret::new(self.0.as_str())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code")
    }
}

/// What only the flow knows that asked for a code: no other one can use it
/// (ASVS 6.6.2).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Nonce(pub(crate) [u8; NONCE_BYTES]);

/// What is kept of a code that was sent. Its hash is over the nonce too, so that
/// nobody finds the digits by trying them all who sees only this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Issued {
    hash: TokenHash,
    /// The first moment at which it no longer counts.
    pub(crate) expires_at: Timestamp,
}

impl Issued {
    pub(crate) fn new(code: &Code, nonce: &Nonce, expires_at: Timestamp) -> Self {
        Self {
            hash: hash(code, nonce),
            expires_at,
        }
    }

    /// One that fits nothing, for the same work where there is none.
    pub(crate) fn decoy() -> Self {
        Self {
            hash: TokenHash::from_bytes([0; 32]),
            expires_at: Timestamp::MIN,
        }
    }

    /// Why this is not the code, as a short word; in constant time.
    pub(crate) fn refusal(
        &self,
        code: &Code,
        nonce: &Nonce,
        now: Timestamp,
    ) -> Option<&'static str> {
        let is_right = self.hash.matches(&hash(code, nonce));
        match (is_right, now < self.expires_at) {
            (true, true) => None,
            (true, false) => Some("expired_code"),
            (false, _) => Some("wrong_code"),
        }
    }
}

fn hash(code: &Code, nonce: &Nonce) -> TokenHash {
    TokenHash::of_parts([b"code".as_slice(), &nonce.0, code.0.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_eight_digits_and_may_be_typed_in_groups() {
        let code = Code::from_bytes(1_234_u64.to_be_bytes());
        assert_eq!(code.in_groups().expose(), "0000 1234");
        assert_eq!(code.in_one().expose(), "00001234");
        for typed in ["00001234", "0000 1234", " 0000-1234\n", "0000–1234"] {
            assert_eq!(Code::read(typed), Some(code.clone()), "{typed}");
        }
        for typed in ["", "0000123", "000012345", "0000 123x", "０００01234"] {
            assert_eq!(Code::read(typed), None, "{typed}");
        }
    }

    #[test]
    fn codes_are_spread_over_all_digits() {
        let last = Code::from_bytes(99_999_999_u64.to_be_bytes());
        assert_eq!(last.in_one().expose(), "99999999");
        let first = Code::from_bytes(100_000_000_u64.to_be_bytes());
        assert_eq!(first.in_one().expose(), "00000000");
    }

    /// v5.0.0-6.6.2: another flow has another nonce.
    #[test]
    fn only_the_right_code_of_the_right_flow_fits_until_it_ends() {
        let (code, nonce) = (Code::from_bytes([3; CODE_BYTES]), Nonce([1; NONCE_BYTES]));
        let end = Timestamp::from_second(1_000).unwrap();
        let before = Timestamp::from_millisecond(999_999).unwrap();
        let issued = Issued::new(&code, &nonce, end);
        assert_eq!(issued.refusal(&code, &nonce, before), None);
        assert_eq!(issued.refusal(&code, &nonce, end), Some("expired_code"));
        let other = Code::from_bytes([4; CODE_BYTES]);
        assert_eq!(issued.refusal(&other, &nonce, before), Some("wrong_code"));
        let foreign = Nonce([2; NONCE_BYTES]);
        assert_eq!(issued.refusal(&code, &foreign, before), Some("wrong_code"));
        let none = Issued::decoy();
        assert_eq!(none.refusal(&code, &nonce, before), Some("wrong_code"));
    }

    #[test]
    fn debug_shows_no_code() {
        let (code, nonce) = (Code::from_bytes([3; CODE_BYTES]), Nonce([1; NONCE_BYTES]));
        let issued = Issued::new(&code, &nonce, Timestamp::UNIX_EPOCH);
        let shown = format!("{code:?} {issued:?}");
        assert!(!shown.contains(code.0.as_str()), "{shown}");
    }
}
