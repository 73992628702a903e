use gatelodge_core::provider::{Answer, Step, Turn};
use serde_json::Value;

use crate::{
    Person,
    bench::{Bench, Flow, How, PAUSE, Place},
    stage::{End, Stage, assert_not_proven, assert_nothing, is_end, no_fault},
};

pub(crate) async fn somebody_elses_answer_does_not_prove_the_subject(stage: &Stage) {
    for how in stage.ways().into_iter().chain([How::Again]) {
        let (mut bench, ada) = stage.ready().await;
        let mut bob = bench.bob();
        bench.set_up(&mut bob).await;
        assert_impostor_fails(&mut bench, &ada, &mut bob, how).await;
        // His own way, such as by a link that came to him, in her flow.
        let (own, _) = bench.succeed(&mut bob, how).await;
        let (flow, turn) = bench.replay(&ada, how, &own).await;
        assert_not_proven(&flow, &turn, ada.id, "somebody else's way");
    }
}

pub(crate) async fn the_same_name_in_another_tenant_is_somebody_else(stage: &Stage) {
    for how in stage.ways().into_iter().chain([How::Again]) {
        let (mut bench, mut ada) = stage.ready().await;
        let mut other = bench.other_ada();
        bench.set_up(&mut other).await;
        assert_impostor_fails(&mut bench, &ada, &mut other, how).await;
        assert_impostor_fails(&mut bench, &other, &mut ada, how).await;
        bench.clock.advance(PAUSE);
        for person in [&mut ada, &mut other] {
            let (attempt, turn) = bench.succeed(person, how).await;
            bench.assert_proves(&attempt.flow, &turn, person);
            bench.applied(&attempt.flow, &turn, person);
        }
    }
}

pub(crate) async fn who_set_nothing_up_proves_nothing(stage: &Stage) {
    let (ready, ada) = stage.ready().await;
    let is_kept = !ready.records.all().is_empty();
    for how in stage.ways().into_iter().chain([How::Again]) {
        let mut bench = stage.bench();
        // She knows what would be right, had it been set up.
        let mut ada = ada.clone();
        if !is_kept {
            // Nothing is set up for anybody: it lies elsewhere who somebody is.
            bench.succeed(&mut ada, how).await;
            continue;
        }
        let claim = ada.clone();
        let attempt = bench.attempt(&claim, &mut ada, how, usize::MAX).await;
        assert_comes_to_nothing(&attempt.end, "without anything set up");
    }
}

pub(crate) async fn a_stranger_never_proves_anything(stage: &Stage) {
    for how in stage.ways() {
        let (mut bench, mut ada) = stage.ready().await;
        bench.forget(&ada);
        let claim = ada.clone();
        let attempt = bench.attempt(&claim, &mut ada, how, usize::MAX).await;
        let End::Done(turn) = &attempt.end else {
            assert_comes_to_nothing(&attempt.end, "a stranger");
            continue;
        };
        if let Some(decoy) = attempt.flow.subject.as_ref() {
            assert_not_proven(&attempt.flow, turn, decoy.id, "a stranger");
        }
    }
}

/// S41: what a stranger sees does not tell which accounts exist.
pub(crate) async fn a_stranger_looks_like_anybody_with_a_wrong_answer(stage: &Stage) {
    let first = stage.ways().contains(&How::FirstStep);
    let how = if first {
        How::FirstStep
    } else {
        How::SecondFactor
    };
    let (mut known, mut ada) = stage.ready().await;
    let (mut unknown, _) = stage.ready().await;
    unknown.forget(&ada);
    let (mut flow, mut strange) = (known.flow(&ada, how), unknown.flow(&ada, how));
    let entry = known.fixture.entry(&ada);
    let mut turn = begin(&mut known, &flow, &entry).await;
    let stranger = begin(&mut unknown, &strange, &entry).await;
    if !first {
        // Nobody who does not exist comes as far as a second factor. A stranger sees
        // what somebody sees who has set nothing up.
        let mut empty = stage.bench();
        let flow = empty.flow(&ada, how);
        let turn = begin(&mut empty, &flow, &entry).await;
        return assert_looks_the_same(&turn, &stranger);
    }
    for _ in 0..16 {
        if is_end(&turn.step) {
            return;
        }
        let place = Place {
            step: turn.step.clone(),
            state: turn.state.clone(),
        };
        let mut refused = None;
        let mut answers = known.wrong(&ada, &flow, &place.step);
        let number_wrong = answers.len();
        answers.extend(known.malformed(&ada, &flow, &place.step));
        for (number, answer) in answers.into_iter().enumerate() {
            let turns = both(&mut known, &mut unknown, (&flow, &strange), &place, answer).await;
            if number < number_wrong {
                refused = Some(turns.0);
            }
        }
        let answer = known.right(&mut ada, &flow, &place.step);
        known.reseed(9);
        unknown.reseed(9);
        turn = no_fault(
            known.resume(&mut flow, &place, answer.clone()).await,
            "the right answer",
        );
        let stranger = no_fault(
            unknown.resume(&mut strange, &place, answer).await,
            "a stranger's answer",
        );
        let asked_who = strange.subject.is_some();
        match refused {
            _ if !asked_who => {}
            Some(refused) => assert_looks_the_same(&refused, &stranger),
            None if matches!(turn.step, Step::Proven { .. }) => {
                assert_nothing(&stranger, "a stranger");
            }
            None => assert_looks_the_same(&turn, &stranger),
        }
        known.applied(&flow, &turn, &mut ada);
    }
}

async fn begin(bench: &mut Bench, flow: &Flow, entry: &gatelodge_core::provider::Entry) -> Turn {
    bench.reseed(9);
    no_fault(bench.begin(flow, entry.clone()).await, "beginning")
}

/// Gives an answer to both, which must look the same and ask outside as often.
async fn both(
    known: &mut Bench,
    unknown: &mut Bench,
    flows: (&Flow, &Flow),
    place: &Place,
    answer: Answer,
) -> (Turn, Turn) {
    let (mut flow, mut strange) = (flows.0.clone(), flows.1.clone());
    known.reseed(9);
    unknown.reseed(9);
    let one = known.resume(&mut flow, place, answer.clone()).await;
    let other = unknown.resume(&mut strange, place, answer).await;
    let one = no_fault(one, "a wrong answer");
    let other = no_fault(other, "a stranger's answer");
    assert_looks_the_same(&one, &other);
    let fetches = |bench: &Bench| bench.exchanges.last().map(|exchange| exchange.fetches);
    assert_eq!(
        fetches(known),
        fetches(unknown),
        "for a stranger the outside is not asked as often, which can be measured"
    );
    (one, other)
}

/// Whether the person, who sees the step and not the reason of a refusal, can
/// tell two turns apart. A challenge is compared by its shape.
fn assert_looks_the_same(known: &Turn, stranger: &Turn) {
    let seen = |turn: &Turn| {
        let mut step = serde_json::to_value(&turn.step).unwrap_or_default();
        if let Some(step) = step.as_object_mut() {
            step.remove("reason");
            if let Some(options) = step.get_mut("options") {
                blur(options);
            }
        }
        step.to_string()
    };
    let (known, stranger) = (seen(known), seen(stranger));
    assert!(
        known == stranger,
        "a stranger sees something else than somebody with a wrong answer\n  stranger: \
         {stranger}\n  known:    {known}"
    );
}

/// Leaves the shape of a value: its keys and lengths.
fn blur(value: &mut Value) {
    match value {
        Value::String(text) => *text = "-".repeat(text.len()),
        Value::Array(values) => values.iter_mut().for_each(blur),
        Value::Object(values) => values.values_mut().for_each(blur),
        Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

/// Tries to sign in as `victim` with what is right for `by`.
async fn assert_impostor_fails(bench: &mut Bench, victim: &Person, by: &mut Person, how: How) {
    let attempt = bench.attempt(victim, by, how, usize::MAX).await;
    let what = "somebody else's answer";
    match &attempt.end {
        End::Done(turn) => {
            assert_not_proven(&attempt.flow, turn, victim.id, what);
            if matches!(turn.step, Step::Refused { .. } | Step::Invalid { .. }) {
                assert_nothing(turn, what);
            }
        }
        End::At(_) => {}
        End::Fault(error) => panic!("{what}: an error is for faults only: {error:?}"),
    }
}

/// Checks that an attempt was refused, or never came to an end.
pub(super) fn assert_comes_to_nothing(end: &End, what: &str) {
    match end {
        End::Done(turn) => assert_nothing(turn, what),
        End::At(_) => {}
        End::Fault(error) => panic!("{what}: an error is for faults only: {error:?}"),
    }
}
