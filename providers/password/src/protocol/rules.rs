//! The rules of a policy in words, and which requirements they fall short of.

use gatelodge_core::provider::{Requirement, Rule};

use super::{
    blocklist,
    characters::{CharacterType, listed},
    policy::{DEFAULT_MINIMUM_LENGTH, Policy},
};

/// So many common passwords are to be compared with (ASVS 5.0.0, 6.2.4).
const COMMON_DEMANDED: usize = 3_000;

const NIST: &str = "NIST SP 800-63B-4, 3.1.1.2";
const TYPES: [(&str, &str); 2] = [
    (NIST, "No mixture of kinds of characters is demanded."),
    (
        "OWASP ASVS 5.0.0, 6.2.5",
        "Passwords of any composition can be used, without rules about kinds of characters.",
    ),
];
const AGE: [(&str, &str); 2] = [
    (
        NIST,
        "Passwords are changed on evidence that they are compromised, never periodically.",
    ),
    (
        "OWASP ASVS 5.0.0, 6.2.10",
        "A password stays valid until it is found compromised or its owner changes it.",
    ),
];
const LENGTH: (&str, &str) = (
    NIST,
    "A password that is the only factor has at least 15 characters; fewer are enough only where a \
     second factor is always asked for.",
);
const COMMON: (&str, &str) = (
    "OWASP ASVS 5.0.0, 6.2.4",
    "New passwords are compared with the 3,000 most common ones at least that satisfy the other rules.",
);

/// What the demand for kinds of characters falls short of, whatever it demands.
pub(super) fn broken_by_types() -> Vec<Requirement> {
    TYPES.map(requirement).into()
}

/// What a greatest age falls short of, however long it is.
pub(super) fn broken_by_age() -> Vec<Requirement> {
    AGE.map(requirement).into()
}

/// "NIST …: … and OWASP …: …", for the texts of errors.
pub(super) fn ids(requirements: &[Requirement]) -> String {
    let ids: Vec<&str> = requirements.iter().map(|one| one.id.as_str()).collect();
    listed(&ids)
}

/// How many common passwords could satisfy the other rules.
pub(crate) fn common(policy: &Policy) -> usize {
    blocklist::count(policy.minimum_length(), policy.required_types())
}

/// Everything that a policy demands, for administrators to read. `common` is
/// what [`common`] says.
pub(crate) fn rules(policy: &Policy, common: usize, context_words: &[String]) -> Vec<Rule> {
    let (minimum, types) = (policy.minimum_length(), policy.required_types());
    let profile = policy.profile();
    let mut rules = vec![
        rule("profile", format!("The profile is {profile}."), Vec::new()),
        rule(
            "minimum_length",
            format!("A new password has at least {minimum} characters."),
            broken_by_length(minimum),
        ),
    ];
    if !types.is_empty() {
        let text = format!("It has at least {}.", listed(&labels(types)));
        rules.push(rule("required_types", text, broken_by_types()));
    }
    rules.push(Rule {
        key: None,
        text: format!("It is none of {} common ones.", grouped(common)),
        breaks: match common < COMMON_DEMANDED {
            true => vec![requirement(COMMON)],
            false => Vec::new(),
        },
    });
    let own = match context_words {
        [] => String::new(),
        words => format!(", nor of: {}", words.join(", ")),
    };
    let text =
        format!("It does not consist of names of its owner, the organisation and this site{own}.");
    rules.push(rule("context_words", text, Vec::new()));
    let former = match policy.history() {
        0 => "It is not the present one.".to_owned(),
        1 => "It is neither the present one nor the one before.".to_owned(),
        many => format!("It is neither the present one nor one of the {many} before."),
    };
    rules.push(rule("history", former, Vec::new()));
    if let Some(age) = policy.maximum_age() {
        let text = format!("It has to be changed after {} days.", age.days());
        rules.push(rule("maximum_age_days", text, broken_by_age()));
        let text = format!(
            "From {} days before that on, whoever signs in is asked to change it.",
            age.warn_days()
        );
        rules.push(rule("warn_days", text, Vec::new()));
    }
    rules
}

/// What has to be acknowledged: each key that is set with what it breaks, else
/// what the profile is for.
pub(crate) fn conflict(policy: &Policy) -> String {
    let types = (!policy.required_types().is_empty()).then(broken_by_types);
    let age = policy.maximum_age().map(|_| broken_by_age());
    let broken = |key: &str, requirements: Vec<Requirement>| {
        format!("`{key}` breaks {}", ids(&requirements))
    };
    let types = types.map(|breaks| broken("required_types", breaks));
    let age = age.map(|breaks| broken("maximum_age_days", breaks));
    let found: Vec<String> = types.into_iter().chain(age).collect();
    match found.as_slice() {
        [] => {
            let (types, age) = (ids(&broken_by_types()), ids(&broken_by_age()));
            format!("it is for rules that break {types}, or {age}")
        }
        found => found.join("; "),
    }
}

fn broken_by_length(minimum: usize) -> Vec<Requirement> {
    match minimum < DEFAULT_MINIMUM_LENGTH {
        true => vec![requirement(LENGTH)],
        false => Vec::new(),
    }
}

/// The kinds as they read in a sentence.
pub(super) fn labels(types: &[CharacterType]) -> Vec<&'static str> {
    types.iter().map(|kind| kind.label()).collect()
}

fn rule(key: &str, text: String, breaks: Vec<Requirement>) -> Rule {
    Rule {
        key: Some(key.to_owned()),
        text,
        breaks,
    }
}

fn requirement((id, text): (&str, &str)) -> Requirement {
    Requirement {
        id: id.to_owned(),
        text: text.to_owned(),
    }
}

/// With a comma before every third digit.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
