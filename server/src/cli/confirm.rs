//! Asking before something is deleted.

use super::{
    failure::Failure,
    surroundings::Surroundings,
    text::{plain, quoted},
};

/// The longest answer that is read.
const LONGEST: usize = 1_000;

/// What is about to be deleted.
pub(super) struct Deletion<'d> {
    /// Such as "user `ada` of tenant `acme`".
    pub(super) what: String,
    /// What else happens, with how many: "2 open sessions end".
    pub(super) consequences: String,
    /// What a person has to type; `yes` without.
    pub(super) name: Option<&'d str>,
}

/// Goes on only if the deletion is meant.
pub(super) fn confirm(
    surroundings: &Surroundings,
    is_meant: bool,
    deletion: &Deletion<'_>,
) -> Result<(), Failure> {
    let Deletion {
        what, consequences, ..
    } = deletion;
    if is_meant {
        return Ok(());
    }
    if !surroundings.can_ask() {
        return Err(Failure::usage(format!(
            "nothing was deleted: this would delete {what} for good, {consequences}; add `--yes` if that is meant"
        )));
    }
    let expected = deletion.name.unwrap_or("yes");
    surroundings.tell(&format!(
        "This deletes {what} for good, {consequences}.\nType {} to go on: ",
        quoted(expected)
    ));
    let answer = surroundings.read_line(LONGEST)?.unwrap_or_default();
    if plain(answer.trim()) == plain(expected) {
        return Ok(());
    }
    Err(Failure::new("not_confirmed", "nothing was deleted"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{failure::USAGE, surroundings::fake::Fake};

    fn deletion(name: Option<&'static str>) -> Deletion<'static> {
        Deletion {
            what: "tenant `acme`".to_owned(),
            consequences: "3 users and 1 open session".to_owned(),
            name,
        }
    }

    #[test]
    fn a_person_is_told_what_happens_and_has_to_type_it() {
        for (input, name, goes_on) in [
            ("yes\n", None, true),
            ("  yes \r\n", None, true),
            ("y\n", None, false),
            ("no\n", None, false),
            ("\n", None, false),
            ("", None, false),
            ("acme\n", Some("acme"), true),
            ("yes\n", Some("acme"), false),
            ("acme2\n", Some("acme"), false),
        ] {
            let fake = Fake::typing(input);
            let answer = confirm(&fake.surroundings(), false, &deletion(name));
            assert_eq!(answer.is_ok(), goes_on, "{input:?} for {name:?}");
            let question = fake.errors.text();
            assert!(
                question.contains("3 users and 1 open session"),
                "{question}"
            );
        }
    }

    #[test]
    fn without_a_terminal_only_yes_goes_on() {
        let fake = Fake {
            input: "yes\n",
            ..Fake::default()
        };
        let refused = confirm(&fake.surroundings(), false, &deletion(None)).unwrap_err();
        let Failure::Told(problem) = refused else {
            panic!("told");
        };
        assert_eq!(problem.exit, USAGE);
        assert_eq!(
            problem.messages,
            [
                "nothing was deleted: this would delete tenant `acme` for good, 3 users and 1 open session; add `--yes` \
              if that is meant"
            ]
        );
        assert!(confirm(&fake.surroundings(), true, &deletion(None)).is_ok());
        assert_eq!(fake.errors.text(), "");
    }
}
