//! What every provider must show, and what this one shows beyond that.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic"
)]

use gatelodge_core::provider::{Answer, Display, Registry};
use gatelodge_provider_recovery_code::register;
use gatelodge_provider_suite::{Fixture, Person, Purpose, Replay, Seen, provider_suite};

mod suite {
    mod own;
    mod world;
}

/// People who put their codes aside.
struct Codes;

impl Fixture for Codes {
    fn register(&self, registry: &mut Registry) {
        register(registry);
    }

    fn replay(&self) -> Replay {
        Replay::Refused
    }

    fn right(&self, person: &mut Person, seen: &Seen<'_>) -> Answer {
        let displays = seen.form().map(|form| form.display.as_slice());
        for display in displays.unwrap_or_default() {
            if let Display::CodeList { values, .. } = display {
                let code = values[3].expose().to_owned();
                person.notes.insert("code".to_owned(), code);
            }
        }
        let code = person.notes.get("code").map(String::as_str);
        seen.filled(person, code.unwrap_or("0000-0000-0000-0000-0000-0000"))
    }

    fn wrong(&self, person: &Person, seen: &Seen<'_>) -> Vec<Answer> {
        match seen.purpose {
            Purpose::Prove => ["4711-4711-4711-4711-4711-4711", "abcdefghjkmnpqrstvwxyz01"]
                .map(|code| seen.filled(person, code))
                .into(),
            // Nothing is typed there but that the codes were put aside.
            Purpose::Enrol => Vec::new(),
        }
    }

    fn malformed(&self, person: &Person, seen: &Seen<'_>) -> Vec<Answer> {
        match seen.purpose {
            Purpose::Prove => ["4711-4711", "4711-4711-4711-4711-4711-471U", "----"]
                .map(|code| seen.filled(person, code))
                .into(),
            Purpose::Enrol => vec![Answer::fields([("kept", "no")])],
        }
    }
}

provider_suite!(Codes);
