use gatelodge_core::provider::{Entry, Intent, LinkPurpose, Step, Turn};

use crate::{
    bench::How,
    stage::{Attempt, Stage, assert_nothing, is_end, no_fault},
};

pub(crate) async fn beginning_has_no_effects_however_often(stage: &Stage) {
    for how in stage.all_ways() {
        let (mut bench, mut ada) = stage.ready().await;
        // The way is gone to its end, without its effects, to learn how the
        // last flow of it is entered.
        let Attempt { entry, .. } = match how {
            How::Enrol => bench.go(&mut ada, how).await,
            _ => bench.succeed(&mut ada, how).await.0,
        };
        for entry in [bench.fixture.entry(&ada), entry] {
            let flow = bench.flow(&ada, how);
            let mut first: Option<Turn> = None;
            for _ in 0..3 {
                bench.reseed(7);
                let turn = no_fault(bench.begin(&flow, entry.clone()).await, "beginning");
                assert_opens(&turn);
                let first = first.get_or_insert_with(|| turn.clone());
                assert!(*first == turn, "{how:?}: it begins differently each time");
            }
        }
    }
}

pub(crate) async fn it_can_begin_whatever_the_flow_is_for(stage: &Stage) {
    const INTENTS: [Intent; 7] = [
        Intent::SignIn,
        Intent::SignUp,
        Intent::Link,
        Intent::Enrol,
        Intent::Reprove,
        Intent::Recover,
        Intent::Remove,
    ];
    let (mut bench, ada) = stage.ready().await;
    for how in stage.all_ways() {
        for intent in INTENTS {
            for locale in ["en", "de-AT", "zz", ""] {
                let mut flow = bench.flow(&ada, how);
                flow.intent = intent;
                flow.locale = locale.to_owned();
                let turn = bench.begin(&flow, bench.fixture.entry(&ada)).await;
                assert_opens(&no_fault(turn, "beginning"));
                let turn = bench.begin(&flow, Entry::Chosen {}).await;
                assert_opens(&no_fault(turn, "beginning"));
            }
        }
    }
}

pub(crate) async fn an_entry_it_does_not_know_is_refused(stage: &Stage) {
    for how in stage.ways() {
        let (mut bench, mut ada) = stage.ready().await;
        let (attempt, _) = bench.succeed(&mut ada, how).await;
        let knows_links = matches!(attempt.entry, Entry::Link { .. });
        let purpose = match attempt.entry {
            Entry::Link { purpose, .. } => purpose,
            Entry::Chosen {} => LinkPurpose::SignIn,
        };
        for token in [
            String::new(),
            "x".to_owned(),
            "A".repeat(43),
            "\0\u{202e}é".to_owned(),
            "7".repeat(1024 * 1024),
        ] {
            let mut flow = bench.flow(&ada, how);
            let entry = Entry::Link {
                purpose,
                token: token.into(),
            };
            let turn = no_fault(bench.begin(&flow, entry).await, "an unknown link");
            assert_opens(&turn);
            if is_end(&turn.step) {
                continue;
            }
            assert!(
                knows_links,
                "it does not work by links and yet takes one, as {:?}",
                turn.step
            );
            let place = crate::bench::Place {
                step: turn.step,
                state: turn.state,
            };
            let answer = bench.right(&mut ada, &flow, &place.step);
            let turn = bench.resume(&mut flow, &place, answer).await;
            assert_nothing(&no_fault(turn, "an unknown link"), "an unknown link");
        }
    }
}

/// Checks that it is a beginning: nothing is sent, used up or proven.
fn assert_opens(turn: &Turn) {
    assert!(
        turn.effects.is_empty(),
        "beginning has effects, though opening a page is no act"
    );
    assert!(
        !matches!(
            turn.step,
            Step::Proven { .. } | Step::Enrolled {} | Step::Invalid { .. }
        ),
        "beginning ends at once in {:?}",
        turn.step
    );
}
