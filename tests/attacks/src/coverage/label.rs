use std::fmt;

/// Something a test can prove.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// `S01` to `S48`, in a test's name `s01_…`: an attack.
    Attack(u32),
    /// `v5.0.0-6.2.8`: a requirement of the ASVS, by its number.
    Requirement(String),
    /// In a test's name `r12_…`: a claim about reliability. In documentation R5 is not counted, since the capabilities
    /// have an R of their own.
    Claim(u32),
    /// A capability, `T7` or in a test's name `t7_…`.
    Capability(char, u32),
}

/// So many claims about reliability there are.
pub(super) const CLAIMS: u32 = 20;

/// The capabilities' letters, and how many each has.
const CAPABILITIES: [(char, u32); 15] = [
    ('T', 15),
    ('U', 11),
    ('L', 15),
    ('S', 7),
    ('F', 6),
    ('W', 4),
    ('A', 2),
    ('Q', 2),
    ('G', 5),
    ('C', 6),
    ('V', 1),
    ('N', 6),
    ('M', 3),
    ('Z', 8),
    ('O', 1),
];

pub(super) fn is_capability(letter: char, number: u32) -> bool {
    let known = CAPABILITIES.iter().find(|(known, _)| *known == letter);
    known.is_some_and(|(_, count)| (1..=*count).contains(&number))
}

impl Label {
    /// What the name of a test begins with: `s03_s12_no_interleaving…` has two.
    pub fn of_name(name: &str) -> Vec<Self> {
        name.split('_').map_while(Self::of_part).collect()
    }

    fn of_part(part: &str) -> Option<Self> {
        let (letter, number) = letter_and_number(part)?;
        match letter {
            's' if part.len() == 3 => Some(Self::Attack(number)),
            'r' => Some(Self::Claim(number)),
            _ => {
                let letter = letter.to_ascii_uppercase();
                let is_lower = part.starts_with(|first: char| first.is_ascii_lowercase());
                let is_one = CAPABILITIES.iter().any(|(known, _)| *known == letter);
                (is_lower && is_one).then_some(Self::Capability(letter, number))
            }
        }
    }

    /// What the documentation of a test names.
    pub fn of_documentation(text: &str) -> Vec<Self> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_');
        let words = text.split(|c| !is_part(c));
        words.filter_map(Self::of_word).collect()
    }

    fn of_word(word: &str) -> Option<Self> {
        let word = word.trim_end_matches(['.', '-', '+']);
        if let Some(number) = word.strip_prefix("v5.0.0-") {
            return Some(Self::Requirement(number.to_owned()));
        }
        let (letter, number) = letter_and_number(word)?;
        match letter {
            'S' if word.len() == 3 => Some(Self::Attack(number)),
            _ => is_capability(letter, number).then_some(Self::Capability(letter, number)),
        }
    }
}

/// `s09` as a letter and a number of one or two digits.
fn letter_and_number(text: &str) -> Option<(char, u32)> {
    let mut rest = text.chars();
    let letter = rest.next().filter(char::is_ascii_alphabetic)?;
    let digits = rest.as_str();
    let is_number = (1..=2).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then_some(())?;
    Some((letter, digits.parse().ok()?))
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attack(number) => write!(f, "S{number:02}"),
            Self::Requirement(number) => write!(f, "v5.0.0-{number}"),
            Self::Claim(number) => write!(f, "r{number}"),
            Self::Capability(letter, number) => write!(f, "{letter}{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_at_its_beginning_what_it_proves() {
        assert_eq!(
            Label::of_name("s03_s12_no_interleaving_of_s13_steps"),
            [Label::Attack(3), Label::Attack(12)]
        );
        assert_eq!(
            Label::of_name("r12_no_value_is_a_fault"),
            [Label::Claim(12)]
        );
        assert_eq!(
            Label::of_name("t7_tenants_apart"),
            [Label::Capability('T', 7)]
        );
        for plain in ["a_lock_ends", "s_1", "p99_is_low", "sha2_is_used", "s", ""] {
            assert_eq!(Label::of_name(plain), [], "{plain}");
        }
    }

    #[test]
    fn documentation_names_attacks_requirements_and_capabilities() {
        let text = "S09, T7 (v5.0.0-6.2.8): RFC 6238, U+0131, R5, AAL2, P99; v5.0.0-7.2.1.";
        assert_eq!(
            Label::of_documentation(text),
            [
                Label::Attack(9),
                Label::Capability('T', 7),
                Label::Requirement("6.2.8".to_owned()),
                Label::Requirement("7.2.1".to_owned()),
            ]
        );
        assert_eq!(Label::of_documentation("S3"), [Label::Capability('S', 3)]);
    }
}
