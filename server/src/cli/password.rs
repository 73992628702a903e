//! Reading a password: from a pipe, or typed without being seen.

use std::io;

use gatelodge_core::secret::Secret;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::{failure::Failure, surroundings::Surroundings};

/// Longer than any provider accepts, so that the provider says what is too long.
const LONGEST: usize = 4_096;

/// The first line of standard input. A person types it twice.
pub(super) fn read_password(surroundings: &Surroundings) -> Result<Secret, Failure> {
    if !surroundings.terminals.input {
        return read(surroundings);
    }
    let typed = {
        let _hidden = Hidden::begin();
        let first = ask(surroundings, "Password: ")?;
        let second = ask(surroundings, "Once more: ")?;
        (first == second).then_some(first)
    };
    typed.ok_or_else(|| {
        Failure::new(
            "not_confirmed",
            "the two passwords differ; nothing was changed, try again",
        )
    })
}

fn ask(surroundings: &Surroundings, prompt: &str) -> Result<Secret, Failure> {
    surroundings.tell(prompt);
    let read = read(surroundings);
    surroundings.tell("\n");
    read
}

fn read(surroundings: &Surroundings) -> Result<Secret, Failure> {
    let line = surroundings.read_line(LONGEST).map_err(|error| {
        Failure::new(
            "validation_failed",
            format!("the password cannot be read: {error}"),
        )
    })?;
    match line {
        Some(line) if !line.is_empty() => Ok(Secret::new(line)),
        _ => Err(Failure::new(
            "validation_failed",
            format!(
                "standard input holds no password; write it there as one line of 1 to {LONGEST} bytes"
            ),
        )),
    }
}

/// While this lives, what is typed is not shown.
struct Hidden(Termios);

impl Hidden {
    /// Nothing when standard input cannot be told so.
    fn begin() -> Option<Self> {
        let before = tcgetattr(io::stdin()).ok()?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet).ok()?;
        Some(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::surroundings::fake::Fake;

    fn from_pipe(input: &'static str) -> Result<Secret, Failure> {
        let fake = Fake {
            input,
            ..Fake::default()
        };
        read_password(&fake.surroundings())
    }

    #[test]
    fn a_password_is_the_first_line_and_its_blanks_count() {
        for (input, password) in [
            ("correct horse\n", "correct horse"),
            ("correct horse", "correct horse"),
            (" correct horse \r\nmore\n", " correct horse "),
        ] {
            assert_eq!(from_pipe(input).unwrap().expose(), password);
        }
    }

    #[test]
    fn no_password_is_refused() {
        for input in ["", "\n", "\r\n"] {
            assert!(from_pipe(input).is_err(), "{input:?}");
        }
    }

    #[test]
    fn a_person_types_it_twice() {
        let typed = |input| read_password(&Fake::typing(input).surroundings());
        assert_eq!(typed("one two\none two\n").unwrap().expose(), "one two");
        assert!(typed("one two\none too\n").is_err());
        assert!(typed("one two\n").is_err());
    }
}
