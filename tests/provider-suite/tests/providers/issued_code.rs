//! A code that somebody issued to a person, for one sign-in; only its link is a
//! way in.

use std::sync::Arc;

use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    model::{FactorClass, UserId},
    provider::{
        Answer, Context, Description, Effect, Entry, Form, Issued, LinkPurpose, LinkRequest, Links,
        NewRecord, Proof, Provider, ProviderTable, RecordOwner, Registry, State, Turn, Who,
    },
    secret::Secret,
};
use gatelodge_provider_suite::{Person, Replay, Seen};
use jiff::Timestamp;

#[derive(Default)]
pub(crate) struct Fixture {
    pub(crate) flaw: &'static str,
}

impl gatelodge_provider_suite::Fixture for Fixture {
    fn register(&self, registry: &mut Registry) {
        registry.kind("issued-code", |_, table| {
            let flaw = super::flaw(&table)?;
            Ok(Arc::new(IssuedCode { flaw }))
        });
    }

    fn table(&self) -> ProviderTable {
        super::table(self.flaw)
    }

    fn replay(&self) -> Replay {
        Replay::Refused
    }

    fn right(&self, person: &mut Person, seen: &Seen<'_>) -> Answer {
        seen.filled(person, "")
    }

    fn wrong(&self, _: &Person, _: &Seen<'_>) -> Vec<Answer> {
        Vec::new()
    }

    fn records(&self, person: &mut Person, _: Timestamp) -> Vec<NewRecord> {
        vec![NewRecord {
            owner: RecordOwner::Subject,
            key: Some(token(person)),
            label: "Invitation".to_owned(),
            expires_at: None,
            data: State::default(),
        }]
    }

    fn entry(&self, person: &Person) -> Entry {
        Entry::Link {
            purpose: LinkPurpose::Invite,
            token: token(person),
        }
    }
}

fn token(person: &Person) -> Secret {
    Secret::new(format!("invitation-{}", person.number()))
}

struct IssuedCode {
    flaw: String,
}

#[async_trait]
impl Provider for IssuedCode {
    fn describe(&self) -> Description {
        Description {
            kind: "issued-code".to_owned(),
            label: "Invitation".to_owned(),
            class: FactorClass::Possession,
            amr: "otp".to_owned(),
            first_step: true,
            second_factor: false,
            backup: false,
            enrolment: false,
            finds_tenant: true,
            inline: false,
            links: vec![LinkPurpose::Invite],
            silent: false,
            third_party: false,
            mark: gatelodge_core::provider::Mark::default(),
            refusal_floor_ms: 0,
        }
    }

    async fn begin(&self, context: &Context<'_>, entry: Entry) -> Result<Turn> {
        let Entry::Link { token, .. } = entry else {
            return Ok(Turn::refused("unknown_entry"));
        };
        if context
            .services
            .record_by_key(token.expose())
            .await?
            .is_none()
        {
            return Ok(Turn::refused("unknown_link"));
        }
        Ok(Turn::prompt(Form::default()).with_state(State(token.expose().into())))
    }

    async fn resume(&self, context: &Context<'_>, state: State, answer: Answer) -> Result<Turn> {
        let token = String::from_utf8_lossy(&state.0).into_owned();
        let record = context.services.record_by_key(&token).await?;
        let (Some(record), Answer::Fields { .. }) = (record, answer) else {
            return Ok(Turn::refused("unknown_link"));
        };
        let subject = context.facts.subject.as_ref().map(|subject| subject.id);
        let tenant = context.facts.tenant.as_ref().map(|tenant| tenant.id);
        let who = match (record.user, subject, tenant) {
            (Some(_), None, Some(tenant)) if self.flaw == "names_nobody" => Who::Candidates {
                users: vec![(tenant, UserId::from_uuid(Default::default()))],
            },
            (Some(user), None, Some(tenant)) => Who::Candidates {
                users: vec![(tenant, user)],
            },
            (Some(user), Some(subject), _) if subject == user => Who::Subject { user },
            _ => return Ok(Turn::refused("somebody_elses_link")),
        };
        let turn = Turn::proven(Proof::of(who));
        Ok(match self.flaw.as_str() {
            "does_not_use_up" => turn,
            _ => turn.with_effect(Effect::UseUp {
                record: record.id,
                version: record.version,
            }),
        })
    }

    fn links(&self) -> Option<&dyn Links> {
        Some(self)
    }
}

#[async_trait]
impl Links for IssuedCode {
    async fn issue(&self, _: &Context<'_>, _: &LinkRequest) -> Result<Issued> {
        Err(Error::refused("nothing is issued here"))
    }
}
