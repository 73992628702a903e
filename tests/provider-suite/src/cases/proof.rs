use gatelodge_core::provider::{Step, Who};

use crate::{
    Replay,
    bench::How,
    records::NotApplied,
    stage::{End, Stage, assert_nothing},
    tour::tour,
};

pub(crate) async fn the_right_answer_proves_exactly_the_subject(stage: &Stage) {
    for how in stage.ways() {
        let (mut bench, mut ada) = stage.ready().await;
        let mut bob = bench.bob();
        bench.set_up(&mut bob).await;
        let mut identities = Vec::new();
        for person in [&mut ada, &mut bob] {
            let (attempt, turn) = bench.succeed(person, how).await;
            bench.assert_proves(&attempt.flow, &turn, person);
            bench.applied(&attempt.flow, &turn, person);
            if let Step::Proven { proof } = turn.step
                && let Who::External { identity } = proof.who
            {
                identities.push((identity.issuer, identity.subject));
            }
        }
        assert!(
            identities.first() != identities.get(1) || identities.is_empty(),
            "{how:?}: two people are one identity"
        );
    }
}

pub(crate) async fn a_known_subject_proves_itself_again(stage: &Stage) {
    let (mut bench, mut ada) = stage.ready().await;
    let (attempt, turn) = bench.succeed(&mut ada, How::Again).await;
    bench.assert_proves(&attempt.flow, &turn, &ada);
    bench.applied(&attempt.flow, &turn, &mut ada);
}

pub(crate) async fn another_instance_takes_over_at_any_step(stage: &Stage) {
    let mut bench = stage.bench();
    bench.takes_turns = true;
    let mut ada = bench.ada();
    bench.set_up(&mut ada).await;
    let records = bench.records.clone();
    for how in stage.ways() {
        bench.records = records.clone();
        let (attempt, turn) = bench.succeed(&mut ada, how).await;
        bench.assert_proves(&attempt.flow, &turn, &ada);
    }
}

pub(crate) async fn people_at_the_same_time_are_not_mixed_up(stage: &Stage) {
    for how in stage.ways() {
        for number in 0..stage.steps(how).await.len() {
            let (mut bench, mut ada) = stage.ready().await;
            let (mut bob, mut other_ada) = (bench.bob(), bench.other_ada());
            bench.set_up(&mut bob).await;
            bench.set_up(&mut other_ada).await;
            let claim = ada.clone();
            let waiting = bench.attempt(&claim, &mut ada, how, number).await;
            for person in [&mut bob, &mut other_ada] {
                let (attempt, turn) = bench.succeed(person, how).await;
                bench.assert_proves(&attempt.flow, &turn, person);
                bench.applied(&attempt.flow, &turn, person);
            }
            let attempt = bench.go_on(waiting, &claim, &mut ada).await;
            let End::Done(turn) = &attempt.end else {
                panic!("{how:?}: while others sign in, the right answer leads nowhere");
            };
            bench.assert_proves(&attempt.flow, turn, &ada);
            bench.applied(&attempt.flow, turn, &mut ada);
        }
    }
}

/// S15, S16: what may be used once is refused the second time.
pub(crate) async fn a_repeated_answer_counts_as_often_as_declared(stage: &Stage) {
    for how in stage.ways() {
        let (mut bench, mut ada) = stage.ready().await;
        let (first, turn) = bench.succeed(&mut ada, how).await;
        bench.applied(&first.flow, &turn, &mut ada);
        let (flow, second) = bench.replay(&ada, how, &first).await;
        match bench.fixture.replay() {
            Replay::Proves => bench.assert_proves(&flow, &second, &ada),
            Replay::Refused => assert_nothing(&second, "an answer that was used already"),
        }
    }
}

/// S18: also when both come before either is used up.
pub(crate) async fn of_two_racing_answers_as_many_count_as_declared(stage: &Stage) {
    for how in stage.ways() {
        let (mut bench, mut ada) = stage.ready().await;
        // Both are answered before the effects of either are applied.
        let (first, turn) = bench.succeed(&mut ada, how).await;
        let (flow, second) = bench.replay(&ada, how, &first).await;
        bench.applied(&first.flow, &turn, &mut ada);
        match bench.fixture.replay() {
            Replay::Proves => bench.assert_proves(&flow, &second, &ada),
            Replay::Refused if matches!(second.step, Step::Proven { .. }) => {
                let applied = bench.apply(&flow, &second, &mut ada);
                assert!(
                    matches!(applied, Err(NotApplied::Refused)),
                    "{how:?}: one answer proves twice, if it comes twice at the same time"
                );
            }
            Replay::Refused => assert_nothing(&second, "the second of two racing answers"),
        }
    }
}

pub(crate) async fn only_one_that_finds_the_tenant_names_candidates(stage: &Stage) {
    let finds_tenant = stage.bench().description.finds_tenant;
    for exchange in tour(stage).await {
        let Some(Step::Proven { proof }) = exchange.turn.map(|turn| turn.step) else {
            continue;
        };
        assert!(
            finds_tenant || !matches!(proof.who, Who::Candidates { .. }),
            "it does not declare that it finds the tenant, and names candidates"
        );
    }
    // Bob's name is in one tenant only, so he is found where that is possible.
    let mut bench = stage.bench();
    let mut bob = bench.bob();
    bench.set_up(&mut bob).await;
    bench.without_tenant = true;
    for how in stage.ways() {
        let attempt = bench.go(&mut bob, how).await;
        match &attempt.end {
            End::Done(turn) if matches!(turn.step, Step::Proven { .. }) => {
                bench.assert_proves(&attempt.flow, turn, &bob);
            }
            End::Done(turn) => assert_nothing(turn, "without a tenant"),
            End::At(_) => {}
            End::Fault(error) => {
                panic!("{how:?}: without a tenant it fails, finding it or not: {error:?}")
            }
        }
    }
}
