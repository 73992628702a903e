use std::{collections::BTreeMap, fmt};

use gatelodge_core::{
    Error, ErrorKind, Result,
    model::{TenantId, UserId},
    provider::{
        Answer, Entry, Field, FieldKind, Form, HttpRequest, HttpResponse, Message, NewRecord,
        ProviderTable, Registry, Role, Step,
    },
    secret::Secret,
};
use jiff::Timestamp;
use url::Url;

/// Makes a fixture.
pub(crate) type Make = Box<dyn Fn() -> Box<dyn Fixture>>;

/// What the suite must know of a provider: how it is made, and what the people
/// who use it answer.
///
/// * A fixture keeps nothing that is not in its arguments, or keeps it per
///   [`Person`]: [`Person::notes`] is the place for what somebody takes down.
/// * It is deterministic: the same arguments give the same answers.
/// * The secrets in answers are distinctive: at least four characters with a
///   digit among them, or sixteen characters. The suite looks for them where
///   they must not be.
pub trait Fixture: Send + Sync + 'static {
    /// Calls the provider's own `register`, which adds one kind.
    fn register(&self, registry: &mut Registry);

    /// The provider's table in the configuration.
    fn table(&self) -> ProviderTable {
        ProviderTable::new()
    }

    /// Whether the same answer proves a second time.
    fn replay(&self) -> Replay;

    /// The answer by which `person` gets on, or sets it up: see
    /// [`Seen::purpose`].
    ///
    /// * Each [`Person::number`] means another secret.
    /// * Somebody who has set up nothing, or got no message, gives an answer
    ///   of the right form that is wrong.
    fn right(&self, person: &mut Person, seen: &Seen<'_>) -> Answer;

    /// Answers of the right form that are wrong for everybody; none at a step
    /// where nothing can be wrong, such as a request to send a message, or a
    /// form that takes any new secret.
    fn wrong(&self, person: &Person, seen: &Seen<'_>) -> Vec<Answer>;

    /// Answers to a form that could never be right, beyond what the suite
    /// tries by itself (fields that are missing, empty or far too long). For
    /// setting up: credentials that are too weak.
    fn malformed(&self, person: &Person, seen: &Seen<'_>) -> Vec<Answer> {
        let _ = (person, seen);
        Vec::new()
    }

    /// What is kept for `person` before the first sign-in, where people do not
    /// set it up for themselves.
    fn records(&self, person: &mut Person, now: Timestamp) -> Vec<NewRecord> {
        let _ = (person, now);
        Vec::new()
    }

    /// Whether a right answer counts only in the flow that asked for it, as that
    /// of a code that was sent for one sign-in.
    fn is_bound_to_its_flow(&self) -> bool {
        false
    }

    /// How `person` comes to the provider. It is asked again after a message
    /// was sent: a link in it is opened in a new flow.
    fn entry(&self, person: &Person) -> Entry {
        let _ = person;
        Entry::Chosen {}
    }

    /// Whether somebody can have several of them at a time, such as devices.
    fn holds_several(&self) -> bool {
        false
    }

    /// Answers a request to the outside, in place of a third party.
    ///
    /// # Errors
    /// As [`gatelodge_core::provider::Services::fetch`].
    fn fetch(&self, request: &HttpRequest) -> Result<HttpResponse> {
        let _ = request;
        Err(Error::new(ErrorKind::Unavailable, "nobody is there"))
    }
}

/// Whether the same answer proves a second time, in another flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// Like a password.
    Proves,
    /// Like a code or a token that may be used once.
    Refused,
}

/// Somebody who uses the provider.
#[derive(Clone)]
pub struct Person {
    /// The tenant.
    pub tenant: TenantId,
    /// The user.
    pub id: UserId,
    /// The name for signing in; there are people with the same name in
    /// different tenants.
    pub user_name: String,
    /// Which of somebody's credentials it is about, from 1.
    pub credential: u32,
    /// What was taken down, such as a seed that was shown.
    pub notes: BTreeMap<String, String>,
    /// The messages that came since the sign-in began, oldest first.
    pub inbox: Vec<Message>,
    pub(crate) index: u32,
}

impl Person {
    /// Six digits, others for each person and credential: what a secret can be
    /// made of.
    pub fn number(&self) -> u32 {
        271_828 + self.index * 5_003 + self.credential * 101
    }

    /// A mailbox of theirs, another one for each credential: to be typed where a
    /// provider asks for one. What comes there comes into the inbox.
    pub fn mailbox(&self) -> String {
        let (index, credential) = (self.index, self.credential);
        format!("person-{index}-{credential}@gatelodge.example")
    }

    /// A telephone of theirs, likewise.
    pub fn telephone(&self) -> String {
        format!("+4930{}", self.number())
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person")
            .field("user_name", &self.user_name)
            .field("credential", &self.credential)
            .finish_non_exhaustive()
    }
}

/// What somebody sees who is to answer.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The step.
    pub step: &'a Step,
    /// What the answer is for.
    pub purpose: Purpose,
    /// The present time.
    pub now: Timestamp,
    /// The server's origin.
    pub origin: &'a Url,
}

/// What an answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To prove who one is.
    Prove,
    /// To set the provider up.
    Enrol,
}

impl Seen<'_> {
    /// The form, if the step is one.
    pub fn form(&self) -> Option<&Form> {
        match self.step {
            Step::Prompt { form } => Some(form),
            _ => None,
        }
    }

    /// The form filled in: the person's name where it is asked who it is,
    /// `secret` in the fields for secrets and codes, the first choice, every
    /// box ticked.
    pub fn filled(&self, person: &Person, secret: &str) -> Answer {
        let fields = self.form().map(|form| form.fields.as_slice());
        let value = |field: &Field| match (field.role, field.kind) {
            (Role::Identifier, _) => person.user_name.clone(),
            (Role::Secret | Role::Code, _) => secret.to_owned(),
            (_, FieldKind::Checkbox) => "true".to_owned(),
            (_, FieldKind::Choice) => field
                .choices
                .first()
                .map_or_else(String::new, |choice| choice.value.clone()),
            (_, FieldKind::Email) => person.mailbox(),
            _ => "something".to_owned(),
        };
        Answer::Fields {
            values: fields
                .unwrap_or_default()
                .iter()
                .map(|field| (field.name.clone(), Secret::new(value(field))))
                .collect(),
        }
    }
}
