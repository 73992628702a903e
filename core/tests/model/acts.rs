//! What can happen.

use proptest::prelude::*;

/// One thing that happens. Flows and people are numbers: 0 and 1.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// A browser begins its flow anew.
    Start { flow: usize },
    /// Somebody answers.
    Answer(Given),
    /// A flow is given up.
    Cancel { flow: usize },
    /// A person is locked, or unlocked.
    Lock { person: usize, locked: bool },
    /// The tenant is locked, or unlocked.
    LockTenant { locked: bool },
    /// A person's credential changes in another place.
    ChangeElsewhere { person: usize },
    /// A person has to change the word.
    Demand { person: usize },
    /// Time passes.
    Pass { seconds: u64 },
}

/// An answer, put together from parts of both flows.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) flow: usize,
    pub(super) binding: Part,
    pub(super) step: Part,
    /// Whose step it pretends to be; `None`: whoever asks.
    pub(super) provider: Option<&'static str>,
    pub(super) what: What,
}

/// Which binding or step id is sent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    /// The present one of the flow that is answered.
    Right,
    /// The present one of the other flow.
    Other,
    /// An earlier one of the flow that is answered.
    Earlier(usize),
    /// None at all.
    Missing,
}

/// What is filled in.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// What the flow asks for, as this person would know it.
    Fitting(usize),
    /// A name and the word of somebody.
    Word { name: usize, word: usize },
    /// The code of somebody.
    Code(usize),
    /// A new word.
    NewWord,
}

pub(super) fn act() -> impl Strategy<Value = Act> {
    let number = || 0..2_usize;
    prop_oneof![
        6 => number().prop_map(|flow| Act::Start { flow }),
        30 => given().prop_map(Act::Answer),
        1 => number().prop_map(|flow| Act::Cancel { flow }),
        2 => (number(), prop::bool::weighted(0.4))
            .prop_map(|(person, locked)| Act::Lock { person, locked }),
        1 => prop::bool::weighted(0.3).prop_map(|locked| Act::LockTenant { locked }),
        1 => number().prop_map(|person| Act::ChangeElsewhere { person }),
        1 => number().prop_map(|person| Act::Demand { person }),
        2 => prop_oneof![1..60_u64, 500..700_u64].prop_map(|seconds| Act::Pass { seconds }),
    ]
}

fn given() -> impl Strategy<Value = Given> {
    let provider = prop_oneof![
        12 => Just(None),
        1 => prop::sample::select(vec!["password", "code", "duty:change-credential"])
            .prop_map(Some),
    ];
    let parts = (0..2_usize, part(), part(), provider, what());
    parts.prop_map(|(flow, binding, step, provider, what)| Given {
        flow,
        binding,
        step,
        provider,
        what,
    })
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        14 => Just(Part::Right),
        1 => Just(Part::Other),
        1 => (0..6_usize).prop_map(Part::Earlier),
        1 => Just(Part::Missing),
    ]
}

fn what() -> impl Strategy<Value = What> {
    let person = || 0..2_usize;
    prop_oneof![
        10 => person().prop_map(What::Fitting),
        2 => (0..3_usize, 0..3_usize).prop_map(|(name, word)| What::Word { name, word }),
        1 => person().prop_map(What::Code),
        1 => Just(What::NewWord),
    ]
}
