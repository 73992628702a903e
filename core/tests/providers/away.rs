use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    model::{FactorClass, TenantId, UserId},
    provider::{Answer, Context, Description, Entry, Proof, Provider, State, Step, Turn, Who},
};

use super::{describe, form, user_name};

/// Sends the browser to a third party.
#[derive(Default)]
pub(crate) struct Away {
    /// Whether it asks for a name first, instead of beginning when chosen.
    asks_first: bool,
    busy: AtomicBool,
    people: Mutex<BTreeMap<String, (TenantId, UserId)>>,
}

impl Away {
    pub(crate) fn asking_first() -> Self {
        Self {
            asks_first: true,
            ..Self::default()
        }
    }

    /// Whether it has no room.
    pub(crate) fn is_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::SeqCst);
    }

    pub(crate) fn issue(&self, code: &str, user: (TenantId, UserId)) {
        self.people.lock().unwrap().insert(code.to_owned(), user);
    }
}

pub(super) fn redirect(context: &Context<'_>) -> Result<Turn> {
    let state = context.facts.oauth_state.as_deref();
    let state = state.ok_or_else(|| Error::internal("no state to leave with"))?;
    let callback = context.facts.callback.as_ref();
    let callback = callback.ok_or_else(|| Error::internal("no way back"))?;
    let mut url: url::Url = "https://third.example/authorize".parse().unwrap();
    url.query_pairs_mut()
        .append_pair("state", state)
        .append_pair("redirect_uri", callback.as_str());
    Ok(Turn::step(Step::Redirect { url }).with_state(State(b"left".to_vec())))
}

#[async_trait]
impl Provider for Away {
    fn describe(&self) -> Description {
        Description {
            class: FactorClass::Federated,
            finds_tenant: true,
            inline: self.asks_first,
            ..describe("away")
        }
    }

    fn busy(&self) -> Option<Duration> {
        let busy = self.busy.load(Ordering::SeqCst);
        busy.then_some(Duration::from_secs(1))
    }

    async fn begin(&self, context: &Context<'_>, _: Entry) -> Result<Turn> {
        if self.asks_first {
            return Ok(Turn::prompt(form([user_name()])));
        }
        redirect(context)
    }

    async fn resume(&self, context: &Context<'_>, state: State, answer: Answer) -> Result<Turn> {
        let Answer::Callback { parameters } = answer else {
            return redirect(context);
        };
        let code = parameters.get("code").map_or("", |code| code.expose());
        let person = self.people.lock().unwrap().get(code).copied();
        Ok(match person {
            Some(user) if state.0 == b"left" => {
                Turn::proven(Proof::of(Who::Candidates { users: vec![user] }))
            }
            _ => Turn::refused("denied_there"),
        })
    }
}
