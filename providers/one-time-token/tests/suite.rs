//! What every provider must show, and what this one shows beyond that.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic"
)]

use gatelodge_core::provider::{Answer, ProviderTable, Registry};
use gatelodge_provider_one_time_token::register;
use gatelodge_provider_suite::{Fixture, Person, Replay, Seen, provider_suite};

/// People who type the code from the mail.
struct Codes;

impl Fixture for Codes {
    fn register(&self, registry: &mut Registry) {
        register(registry);
    }

    fn table(&self) -> ProviderTable {
        ProviderTable::from_iter([("sign_in".to_owned(), true.into())])
    }

    fn replay(&self) -> Replay {
        Replay::Refused
    }

    fn right(&self, person: &mut Person, seen: &Seen<'_>) -> Answer {
        let mail = person.inbox.last();
        let code = mail.and_then(|mail| mail.code.as_ref());
        let code = code.map_or("0000 0000", |code| code.expose()).to_owned();
        seen.filled(person, &code)
    }

    fn wrong(&self, person: &Person, seen: &Seen<'_>) -> Vec<Answer> {
        let asks_code = seen
            .form()
            .is_some_and(|form| form.fields.iter().any(|field| field.name == "code"));
        match asks_code {
            true => ["1234 5678", "99999999"]
                .map(|code| seen.filled(person, code))
                .into(),
            false => Vec::new(),
        }
    }
}

provider_suite!(Codes);
