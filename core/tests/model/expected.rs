//! The model: who is who, what each flow has seen, and what an answer leads to.

use std::time::Duration;

use jiff::Timestamp;

/// How long a flow lives.
const LIFETIME: Duration = Duration::from_secs(600);

/// A person, as the model knows them.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) name: &'static str,
    pub(super) word: String,
    pub(super) code: Option<&'static str>,
    pub(super) must_change: bool,
    pub(super) locked: bool,
    /// How often the credentials changed.
    pub(super) changes: u32,
}

/// Where a flow stands: what it asks, and of whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    Word,
    Code(usize),
    NewWord(usize),
    Nothing,
}

/// A flow, as the model knows it.
#[derive(Debug, Clone)]
pub(super) struct FlowModel {
    pub(super) began: Timestamp,
    pub(super) cancelled: bool,
    pub(super) asks: Asks,
    /// What was proven in this flow, and of whom.
    pub(super) proven: Vec<(usize, &'static str)>,
    /// The state of the credentials that the proofs belong to.
    pub(super) changes: u32,
}

/// What is in an answer, once it is put together.
#[derive(Debug, Clone)]
pub(super) enum Filled {
    Word { name: String, word: String },
    Code(String),
    NewWord(String),
}

/// What an answer leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leads {
    NotFound,
    Conflict,
    Invalid,
    Refused,
    /// To another question.
    On(Asks),
    /// To a session of this person.
    Session(usize),
}

impl FlowModel {
    pub(super) fn new(began: Timestamp) -> Self {
        Self {
            began,
            cancelled: false,
            asks: Asks::Word,
            proven: Vec::new(),
            changes: 0,
        }
    }

    fn is_there(&self, now: Timestamp) -> bool {
        let age = Duration::try_from(now.duration_since(self.began)).unwrap();
        !self.cancelled && age < LIFETIME
    }

    pub(super) fn asker(&self) -> &'static str {
        match self.asks {
            Asks::Word => "password",
            Asks::Code(_) => "code",
            Asks::NewWord(_) => "duty:change-credential",
            Asks::Nothing => "",
        }
    }
}

/// What the model says of an answer; it changes nothing.
pub(super) fn expect(
    (flow, now): (&FlowModel, Timestamp),
    (people, tenant_locked): (&[Person], bool),
    (binding, step): (bool, bool),
    (provider, filled): (&str, &Filled),
) -> Leads {
    if !flow.is_there(now) || !binding {
        return Leads::NotFound;
    }
    if flow.asks == Asks::Nothing || !step {
        return Leads::Conflict;
    }
    if provider != flow.asker() {
        return Leads::NotFound;
    }
    let shut = |person: usize| people[person].locked || tenant_locked;
    let outdated = |person: usize| people[person].changes != flow.changes;
    match (flow.asks, filled) {
        (Asks::Word, Filled::Word { name, word }) => {
            let person = people.iter().position(|person| person.name == name);
            match person {
                Some(person) if people[person].word == *word && !shut(person) => {
                    next(flow, people, person, "password")
                }
                _ => Leads::Refused,
            }
        }
        (Asks::Code(person), Filled::Code(code)) => {
            let right = people[person].code == Some(code.as_str());
            if right && !shut(person) && !outdated(person) {
                next(flow, people, person, "code")
            } else {
                Leads::Refused
            }
        }
        (Asks::NewWord(person), Filled::NewWord(_)) => {
            if shut(person) || outdated(person) {
                Leads::Refused
            } else {
                next(flow, people, person, "new word")
            }
        }
        _ => Leads::Invalid,
    }
}

/// What is left when one more thing was proven or done.
fn next(flow: &FlowModel, people: &[Person], person: usize, done: &'static str) -> Leads {
    let has = |proof| done == proof || flow.proven.contains(&(person, proof));
    let one = &people[person];
    if !has("password") {
        Leads::On(Asks::Word)
    } else if one.code.is_some() && !has("code") {
        Leads::On(Asks::Code(person))
    } else if one.must_change && done != "new word" {
        Leads::On(Asks::NewWord(person))
    } else {
        Leads::Session(person)
    }
}
