//! Words that belong to the place and the person, and are therefore guessed first.

use icu_casemap::CaseMapper;
use zeroize::Zeroizing;

use super::password::nfc;

/// A shorter word is only looked for as the whole password, once or repeated:
/// in anything longer it would be found by chance.
const SHORTEST_PART: usize = 4;
/// So many digits are padding, like a date; more of them may be a secret.
const MOST_DIGITS: usize = 8;
/// So many different signs are padding, however often they stand.
const MOST_SIGNS: usize = 2;

/// Where a word comes from; what a refusal can say without repeating it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContextKind {
    /// The person's user name.
    UserName,
    /// The person's name as it is shown.
    DisplayName,
    /// The person's e-mail address.
    EmailAddress,
    /// The name of the tenant.
    TenantName,
    /// The name of the product or site.
    ProductName,
}

impl ContextKind {
    /// As it reads in a sentence.
    pub fn label(self) -> &'static str {
        match self {
            Self::UserName => "the user name",
            Self::DisplayName => "the person's name",
            Self::EmailAddress => "the e-mail address",
            Self::TenantName => "the name of the organisation",
            Self::ProductName => "the name of this site",
        }
    }
}

/// A word that must not be (all of) a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContextWord<'a> {
    kind: ContextKind,
    text: &'a str,
}

impl<'a> ContextWord<'a> {
    /// `text` as it is known; of an e-mail address, the part before the `@` counts too.
    pub fn new(kind: ContextKind, text: &'a str) -> Self {
        Self { kind, text }
    }

    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// The texts to look for.
    fn forms(&self) -> impl Iterator<Item = &'a str> {
        let local = match self.kind {
            ContextKind::EmailAddress => self.text.rsplit_once('@').map(|(local, _)| local),
            _ => None,
        };
        std::iter::once(self.text).chain(local)
    }
}

/// Which word the password consists of, if it does.
///
/// Case does not count. It does when
/// 1. it *is* the word, or
/// 2. nothing but digits is left of its letters and digits after every word of
///    at least four letters or digits is taken out (each word's own signs and
///    spaces do not count), these digits are at most eight or a run like
///    `0000` or `12345`, and it has at most two different other signs; or
/// 3. its letters and digits are a shorter word, repeated, with at most two
///    different other signs.
pub(super) fn consists_of(folded: &str, words: &[ContextWord<'_>]) -> Option<ContextKind> {
    let words = folded_words(words);
    if let Some(word) = words.iter().find(|word| *word.whole == folded) {
        return Some(word.kind);
    }
    if distinct_signs(folded) > MOST_SIGNS {
        return None;
    }
    let core = letters_and_digits(folded);
    repeated(&core, &words).or_else(|| padded(&core, &words))
}

struct Folded {
    kind: ContextKind,
    whole: Zeroizing<String>,
    core: Zeroizing<String>,
}

/// The words in the form they are compared in, longest first.
fn folded_words(words: &[ContextWord<'_>]) -> Vec<Folded> {
    let forms = words
        .iter()
        .flat_map(|word| word.forms().map(|form| (word.kind, fold(&nfc(form)))));
    let mut folded: Vec<Folded> = forms
        .filter(|(_, whole)| !whole.is_empty())
        .map(|(kind, whole)| Folded {
            kind,
            core: letters_and_digits(&whole),
            whole,
        })
        .collect();
    folded.sort_by_key(|word| std::cmp::Reverse(word.core.len()));
    folded
}

/// Whether `core` is one word several times over.
fn repeated(core: &str, words: &[Folded]) -> Option<ContextKind> {
    let found = words.iter().find(|word| {
        !word.core.is_empty()
            && !core.is_empty()
            && core.split(word.core.as_str()).all(str::is_empty)
    });
    found.map(|word| word.kind)
}

/// Whether `core` is words with some digits around and between them.
fn padded(core: &str, words: &[Folded]) -> Option<ContextKind> {
    let mut rest = Zeroizing::new(core.to_owned());
    let mut kind = None;
    for word in words {
        if word.core.chars().count() < SHORTEST_PART || !rest.contains(word.core.as_str()) {
            continue;
        }
        // A mark stays in the gap, lest the parts around it form a new word.
        rest = Zeroizing::new(rest.replace(word.core.as_str(), "\n"));
        kind = kind.or(Some(word.kind));
    }
    let digits: Zeroizing<String> = Zeroizing::new(rest.chars().filter(|c| *c != '\n').collect());
    let few = digits.chars().count() <= MOST_DIGITS || is_run(&digits);
    kind.filter(|_| few && digits.chars().all(char::is_numeric))
}

/// Whether each digit differs from the one before by the same -1, 0 or 1, as in `34567890`.
fn is_run(digits: &str) -> bool {
    let values: Option<Vec<u32>> = digits.chars().map(|c| c.to_digit(10)).collect();
    let Some(values) = values else { return false };
    let step = |pair: &[u32]| match pair {
        [one, next] => (next + 10 - one) % 10,
        _ => 0,
    };
    let mut steps = values.windows(2).map(step);
    let Some(first) = steps.next() else {
        return true;
    };
    matches!(first, 0 | 1 | 9) && steps.all(|step| step == first)
}

fn distinct_signs(text: &str) -> usize {
    let signs: std::collections::HashSet<char> =
        text.chars().filter(|c| !c.is_alphanumeric()).collect();
    signs.len()
}

fn letters_and_digits(text: &str) -> Zeroizing<String> {
    let mut kept = Zeroizing::new(String::with_capacity(text.len()));
    kept.extend(text.chars().filter(|c| c.is_alphanumeric()));
    kept
}

/// Full Unicode case folding, without the Turkic exception.
pub(super) fn fold(text: &str) -> Zeroizing<String> {
    Zeroizing::new(CaseMapper::new().fold_string(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(password: &str) -> Option<ContextKind> {
        let words = [
            ContextWord::new(ContextKind::UserName, "Alice.Müller"),
            ContextWord::new(ContextKind::EmailAddress, "alice99@mail.example"),
            ContextWord::new(ContextKind::TenantName, "Acme Corp"),
            ContextWord::new(ContextKind::ProductName, "Gatelodge"),
            ContextWord::new(ContextKind::UserName, "bob"),
            ContextWord::new(ContextKind::UserName, "!!"),
        ];
        consists_of(&fold(&nfc(password)), &words)
    }

    #[test]
    fn a_word_alone_repeated_or_padded_is_found_whatever_its_case() {
        for (password, kind) in [
            ("Alice.Müller", ContextKind::UserName),
            ("alice.mu\u{308}ller", ContextKind::UserName),
            ("ALICEMÜLLER2026", ContextKind::UserName),
            ("alice99@mail.example", ContextKind::EmailAddress),
            ("alice99alice99alice99", ContextKind::EmailAddress),
            ("alice99-alice99-2026", ContextKind::EmailAddress),
            ("acmecorpacmecorp", ContextKind::TenantName),
            ("Acme-Corp-20261231", ContextKind::TenantName),
            ("Gatelodge!!!!!!!", ContextKind::ProductName),
            ("gatelodge000000000000", ContextKind::ProductName),
            ("1234567890gatelodge", ContextKind::ProductName),
            ("gatelodge9876543210", ContextKind::ProductName),
            ("gatelodge acme corp 1", ContextKind::ProductName),
            ("bobbobbobbobbob", ContextKind::UserName),
            ("bob bob bob bob", ContextKind::UserName),
            ("!!", ContextKind::UserName),
        ] {
            assert_eq!(found(password), Some(kind), "{password}");
        }
    }

    #[test]
    fn a_word_inside_something_longer_is_allowed() {
        for password in [
            "",
            "gatelodge keeps my garden gate",
            "alice99 and the looking-glass",
            "gatelodge4720581936",
            "gatelodge!?#7*",
            "bob471147114711",
            "bobsleigh in january",
            "gate lodge is not the name+of it",
            "correct horse battery staple",
        ] {
            assert_eq!(found(password), None, "{password}");
        }
    }

    #[test]
    fn no_words_refuse_nothing() {
        let empty = ContextWord::new(ContextKind::UserName, "");
        assert_eq!(consists_of("", &[empty]), None);
        assert_eq!(consists_of("12345678", &[]), None);
    }
}
