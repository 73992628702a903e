//! A flow's document: what is known, what was proven, what is asked now.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    duty::Duty,
    identity::{Comer, Notice},
    newcomer::Newcomer,
};
use crate::{
    Environment, Error, ErrorKind, Platform, Result,
    environment::later,
    model::{
        ApplicationId, Factor, FactorClass, FlowId, ProviderId, RecordId, SessionId, Tenant,
        TenantId, UserId,
    },
    provider::{Intent, PastProof, State, Step},
    seal::SealContext,
    secret::{Token, TokenHash},
    storage::{Scope, StoredFlow, UnitOfWork},
};

/// How long a flow lives.
const LIFETIME: Duration = Duration::from_secs(600);
const PURPOSE: &str = "sign-in flow";
const MAX_STATE: usize = 16 * 1024;

/// How a flow is bound and its result handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// To a browser: the flow's id is useless without its cookie, the session
    /// is a cookie.
    Cookie,
    /// To a client without cookies: the flow's id is a secret of 256 bits, the
    /// session's token is in the answer.
    Token,
}

/// What finds a flow again.
#[derive(Debug, Clone)]
pub struct FlowHandle {
    /// Its id, as in addresses; with [`Transport::Token`] a secret.
    pub id: String,
    /// The browser's proof that it is its own, with [`Transport::Cookie`].
    pub binding: Option<Token>,
}

/// The document, sealed at rest.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Flow {
    pub(crate) transport: Transport,
    pub(crate) binding: Option<TokenHash>,
    pub(crate) intent: Intent,
    pub(crate) tenant: Option<FlowTenant>,
    /// The application that it is for.
    pub(crate) application: Option<FlowApplication>,
    pub(crate) return_to: Option<String>,
    pub(crate) two_factors: bool,
    /// Whether it began with a link.
    pub(crate) linked: bool,
    pub(crate) target: Option<ProviderId>,
    /// What is removed, for [`Intent::Remove`].
    #[serde(default)]
    pub(crate) factor: Option<RecordId>,
    /// Whether it was.
    #[serde(default)]
    pub(crate) removed: bool,
    /// The session that a change of credentials was asked for in.
    pub(crate) session: Option<SessionId>,
    pub(crate) started_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) phase: Phase,
    pub(crate) step: String,
    pub(crate) offers: Vec<OpenOffer>,
    /// Which offer is being answered, once one has a step of its own.
    pub(crate) active: Option<usize>,
    /// Whom the open step is about, as long as nothing is proven.
    pub(crate) claim: Option<FlowClaim>,
    /// Who it is: set by the first proof, or by the session it began in.
    pub(crate) subject: Option<(TenantId, UserId)>,
    /// The subject's credential epoch that the proofs belong to.
    pub(crate) epoch: Option<i64>,
    /// Who it may be, until a tenant is chosen.
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) proofs: Vec<FlowProof>,
    /// What was set up in this flow.
    pub(crate) set_up: Vec<ProviderId>,
    pub(crate) sign_up: SignUpRules,
    pub(crate) scope: Option<String>,
    /// What the proofs say has to be set up anew before a session.
    #[serde(default)]
    pub(crate) renewals: Vec<Duty>,
    /// The duty that is being done, in [`Phase::ChangeCredential`] and
    /// [`Phase::AddFactor`].
    #[serde(default)]
    pub(crate) duty: Option<Duty>,
    /// Whether setting a second factor up was put off.
    #[serde(default)]
    pub(crate) factor_put_off: bool,
    /// Whether a mailbox was shown to be the user's.
    pub(crate) mailbox: bool,
    /// Where the browser is, if that is a tenant's own origin.
    #[serde(default)]
    pub(crate) own_origin: Option<String>,
    /// Who came by a third party, as long as no account here is known to be theirs.
    #[serde(default)]
    pub(crate) comer: Option<Comer>,
    /// Who came by one that several accounts are linked at, until one is chosen.
    #[serde(default)]
    pub(crate) came: Option<Comer>,
    /// What they are asked, in [`Phase::Newcomer`].
    #[serde(default)]
    pub(crate) newcomer: Option<Newcomer>,
    /// Whether an identity was linked.
    #[serde(default)]
    pub(crate) has_linked: bool,
    /// Why the last way to a third party led nowhere.
    #[serde(default)]
    pub(crate) notice: Option<Notice>,
    /// When a session that follows from an older proof ends at the latest.
    #[serde(default)]
    pub(crate) not_after: Option<Timestamp>,
    pub(crate) complete: bool,
    /// Whether the person wants to stay signed in on this device.
    #[serde(default)]
    pub(crate) stay: bool,
}

/// What an account needs that somebody makes for themselves.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct SignUpRules {
    pub(crate) email_required: bool,
    pub(crate) display_name_required: bool,
}

/// A tenant as a flow shows it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct FlowTenant {
    pub(crate) id: TenantId,
    pub(crate) name: String,
    pub(crate) display_name: String,
}

/// An application as a flow remembers it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct FlowApplication {
    pub(crate) id: ApplicationId,
    pub(crate) name: String,
}

impl From<&Tenant> for FlowTenant {
    fn from(tenant: &Tenant) -> Self {
        Self {
            id: tenant.id,
            name: tenant.name.to_string(),
            display_name: tenant.display_name.to_string(),
        }
    }
}

/// Whom a step is about that nobody has answered rightly yet. No client sees it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FlowClaim {
    /// A user that exists.
    User(TenantId, UserId),
    /// A name that nobody has.
    Decoy {
        tenant: Option<TenantId>,
        typed: String,
    },
    /// Nobody yet, in a tenant that was named.
    Tenant(TenantId),
}

/// Somebody it may be.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Candidate {
    pub(crate) tenant: FlowTenant,
    pub(crate) user: UserId,
    /// The user's credential epoch when the proof was given.
    pub(crate) epoch: i64,
    /// The record that proved it.
    #[serde(default)]
    pub(crate) credential: Option<RecordId>,
}

/// Where a flow stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// Somebody proves who they are.
    First,
    /// One of several accounts is chosen.
    Tenant,
    /// A second kind of factor confirms it.
    Second,
    /// A new credential must be chosen before going on.
    ChangeCredential,
    /// A second factor must be set up before going on.
    AddFactor,
    /// What was asked for is set up.
    Enrol,
    /// What was asked for is removed.
    RemoveFactor,
    /// The mailbox is shown to be the user's.
    Verify,
    /// An account is made.
    SignUp,
    /// Somebody whom nobody is linked to says what becomes of them.
    Newcomer,
    /// What was asked for is linked.
    Link,
}

/// A provider's present step.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct OpenOffer {
    pub(crate) provider: ProviderId,
    pub(crate) state: State,
    /// What is shown; `None` for a provider that begins when it is chosen.
    pub(crate) shown: Option<Step>,
}

/// A proof in a flow.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct FlowProof {
    pub(crate) factor: Factor,
    /// Whether a sign-in can start with it.
    pub(crate) first: bool,
}

impl Flow {
    pub(crate) fn new(platform: &Platform, transport: Transport, intent: Intent) -> Self {
        let now = platform.now();
        Self {
            transport,
            binding: None,
            intent,
            tenant: None,
            application: None,
            return_to: None,
            two_factors: false,
            linked: false,
            target: None,
            factor: None,
            removed: false,
            session: None,
            started_at: now,
            expires_at: later(now, LIFETIME),
            phase: if intent == Intent::SignUp {
                Phase::SignUp
            } else {
                Phase::First
            },
            step: step_id(platform.environment()),
            offers: Vec::new(),
            active: None,
            claim: None,
            subject: None,
            epoch: None,
            candidates: Vec::new(),
            proofs: Vec::new(),
            set_up: Vec::new(),
            sign_up: SignUpRules::default(),
            scope: None,
            renewals: Vec::new(),
            duty: None,
            factor_put_off: false,
            mailbox: false,
            own_origin: None,
            comer: None,
            came: None,
            newcomer: None,
            has_linked: false,
            notice: None,
            not_after: None,
            complete: false,
            stay: false,
        }
    }

    /// Goes to a step that is yet to be opened.
    pub(crate) fn go_to(&mut self, environment: &Environment, phase: Phase) {
        self.phase = phase;
        self.step = step_id(environment);
        self.offers.clear();
        self.active = None;
        self.claim = None;
        self.notice = None;
    }

    /// Opens every way of its phase anew: the one that the browser took is used up.
    pub(crate) fn go_back(&mut self, environment: &Environment, notice: Notice) {
        self.go_to(environment, self.phase);
        self.notice = Some(notice);
    }

    /// A new secret for the browser, so that what somebody planted before the
    /// proof is worth nothing after it.
    pub(crate) fn rebind(&mut self, environment: &Environment) -> Option<Token> {
        (self.transport == Transport::Cookie).then(|| {
            let binding = Token::generate(environment);
            self.binding = Some(binding.hash());
            binding
        })
    }

    /// Whether somebody gets back into an account, or into it for the first time,
    /// who knows no credential for it.
    pub(crate) fn gets_back(&self) -> bool {
        self.duty.as_ref() == Some(&Duty::to_get_back())
    }

    /// Whether a credential was set up, changed or removed in it, which ended the
    /// session that it began in.
    pub(crate) fn has_changed_credentials(&self) -> bool {
        self.removed || !self.set_up.is_empty()
    }

    pub(crate) fn past_proofs(&self) -> Vec<PastProof> {
        let past = |proof: &FlowProof| PastProof {
            provider: proof.factor.provider.clone(),
            class: proof.factor.class,
            amr: proof.factor.amr.clone(),
            at: proof.factor.at,
        };
        self.proofs.iter().map(past).collect()
    }

    pub(crate) fn factors(&self) -> Vec<Factor> {
        self.proofs
            .iter()
            .map(|proof| proof.factor.clone())
            .collect()
    }

    /// Whether it began with a device that remembered the person.
    pub(crate) fn is_silent(&self) -> bool {
        let mut proofs = self.proofs.iter();
        proofs.any(|proof| proof.first && proof.factor.class == FactorClass::Remembered)
    }

    /// Whether somebody who came by this connection is linking an account.
    pub(crate) fn links_from(&self, connection: &ProviderId) -> bool {
        let comer = self.comer.as_ref();
        comer.is_some_and(|comer| comer.links && comer.identity.connection == *connection)
    }

    pub(crate) fn tenant_id(&self) -> Option<TenantId> {
        self.tenant.as_ref().map(|tenant| tenant.id)
    }

    /// The kinds of factors proven, without what merely remembers one.
    pub(crate) fn classes(&self) -> Vec<FactorClass> {
        let mut classes: Vec<_> = self
            .proofs
            .iter()
            .map(|proof| proof.factor.class)
            .filter(|class| *class != FactorClass::Remembered)
            .collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    }
}

/// A flow as it was found.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) id: String,
    pub(crate) handle: TokenHash,
    pub(crate) version: i64,
    pub(crate) flow: Box<Flow>,
}

/// The id and handle of a new flow, and the browser's secret.
pub(crate) fn new_handle(platform: &Platform, flow: &mut Flow) -> (FlowHandle, TokenHash) {
    let environment = platform.environment();
    let id = match flow.transport {
        Transport::Cookie => FlowId::generate(environment).to_string(),
        Transport::Token => Token::generate(environment).expose().to_owned(),
    };
    let binding = flow.rebind(environment);
    let hash = handle_hash(&id);
    (FlowHandle { id, binding }, hash)
}

fn handle_hash(id: &str) -> TokenHash {
    TokenHash::of_parts([b"flow".as_slice(), id.as_bytes()])
}

/// Finds a flow; one that is expired, or another browser's, is not there.
pub(crate) async fn find(platform: &Platform, handle: &FlowHandle) -> Result<Found> {
    let hash = handle_hash(&handle.id);
    let mut unit = platform.read(Scope::Platform).await?;
    let stored = unit.flows().by_handle(&hash).await?;
    unit.rollback().await?;
    let stored = stored.filter(|stored| platform.now() < stored.expires_at);
    let stored = stored.ok_or_else(gone)?;
    let flow = open(platform, &hash, &stored).await?;
    let bound = match (&flow.binding, &handle.binding) {
        (None, _) => true,
        (Some(hash), Some(token)) => hash.matches(&token.hash()),
        (Some(_), None) => false,
    };
    if !bound {
        return Err(gone());
    }
    Ok(Found {
        id: handle.id.clone(),
        handle: hash,
        version: stored.version,
        flow: Box::new(flow),
    })
}

/// The flow as another request left it, which is allowed to have opened the
/// same step and nothing else.
pub(crate) async fn opened_meanwhile(platform: &Platform, found: &Found) -> Result<Found> {
    let mut unit = platform.read(Scope::Platform).await?;
    let stored = unit.flows().by_handle(&found.handle).await?;
    unit.rollback().await?;
    let stored = stored.ok_or_else(gone)?;
    let flow = open(platform, &found.handle, &stored).await?;
    if flow.step != found.flow.step || flow.active != found.flow.active {
        return Err(not_current());
    }
    Ok(Found {
        version: stored.version,
        flow: Box::new(flow),
        ..found.clone()
    })
}

pub(crate) async fn create(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    handle: TokenHash,
    flow: &Flow,
) -> Result<()> {
    let stored = StoredFlow {
        handle,
        version: 1,
        expires_at: flow.expires_at,
        sealed: seal(platform, &handle, flow)?,
    };
    unit.flows().create(&stored).await
}

/// Stores a new flow, of which the provider's steps are opened later or never.
pub(crate) async fn begin(platform: &Platform, mut flow: Flow) -> Result<(FlowHandle, Found)> {
    let (handle, hash) = new_handle(platform, &mut flow);
    let mut unit = platform.write(Scope::Platform).await?;
    create(platform, unit.as_mut(), hash, &flow).await?;
    unit.commit().await?;
    let found = Found {
        id: handle.id.clone(),
        handle: hash,
        version: 1,
        flow: Box::new(flow),
    };
    Ok((handle, found))
}

/// Removes a flow, if it is there.
pub(crate) async fn give_up(platform: &Platform, flow: &TokenHash) -> Result<()> {
    let mut unit = platform.write(Scope::Platform).await?;
    unit.flows().delete(flow).await?;
    unit.commit().await
}

/// Stores the flow over the version that was found.
///
/// # Errors
/// [`ErrorKind::Conflict`] when another answer was faster.
pub(crate) async fn save(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    found: &Found,
) -> Result<i64> {
    let stored = StoredFlow {
        handle: found.handle,
        version: found.version,
        expires_at: found.flow.expires_at,
        sealed: seal(platform, &found.handle, &found.flow)?,
    };
    match unit.flows().update(&stored).await {
        Ok(stored) => Ok(stored.version),
        Err(error) if error.kind() == ErrorKind::Conflict => Err(not_current()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(gone()),
        Err(error) => Err(error),
    }
}

fn seal(platform: &Platform, handle: &TokenHash, flow: &Flow) -> Result<Vec<u8>> {
    if flow
        .offers
        .iter()
        .any(|offer| offer.state.0.len() > MAX_STATE)
    {
        return Err(Error::internal("a provider's state is larger than 16 KiB"));
    }
    let plain = serde_json::to_vec(flow).map_err(|e| Error::internal("flow").because(e))?;
    let place: &[&[u8]] = &[handle.as_bytes()];
    let context = SealContext {
        purpose: PURPOSE,
        place,
    };
    platform.keys().seal(&context, &plain)
}

async fn open(platform: &Platform, handle: &TokenHash, stored: &StoredFlow) -> Result<Flow> {
    let place: &[&[u8]] = &[handle.as_bytes()];
    let context = SealContext {
        purpose: PURPOSE,
        place,
    };
    let plain = platform.open_sealed(&context, &stored.sealed).await?;
    serde_json::from_slice(&plain)
        .map_err(|e| Error::new(ErrorKind::Corrupt, "a flow cannot be read").because(e))
}

pub(crate) fn step_id(environment: &Environment) -> String {
    URL_SAFE_NO_PAD.encode(environment.bytes::<16>())
}

/// Wrong, over, expired or another browser's: nobody learns which.
pub(crate) fn gone() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "this sign-in is over or has expired; start again",
    )
}

pub(crate) fn not_current() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "this step was answered already; go on with the current one",
    )
}
