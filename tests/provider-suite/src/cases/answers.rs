use gatelodge_core::{
    provider::{Answer, Entry, Step, Turn},
    secret::Secret,
};
use serde_json::json;

use crate::{
    bench::How,
    stage::{At, Stage, assert_nothing, no_fault},
    tour::{form, missing, of_another_kind, texts, with},
};

/// Characters that trip over something somewhere.
const ODD: [&str; 14] = [
    "\0",
    "1234\0 5678",
    "\u{7f}\u{1b}[31m\r\n",
    "\u{202e}\u{200b}\u{feff}\u{2028}",
    "e\u{301}\u{301}\u{301}\u{301}",
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "\u{10ffff}\u{ffff}\u{fffd}",
    "ﷺ１２３４５６",
    "' OR '1'='1' --",
    "{\"$ne\":null}",
    "${jndi:ldap://x}%s%n{{7*7}}",
    "../../etc/passwd",
    " ",
    "-1e400",
];

pub(crate) async fn a_wrong_answer_is_refused_without_effects(stage: &Stage) {
    for how in stage.all_ways() {
        let (mut tried, mut other_means) = (0, how == How::Enrol);
        for mut at in stage.steps(how).await {
            other_means |= matches!(at.place.step, Step::Wait { .. })
                || matches!(at.bench.fixture.entry(&at.person), Entry::Link { .. });
            for answer in at.bench.wrong(&at.person, &at.flow, &at.place.step) {
                let turn = no_fault(at.answer(answer).await, &at.name);
                assert!(
                    matches!(turn.step, Step::Refused { .. }),
                    "{}: a wrong answer is not refused but leads to {:?}",
                    at.name,
                    turn.step
                );
                assert_nothing(&turn, &at.name);
                tried += 1;
            }
        }
        assert!(
            tried > 0 || other_means,
            "{how:?}: the fixture gives no wrong answer at any step"
        );
    }
}

pub(crate) async fn after_wrong_answers_the_right_one_still_proves(stage: &Stage) {
    for how in stage.all_ways() {
        for mut at in stage.steps(how).await {
            let right = at.right();
            let expected = kind(&no_fault(at.answer(right).await, &at.name));
            // In a fresh installation, where nothing is answered yet.
            let mut at = again(stage, how, at).await;
            for answer in at.bench.wrong(&at.person, &at.flow, &at.place.step) {
                let _ = at.answer(answer).await;
            }
            let right = at.right();
            let found = kind(&no_fault(at.answer(right).await, &at.name));
            assert_eq!(
                found, expected,
                "{}: after wrong answers the right one leads elsewhere",
                at.name
            );
        }
    }
}

pub(crate) async fn a_missing_field_is_invalid(stage: &Stage) {
    for mut at in every_step(stage).await {
        let right = at.right();
        for (field, answer) in missing(&at.place, &right) {
            let turn = no_fault(at.answer(answer).await, &at.name);
            assert_invalid(&at, &turn, &format!("`{field}` is missing"));
            let Step::Invalid { errors } = &turn.step else {
                continue;
            };
            assert!(
                errors.iter().any(|error| error.field == field),
                "{}: `{field}` is missing and none of the errors is about it",
                at.name
            );
        }
        if let Some(name) = crate::bench::identifier(&at.place.step) {
            let turn = no_fault(at.answer(with(&right, &name, "")).await, &at.name);
            assert_nothing(&turn, &at.name);
        }
    }
}

pub(crate) async fn a_malformed_answer_is_invalid(stage: &Stage) {
    for mut at in every_step(stage).await {
        for answer in at.bench.malformed(&at.person, &at.flow, &at.place.step) {
            let turn = no_fault(at.answer(answer).await, &at.name);
            if form(&at.place).is_some() {
                assert_invalid(&at, &turn, "a malformed answer");
            } else {
                assert_nothing(&turn, &at.name);
            }
        }
    }
}

pub(crate) async fn an_unknown_field_does_no_harm(stage: &Stage) {
    for mut at in every_step(stage).await {
        let mut answer = at.right();
        match &mut answer {
            Answer::Fields { values } | Answer::Callback { parameters: values } => {
                values.insert("suite_unexpected".to_owned(), Secret::new("1"));
            }
            Answer::Browser { response } => {
                if let Some(object) = response.as_object_mut() {
                    object.insert("suite_unexpected".to_owned(), json!(1));
                }
            }
            Answer::Action { .. } | Answer::Poll {} => {}
        }
        let turn = no_fault(at.answer(answer).await, &at.name);
        if matches!(turn.step, Step::Refused { .. } | Step::Invalid { .. }) {
            assert_nothing(&turn, &at.name);
        }
    }
}

/// S43: a megabyte is answered like any other malformed input.
pub(crate) async fn an_oversized_answer_is_invalid(stage: &Stage) {
    for mut at in every_step(stage).await {
        let right = at.right();
        for field in texts(&at.place) {
            let lengths = [64 * 1024, 1024 * 1024];
            let declared = field.max_length.map(|most| most as usize + 1);
            for length in lengths.into_iter().chain(declared) {
                for character in ["7", "é"] {
                    let answer = with(&right, &field.name, &character.repeat(length));
                    let turn = no_fault(at.answer(answer).await, &at.name);
                    assert_invalid(&at, &turn, &format!("`{}` is too long", field.name));
                }
            }
        }
        let mut answer = right;
        match &mut answer {
            Answer::Callback { parameters } => {
                for value in parameters.values_mut() {
                    *value = Secret::new("7".repeat(1024 * 1024));
                }
            }
            Answer::Browser { response } => *response = json!({"id": "7".repeat(1024 * 1024)}),
            _ => continue,
        }
        let turn = no_fault(at.answer(answer).await, &at.name);
        assert_nothing(&turn, &at.name);
    }
}

pub(crate) async fn odd_characters_are_no_fault(stage: &Stage) {
    for mut at in every_step(stage).await {
        // What is new may be anything: only that it is no fault is checked then.
        let is_new = at.flow.how == How::Enrol;
        let right = at.right();
        for field in texts(&at.place) {
            for text in ODD {
                let answer = with(&right, &field.name, text);
                let what = format!("{}, {text:?} in `{}`", at.name, field.name);
                let turn = no_fault(at.answer(answer).await, &what);
                if !is_new {
                    assert_nothing(&turn, &what);
                }
            }
        }
        if let Answer::Callback { parameters } = &right {
            for name in parameters.keys() {
                for text in ODD {
                    let mut parameters = parameters.clone();
                    parameters.insert(name.clone(), Secret::new(text));
                    let what = format!("{}, {text:?} in `{name}`", at.name);
                    no_fault(at.answer(Answer::Callback { parameters }).await, &what);
                }
            }
        }
    }
}

pub(crate) async fn an_answer_of_another_kind_is_not_taken(stage: &Stage) {
    for mut at in every_step(stage).await {
        for answer in of_another_kind(&at.place) {
            let what = format!("{}, {answer:?}", at.name);
            let turn = no_fault(at.answer(answer).await, &what);
            assert_nothing(&turn, &what);
        }
    }
}

async fn every_step(stage: &Stage) -> Vec<At> {
    let mut steps = Vec::new();
    for how in stage.all_ways() {
        steps.extend(stage.steps(how).await);
    }
    steps
}

/// The same step in a fresh installation.
async fn again(stage: &Stage, how: How, at: At) -> At {
    let steps = stage.steps(how).await;
    steps
        .into_iter()
        .find(|other| other.name == at.name)
        .expect("the way has the same steps each time")
}

fn kind(turn: &Turn) -> String {
    let step = serde_json::to_value(&turn.step).unwrap_or_default();
    let kind = step.get("kind").and_then(|kind| kind.as_str());
    kind.unwrap_or_default().to_owned()
}

fn assert_invalid(at: &At, turn: &Turn, what: &str) {
    assert!(
        matches!(turn.step, Step::Invalid { .. }),
        "{}: {what}, and it is not invalid but {:?}",
        at.name,
        turn.step
    );
    assert_nothing(turn, &at.name);
}
