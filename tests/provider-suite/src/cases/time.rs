use gatelodge_core::provider::{Effect, Step, Turn};
use jiff::{SignedDuration, Timestamp};

use crate::{
    bench::{Bench, How, LATER, THEN, time},
    stage::{End, Stage},
    tour::tour,
};

/// No record is kept, and no earlier proof counts, for longer.
const LONG: SignedDuration = SignedDuration::from_hours(24 * 366 * 10);

pub(crate) async fn the_same_inputs_give_the_same_turns(stage: &Stage) {
    let (one, other) = (tour(stage).await, tour(stage).await);
    assert_eq!(one.len(), other.len(), "a second time it takes other ways");
    for (one, other) in one.iter().zip(&other) {
        assert!(
            one.turn == other.turn,
            "{:?}: the same time, randomness and answers give another turn: {:?}",
            one.how,
            one.turn.as_ref().map(|turn| &turn.step)
        );
    }
}

pub(crate) async fn times_come_from_the_context(stage: &Stage) {
    for now in [THEN, LATER] {
        let mut bench = Bench::new(stage.fixture(), now);
        let mut ada = bench.ada();
        bench.set_up(&mut ada).await;
        let records = bench.records.clone();
        for how in stage.ways().into_iter().chain([How::Again]) {
            bench.records = records.clone();
            let attempt = bench.go(&mut ada, how).await;
            let End::Done(turn) = &attempt.end else {
                panic!("{how:?}: at {now} the right answer leads nowhere");
            };
            bench.assert_proves(&attempt.flow, turn, &ada);
        }
        for turn in bench
            .exchanges
            .iter()
            .filter_map(|exchange| exchange.turn.as_ref())
        {
            check_times(turn, time(now));
        }
    }
}

fn check_times(turn: &Turn, now: Timestamp) {
    if let Step::Proven { proof } = &turn.step
        && let Some(at) = proof.at
    {
        assert!(
            at <= now && now.duration_since(at) < LONG,
            "it was proven at {at}, and now it is {now}"
        );
    }
    for effect in &turn.effects {
        let (Effect::Put { record } | Effect::Replace { with: record, .. }) = effect else {
            continue;
        };
        let Some(end) = record.expires_at else {
            continue;
        };
        assert!(
            end > now && end.duration_since(now) < LONG,
            "a record ends at {end}, and now it is {now}"
        );
    }
}
