//! Ways through the provider: right ones, stopped ones, somebody else's.

use std::ops::ControlFlow;

use gatelodge_core::{
    Error, Result,
    model::UserId,
    provider::{Answer, Entry, Proof, State, Step, Turn, Who},
    secret::Secret,
};

use crate::{
    Fixture, Person,
    bench::{Bench, Flow, How, Place, THEN, identifier, provider_id},
    fixture::Make,
    records::NotApplied,
};

/// More steps than any provider has.
const MOST_STEPS: usize = 16;

/// What a case works with.
pub(crate) struct Stage {
    make: Make,
}

/// Somebody at a step, with nothing answered yet.
pub(crate) struct At {
    pub(crate) bench: Bench,
    pub(crate) person: Person,
    pub(crate) flow: Flow,
    pub(crate) place: Place,
    /// The name of the place, for messages.
    pub(crate) name: String,
}

/// How an attempt went.
pub(crate) struct Attempt {
    pub(crate) flow: Flow,
    /// How the last flow was entered, and what was answered in it.
    pub(crate) entry: Entry,
    pub(crate) answers: Vec<Answer>,
    pub(crate) end: End,
}

/// Where an attempt ended.
pub(crate) enum End {
    /// It was stopped there.
    At(Place),
    /// Proven, set up, refused or invalid; the effects are not applied yet.
    Done(Turn),
    /// The provider failed.
    Fault(Error),
}

impl Stage {
    pub(crate) fn new(make: Make) -> Self {
        Self { make }
    }

    pub(crate) fn fixture(&self) -> Box<dyn Fixture> {
        (self.make)()
    }

    /// A fresh installation in which nobody has set anything up.
    pub(crate) fn bench(&self) -> Bench {
        Bench::new(self.fixture(), THEN)
    }

    /// A fresh installation in which Ada has set it up.
    pub(crate) async fn ready(&self) -> (Bench, Person) {
        let mut bench = self.bench();
        let mut ada = bench.ada();
        bench.set_up(&mut ada).await;
        (bench, ada)
    }

    /// The ways in which it proves, as declared.
    pub(crate) fn ways(&self) -> Vec<How> {
        let description = self.bench().description;
        let declared = [
            (How::FirstStep, description.first_step),
            (How::SecondFactor, description.second_factor),
        ];
        let ways: Vec<_> = declared
            .into_iter()
            .filter_map(|(how, is_declared)| is_declared.then_some(how))
            .collect();
        assert!(
            !ways.is_empty(),
            "it is neither a first step nor a second factor: of what use is it?"
        );
        ways
    }

    /// The ways in which it proves, and setting it up, where that is declared.
    pub(crate) fn all_ways(&self) -> Vec<How> {
        let mut ways = self.ways();
        ways.push(How::Again);
        ways.extend(self.bench().description.enrolment.then_some(How::Enrol));
        ways
    }

    /// Ada before each step of a way, each in an installation of its own.
    pub(crate) async fn steps(&self, how: How) -> Vec<At> {
        let mut steps = Vec::new();
        for number in 0..MOST_STEPS {
            let (mut bench, mut person) = match how {
                How::Enrol => {
                    let bench = self.bench();
                    let ada = bench.ada();
                    (bench, ada)
                }
                _ => self.ready().await,
            };
            let claim = person.clone();
            let attempt = bench.attempt(&claim, &mut person, how, number).await;
            match attempt.end {
                End::At(place) => steps.push(At {
                    name: format!("{how:?}, step {}", number + 1),
                    flow: attempt.flow,
                    bench,
                    person,
                    place,
                }),
                End::Done(turn) => {
                    assert_success(&turn);
                    return steps;
                }
                End::Fault(error) => panic!("{how:?}: it fails with right answers: {error:?}"),
            }
        }
        panic!("{how:?}: after {MOST_STEPS} right answers there is still no end")
    }
}

impl Bench {
    /// Sets the provider up for a person, as it is done for it.
    pub(crate) async fn set_up(&mut self, person: &mut Person) {
        if self.description.enrolment {
            let attempt = self.go(person, How::Enrol).await;
            let End::Done(turn) = &attempt.end else {
                panic!("setting it up with right answers fails");
            };
            assert!(
                matches!(turn.step, Step::Enrolled {}),
                "right answers do not set it up but end in {:?}",
                turn.step
            );
            self.applied(&attempt.flow, turn, person);
            return;
        }
        let now = self.environment().now();
        let records = self.fixture.records(person, now);
        let mut turn = Turn::step(Step::Enrolled {});
        for record in records {
            turn = turn.with_effect(gatelodge_core::provider::Effect::Put { record });
        }
        let flow = self.flow(person, How::Enrol);
        self.applied(&flow, &turn, person);
    }

    /// A person's own way with right answers, until it ends.
    pub(crate) async fn go(&mut self, person: &mut Person, how: How) -> Attempt {
        let claim = person.clone();
        self.attempt(&claim, person, how, usize::MAX).await
    }

    /// A person's own way, which must end in success; effects are not applied.
    pub(crate) async fn succeed(&mut self, person: &mut Person, how: How) -> (Attempt, Turn) {
        let attempt = self.go(person, how).await;
        match &attempt.end {
            End::Done(turn) => {
                assert_success(turn);
                let turn = turn.clone();
                (attempt, turn)
            }
            End::Fault(error) => panic!("{how:?}: it fails with right answers: {error:?}"),
            End::At(_) => panic!("{how:?}: right answers come to no end"),
        }
    }

    /// The way of `by`, who says that it is `claim` and answers what is right
    /// for `by`, until it ends or `stop` answers were given.
    pub(crate) async fn attempt(
        &mut self,
        claim: &Person,
        by: &mut Person,
        how: How,
        stop: usize,
    ) -> Attempt {
        by.inbox.clear();
        let flow = self.flow(claim, how);
        let entry = self.fixture.entry(by);
        let outcome = self.open(&flow, &entry).await;
        let attempt = Attempt {
            flow,
            entry,
            answers: Vec::new(),
            end: End::Done(Turn::refused("not_begun")),
        };
        self.follow(attempt, outcome, claim, by, stop).await
    }

    /// Goes on with an attempt that was stopped.
    pub(crate) async fn go_on(
        &mut self,
        mut attempt: Attempt,
        claim: &Person,
        by: &mut Person,
    ) -> Attempt {
        let End::At(place) = attempt.end else {
            return attempt;
        };
        let outcome = self.answer(&mut attempt.flow, &place, claim, by).await;
        attempt.answers.push(outcome.0);
        attempt.end = End::Done(Turn::refused("not_gone_on"));
        self.follow(attempt, outcome.1, claim, by, usize::MAX).await
    }

    /// Begins. That it has no effects is a case of its own; none is applied.
    async fn open(&mut self, flow: &Flow, entry: &Entry) -> Result<Turn> {
        let mut turn = self.begin(flow, entry.clone()).await?;
        turn.effects.clear();
        Ok(turn)
    }

    async fn follow(
        &mut self,
        mut attempt: Attempt,
        mut outcome: Result<Turn>,
        claim: &Person,
        by: &mut Person,
        stop: usize,
    ) -> Attempt {
        let mut given = 0;
        loop {
            let (place, sent) = match self.next(&attempt.flow, outcome, by) {
                ControlFlow::Continue(next) => next,
                ControlFlow::Break(end) => {
                    attempt.end = end;
                    return attempt;
                }
            };
            let link = self.fixture.entry(by);
            if sent && link != attempt.entry && matches!(link, Entry::Link { .. }) {
                attempt.flow = self.flow(claim, attempt.flow.how);
                attempt.answers.clear();
                attempt.entry = link;
                outcome = self.open(&attempt.flow, &attempt.entry).await;
                continue;
            }
            if given >= stop.min(MOST_STEPS) {
                attempt.end = End::At(place);
                return attempt;
            }
            given += 1;
            let (answer, turn) = self.answer(&mut attempt.flow, &place, claim, by).await;
            attempt.answers.push(answer);
            outcome = turn;
        }
    }

    /// What comes after a turn: a place, and whether a message came; or the end.
    fn next(
        &mut self,
        flow: &Flow,
        outcome: Result<Turn>,
        by: &mut Person,
    ) -> ControlFlow<End, (Place, bool)> {
        let turn = match outcome {
            Ok(turn) => turn,
            Err(error) => return ControlFlow::Break(End::Fault(error)),
        };
        if is_end(&turn.step) {
            return ControlFlow::Break(End::Done(turn));
        }
        let sent = match self.apply(flow, &turn, by) {
            Ok(sent) => sent,
            Err(NotApplied::Refused) => {
                return ControlFlow::Break(End::Done(Turn::refused("not_applied")));
            }
            Err(NotApplied::Breach(what)) => panic!("it asks for {what}"),
        };
        let place = Place {
            step: turn.step,
            state: turn.state,
        };
        ControlFlow::Continue((place, sent))
    }

    /// Answers what is right for `by`, in the name of `claim`.
    async fn answer(
        &mut self,
        flow: &mut Flow,
        place: &Place,
        claim: &Person,
        by: &mut Person,
    ) -> (Answer, Result<Turn>) {
        let answer = self.right(by, flow, &place.step);
        let answer = naming(answer, &place.step, &claim.user_name);
        let turn = self.resume(flow, place, answer.clone()).await;
        (answer, turn)
    }

    /// Gives the answers of an attempt again, in a new flow of `person`.
    pub(crate) async fn replay(
        &mut self,
        person: &Person,
        how: How,
        first: &Attempt,
    ) -> (Flow, Turn) {
        let mut flow = self.flow(person, how);
        let turn = self.begin(&flow, first.entry.clone()).await;
        let mut turn = no_fault(turn, "a repeated entry");
        for answer in &first.answers {
            if is_end(&turn.step) {
                break;
            }
            let place = Place {
                step: turn.step.clone(),
                state: turn.state.clone(),
            };
            let answer = naming(answer.clone(), &place.step, &person.user_name);
            let answered = self.resume(&mut flow, &place, answer).await;
            turn = no_fault(answered, "a repeated answer");
        }
        (flow, turn)
    }

    /// Applies the effects, which must succeed.
    pub(crate) fn applied(&mut self, flow: &Flow, turn: &Turn, person: &mut Person) {
        if let Err(error) = self.apply(flow, turn, person) {
            panic!("the effects of {:?} do not apply: {error:?}", turn.step);
        }
    }

    /// Checks that a turn proves exactly that person.
    pub(crate) fn assert_proves(&self, flow: &Flow, turn: &Turn, person: &Person) {
        let Step::Proven { proof } = &turn.step else {
            panic!(
                "{:?}: the right answer does not prove the person but ends in {:?}",
                flow.how, turn.step
            );
        };
        assert!(
            proof.renew.is_none() || self.description.enrolment,
            "nobody can change a credential that only others set up"
        );
        match &proof.who {
            Who::Subject { user } => {
                assert_eq!(
                    *user, person.id,
                    "{:?}: the proof names another user than the one who answered",
                    flow.how
                );
                assert!(
                    flow.subject
                        .as_ref()
                        .is_some_and(|subject| subject.id == *user),
                    "{:?}: the proof names a subject, and the context had none: name candidates",
                    flow.how
                );
            }
            Who::Candidates { users } => {
                assert!(
                    (1..=100).contains(&users.len()),
                    "a proof names 1 to 100 candidates"
                );
                assert!(
                    users.contains(&(person.tenant, person.id)),
                    "the candidates do not include the one who answered"
                );
            }
            Who::External { identity } => {
                assert_eq!(
                    identity.connection,
                    provider_id(),
                    "an identity comes by the provider's own connection"
                );
                assert!(
                    self.description.third_party,
                    "only what says that it is a third party proves external identities"
                );
            }
        }
    }
}

/// Whether nothing comes after it.
pub(crate) fn is_end(step: &Step) -> bool {
    matches!(
        step,
        Step::Proven { .. }
            | Step::Enrolled {}
            | Step::Barred { .. }
            | Step::Refused { .. }
            | Step::Invalid { .. }
    )
}

fn assert_success(turn: &Turn) {
    assert!(
        matches!(turn.step, Step::Proven { .. } | Step::Enrolled {}),
        "right answers end in {:?}",
        turn.step
    );
}

/// Wrong answers, malformed ones and strangers are no faults.
pub(crate) fn no_fault(outcome: Result<Turn>, what: &str) -> Turn {
    outcome.unwrap_or_else(|error| {
        panic!("{what}: an error is for faults only, this one says {error:?}")
    })
}

/// Checks that nothing came of it.
pub(crate) fn assert_nothing(turn: &Turn, what: &str) {
    assert!(
        matches!(turn.step, Step::Refused { .. } | Step::Invalid { .. }),
        "{what}: neither refused nor invalid but {:?}",
        turn.step
    );
    assert!(
        turn.effects.is_empty(),
        "{what}: it has effects though nothing came of it"
    );
}

/// Checks that nobody is proven whom the engine would take for the subject.
pub(crate) fn assert_not_proven(flow: &Flow, turn: &Turn, victim: UserId, what: &str) {
    let Step::Proven {
        proof: Proof { who, .. },
    } = &turn.step
    else {
        return;
    };
    let is_victim = match who {
        Who::Subject { user } => *user == victim || flow.subject.is_some(),
        Who::Candidates { users } => users.iter().any(|(_, user)| *user == victim),
        Who::External { .. } => false,
    };
    assert!(!is_victim, "{what}: it proves the subject");
}

/// The answer, with this name where it is asked who it is.
pub(crate) fn naming(mut answer: Answer, step: &Step, name: &str) -> Answer {
    if let (Some(field), Answer::Fields { values }) = (identifier(step), &mut answer)
        && values.contains_key(&field)
    {
        values.insert(field, Secret::new(name));
    }
    answer
}

/// A place with another state.
pub(crate) fn with_state(place: &Place, state: Vec<u8>) -> Place {
    Place {
        step: place.step.clone(),
        state: State(state),
    }
}
