//! A hint how hard a password is to guess. It advises; only the policy refuses.

use std::fmt;

use zeroize::Zeroizing;

use super::password::Password;

/// More characters are not rated: the estimate's cost grows faster than its use.
const RATED_CHARACTERS: usize = 100;

/// How hard a password is to guess, from 0 to 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Score {
    /// Fewer than a thousand guesses.
    VeryWeak = 0,
    /// Fewer than a million guesses.
    Weak = 1,
    /// Fewer than a hundred million guesses.
    Fair = 2,
    /// Fewer than ten thousand million guesses.
    Good = 3,
    /// More.
    Strong = 4,
}

/// A score and what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strength {
    score: Score,
}

impl Strength {
    /// Rates `password`, knowing words that belong to its owner and place.
    ///
    /// This takes milliseconds of one core, so a worker does it. The estimator
    /// works on copies that are not wiped.
    pub(super) fn of(password: &Password, words: &[String]) -> Self {
        let rated = password.expose().chars().take(RATED_CHARACTERS);
        let rated = Zeroizing::new(rated.collect::<String>());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let score = match u8::from(zxcvbn::zxcvbn(&rated, &words).score()) {
            0 => Score::VeryWeak,
            1 => Score::Weak,
            2 => Score::Fair,
            3 => Score::Good,
            _ => Score::Strong,
        };
        Self { score }
    }

    /// The score; `as u8` gives 0 to 4.
    pub fn score(&self) -> Score {
        self.score
    }

    /// One sentence of advice.
    pub fn advice(&self) -> &'static str {
        match self.score {
            Score::VeryWeak => {
                "very easy to guess: take four or more words that do not belong together"
            }
            Score::Weak => "easy to guess: add words that have nothing to do with the others",
            Score::Fair => "could be guessed: one or two more words would help",
            Score::Good => "hard to guess",
            Score::Strong => "very hard to guess",
        }
    }
}

impl fmt::Display for Strength {
    /// `strength 1 of 4, easy to guess: …`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "strength {} of 4, {}", self.score as u8, self.advice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(text: &str) -> Score {
        let words = ["liddellpleasance".to_owned()];
        Strength::of(&Password::new(text).unwrap(), &words).score()
    }

    #[test]
    fn guessable_passwords_score_low_and_unrelated_words_high() {
        assert_eq!(score(""), Score::VeryWeak);
        assert_eq!(score("aaaaaaaaaaaaaaa"), Score::VeryWeak);
        assert_eq!(score("liddellpleasance"), Score::VeryWeak);
        assert!(score("password2026") <= Score::Weak);
        assert_eq!(score("correct horse battery staple"), Score::Strong);
    }

    #[test]
    fn a_very_long_password_is_rated_by_its_beginning() {
        assert_eq!(score(&"a".repeat(1024)), score(&"a".repeat(100)));
    }

    #[test]
    fn scores_are_numbers_from_0_to_4_with_advice_each() {
        let scores = [
            Score::VeryWeak,
            Score::Weak,
            Score::Fair,
            Score::Good,
            Score::Strong,
        ];
        for (number, score) in (0_u8..).zip(scores) {
            assert_eq!(score as u8, number);
            assert!(!Strength { score }.advice().is_empty());
        }
    }
}
