//! The password as a provider: signing in with one, and setting one.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use gatelodge_core::{
    Error as CoreError, Result,
    model::{FactorClass, RecordId},
    provider::{
        Answer, Context, Credential, Description, Display, Effect, Enrolment, Entry, Facts, Field,
        FieldError, FieldKind, Form, Intent, KeptRecord, NewRecord, Proof, Provider, RecordOwner,
        Registry, Role, State, Step, Turn,
    },
    secret::Secret,
};
use serde::{Deserialize, Serialize};

use crate::{
    Config, ContextKind, ContextWord, Error, Hasher, MAX_PASSWORD_BYTES, Password, Policy, Refusal,
    Strength,
};

/// What `kind` in the configuration says.
pub const KIND: &str = "password";

/// The names of the fields.
const USER_NAME: &str = "user_name";
const PASSWORD: &str = "password";
const CURRENT_PASSWORD: &str = "current_password";
const NEW_PASSWORD: &str = "new_password";

/// The states, which only say which step an answer belongs to.
const SIGNING_IN: &[u8] = b"sign-in";
const SETTING: &[u8] = b"set";

/// What the record and its row in the account page are called.
const LABEL: &str = "Password";

/// Adds the kind `password` to the registry.
pub fn register(registry: &mut Registry) {
    registry.kind(KIND, |_, table| {
        let config = Config::from_table(table)?;
        Ok(Arc::new(PasswordProvider::new(&config)?))
    });
}

/// Signing in with a password. One record per user keeps its hash.
#[derive(Debug)]
pub struct PasswordProvider {
    hasher: Hasher,
    policy: Policy,
    context_words: Vec<String>,
}

/// What a record holds.
#[derive(Serialize, Deserialize)]
struct Stored {
    /// A PHC string.
    hash: String,
}

impl PasswordProvider {
    /// Checks the configuration and starts the hash threads.
    pub fn new(config: &Config) -> Result<Self, Error> {
        Ok(Self {
            hasher: Hasher::start(config.hash_params()?, config.workers()?)?,
            policy: config.policy()?,
            context_words: config.context_words.clone(),
        })
    }

    /// The hash threads, to watch how busy they are.
    pub fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    /// Compares with the subject's password, with the same work if there is none.
    async fn compare(&self, password: Password, record: Option<&KeptRecord>) -> Result<Compared> {
        let Some(record) = record else {
            self.hasher.verify_decoy(password).await?;
            return Ok(Compared::NoPassword);
        };
        // What cannot be read matches nothing, like a corrupt hash.
        let hash = stored_hash(record).unwrap_or_default();
        let found = self.hasher.verify(password, &hash).await?;
        Ok(match (found.matches, found.weaker_than_configured) {
            (false, _) => Compared::Wrong,
            (true, weak) => Compared::Right { weak },
        })
    }

    /// The effect that replaces a weak hash. Nobody is refused because of it:
    /// when the workers are busy, the next sign-in does it.
    async fn rehash(
        &self,
        context: &Context<'_>,
        password: Password,
        record: &KeptRecord,
    ) -> Option<Effect> {
        match self.new_record(context, password).await {
            Ok(with) => Some(replace(record, with)),
            Err(error) => {
                tracing::info!(?error, "a weak password hash is kept for now");
                None
            }
        }
    }

    async fn new_record(&self, context: &Context<'_>, password: Password) -> Result<NewRecord> {
        let hash = self.hasher.hash(password, context.random()).await?;
        let subject = context.facts.subject.as_ref();
        let data = serde_json::to_vec(&Stored { hash })
            .map_err(|error| CoreError::internal("cannot encode the hash").because(error))?;
        Ok(NewRecord {
            owner: RecordOwner::Subject,
            // One password for each user, also when two are set at once.
            key: subject.map(|subject| Secret::new(subject.id.to_string())),
            label: LABEL.to_owned(),
            expires_at: None,
            data: State(data),
        })
    }

    /// Why the policy refuses a password, with a hint how to find a better one.
    async fn refusals(&self, facts: &Facts, password: &Password) -> Vec<FieldError> {
        let words = self.words(facts);
        let refusals = self.policy.check(password, &words);
        if refusals.is_empty() {
            return Vec::new();
        }
        // The hint is a courtesy: without it the reasons stand alone.
        let strength = self.hasher.rate(password.clone(), &words).await.ok();
        refusals
            .iter()
            .map(|refusal| new_password_error(refusal, strength))
            .collect()
    }

    /// The words that this person's password must not consist of.
    fn words<'a>(&'a self, facts: &'a Facts) -> Vec<ContextWord<'a>> {
        let word = ContextWord::new;
        let mut words: Vec<_> = self
            .context_words
            .iter()
            .map(|text| word(ContextKind::ProductName, text))
            .collect();
        words.push(word(ContextKind::ProductName, &facts.rp_id));
        if let Some(tenant) = &facts.tenant {
            words.push(word(ContextKind::TenantName, &tenant.name));
            words.push(word(ContextKind::TenantName, &tenant.display_name));
        }
        if let Some(subject) = &facts.subject {
            words.push(word(ContextKind::UserName, &subject.user_name));
            words.push(word(ContextKind::DisplayName, &subject.display_name));
            let email = subject.email.iter();
            words.extend(email.map(|email| word(ContextKind::EmailAddress, email)));
        }
        words
    }

    fn enrolment_form(&self, facts: &Facts, ask_for_current: bool) -> Form {
        let minimum = self.policy.minimum_length();
        let mut new = password_field(
            NEW_PASSWORD,
            FieldKind::NewPassword,
            "New password",
            "new-password",
        );
        new.min_length = u32::try_from(minimum).ok();
        new.help = Some(format!(
            "At least {minimum} characters: four or more unrelated words are easy to remember. \
             Spaces and all other characters are allowed; no kind of character is demanded. \
             Common passwords, your own name and the name of this site are not accepted."
        ));
        let current = ask_for_current.then(|| {
            password_field(
                CURRENT_PASSWORD,
                FieldKind::Password,
                "Present password",
                "current-password",
            )
        });
        Form {
            fields: current.into_iter().chain([new]).collect(),
            display: user_name(facts).into_iter().collect(),
            ..Form::default()
        }
    }
}

/// How a typed password compares with the stored one.
enum Compared {
    Right { weak: bool },
    Wrong,
    NoPassword,
}

#[async_trait]
impl Provider for PasswordProvider {
    fn describe(&self) -> Description {
        Description {
            kind: KIND.to_owned(),
            label: LABEL.to_owned(),
            class: FactorClass::Knowledge,
            amr: "pwd".to_owned(),
            first_step: true,
            second_factor: true,
            backup: false,
            enrolment: true,
            finds_tenant: false,
            inline: true,
            // There are no outside calls, and the work is the same for everybody.
            links: Vec::new(),
            refusal_floor_ms: 0,
        }
    }

    async fn begin(&self, context: &Context<'_>, entry: Entry) -> Result<Turn> {
        Ok(match entry {
            Entry::Chosen {} => {
                Turn::prompt(sign_in_form(context.facts)).with_state(tag(SIGNING_IN))
            }
            Entry::Link { .. } => Turn::refused("unsupported_entry"),
        })
    }

    async fn resume(&self, context: &Context<'_>, state: State, answer: Answer) -> Result<Turn> {
        if state.0 != SIGNING_IN {
            return Ok(Turn::refused("foreign_state"));
        }
        let Some(subject) = &context.facts.subject else {
            return Ok(Turn::invalid(
                USER_NAME,
                "required",
                "Enter your user name.",
            ));
        };
        let password = match read_password(&answer, PASSWORD) {
            Ok(password) => password,
            Err(error) => return Ok(invalid(vec![error])),
        };
        let records = context.services.subject_records().await?;
        let record = records.last();
        Ok(
            match (self.compare(password.clone(), record).await?, record) {
                (Compared::Right { weak }, Some(record)) => {
                    let mut turn = Turn::proven(Proof::of_subject(subject.id));
                    if weak {
                        turn.effects
                            .extend(self.rehash(context, password, record).await);
                    }
                    turn
                }
                (Compared::Wrong, _) => Turn::refused("wrong_password"),
                _ => Turn::refused("no_password"),
            },
        )
    }

    fn busy(&self) -> Option<Duration> {
        self.hasher.busy()
    }

    fn enrolment(&self) -> Option<&dyn Enrolment> {
        Some(self)
    }
}

#[async_trait]
impl Enrolment for PasswordProvider {
    async fn begin(&self, context: &Context<'_>) -> Result<Turn> {
        // Whoever makes an account is not the subject before the form is filled in.
        if context.facts.subject.is_none() && context.facts.intent != Intent::SignUp {
            return Ok(Turn::refused("no_subject"));
        }
        let records = context.services.subject_records().await?;
        let form = self.enrolment_form(context.facts, asks_for_current(context.facts, &records));
        Ok(Turn::prompt(form).with_state(tag(SETTING)))
    }

    async fn resume(&self, context: &Context<'_>, state: State, answer: Answer) -> Result<Turn> {
        if state.0 != SETTING || context.facts.subject.is_none() {
            return Ok(Turn::refused("foreign_state"));
        }
        let records = context.services.subject_records().await?;
        let ask_for_current = asks_for_current(context.facts, &records);
        let current = ask_for_current
            .then(|| read_password(&answer, CURRENT_PASSWORD))
            .transpose();
        let (current, new) = match (current, read_password(&answer, NEW_PASSWORD)) {
            (Ok(current), Ok(new)) => (current, new),
            (current, new) => {
                return Ok(invalid(
                    current.err().into_iter().chain(new.err()).collect(),
                ));
            }
        };
        let refusals = self.refusals(context.facts, &new).await;
        if !refusals.is_empty() {
            return Ok(invalid(refusals));
        }
        self.set(context, &records, current, new).await
    }

    async fn list(&self, context: &Context<'_>) -> Result<Vec<Credential>> {
        let records = context.services.subject_records().await?;
        Ok(records
            .into_iter()
            .map(|record| Credential {
                id: record.id,
                label: record.label,
                created_at: record.created_at,
            })
            .collect())
    }

    async fn remove(&self, context: &Context<'_>, id: RecordId) -> Result<Vec<Effect>> {
        let records = context.services.subject_records().await?;
        if records.iter().any(|record| record.id == id) {
            return Ok(vec![Effect::Remove { record: id }]);
        }
        Err(CoreError::not_found("password"))
    }
}

impl PasswordProvider {
    /// Sets an acceptable password, after the present one was confirmed where that is asked for.
    async fn set(
        &self,
        context: &Context<'_>,
        records: &[KeptRecord],
        current: Option<Password>,
        new: Password,
    ) -> Result<Turn> {
        let present = records.last();
        if let Some(current) = current
            && !matches!(
                self.compare(current, present).await?,
                Compared::Right { .. }
            )
        {
            return Ok(Turn::refused("wrong_password"));
        }
        if present.is_some()
            && let Compared::Right { .. } = self.compare(new.clone(), present).await?
        {
            let message = "This is the present password; choose another one.";
            return Ok(Turn::invalid(NEW_PASSWORD, "unchanged", message));
        }
        let with = self.new_record(context, new).await?;
        let enrolled = Turn::step(Step::Enrolled {});
        Ok(enrolled.with_effect(match present {
            Some(record) => replace(record, with),
            None => Effect::Put { record: with },
        }))
    }
}

/// Whether the present password is to be confirmed before it is changed (ASVS
/// 6.2.3): not by who proved it in this very flow, nor by who forgot it.
fn asks_for_current(facts: &Facts, records: &[KeptRecord]) -> bool {
    let proven = facts
        .proofs
        .iter()
        .any(|proof| proof.provider == facts.provider);
    !records.is_empty() && !proven && facts.intent != Intent::Recover
}

/// The form for signing in; without the question who it is, where that is settled.
fn sign_in_form(facts: &Facts) -> Form {
    let settled = facts.intent != Intent::SignIn || !facts.proofs.is_empty();
    let password = password_field(
        PASSWORD,
        FieldKind::Password,
        "Password",
        "current-password",
    );
    if facts.subject.is_some() && settled {
        return Form {
            fields: vec![password],
            display: user_name(facts).into_iter().collect(),
            ..Form::default()
        };
    }
    // Nothing that is known of a claimed subject may be filled in here: its
    // spelling would tell a stranger that there is one.
    let who = Field::new(
        USER_NAME,
        FieldKind::Text,
        Role::Identifier,
        "User name or e-mail address",
        "username",
    );
    Form {
        fields: vec![who, password],
        ..Form::default()
    }
}

/// A field for a password. It has no greatest length: browsers cut what is
/// pasted at it without a word, and then a part would become the password.
fn password_field(name: &str, kind: FieldKind, label: &str, autocomplete: &str) -> Field {
    Field::new(name, kind, Role::Secret, label, autocomplete)
}

/// Whose password it is, so that people and password managers see it.
fn user_name(facts: &Facts) -> Option<Display> {
    facts.subject.as_ref().map(|subject| Display::Text {
        label: "User name".to_owned(),
        value: subject.user_name.clone(),
    })
}

fn read_password(answer: &Answer, field: &str) -> Result<Password, FieldError> {
    let error = |code: &str, message: String| FieldError {
        field: field.to_owned(),
        code: code.to_owned(),
        message,
    };
    let Some(text) = answer.field(field) else {
        return Err(error("required", "Enter a password.".to_owned()));
    };
    Password::new(text.expose()).map_err(|_| {
        let message = format!("A password can have at most {MAX_PASSWORD_BYTES} bytes.");
        error(Refusal::TooLong.code(), message)
    })
}

fn new_password_error(refusal: &Refusal, strength: Option<Strength>) -> FieldError {
    let reason = sentence(&refusal.to_string());
    let message = match strength {
        Some(strength) => format!("{reason} {}", sentence(&strength.to_string())),
        None => reason,
    };
    FieldError {
        field: NEW_PASSWORD.to_owned(),
        code: refusal.code().to_owned(),
        message,
    }
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase());
    first
        .into_iter()
        .flatten()
        .chain(characters)
        .chain(['.'])
        .collect()
}

fn invalid(errors: Vec<FieldError>) -> Turn {
    Turn::step(Step::Invalid { errors })
}

fn replace(record: &KeptRecord, with: NewRecord) -> Effect {
    Effect::Replace {
        record: record.id,
        version: record.version,
        with,
    }
}

fn stored_hash(record: &KeptRecord) -> Option<String> {
    let stored: Stored = serde_json::from_slice(&record.data.0).ok()?;
    Some(stored.hash)
}

fn tag(state: &[u8]) -> State {
    State(state.to_vec())
}
