//! The sign-in engine: a state machine that runs flows over providers.
//!
//! ```text
//! first step ──► tenant known? ──► second factors ──► duties ──► session
//! ```
//!
//! A flow is a document at the server, sealed, bound to one browser by a cookie
//! or to one client by its secret id, alive for ten minutes. Each step is
//! answered once. After every proof the engine asks anew, in the transaction
//! that would write the session, what is still outstanding (file `outstanding`); only
//! when nothing is does a session come to be. There is no other way to one.
//!
//! | file | what it does |
//! |---|---|
//! | `flow` | the document, how it is stored and found again |
//! | `start` | begins flows |
//! | `answer` | takes answers: checks them, counts tries, calls the provider |
//! | `check` | what can be said of an answer without its provider |
//! | `claim` | finds out whom an answer is about |
//! | `sign_up` | makes accounts |
//! | `identity` | whom an identity at a third party is linked to, and linking it |
//! | `newcomer` | what becomes of somebody whom nobody is linked to |
//! | `callback` | the way back from a third party |
//! | `advance`, `write` | applies a proof, and ends the flow with a session |
//! | `duty` | why something has to be set up or changed, and putting it off |
//! | `change` | what follows from a credential that was changed; removing one |
//! | `silent` | devices that keep somebody signed in |
//! | `switch` | goes on to one's account in another tenant |
//! | `mailbox` | makes an address that was shown to be the user's the user's |
//! | `paths` | where a browser may be sent in the end |
//! | `outstanding` | what has to be proven or done before a session |
//! | `view` | what a client sees of a flow |

mod advance;
mod answer;
mod callback;
mod candidates;
mod change;
mod check;
mod claim;
mod device;
mod duty;
mod flow;
mod identity;
mod mailbox;
mod newcomer;
mod outstanding;
mod paths;
mod sign_up;
mod silent;
mod start;
mod starts;
mod switch;
mod view;
mod write;

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

pub use callback::Arrival;
pub use duty::DutyReason;
pub use flow::{FlowHandle, Transport};
pub use identity::Notice;
pub use paths::local_path;
pub use silent::{ResumeDevice, Resumed};
pub use switch::{SwitchTenant, Switched};
pub use view::{FlowState, FlowView, LinkingView, Offer, StepBody, StepView};

pub(crate) use check::plain_reason;
pub(crate) use starts::FlowStarts;

use crate::{
    Platform,
    model::{ClientFacts, ProviderId, RecordId, Session, Tenant, TenantId},
    provider::{FieldError, Intent, LinkPurpose, Purpose},
    secret::{Secret, Token},
    service::{ApplicationRef, TenantRef},
    session_table::CheckedSession,
};

/// Signing in, signing up, changing credentials.
#[derive(Debug, Clone, Copy)]
pub struct SignIn<'a>(&'a Platform);

/// What a flow is to be.
#[derive(Debug, Clone)]
pub struct StartFlow {
    /// What it is for.
    pub intent: Intent,
    /// How its result is handed over.
    pub transport: Transport,
    /// The tenant, if the address or the client names one.
    pub tenant: Option<TenantRef>,
    /// The application that it is for, if one asks.
    pub application: Option<ApplicationRef>,
    /// Where the browser goes in the end: a path of this server, or a return
    /// address of the application, byte for byte.
    pub return_to: Option<String>,
    /// Whether two factors are demanded whatever the policy says.
    pub two_factors: bool,
    /// The session of whoever sets something up or proves oneself again.
    pub session: Option<Arc<CheckedSession>>,
    /// What is to be set up or linked, for [`Intent::Enrol`] and [`Intent::Link`].
    pub target: Option<ProviderId>,
    /// What is to be removed, for [`Intent::Remove`].
    pub factor: Option<RecordId>,
    /// Comes by a link of this purpose, with its token, instead of choosing.
    pub link: Option<(LinkPurpose, Secret)>,
    /// Whether the browser is on the tenant's own origin.
    pub on_own_origin: bool,
}

impl StartFlow {
    /// A sign-in with a cookie, in no particular tenant.
    pub fn sign_in(transport: Transport) -> Self {
        Self {
            intent: Intent::SignIn,
            transport,
            tenant: None,
            application: None,
            return_to: None,
            two_factors: false,
            session: None,
            target: None,
            factor: None,
            link: None,
            on_own_origin: false,
        }
    }
}

/// A flow that was begun.
#[derive(Debug, Clone)]
pub struct Started {
    /// What finds it again.
    pub handle: FlowHandle,
    /// What the client sees.
    pub view: FlowView,
}

/// An answer to a step, as a client gives it.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The step that is answered; `None`: whichever is current.
    pub step: Option<String>,
    /// The provider that is answered.
    pub provider: String,
    /// The answer.
    pub answer: ReplyAnswer,
    /// What a browser carries that signed in here before.
    pub device: Option<Secret>,
    /// Whether the person wants to stay signed in on this device. It holds for
    /// the rest of the flow, if that is a sign-in.
    pub stay: bool,
}

/// The answer itself.
#[derive(Debug, Clone)]
pub enum ReplyAnswer {
    /// A filled-in form.
    Fields(BTreeMap<String, Secret>),
    /// A button.
    Action(String),
    /// What the browser API gave.
    Browser(serde_json::Value),
    /// The provider is chosen, or asked again after waiting.
    Go,
}

/// What an answer led to.
#[derive(Debug, Clone)]
pub enum Progress {
    /// There is a next step.
    Next {
        /// The flow as it is now.
        view: FlowView,
        /// The browser's new proof that the flow is its own, if it changed.
        binding: Option<Token>,
        /// The answer is to be held back until then.
        hold_until: Option<Timestamp>,
    },
    /// The answer was wrong; the step can be answered again.
    Refused {
        /// The flow, unchanged.
        view: FlowView,
        /// The answer is to be held back until then.
        hold_until: Option<Timestamp>,
    },
    /// The answer could never be right; nothing was tried.
    Invalid {
        /// The flow, unchanged.
        view: FlowView,
        /// What was wrong.
        errors: Vec<FieldError>,
    },
    /// The flow has ended with a session.
    Complete(Box<Completed>),
    /// The flow has ended without one: it was not begun to sign in.
    Ended {
        /// The flow.
        view: FlowView,
        /// What it was good for.
        purpose: Purpose,
    },
}

/// A flow that ended with a session.
#[derive(Debug, Clone)]
pub struct Completed {
    /// The flow.
    pub view: FlowView,
    /// The session's token: told here and nowhere else.
    pub token: Token,
    /// The session.
    pub session: Session,
    /// Its tenant.
    pub tenant: Tenant,
    /// What the browser may keep to have a lane of its own.
    pub device: Secret,
    /// Where the browser goes.
    pub return_to: Option<String>,
    /// What the browser keeps to stay signed in, if the person wanted that.
    pub kept: Option<KeptDevice>,
}

/// What a browser keeps to stay signed in: told here and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptDevice {
    /// Its token, with the tenant in front.
    pub token: Secret,
    /// Its tenant.
    pub tenant: TenantId,
    /// The first moment at which it is worth nothing.
    pub expires_at: Timestamp,
}

impl<'a> SignIn<'a> {
    pub(crate) fn new(platform: &'a Platform) -> Self {
        Self(platform)
    }
}

/// The caller of a flow, for audit and limits.
pub(crate) fn anonymous(client: &ClientFacts) -> crate::access::Caller {
    crate::access::Caller {
        principal: crate::access::Principal::Anonymous,
        client: client.clone(),
    }
}

/// Who a step is about.
#[derive(Debug, Clone)]
pub(crate) enum Claimed {
    /// A user that exists.
    User(Box<(Tenant, crate::model::User)>),
    /// A name that nobody has.
    Decoy {
        tenant: Option<Tenant>,
        id: crate::model::UserId,
        typed: String,
    },
    /// Nobody is named: the provider finds out.
    Nobody { tenant: Option<Tenant> },
}

impl Claimed {
    pub(crate) fn tenant(&self) -> Option<&Tenant> {
        match self {
            Self::User(found) => Some(&found.0),
            Self::Decoy { tenant, .. } | Self::Nobody { tenant } => tenant.as_ref(),
        }
    }

    pub(crate) fn tenant_id(&self) -> Option<TenantId> {
        self.tenant().map(|tenant| tenant.id)
    }

    /// What the flow keeps of it until the next answer.
    pub(crate) fn to_keep(&self) -> Option<flow::FlowClaim> {
        match self {
            Self::User(found) => Some(flow::FlowClaim::User(found.0.id, found.1.id)),
            Self::Decoy { typed, .. } => Some(flow::FlowClaim::Decoy {
                tenant: self.tenant_id(),
                typed: typed.clone(),
            }),
            Self::Nobody { .. } => self.tenant_id().map(flow::FlowClaim::Tenant),
        }
    }
}
