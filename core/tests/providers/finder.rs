use std::{collections::BTreeMap, sync::Mutex};

use async_trait::async_trait;
use gatelodge_core::{
    Result,
    model::{TenantId, UserId},
    provider::{
        Answer, Context, Description, Effect, Entry, NewRecord, Proof, Provider, RecordOwner,
        State, Turn, Who,
    },
};

use super::{code_field, describe, form};

/// Finds the tenant: a ticket stands for one user or several.
#[derive(Default)]
pub(crate) struct Finder {
    tickets: Mutex<BTreeMap<String, Vec<(TenantId, UserId)>>>,
}

impl Finder {
    pub(crate) fn issue(&self, ticket: &str, users: Vec<(TenantId, UserId)>) {
        self.tickets
            .lock()
            .unwrap()
            .insert(ticket.to_owned(), users);
    }
}

#[async_trait]
impl Provider for Finder {
    fn describe(&self) -> Description {
        Description {
            finds_tenant: true,
            ..describe("finder")
        }
    }

    async fn begin(&self, _: &Context<'_>, _: Entry) -> Result<Turn> {
        Ok(Turn::prompt(form([code_field("ticket")])))
    }

    async fn resume(&self, _: &Context<'_>, _: State, answer: Answer) -> Result<Turn> {
        let ticket = answer.field("ticket").map_or("", |ticket| ticket.expose());
        let users = self.tickets.lock().unwrap().get(ticket).cloned();
        let Some(users) = users else {
            return Ok(Turn::refused("no_such_ticket"));
        };
        let turn = Turn::proven(Proof::of(Who::Candidates { users }));
        Ok(if ticket.starts_with("noted") {
            turn.with_effect(Effect::Put {
                record: NewRecord {
                    owner: RecordOwner::Subject,
                    key: None,
                    label: "noted".to_owned(),
                    expires_at: None,
                    data: State::default(),
                },
            })
        } else {
            turn
        })
    }
}
