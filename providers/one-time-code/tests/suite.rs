//! What every provider must show, and what this one shows beyond that.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic"
)]

use gatelodge_core::{
    provider::{Answer, MessageChannel, ProviderTable, Registry},
    secret::Secret,
};
use gatelodge_provider_one_time_code::register;
use gatelodge_provider_suite::{Fixture, Person, Purpose, Replay, Seen};

mod suite {
    mod own;
    mod setting_up;
    mod world;
}

/// People who enter the code that was sent to them.
struct Codes(MessageChannel);

/// Whether it is asked for a code.
fn asks_code(seen: &Seen<'_>) -> bool {
    let fields = seen.form().map(|form| form.fields.as_slice());
    fields.unwrap_or_default().iter().any(|f| f.name == "code")
}

impl Codes {
    fn address(&self, person: &Person) -> String {
        match self.0 {
            MessageChannel::Mail => person.mailbox(),
            MessageChannel::Sms => person.telephone(),
        }
    }
}

impl Fixture for Codes {
    fn register(&self, registry: &mut Registry) {
        register(registry);
    }

    fn table(&self) -> ProviderTable {
        ProviderTable::from_iter([("channel".to_owned(), self.0.as_str().into())])
    }

    fn replay(&self) -> Replay {
        Replay::Refused
    }

    fn right(&self, person: &mut Person, seen: &Seen<'_>) -> Answer {
        if asks_code(seen) {
            let newest = person.inbox.last().and_then(|sent| sent.code.as_ref());
            let code = newest.map_or("0000 0000", Secret::expose).to_owned();
            return seen.filled(person, &code);
        }
        if seen.purpose == Purpose::Enrol {
            return Answer::fields([("address", self.address(person).as_str())]);
        }
        // Of several addresses, that of this credential.
        let actions = seen.form().map(|form| form.actions.as_slice());
        let mut actions = actions.unwrap_or_default().iter();
        let action = actions.nth(person.credential as usize - 1);
        Answer::Action {
            action: action.map_or("send", |action| &action.id).to_owned(),
        }
    }

    fn wrong(&self, person: &Person, seen: &Seen<'_>) -> Vec<Answer> {
        match asks_code(seen) {
            true => ["1234 5678", "99999999"]
                .map(|code| seen.filled(person, code))
                .into(),
            // What can be wrong about asking for a code?
            false => Vec::new(),
        }
    }

    fn malformed(&self, person: &Person, seen: &Seen<'_>) -> Vec<Answer> {
        if asks_code(seen) {
            return ["1234567", "123456789", "1234567x", "+12345678", "        "]
                .map(|code| seen.filled(person, code))
                .into();
        }
        let addresses: &[&str] = match (seen.purpose, self.0) {
            (Purpose::Prove, _) => &[],
            (Purpose::Enrol, MessageChannel::Mail) => &["ada", "ada@localhost", "a@b.example,c@d"],
            (Purpose::Enrol, MessageChannel::Sms) => &["030 123456", "+49 30", "+49 30 12345 call"],
        };
        let answer = |address: &&str| Answer::fields([("address", *address)]);
        addresses.iter().map(answer).collect()
    }

    fn holds_several(&self) -> bool {
        true
    }

    fn is_bound_to_its_flow(&self) -> bool {
        true
    }
}

mod mail {
    use super::{Codes, MessageChannel};
    gatelodge_provider_suite::provider_suite!(Codes(MessageChannel::Mail));
}

mod sms {
    use super::{Codes, MessageChannel};
    gatelodge_provider_suite::provider_suite!(Codes(MessageChannel::Sms));
}
