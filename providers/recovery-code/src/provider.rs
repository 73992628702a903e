//! Recovery codes as a provider: confirming a sign-in with one, and making a set.

use std::{hint::black_box, sync::Arc};

use async_trait::async_trait;
use gatelodge_core::{
    Error as CoreError, ErrorKind, Result,
    model::{FactorClass, RecordId},
    provider::{
        Answer, Context, Credential, Description, Display, Effect, Enrolment, Entry, Facts, Field,
        FieldKind, Form, KeptRecord, NewRecord, Proof, Provider, RecordOwner, Registry, Role,
        State, Step, Turn,
    },
    secret::Secret,
};
use zeroize::Zeroizing;

use crate::protocol::{CODE_BYTES, CODES, Code, CodeSet};

/// What `kind` in the configuration says.
pub const KIND: &str = "recovery-code";

/// The names of the fields.
const CODE: &str = "code";
const KEPT: &str = "kept";

/// The states: which step an answer belongs to, and behind `SETTING` the new
/// set, whose hashes are all that has to be known of it.
const SIGNING_IN: &[u8] = b"sign-in";
const SETTING: &[u8] = b"set-up:";

/// The most characters of a typed code: with a space around each of its own.
const MOST_TYPED: usize = 80;

/// Adds the kind `recovery-code` to the registry.
pub fn register(registry: &mut Registry) {
    registry.kind(KIND, |_, table| match table.keys().next() {
        None => Ok(Arc::new(RecoveryCodeProvider)),
        Some(key) => Err(CoreError::new(
            ErrorKind::Invalid,
            format!("`{key}` is not a key of the recovery-code provider, which has none"),
        )),
    });
}

/// Confirming a sign-in with a code that was put aside. One record per user
/// keeps what is left of the set.
#[derive(Debug, Clone, Copy)]
pub struct RecoveryCodeProvider;

#[async_trait]
impl Provider for RecoveryCodeProvider {
    fn describe(&self) -> Description {
        Description {
            kind: KIND.to_owned(),
            label: "Recovery code".to_owned(),
            // NIST SP 800-63B-4 section 3.1.2: look-up secrets are something one has.
            class: FactorClass::Possession,
            amr: "otp".to_owned(),
            first_step: false,
            second_factor: true,
            backup: true,
            enrolment: true,
            finds_tenant: false,
            // The last resort, so it does not stand beside the usual way at once.
            inline: false,
            // There are no outside calls, and the work is the same for everybody.
            links: Vec::new(),
            silent: false,
            third_party: false,
            mark: gatelodge_core::provider::Mark::default(),
            refusal_floor_ms: 0,
        }
    }

    async fn begin(&self, _: &Context<'_>, entry: Entry) -> Result<Turn> {
        Ok(match entry {
            Entry::Chosen {} => {
                let label = "Recovery code";
                let mut code = Field::new(CODE, FieldKind::Code, Role::Code, label, "off");
                code.max_length = u32::try_from(MOST_TYPED).ok();
                code.help = Some(
                    "One of those that you put aside. Each works once; capitals, spaces and \
                     hyphens do not matter."
                        .to_owned(),
                );
                let form = Form {
                    fields: vec![code],
                    ..Form::default()
                };
                Turn::prompt(form).with_state(State(SIGNING_IN.to_vec()))
            }
            Entry::Link { .. } => Turn::refused("unsupported_entry"),
        })
    }

    async fn resume(&self, context: &Context<'_>, state: State, answer: Answer) -> Result<Turn> {
        let Some(subject) = &context.facts.subject else {
            return Ok(Turn::refused("no_subject"));
        };
        if state.0 != SIGNING_IN {
            return Ok(Turn::refused("foreign_state"));
        }
        let code = match read_code(&answer) {
            Ok(code) => code,
            Err(invalid) => return Ok(*invalid),
        };
        let records = context.services.subject_records().await?;
        let kept = records
            .last()
            .and_then(|record| Some((record, open(context.facts, record)?)));
        let Some((record, set)) = kept else {
            black_box(CodeSet::decoy().without(&code));
            return Ok(Turn::refused("no_codes"));
        };
        let Some(left) = set.without(&code) else {
            return Ok(Turn::refused("wrong_code"));
        };
        // Of answers that come at once one finds the version that it read; the
        // others are asked again, and the code is not in the set any more.
        let effect = if left.is_empty() {
            Effect::UseUp {
                record: record.id,
                version: record.version,
            }
        } else {
            Effect::Replace {
                record: record.id,
                version: record.version,
                with: keep(context.facts, &left)?,
            }
        };
        Ok(Turn::proven(Proof::of_subject(subject.id)).with_effect(effect))
    }

    fn enrolment(&self) -> Option<&dyn Enrolment> {
        Some(self)
    }
}

#[async_trait]
impl Enrolment for RecoveryCodeProvider {
    async fn begin(&self, context: &Context<'_>) -> Result<Turn> {
        if context.facts.subject.is_none() {
            return Ok(Turn::refused("no_subject"));
        }
        let records = context.services.subject_records().await?;
        let codes: [Code; CODES] = std::array::from_fn(|_| {
            let bytes = Zeroizing::new(context.random::<CODE_BYTES>());
            Code::from_bytes(&bytes)
        });
        let set = encoded(&CodeSet::of(&codes))?;
        let state = [SETTING, set.as_slice()].concat();
        let form = set_up_form(&codes, !records.is_empty());
        Ok(Turn::prompt(form).with_state(State(state)))
    }

    async fn resume(&self, context: &Context<'_>, state: State, answer: Answer) -> Result<Turn> {
        let set = state.0.strip_prefix(SETTING).and_then(decoded);
        let set = set.filter(|set| set.len() == CODES);
        let (Some(set), true) = (set, context.facts.subject.is_some()) else {
            return Ok(Turn::refused("foreign_state"));
        };
        // They are shown this once, so nothing is kept before somebody has them.
        if answer.field(KEPT).map(Secret::expose) != Some("true") {
            let message = "Put the codes aside first, and say so here.";
            return Ok(Turn::invalid(KEPT, "required", message));
        }
        let records = context.services.subject_records().await?;
        let mut turn = Turn::step(Step::Enrolled {});
        // A new set takes the place of the one before, with all its codes.
        turn.effects
            .extend(records.iter().map(|record| Effect::UseUp {
                record: record.id,
                version: record.version,
            }));
        let record = keep(context.facts, &set)?;
        Ok(turn.with_effect(Effect::Put { record }))
    }

    async fn list(&self, context: &Context<'_>) -> Result<Vec<Credential>> {
        let records = context.services.subject_records().await?;
        let listed = records.into_iter().map(|record| Credential {
            id: record.id,
            left: open(context.facts, &record).and_then(|set| u32::try_from(set.len()).ok()),
            label: record.label,
            created_at: record.created_at,
        });
        Ok(listed.collect())
    }

    async fn remove(&self, context: &Context<'_>, id: RecordId) -> Result<Vec<Effect>> {
        let records = context.services.subject_records().await?;
        if records.iter().any(|record| record.id == id) {
            return Ok(vec![Effect::Remove { record: id }]);
        }
        Err(CoreError::not_found("set of recovery codes"))
    }
}

fn set_up_form(codes: &[Code], replaces: bool) -> Form {
    let mut message = "Each of these codes works once, in place of your other second step. Print \
                       them or put them into a password manager: they are shown only now."
        .to_owned();
    if replaces {
        message.push_str(" The codes that you have now stop working.");
    }
    let shown = codes.iter().map(|code| Secret::new(code.shown().as_str()));
    Form {
        message: Some(message),
        display: vec![Display::CodeList {
            label: "Your recovery codes".to_owned(),
            values: shown.collect(),
        }],
        fields: vec![Field::new(
            KEPT,
            FieldKind::Checkbox,
            Role::Other,
            "I have put these codes aside",
            "off",
        )],
        ..Form::default()
    }
}

/// What a record holds. What cannot be read holds no code.
fn open(facts: &Facts, record: &KeptRecord) -> Option<CodeSet> {
    let set = decoded(&record.data.0);
    if set.is_none() {
        let (provider, record) = (&facts.provider, record.id);
        tracing::error!(%provider, %record, "the record of recovery codes cannot be read");
    }
    set
}

fn decoded(bytes: &[u8]) -> Option<CodeSet> {
    let set: CodeSet = serde_json::from_slice(bytes).ok()?;
    (1..=CODES).contains(&set.len()).then_some(set)
}

fn encoded(set: &CodeSet) -> Result<Vec<u8>> {
    serde_json::to_vec(set)
        .map_err(|error| CoreError::internal("cannot encode the recovery codes").because(error))
}

fn keep(facts: &Facts, set: &CodeSet) -> Result<NewRecord> {
    let subject = facts.subject.as_ref();
    Ok(NewRecord {
        owner: RecordOwner::Subject,
        // One set for each user, also when two are made at once.
        key: subject.map(|subject| Secret::new(subject.id.to_string())),
        label: match set.len() {
            1 => "1 code left".to_owned(),
            left => format!("{left} codes left"),
        },
        expires_at: None,
        data: State(encoded(set)?),
    })
}

/// The typed code; else why it can be none.
fn read_code(answer: &Answer) -> Result<Code, Box<Turn>> {
    let invalid = |code: &str, message: &str| Box::new(Turn::invalid(CODE, code, message));
    let Some(typed) = answer.field(CODE) else {
        return Err(invalid("required", "Enter a recovery code."));
    };
    if typed.expose().chars().count() > MOST_TYPED {
        return Err(invalid(
            "too_long",
            "A recovery code has 24 letters and digits.",
        ));
    }
    Code::read(typed.expose())
        .ok_or_else(|| invalid("malformed", "A recovery code has 24 letters and digits."))
}
