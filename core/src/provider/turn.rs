use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Form, LinkPurpose, Message};
use crate::{
    model::{ConnectionId, FactorClass, MustChange, RecordId, TenantId, UserId},
    secret::Secret,
};

/// A provider's answer to `begin` or `resume`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// What comes next.
    pub step: Step,
    /// What `resume` gets back with the answer.
    #[serde(default)]
    pub state: State,
    /// What to change, if the engine agrees.
    #[serde(default)]
    pub effects: Vec<Effect>,
}

impl Turn {
    /// A step without effects and state.
    pub fn step(step: Step) -> Self {
        Self {
            step,
            state: State::default(),
            effects: Vec::new(),
        }
    }

    /// A form to fill in.
    pub fn prompt(form: Form) -> Self {
        Self::step(Step::Prompt { form })
    }

    /// A refusal; `reason` is a stable short word for the audit log.
    pub fn refused(reason: &str) -> Self {
        Self::step(Step::Refused {
            reason: reason.to_owned(),
        })
    }

    /// An answer that could never be right, about one field.
    pub fn invalid(field: &str, code: &str, message: impl Into<String>) -> Self {
        Self::step(Step::Invalid {
            errors: vec![FieldError {
                field: field.to_owned(),
                code: code.to_owned(),
                message: message.into(),
            }],
        })
    }

    /// A proof.
    pub fn proven(proof: Proof) -> Self {
        Self::step(Step::Proven { proof })
    }

    /// With what `resume` gets back.
    #[must_use]
    pub fn with_state(mut self, state: State) -> Self {
        self.state = state;
        self
    }

    /// With one more effect.
    #[must_use]
    pub fn with_effect(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Step {
    /// A form to fill in.
    Prompt {
        /// The form.
        form: Form,
    },
    /// The browser goes to a third party and comes back to the callback.
    Redirect {
        /// Where to.
        url: Url,
    },
    /// A browser API is called.
    Challenge {
        /// Which.
        challenge: ChallengeKind,
        /// Its options.
        options: serde_json::Value,
    },
    /// Somebody else has to act; ask again.
    Wait {
        /// After this many milliseconds, 500 to 60,000.
        poll_after_ms: u32,
    },
    /// It is proven who it is.
    Proven {
        /// The proof.
        proof: Proof,
    },
    /// It is set up; only enrolment ends like this.
    Enrolled {},
    /// The third party says who it is, and that they may not come in. Whoever is
    /// linked to that identity is let in no more by it, and what it let in ends.
    Barred {
        /// Who it is.
        identity: ExternalIdentity,
        /// A stable short word for the audit log, as for a refusal.
        reason: String,
    },
    /// The answer could never be right; nothing was tried.
    Invalid {
        /// What was wrong, for each field.
        errors: Vec<FieldError>,
    },
    /// The answer was wrong. The person learns nothing but that.
    Refused {
        /// A stable short word for the audit log, such as `wrong_password`:
        /// `[a-z0-9_]{1,64}`. It may tell a stranger from an owner, since only
        /// administrators see it.
        reason: String,
    },
}

/// The browser APIs that can be called: a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChallengeKind {
    /// Prove possession of a passkey (WebAuthn level 3, section 5.1.4).
    #[serde(rename = "webauthn.get")]
    WebauthnGet,
    /// Make a passkey (WebAuthn level 3, section 5.1.3).
    #[serde(rename = "webauthn.create")]
    WebauthnCreate,
}

/// What was wrong with one field of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The field's name.
    pub field: String,
    /// A stable short word, such as `too_short`.
    pub code: String,
    /// What to tell the person: a sentence.
    pub message: String,
}

/// What a provider wants to find again at the next step: at most 16 KiB.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct State(pub Vec<u8>);

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "State({} bytes)", self.0.len())
    }
}

impl Serialize for State {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD
            .decode(text)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

/// How a flow comes to a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// The person chose it, or it is shown beside others.
    Chosen {},
    /// The person opened a link with a token and confirmed.
    Link {
        /// What the link is for, as its address says.
        purpose: LinkPurpose,
        /// The token.
        token: Secret,
    },
}

/// The person's answer to a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Answer {
    /// A filled-in form. Every value is treated as a secret until its field's
    /// role says otherwise.
    Fields {
        /// The values by field name.
        values: BTreeMap<String, Secret>,
    },
    /// A button of the form.
    Action {
        /// Its id.
        action: String,
    },
    /// What the browser API gave.
    Browser {
        /// Its result.
        response: serde_json::Value,
    },
    /// The parameters of the callback; a repeated one is not handed on.
    Callback {
        /// By name.
        parameters: BTreeMap<String, Secret>,
    },
    /// A look after waiting.
    Poll {},
}

impl Answer {
    /// A filled-in form.
    pub fn fields<'a>(values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self::Fields {
            values: values
                .into_iter()
                .map(|(name, value)| (name.to_owned(), Secret::new(value)))
                .collect(),
        }
    }

    /// The value of a field, if the answer is a form and it was filled in.
    pub fn field(&self, name: &str) -> Option<&Secret> {
        match self {
            Self::Fields { values } => values.get(name).filter(|value| !value.is_empty()),
            _ => None,
        }
    }
}

/// Who it is and how that was proven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Who it is.
    pub who: Who,
    /// The kind of factor, where it differs from the description's.
    #[serde(default)]
    pub class: Option<FactorClass>,
    /// The authentication method references (RFC 8176), where they differ from
    /// the description's.
    #[serde(default)]
    pub amr: Vec<String>,
    /// When it was proven; `None`: now.
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// What the session is limited to, if the proof is bound to a purpose.
    #[serde(default)]
    pub scope: Option<String>,
    /// What it is good for.
    #[serde(default)]
    pub purpose: Purpose,
    /// That the credential it was given with has to be changed: asked for once
    /// everything else that is demanded is proven. Nobody is refused for it. Only
    /// of what people set up for themselves.
    #[serde(default)]
    pub renew: Option<Renewal>,
    /// The address whose mailbox was proven to be the user's. Unless that is the
    /// very [purpose](Purpose::Mailbox), another one than is stored for the user is
    /// refused.
    #[serde(default)]
    pub mailbox: Option<String>,
    /// Where the browser goes in the end: a path of this server. It takes the
    /// place of where the flow was to return to.
    #[serde(default)]
    pub return_to: Option<String>,
    /// The record that proved it, where sessions end when that record does; it is
    /// the provider's own and the user's.
    #[serde(default)]
    pub credential: Option<RecordId>,
    /// What is kept with the link to an external identity until the next proof, such
    /// as a refresh token: at most 16 KiB, sealed at rest.
    #[serde(default)]
    pub keep: State,
}

/// That a credential which is right has to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    /// Why, as the person is told.
    pub reason: MustChange,
    /// The first moment at which there is no session before it is changed. Until
    /// then it is offered and can be put off; `None`: it cannot.
    #[serde(default)]
    pub due: Option<Timestamp>,
}

/// What a proof is good for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To sign in.
    #[default]
    SignIn,
    /// To sign in, once a new credential was chosen. There is no session before.
    NewCredential,
    /// To show that a mailbox is the user's. By a link there is no session at all;
    /// in a flow that asks for it, the flow goes on. The address becomes the
    /// user's, verified.
    Mailbox,
}

impl Proof {
    /// A proof of the context's subject, as the provider's description says.
    pub fn of_subject(user: UserId) -> Self {
        Self::of(Who::Subject { user })
    }

    /// A proof as the provider's description says.
    pub fn of(who: Who) -> Self {
        Self {
            who,
            class: None,
            amr: Vec::new(),
            at: None,
            scope: None,
            purpose: Purpose::SignIn,
            renew: None,
            mailbox: None,
            return_to: None,
            credential: None,
            keep: State::default(),
        }
    }
}

/// Who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Who {
    /// The context's subject. Another user than that is refused.
    Subject {
        /// The subject's id.
        user: UserId,
    },
    /// One of these users; only from a provider that finds the tenant, or in a flow
    /// that began with its link.
    Candidates {
        /// At most 100.
        users: Vec<(TenantId, UserId)>,
    },
    /// Whoever is linked to this identity at a third party.
    External {
        /// The identity.
        identity: ExternalIdentity,
    },
}

/// An identity at a third party. Its key is connection, issuer and subject, within a
/// tenant; nothing else of it ever finds a user.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalIdentity {
    /// The connection it came by.
    pub connection: ConnectionId,
    /// Who vouches: 1 to 2,048 bytes.
    pub issuer: String,
    /// Who it is there, for ever and for nobody else: 1 to 255 bytes.
    pub subject: String,
    /// What else was said, by the names of OpenID Connect Core 1.0 section 5.1 where
    /// those fit (`preferred_username`, `name`, `email`), or the third party's own.
    pub claims: BTreeMap<String, Claim>,
}

impl fmt::Debug for ExternalIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalIdentity")
            .field("connection", &self.connection)
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

/// Something a third party said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What.
    pub value: String,
    /// How far it is verified.
    pub verified: Verified,
}

/// How far a claim is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verified {
    /// Somebody said so.
    Claimed,
    /// The third party says it checked.
    Provider,
    /// A message to the mailbox was answered.
    Mailbox,
    /// The owner of the domain vouches.
    DomainOwner,
}

/// What a provider wants changed. Records are its own in the flow's tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Effect {
    /// Removes a record that may be used once; if it is gone or has another
    /// version, the whole turn is refused.
    UseUp {
        /// Which.
        record: RecordId,
        /// As it was read.
        version: i64,
    },
    /// Adds a record.
    Put {
        /// It.
        record: NewRecord,
    },
    /// Replaces label, expiry and data of a record; if it is gone or has another
    /// version, the whole turn is refused.
    Replace {
        /// Which.
        record: RecordId,
        /// As it was read.
        version: i64,
        /// What it becomes; owner and key stay.
        with: NewRecord,
    },
    /// Removes a record, if it is there.
    Remove {
        /// Which.
        record: RecordId,
    },
    /// Sends a message; only by one of the channels that
    /// [`Facts::channels`](super::Facts::channels) names, another is a fault.
    Send {
        /// It.
        message: Message,
    },
}

/// A record to be kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRecord {
    /// Whose it is.
    pub owner: RecordOwner,
    /// A key to find it by, unique per provider and tenant; stored hashed.
    pub key: Option<Secret>,
    /// What the person calls it, at most 100 characters.
    pub label: String,
    /// The first moment at which it no longer counts.
    pub expires_at: Option<Timestamp>,
    /// At most 60 KiB; sealed at rest.
    pub data: State,
}

impl fmt::Debug for NewRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewRecord")
            .field("owner", &self.owner)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Whose a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordOwner {
    /// The context's subject.
    Subject,
    /// No user's.
    Nobody,
}
