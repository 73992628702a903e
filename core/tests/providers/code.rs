use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use gatelodge_core::{
    Result,
    model::RecordId,
    provider::{
        Answer, Context, Credential, Description, Effect, Enrolment, Entry, Proof, Provider, State,
        Turn,
    },
};

use super::{code_field, describe, form, word};

/// A second factor: a code that stays the same.
#[derive(Default)]
pub(crate) struct Code {
    asked: AtomicUsize,
    backup: bool,
}

impl Code {
    /// One that only stands in for others.
    pub(crate) fn spare() -> Self {
        Self {
            backup: true,
            ..Self::default()
        }
    }

    /// How many codes were compared.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Provider for Code {
    fn describe(&self) -> Description {
        Description {
            amr: "otp".to_owned(),
            first_step: false,
            second_factor: true,
            backup: self.backup,
            enrolment: true,
            ..describe("code")
        }
    }

    async fn begin(&self, _: &Context<'_>, _: Entry) -> Result<Turn> {
        Ok(Turn::prompt(form([code_field("code")])))
    }

    async fn resume(&self, context: &Context<'_>, _: State, answer: Answer) -> Result<Turn> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let records = context.services.subject_records().await?;
        let given = answer.field("code").map(|code| code.expose().as_bytes());
        let subject = context.facts.subject.as_ref();
        let right = records
            .iter()
            .any(|record| Some(record.data.0.as_slice()) == given);
        Ok(match subject {
            Some(subject) if right => Turn::proven(Proof::of_subject(subject.id)),
            _ => Turn::refused("wrong_code"),
        })
    }

    fn enrolment(&self) -> Option<&dyn Enrolment> {
        Some(self)
    }
}

#[async_trait]
impl Enrolment for Code {
    async fn begin(&self, _: &Context<'_>) -> Result<Turn> {
        Ok(Turn::prompt(form([code_field("new_code")])))
    }

    async fn resume(&self, context: &Context<'_>, _: State, answer: Answer) -> Result<Turn> {
        word::set_up(context, &answer, "new_code", 1).await
    }

    async fn list(&self, context: &Context<'_>) -> Result<Vec<Credential>> {
        word::list(context).await
    }

    async fn remove(&self, _: &Context<'_>, id: RecordId) -> Result<Vec<Effect>> {
        Ok(vec![Effect::Remove { record: id }])
    }
}
