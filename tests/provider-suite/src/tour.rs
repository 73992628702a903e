//! A tour through everything a provider shows, to look at all of it.

use std::collections::BTreeMap;

use gatelodge_core::{
    provider::{Answer, Entry, Field, FieldKind, Form, LinkPurpose, Role, Step},
    secret::Secret,
};
use serde_json::json;

use crate::{
    bench::{Exchange, Place},
    stage::{At, Stage},
};

/// Every way, and at each step of it wrong, malformed and foreign answers
/// before the right one.
pub(crate) async fn tour(stage: &Stage) -> Vec<Exchange> {
    let mut exchanges = Vec::new();
    for how in stage.all_ways() {
        for mut at in stage.steps(how).await {
            let mut answers = at.bench.wrong(&at.person, &at.flow, &at.place.step);
            answers.extend(at.bench.malformed(&at.person, &at.flow, &at.place.step));
            let right = at.right();
            answers.extend(
                missing(&at.place, &right)
                    .into_iter()
                    .map(|(_, answer)| answer),
            );
            answers.extend(of_another_kind(&at.place));
            answers.push(right);
            for answer in answers {
                // A fault is looked at too, and fails elsewhere.
                let _ = at.answer(answer).await;
            }
            let link = Entry::Link {
                purpose: LinkPurpose::SignIn,
                token: "suite-link-0".into(),
            };
            let _ = at.bench.begin(&at.flow, link).await;
            exchanges.append(&mut at.bench.exchanges);
        }
    }
    exchanges
}

impl At {
    /// The right answer.
    pub(crate) fn right(&mut self) -> Answer {
        self.bench
            .right(&mut self.person, &self.flow, &self.place.step)
    }

    /// Answers, without going on from there.
    pub(crate) async fn answer(
        &mut self,
        answer: Answer,
    ) -> gatelodge_core::Result<gatelodge_core::provider::Turn> {
        let place = self.place.clone();
        self.answer_at(&place, answer).await
    }

    /// Answers at a changed place, without going on from there.
    pub(crate) async fn answer_at(
        &mut self,
        place: &Place,
        answer: Answer,
    ) -> gatelodge_core::Result<gatelodge_core::provider::Turn> {
        let mut flow = self.flow.clone();
        self.bench.resume(&mut flow, place, answer).await
    }
}

/// The form of a place.
pub(crate) fn form(place: &Place) -> Option<&Form> {
    match &place.step {
        Step::Prompt { form } => Some(form),
        _ => None,
    }
}

/// The right answer without one of the fields that the provider needs, once
/// absent and once empty, with the field's name.
pub(crate) fn missing(place: &Place, right: &Answer) -> Vec<(String, Answer)> {
    let mut answers = Vec::new();
    for field in needed(place) {
        answers.push((field.name.clone(), without(right, &field.name)));
        answers.push((field.name.clone(), with(right, &field.name, "")));
    }
    answers
}

/// The fields that must be filled in. Who somebody is is read by the engine.
fn needed(place: &Place) -> impl Iterator<Item = &Field> {
    form(place)
        .into_iter()
        .flat_map(|form| &form.fields)
        .filter(|field| field.required && field.role != Role::Identifier)
}

/// The fields that hold a text, but for the one that the engine reads.
pub(crate) fn texts(place: &Place) -> Vec<Field> {
    form(place)
        .into_iter()
        .flat_map(|form| &form.fields)
        .filter(|field| field.role != Role::Identifier)
        .filter(|field| !matches!(field.kind, FieldKind::Choice | FieldKind::Checkbox))
        .cloned()
        .collect()
}

/// Answers that do not belong to such a step.
pub(crate) fn of_another_kind(place: &Place) -> Vec<Answer> {
    let no_values = BTreeMap::<String, Secret>::new;
    let mut answers = vec![
        Answer::Action {
            action: "suite_unknown".to_owned(),
        },
        Answer::Action {
            action: String::new(),
        },
        Answer::Browser {
            response: json!(null),
        },
        Answer::Browser {
            response: json!({"id": "suite", "type": "public-key"}),
        },
        Answer::Callback {
            parameters: no_values(),
        },
        Answer::Callback {
            parameters: [("error".to_owned(), Secret::new("access_denied"))].into(),
        },
    ];
    if !matches!(place.step, Step::Wait { .. }) {
        answers.push(Answer::Poll {});
    }
    if !matches!(place.step, Step::Prompt { .. }) {
        answers.push(Answer::Fields {
            values: no_values(),
        });
    }
    answers
}

/// The answer with another value in a field.
pub(crate) fn with(answer: &Answer, field: &str, value: &str) -> Answer {
    let mut answer = answer.clone();
    if let Answer::Fields { values } = &mut answer {
        values.insert(field.to_owned(), Secret::new(value));
    }
    answer
}

fn without(answer: &Answer, field: &str) -> Answer {
    let mut answer = answer.clone();
    if let Answer::Fields { values } = &mut answer {
        values.remove(field);
    }
    answer
}
