//! The provider contract, and how to write a way to sign in.
//!
//! A provider is a machine of steps that proves who somebody is: by a password,
//! a code, a third party, a device. It never speaks HTML or HTTP to the person
//! and never touches storage; it answers with data, and the engine acts on it.
//! A new provider therefore gets its page, its JSON API, its enrolment page,
//! its limits, locks, audit and metrics without a line outside its folder.
//!
//! # A provider in seven steps
//!
//! 1. Make a crate `providers/<name>` that depends on this crate and, if it
//!    speaks a protocol, on that protocol's library.
//! 2. Implement [`Provider`]. `begin` shows the first step, `resume` takes the
//!    answer to the step before; both answer with a [`Turn`].
//! 3. If people set it up for themselves, implement [`Enrolment`] as well.
//! 4. If it keeps somebody signed in on a device without asking, implement [`Silent`];
//!    a token is redeemed without a step, and gets past no second factor.
//! 5. If somebody else says who a person is, implement [`ThirdParty`] and prove
//!    [external identities](Who::External): the engine links them to users, makes
//!    accounts for new people, and takes what the configuration says about that. Say
//!    whether it [proves anew](ThirdParty::proves_anew) who somebody is: else it confirms
//!    changes of an account only where its owner has no other way.
//! 6. Write `register(&mut Registry)`, which tells the [`Registry`] how to make
//!    the provider from its table in the configuration.
//! 7. Call `provider_suite!` of `gatelodge-provider-suite` in `tests/suite.rs`.
//!
//! Then two lines elsewhere: the dependency in `server/Cargo.toml`, and the call
//! of `register` in `server/src/plugins.rs`.
//!
//! # What a provider may rely on
//!
//! * **The subject is already looked up.** A form field of [`Role::Identifier`]
//!   is read by the engine, which checks limits and finds the user before
//!   `resume` is called. For a name that nobody has, the subject is a decoy that
//!   looks like any other, has no records and can never sign in. Do the same
//!   work for it: a stranger must not learn which accounts exist.
//! * **Without an identifier nobody is the subject.** A provider that finds out by
//!   itself who it is (a link's token, a third party) proves
//!   [candidates](Who::Candidates). Unless it does so by its links alone, which name
//!   the tenant, it declares [`Description::finds_tenant`]; its records are only found
//!   once the flow's tenant is known.
//! * **State comes back.** What a turn carries in [`Turn::state`] (at most
//!   16 KiB) is handed to the next `resume` of the same flow, each step once.
//!   It is kept sealed at the server; the browser never sees it.
//! * **Effects are applied or nothing is.** [`Turn::effects`] are applied after
//!   the engine's checks, in the transaction that writes the session and the
//!   audit event. If one's condition fails, the answer counts as refused.
//!   After a refusal none is applied, but for those of a token that
//!   [kept somebody signed in](Silent::redeem).
//! * **Nothing else is open.** No transaction is open while a provider runs.
//!
//! # What a provider must keep to
//!
//! * It offers nothing that needs a message which [`Facts::channels`] has no way for.
//! * `begin` sends nothing and uses nothing up: opening a page is no act.
//! * A wrong answer is [`Step::Refused`], one that could never be right (a field
//!   missing, too long) is [`Step::Invalid`]; an [`Error`](crate::Error) is for
//!   faults only.
//! * A credential that is right and has to be changed is proven all the same, with
//!   [`Proof::renew`]: the engine asks for the change once everything else is
//!   proven, and says why.
//! * Rules that people or administrators should know are told by
//!   [`Provider::rules`], with the requirements that they fall short of.
//! * Time and randomness come from the [`Context`].
//! * Every message round-trips through JSON: the same provider may one day run
//!   in a process of its own.

mod admission;
mod context;
mod form;
mod link;
mod mark;
mod message;
mod registry;
mod rule;
mod silent;
mod third_party;
mod turn;

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use admission::{Admission, ClaimMap, NewAccounts, Offering};
pub use context::{
    Context, Facts, HttpRequest, HttpResponse, Intent, KeptRecord, Nowhere, Outbound, PastProof,
    Reach, Services, Strength, Subject, TenantFacts,
};
pub use form::{Action, ActionStyle, Choice, Display, Field, FieldKind, Form, Role};
pub use link::{Delivery, Issued, LinkPurpose, LinkRequest, Links};
pub use mark::{Mark, Shape};
pub use message::{Link, Message, MessageChannel};
pub use registry::{Configured, Factory, ProviderTable, Registry};
pub use rule::{Requirement, Rule};
pub use silent::{Device, Kept, Redeemed, Revoked, Silent};
pub use third_party::{Finding, Rechecked, ThirdParty, Verdict};
pub use turn::{
    Answer, ChallengeKind, Claim, Effect, Entry, ExternalIdentity, FieldError, NewRecord, Proof,
    Purpose, RecordOwner, Renewal, State, Step, Turn, Verified, Who,
};

use crate::{
    Result,
    model::{FactorClass, RecordId},
};

/// A way to prove who one is.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// What it is and can do; the same at every call.
    fn describe(&self) -> Description;

    /// Shows the first step.
    ///
    /// * It sends nothing and uses nothing up, however often it is called.
    /// * An entry of a kind it does not know is refused.
    async fn begin(&self, context: &Context<'_>, entry: Entry) -> Result<Turn>;

    /// Takes the answer to the step that `state` belongs to.
    ///
    /// * A wrong answer is refused, a malformed one invalid; neither has effects.
    /// * A state that it did not make is refused.
    async fn resume(&self, context: &Context<'_>, state: State, answer: Answer) -> Result<Turn>;

    /// After how long to try again, while an answer would be refused for want
    /// of capacity.
    ///
    /// * It is asked before anything is looked up or counted, so a flood costs
    ///   next to nothing, and what it says is the same for everybody.
    /// * It answers at once, and promises nothing: `resume` may still find that
    ///   there is no room, and says so by an error.
    fn busy(&self) -> Option<Duration> {
        None
    }

    /// The rules that it holds people to, as configured, each with the requirements
    /// that it falls short of; for administrators to read.
    ///
    /// * It answers at once, and the same at every call. Nothing in it is secret.
    fn rules(&self) -> Vec<Rule> {
        Vec::new()
    }

    /// How people set it up for themselves; `Some` exactly when
    /// [`Description::enrolment`] says so.
    fn enrolment(&self) -> Option<&dyn Enrolment> {
        None
    }

    /// How it makes links without the person at hand; `Some` exactly when
    /// [`Description::links`] names a purpose.
    fn links(&self) -> Option<&dyn Links> {
        None
    }

    /// How it keeps somebody signed in on a device; `Some` exactly when
    /// [`Description::silent`] says so.
    fn silent(&self) -> Option<&dyn Silent> {
        None
    }

    /// What it can do beyond proving identities at a third party; `Some` exactly when
    /// [`Description::third_party`] says so.
    fn third_party(&self) -> Option<&dyn ThirdParty> {
        None
    }
}

/// Setting a provider up for a user, and taking that back.
#[async_trait]
pub trait Enrolment: Send + Sync {
    /// Shows the first step of setting it up for the context's subject. For
    /// [`Intent::SignUp`] there is none yet: who it will be comes with the answer.
    async fn begin(&self, context: &Context<'_>) -> Result<Turn>;

    /// Takes the answer; the last turn is [`Step::Enrolled`] with the effects
    /// that make it so.
    async fn resume(&self, context: &Context<'_>, state: State, answer: Answer) -> Result<Turn>;

    /// What the context's subject has set up.
    async fn list(&self, context: &Context<'_>) -> Result<Vec<Credential>>;

    /// The effects that take one back; [`NotFound`](crate::ErrorKind::NotFound)
    /// when the subject has no such one.
    async fn remove(&self, context: &Context<'_>, id: RecordId) -> Result<Vec<Effect>>;
}

/// What a provider is and can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Its kind, as in the configuration: `password`, `oidc`.
    pub kind: String,
    /// What it is called on a button or a heading: "Password".
    pub label: String,
    /// The kind of factor it proves.
    pub class: FactorClass,
    /// The authentication method reference (RFC 8176) of its proofs.
    pub amr: String,
    /// Whether a sign-in can start with it.
    pub first_step: bool,
    /// Whether it can confirm a user whom another provider proved.
    pub second_factor: bool,
    /// Whether it only stands in for other second factors, as recovery codes
    /// do: it confirms where one is demanded, but nothing is demanded of who
    /// has set up no other one.
    pub backup: bool,
    /// Whether people set it up for themselves.
    pub enrolment: bool,
    /// Whether it finds the tenant by itself, so that nobody is asked before.
    pub finds_tenant: bool,
    /// Whether its first step is shown at once beside the other ways to sign
    /// in or to confirm it; otherwise it begins when it is chosen.
    pub inline: bool,
    /// What it makes and takes links for. Each purpose is taken by the first
    /// configured provider that names it.
    #[serde(default)]
    pub links: Vec<LinkPurpose>,
    /// Whether it keeps somebody signed in on a device. The first configured
    /// provider that does is asked.
    #[serde(default)]
    pub silent: bool,
    /// Whether somebody else says who a person is: it proves
    /// [external identities](Who::External), which are linked to users.
    #[serde(default)]
    pub third_party: bool,
    /// The picture on its button.
    #[serde(default, skip_serializing_if = "Mark::is_empty")]
    pub mark: Mark,
    /// Refusals, and steps that follow while nobody is proven, are held back until
    /// this many milliseconds passed since the answer came, so that the time of
    /// what is done for a user and not for a decoy tells nothing; at most 10,000.
    pub refusal_floor_ms: u32,
}

impl Description {
    /// Whether it confirms sign-ins and starts none.
    pub fn only_confirms(&self) -> bool {
        self.second_factor && !self.first_step
    }
}

/// Something a user has set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The record that keeps it.
    pub id: RecordId,
    /// What the person calls it, or what it is.
    pub label: String,
    /// Since when it is what it is: since it was set up, or changed.
    pub created_at: jiff::Timestamp,
    /// How many are left, of what is used up.
    #[serde(default)]
    pub left: Option<u32>,
}
