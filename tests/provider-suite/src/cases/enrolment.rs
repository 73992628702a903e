use gatelodge_core::{
    Environment, ErrorKind,
    environment::{ManualClock, SeededRandom},
    model::RecordId,
    provider::{Credential, Entry, Step, Turn},
};

use super::{description::is_text, isolation::assert_comes_to_nothing};
use crate::{
    Person,
    bench::{Bench, How, LATER, PAUSE, time},
    stage::{End, Stage, assert_nothing, no_fault},
    tour::{form, missing, tour},
};

pub(crate) async fn enrolment_is_there_exactly_when_declared(stage: &Stage) {
    let bench = stage.bench();
    assert_eq!(
        bench.provider.enrolment().is_some(),
        bench.description.enrolment,
        "it says one thing about setting it up and does another"
    );
    let enrolled = tour(stage).await.into_iter().any(|exchange| {
        let step = exchange.turn.map(|turn| turn.step);
        matches!(step, Some(Step::Enrolled {}))
    });
    assert_eq!(
        enrolled, bench.description.enrolment,
        "setting it up comes to its end exactly when it is declared"
    );
}

pub(crate) async fn what_was_set_up_is_listed_and_proves(stage: &Stage) {
    let Some(mut bench) = with_enrolment(stage) else {
        return;
    };
    let mut ada = bench.ada();
    assert!(
        bench.list(&ada).await.is_empty(),
        "something is listed before it was set up"
    );
    bench.set_up(&mut ada).await;
    let list = bench.list(&ada).await;
    assert_eq!(list.len(), 1, "one was set up; so many are listed");
    for Credential {
        id,
        label,
        created_at,
        ..
    } in &list
    {
        let kept = bench
            .records
            .all()
            .iter()
            .find(|kept| kept.record.id == *id);
        assert!(
            kept.is_some_and(|kept| kept.record.user == Some(ada.id)),
            "what is listed is no record of the subject"
        );
        assert!(is_text(label, 100), "what is listed has no label");
        assert_eq!(*created_at, bench.environment().now());
    }
    for stranger in [bench.bob(), bench.other_ada()] {
        assert!(
            bench.list(&stranger).await.is_empty(),
            "it is listed for somebody else"
        );
    }
    for how in stage.ways() {
        let (attempt, turn) = bench.succeed(&mut ada, how).await;
        bench.assert_proves(&attempt.flow, &turn, &ada);
    }
}

pub(crate) async fn beginning_to_set_up_changes_nothing(stage: &Stage) {
    if with_enrolment(stage).is_none() {
        return;
    }
    let (mut bench, mut ada) = stage.ready().await;
    let before = bench.list(&ada).await;
    for _ in 0..3 {
        let flow = bench.flow(&ada, How::Enrol);
        let turn = no_fault(bench.begin(&flow, Entry::Chosen {}).await, "setting it up");
        assert!(
            turn.effects.is_empty(),
            "beginning to set it up has effects"
        );
    }
    assert!(bench.list(&ada).await == before, "the list changed");
    for how in stage.ways() {
        bench.succeed(&mut ada, how).await;
    }
}

pub(crate) async fn a_credential_that_cannot_be_is_invalid(stage: &Stage) {
    if with_enrolment(stage).is_none() {
        return;
    }
    for mut at in stage.steps(How::Enrol).await {
        let right = at.right();
        let mut answers = at.bench.malformed(&at.person, &at.flow, &at.place.step);
        answers.extend(
            missing(&at.place, &right)
                .into_iter()
                .map(|missing| missing.1),
        );
        let is_form = form(&at.place).is_some();
        for answer in answers {
            let turn = no_fault(at.answer(answer).await, &at.name);
            assert_nothing(&turn, &at.name);
            let Step::Invalid { errors } = &turn.step else {
                assert!(
                    !is_form,
                    "{}: a credential that cannot be is not invalid but refused",
                    at.name
                );
                continue;
            };
            for error in errors {
                assert!(
                    !error.field.is_empty() && !error.code.is_empty() && !error.message.is_empty(),
                    "{}: an error names its field, its code and what to tell the person",
                    at.name
                );
            }
        }
        let listed = at.bench.list(&at.person.clone()).await;
        assert!(listed.is_empty(), "{}: it is listed all the same", at.name);
    }
}

pub(crate) async fn what_was_removed_proves_no_longer(stage: &Stage) {
    if with_enrolment(stage).is_none() {
        return;
    }
    let (mut bench, mut ada) = stage.ready().await;
    for credential in bench.list(&ada).await {
        let effects = bench
            .remove(&ada, credential.id)
            .await
            .unwrap_or_else(|error| panic!("what is listed cannot be removed: {error:?}"));
        let mut turn = Turn::step(Step::Enrolled {});
        turn.effects = effects;
        let flow = bench.flow(&ada, How::Enrol);
        bench.applied(&flow, &turn, &mut ada);
        assert_not_found(&mut bench, &ada, credential.id, "what was removed already").await;
    }
    assert!(
        bench.list(&ada).await.is_empty(),
        "what was removed is still listed"
    );
    for how in stage.ways() {
        let attempt = bench.go(&mut ada, how).await;
        assert_comes_to_nothing(&attempt.end, "what was removed");
    }
}

pub(crate) async fn only_what_the_subject_has_can_be_removed(stage: &Stage) {
    if with_enrolment(stage).is_none() {
        return;
    }
    let (mut bench, ada) = stage.ready().await;
    let ids = Environment::new(ManualClock::at(time(LATER)), SeededRandom::new(77));
    let unknown = RecordId::generate(&ids);
    assert_not_found(&mut bench, &ada, unknown, "an unknown id").await;
    for mut person in [bench.bob(), bench.other_ada()] {
        bench.set_up(&mut person).await;
        for credential in bench.list(&person).await {
            assert_not_found(&mut bench, &ada, credential.id, "somebody else's").await;
        }
    }
}

pub(crate) async fn setting_up_again_keeps_as_many_as_declared(stage: &Stage) {
    if with_enrolment(stage).is_none() {
        return;
    }
    let (mut bench, mut ada) = stage.ready().await;
    let mut again = ada.clone();
    again.credential = 2;
    bench.clock.advance(PAUSE);
    let attempt = bench.go(&mut again, How::Enrol).await;
    let End::Done(turn) = &attempt.end else {
        panic!("setting it up a second time fails");
    };
    assert!(
        matches!(turn.step, Step::Enrolled {}),
        "setting it up a second time ends in {:?}",
        turn.step
    );
    bench.applied(&attempt.flow, turn, &mut again);
    let several = bench.fixture.holds_several();
    assert_eq!(
        bench.list(&again).await.len(),
        if several { 2 } else { 1 },
        "set up twice, `holds_several` being {several}"
    );
    for how in stage.ways() {
        let (attempt, turn) = bench.succeed(&mut again, how).await;
        bench.assert_proves(&attempt.flow, &turn, &again);
        if several {
            bench.succeed(&mut ada, how).await;
        } else {
            let attempt = bench.go(&mut ada, how).await;
            assert_comes_to_nothing(&attempt.end, "the credential that was replaced");
        }
    }
}

/// An installation, if people set it up for themselves. Otherwise it is shown
/// that they cannot.
fn with_enrolment(stage: &Stage) -> Option<Bench> {
    let bench = stage.bench();
    if bench.description.enrolment {
        return Some(bench);
    }
    assert!(
        bench.provider.enrolment().is_none(),
        "it does not declare that people set it up, and yet they can"
    );
    None
}

async fn assert_not_found(bench: &mut Bench, person: &Person, id: RecordId, what: &str) {
    let removed = bench.remove(person, id).await;
    let kind = removed.as_ref().map_err(|error| error.kind());
    assert!(
        matches!(kind, Err(ErrorKind::NotFound)),
        "removing {what} is no `NotFound` but {kind:?}"
    );
}
