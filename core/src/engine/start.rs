//! Beginning flows, and opening each step: asking the providers that can take
//! it what they show first.

use super::{
    SignIn, StartFlow, Started, change,
    flow::{
        self, Flow, FlowApplication, FlowHandle, FlowTenant, Found, OpenOffer, Phase, SignUpRules,
    },
    outstanding::{changeable, demanded, second_factors},
    paths::local_path,
    view::{FlowView, view},
};
use crate::{
    Error, ErrorKind, Platform, Result,
    access::{Caller, Resource, action},
    model::{Application, ClientFacts, EffectiveSettings, Tenant, TenantName, User},
    provider::{Configured, Entry, Intent, LinkPurpose, Step, Turn},
    service::{
        ApplicationRef, Offers, ProviderCall, TenantRef, ensure_offered, ensure_removable,
        no_factor, not_offered,
    },
    storage::{Scope, UnitOfWork},
};

impl SignIn<'_> {
    /// Begins a flow.
    ///
    /// # Errors
    /// * [`ErrorKind::NotFound`] for an unknown tenant.
    /// * [`ErrorKind::Denied`] to sign up where registration is off.
    /// * [`ErrorKind::Unauthenticated`] to set something up without a session.
    /// * [`ErrorKind::Invalid`] for an application that the tenant does not have, and
    ///   for a `return_to` that is neither a path of this server nor registered.
    /// * [`ErrorKind::Limited`] when the network starts too many.
    pub async fn start(&self, start: StartFlow, client: &ClientFacts) -> Result<Started> {
        let platform = self.0;
        platform
            .flow_starts()
            .take(client.network.as_deref(), platform.now())?;
        let mut flow = Flow::new(platform, start.transport, start.intent);
        flow.two_factors = start.two_factors;
        if let Some(named) = &start.tenant {
            let tenant = platform.tenants().find(named).await?;
            let tenant = tenant.ok_or_else(|| Error::not_found("tenant"))?;
            flow.tenant = Some(FlowTenant::from(&tenant));
        }
        let application = application(platform, &mut flow, start.application.as_ref()).await?;
        self.apply_intent(&mut flow, &start, client).await?;
        if start.on_own_origin {
            flow.own_origin = own_origin(platform, &flow);
        }
        go_back(&mut flow, application.as_ref(), start.return_to.as_deref())?;

        let (handle, hash) = flow::new_handle(platform, &mut flow);
        let mut found = Found {
            id: handle.id.clone(),
            handle: hash,
            version: 1,
            flow: Box::new(flow),
        };
        found.flow.offers = match start.link {
            Some((purpose, token)) => {
                let offer = link_offer(platform, &found.flow, purpose, token, client).await?;
                found.flow.active = Some(0);
                found.flow.linked = true;
                vec![offer]
            }
            None => open(platform, &found.flow, client).await?,
        };
        let mut unit = platform.write(Scope::Platform).await?;
        flow::create(platform, unit.as_mut(), hash, &found.flow).await?;
        unit.commit().await?;
        Ok(Started {
            handle,
            view: view(platform, &found),
        })
    }

    async fn apply_intent(
        &self,
        flow: &mut Flow,
        start: &StartFlow,
        client: &ClientFacts,
    ) -> Result<()> {
        match start.intent {
            Intent::SignIn => Ok(()),
            Intent::Recover => {
                let offers = Offers::read(self.0, flow.tenant_id()).await?;
                let linker = offers.linker(LinkPurpose::Reset);
                linker.map(|_| ()).ok_or_else(unsupported)
            }
            Intent::SignUp => {
                let tenant = flow
                    .tenant_id()
                    .ok_or_else(|| Error::invalid("tenant", "name the tenant to sign up in"))?;
                let settings = self.0.tenants().public_settings(tenant).await?;
                ensure_registration(&settings)?;
                flow.sign_up = SignUpRules {
                    email_required: settings.registration_email_required,
                    display_name_required: settings.registration_display_name_required,
                };
                Ok(())
            }
            Intent::Enrol | Intent::Link | Intent::Remove | Intent::Reprove | Intent::Verify => {
                let session = start
                    .session
                    .as_ref()
                    .ok_or_else(|| Error::new(ErrorKind::Unauthenticated, "sign in first"))?;
                let caller = Caller {
                    principal: session.principal(),
                    client: client.clone(),
                };
                let own = Resource::user(session.tenant.id, session.user.id);
                self.0
                    .authorise(&caller, action::ACCOUNT_CREDENTIALS, &own)?;
                flow.tenant = Some(FlowTenant::from(&session.tenant));
                flow.subject = Some((session.tenant.id, session.user.id));
                flow.epoch = Some(session.session.credential_epoch);
                flow.session = Some(session.session.id);
                flow.target.clone_from(&start.target);
                if start.intent == Intent::Enrol {
                    let target = enrol_target(self.0, flow);
                    let target = target.ok_or_else(|| Error::not_found("way to sign in"))?;
                    let own = (session.tenant.id, session.user.id);
                    ensure_offered(self.0, own, target).await?;
                }
                let offers = Offers::read(self.0, Some(session.tenant.id)).await?;
                if start.intent == Intent::Link && link_target(&offers, flow).is_none() {
                    return Err(Error::not_found("way to sign in"));
                }
                if start.intent == Intent::Remove {
                    let own = (session.tenant.id, session.user.id);
                    let factor = start.factor.ok_or_else(no_factor)?;
                    flow.target = Some(ensure_removable(self.0, own, factor).await?);
                    flow.factor = Some(factor);
                }
                let verifies = start.intent == Intent::Verify;
                if verifies && offers.linker(LinkPurpose::Verify).is_none() {
                    return Err(unsupported());
                }
                Ok(())
            }
        }
    }

    /// What the client sees of a flow.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a flow that is over, expired or another browser's.
    pub async fn view(&self, handle: &FlowHandle, client: &ClientFacts) -> Result<FlowView> {
        let mut found = flow::find(self.0, handle).await?;
        ensure_open(self.0, &mut found, client).await?;
        Ok(view(self.0, &found))
    }

    /// Gives a flow up.
    ///
    /// # Errors
    /// As [`SignIn::view`].
    pub async fn cancel(&self, handle: &FlowHandle) -> Result<()> {
        let found = flow::find(self.0, handle).await?;
        let mut unit = self.0.write(Scope::Platform).await?;
        unit.flows().delete(&found.handle).await?;
        unit.commit().await
    }
}

/// The origin that is the tenant's own.
fn own_origin(platform: &Platform, flow: &Flow) -> Option<String> {
    let name = TenantName::new(&flow.tenant.as_ref()?.name).ok()?;
    let own = platform.origins().own(&name)?;
    Some(own.origin().ascii_serialization())
}

/// The application that is named. The flow is in its tenant, if it is in none yet.
pub(super) async fn application(
    platform: &Platform,
    flow: &mut Flow,
    named: Option<&ApplicationRef>,
) -> Result<Option<Application>> {
    let Some(named) = named else {
        return Ok(None);
    };
    let application = platform.applications().find(named).await?;
    let application = application.ok_or_else(no_application)?;
    if flow.tenant.is_none() {
        let tenant = TenantRef::Id(application.tenant);
        let tenant = platform.tenants().find(&tenant).await?;
        flow.tenant = tenant.as_ref().map(FlowTenant::from);
    }
    Ok(Some(application))
}

/// Where the flow ends: a path of this server, or an address that the application
/// has registered. An application serves the users of its own tenant.
pub(super) fn go_back(
    flow: &mut Flow,
    application: Option<&Application>,
    return_to: Option<&str>,
) -> Result<()> {
    if let Some(application) = application {
        if flow.tenant_id() != Some(application.tenant) {
            return Err(no_application());
        }
        flow.application = Some(FlowApplication {
            id: application.id,
            name: application.name.to_string(),
        });
    }
    let Some(wished) = return_to else {
        return Ok(());
    };
    let is_registered = application.is_some_and(|application| application.returns_to(wished));
    flow.return_to = Some(match is_registered {
        true => wished.to_owned(),
        false => local_path(wished)?,
    });
    Ok(())
}

/// Where the browser goes at the end; not to an address that was withdrawn since
/// the flow began. The unit is the tenant's.
pub(super) async fn way_back(flow: &Flow, unit: &mut dyn UnitOfWork) -> Result<Option<String>> {
    let (Some(to), Some(named)) = (&flow.return_to, &flow.application) else {
        return Ok(flow.return_to.clone());
    };
    if to.starts_with('/') {
        return Ok(Some(to.clone()));
    }
    let application = unit.applications().by_id(named.id).await?;
    let goes = application.is_some_and(|application| application.returns_to(to));
    Ok(goes.then(|| to.clone()))
}

fn no_application() -> Error {
    Error::invalid("application", "there is no such registered application")
}

fn unsupported() -> Error {
    let message = "this server does not offer that";
    Error::new(ErrorKind::Unsupported, message)
}

/// Refuses where people may not register themselves.
pub(crate) fn ensure_registration(settings: &EffectiveSettings) -> Result<()> {
    if settings.registration_enabled {
        return Ok(());
    }
    Err(no_registration())
}

pub(super) fn no_registration() -> Error {
    Error::new(
        ErrorKind::Denied,
        "this organisation does not let people register themselves",
    )
}

/// Opens the flow's step, if that has not been done, and stores it.
pub(crate) async fn ensure_open(
    platform: &Platform,
    found: &mut Found,
    client: &ClientFacts,
) -> Result<()> {
    let flow = &found.flow;
    let is_ours = matches!(flow.phase, Phase::Tenant | Phase::Newcomer);
    if flow.complete || is_ours || !flow.offers.is_empty() {
        return Ok(());
    }
    found.flow.offers = open(platform, &found.flow, client).await?;
    if found.flow.offers.is_empty() {
        return Ok(());
    }
    let mut unit = platform.write(Scope::Platform).await?;
    match flow::save(platform, unit.as_mut(), found).await {
        Ok(version) => {
            found.version = version;
            unit.commit().await
        }
        // Two requests opened the step at once: what the first one stored counts.
        Err(error) if error.kind() == ErrorKind::Conflict => {
            unit.rollback().await?;
            *found = flow::opened_meanwhile(platform, found).await?;
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Asks the providers of a phase what they show first. One that fails is left
/// out: the others still work.
async fn open(platform: &Platform, flow: &Flow, client: &ClientFacts) -> Result<Vec<OpenOffer>> {
    let subject = subject(platform, flow).await?;
    if flow.phase == Phase::RemoveFactor {
        let offer = change::removal(platform, flow, subject.as_ref()).await?;
        return Ok(offer.into_iter().collect());
    }
    let mut offers = Vec::new();
    let candidates = candidates(platform, flow, subject.as_ref()).await?;
    // What is set up is begun once it is chosen, since that makes a secret.
    let adds = flow.phase == Phase::AddFactor;
    let only = alone(flow) || (adds && candidates.len() == 1);
    for configured in candidates {
        let call = call(platform, flow, configured, subject.as_ref(), client);
        if !only && (adds || !configured.description.inline) {
            offers.push(to_choose(configured));
            continue;
        }
        match begin(flow, configured, &call).await {
            Ok(turn) => offers.extend(shown(configured, turn)),
            Err(error) => {
                tracing::warn!(provider = %configured.id, error = ?error, "a provider could not begin");
            }
        }
        if adds && offers.is_empty() {
            // It can be put off all the same, or tried again.
            offers.push(to_choose(configured));
        }
    }
    Ok(offers)
}

/// An offer that begins when it is chosen.
fn to_choose(configured: &Configured) -> OpenOffer {
    OpenOffer {
        provider: configured.id.clone(),
        state: Default::default(),
        shown: None,
    }
}

/// Whether a phase has one provider only, which begins at once.
fn alone(flow: &Flow) -> bool {
    let recovers = flow.phase == Phase::First && flow.intent == Intent::Recover;
    recovers || matches!(flow.phase, Phase::Enrol | Phase::Verify)
}

/// The flow's user and tenant, once they are known.
pub(crate) async fn subject(platform: &Platform, flow: &Flow) -> Result<Option<(Tenant, User)>> {
    let Some((tenant, user)) = flow.subject else {
        return Ok(None);
    };
    let mut unit = platform.read(Scope::Tenant(tenant)).await?;
    let tenant = unit.tenants().by_id(tenant).await?;
    let user = unit.users().by_id(user).await?;
    unit.rollback().await?;
    match tenant.zip(user) {
        Some(found) => Ok(Some(found)),
        None => Err(flow::gone()),
    }
}

/// The providers that can take a phase's step.
async fn candidates<'a>(
    platform: &'a Platform,
    flow: &Flow,
    subject: Option<&(Tenant, User)>,
) -> Result<Vec<&'a Configured>> {
    let offers = Offers::read(platform, flow.tenant_id()).await?;
    let all = offers.providers();
    Ok(match (flow.phase, subject) {
        (Phase::First, None) if flow.intent == Intent::Recover => {
            offers.linker(LinkPurpose::Reset).into_iter().collect()
        }
        (Phase::First, None) => all
            .filter(|c| c.description.first_step && !flow.links_from(&c.id))
            .collect(),
        (Phase::First, Some((tenant, user))) => {
            let mut unit = platform.read(Scope::Tenant(tenant.id)).await?;
            let mut usable = Vec::new();
            let mut others = false;
            for configured in all.filter(|c| c.description.first_step) {
                let records = unit.records().by_user(&configured.id, user.id).await?;
                let description = &configured.description;
                let is_kept = description.enrolment || description.third_party;
                if !records.is_empty() || !is_kept {
                    // What nobody sets up comes by mail, if it comes at all.
                    others |= proves_anew(configured) && (is_kept || user.email_verified);
                    usable.push(configured);
                }
            }
            unit.rollback().await?;
            // A browser that is still signed in at a third party changes no account
            // whose owner can be asked for something else.
            usable.retain(|configured| !others || proves_anew(configured));
            usable
        }
        (Phase::Second, Some((tenant, user))) => {
            let Some(first) = flow.proofs.iter().find(|proof| proof.first) else {
                return Ok(Vec::new());
            };
            let mut unit = platform.read(Scope::Tenant(tenant.id)).await?;
            let set_up = second_factors(
                (platform, &offers),
                unit.as_mut(),
                user,
                &first.factor.provider,
            )
            .await?;
            unit.rollback().await?;
            let demanded = demanded(&set_up);
            let is_proven = |c: &&Configured| flow.proofs.iter().any(|p| p.factor.provider == c.id);
            if !demanded.is_empty() && !demanded.iter().any(is_proven) {
                return Ok(demanded);
            }
            let classes = flow.classes();
            let adds = |c: &&Configured| {
                !c.description.first_step || !classes.contains(&c.description.class)
            };
            set_up.into_iter().filter(adds).collect()
        }
        (Phase::SignUp, _) => all
            .filter(|c| {
                let description = &c.description;
                description.first_step && (description.enrolment || description.third_party)
            })
            .collect(),
        (Phase::ChangeCredential, _) => changeable(&offers, flow, flow.duty.as_ref())
            .into_iter()
            .collect(),
        (Phase::AddFactor, _) => offers.factors_to_add().collect(),
        (Phase::Enrol, _) => enrol_target(platform, flow).into_iter().collect(),
        (Phase::Link, _) => link_target(&offers, flow).into_iter().collect(),
        (Phase::Verify, _) => offers.linker(LinkPurpose::Verify).into_iter().collect(),
        (Phase::Tenant | Phase::Newcomer | Phase::Second | Phase::RemoveFactor, _) => Vec::new(),
    })
}

/// Whether who comes this way has just proven who they are.
fn proves_anew(configured: &Configured) -> bool {
    let third_party = configured.third_party();
    third_party.is_none_or(|third_party| third_party.proves_anew())
}

pub(crate) fn enrol_target<'a>(platform: &'a Platform, flow: &Flow) -> Option<&'a Configured> {
    let target = flow.target.as_ref()?;
    platform
        .providers()
        .provider(target)
        .filter(|configured| configured.description.enrolment)
}

/// The connection by which an identity is to be linked, if it is there for the tenant.
fn link_target<'a>(offers: &Offers<'a>, flow: &Flow) -> Option<&'a Configured> {
    let target = flow.target.as_ref()?;
    let target = offers.providers().find(|offered| offered.id == *target)?;
    let links = target.description.third_party && target.offering.admission.linking;
    links.then_some(target)
}

/// What a provider is told in a flow.
pub(crate) fn call<'a>(
    platform: &'a Platform,
    flow: &Flow,
    configured: &Configured,
    subject: Option<&(Tenant, User)>,
    client: &ClientFacts,
) -> ProviderCall<'a> {
    let intent = match (flow.phase, flow.intent) {
        (Phase::First, Intent::Enrol | Intent::Link | Intent::Remove | Intent::Verify) => {
            Intent::Reprove
        }
        // Whoever shows the mailbox need not know what is replaced.
        (Phase::ChangeCredential, _) if flow.gets_back() => Intent::Recover,
        (Phase::ChangeCredential | Phase::AddFactor | Phase::Enrol, _) => Intent::Enrol,
        (Phase::Verify, _) => Intent::Verify,
        (Phase::Second, Intent::Recover | Intent::Link | Intent::Remove | Intent::Verify) => {
            Intent::SignIn
        }
        (_, intent) => intent,
    };
    let mut call = ProviderCall::new(platform, &configured.id, intent)
        .after(flow.past_proofs())
        .by_client(client);
    if flow.two_factors {
        call.facts.demanded = crate::provider::Strength::TwoFactors;
    }
    if let Some(tenant) = &flow.tenant {
        call.facts.tenant = Some(crate::provider::TenantFacts {
            id: tenant.id,
            name: tenant.name.clone(),
            display_name: tenant.display_name.clone(),
        });
    }
    match subject {
        Some((tenant, user)) => call.in_tenant(Some(tenant)).of_user(user),
        None => call,
    }
}

/// Whether a phase's steps set something up instead of proving something.
pub(crate) fn sets_up(phase: Phase, configured: &Configured) -> bool {
    match phase {
        Phase::ChangeCredential | Phase::AddFactor | Phase::Enrol => true,
        // Who comes by a third party proves who they are there.
        Phase::SignUp => !configured.description.third_party,
        _ => false,
    }
}

/// A provider's first turn in a flow's phase.
pub(crate) async fn begin(
    flow: &Flow,
    configured: &Configured,
    call: &ProviderCall<'_>,
) -> Result<Turn> {
    if sets_up(flow.phase, configured) {
        let enrolment = configured.provider.enrolment();
        let enrolment = enrolment.ok_or_else(|| Error::internal("no enrolment"))?;
        enrolment.begin(&call.context()).await
    } else {
        configured
            .provider
            .begin(&call.context(), Entry::Chosen {})
            .await
    }
}

/// An offer of a first turn; `None` for a provider that has nothing to show now.
fn shown(configured: &Configured, turn: Turn) -> Option<OpenOffer> {
    if !turn.effects.is_empty() {
        tracing::error!(provider = %configured.id, "beginning has effects: ignored");
    }
    match turn.step {
        step @ (Step::Prompt { .. } | Step::Challenge { .. } | Step::Wait { .. }) => {
            Some(OpenOffer {
                provider: configured.id.clone(),
                state: turn.state,
                shown: Some(step),
            })
        }
        Step::Refused { .. } | Step::Invalid { .. } => None,
        Step::Redirect { .. } | Step::Proven { .. } | Step::Enrolled {} | Step::Barred { .. } => {
            tracing::error!(provider = %configured.id, "not a step to begin with: left out");
            None
        }
    }
}

async fn link_offer(
    platform: &Platform,
    flow: &Flow,
    purpose: LinkPurpose,
    token: crate::secret::Secret,
    client: &ClientFacts,
) -> Result<OpenOffer> {
    let configured = platform.providers().linker(purpose);
    let configured = configured.ok_or_else(flow::gone)?;
    if flow.tenant.is_some() {
        let offers = Offers::read(platform, flow.tenant_id()).await?;
        if !offers.include(configured) {
            return Err(not_offered());
        }
    }
    let call = call(platform, flow, configured, None, client);
    let turn = configured
        .provider
        .begin(&call.context(), Entry::Link { purpose, token })
        .await?;
    shown(configured, turn).ok_or_else(flow::gone)
}
