use gatelodge_core::{
    ErrorKind,
    provider::{Step, Turn},
};

use super::isolation::assert_comes_to_nothing;
use crate::{
    bench::{Bench, How},
    records::Stored,
    stage::{End, Stage},
};

/// S43: a corrupt record is a failed sign-in, no panic.
pub(crate) async fn a_damaged_record_proves_nothing(stage: &Stage) {
    for damage in DAMAGES {
        spoil_each_step(stage, "a damaged record", &|bench| {
            let mut spoilt = false;
            for stored in bench.records.all_mut() {
                let data = &mut stored.record.data.0;
                // Where nothing is kept, nothing can be damaged.
                spoilt |= !data.is_empty();
                *data = if data.is_empty() {
                    Vec::new()
                } else {
                    damage(data)
                };
            }
            spoilt
        })
        .await;
    }
}

pub(crate) async fn an_expired_record_proves_nothing(stage: &Stage) {
    spoil_each_step(stage, "an expired record", &|bench| {
        let now = bench.environment().now();
        for stored in bench.records.all_mut() {
            stored.record.expires_at = Some(now);
        }
        !bench.records.all().is_empty()
    })
    .await;
}

/// Spoils what is kept, before a flow begins and before each of its steps, and
/// checks that the right answer then proves nothing. Where there was nothing to
/// spoil, because it is kept elsewhere, the right answer must prove.
async fn spoil_each_step(stage: &Stage, what: &str, spoil: &dyn Fn(&mut Bench) -> bool) {
    for how in stage.ways().into_iter().chain([How::Again]) {
        let steps = stage.steps(how).await.len();
        for number in 0..=steps {
            let (mut bench, mut ada) = stage.ready().await;
            let claim = ada.clone();
            // The provider has seen it, but must not rely on what it saw.
            let before = bench.records.clone();
            bench.go(&mut ada.clone(), how).await;
            bench.records = before;
            let (spoilt, attempt) = if number == 0 {
                let spoilt = spoil(&mut bench);
                (spoilt, bench.go(&mut ada, how).await)
            } else {
                let attempt = bench.attempt(&claim, &mut ada, how, number - 1).await;
                let spoilt = spoil(&mut bench);
                (spoilt, bench.go_on(attempt, &claim, &mut ada).await)
            };
            match &attempt.end {
                End::Fault(error) if spoilt && error.kind() == ErrorKind::Corrupt => {}
                End::Done(turn) if !spoilt => bench.assert_proves(&attempt.flow, turn, &ada),
                end => assert_comes_to_nothing(end, what),
            }
        }
    }
}

pub(crate) async fn another_subjects_records_stay_as_they_are(stage: &Stage) {
    let (mut bench, mut ada) = stage.ready().await;
    for mut person in [bench.bob(), bench.other_ada()] {
        bench.set_up(&mut person).await;
        // The provider has seen what is kept for them.
        for how in stage.ways() {
            bench.go(&mut person, how).await;
        }
    }
    let id = ada.id;
    let others = |records: &[Stored]| -> Vec<Stored> {
        let mine = |stored: &&Stored| stored.record.user != Some(id);
        let owned = records.iter().filter(|stored| stored.record.user.is_some());
        owned.filter(mine).cloned().collect()
    };
    let before = others(bench.records.all());
    let mut again = ada.clone();
    again.credential = 2;
    for how in stage.all_ways() {
        let attempt = match how {
            How::Enrol => bench.go(&mut again, how).await,
            // What may be used once only proves here once.
            _ => bench.go(&mut ada, how).await,
        };
        if let End::Done(turn) = &attempt.end {
            let _ = bench.apply(&attempt.flow, turn, &mut again);
        }
    }
    if bench.description.enrolment {
        for credential in bench.list(&again).await {
            let effects = bench.remove(&again, credential.id).await;
            let mut turn = Turn::step(Step::Enrolled {});
            turn.effects = effects.unwrap_or_default();
            let flow = bench.flow(&again, How::Enrol);
            bench.applied(&flow, &turn, &mut again);
        }
    }
    assert!(
        others(bench.records.all()) == before,
        "what one person does changes what is kept for others"
    );
}

type Damage = fn(&[u8]) -> Vec<u8>;

const DAMAGES: [Damage; 6] = [
    |_| Vec::new(),
    |_| b"{}".to_vec(),
    |_| vec![0; 32],
    |_| vec![0xff; 60 * 1024],
    |data| data.iter().take(data.len() / 2).copied().collect(),
    |data| data.iter().rev().copied().collect(),
];
