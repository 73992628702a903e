//! The password as a provider: signing in with one, and setting one.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use gatelodge_core::{
    Error as CoreError, Result,
    environment::later,
    model::{FactorClass, MustChange, RecordId},
    provider::{
        Answer, Context, Credential, Description, Display, Effect, Enrolment, Entry, Facts, Field,
        FieldError, FieldKind, Form, Intent, KeptRecord, NewRecord, Proof, Provider, RecordOwner,
        Registry, Renewal, Role, Rule, State, Step, Turn,
    },
    secret::Secret,
};
use jiff::Timestamp;

use crate::{
    Config, ContextKind, ContextWord, Error, Hasher, MAX_PASSWORD_BYTES, Password, Policy, Refusal,
    Strength,
    protocol::{Stored, common, rules},
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
    /// How many entries of the list of common passwords matter, once it was asked.
    common: OnceLock<usize>,
}

/// A password that is kept.
struct Present {
    record: KeptRecord,
    /// `None` when it cannot be read: it matches nothing then, like a corrupt hash.
    stored: Option<Stored>,
}

impl Present {
    /// The subject's, if there is one.
    fn of(records: Vec<KeptRecord>) -> Option<Self> {
        let record = records.into_iter().next_back()?;
        let stored = Stored::read(&record.data.0);
        Some(Self { record, stored })
    }

    /// Since when it is in use; it may be in use for less than its record is there.
    fn set_at(&self) -> Timestamp {
        let noted = self.stored.as_ref().and_then(|stored| stored.set_at);
        noted.unwrap_or(self.record.created_at)
    }
}

impl PasswordProvider {
    /// Checks the configuration and starts the hash threads.
    pub fn new(config: &Config) -> Result<Self, Error> {
        Ok(Self {
            hasher: Hasher::start(config.hash_params()?, config.workers()?)?,
            policy: config.policy()?,
            context_words: config.context_words.clone(),
            common: OnceLock::new(),
        })
    }

    /// The hash threads, to watch how busy they are.
    pub fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    /// Compares with the subject's password, with the same work if there is none.
    async fn compare(&self, password: Password, present: Option<&Present>) -> Result<Compared> {
        let Some(present) = present else {
            self.hasher.verify_decoy(password).await?;
            return Ok(Compared::NoPassword);
        };
        let hash = present.stored.as_ref().map(|stored| stored.hash.as_str());
        let found = self
            .hasher
            .verify(password, hash.unwrap_or_default())
            .await?;
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
        present: &Present,
    ) -> Option<Effect> {
        let stored = present.stored.clone()?;
        let hash = self.hasher.hash(password, context.random()).await;
        let kept = hash.map_err(CoreError::from).and_then(|hash| {
            let stored = stored.hashed_anew(hash, self.policy.history());
            new_record(context, &stored)
        });
        match kept {
            Ok(with) => Some(replace(&present.record, with)),
            Err(error) => {
                tracing::info!(?error, "a weak password hash is kept for now");
                None
            }
        }
    }

    /// Whether a right password has to be changed, or will have to be soon.
    fn renewal(&self, present: &Present, now: Timestamp) -> Option<Renewal> {
        let age = self.policy.maximum_age()?;
        let due = later(present.set_at(), age.span());
        (later(now, age.warning()) >= due).then_some(Renewal {
            reason: MustChange::Age,
            due: (now < due).then_some(due),
        })
    }

    /// Whether a new password was used before: one hash for each that is remembered,
    /// one after another, so that a change takes no more threads than any other.
    async fn used_before(&self, new: &Password, present: &Present) -> Result<Option<Refusal>> {
        if let Compared::Right { .. } = self.compare(new.clone(), Some(present)).await? {
            return Ok(Some(Refusal::Unchanged));
        }
        let history = self.policy.history();
        let former = present.stored.iter().flat_map(|stored| &stored.former);
        for hash in former.take(history) {
            if self.hasher.verify(new.clone(), hash).await?.matches {
                return Ok(Some(Refusal::UsedBefore(history)));
            }
        }
        Ok(None)
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
        let last = refusals.len().saturating_sub(1);
        let hint = |index| strength.filter(|_| index == last);
        let refusals = refusals.iter().enumerate();
        refusals
            .map(|(index, refusal)| new_password_error(refusal, hint(index)))
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
        new.help = Some(self.policy.help());
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
            silent: false,
            third_party: false,
            mark: gatelodge_core::provider::Mark::default(),
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
        let present = Present::of(context.services.subject_records().await?);
        let compared = self.compare(password.clone(), present.as_ref()).await?;
        Ok(match (compared, &present) {
            (Compared::Right { weak }, Some(present)) => {
                let mut turn = Turn::proven(Proof {
                    renew: self.renewal(present, context.now()),
                    ..Proof::of_subject(subject.id)
                });
                if weak {
                    let effect = self.rehash(context, password, present).await;
                    turn.effects.extend(effect);
                }
                turn
            }
            (Compared::Wrong, _) => Turn::refused("wrong_password"),
            _ => Turn::refused("no_password"),
        })
    }

    fn rules(&self) -> Vec<Rule> {
        let common = *self.common.get_or_init(|| common(&self.policy));
        rules(&self.policy, common, &self.context_words)
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
        self.set(context, Present::of(records), current, new).await
    }

    async fn list(&self, context: &Context<'_>) -> Result<Vec<Credential>> {
        let records = context.services.subject_records().await?;
        Ok(records
            .into_iter()
            .map(|record| Credential {
                id: record.id,
                created_at: Stored::read(&record.data.0)
                    .and_then(|stored| stored.set_at)
                    .unwrap_or(record.created_at),
                label: record.label,
                left: None,
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
        present: Option<Present>,
        current: Option<Password>,
        new: Password,
    ) -> Result<Turn> {
        if let Some(current) = current {
            let compared = self.compare(current, present.as_ref()).await?;
            if !matches!(compared, Compared::Right { .. }) {
                return Ok(Turn::refused("wrong_password"));
            }
        }
        if let Some(present) = &present
            && let Some(refusal) = self.used_before(&new, present).await?
        {
            return Ok(invalid(vec![new_password_error(&refusal, None)]));
        }
        let hash = self.hasher.hash(new, context.random()).await?;
        let (record, before) = match present {
            Some(present) => (Some(present.record), present.stored),
            None => (None, None),
        };
        let stored = Stored::new(hash, context.now(), before, self.policy.history());
        let with = new_record(context, &stored)?;
        let enrolled = Turn::step(Step::Enrolled {});
        Ok(enrolled.with_effect(match &record {
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

fn new_record(context: &Context<'_>, stored: &Stored) -> Result<NewRecord> {
    let subject = context.facts.subject.as_ref();
    let data = serde_json::to_vec(stored)
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

fn tag(state: &[u8]) -> State {
    State(state.to_vec())
}
