use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    model::RecordId,
    provider::{
        Answer, Context, Credential, Description, Effect, Enrolment, Entry, Issued, LinkPurpose,
        LinkRequest, Links, NewRecord, Proof, Provider, RecordOwner, State, Step, Turn, Who,
    },
};

use super::{button, describe, form, secret, word};

/// Entered by a link: its token signs in once. Setting it up keeps a token.
#[derive(Default)]
pub(crate) struct Link {
    /// What a session made by a link is limited to.
    pub(crate) scope: Option<String>,
}

#[async_trait]
impl Provider for Link {
    fn describe(&self) -> Description {
        Description {
            finds_tenant: true,
            enrolment: true,
            inline: false,
            links: vec![LinkPurpose::SignIn],
            ..describe("link")
        }
    }

    async fn begin(&self, context: &Context<'_>, entry: Entry) -> Result<Turn> {
        let Entry::Link { token, .. } = entry else {
            return Ok(Turn::refused("only_by_link"));
        };
        Ok(
            match context.services.record_by_key(token.expose()).await? {
                Some(_) => {
                    let state = State(token.expose().as_bytes().to_vec());
                    Turn::prompt(button("confirm")).with_state(state)
                }
                None => Turn::refused("no_such_link"),
            },
        )
    }

    async fn resume(&self, context: &Context<'_>, state: State, _: Answer) -> Result<Turn> {
        let token = String::from_utf8_lossy(&state.0).into_owned();
        let record = context.services.record_by_key(&token).await?;
        let tenant = context.facts.tenant.as_ref().map(|tenant| tenant.id);
        let Some(record) = record else {
            return Ok(Turn::refused("used_link"));
        };
        let Some(user) = tenant.zip(record.user) else {
            return Ok(Turn::refused("nobody's_link"));
        };
        let proof = Proof {
            scope: self.scope.clone(),
            ..Proof::of(Who::Candidates { users: vec![user] })
        };
        Ok(Turn::proven(proof).with_effect(Effect::UseUp {
            record: record.id,
            version: record.version,
        }))
    }

    fn enrolment(&self) -> Option<&dyn Enrolment> {
        Some(self)
    }

    fn links(&self) -> Option<&dyn Links> {
        Some(self)
    }
}

#[async_trait]
impl Links for Link {
    async fn issue(&self, _: &Context<'_>, _: &LinkRequest) -> Result<Issued> {
        Err(Error::refused("nothing is issued here"))
    }
}

#[async_trait]
impl Enrolment for Link {
    async fn begin(&self, _: &Context<'_>) -> Result<Turn> {
        Ok(Turn::prompt(form([secret("token")])))
    }

    async fn resume(&self, _: &Context<'_>, _: State, answer: Answer) -> Result<Turn> {
        let record = NewRecord {
            owner: RecordOwner::Subject,
            key: answer.field("token").cloned(),
            label: "link".to_owned(),
            expires_at: None,
            data: State::default(),
        };
        Ok(Turn::step(Step::Enrolled {}).with_effect(Effect::Put { record }))
    }

    async fn list(&self, context: &Context<'_>) -> Result<Vec<Credential>> {
        word::list(context).await
    }

    async fn remove(&self, _: &Context<'_>, id: RecordId) -> Result<Vec<Effect>> {
        Ok(vec![Effect::Remove { record: id }])
    }
}
