//! A number of six digits, which people choose for themselves.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use gatelodge_core::{
    Error, ErrorKind, Result,
    model::{FactorClass, RecordId, UserId},
    provider::{
        Answer, Context, Credential, Description, Effect, Enrolment, Entry, Field, FieldKind, Form,
        Intent, KeptRecord, NewRecord, Proof, Provider, ProviderTable, RecordOwner, Registry, Role,
        Rule, State, Step, Turn, Who,
    },
};
use gatelodge_provider_suite::{Person, Purpose, Replay, Seen};
use serde_json::json;

const SIGN_IN: &[u8] = b"pin:sign-in";
const SET: &[u8] = b"pin:set";

/// Counts over all instances, as no provider must.
static EVERY_CALL: AtomicU32 = AtomicU32::new(0);

#[derive(Default)]
pub(crate) struct Fixture {
    pub(crate) flaw: &'static str,
}

impl gatelodge_provider_suite::Fixture for Fixture {
    fn register(&self, registry: &mut Registry) {
        registry.kind("pin", |_, table| {
            Ok(Arc::new(Pin {
                flaw: super::flaw(&table)?,
                memory: Mutex::default(),
            }))
        });
    }

    fn table(&self) -> ProviderTable {
        super::table(self.flaw)
    }

    fn replay(&self) -> Replay {
        Replay::Proves
    }

    fn right(&self, person: &mut Person, seen: &Seen<'_>) -> Answer {
        seen.filled(person, &person.number().to_string())
    }

    fn wrong(&self, person: &Person, seen: &Seen<'_>) -> Vec<Answer> {
        match seen.purpose {
            Purpose::Prove => vec![seen.filled(person, "100001")],
            Purpose::Enrol => Vec::new(),
        }
    }

    fn malformed(&self, person: &Person, seen: &Seen<'_>) -> Vec<Answer> {
        match seen.purpose {
            Purpose::Prove => Vec::new(),
            Purpose::Enrol => vec![seen.filled(person, "123456")],
        }
    }
}

struct Pin {
    flaw: String,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    begun: bool,
    wrong: u32,
    calls: u32,
    last: Option<UserId>,
    by_name: BTreeMap<String, String>,
    by_user: BTreeMap<UserId, KeptRecord>,
}

impl Pin {
    fn has(&self, flaw: &str) -> bool {
        self.flaw == flaw
    }

    fn form(&self, context: &Context<'_>) -> Form {
        let known = context.facts.intent != Intent::SignIn || !context.facts.proofs.is_empty();
        let who = Field::new(
            "user_name",
            FieldKind::Text,
            Role::Identifier,
            "User name",
            "username",
        );
        let mut pin = Field::new(
            "pin",
            FieldKind::Password,
            Role::Secret,
            "PIN",
            "current-password",
        );
        if self.has("prefills") {
            pin.value = Some("000000".to_owned());
        }
        let mut form = Form {
            fields: vec![pin],
            ..Form::default()
        };
        if !known {
            form.fields.insert(0, who);
        }
        if self.has("draws_itself") {
            let number = EVERY_CALL.fetch_add(1, Ordering::SeqCst);
            form.message = Some(format!("Try number {number}."));
        }
        form
    }

    /// The PIN that is kept, with the ways to get at another one.
    fn kept(&self, context: &Context<'_>, records: &[KeptRecord]) -> Option<String> {
        let mut memory = self.memory.lock().unwrap();
        let subject = context.facts.subject.as_ref()?;
        let mut record = records.last().cloned();
        if let Some(record) = &record {
            memory.by_user.insert(subject.id, record.clone());
        }
        if self.has("remembers_records") {
            record = memory.by_user.get(&subject.id).cloned();
        }
        let mut kept = record.and_then(|record| read(&record));
        if self.has("knows_people_by_name") {
            if let Some(kept) = kept {
                memory
                    .by_name
                    .entry(subject.user_name.clone())
                    .or_insert(kept);
            }
            kept = memory.by_name.get(&subject.user_name).cloned();
        }
        kept
    }

    fn check_form_of_answer(&self, answer: &Answer, field: &str) -> Result<String, Box<Turn>> {
        let invalid = |code: &str, message: &str| Box::new(Turn::invalid(field, code, message));
        let Some(pin) = answer.field(field) else {
            return Err(if self.has("refuses_what_is_missing") {
                Box::new(Turn::refused("missing"))
            } else {
                invalid("required", "Enter your PIN.")
            });
        };
        if pin.len() > 64 {
            return Err(if self.has("refuses_what_is_too_long") {
                Box::new(Turn::refused("too_long"))
            } else {
                invalid("too_long", "A PIN has six digits.")
            });
        }
        Ok(pin.expose().to_owned())
    }

    fn refused(&self, pin: &str) -> Turn {
        match self.flaw.as_str() {
            "tells_the_secret_in_the_reason" => Turn::refused(&format!("wrong {pin}")),
            "tells_it_in_prose" => Turn::refused("That was wrong!"),
            "acts_on_a_refusal" => Turn::refused("wrong_pin").with_effect(Effect::Put {
                record: record("1", 1),
            }),
            "echoes" => Turn::invalid("pin", "wrong", format!("{pin} is wrong.")),
            _ => Turn::refused("wrong_pin"),
        }
    }

    fn proven(&self, context: &Context<'_>, user: UserId) -> Turn {
        let mut memory = self.memory.lock().unwrap();
        let last = memory.last.replace(user);
        let user = match self.flaw.as_str() {
            "mixes_people_up" => last.unwrap_or(user),
            "proves_somebody_else" => UserId::from_uuid(Default::default()),
            _ => user,
        };
        let mut proof = Proof::of_subject(user);
        if self.has("names_candidates") {
            let tenant = context.facts.tenant.as_ref().unwrap().id;
            proof.who = Who::Candidates {
                users: vec![(tenant, user)],
            };
        }
        if self.has("has_its_own_clock") {
            proof.at = Some("2025-06-07T08:09:10Z".parse().unwrap());
        }
        Turn::proven(proof)
    }

    /// What is wrong before the answer is looked at.
    fn objection(
        &self,
        context: &Context<'_>,
        state: &State,
        answer: &Answer,
    ) -> Result<Option<Turn>> {
        let foreign = match self.flaw.as_str() {
            "has_a_large_state" => !state.0.starts_with(SIGN_IN),
            _ => state.0 != SIGN_IN,
        };
        match self.flaw.as_str() {
            "takes_any_state" => {}
            "takes_the_state_of_setting_up" if state.0 == SET => {}
            "fails_on_a_cut_state" if foreign && SIGN_IN.starts_with(&state.0) => {
                return Err(Error::internal("the state is cut"));
            }
            "panics_on_foreign_states" => assert!(!foreign, "what is this?"),
            _ if foreign => return Ok(Some(Turn::refused("foreign_state"))),
            _ => {}
        }
        if self.has("fails_on_unknown_fields")
            && let Answer::Fields { values } = answer
            && values.keys().any(|name| name.starts_with("suite"))
        {
            return Err(Error::invalid("answer", "there is an unknown field"));
        }
        if self.has("keeps_the_flow_in_memory") && !self.memory.lock().unwrap().begun {
            return Ok(Some(Turn::refused("not_begun")));
        }
        if self.has("does_not_prove_again") && context.facts.intent == Intent::Reprove {
            return Ok(Some(Turn::refused("only_once")));
        }
        if context.facts.subject.is_none() {
            let message = "Enter your user name.";
            return Ok(Some(Turn::invalid("user_name", "required", message)));
        }
        Ok(None)
    }
}

#[async_trait]
impl Provider for Pin {
    fn describe(&self) -> Description {
        let mut memory = self.memory.lock().unwrap();
        memory.calls += 1;
        Description {
            kind: "pin".to_owned(),
            label: match self.flaw.as_str() {
                "changes_its_label" => format!("PIN {}", memory.calls),
                _ => "PIN".to_owned(),
            },
            class: FactorClass::Knowledge,
            amr: match self.flaw.as_str() {
                "has_no_amr" => String::new(),
                _ => "pin".to_owned(),
            },
            first_step: true,
            second_factor: true,
            backup: self.has("says_it_stands_in"),
            enrolment: !self.has("hides_enrolment"),
            finds_tenant: false,
            inline: true,
            links: Vec::new(),
            silent: false,
            third_party: false,
            mark: gatelodge_core::provider::Mark::default(),
            refusal_floor_ms: 0,
        }
    }

    async fn begin(&self, context: &Context<'_>, entry: Entry) -> Result<Turn> {
        self.memory.lock().unwrap().begun = true;
        if matches!(entry, Entry::Link { .. }) && !self.has("takes_any_entry") {
            return Ok(Turn::refused("unknown_entry"));
        }
        if self.has("fails_to_begin_for_sign_up") && context.facts.intent == Intent::SignUp {
            return Err(Error::new(ErrorKind::Unsupported, "no sign-up"));
        }
        let mut turn = Turn::prompt(self.form(context)).with_state(State(SIGN_IN.to_vec()));
        if self.has("has_a_large_state") {
            turn.state.0.resize(17 * 1024, 0);
        }
        if self.has("acts_at_the_beginning") {
            for kept in context.services.subject_records().await? {
                turn.effects.push(Effect::Remove { record: kept.id });
            }
        }
        Ok(turn)
    }

    async fn resume(&self, context: &Context<'_>, state: State, answer: Answer) -> Result<Turn> {
        if let Some(turn) = self.objection(context, &state, &answer)? {
            return Ok(turn);
        }
        if self.has("takes_any_kind_of_answer") && matches!(answer, Answer::Poll {}) {
            return Ok(Turn::prompt(self.form(context)).with_state(state));
        }
        let pin = match self.check_form_of_answer(&answer, "pin") {
            Ok(pin) => pin,
            Err(turn) => return Ok(*turn),
        };
        if self.has("fails_on_control_characters") && pin.chars().any(char::is_control) {
            return Err(Error::invalid("pin", "there is a control character"));
        }
        let records = context.services.subject_records().await?;
        let user = context.facts.subject.as_ref().unwrap().id;
        let is_right = match (self.kept(context, &records), self.flaw.as_str()) {
            (_, "accepts_anything") => true,
            (None, "accepts_who_set_nothing_up") => true,
            (None, "accepts_what_it_cannot_read") => !records.is_empty(),
            (None, "tells_strangers") => {
                return Ok(Turn::invalid(
                    "user_name",
                    "unknown",
                    "Nobody has this name.",
                ));
            }
            (_, "accepts_anybodys") => is_anybodys(&pin),
            (kept, _) => kept.is_some_and(|kept| kept == pin),
        };
        if !is_right {
            self.memory.lock().unwrap().wrong += 1;
            return Ok(self.refused(&pin));
        }
        if self.has("holds_a_grudge") && self.memory.lock().unwrap().wrong > 0 {
            return Ok(self.refused(&pin));
        }
        Ok(self.proven(context, user))
    }

    fn rules(&self) -> Vec<Rule> {
        vec![Rule {
            key: None,
            text: match self.flaw.as_str() {
                "has_an_empty_rule" => String::new(),
                _ => "A PIN has six digits.".to_owned(),
            },
            breaks: Vec::new(),
        }]
    }

    fn enrolment(&self) -> Option<&dyn Enrolment> {
        Some(self)
    }
}

#[async_trait]
impl Enrolment for Pin {
    async fn begin(&self, context: &Context<'_>) -> Result<Turn> {
        let field = Field::new(
            "new_pin",
            FieldKind::NewPassword,
            Role::Secret,
            "New PIN",
            "new-password",
        );
        let mut turn = Turn::prompt(Form {
            fields: vec![field],
            ..Form::default()
        });
        if self.has("clears_when_setting_up_begins") {
            for kept in context.services.subject_records().await? {
                turn.effects.push(Effect::Remove { record: kept.id });
            }
        }
        Ok(turn.with_state(State(SET.to_vec())))
    }

    async fn resume(&self, context: &Context<'_>, state: State, answer: Answer) -> Result<Turn> {
        if state.0 != SET {
            return Ok(Turn::refused("foreign_state"));
        }
        let pin = match self.check_form_of_answer(&answer, "new_pin") {
            Ok(pin) => pin,
            Err(turn) => return Ok(*turn),
        };
        let weak = pin == "123456" || pin.chars().count() < 6;
        if weak && !self.has("takes_weak_ones") {
            return Ok(Turn::invalid("new_pin", "too_weak", "Choose another PIN."));
        }
        let long = if self.has("keeps_long_labels") {
            101
        } else {
            1
        };
        let mut new = record(&pin, long);
        if self.has("keeps_it_for_nobody") {
            new.owner = RecordOwner::Nobody;
        }
        let records = context.services.subject_records().await?;
        let mut turn = Turn::step(Step::Enrolled {});
        turn.effects.push(match records.last() {
            Some(present) if !self.has("piles_up") => Effect::Replace {
                record: present.id,
                version: present.version,
                with: new,
            },
            _ => Effect::Put { record: new },
        });
        let subject = context.facts.subject.as_ref().unwrap().id;
        if self.has("removes_what_others_have") {
            let memory = self.memory.lock().unwrap();
            for (user, record) in &memory.by_user {
                if *user != subject {
                    turn.effects.push(Effect::Remove { record: record.id });
                }
            }
        }
        Ok(turn)
    }

    async fn list(&self, context: &Context<'_>) -> Result<Vec<Credential>> {
        if self.has("lists_nothing") {
            return Ok(Vec::new());
        }
        let records = context.services.subject_records().await?;
        let listed = records.into_iter().map(|record| Credential {
            id: record.id,
            label: record.label,
            created_at: record.created_at,
            left: None,
        });
        Ok(listed.collect())
    }

    async fn remove(&self, context: &Context<'_>, id: RecordId) -> Result<Vec<Effect>> {
        let records = context.services.subject_records().await?;
        let has_it = records.iter().any(|record| record.id == id);
        if !has_it && !self.has("removes_anything") {
            return Err(Error::not_found("PIN"));
        }
        if self.has("removes_nothing") {
            return Ok(Vec::new());
        }
        Ok(vec![Effect::Remove { record: id }])
    }
}

/// Whether it is one of the numbers that the suite hands out.
fn is_anybodys(pin: &str) -> bool {
    let number: u32 = pin.parse().unwrap_or_default();
    (271_828..371_828).contains(&number)
}

fn read(record: &KeptRecord) -> Option<String> {
    let kept: serde_json::Value = serde_json::from_slice(&record.data.0).ok()?;
    Some(kept.get("pin")?.as_str()?.to_owned())
}

fn record(pin: &str, label: usize) -> NewRecord {
    NewRecord {
        owner: RecordOwner::Subject,
        key: None,
        label: "P".repeat(label),
        expires_at: None,
        data: State(json!({ "pin": pin }).to_string().into_bytes()),
    }
}
