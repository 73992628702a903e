use gatelodge_core::provider::{Step, Turn};

use crate::{
    bench::How,
    stage::{End, Stage, assert_not_proven, assert_nothing, no_fault, with_state},
};

pub(crate) async fn a_state_it_did_not_make_is_refused(stage: &Stage) {
    for how in stage.all_ways() {
        for mut at in stage.steps(how).await {
            let genuine = at.place.state.0.clone();
            let right = at.right();
            for foreign in foreign() {
                if foreign == genuine {
                    continue;
                }
                let what = format!("{}, {} foreign bytes", at.name, foreign.len());
                let place = with_state(&at.place, foreign);
                let turn = no_fault(at.answer_at(&place, right.clone()).await, &what);
                assert_nothing(&turn, &what);
                assert!(
                    matches!(turn.step, Step::Refused { .. }),
                    "{what}: they are not refused but {:?}",
                    turn.step
                );
            }
        }
    }
}

pub(crate) async fn a_damaged_state_is_no_fault(stage: &Stage) {
    for how in stage.all_ways() {
        for mut at in stage.steps(how).await {
            let right = at.right();
            for damaged in damaged(&at.place.state.0) {
                let what = format!("{}, a damaged state", at.name);
                let place = with_state(&at.place, damaged);
                let turn = no_fault(at.answer_at(&place, right.clone()).await, &what);
                match turn.step {
                    Step::Proven { .. } => {
                        let (flow, person) = (at.flow.clone(), at.person.clone());
                        at.bench.assert_proves(&flow, &turn, &person);
                    }
                    Step::Refused { .. } | Step::Invalid { .. } => assert_nothing(&turn, &what),
                    _ => {}
                }
            }
        }
    }
}

pub(crate) async fn the_state_of_setting_up_does_not_sign_in(stage: &Stage) {
    let mut bench = stage.bench();
    if !bench.description.enrolment {
        assert!(
            bench.provider.enrolment().is_none(),
            "it does not declare that people set it up, and yet they can"
        );
        return;
    }
    let mut bob = bench.bob();
    let claim = bob.clone();
    let attempt = bench.attempt(&claim, &mut bob, How::Enrol, 0).await;
    let End::At(enrolling) = attempt.end else {
        panic!("setting it up begins with no step");
    };
    for how in stage.ways() {
        for mut at in stage.steps(how).await {
            let right = at.right();
            if at.place.state == enrolling.state {
                continue;
            }
            let place = with_state(&at.place, enrolling.state.0.clone());
            let turn = no_fault(at.answer_at(&place, right).await, &at.name);
            assert_nothing(&turn, &at.name);
        }
    }
    for mut at in stage.steps(How::Enrol).await {
        let right = at.right();
        for how in stage.ways() {
            for signing_in in stage.steps(how).await {
                if signing_in.place.state == at.place.state {
                    continue;
                }
                let place = with_state(&at.place, signing_in.place.state.0);
                let turn: Turn = no_fault(at.answer_at(&place, right.clone()).await, &at.name);
                assert_nothing(&turn, &at.name);
            }
        }
    }
}

/// S13: half a sign-in of somebody else is of no use.
pub(crate) async fn the_state_of_somebody_else_proves_nothing_of_the_subject(stage: &Stage) {
    for how in stage.ways() {
        for (number, mut at) in stage.steps(how).await.into_iter().enumerate() {
            let mut bob = at.bench.bob();
            at.bench.set_up(&mut bob).await;
            let claim = bob.clone();
            let attempt = at.bench.attempt(&claim, &mut bob, how, number).await;
            let End::At(place) = attempt.end else {
                panic!("{}: another person's way is shorter", at.name);
            };
            let answer = at.bench.right(&mut bob, &attempt.flow, &place.step);
            let ada = at.person.clone();
            let answer = crate::stage::naming(answer, &place.step, &ada.user_name);
            let mut flow = at.flow.clone();
            let turn = at.bench.resume(&mut flow, &place, answer).await;
            let turn = no_fault(turn, &at.name);
            assert_not_proven(&flow, &turn, ada.id, &at.name);
        }
    }
}

/// Bytes that no provider made.
fn foreign() -> Vec<Vec<u8>> {
    let noise: Vec<u8> = (0..16 * 1024_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    vec![
        Vec::new(),
        vec![0],
        vec![0xff; 3],
        b"{}".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"\"\"".to_vec(),
        b"gatelodge-provider-suite".to_vec(),
        noise.iter().take(32).copied().collect(),
        vec![0; 16 * 1024],
        noise,
    ]
}

/// The bytes with a part gone or a bit turned over.
fn damaged(genuine: &[u8]) -> Vec<Vec<u8>> {
    let cut = |length: usize| genuine.iter().take(length).copied().collect::<Vec<u8>>();
    let mut all = vec![cut(genuine.len().saturating_sub(1)), cut(genuine.len() / 2)];
    for at in [0, genuine.len() / 2, genuine.len().saturating_sub(1)] {
        let mut turned = genuine.to_vec();
        if let Some(byte) = turned.get_mut(at) {
            *byte ^= 1;
        }
        all.push(turned);
    }
    all.retain(|bytes| bytes != genuine);
    all
}
