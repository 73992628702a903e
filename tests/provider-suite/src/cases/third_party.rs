use gatelodge_core::provider::{Finding, Proof, Rechecked, State, Step, Verdict, Who};

use super::description::{is_text, is_word};
use crate::{stage::Stage, tour::tour};

/// What is kept with the link to an identity is no longer than this, in bytes.
const MOST_KEPT: usize = 16 * 1024;

pub(crate) async fn a_third_party_is_there_exactly_when_declared(stage: &Stage) {
    let bench = stage.bench();
    assert_eq!(
        bench.provider.third_party().is_some(),
        bench.description.third_party,
        "it says one thing about third parties and does another"
    );
}

pub(crate) async fn a_third_party_and_nobody_else_proves_identities(stage: &Stage) {
    let is_third_party = stage.bench().description.third_party;
    for proof in proofs(stage).await {
        assert_eq!(
            matches!(proof.who, Who::External { .. }),
            is_third_party,
            "a third party proves external identities, and nobody else does: {:?}",
            proof.who
        );
    }
}

pub(crate) async fn what_is_kept_fits_beside_an_identity(stage: &Stage) {
    for proof in proofs(stage).await {
        check_kept(&proof.keep);
        assert!(
            proof.keep.0.is_empty() || matches!(proof.who, Who::External { .. }),
            "something is kept with a link that there is not"
        );
    }
}

/// What was damaged or was never kept is no word of the third party.
pub(crate) async fn nobody_is_barred_for_what_was_not_kept(stage: &Stage) {
    let (mut bench, mut ada) = stage.ready().await;
    if !bench.description.third_party {
        return;
    }
    for how in stage.ways() {
        let kept = match bench.succeed(&mut ada, how).await.1.step {
            Step::Proven { proof } => proof.keep,
            _ => State::default(),
        };
        let mut cut = kept.clone();
        cut.0.pop();
        for kept in [State::default(), State(b"\0{]".to_vec()), cut] {
            let rechecked = bench.recheck(&ada, &kept).await;
            assert!(
                !matches!(rechecked, Ok(Rechecked::Barred { .. })),
                "somebody is barred for what was not kept: {rechecked:?}"
            );
        }
        match bench.recheck(&ada, &kept).await {
            Ok(Rechecked::Welcome { keep }) => check_kept(&keep),
            Ok(Rechecked::Barred { reason }) => assert!(
                is_word(&reason, "_"),
                "the reason is a short word, not `{reason}`"
            ),
            Ok(Rechecked::Unknown {}) | Err(_) => {}
        }
    }
}

pub(crate) async fn what_it_finds_out_about_itself_is_said_in_words(stage: &Stage) {
    let mut bench = stage.bench();
    if !bench.description.third_party {
        return;
    }
    let ada = bench.ada();
    for finding in bench.diagnose(&ada).await {
        let Finding {
            check,
            verdict,
            text,
            remedy,
        } = &finding;
        assert!(is_word(check, "_"), "a check is a short word: {finding:?}");
        assert!(
            is_text(text, 1_000) && remedy.iter().all(|remedy| is_text(remedy, 1_000)),
            "what was found and what to do about it are said in words: {finding:?}"
        );
        assert_eq!(
            remedy.is_none(),
            *verdict == Verdict::Good,
            "what is not as it should be says what to do, and nothing else does: {finding:?}"
        );
    }
}

fn check_kept(keep: &State) {
    assert!(
        keep.0.len() <= MOST_KEPT,
        "{} bytes are to be kept; at most 16 KiB are",
        keep.0.len()
    );
}

/// All that it proves on a tour.
async fn proofs(stage: &Stage) -> Vec<Proof> {
    let turns = tour(stage).await.into_iter();
    let proofs: Vec<_> = turns
        .filter_map(|exchange| match exchange.turn?.step {
            Step::Proven { proof } => Some(proof),
            _ => None,
        })
        .collect();
    assert!(!proofs.is_empty(), "on the whole tour it proves nothing");
    proofs
}
