use async_trait::async_trait;
use gatelodge_core::{
    Result,
    model::{FactorClass, RecordId},
    provider::{
        Answer, Context, Credential, Description, Effect, Enrolment, Entry, NewRecord, Proof,
        Provider, RecordOwner, State, Turn,
    },
};

use super::{describe, form, secret, user_name, word};

/// Asks for the user name first and for the word then; notes each beginning.
#[derive(Default)]
pub(crate) struct TwoSteps {
    /// Whether the first step keeps a record, as a mailed code would.
    pub(crate) notes: bool,
}

#[async_trait]
impl Provider for TwoSteps {
    fn describe(&self) -> Description {
        Description {
            class: FactorClass::Knowledge,
            enrolment: true,
            ..describe("two-steps")
        }
    }

    async fn begin(&self, _: &Context<'_>, _: Entry) -> Result<Turn> {
        Ok(Turn::prompt(form([user_name()])))
    }

    async fn resume(&self, context: &Context<'_>, state: State, answer: Answer) -> Result<Turn> {
        if state.0 != b"named" {
            let turn = Turn::prompt(form([secret("word")])).with_state(State(b"named".to_vec()));
            return Ok(if self.notes {
                turn.with_effect(note())
            } else {
                turn
            });
        }
        let records = context.services.subject_records().await?;
        let given = answer.field("word").map(|word| word.expose().as_bytes());
        let right = records
            .iter()
            .any(|record| Some(record.data.0.as_slice()) == given);
        Ok(match &context.facts.subject {
            Some(subject) if right => Turn::proven(Proof::of_subject(subject.id)),
            _ => Turn::refused("wrong_word"),
        })
    }

    fn enrolment(&self) -> Option<&dyn Enrolment> {
        Some(self)
    }
}

fn note() -> Effect {
    Effect::Put {
        record: NewRecord {
            owner: RecordOwner::Subject,
            key: None,
            label: "begun".to_owned(),
            expires_at: None,
            data: State(b"begun".to_vec()),
        },
    }
}

#[async_trait]
impl Enrolment for TwoSteps {
    async fn begin(&self, _: &Context<'_>) -> Result<Turn> {
        Ok(Turn::prompt(form([secret("new_word")])))
    }

    async fn resume(&self, context: &Context<'_>, _: State, answer: Answer) -> Result<Turn> {
        word::set_up(context, &answer, "new_word", 4).await
    }

    async fn list(&self, context: &Context<'_>) -> Result<Vec<Credential>> {
        word::list(context).await
    }

    async fn remove(&self, _: &Context<'_>, id: RecordId) -> Result<Vec<Effect>> {
        Ok(vec![Effect::Remove { record: id }])
    }
}
