//! What every provider must show, and what this one shows beyond that.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic"
)]

use gatelodge_core::{
    provider::{Answer, Registry},
    secret::Secret,
};
use gatelodge_provider_password::register;
use gatelodge_provider_suite::{Fixture, Person, Purpose, Replay, Seen, provider_suite};

mod suite {
    mod own;
    mod rules;
    mod world;
}

/// People who remember their passwords.
struct Passwords;

impl Fixture for Passwords {
    fn register(&self, registry: &mut Registry) {
        register(registry);
    }

    fn replay(&self) -> Replay {
        Replay::Proves
    }

    fn right(&self, person: &mut Person, seen: &Seen<'_>) -> Answer {
        // To change a password one confirms the one before.
        let mut before = person.clone();
        before.credential -= 1;
        fill(person, seen, &password(&before), &password(person))
    }

    fn wrong(&self, person: &Person, seen: &Seen<'_>) -> Vec<Answer> {
        let tried = "not the password 1";
        match seen.purpose {
            Purpose::Prove => vec![seen.filled(person, tried), seen.filled(person, "1")],
            // A new password cannot be wrong, only the one before.
            Purpose::Enrol if asks_for(seen, "current_password") => {
                vec![fill(person, seen, tried, &password(person))]
            }
            Purpose::Enrol => Vec::new(),
        }
    }

    fn malformed(&self, person: &Person, seen: &Seen<'_>) -> Vec<Answer> {
        let weak = ["too short 1", "1qaz2wsx3edc4rfv", "gatelodge gatelodge 1"];
        match seen.purpose {
            Purpose::Prove => Vec::new(),
            Purpose::Enrol => weak.map(|weak| fill(person, seen, weak, weak)).into(),
        }
    }
}

provider_suite!(Passwords);

/// Another one for each person and credential.
fn password(person: &Person) -> String {
    format!("the {} grey herons of the pond", person.number())
}

/// The form with the present password, where it is asked for, and the new one.
fn fill(person: &Person, seen: &Seen<'_>, current: &str, new: &str) -> Answer {
    let mut answer = seen.filled(person, new);
    if let Answer::Fields { values } = &mut answer
        && let Some(value) = values.get_mut("current_password")
    {
        *value = Secret::new(current);
    }
    answer
}

fn asks_for(seen: &Seen<'_>, name: &str) -> bool {
    let form = seen.form();
    form.is_some_and(|form| form.fields.iter().any(|field| field.name == name))
}
