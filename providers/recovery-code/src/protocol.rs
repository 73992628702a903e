//! What this crate knows about codes, free of the provider contract: how one
//! is made, written and read, and what is kept of a set.

use std::fmt;

use gatelodge_core::secret::TokenHash;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The codes of a set.
pub const CODES: usize = 10;
/// The random bytes of a code: 120 bits.
pub(crate) const CODE_BYTES: usize = 15;
/// The characters of a code; each holds five bits.
const CHARACTERS: usize = 24;
/// A code in groups of so many characters is easier to copy.
const GROUP: usize = 4;
/// Crockford's base32: no letter looks like a digit, and no `U` makes words.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A recovery code.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(Zeroizing<String>);

impl Code {
    /// The code of 120 random bits.
    pub fn from_bytes(bytes: &[u8; CODE_BYTES]) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(CHARACTERS));
        for five in bytes.chunks(5) {
            // Five bytes are eight characters.
            let bits = five
                .iter()
                .fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
            for place in (0..8).rev() {
                let index = usize::try_from((bits >> (5 * place)) & 31).unwrap_or_default();
                text.extend(ALPHABET.get(index).copied().map(char::from));
            }
        }
        Self(text)
    }

    /// Reads what was typed: in any case, with or without spaces and hyphens, and
    /// with the letters that look like digits for those. `None` for what can be
    /// no code.
    pub fn read(typed: &str) -> Option<Self> {
        let mut text = Zeroizing::new(String::with_capacity(CHARACTERS));
        for character in typed.chars() {
            let character = match character.to_ascii_uppercase() {
                c if c.is_whitespace() || is_hyphen(c) => continue,
                'O' => '0',
                'I' | 'L' => '1',
                c => c,
            };
            let known = ALPHABET.iter().any(|c| char::from(*c) == character);
            if !known || text.len() == CHARACTERS {
                return None;
            }
            text.push(character);
        }
        (text.len() == CHARACTERS).then_some(Self(text))
    }

    /// The code as it is shown: groups with hyphens between them.
    pub fn shown(&self) -> Zeroizing<String> {
        let mut shown = Zeroizing::new(String::with_capacity(CHARACTERS * 2));
        for (number, character) in self.0.chars().enumerate() {
            if number > 0 && number % GROUP == 0 {
                shown.push('-');
            }
            shown.push(character);
        }
        shown
    }

    /// What is kept of it.
    ///
    /// A plain hash is enough, and nothing is gained by a salt or a slow one: of
    /// 120 random bits nobody finds the right ones by trying, and no two codes
    /// are the same. NIST SP 800-63B-4 (section 3.1.2.2) and ASVS 6.5.2 say so
    /// from 112 bits on.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code")
    }
}

/// What phones and word processors make of a hyphen.
fn is_hyphen(c: char) -> bool {
    c == '-' || ('\u{2010}'..='\u{2015}').contains(&c) || c == '\u{2212}'
}

/// The codes of a set that have not been used, by their hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeSet {
    hashes: Vec<TokenHash>,
}

impl CodeSet {
    /// The set of these codes.
    pub fn of(codes: &[Code]) -> Self {
        Self {
            hashes: codes.iter().map(Code::hash).collect(),
        }
    }

    /// How many are left.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether all were used.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// What is left after using `code`; `None` when it is not in the set.
    pub fn without(&self, code: &Code) -> Option<Self> {
        let hash = code.hash();
        // Each is compared, in constant time, also after one was found.
        let left = self.hashes.iter().filter(|kept| !kept.matches(&hash));
        let hashes: Vec<_> = left.copied().collect();
        (hashes.len() < self.hashes.len()).then_some(Self { hashes })
    }

    /// A set that no code is in, for the same work where there is none.
    pub(crate) fn decoy() -> Self {
        Self {
            hashes: vec![TokenHash::from_bytes([0; 32]); CODES],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(number: u8) -> Code {
        Code::from_bytes(&[number; CODE_BYTES])
    }

    #[test]
    fn a_code_is_its_bits_in_groups_of_base32() {
        assert_eq!(*code(0).shown(), "0000-0000-0000-0000-0000-0000");
        assert_eq!(*code(255).shown(), "ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ");
        let bytes = [
            0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54, 0xb6, 0x35, 0xcf, 0x84, 0x65, 0x3a, 0x56,
            0xd7,
        ];
        let counted = Code::from_bytes(&bytes);
        assert_eq!(*counted.shown(), "0123-4567-89AB-CDEF-GHJK-MNPQ");
    }

    #[test]
    fn every_bit_makes_another_code() {
        let mut seen = std::collections::BTreeSet::new();
        for bit in 0..8 * CODE_BYTES {
            let mut bytes = [0; CODE_BYTES];
            bytes[bit / 8] = 1 << (bit % 8);
            seen.insert(Code::from_bytes(&bytes).shown().to_string());
        }
        assert_eq!(seen.len(), 120);
    }

    #[test]
    fn typing_is_forgiven_case_spaces_hyphens_and_letters_like_digits() {
        let right = Code::read("0123-4567-89AB-CDEF-GH1K-MN0Q").unwrap();
        for typed in [
            "0123456789ABCDEFGH1KMN0Q",
            "0123-4567-89ab-cdef-gh1k-mn0q",
            " 0123 4567 89AB CDEF GH1K MN0Q\n",
            "O123-4567-89AB-CDEF-GHIK-MNOQ",
            "o123-4567-89ab-cdef-ghik-mnoq",
            "oi23-4567-89ab-cdef-ghlk-mnoq",
            "0123–4567—89AB‑CDEF−GHLK‐MN0Q",
            "01 23-45\u{a0}67-89AB-CDEF-GH1K-MN0Q",
        ] {
            assert_eq!(Code::read(typed).as_ref(), Some(&right), "{typed}");
        }
        assert_eq!(Code::read(&right.shown()), Some(right));
    }

    #[test]
    fn what_can_be_no_code_is_not_read() {
        for typed in [
            "",
            "-",
            "0123-4567-89AB-CDEF-GH1K-MN0",
            "0123-4567-89AB-CDEF-GH1K-MN0QR",
            "0123-4567-89AB-CDEF-GH1K-MN0U",
            "0123-4567-89AB-CDEF-GH1K-MN0!",
            "0123-4567-89AB-CDEF-GH1K-MN0\u{ff11}",
            "0123-4567-89AB-CDEF-GH1K-MN0\0",
            "0123-4567-89AB-CDEF-GH1K-MN0ı",
        ] {
            assert_eq!(Code::read(typed), None, "{typed:?}");
        }
        assert_eq!(Code::read(&"0".repeat(1 << 20)), None);
    }

    #[test]
    fn a_code_of_a_set_is_used_once_and_the_others_stay() {
        let codes: Vec<_> = (1..=3).map(code).collect();
        let set = CodeSet::of(&codes);
        assert_eq!(set.without(&code(4)), None);
        let left = set.without(&codes[1]).unwrap();
        assert_eq!(left.len(), 2);
        assert_eq!(left.without(&codes[1]), None);
        let left = left.without(&codes[0]).unwrap();
        let left = left.without(&codes[2]).unwrap();
        assert!(left.is_empty());
        assert_eq!(CodeSet::decoy().without(&codes[0]), None);
    }

    #[test]
    fn neither_debug_nor_what_is_kept_shows_a_code() {
        let set = CodeSet::of(&[code(7)]);
        let kept = serde_json::to_string(&set).unwrap();
        let shown = format!("{:?} {set:?} {kept}", code(7));
        assert!(!shown.contains(&*code(7).shown()), "{shown}");
        assert!(!shown.contains(&*code(7).0), "{shown}");
        assert_eq!(serde_json::from_str::<CodeSet>(&kept).unwrap(), set);
    }
}
