//! Kinds of characters, for rules that demand some of them.

use serde::{Deserialize, Serialize};

/// A kind of character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CharacterType {
    /// A capital letter of any script that has them.
    Upper,
    /// A small letter of any script that has them.
    Lower,
    /// A digit of any script.
    Digit,
    /// Anything that is neither letter nor digit, a space too.
    Symbol,
}

impl CharacterType {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Upper, Self::Lower, Self::Digit, Self::Symbol];

    /// As it reads in a sentence.
    pub fn label(self) -> &'static str {
        match self {
            Self::Upper => "a capital letter",
            Self::Lower => "a small letter",
            Self::Digit => "a digit",
            Self::Symbol => "a symbol",
        }
    }

    /// Whether `text` has one of it.
    pub(super) fn is_in(self, text: &str) -> bool {
        text.chars().any(|character| match self {
            Self::Upper => character.is_uppercase(),
            Self::Lower => character.is_lowercase(),
            Self::Digit => character.is_numeric(),
            Self::Symbol => !character.is_alphanumeric(),
        })
    }
}

/// Whether `folded` can be written in some case so that it has all of `types`.
pub(super) fn could_have(folded: &str, types: &[CharacterType]) -> bool {
    let letters = folded.chars().filter(|c| c.is_alphabetic()).count();
    let cased = [CharacterType::Upper, CharacterType::Lower];
    let needed = cased.iter().filter(|kind| types.contains(kind)).count();
    let others = [CharacterType::Digit, CharacterType::Symbol];
    letters >= needed
        && others
            .iter()
            .all(|kind| !types.contains(kind) || kind.is_in(folded))
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(text: &str) -> Vec<CharacterType> {
        let all = CharacterType::ALL.into_iter();
        all.filter(|kind| kind.is_in(text)).collect()
    }

    #[test]
    fn every_script_has_its_kinds_and_what_is_neither_letter_nor_digit_is_a_symbol() {
        use CharacterType::{Digit, Lower, Symbol, Upper};
        for (text, expected) in [
            ("", &[][..]),
            ("ÄЖ", &[Upper]),
            ("äж", &[Lower]),
            ("7٣", &[Digit]),
            (" ", &[Symbol]),
            ("\u{1f600}", &[Symbol]),
            ("漢字", &[]),
            ("Aa1!", &[Upper, Lower, Digit, Symbol]),
        ] {
            assert_eq!(types(text), expected, "{text}");
        }
    }

    #[test]
    fn a_folded_text_could_have_what_its_letters_allow() {
        use CharacterType::{Digit, Lower, Symbol, Upper};
        assert!(could_have("ab1!", &CharacterType::ALL));
        assert!(!could_have("a1!", &[Upper, Lower]));
        assert!(could_have("a1!", &[Upper, Digit, Symbol]));
        assert!(!could_have("ab!", &[Digit]));
        assert!(could_have("", &[]));
    }

    #[test]
    fn words_are_listed_as_in_a_sentence() {
        assert_eq!(listed(&[]), "");
        assert_eq!(listed(&["a"]), "a");
        assert_eq!(listed(&["a", "b"]), "a and b");
        assert_eq!(listed(&["a", "b", "c"]), "a, b and c");
    }
}
