//! A link that is sent to the mailbox and used up.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    environment::later,
    model::FactorClass,
    provider::{
        Answer, Context, Description, Effect, Entry, Field, FieldKind, Form, Intent, Issued,
        LinkPurpose, LinkRequest, Links, Message, NewRecord, Proof, Provider, ProviderTable,
        RecordOwner, Registry, Role, State, Step, Turn, Who,
    },
    secret::Secret,
};
use gatelodge_provider_suite::{Person, Replay, Seen};

const ASKED: &[u8] = b"mail:asked";
const SENT: &[u8] = b"mail:sent";

#[derive(Default)]
pub(crate) struct Fixture {
    pub(crate) flaw: &'static str,
}

impl gatelodge_provider_suite::Fixture for Fixture {
    fn register(&self, registry: &mut Registry) {
        registry.kind("mailed-link", |_, table| {
            let flaw = super::flaw(&table)?;
            Ok(Arc::new(MailedLink { flaw }))
        });
    }

    fn table(&self) -> ProviderTable {
        super::table(self.flaw)
    }

    fn replay(&self) -> Replay {
        Replay::Refused
    }

    fn right(&self, person: &mut Person, seen: &Seen<'_>) -> Answer {
        match seen.step {
            Step::Wait { .. } => Answer::Poll {},
            _ => seen.filled(person, ""),
        }
    }

    fn wrong(&self, _: &Person, _: &Seen<'_>) -> Vec<Answer> {
        Vec::new()
    }

    fn entry(&self, person: &Person) -> Entry {
        match person.inbox.last().and_then(|mail| mail.link.as_ref()) {
            Some(link) => Entry::Link {
                purpose: LinkPurpose::SignIn,
                token: link.token.clone(),
            },
            None => Entry::Chosen {},
        }
    }
}

struct MailedLink {
    flaw: String,
}

impl MailedLink {
    fn has(&self, flaw: &str) -> bool {
        self.flaw == flaw
    }

    async fn open(&self, context: &Context<'_>, token: &Secret) -> Result<Turn> {
        let Some(record) = context.services.record_by_key(token.expose()).await? else {
            return Ok(Turn::refused("unknown_link"));
        };
        let form = Form {
            message: Some("You are about to sign in.".to_owned()),
            ..Form::default()
        };
        let mut turn = Turn::prompt(form).with_state(State(token.expose().into()));
        if self.has("uses_up_at_the_beginning") {
            turn.effects.push(Effect::UseUp {
                record: record.id,
                version: record.version,
            });
        }
        Ok(turn)
    }

    fn send(&self, context: &Context<'_>) -> Turn {
        let token: String = context
            .random::<32>()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let linked = Secret::new(token.clone());
        let template = match self.flaw.as_str() {
            "names_the_token_in_the_template" => format!("sign-in {token}"),
            _ => "sign-in".to_owned(),
        };
        let minutes = Duration::from_secs(600);
        Turn::step(Step::Wait {
            poll_after_ms: if self.has("waits_for_ever") { 0 } else { 2_000 },
        })
        .with_state(State(SENT.to_vec()))
        .with_effect(Effect::Put {
            record: NewRecord {
                owner: RecordOwner::Subject,
                key: Some(Secret::new(token)),
                label: String::new(),
                expires_at: Some(later(context.now(), minutes)),
                data: State::default(),
            },
        })
        .with_effect(Effect::Send {
            message: Message::mail(
                template,
                match self.has("sends_what_is_over") {
                    true => context.now(),
                    false => later(context.now(), minutes),
                },
            )
            .with_link(LinkPurpose::SignIn, linked),
        })
    }
}

#[async_trait]
impl Provider for MailedLink {
    fn describe(&self) -> Description {
        Description {
            kind: "mailed-link".to_owned(),
            label: "Mail".to_owned(),
            class: FactorClass::Possession,
            amr: "mail".to_owned(),
            first_step: true,
            second_factor: true,
            backup: false,
            enrolment: false,
            finds_tenant: true,
            inline: false,
            links: vec![LinkPurpose::SignIn],
            silent: false,
            third_party: false,
            mark: gatelodge_core::provider::Mark::default(),
            refusal_floor_ms: 0,
        }
    }

    async fn begin(&self, context: &Context<'_>, entry: Entry) -> Result<Turn> {
        if let Entry::Link { token, .. } = entry {
            return self.open(context, &token).await;
        }
        let known = context.facts.intent != Intent::SignIn || !context.facts.proofs.is_empty();
        let (kind, role) = (FieldKind::Text, Role::Identifier);
        let who = Field::new("user_name", kind, role, "User name", "username");
        let form = Form {
            message: Some("A link is sent to your mailbox.".to_owned()),
            fields: if known { Vec::new() } else { vec![who] },
            ..Form::default()
        };
        Ok(Turn::prompt(form).with_state(State(ASKED.to_vec())))
    }

    async fn resume(&self, context: &Context<'_>, state: State, answer: Answer) -> Result<Turn> {
        match (state.0.as_slice(), &answer) {
            (SENT, Answer::Poll {}) => Ok(Turn::step(Step::Wait {
                poll_after_ms: 2_000,
            })
            .with_state(state)),
            (ASKED, Answer::Fields { .. }) if context.facts.subject.is_some() => {
                Ok(self.send(context))
            }
            (ASKED, Answer::Fields { .. }) => {
                Ok(Turn::invalid("user_name", "required", "Enter your name."))
            }
            (token, Answer::Fields { .. }) => {
                let token = String::from_utf8_lossy(token).into_owned();
                let Some(record) = context.services.record_by_key(&token).await? else {
                    return Ok(Turn::refused("unknown_link"));
                };
                let subject = context.facts.subject.as_ref().map(|subject| subject.id);
                let tenant = context.facts.tenant.as_ref().map(|tenant| tenant.id);
                let (Some(user), Some(tenant)) = (record.user, tenant) else {
                    return Ok(Turn::refused("nobodys_link"));
                };
                let who = match subject {
                    None => Who::Candidates {
                        users: vec![(tenant, user)],
                    },
                    Some(subject)
                        if subject == user || self.has("does_not_compare_the_subject") =>
                    {
                        Who::Subject { user: subject }
                    }
                    Some(_) => return Ok(Turn::refused("somebody_elses_link")),
                };
                let effect = match self.flaw.as_str() {
                    "removes_instead_of_using_up" => Effect::Remove { record: record.id },
                    _ => Effect::UseUp {
                        record: record.id,
                        version: record.version,
                    },
                };
                let turn = Turn::proven(Proof::of(who));
                Ok(match self.flaw.as_str() {
                    "does_not_use_up" => turn,
                    _ => turn.with_effect(effect),
                })
            }
            _ => Ok(Turn::refused("no_such_step")),
        }
    }

    fn links(&self) -> Option<&dyn Links> {
        Some(self)
    }
}

#[async_trait]
impl Links for MailedLink {
    async fn issue(&self, _: &Context<'_>, _: &LinkRequest) -> Result<Issued> {
        Err(Error::refused("nothing is issued here"))
    }
}
