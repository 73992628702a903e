//! One-time tokens as a provider: a mail with a link and a code, and what opens
//! with them. One record per user and purpose keeps the newest token.

use std::{hint::black_box, sync::Arc};

use async_trait::async_trait;
use gatelodge_core::{
    Error as CoreError, Result,
    environment::later,
    model::{Email, FactorClass, TenantId, UserId},
    provider::{
        Action, ActionStyle, Answer, Context, Delivery, Description, Effect, Entry, Facts, Field,
        FieldKind, Form, Intent, Issued, KeptRecord, LinkPurpose, LinkRequest, Links, Message,
        MessageChannel, NewRecord, Proof, Provider, Purpose, RecordOwner, Registry, Role, State,
        Subject, Turn, Who,
    },
    secret::Secret,
};
use serde::{Deserialize, Serialize};

use crate::{
    Code, Config, LinkToken,
    protocol::{CODE_BYTES, Kept, SECRET_BYTES},
};

/// What `kind` in the configuration says.
pub const KIND: &str = "one-time-token";

/// The names of the fields and of the button.
const WHO: &str = "user_name";
const EMAIL: &str = "email";
const CODE: &str = "code";
const AGAIN: &str = "send_again";

/// The most characters of a typed code: with a space around each digit.
const MOST_TYPED: u32 = 32;

/// Adds the kind `one-time-token` to the registry.
pub fn register(registry: &mut Registry) {
    registry.kind(KIND, |_, table| {
        let config = Config::from_table(table)?;
        Ok(Arc::new(OneTimeTokenProvider::new(config)))
    });
}

/// Links and codes by mail.
#[derive(Debug, Clone)]
pub struct OneTimeTokenProvider {
    config: Config,
}

impl OneTimeTokenProvider {
    /// With this configuration.
    pub fn new(config: Config) -> Self {
        Self { config }
    }
}

/// The step that an answer belongs to.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    /// It is asked whom to send a mail to.
    Asked(LinkPurpose),
    /// A mail was sent, if there is somebody to send it to.
    Sent(LinkPurpose),
    /// A link was opened.
    Opened(LinkPurpose, Secret),
}

impl Stage {
    fn written(&self) -> Result<State> {
        serde_json::to_vec(self)
            .map(State)
            .map_err(|error| CoreError::internal("a step of a one-time token").because(error))
    }

    fn read(state: &State) -> Option<Self> {
        serde_json::from_slice(&state.0).ok()
    }
}

#[async_trait]
impl Provider for OneTimeTokenProvider {
    fn describe(&self) -> Description {
        Description {
            kind: KIND.to_owned(),
            label: "Link by e-mail".to_owned(),
            class: FactorClass::Possession,
            amr: "otp".to_owned(),
            first_step: self.config.sign_in,
            second_factor: false,
            backup: false,
            enrolment: false,
            finds_tenant: false,
            inline: false,
            links: LinkPurpose::ALL.to_vec(),
            // A mail is written for a user and not for a decoy.
            silent: false,
            third_party: false,
            mark: gatelodge_core::provider::Mark::default(),
            refusal_floor_ms: 300,
        }
    }

    async fn begin(&self, context: &Context<'_>, entry: Entry) -> Result<Turn> {
        match entry {
            Entry::Chosen {} => self.ask(context.facts),
            Entry::Link { purpose, token } => self.open(context, purpose, token).await,
        }
    }

    async fn resume(&self, context: &Context<'_>, state: State, answer: Answer) -> Result<Turn> {
        match Stage::read(&state) {
            Some(Stage::Asked(purpose)) => self.send(context, purpose, &answer).await,
            Some(Stage::Sent(purpose)) => match &answer {
                Answer::Action { action } if action == AGAIN => {
                    self.send_again(context, purpose).await
                }
                _ => self.take_code(context, purpose, &answer).await,
            },
            Some(Stage::Opened(purpose, token)) => match answer {
                Answer::Fields { .. } => take_link(context, purpose, &token).await,
                _ => Ok(Turn::refused("unsupported_answer")),
            },
            None => Ok(Turn::refused("foreign_state")),
        }
    }

    fn links(&self) -> Option<&dyn Links> {
        Some(self)
    }
}

#[async_trait]
impl Links for OneTimeTokenProvider {
    async fn issue(&self, context: &Context<'_>, request: &LinkRequest) -> Result<Issued> {
        let subject = context.facts.subject.as_ref();
        let subject = subject.ok_or_else(|| CoreError::internal("a link for nobody"))?;
        let mails = request.delivery == Delivery::Mail;
        let address = subject.email.clone().filter(|_| mails);
        if mails && address.is_none() {
            return Err(CoreError::refused("the user has no e-mail address"));
        }
        let mut new = self.make(context, subject, request.purpose, address.as_deref())?;
        new.kept.page.clone_from(&request.page);
        let before = kept(context, request.purpose, subject.id).await?;
        let expires_at = new.expires_at;
        Ok(Issued {
            token: (!mails).then(|| new.token.written()),
            expires_at,
            effects: new.effects(before.as_ref(), context, mails.then_some(None))?,
        })
    }
}

impl OneTimeTokenProvider {
    /// The first step: who it is, or where to send a mail.
    fn ask(&self, facts: &Facts) -> Result<Turn> {
        if !facts.channels.contains(&MessageChannel::Mail) {
            return Ok(Turn::refused("no_mail"));
        }
        let (purpose, form) = match facts.intent {
            Intent::Recover => (LinkPurpose::Reset, recover_form()),
            Intent::Verify => (LinkPurpose::Verify, verify_form(facts.subject.as_ref())),
            Intent::SignIn
            | Intent::Reprove
            | Intent::Enrol
            | Intent::Link
            | Intent::Remove
            | Intent::SignUp => (LinkPurpose::SignIn, sign_in_form(facts.subject.is_some())),
        };
        Ok(Turn::prompt(form).with_state(Stage::Asked(purpose).written()?))
    }

    /// Sends a mail to whoever was named, and asks for the code in it.
    async fn send(
        &self,
        context: &Context<'_>,
        purpose: LinkPurpose,
        answer: &Answer,
    ) -> Result<Turn> {
        if !matches!(answer, Answer::Fields { .. }) {
            return Ok(Turn::refused("unsupported_answer"));
        }
        let Some(subject) = &context.facts.subject else {
            return Ok(Turn::invalid(
                WHO,
                "required",
                "Enter your user name or e-mail address.",
            ));
        };
        let address = match purpose {
            LinkPurpose::Verify => match read_address(answer) {
                Ok(address) => Some(address),
                Err(invalid) => return Ok(*invalid),
            },
            _ => subject.email.clone(),
        };
        self.mail(context, (purpose, subject), address).await
    }

    async fn send_again(&self, context: &Context<'_>, purpose: LinkPurpose) -> Result<Turn> {
        let Some(subject) = &context.facts.subject else {
            return Ok(Turn::refused("no_subject"));
        };
        let address = match purpose {
            // To where it went before; without that there is nothing to send again.
            LinkPurpose::Verify => match kept(context, purpose, subject.id).await? {
                Some((_, kept)) => kept.address,
                None => return self.ask(context.facts),
            },
            _ => subject.email.clone(),
        };
        self.mail(context, (purpose, subject), address).await
    }

    /// Writes a mail, unless too many were sent, and asks for the code in it.
    async fn mail(
        &self,
        context: &Context<'_>,
        (purpose, subject): (LinkPurpose, &Subject),
        address: Option<String>,
    ) -> Result<Turn> {
        let before = kept(context, purpose, subject.id).await?;
        let new = self.make(context, subject, purpose, address.as_deref())?;
        let turn = Turn::prompt(code_form(purpose)).with_state(Stage::Sent(purpose).written()?);
        let may_send = |(_, kept): &(KeptRecord, Kept)| kept.may_send(context.now());
        if before.as_ref().is_some_and(|before| !may_send(before)) {
            return Ok(turn);
        }
        // To another address than the stored one only where that is the point.
        let to = address.filter(|_| purpose == LinkPurpose::Verify);
        let mut turn = turn;
        turn.effects = new.effects(before.as_ref(), context, Some(to))?;
        Ok(turn)
    }

    async fn take_code(
        &self,
        context: &Context<'_>,
        purpose: LinkPurpose,
        answer: &Answer,
    ) -> Result<Turn> {
        let Some(subject) = &context.facts.subject else {
            return Ok(Turn::refused("no_subject"));
        };
        let code = match read_code(answer) {
            Ok(code) => code,
            Err(invalid) => return Ok(*invalid),
        };
        let Some((record, kept)) = kept(context, purpose, subject.id).await? else {
            black_box(Kept::decoy().is_code(&code));
            return Ok(Turn::refused("no_token"));
        };
        if record.user != Some(subject.id) || !kept.is_code(&code) {
            return Ok(Turn::refused("wrong_code"));
        }
        let proof = proof(purpose, Who::Subject { user: subject.id }, kept);
        Ok(Turn::proven(proof).with_effect(use_up(&record)))
    }

    /// Shows what a link is about to do; it is used up by the answer only.
    async fn open(
        &self,
        context: &Context<'_>,
        purpose: LinkPurpose,
        token: Secret,
    ) -> Result<Turn> {
        if let Err(reason) = find_link(context, purpose, &token).await? {
            return Ok(Turn::refused(reason));
        }
        let form = Form {
            message: Some(about_to(purpose).to_owned()),
            ..Form::default()
        };
        Ok(Turn::prompt(form).with_state(Stage::Opened(purpose, token).written()?))
    }

    fn make(
        &self,
        context: &Context<'_>,
        subject: &Subject,
        purpose: LinkPurpose,
        address: Option<&str>,
    ) -> Result<New> {
        let token = LinkToken::new(subject.id, context.random::<SECRET_BYTES>());
        // Whoever is invited by mail has no page open to type a code into.
        let code = match purpose {
            LinkPurpose::Reset | LinkPurpose::Verify | LinkPurpose::SignIn => {
                Some(Code::from_bytes(context.random::<CODE_BYTES>()))
            }
            LinkPurpose::Invite | LinkPurpose::Page => None,
        };
        Ok(New {
            purpose,
            user: subject.id,
            kept: Kept::new((&token, code.as_ref()), address.map(str::to_owned), None),
            token,
            code,
            expires_at: later(context.now(), self.config.lifetime(purpose)),
        })
    }
}

/// A token that was made and is not kept yet.
struct New {
    purpose: LinkPurpose,
    user: UserId,
    token: LinkToken,
    code: Option<Code>,
    kept: Kept,
    expires_at: jiff::Timestamp,
}

impl New {
    /// What keeps it in place of the one before, and sends it to the stored
    /// address or to another, if it is sent.
    fn effects(
        self,
        before: Option<&(KeptRecord, Kept)>,
        context: &Context<'_>,
        send_to: Option<Option<String>>,
    ) -> Result<Vec<Effect>> {
        let kept = match send_to.is_some() {
            true => self
                .kept
                .sent_now(before.map(|(_, kept)| kept), context.now()),
            false => self.kept,
        };
        let data = serde_json::to_vec(&kept)
            .map_err(|error| CoreError::internal("cannot encode a token").because(error))?;
        let record = NewRecord {
            owner: RecordOwner::Subject,
            key: Some(key(self.purpose, self.user)),
            label: self.purpose.as_str().to_owned(),
            expires_at: Some(self.expires_at),
            data: State(data),
        };
        let mut effects = vec![match before {
            Some((before, _)) => Effect::Replace {
                record: before.id,
                version: before.version,
                with: record,
            },
            None => Effect::Put { record },
        }];
        if let Some(to) = send_to {
            let mut message = Message::mail(template(self.purpose), self.expires_at)
                .with_link(self.purpose, self.token.written());
            if let Some(code) = &self.code {
                message = message.with_code(code.shown());
            }
            message.to = to.map(Secret::new);
            effects.push(Effect::Send { message });
        }
        Ok(effects)
    }
}

fn template(purpose: LinkPurpose) -> &'static str {
    match purpose {
        LinkPurpose::Invite => "invite",
        LinkPurpose::Reset => "reset",
        LinkPurpose::Verify => "verify",
        LinkPurpose::SignIn => "magic_link",
        LinkPurpose::Page => "page_link",
    }
}

/// The key of a user's record for a purpose: there is one at most, also when two
/// are made at once.
fn key(purpose: LinkPurpose, user: UserId) -> Secret {
    Secret::new(format!("{}:{user}", purpose.as_str()))
}

/// The subject's newest token for a purpose. What cannot be read is none.
async fn kept(
    context: &Context<'_>,
    purpose: LinkPurpose,
    user: UserId,
) -> Result<Option<(KeptRecord, Kept)>> {
    let key = key(purpose, user);
    let record = context.services.record_by_key(key.expose()).await?;
    Ok(record.map(|record| {
        let kept = serde_json::from_slice(&record.data.0).unwrap_or_else(|_| {
            let (provider, record) = (&context.facts.provider, record.id);
            tracing::error!(%provider, %record, "the record of a one-time token cannot be read");
            Kept::decoy()
        });
        (record, kept)
    }))
}

/// What a link was made for and by which record it is kept, else why it opens
/// nothing.
async fn find_link(
    context: &Context<'_>,
    purpose: LinkPurpose,
    token: &Secret,
) -> Result<Result<(TenantId, UserId, KeptRecord, Kept), &'static str>> {
    let Some(token) = LinkToken::read(token.expose()) else {
        return Ok(Err("malformed_link"));
    };
    let Some(tenant) = &context.facts.tenant else {
        return Ok(Err("link_without_tenant"));
    };
    let found = kept(context, purpose, token.user).await?;
    let found =
        found.filter(|(record, kept)| record.user == Some(token.user) && kept.is_link(&token));
    Ok(match found {
        Some((record, kept)) => Ok((tenant.id, token.user, record, kept)),
        None => Err("unknown_link"),
    })
}

async fn take_link(context: &Context<'_>, purpose: LinkPurpose, token: &Secret) -> Result<Turn> {
    let (tenant, user, record, kept) = match find_link(context, purpose, token).await? {
        Ok(found) => found,
        Err(reason) => return Ok(Turn::refused(reason)),
    };
    let who = match &context.facts.subject {
        Some(subject) if subject.id != user => return Ok(Turn::refused("somebody_elses_link")),
        Some(_) => Who::Subject { user },
        None => Who::Candidates {
            users: vec![(tenant, user)],
        },
    };
    Ok(Turn::proven(proof(purpose, who, kept)).with_effect(use_up(&record)))
}

fn use_up(record: &KeptRecord) -> Effect {
    Effect::UseUp {
        record: record.id,
        version: record.version,
    }
}

fn proof(purpose: LinkPurpose, who: Who, kept: Kept) -> Proof {
    let scope = kept.page.as_ref().map(|page| format!("page:{page}"));
    Proof {
        purpose: match purpose {
            LinkPurpose::Invite | LinkPurpose::Reset => Purpose::NewCredential,
            LinkPurpose::Verify => Purpose::Mailbox,
            LinkPurpose::SignIn | LinkPurpose::Page => Purpose::SignIn,
        },
        // What an administrator handed over shows nothing of a mailbox.
        mailbox: kept.address,
        scope,
        return_to: kept.page,
        ..Proof::of(who)
    }
}

fn about_to(purpose: LinkPurpose) -> &'static str {
    match purpose {
        LinkPurpose::Invite => "You are about to set up your account.",
        LinkPurpose::Reset => "You are about to choose a new password.",
        LinkPurpose::Verify => "You are about to confirm that this mailbox is yours.",
        LinkPurpose::SignIn => "You are about to sign in, in this browser.",
        LinkPurpose::Page => "You are about to see the page that this link leads to.",
    }
}

fn who_field() -> Field {
    let label = "User name or e-mail address";
    let mut field = Field::new(WHO, FieldKind::Text, Role::Identifier, label, "username");
    field.max_length = Some(254);
    field
}

fn recover_form() -> Form {
    let message = "Say who you are, and a link to choose a new password is sent to the e-mail \
                   address of your account.";
    Form {
        message: Some(message.to_owned()),
        fields: vec![who_field()],
        ..Form::default()
    }
}

fn sign_in_form(known: bool) -> Form {
    let message = "A link to sign in is sent to the e-mail address of your account.";
    Form {
        message: Some(message.to_owned()),
        fields: if known { Vec::new() } else { vec![who_field()] },
        ..Form::default()
    }
}

fn verify_form(subject: Option<&Subject>) -> Form {
    let mut field = Field::new(
        EMAIL,
        FieldKind::Email,
        Role::Other,
        "E-mail address",
        "email",
    );
    field.max_length = Some(254);
    field.value = subject.and_then(|subject| subject.email.clone());
    let message = "A mail is sent to this address to confirm that it is yours. It becomes the \
                   address of your account once that is done.";
    Form {
        message: Some(message.to_owned()),
        fields: vec![field],
        ..Form::default()
    }
}

fn code_form(purpose: LinkPurpose) -> Form {
    let label = "Code from the mail";
    let mut code = Field::new(CODE, FieldKind::Code, Role::Code, label, "one-time-code");
    code.max_length = Some(MOST_TYPED);
    let message = match purpose {
        LinkPurpose::Verify => {
            "A mail is on its way to this address. Open the link in it, in any browser, or enter \
             the code from it here."
        }
        _ => {
            "If there is such an account, a mail is on its way to its e-mail address. Open the \
             link in it, in any browser, or enter the code from it here."
        }
    };
    Form {
        message: Some(message.to_owned()),
        fields: vec![code],
        actions: vec![Action {
            id: AGAIN.to_owned(),
            label: "Send it again".to_owned(),
            style: ActionStyle::Link,
        }],
        ..Form::default()
    }
}

/// The typed address; else why it can be none.
fn read_address(answer: &Answer) -> Result<String, Box<Turn>> {
    let invalid = |code: &str, message: &str| Box::new(Turn::invalid(EMAIL, code, message));
    let Some(typed) = answer.field(EMAIL) else {
        return Err(invalid("required", "Enter your e-mail address."));
    };
    Email::new(typed.expose().trim())
        .map(|address| address.to_string())
        .map_err(|_| invalid("malformed", "This is no e-mail address."))
}

/// The typed code; else why it can be none.
fn read_code(answer: &Answer) -> Result<Code, Box<Turn>> {
    let invalid = |code: &str, message: &str| Box::new(Turn::invalid(CODE, code, message));
    let Some(typed) = answer.field(CODE) else {
        return Err(invalid("required", "Enter the code from the mail."));
    };
    if typed.expose().chars().count() > MOST_TYPED as usize {
        return Err(invalid("too_long", "The code has 8 digits."));
    }
    Code::read(typed.expose()).ok_or_else(|| invalid("malformed", "The code has 8 digits."))
}
