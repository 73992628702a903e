//! Codes of an authenticator app as a provider: confirming a sign-in with one,
//! and setting an app up.

use std::{hint::black_box, sync::Arc};

use async_trait::async_trait;
use gatelodge_core::{
    Error as CoreError, Result,
    model::{FactorClass, RecordId},
    provider::{
        Answer, Context, Credential, Description, Display, Effect, Enrolment, Entry, Facts, Field,
        FieldKind, Form, KeptRecord, NewRecord, Proof, Provider, RecordOwner, Registry, Role,
        State, Step, Turn,
    },
    secret::Secret,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{Algorithm, Authenticator, Config, Error, protocol::SEED_BYTES};

/// What `kind` in the configuration says.
pub const KIND: &str = "totp";

/// The names of the fields.
const CODE: &str = "code";
const NAME: &str = "name";

/// The states: which step an answer belongs to, and the new seed behind `SETTING`.
const SIGNING_IN: &[u8] = b"sign-in";
const SETTING: &[u8] = b"set-up:";
const FULL: &[u8] = b"full";

/// What it is called, and an app that was given no name.
const LABEL: &str = "Authenticator app";
/// How many apps somebody can have.
const MOST_APPS: usize = 5;
/// The most characters of a typed code: apps show it in groups.
const MOST_TYPED: usize = 16;
/// The most characters of an app's name.
const MOST_NAME: usize = 60;

/// Adds the kind `totp` to the registry.
pub fn register(registry: &mut Registry) {
    registry.kind(KIND, |_, table| {
        let config = Config::from_table(table)?;
        Ok(Arc::new(TotpProvider::new(config)?))
    });
}

/// Confirming a sign-in with the code of an app. One record per app keeps its
/// seed and the last step that was accepted.
#[derive(Debug)]
pub struct TotpProvider {
    config: Config,
    /// Looked at for who has no app, so that the work is the same.
    decoy: Authenticator,
}

/// What a record holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    /// In base32.
    seed: Zeroizing<String>,
    algorithm: Algorithm,
    digits: u8,
    period: u64,
    /// This step and all before it are spent.
    last_step: u64,
}

impl TotpProvider {
    /// Checks the configuration.
    pub fn new(config: Config) -> Result<Self, Error> {
        config.check()?;
        let decoy = authenticator(&config, &[0; SEED_BYTES])?;
        Ok(Self { config, decoy })
    }

    /// Uses the code up with every record that it is right for; none, if it is
    /// right for none.
    fn spend(&self, facts: &Facts, records: &[KeptRecord], code: &str) -> Result<Vec<Effect>> {
        let now = seconds(facts);
        if records.is_empty() {
            black_box(self.decoy.step_of(code, now, self.config.skew));
        }
        let mut effects = Vec::new();
        for record in records {
            let Some((stored, authenticator)) = open(facts, record) else {
                continue;
            };
            let step = authenticator.step_of(code, now, self.config.skew);
            // RFC 6238 section 5.2: a code counts once, and none that is older.
            let Some(step) = step.filter(|step| *step > stored.last_step) else {
                continue;
            };
            effects.push(Effect::Replace {
                record: record.id,
                // Of answers that come at once one finds this version.
                version: record.version,
                with: keep(&authenticator, step, &record.label)?,
            });
        }
        Ok(effects)
    }

    fn set_up_form(
        &self,
        facts: &Facts,
        authenticator: &Authenticator,
        has_others: bool,
    ) -> Result<Form> {
        let tenant = facts.tenant.as_ref();
        let named = self.config.issuer.as_deref();
        let issuer = named.or(tenant.map(|tenant| tenant.display_name.as_str()));
        let account = facts.subject.as_ref().map(|subject| &subject.user_name);
        let uri = authenticator.uri(
            issuer.unwrap_or(&facts.rp_id),
            account.map_or("-", String::as_str),
        )?;
        let mut name = Field::new(
            NAME,
            FieldKind::Text,
            Role::Other,
            "Name of this app",
            "off",
        );
        name.required = false;
        name.max_length = u32::try_from(MOST_NAME).ok();
        name.help = Some("To tell it from others, such as “Phone”.".to_owned());
        let mut code = code_field(&format!("The {} digits it shows now", self.config.digits));
        code.help = Some(
            "If it is not accepted, wait for the next one, and let the device set its clock by \
             itself."
                .to_owned(),
        );
        let mut message = "Add this account to an authenticator app.".to_owned();
        if has_others {
            message.push_str(
                " What you have set up before goes on working; if it is lost, ask an \
                 administrator to remove it.",
            );
        }
        Ok(Form {
            message: Some(message),
            display: vec![
                Display::Qr {
                    label: "Scan this QR code with the app".to_owned(),
                    value: Secret::new(uri.as_str()),
                },
                Display::Secret {
                    label: "Or type this key into it".to_owned(),
                    value: Secret::new(authenticator.base32_groups().as_str()),
                },
            ],
            fields: vec![code, name],
            ..Form::default()
        })
    }
}

#[async_trait]
impl Provider for TotpProvider {
    fn describe(&self) -> Description {
        Description {
            kind: KIND.to_owned(),
            label: LABEL.to_owned(),
            class: FactorClass::Possession,
            amr: "otp".to_owned(),
            first_step: false,
            second_factor: true,
            backup: false,
            enrolment: true,
            finds_tenant: false,
            inline: true,
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
                let form = Form {
                    fields: vec![code_field("Code from the app")],
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
        let effects = self.spend(context.facts, &records, &code)?;
        if effects.is_empty() {
            return Ok(Turn::refused("wrong_code"));
        }
        let mut turn = Turn::proven(Proof::of_subject(subject.id));
        turn.effects = effects;
        Ok(turn)
    }

    fn enrolment(&self) -> Option<&dyn Enrolment> {
        Some(self)
    }
}

#[async_trait]
impl Enrolment for TotpProvider {
    async fn begin(&self, context: &Context<'_>) -> Result<Turn> {
        if context.facts.subject.is_none() {
            return Ok(Turn::refused("no_subject"));
        }
        let records = context.services.subject_records().await?;
        if records.len() >= MOST_APPS {
            let message = format!("You have {MOST_APPS} apps already; no more can be set up.");
            let form = Form {
                message: Some(message),
                ..Form::default()
            };
            return Ok(Turn::prompt(form).with_state(State(FULL.to_vec())));
        }
        let seed = Zeroizing::new(context.random::<SEED_BYTES>());
        let authenticator = authenticator(&self.config, seed.as_slice())?;
        let form = self.set_up_form(context.facts, &authenticator, !records.is_empty())?;
        let state = [SETTING, seed.as_slice()].concat();
        Ok(Turn::prompt(form).with_state(State(state)))
    }

    async fn resume(&self, context: &Context<'_>, state: State, answer: Answer) -> Result<Turn> {
        let seed = state.0.strip_prefix(SETTING);
        let seed = seed.filter(|seed| seed.len() == SEED_BYTES);
        let (Some(seed), true) = (seed, context.facts.subject.is_some()) else {
            let full = state.0 == FULL;
            return Ok(Turn::refused(if full {
                "too_many"
            } else {
                "foreign_state"
            }));
        };
        let code = match read_code(&answer) {
            Ok(code) => code,
            Err(invalid) => return Ok(*invalid),
        };
        let name = match read_name(&answer) {
            Ok(name) => name,
            Err(invalid) => return Ok(*invalid),
        };
        let records = context.services.subject_records().await?;
        if records.len() >= MOST_APPS {
            return Ok(Turn::refused("too_many"));
        }
        let authenticator = authenticator(&self.config, seed)?;
        let step = authenticator.step_of(&code, seconds(context.facts), self.config.skew);
        let Some(step) = step else {
            return Ok(Turn::refused("wrong_code"));
        };
        // The code that sets it up is spent by that.
        let record = keep(&authenticator, step, &name)?;
        Ok(Turn::step(Step::Enrolled {}).with_effect(Effect::Put { record }))
    }

    async fn list(&self, context: &Context<'_>) -> Result<Vec<Credential>> {
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
        if records.iter().any(|record| record.id == id) {
            return Ok(vec![Effect::Remove { record: id }]);
        }
        Err(CoreError::not_found("authenticator app"))
    }
}

fn authenticator(config: &Config, seed: &[u8]) -> Result<Authenticator, Error> {
    Authenticator::new(seed, config.algorithm, config.digits, config.period)
}

/// A record's authenticator. What cannot be read is right for no code; the
/// others of the same person still work.
fn open(facts: &Facts, record: &KeptRecord) -> Option<(Stored, Authenticator)> {
    let opened = read(record);
    if let Err(error) = &opened {
        tracing::error!(provider = %facts.provider, record = %record.id, "{error}");
    }
    opened.ok()
}

fn read(record: &KeptRecord) -> Result<(Stored, Authenticator), Error> {
    let stored: Stored = serde_json::from_slice(&record.data.0).map_err(|_| Error::Record)?;
    let Stored {
        seed,
        algorithm,
        digits,
        period,
        ..
    } = &stored;
    let authenticator = Authenticator::from_base32(seed, *algorithm, *digits, *period)
        .map_err(|_| Error::Record)?;
    Ok((stored, authenticator))
}

/// A record in which everything up to `last_step` is spent.
fn keep(authenticator: &Authenticator, last_step: u64, name: &str) -> Result<NewRecord> {
    let stored = Stored {
        seed: authenticator.base32(),
        algorithm: authenticator.algorithm(),
        digits: authenticator.digits(),
        period: authenticator.period(),
        last_step,
    };
    let data = serde_json::to_vec(&stored)
        .map_err(|error| CoreError::internal("cannot encode the authenticator").because(error))?;
    Ok(NewRecord {
        owner: RecordOwner::Subject,
        key: None,
        label: name.to_owned(),
        expires_at: None,
        data: State(data),
    })
}

/// The seconds since 1970; before that there are no codes.
fn seconds(facts: &Facts) -> u64 {
    u64::try_from(facts.now.as_second()).unwrap_or_default()
}

fn code_field(label: &str) -> Field {
    let mut field = Field::new(CODE, FieldKind::Code, Role::Code, label, "one-time-code");
    field.max_length = u32::try_from(MOST_TYPED).ok();
    field
}

/// The typed code without its spaces; else why it can be none.
fn read_code(answer: &Answer) -> Result<Zeroizing<String>, Box<Turn>> {
    let invalid = |code: &str, message: &str| Box::new(Turn::invalid(CODE, code, message));
    let Some(typed) = answer.field(CODE) else {
        return Err(invalid("required", "Enter the code."));
    };
    if typed.expose().chars().count() > MOST_TYPED {
        return Err(invalid("too_long", "The code has at most 8 digits."));
    }
    let code: String = typed
        .expose()
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect();
    // How many digits it is depends on the app; another number is just wrong.
    if !(6..=8).contains(&code.len()) || !code.bytes().all(|b| b.is_ascii_digit()) {
        return Err(invalid(
            "malformed",
            "Enter only the digits that the app shows.",
        ));
    }
    Ok(Zeroizing::new(code))
}

/// What the app is to be called.
fn read_name(answer: &Answer) -> Result<String, Box<Turn>> {
    let invalid = |code: &str, message: &str| Box::new(Turn::invalid(NAME, code, message));
    let typed = answer.field(NAME).map(Secret::expose).unwrap_or_default();
    let name = typed.trim();
    if typed.chars().count() > MOST_NAME {
        let message = format!("A name has at most {MOST_NAME} characters.");
        return Err(invalid("too_long", &message));
    }
    if name.chars().any(char::is_control) {
        return Err(invalid(
            "malformed",
            "A name has only letters that can be seen.",
        ));
    }
    Ok(if name.is_empty() { LABEL } else { name }.to_owned())
}
