//! Codes by mail or SMS as a provider: confirming a sign-in with one, and setting an address
//! up. One record per address keeps it, the newest code sent to it, and when codes were.

use std::{iter, sync::Arc};

use async_trait::async_trait;
use gatelodge_core::{
    Error as CoreError, Result,
    environment::later,
    model::{FactorClass, RecordId, UserId},
    provider::{
        Action, ActionStyle, Answer, Context, Credential, Description, Display, Effect, Enrolment,
        Entry, Facts, Field, FieldKind, Form, KeptRecord, Message, MessageChannel, NewRecord,
        Proof, Provider, RecordOwner, Registry, Role, State, Step, Subject, Turn,
    },
    secret::Secret,
};
use serde::{Deserialize, Serialize};

use crate::{
    Address, Code, Config,
    protocol::{CODE_BYTES, Issued, Kept, KeptPace, NONCE_BYTES, Nonce, Pace, Words, told},
};

/// What `kind` in the configuration says.
pub const KIND: &str = "one-time-code";

/// The names of the fields.
const CODE: &str = "code";
const TO: &str = "address";
/// The ids of the buttons. With several addresses there is one `send_…` for each.
const SEND: [&str; MOST_ADDRESSES] = ["send", "send_2", "send_3"];
const AGAIN: &str = "send_again";
const OTHER: &str = "other_address";

/// The templates.
const TO_SIGN_IN: &str = "second_factor_code";
const TO_SET_UP: &str = "code";

/// How many addresses somebody can have.
const MOST_ADDRESSES: usize = 3;
/// The most characters of a typed code: with a space around each digit.
const MOST_TYPED: u32 = 32;

/// Adds the kind `one-time-code` to the registry.
pub fn register(registry: &mut Registry) {
    registry.kind(KIND, |_, table| {
        let config = Config::from_table(table)?;
        Ok(Arc::new(OneTimeCodeProvider { config }))
    });
}

/// Confirming a sign-in with a code that was sent to a mailbox or a telephone.
#[derive(Debug, Clone)]
pub struct OneTimeCodeProvider {
    config: Config,
}

/// The step that an answer belongs to.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    /// It is asked which of these addresses a code is to be sent to.
    Offered(Vec<RecordId>),
    /// A code was sent there.
    Sent(RecordId, Nonce),
    /// It is asked which address is to be set up.
    SettingUp,
    /// A code was sent to one that is to be set up.
    Proving(Proving),
    /// Nothing can be set up.
    Closed,
}

/// A code that was sent to an address that is to be set up.
#[derive(Clone, Serialize, Deserialize)]
struct Proving {
    to: Address,
    nonce: Nonce,
    issued: Issued,
}

impl Stage {
    fn read(state: &State) -> Option<Self> {
        serde_json::from_slice(&state.0).ok()
    }

    fn asks(&self, form: Form) -> Result<Turn> {
        Ok(Turn::prompt(form).with_state(written(self)?))
    }
}

#[async_trait]
impl Provider for OneTimeCodeProvider {
    fn describe(&self) -> Description {
        // RFC 8176 has a word for an SMS and none for a mail.
        let amr = match self.config.channel {
            MessageChannel::Mail => "otp",
            MessageChannel::Sms => "sms",
        };
        Description {
            kind: KIND.to_owned(),
            label: self.words().label.to_owned(),
            class: FactorClass::Possession,
            amr: amr.to_owned(),
            first_step: false,
            second_factor: true,
            backup: false,
            silent: false,
            third_party: false,
            mark: gatelodge_core::provider::Mark::default(),
            enrolment: true,
            finds_tenant: false,
            inline: true,
            links: Vec::new(),
            // Nobody who does not exist comes as far as a second factor.
            refusal_floor_ms: 0,
        }
    }

    async fn begin(&self, context: &Context<'_>, entry: Entry) -> Result<Turn> {
        match entry {
            Entry::Chosen {} => self.offer(context, None).await,
            Entry::Link { .. } => Ok(Turn::refused("unsupported_entry")),
        }
    }

    async fn resume(&self, context: &Context<'_>, state: State, answer: Answer) -> Result<Turn> {
        let Some(subject) = &context.facts.subject else {
            return Ok(Turn::refused("no_subject"));
        };
        match (Stage::read(&state), &answer) {
            (Some(Stage::Offered(offered)), Answer::Action { action }) => {
                let chosen = SEND.iter().zip(offered).find(|(id, _)| *id == action);
                match chosen {
                    Some((_, chosen)) => self.send(context, chosen, None).await,
                    None => Ok(Turn::refused("unknown_action")),
                }
            }
            (Some(Stage::Sent(to, nonce)), Answer::Action { action }) => match action.as_str() {
                AGAIN => self.send(context, to, Some(nonce)).await,
                OTHER => self.offer(context, None).await,
                _ => Ok(Turn::refused("unknown_action")),
            },
            (Some(Stage::Sent(to, nonce)), Answer::Fields { .. }) => {
                self.take(context, subject, (to, &nonce), &answer).await
            }
            (Some(Stage::Offered(_) | Stage::Sent(..)), _) => {
                Ok(Turn::refused("unsupported_answer"))
            }
            _ => Ok(Turn::refused("foreign_state")),
        }
    }

    fn enrolment(&self) -> Option<&dyn Enrolment> {
        Some(self)
    }
}

#[async_trait]
impl Enrolment for OneTimeCodeProvider {
    async fn begin(&self, context: &Context<'_>) -> Result<Turn> {
        let Some(subject) = &context.facts.subject else {
            return Ok(Turn::refused("no_subject"));
        };
        let set_up = kept(context).await?;
        if set_up.len() >= MOST_ADDRESSES {
            let message = format!("You have {MOST_ADDRESSES} already; no more can be set up.");
            return Stage::Closed.asks(said(message));
        }
        if !self.can_send(context.facts) {
            let message = "This server cannot send such codes at present.";
            return Stage::Closed.asks(said(message));
        }
        // Most people want codes where their other mails go.
        let own = subject.email.as_deref().and_then(Address::mailbox);
        let is_new = |own: &Address| set_up.iter().all(|(_, kept)| kept.to.key() != own.key());
        let own = own.filter(|own| self.config.channel == MessageChannel::Mail && is_new(own));
        Stage::SettingUp.asks(self.address_form(own.as_ref(), None))
    }

    async fn resume(&self, context: &Context<'_>, state: State, answer: Answer) -> Result<Turn> {
        let Some(subject) = &context.facts.subject else {
            return Ok(Turn::refused("no_subject"));
        };
        match (Stage::read(&state), &answer) {
            (Some(Stage::SettingUp), Answer::Fields { .. }) => match self.read_address(&answer) {
                Ok(to) => self.send_proof(context, subject, to, None).await,
                Err(invalid) => Ok(*invalid),
            },
            (Some(Stage::Proving(proving)), Answer::Action { action }) => match action.as_str() {
                AGAIN => {
                    let to = proving.to.clone();
                    self.send_proof(context, subject, to, Some(proving)).await
                }
                OTHER => Enrolment::begin(self, context).await,
                _ => Ok(Turn::refused("unknown_action")),
            },
            (Some(Stage::Proving(proving)), Answer::Fields { .. }) => {
                confirm(context, subject, proving, &answer).await
            }
            (Some(Stage::SettingUp | Stage::Proving(_)), _) => {
                Ok(Turn::refused("unsupported_answer"))
            }
            (Some(Stage::Closed), _) => Ok(Turn::refused("nothing_to_set_up")),
            _ => Ok(Turn::refused("foreign_state")),
        }
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
        Err(CoreError::not_found("address for codes"))
    }
}

/// Signing in.
impl OneTimeCodeProvider {
    /// Shows where a code can be sent to; nothing is sent yet.
    async fn offer(&self, context: &Context<'_>, note: Option<String>) -> Result<Turn> {
        if !self.can_send(context.facts) {
            return Ok(Turn::refused("no_channel"));
        }
        let kept = kept(context).await?;
        let kept = kept.get(..MOST_ADDRESSES).unwrap_or(&kept);
        let offered = kept.iter().map(|(record, _)| record.id).collect();
        let masked: Vec<_> = kept.iter().map(|(_, kept)| kept.to.masked()).collect();
        Stage::Offered(offered).asks(self.offer_form(&masked, note))
    }

    /// Sends a code to one of the addresses, unless too many were sent. `asked` is
    /// what binds the one that was sent in this flow before.
    async fn send(
        &self,
        context: &Context<'_>,
        to: RecordId,
        asked: Option<Nonce>,
    ) -> Result<Turn> {
        if !self.can_send(context.facts) {
            return Ok(Turn::refused("no_channel"));
        }
        let all = kept(context).await?;
        let Some((record, kept)) = all.iter().find(|(record, _)| record.id == to) else {
            return Ok(Turn::refused("unknown_address"));
        };
        let masked = kept.to.masked();
        let other = (all.len() > 1).then_some(self.words().other);
        if let Some(wait) = kept.sent.wait(context.now()) {
            let note = told(wait);
            return match asked {
                Some(nonce) => Stage::Sent(to, nonce).asks(code_form(&masked, other, Some(note))),
                None => self.offer(context, Some(note)).await,
            };
        }
        let (code, nonce, issued) = self.issue(context);
        let message = self.message(TO_SIGN_IN, &kept.to, &code, &issued);
        let with = Kept {
            to: kept.to.clone(),
            code: Some(issued),
            sent: kept.sent.and_now(context.now()),
        };
        let turn = Stage::Sent(to, nonce).asks(code_form(&masked, other, None))?;
        Ok(turn
            .with_effect(replaced(record, &with)?)
            .with_effect(Effect::Send { message }))
    }

    /// Takes the code that was sent to an address in this flow.
    async fn take(
        &self,
        context: &Context<'_>,
        subject: &Subject,
        (to, nonce): (RecordId, &Nonce),
        answer: &Answer,
    ) -> Result<Turn> {
        let code = match read_code(answer) {
            Ok(code) => code,
            Err(invalid) => return Ok(*invalid),
        };
        let all = kept(context).await?;
        let found = all.iter().find(|(record, _)| record.id == to);
        let sent = found.and_then(|(_, kept)| kept.code.clone());
        let issued = sent.unwrap_or_else(Issued::decoy);
        if let Some(reason) = issued.refusal(&code, nonce, context.now()) {
            return Ok(Turn::refused(reason));
        }
        let Some((record, kept)) = found else {
            return Ok(Turn::refused("wrong_code"));
        };
        // Of answers that come at once one finds the version that was read.
        let used = Kept {
            code: None,
            ..kept.clone()
        };
        Ok(Turn::proven(Proof::of_subject(subject.id)).with_effect(replaced(record, &used)?))
    }

    fn can_send(&self, facts: &Facts) -> bool {
        facts.channels.contains(&self.config.channel)
    }

    /// A new code, what binds it to the flow, and what is kept of it.
    fn issue(&self, context: &Context<'_>) -> (Code, Nonce, Issued) {
        let code = Code::from_bytes(context.random::<CODE_BYTES>());
        let nonce = Nonce(context.random::<NONCE_BYTES>());
        let end = later(context.now(), self.config.lifetime());
        let issued = Issued::new(&code, &nonce, end);
        (code, nonce, issued)
    }

    fn message(&self, template: &str, to: &Address, code: &Code, issued: &Issued) -> Message {
        let message = Message {
            channel: self.config.channel,
            to: Some(to.to_send()),
            ..Message::mail(template, issued.expires_at)
        };
        message.with_code(match self.config.channel {
            MessageChannel::Mail => code.in_groups(),
            MessageChannel::Sms => code.in_one(),
        })
    }

    fn words(&self) -> &'static Words {
        Words::of(self.config.channel)
    }

    fn offer_form(&self, masked: &[String], note: Option<String>) -> Form {
        if masked.is_empty() {
            return said("You have set up nothing that a code could be sent to.");
        }
        let action = |(id, masked): (&&str, &String)| Action {
            id: (*id).to_owned(),
            label: format!("Send code to {masked}"),
            style: ActionStyle::Secondary,
        };
        let mut form = Form {
            actions: SEND.iter().zip(masked).map(action).collect(),
            ..said("A code is sent to you, which you then enter here.")
        };
        form.message = note.or(form.message);
        if let Some(first) = form.actions.first_mut() {
            first.style = ActionStyle::Primary;
        }
        if let ([only], [action]) = (masked, form.actions.as_mut_slice()) {
            action.label = "Send code".to_owned();
            form.display.push(Display::Text {
                label: self.words().address.to_owned(),
                value: only.clone(),
            });
        }
        form
    }
}

/// Setting an address up.
impl OneTimeCodeProvider {
    /// Sends a code to an address that somebody says is theirs, unless too many were
    /// sent. `pending` is the one that was sent to it before.
    async fn send_proof(
        &self,
        context: &Context<'_>,
        subject: &Subject,
        to: Address,
        pending: Option<Proving>,
    ) -> Result<Turn> {
        match (obstacle(context, &to).await?, &pending) {
            (Some("set_up_already"), None) => {
                let message = "You have set this up already.";
                return Ok(Turn::invalid(TO, "set_up_already", message));
            }
            (Some(reason), _) => return Ok(Turn::refused(reason)),
            (None, _) if !self.can_send(context.facts) => return Ok(Turn::refused("no_channel")),
            (None, _) => {}
        }
        let key = set_up_key(subject.id);
        let before = context.services.record_by_key(key.expose()).await?;
        let pace = before.as_ref().and_then(|record| read(context, record));
        let pace: KeptPace = pace.unwrap_or_default();
        let masked = to.masked();
        if let Some(wait) = pace.sent.wait(context.now()) {
            let note = told(wait);
            return match pending {
                Some(pending) => Stage::Proving(pending).asks(code_form(
                    &masked,
                    Some(self.words().other),
                    Some(note),
                )),
                None => Stage::SettingUp.asks(self.address_form(Some(&to), Some(note))),
            };
        }
        let (code, nonce, issued) = self.issue(context);
        let message = self.message(TO_SET_UP, &to, &code, &issued);
        let sent = pace.sent.and_now(context.now());
        let kept = kept_pace(context, key, before.as_ref(), &KeptPace { sent })?;
        let proving = Proving { to, nonce, issued };
        let turn =
            Stage::Proving(proving).asks(code_form(&masked, Some(self.words().other), None))?;
        Ok(turn.with_effect(kept).with_effect(Effect::Send { message }))
    }

    /// The typed address; else why it can be none.
    fn read_address(&self, answer: &Answer) -> Result<Address, Box<Turn>> {
        let words = self.words();
        let invalid = |code: &str, message: &str| Box::new(Turn::invalid(TO, code, message));
        let Some(typed) = answer.field(TO) else {
            return Err(invalid("required", words.missing));
        };
        if typed.expose().chars().count() > words.most_typed as usize {
            return Err(invalid("too_long", words.malformed));
        }
        let read = match self.config.channel {
            MessageChannel::Mail => Address::mailbox(typed.expose()),
            MessageChannel::Sms => Address::telephone(typed.expose()),
        };
        read.ok_or_else(|| invalid("malformed", words.malformed))
    }

    fn address_form(&self, typed: Option<&Address>, note: Option<String>) -> Form {
        let words = self.words();
        let kind = match self.config.channel {
            MessageChannel::Mail => FieldKind::Email,
            MessageChannel::Sms => FieldKind::Text,
        };
        let mut field = Field::new(TO, kind, Role::Other, words.address, words.autocomplete);
        field.max_length = Some(words.most_typed);
        field.help = words.help.map(str::to_owned);
        field.value = typed.map(|typed| typed.to_send().expose().to_owned());
        Form {
            message: Some(note.unwrap_or_else(|| words.set_up.to_owned())),
            fields: vec![field],
            ..Form::default()
        }
    }
}

/// Takes the code that was sent to an address that is to be set up.
async fn confirm(
    context: &Context<'_>,
    subject: &Subject,
    proving: Proving,
    answer: &Answer,
) -> Result<Turn> {
    let code = match read_code(answer) {
        Ok(code) => code,
        Err(invalid) => return Ok(*invalid),
    };
    let Proving { to, nonce, issued } = proving;
    if let Some(reason) = issued.refusal(&code, &nonce, context.now()) {
        return Ok(Turn::refused(reason));
    }
    if let Some(reason) = obstacle(context, &to).await? {
        return Ok(Turn::refused(reason));
    }
    let key = Secret::new(format!("{}:{}", subject.id, to.key()));
    let label = to.masked();
    let data = Kept {
        to,
        code: None,
        sent: Pace::default(),
    };
    let record = NewRecord {
        owner: RecordOwner::Subject,
        // One for each address, also when two are set up at once.
        key: Some(key),
        label,
        expires_at: None,
        data: written(&data)?,
    };
    Ok(Turn::step(Step::Enrolled {}).with_effect(Effect::Put { record }))
}

/// Why an address cannot be set up, as a short word.
async fn obstacle(context: &Context<'_>, to: &Address) -> Result<Option<&'static str>> {
    let set_up = kept(context).await?;
    let is_there = set_up.iter().any(|(_, kept)| kept.to.key() == to.key());
    Ok(match (is_there, set_up.len() < MOST_ADDRESSES) {
        (true, _) => Some("set_up_already"),
        (false, false) => Some("too_many"),
        (false, true) => None,
    })
}

/// The subject's addresses. What cannot be read is none; the others still work.
async fn kept(context: &Context<'_>) -> Result<Vec<(KeptRecord, Kept)>> {
    let records = context.services.subject_records().await?;
    let read = records.into_iter().filter_map(|record| {
        let kept = read(context, &record)?;
        Some((record, kept))
    });
    Ok(read.collect())
}

fn read<T: for<'de> Deserialize<'de>>(context: &Context<'_>, record: &KeptRecord) -> Option<T> {
    let read = serde_json::from_slice(&record.data.0).ok();
    if read.is_none() {
        let (provider, record) = (&context.facts.provider, record.id);
        tracing::error!(%provider, %record, "a record of one-time codes cannot be read");
    }
    read
}

fn written<T: Serialize>(value: &T) -> Result<State> {
    serde_json::to_vec(value)
        .map(State)
        .map_err(|error| CoreError::internal("cannot encode a one-time code").because(error))
}

fn replaced(record: &KeptRecord, kept: &Kept) -> Result<Effect> {
    Ok(Effect::Replace {
        record: record.id,
        version: record.version,
        with: NewRecord {
            owner: RecordOwner::Subject,
            key: None,
            label: record.label.clone(),
            expires_at: None,
            data: written(kept)?,
        },
    })
}

/// The key of the record that slows a user down who sets addresses up. It is
/// nobody's, or it would count as an address that is set up.
fn set_up_key(user: UserId) -> Secret {
    Secret::new(format!("set-up:{user}"))
}

fn kept_pace(
    context: &Context<'_>,
    key: Secret,
    before: Option<&KeptRecord>,
    pace: &KeptPace,
) -> Result<Effect> {
    let record = NewRecord {
        owner: RecordOwner::Nobody,
        key: Some(key),
        label: "set-up".to_owned(),
        expires_at: Some(later(context.now(), Pace::HOUR)),
        data: written(pace)?,
    };
    Ok(match before {
        Some(before) => Effect::Replace {
            record: before.id,
            version: before.version,
            with: record,
        },
        None => Effect::Put { record },
    })
}

fn said(message: impl Into<String>) -> Form {
    Form {
        message: Some(message.into()),
        ..Form::default()
    }
}

/// Asks for the code; `other` is the button that leads to another address.
fn code_form(masked: &str, other: Option<&str>, note: Option<String>) -> Form {
    let mut code = Field::new(CODE, FieldKind::Code, Role::Code, "Code", "one-time-code");
    code.max_length = Some(MOST_TYPED);
    let link = |id: &str, label: &str| Action {
        id: id.to_owned(),
        label: label.to_owned(),
        style: ActionStyle::Link,
    };
    let other = other.map(|label| link(OTHER, label));
    let actions = iter::once(link(AGAIN, "Send another code")).chain(other);
    let sent = || format!("A code is on its way to {masked}. Only the newest one counts.");
    Form {
        message: Some(note.unwrap_or_else(sent)),
        fields: vec![code],
        actions: actions.collect(),
        ..Form::default()
    }
}

/// The typed code; else why it can be none.
fn read_code(answer: &Answer) -> Result<Code, Box<Turn>> {
    let invalid = |code: &str, message: &str| Box::new(Turn::invalid(CODE, code, message));
    let missing = || invalid("required", "Enter the code that was sent.");
    let typed = answer.field(CODE).ok_or_else(missing)?;
    if typed.expose().chars().count() > MOST_TYPED as usize {
        return Err(invalid("too_long", "The code has 8 digits."));
    }
    Code::read(typed.expose()).ok_or_else(|| invalid("malformed", "The code has 8 digits."))
}
