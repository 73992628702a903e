//! Which new passwords are accepted, by one of three profiles.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    blocklist,
    characters::{CharacterType, listed},
    context::{ContextKind, ContextWord, consists_of, fold},
    password::{MAX_PASSWORD_BYTES, Password},
    rules::{broken_by_age, broken_by_types, ids, labels},
};
use crate::Error;

/// The minimum where the password is the only factor (SP 800-63B-4 3.1.1.2-1).
pub const DEFAULT_MINIMUM_LENGTH: usize = 15;
/// The minimum where another factor is always asked for (SP 800-63B-4 3.1.1.2-1),
/// and everywhere after ASVS 5.0.0, 6.2.1.
pub const LOWEST_MINIMUM_LENGTH: usize = 8;
/// A higher minimum would leave too little room below [`MAX_PASSWORD_BYTES`].
const HIGHEST_MINIMUM_LENGTH: usize = 128;
/// Each former password costs a hash whenever one is changed.
pub const MAX_HISTORY: usize = 24;
/// Ten years; more is no rule.
const MOST_DAYS: u32 = 3_650;
const DEFAULT_WARN_DAYS: u32 = 14;
/// To be asked for longer than that is no warning.
const MOST_WARN_DAYS: u32 = 90;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Which standard a policy keeps to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// NIST SP 800-63B-4: 15 characters, or 8 where a second factor is always
    /// asked for; no rules about kinds of characters, no age.
    #[default]
    Nist,
    /// OWASP ASVS 5.0.0, chapter 6.2: 8 characters; the rest as `nist`.
    Asvs,
    /// Rules that other policies still demand, and that break these standards:
    /// kinds of characters, a greatest age.
    Legacy,
}

impl Profile {
    /// Its name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nist => "nist",
            Self::Asvs => "asvs",
            Self::Legacy => "legacy",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How old a password may be, and from when on its owner is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaximumAge {
    days: u32,
    warn_days: u32,
}

impl MaximumAge {
    /// `days` is 1 to 3650, `warn_days` 0 to 90 and fewer than `days`; without it
    /// 14 or what is possible.
    pub fn new(days: u32, warn_days: Option<u32>) -> Result<Self, Error> {
        if !(1..=MOST_DAYS).contains(&days) {
            let problem = format!("must be 1 to {MOST_DAYS}, not {days}");
            return Err(Error::setting("maximum_age_days", problem));
        }
        let most = MOST_WARN_DAYS.min(days - 1);
        let warn_days = warn_days.unwrap_or(DEFAULT_WARN_DAYS.min(most));
        if warn_days > most {
            let problem =
                format!("must be 0 to {most} when `maximum_age_days` is {days}, not {warn_days}");
            return Err(Error::setting("warn_days", problem));
        }
        Ok(Self { days, warn_days })
    }

    /// After so many days it has to be changed.
    pub fn days(&self) -> u32 {
        self.days
    }

    /// So many days before that its owner is asked to.
    pub fn warn_days(&self) -> u32 {
        self.warn_days
    }

    /// The same as a length of time.
    pub fn span(&self) -> Duration {
        DAY * self.days
    }

    /// How long before its end its owner is asked to change it.
    pub fn warning(&self) -> Duration {
        DAY * self.warn_days
    }
}

/// What is demanded of a new password: a minimum length, a list of common
/// passwords and context words in every profile, more in some.
///
/// * No truncation; any Unicode is welcome.
/// * Lengths count code points after normalisation.
/// * The list is compared with the whole password, case-folded, never with parts of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    profile: Profile,
    minimum_length: usize,
    required_types: Vec<CharacterType>,
    history: usize,
    maximum_age: Option<MaximumAge>,
}

impl Policy {
    /// What a profile demands where nothing else is said.
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            minimum_length: match profile {
                Profile::Nist | Profile::Legacy => DEFAULT_MINIMUM_LENGTH,
                Profile::Asvs => LOWEST_MINIMUM_LENGTH,
            },
            required_types: Vec::new(),
            history: 0,
            maximum_age: None,
        }
    }

    /// With a minimum of 8 to 128 code points.
    pub fn with_minimum_length(mut self, minimum_length: usize) -> Result<Self, Error> {
        let (least, most) = (LOWEST_MINIMUM_LENGTH, HIGHEST_MINIMUM_LENGTH);
        if !(least..=most).contains(&minimum_length) {
            let problem = format!("must be {least} to {most}, not {minimum_length}");
            return Err(Error::setting("minimum_length", problem));
        }
        self.minimum_length = minimum_length;
        Ok(self)
    }

    /// So that as many former passwords may not be used again, at most
    /// [`MAX_HISTORY`]. The present one never may.
    pub fn with_history(mut self, history: usize) -> Result<Self, Error> {
        if history > MAX_HISTORY {
            let problem = format!("must be 0 to {MAX_HISTORY}, not {history}");
            return Err(Error::setting("history", problem));
        }
        self.history = history;
        Ok(self)
    }

    /// With kinds of characters that have to be in it: only [`Profile::Legacy`].
    pub fn requiring(mut self, types: &[CharacterType]) -> Result<Self, Error> {
        let breaks = ids(&broken_by_types());
        self.ensure_legacy("required_types", &breaks)?;
        let all = CharacterType::ALL.into_iter();
        self.required_types = all.filter(|kind| types.contains(kind)).collect();
        Ok(self)
    }

    /// With a greatest age: only [`Profile::Legacy`].
    pub fn with_maximum_age(mut self, age: MaximumAge) -> Result<Self, Error> {
        self.ensure_legacy("maximum_age_days", &ids(&broken_by_age()))?;
        self.maximum_age = Some(age);
        Ok(self)
    }

    fn ensure_legacy(&self, key: &'static str, breaks: &str) -> Result<(), Error> {
        if self.profile == Profile::Legacy {
            return Ok(());
        }
        let problem = format!(
            "cannot be set in the profile `{}`, only in `legacy`: it breaks {breaks}",
            self.profile
        );
        Err(Error::setting(key, problem))
    }

    /// The profile.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// The fewest code points a new password may have.
    pub fn minimum_length(&self) -> usize {
        self.minimum_length
    }

    /// The kinds of characters that have to be in it.
    pub fn required_types(&self) -> &[CharacterType] {
        &self.required_types
    }

    /// How many former passwords may not be used again.
    pub fn history(&self) -> usize {
        self.history
    }

    /// How old it may be.
    pub fn maximum_age(&self) -> Option<MaximumAge> {
        self.maximum_age
    }

    /// Every reason to refuse `password`; none means it is accepted, but for its
    /// having been used before.
    pub fn check(&self, password: &Password, context: &[ContextWord<'_>]) -> Vec<Refusal> {
        let folded = fold(password.expose());
        let actual = password.code_points();
        let too_short = (actual < self.minimum_length).then_some(Refusal::TooShort {
            minimum: self.minimum_length,
            actual,
        });
        let types = self.required_types.iter();
        let missing = types
            .filter(|kind| !kind.is_in(password.expose()))
            .map(|kind| Refusal::Missing(*kind));
        let common = blocklist::contains(&folded).then_some(Refusal::Common);
        let word = consists_of(&folded, context).map(Refusal::ContextWord);
        too_short
            .into_iter()
            .chain(missing)
            .chain(common)
            .chain(word)
            .collect()
    }

    /// What is demanded of a new password, for the person who chooses one.
    pub fn help(&self) -> String {
        let minimum = self.minimum_length;
        let mut help = match self.required_types.as_slice() {
            [] => format!(
                "At least {minimum} characters: four or more unrelated words are easy to remember. \
                 Spaces and all other characters are allowed; no kind of character is demanded."
            ),
            types => {
                let symbol = match types.contains(&CharacterType::Symbol) {
                    true => {
                        " Everything that is neither letter nor digit is a symbol, a space too."
                    }
                    false => " Spaces and all other characters are allowed.",
                };
                let types = listed(&labels(types));
                format!("At least {minimum} characters, among them at least {types}.{symbol}")
            }
        };
        help.push_str(
            " Common passwords, your own name and the name of this site are not accepted",
        );
        help.push_str(&match self.history {
            0 => ".".to_owned(),
            1 => ", nor is the password that you had before the present one.".to_owned(),
            many => {
                format!(", nor are the {many} passwords that you had before the present one.")
            }
        });
        if let Some(age) = self.maximum_age {
            let days = age.days;
            help.push_str(&format!(" It has to be changed after {days} days."));
        }
        help
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new(Profile::default())
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
    /// It has no character of a kind that is demanded.
    Missing(CharacterType),
    /// It is the present one.
    Unchanged,
    /// It is one of so many before the present one.
    UsedBefore(usize),
}

impl Refusal {
    /// A stable name for interfaces and logs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooShort { .. } => "too_short",
            Self::TooLong => "too_long",
            Self::Common => "common",
            Self::ContextWord(_) => "context_word",
            Self::Missing(CharacterType::Upper) => "missing_upper",
            Self::Missing(CharacterType::Lower) => "missing_lower",
            Self::Missing(CharacterType::Digit) => "missing_digit",
            Self::Missing(CharacterType::Symbol) => "missing_symbol",
            Self::Unchanged => "unchanged",
            Self::UsedBefore(_) => "used_before",
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
            Self::Missing(kind) => write!(f, "the password needs {}", kind.label()),
            Self::Unchanged => f.write_str("this is the present password; choose another one"),
            Self::UsedBefore(1) => {
                f.write_str("this was your password before; choose one that is new")
            }
            Self::UsedBefore(many) => write!(
                f,
                "this was one of your last {many} passwords; choose one that is new"
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
        let refusals = Policy::default()
            .with_minimum_length(minimum)
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
            let refused = Policy::default().with_minimum_length(minimum);
            let refused = refused.unwrap_err().to_string();
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
