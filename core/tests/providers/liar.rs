use async_trait::async_trait;
use gatelodge_core::{
    Result,
    model::RecordId,
    provider::{
        Answer, Context, Credential, Description, Effect, Enrolment, Entry, Facts, Provider, State,
        Turn,
    },
};

use super::{describe, form, user_name};

type Lie = Box<dyn Fn(&Facts) -> Result<Turn> + Send + Sync>;

/// Says whatever a test lets it say.
pub(crate) struct Liar {
    pub(crate) description: Description,
    pub(crate) first: Lie,
    pub(crate) then: Lie,
}

impl Liar {
    /// Shows a form for a user name, and answers with a lie.
    pub(crate) fn saying(lie: impl Fn(&Facts) -> Result<Turn> + Send + Sync + 'static) -> Self {
        Self {
            description: describe("liar"),
            first: Box::new(|_| Ok(Turn::prompt(form([user_name()])))),
            then: Box::new(lie),
        }
    }
}

#[async_trait]
impl Provider for Liar {
    fn describe(&self) -> Description {
        self.description.clone()
    }

    async fn begin(&self, context: &Context<'_>, _: Entry) -> Result<Turn> {
        (self.first)(context.facts)
    }

    async fn resume(&self, context: &Context<'_>, _: State, _: Answer) -> Result<Turn> {
        (self.then)(context.facts)
    }

    fn enrolment(&self) -> Option<&dyn Enrolment> {
        self.description.enrolment.then_some(self)
    }
}

#[async_trait]
impl Enrolment for Liar {
    async fn begin(&self, context: &Context<'_>) -> Result<Turn> {
        (self.first)(context.facts)
    }

    async fn resume(&self, context: &Context<'_>, _: State, _: Answer) -> Result<Turn> {
        (self.then)(context.facts)
    }

    async fn list(&self, _: &Context<'_>) -> Result<Vec<Credential>> {
        Ok(Vec::new())
    }

    async fn remove(&self, _: &Context<'_>, _: RecordId) -> Result<Vec<Effect>> {
        Ok(Vec::new())
    }
}
