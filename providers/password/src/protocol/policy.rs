//! Which new passwords are accepted: the profile `nist`, after SP 800-63B-4.

use std::fmt;

use super::{
    blocklist,
    context::{ContextKind, ContextWord, consists_of, fold},
    password::{MAX_PASSWORD_BYTES, Password},
};
use crate::Error;

/// The minimum where the password is the only factor (3.1.1.2-1).
pub const DEFAULT_MINIMUM_LENGTH: usize = 15;
/// The minimum where another factor is always asked for (3.1.1.2-1).
pub const LOWEST_MINIMUM_LENGTH: usize = 8;
/// A higher minimum would leave too little room below [`MAX_PASSWORD_BYTES`].
const HIGHEST_MINIMUM_LENGTH: usize = 128;

/// The profile `nist`: a minimum length, a list of common passwords, context words.
///
/// * No composition rules, no expiry, no truncation; any Unicode is welcome.
/// * Lengths count code points after normalisation.
/// * The list is compared with the whole password, case-folded, never with parts of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    minimum_length: usize,
}

impl Policy {
    /// The profile with a minimum of 8 to 128 code points.
    pub fn nist(minimum_length: usize) -> Result<Self, Error> {
        let (least, most) = (LOWEST_MINIMUM_LENGTH, HIGHEST_MINIMUM_LENGTH);
        if !(least..=most).contains(&minimum_length) {
            let problem = format!("must be {least} to {most}, not {minimum_length}");
            return Err(Error::setting("minimum_length", problem));
        }
        Ok(Self { minimum_length })
    }

    /// The fewest code points a new password may have.
    pub fn minimum_length(&self) -> usize {
        self.minimum_length
    }

    /// Every reason to refuse `password`; none means it is accepted.
    pub fn check(&self, password: &Password, context: &[ContextWord<'_>]) -> Vec<Refusal> {
        let folded = fold(password.expose());
        let actual = password.code_points();
        let too_short = (actual < self.minimum_length).then_some(Refusal::TooShort {
            minimum: self.minimum_length,
            actual,
        });
        let common = blocklist::contains(&folded).then_some(Refusal::Common);
        let word = consists_of(&folded, context).map(Refusal::ContextWord);
        [too_short, common, word].into_iter().flatten().collect()
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            minimum_length: DEFAULT_MINIMUM_LENGTH,
        }
    }
}

/// Why a new password is not accepted. `Display` is the sentence for the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It has fewer code points than the policy asks for.
    TooShort {
        /// What the policy asks for.
        minimum: usize,
        /// What it has.
        actual: usize,
    },
    /// It has more bytes than are ever hashed.
    TooLong,
    /// It is on the list of common passwords.
    Common,
    /// It is a word of its context, once, repeated or padded.
    ContextWord(ContextKind),
}

impl Refusal {
    /// A stable name for interfaces and logs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooShort { .. } => "too_short",
            Self::TooLong => "too_long",
            Self::Common => "common",
            Self::ContextWord(_) => "context_word",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { minimum, actual } => write!(
                f,
                "the password has {actual} characters; it needs at least {minimum}"
            ),
            Self::TooLong => write!(f, "the password is longer than {MAX_PASSWORD_BYTES} bytes"),
            Self::Common => f.write_str(
                "this password is on a list of common passwords, which attackers try first",
            ),
            Self::ContextWord(kind) => write!(
                f,
                "the password consists of {}, which attackers try first",
                kind.label()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(minimum: usize, password: &str) -> Vec<&'static str> {
        let words = [
            ContextWord::new(ContextKind::UserName, "alice.liddell"),
            ContextWord::new(ContextKind::ProductName, "Gatelodge"),
        ];
        let refusals = Policy::nist(minimum)
            .unwrap()
            .check(&Password::new(password).unwrap(), &words);
        refusals.iter().map(Refusal::code).collect()
    }

    /// v5.0.0-6.2.1, with characters outside the basic plane counted once.
    #[test]
    fn the_minimum_counts_code_points() {
        assert_eq!(codes(15, "fourteen chars"), ["too_short"]);
        assert_eq!(codes(15, "fifteen chars ."), [""; 0]);
        assert_eq!(
            codes(8, "\u{1f600}\u{1f601}\u{1f602}\u{1f603}"),
            ["too_short"]
        );
        assert_eq!(
            codes(
                8,
                "\u{1f600}\u{1f601}\u{1f602}\u{1f603}\u{1f604}\u{1f605}\u{1f606}\u{1f607}"
            ),
            [""; 0]
        );
        assert_eq!(codes(8, "cafe\u{301} xy"), ["too_short"]);
    }

    /// v5.0.0-6.2.5 and v5.0.0-6.2.9.
    #[test]
    fn any_mix_of_characters_and_great_length_are_accepted() {
        for password in [
            "onlylowercaseletters",
            "ONLY UPPER CASE LETTERS",
            "  spaces at both ends  ",
            "пароль из шести слов",
            "\u{1f40e}\u{1f50b}\u{1f4ce} horse battery staple",
            "7093 1184 2257 9306",
        ] {
            assert_eq!(codes(15, password), [""; 0], "{password}");
        }
        assert_eq!(codes(15, &"long enough ".repeat(80)), [""; 0]);
    }

    /// v5.0.0-6.2.4, at both minimum lengths; whole passwords only.
    #[test]
    fn common_passwords_are_refused_whatever_their_case() {
        for password in ["Password", "12345678", "QWERTYUIOP", "iloveyou"] {
            assert_eq!(codes(8, password), ["common"], "{password}");
        }
        for password in [
            "passwordpassword",
            "1qaz2wsx3edc4rfv",
            "Qwertyuiop12345",
            "iloveyouforever",
        ] {
            assert_eq!(codes(15, password), ["common"], "{password}");
        }
        assert_eq!(codes(15, "passwordpassword is long"), [""; 0]);
    }

    /// v5.0.0-6.2.11.
    #[test]
    fn context_words_are_refused() {
        assert_eq!(codes(15, "gatelodgegatelodge"), ["context_word"]);
        assert_eq!(codes(8, "Alice.Liddell"), ["context_word"]);
        assert_eq!(codes(15, "gatelodge"), ["too_short", "context_word"]);
    }

    #[test]
    fn the_floor_of_the_minimum_holds() {
        for minimum in [0, 7, 129] {
            let refused = Policy::nist(minimum).unwrap_err().to_string();
            assert!(
                refused.starts_with("`minimum_length` must be 8 to 128"),
                "{refused}"
            );
        }
    }

    #[test]
    fn a_refusal_says_why_and_never_repeats_the_password() {
        let password = Password::new("gatelodge1").unwrap();
        let words = [ContextWord::new(ContextKind::ProductName, "gatelodge")];
        let texts: Vec<String> = Policy::default()
            .check(&password, &words)
            .iter()
            .map(Refusal::to_string)
            .collect();
        assert_eq!(
            texts[0],
            "the password has 10 characters; it needs at least 15"
        );
        assert_eq!(texts.len(), 2);
        assert!(texts.iter().all(|text| !text.contains("gatelodge")));
    }
}
