use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use gatelodge_core::{
    Error, ErrorKind, Result,
    model::{FactorClass, RecordId},
    provider::{
        Answer, Context, Credential, Description, Effect, Enrolment, Entry, Intent, NewRecord,
        Proof, Provider, RecordOwner, Renewal, Rule, State, Step, Turn,
    },
};

use super::{describe, form, secret, user_name};
use crate::support::Interlude;

/// A secret word beside a user name: like a password, without the hash.
///
/// The word `fault` makes it fail; one of fewer than four letters is invalid.
#[derive(Default)]
pub(crate) struct Word {
    asked: AtomicUsize,
    weak: AtomicBool,
    busy: Mutex<Option<Duration>>,
    renew: Mutex<Option<Renewal>>,
    interlude: Mutex<Option<Interlude>>,
}

impl Word {
    /// How many words were compared.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Whether a right word is written anew, as a weak hash is.
    pub(crate) fn is_weak(&self, weak: bool) {
        self.weak.store(weak, Ordering::SeqCst);
    }

    /// Whether it has no room, and for how long.
    pub(crate) fn is_busy(&self, busy: Option<Duration>) {
        *self.busy.lock().unwrap() = busy;
    }

    /// What it says of a right word.
    pub(crate) fn renews(&self, renew: Option<Renewal>) {
        *self.renew.lock().unwrap() = renew;
    }

    /// Lets something happen while a word is being compared.
    pub(crate) fn meanwhile(&self, interlude: Interlude) {
        *self.interlude.lock().unwrap() = Some(interlude);
    }
}

#[async_trait]
impl Provider for Word {
    fn describe(&self) -> Description {
        Description {
            class: FactorClass::Knowledge,
            amr: "pwd".to_owned(),
            enrolment: true,
            ..describe("word")
        }
    }

    async fn begin(&self, context: &Context<'_>, entry: Entry) -> Result<Turn> {
        let again = context.facts.intent == Intent::Reprove;
        Ok(match entry {
            Entry::Chosen {} if again => {
                let mut name = user_name();
                name.required = false;
                Turn::prompt(form([name, secret("password")]))
            }
            Entry::Chosen {} => Turn::prompt(form([user_name(), secret("password")])),
            Entry::Link { .. } => Turn::refused("no_link"),
        })
    }

    async fn resume(&self, context: &Context<'_>, _: State, answer: Answer) -> Result<Turn> {
        let Some(word) = answer.field("password") else {
            return Ok(Turn::invalid("password", "missing", "A word is missing."));
        };
        match word.expose() {
            "fault" => return Err(Error::new(ErrorKind::Unavailable, "out of words")),
            short if short.len() < 4 => {
                return Ok(Turn::invalid("password", "too_short", "Too short."));
            }
            _ => {}
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        let interlude = self.interlude.lock().unwrap().take();
        if let Some(interlude) = interlude {
            interlude.await;
        }
        let records = context.services.subject_records().await?;
        let subject = context.facts.subject.as_ref();
        Ok(match (records.first(), subject) {
            (Some(record), Some(subject)) if record.data.0 == word.expose().as_bytes() => {
                let proof = Proof {
                    renew: *self.renew.lock().unwrap(),
                    ..Proof::of_subject(subject.id)
                };
                let turn = Turn::proven(proof);
                if !self.weak.load(Ordering::SeqCst) {
                    return Ok(turn);
                }
                turn.with_effect(Effect::Replace {
                    record: record.id,
                    version: record.version,
                    with: kept("new_password", word.expose()),
                })
            }
            (Some(_), _) => Turn::refused("wrong_word"),
            (None, _) => Turn::refused("no_word"),
        })
    }

    fn busy(&self) -> Option<Duration> {
        *self.busy.lock().unwrap()
    }

    fn rules(&self) -> Vec<Rule> {
        vec![Rule {
            key: Some("shortest".to_owned()),
            text: "A word has four letters or more.".to_owned(),
            breaks: Vec::new(),
        }]
    }

    fn enrolment(&self) -> Option<&dyn Enrolment> {
        Some(self)
    }
}

#[async_trait]
impl Enrolment for Word {
    async fn begin(&self, _: &Context<'_>) -> Result<Turn> {
        Ok(Turn::prompt(form([secret("new_password")])))
    }

    async fn resume(&self, context: &Context<'_>, _: State, answer: Answer) -> Result<Turn> {
        set_up(context, &answer, "new_password", 4).await
    }

    async fn list(&self, context: &Context<'_>) -> Result<Vec<Credential>> {
        list(context).await
    }

    async fn remove(&self, _: &Context<'_>, id: RecordId) -> Result<Vec<Effect>> {
        Ok(vec![Effect::Remove { record: id }])
    }
}

/// Keeps what a field holds as the subject's one record.
pub(super) async fn set_up(
    context: &Context<'_>,
    answer: &Answer,
    field: &str,
    shortest: usize,
) -> Result<Turn> {
    let Some(word) = answer.field(field).filter(|word| word.len() >= shortest) else {
        return Ok(Turn::invalid(field, "too_short", "Too short."));
    };
    let with = kept(field, word.expose());
    let records = context.services.subject_records().await?;
    let effect = match records.first() {
        Some(record) => Effect::Replace {
            record: record.id,
            version: record.version,
            with,
        },
        None => Effect::Put { record: with },
    };
    Ok(Turn::step(Step::Enrolled {}).with_effect(effect))
}

fn kept(label: &str, word: &str) -> NewRecord {
    NewRecord {
        owner: RecordOwner::Subject,
        key: None,
        label: label.to_owned(),
        expires_at: None,
        data: State(word.as_bytes().to_vec()),
    }
}

pub(super) async fn list(context: &Context<'_>) -> Result<Vec<Credential>> {
    let records = context.services.subject_records().await?;
    let credentials = records.into_iter().map(|record| Credential {
        id: record.id,
        label: record.label,
        created_at: record.created_at,
        left: None,
    });
    Ok(credentials.collect())
}
