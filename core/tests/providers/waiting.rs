use std::{collections::BTreeSet, sync::Mutex};

use async_trait::async_trait;
use gatelodge_core::{
    Result,
    model::UserId,
    provider::{Answer, Context, Description, Entry, Proof, Provider, State, Step, Turn},
};

use super::{describe, form, user_name};

/// Waits until somebody approves on another device.
#[derive(Default)]
pub(crate) struct Waiting {
    approved: Mutex<BTreeSet<UserId>>,
}

impl Waiting {
    pub(crate) fn approve(&self, user: UserId) {
        self.approved.lock().unwrap().insert(user);
    }
}

#[async_trait]
impl Provider for Waiting {
    fn describe(&self) -> Description {
        describe("waiting")
    }

    async fn begin(&self, _: &Context<'_>, _: Entry) -> Result<Turn> {
        Ok(Turn::prompt(form([user_name()])))
    }

    async fn resume(&self, context: &Context<'_>, state: State, answer: Answer) -> Result<Turn> {
        let subject = context.facts.subject.as_ref().map(|subject| subject.id);
        let approved = subject.filter(|user| self.approved.lock().unwrap().contains(user));
        Ok(match (answer, approved) {
            (Answer::Poll {}, Some(user)) if state.0 == b"waiting" => {
                Turn::proven(Proof::of_subject(user))
            }
            _ => {
                Turn::step(Step::Wait { poll_after_ms: 500 }).with_state(State(b"waiting".to_vec()))
            }
        })
    }
}
