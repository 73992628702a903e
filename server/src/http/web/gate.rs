//! Signing in, signing up, and changing a credential: three doors to the same
//! engine. A flow is bound to the browser by its cookie; each step is a page,
//! each answer a post that ends in the next page.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use gatelodge_core::{
    Error, ErrorKind,
    engine::{
        Completed, FlowHandle, FlowState, FlowView, Progress, Reply, ReplyAnswer, StartFlow,
        StepBody, Transport,
    },
    environment::later,
    model::ProviderId,
    provider::{FieldError, Intent, Role},
    secret::Secret,
    service::TenantRef,
};

use super::{
    destination::Destination,
    problem::PageProblem,
    remember::{self, Remembered},
    stay,
    steps::{self, Again},
    visit::{Answer, Visit, see_other, with_parameter},
};
use crate::{
    config::TenantOnForm,
    http::{
        cookies::{DEVICE, Jar},
        csrf::CSRF,
        flows::{bind, hand_over, handle_from, hold},
        problem::{Code, Problem},
    },
};

/// The hidden field that says that there is nothing to fill in.
pub(super) const GO: &str = "gl-go";
/// The hidden field that names the field whose value can be remembered.
pub(super) const NAME_FIELD: &str = "gl-name";
const REMEMBER: &str = "remember_name";
const STAY: &str = "stay";
/// What must be left of a flow's ten minutes for it to be shown anew.
const LONG_ENOUGH: Duration = Duration::from_secs(5 * 60);

/// Which door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    SignIn,
    SignUp,
    Recover,
    Account,
}

impl Gate {
    /// Where its pages are.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::SignIn => "/sign-in",
            Self::SignUp => "/sign-up",
            Self::Recover => "/forgot-password",
            Self::Account => "/account/flow",
        }
    }

    /// Where one begins anew.
    pub(super) fn start(self) -> &'static str {
        match self {
            Self::SignIn | Self::SignUp | Self::Recover => self.path(),
            Self::Account => "/account",
        }
    }

    pub(super) fn of(intent: Intent) -> Self {
        match intent {
            Intent::SignUp => Self::SignUp,
            Intent::Enrol | Intent::Link | Intent::Remove | Intent::Reprove | Intent::Verify => {
                Self::Account
            }
            Intent::Recover => Self::Recover,
            Intent::SignIn => Self::SignIn,
        }
    }
}

pub(super) async fn show_sign_in(visit: Visit) -> Answer {
    show(visit, Gate::SignIn, Intent::SignIn).await
}

pub(super) async fn show_sign_up(visit: Visit) -> Answer {
    show(visit, Gate::SignUp, Intent::SignUp).await
}

pub(super) async fn answer_sign_in(visit: Visit) -> Answer {
    answer(visit, Gate::SignIn).await
}

pub(super) async fn answer_sign_up(visit: Visit) -> Answer {
    answer(visit, Gate::SignUp).await
}

pub(super) async fn show_recover(visit: Visit) -> Answer {
    show(visit, Gate::Recover, Intent::Recover).await
}

pub(super) async fn answer_recover(visit: Visit) -> Answer {
    answer(visit, Gate::Recover).await
}

/// The present step of a flow that changes a credential.
pub(super) async fn show_enrolment(visit: Visit) -> Answer {
    visit.session()?;
    match visit.query.filled("flow") {
        Some(flow) => resume(&visit, Gate::Account, flow).await,
        None => Ok(see_other(&visit.at("/account"))),
    }
}

pub(super) async fn answer_enrolment(visit: Visit) -> Answer {
    visit.session()?;
    answer(visit, Gate::Account).await
}

/// Begins to set a way to sign in up, or to change it.
pub(super) async fn start_enrolment(visit: Visit) -> Answer {
    if visit.is_prefetch() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let session = visit.session()?;
    let provider = ProviderId::new(visit.part("provider"));
    let start = StartFlow {
        intent: Intent::Enrol,
        session: Some(session.clone()),
        target: Some(provider.map_err(|_| Problem::new(Code::NotFound))?),
        ..StartFlow::sign_in(Transport::Cookie)
    };
    begin_in_account(&visit, start).await
}

/// Begins to link an identity at a third party.
pub(super) async fn start_linking(visit: Visit) -> Answer {
    if visit.is_prefetch() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let connection = ProviderId::new(visit.part("connection"));
    let start = StartFlow {
        intent: Intent::Link,
        session: Some(visit.session()?.clone()),
        target: Some(connection.map_err(|_| Problem::new(Code::NotFound))?),
        ..StartFlow::sign_in(Transport::Cookie)
    };
    begin_in_account(&visit, start).await
}

/// Begins to confirm the own e-mail address, or to change it.
pub(super) async fn start_verification(visit: Visit) -> Answer {
    if visit.is_prefetch() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let start = StartFlow {
        intent: Intent::Verify,
        session: Some(visit.session()?.clone()),
        ..StartFlow::sign_in(Transport::Cookie)
    };
    begin_in_account(&visit, start).await
}

/// Begins to remove a second factor of one's own.
pub(super) async fn start_removal(visit: Visit) -> Answer {
    if visit.is_prefetch() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let factor = visit.part("factor").parse();
    let start = StartFlow {
        intent: Intent::Remove,
        session: Some(visit.session()?.clone()),
        factor: Some(factor.map_err(|_| Problem::new(Code::NotFound))?),
        ..StartFlow::sign_in(Transport::Cookie)
    };
    begin_in_account(&visit, start).await
}

async fn begin_in_account(visit: &Visit, start: StartFlow) -> Answer {
    let (view, jar) = begin(visit, start).await?;
    let mut response = see_other(&step_address(visit, Gate::Account, &view.id));
    jar.onto(response.headers_mut());
    Ok(response)
}

/// The present step of the flow that the address names, or the first one.
async fn show(visit: Visit, gate: Gate, intent: Intent) -> Answer {
    if visit.is_prefetch() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    if let Some(flow) = visit.query.filled("flow") {
        return resume(&visit, gate, flow).await;
    }
    let destination = Destination::read(&visit).await?;
    if let Some(there) = destination.in_its_tenant(&visit, gate).await? {
        return Ok(there);
    }
    if visit.requester.session.is_some() && visit.query.text("again") != Some("1") {
        let wished = destination.address();
        return Ok(see_other(&wished.unwrap_or_else(|| visit.at("/account"))));
    }
    let tenant = sign_in_tenant(&visit);
    let mut forgotten = visit.cookies.jar();
    if gate == Gate::SignIn
        && let Some(response) =
            stay::resume(&visit, tenant.as_ref(), &destination, &mut forgotten).await?
    {
        return Ok(response);
    }
    let mut response = first_step(&visit, gate, intent, tenant, destination).await?;
    forgotten.onto(response.headers_mut());
    Ok(response)
}

/// The first step of the browser's newest flow, if nothing was answered in it yet,
/// or of a new one.
async fn first_step(
    visit: &Visit,
    gate: Gate,
    intent: Intent,
    tenant: Option<TenantRef>,
    destination: Destination,
) -> Answer {
    if let Some(view) = untouched(visit, gate, tenant.as_ref(), &destination).await? {
        return steps::page(visit, gate, &view, &Again::default()).await;
    }
    let start = destination.of(StartFlow {
        intent,
        tenant,
        ..StartFlow::sign_in(Transport::Cookie)
    });
    let (view, jar) = begin(visit, start).await?;
    let mut response = steps::page(visit, gate, &view, &Again::default()).await?;
    jar.onto(response.headers_mut());
    Ok(response)
}

/// The tenant that the path or the configuration says.
fn sign_in_tenant(visit: &Visit) -> Option<TenantRef> {
    if let Some(tenant) = &visit.tenant {
        return Some(TenantRef::Id(tenant.id));
    }
    let tenancy = &visit.app.config().tenancy;
    let fixed = tenancy.sign_in_form == TenantOnForm::Default;
    let name = tenancy.default_tenant.as_deref().filter(|_| fixed)?;
    Some(TenantRef::parse(name))
}

async fn begin(visit: &Visit, start: StartFlow) -> Result<(FlowView, Jar), PageProblem> {
    let engine = visit.platform().sign_in();
    let start = StartFlow {
        on_own_origin: visit.requester.host_tenant.is_some(),
        ..start
    };
    let started = engine.start(start, visit.requester.client()).await?;
    let mut jar = visit.cookies.jar();
    if let Some(binding) = &started.handle.binding {
        bind(&mut jar, &visit.cookies, &started.handle.id, binding);
    }
    Ok((started.view, jar))
}

/// The browser's newest flow, if it is just what a new one would be and lasts
/// long enough to be answered.
async fn untouched(
    visit: &Visit,
    gate: Gate,
    tenant: Option<&TenantRef>,
    destination: &Destination,
) -> Result<Option<FlowView>, PageProblem> {
    let Some(newest) = visit.cookies.flows().max() else {
        return Ok(None);
    };
    let handle = handle_from(&visit.cookies, newest);
    let Ok(view) = look(visit, &handle).await else {
        return Ok(None);
    };
    let named = match tenant {
        None => None,
        Some(tenant) => visit.platform().tenants().find(tenant).await?,
    };
    let same = Gate::of(view.intent) == gate
        && view.tenant.as_deref() == named.as_ref().map(|tenant| tenant.name.as_str())
        && destination.is_that_of(&view)
        && later(visit.platform().now(), LONG_ENOUGH) < view.expires_at
        // Whoever opens the page anew need not be who came by a third party before.
        && view.linking.is_none()
        && view.notice.is_none()
        && asks_who(&view);
    Ok(Some(view).filter(|_| same))
}

/// Whether nobody has been named yet.
pub(super) fn asks_who(view: &FlowView) -> bool {
    let Some(StepBody::Choose { providers, .. }) = view.step.as_ref().map(|step| &step.body) else {
        return false;
    };
    let mut forms = providers.iter().filter_map(|offer| offer.form.as_ref());
    let has_name = forms.any(|form| form.fields.iter().any(|f| f.role == Role::Identifier));
    // Whom a third party knows is known when the browser comes back.
    has_name || (!view.proven && providers.iter().any(|offer| offer.third_party))
}

/// A flow of this browser.
async fn look(visit: &Visit, handle: &FlowHandle) -> Result<FlowView, Error> {
    if handle.binding.is_none() {
        return Err(Error::not_found("sign-in"));
    }
    let engine = visit.platform().sign_in();
    engine.view(handle, visit.requester.client()).await
}

/// Whether a flow may go on here: on a tenant's own host, none of others does,
/// whatever the cookies say.
pub(super) async fn is_of_host(visit: &Visit, handle: &FlowHandle) -> bool {
    let Some(own) = &visit.requester.host_tenant else {
        return true;
    };
    let view = look(visit, handle).await;
    // What is wrong with it otherwise is told by the answer to it.
    view.map_or(true, |view| {
        view.tenant.as_deref() == Some(own.name.as_str())
    })
}

async fn resume(visit: &Visit, gate: Gate, flow: &str) -> Answer {
    let signed_in = visit.requester.session.is_some();
    let view = match look(visit, &handle_from(&visit.cookies, flow)).await {
        Ok(view) => view,
        // What was finished in another tab is no failure.
        Err(error) if error.kind() == ErrorKind::NotFound && signed_in && gate != Gate::Account => {
            return Ok(see_other(&visit.at("/account")));
        }
        Err(error) => return Err(lost(gate, error)),
    };
    let own = visit.tenant.as_ref().map(|tenant| tenant.name.as_str());
    if own.is_some() && view.tenant.as_deref() != own {
        return Err(lost(gate, Error::not_found("sign-in")));
    }
    if view.state == FlowState::Complete {
        return Ok(see_other(&visit.at("/account")));
    }
    if Gate::of(view.intent) != gate {
        let address = step_address(visit, Gate::of(view.intent), flow);
        return Ok(see_other(&address));
    }
    steps::page(visit, gate, &view, &Again::default()).await
}

/// A flow that is over: begin anew.
pub(super) fn lost(gate: Gate, error: Error) -> PageProblem {
    let gone = error.kind() == ErrorKind::NotFound;
    let problem = PageProblem::from(error);
    if gone {
        problem.expired(gate.start())
    } else {
        problem
    }
}

pub(super) fn step_address(visit: &Visit, gate: Gate, flow: &str) -> String {
    with_parameter(&visit.at(gate.path()), "flow", flow)
}

/// A step's form as it was sent.
pub(super) struct Given {
    flow: String,
    step: Option<String>,
    provider: String,
    answer: ReplyAnswer,
    typed: BTreeMap<String, Secret>,
    /// What was typed into the field that can be remembered, where that was
    /// offered, and whether it is to be.
    name: Option<(Secret, bool)>,
    /// Whether the person wants to stay signed in on this device.
    stay: bool,
}

impl Given {
    /// Takes the fields apart: ours, and the provider's.
    fn take(visit: &mut Visit) -> Result<Self, Problem> {
        let mut fields = std::mem::take(&mut visit.fields);
        fields.take(CSRF);
        let missing = || Problem::new(Code::InvalidRequest);
        let mut own = |name: &str| fields.take(name).map(|value| value.expose().to_owned());
        let flow = own("flow").ok_or_else(missing)?;
        let provider = own("provider").ok_or_else(missing)?;
        let step = own("step");
        let (go, action) = (own(GO), own("action"));
        let (name_field, ticked) = (own(NAME_FIELD), own(REMEMBER));
        let stay = own(STAY).is_some();
        let typed = fields.into_values();
        let name = name_field.and_then(|field| typed.get(&field).cloned());
        Ok(Self {
            flow,
            step,
            provider,
            answer: match (go, action) {
                (Some(_), _) => ReplyAnswer::Go,
                (None, Some(action)) => ReplyAnswer::Action(action),
                (None, None) => ReplyAnswer::Fields(typed.clone()),
            },
            typed,
            name: name.map(|name| (name, ticked.is_some())),
            stay,
        })
    }

    /// What stands for a link that was confirmed.
    pub(super) fn of_link(flow: &str, provider: &str) -> Self {
        Self {
            flow: flow.to_owned(),
            step: None,
            provider: provider.to_owned(),
            answer: ReplyAnswer::Go,
            typed: BTreeMap::new(),
            name: None,
            stay: false,
        }
    }

    fn reply(&self, visit: &Visit) -> Reply {
        Reply {
            step: self.step.clone(),
            provider: self.provider.clone(),
            answer: self.answer.clone(),
            device: visit.cookies.value(DEVICE).cloned(),
            stay: self.stay,
        }
    }

    /// Remembers the name that was accepted, or forgets what was remembered.
    fn remember(&self, visit: &Visit, jar: &mut Jar, tenant: Option<&str>) {
        match &self.name {
            Some((name, true)) => Remembered {
                tenant: tenant.map(str::to_owned),
                user: name.expose().trim().to_owned(),
            }
            .store(jar),
            Some((_, false)) => remember::forget(&visit.cookies, jar),
            None => {}
        }
    }
}

/// Takes the answer to a step.
async fn answer(mut visit: Visit, gate: Gate) -> Answer {
    let given = Given::take(&mut visit)?;
    let handle = handle_from(&visit.cookies, &given.flow);
    if handle.binding.is_none() || !is_of_host(&visit, &handle).await {
        return Err(lost(gate, Error::not_found("sign-in")));
    }
    let engine = visit.platform().sign_in();
    let reply = given.reply(&visit);
    let progress = engine
        .answer(&handle, reply, visit.requester.client())
        .await;
    match progress {
        Ok(Progress::Refused { view, hold_until }) => {
            hold(&visit.app, hold_until).await;
            refused(&visit, gate, &view, &given).await
        }
        Ok(Progress::Invalid { view, errors }) => {
            invalid(&visit, gate, &view, &given, &errors).await
        }
        Ok(progress) => lead_on(&visit, &given, progress).await,
        // Answered already, in another tab or by a second click: on to what is asked now.
        Err(error) if error.kind() == ErrorKind::Conflict => {
            Ok(see_other(&step_address(&visit, gate, &given.flow)))
        }
        Err(error) => Err(lost(gate, error)),
    }
}

/// On to the next step, to the session, or to where a flow without one ends.
pub(super) async fn lead_on(visit: &Visit, given: &Given, progress: Progress) -> Answer {
    match progress {
        Progress::Next {
            view,
            binding,
            hold_until,
        } => {
            hold(&visit.app, hold_until).await;
            let mut jar = visit.cookies.jar();
            if let Some(binding) = binding {
                bind(&mut jar, &visit.cookies, &given.flow, &binding);
                given.remember(visit, &mut jar, view.tenant.as_deref());
            }
            let gate = Gate::of(view.intent);
            let mut response = see_other(&step_address(visit, gate, &given.flow));
            jar.onto(response.headers_mut());
            Ok(response)
        }
        Progress::Complete(completed) => {
            let gate = Gate::of(completed.view.intent);
            complete(visit, gate, given, *completed).await
        }
        Progress::Ended { .. } => {
            let path = match visit.requester.session {
                Some(_) => "/account?notice=address_verified",
                None => "/sign-in?notice=address_verified",
            };
            Ok(see_other(&visit.at(path)))
        }
        Progress::Refused { .. } | Progress::Invalid { .. } => {
            Err(Error::internal("an answer that does not lead on").into())
        }
    }
}

/// The same page again, with one sentence that fits every reason.
async fn refused(visit: &Visit, gate: Gate, view: &FlowView, given: &Given) -> Answer {
    let again = Again {
        status: StatusCode::UNAUTHORIZED,
        provider: Some(&given.provider),
        typed: Some(&given.typed),
        remember: given.name.as_ref().map(|(_, ticked)| *ticked),
        stay: Some(given.stay),
        error: Some(visit.t("flow.refused")?),
        errors: &[],
    };
    let mut response = steps::page(visit, gate, view, &again).await?;
    // RFC 9110 section 15.5.2 demands one; browsers ask nothing because of this one.
    let headers = response.headers_mut();
    headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    Ok(response)
}

async fn invalid(
    visit: &Visit,
    gate: Gate,
    view: &FlowView,
    given: &Given,
    errors: &[FieldError],
) -> Answer {
    let again = Again {
        status: StatusCode::UNPROCESSABLE_ENTITY,
        provider: Some(&given.provider),
        typed: Some(&given.typed),
        remember: given.name.as_ref().map(|(_, ticked)| *ticked),
        stay: Some(given.stay),
        error: None,
        errors,
    };
    steps::page(visit, gate, view, &again).await
}

/// The session's cookies, and on to where the person wanted to go.
async fn complete(visit: &Visit, gate: Gate, given: &Given, completed: Completed) -> Answer {
    let cookies = &visit.cookies;
    let mut jar = hand_over(
        &visit.app,
        &visit.requester,
        cookies,
        &given.flow,
        &completed,
    )
    .await;
    given.remember(visit, &mut jar, Some(completed.tenant.name.as_str()));
    let to = completed.return_to.unwrap_or_else(|| match gate {
        Gate::Account if completed.view.intent == Intent::Verify => {
            visit.at("/account?notice=address_verified")
        }
        _ if completed.view.has_linked => visit.at("/account?notice=identity_linked"),
        Gate::Account if completed.view.intent == Intent::Remove => {
            visit.at("/account?notice=own_factor_removed")
        }
        Gate::Account => visit.at("/account?notice=credential_changed"),
        Gate::SignIn | Gate::SignUp | Gate::Recover => visit.at("/account"),
    });
    let mut response: Response = see_other(&to);
    jar.onto(response.headers_mut());
    Ok(response)
}
