//! What every provider must show, and what this one shows beyond that.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic"
)]

use gatelodge_core::provider::{Answer, Display, Registry};
use gatelodge_provider_suite::{Fixture, Person, Purpose, Replay, Seen, provider_suite};
use gatelodge_provider_totp::{Algorithm, Authenticator, register};

mod suite {
    mod own;
    mod world;
}

/// People with an app each.
struct Apps;

impl Fixture for Apps {
    fn register(&self, registry: &mut Registry) {
        register(registry);
    }

    fn replay(&self) -> Replay {
        Replay::Refused
    }

    fn right(&self, person: &mut Person, seen: &Seen<'_>) -> Answer {
        let displays = seen.form().map(|form| form.display.as_slice());
        for display in displays.unwrap_or_default() {
            if let Display::Secret { value, .. } = display {
                let seed = value.expose().to_owned();
                person.notes.insert("seed".to_owned(), seed);
            }
        }
        let Some(seed) = person.notes.get("seed") else {
            return seen.filled(person, "000000");
        };
        let app = Authenticator::from_base32(seed, Algorithm::Sha1, 6, 30).unwrap();
        let now = u64::try_from(seen.now.as_second()).unwrap();
        // The code that set it up is spent; the next one is within the window.
        let ahead = u64::from(seen.purpose == Purpose::Prove);
        let code = app.code(app.step_at(now) + ahead);
        seen.filled(person, &code)
    }

    fn wrong(&self, person: &Person, seen: &Seen<'_>) -> Vec<Answer> {
        ["100001", "10000001", "1000001"]
            .map(|code| seen.filled(person, code))
            .into()
    }

    fn malformed(&self, person: &Person, seen: &Seen<'_>) -> Vec<Answer> {
        [
            "12345",
            "123456789",
            "12345a",
            "+12345",
            "１２３４５６",
            "      ",
        ]
        .map(|code| seen.filled(person, code))
        .into()
    }

    fn holds_several(&self) -> bool {
        true
    }
}

provider_suite!(Apps);
