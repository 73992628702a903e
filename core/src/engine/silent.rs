//! Devices that keep somebody signed in: a token that a browser kept is redeemed
//! without a step, and what it proves goes the way of every other proof. It never
//! counts as a second factor, and gets past no lock.

use std::time::Duration;

use super::{
    Claimed, Completed, KeptDevice, Progress, SignIn, anonymous,
    answer::Attempt,
    flow::{self, Flow, FlowHandle, FlowTenant, Found, Transport},
    start::{application, go_back},
    write::{Proven, Tried, Write},
};
use crate::{
    Error, ErrorKind, Platform, Result,
    access::{Caller, action},
    model::{ClientFacts, Tenant, TenantId, User, UserId},
    platform::{AuditEventExt, sign_in_obstacle},
    provider::{Configured, Intent, Kept, Proof, Purpose, Redeemed, Revoked, Silent, Who},
    secret::Secret,
    service::{ApplicationRef, Offers, ProviderCall, apply_effects, end_device, is_lost_effect},
    storage::{Scope, UnitOfWork},
};

/// How often a token is looked at while other tabs redeem the same one.
const TRIES: usize = 5;
/// What a browser keeps is no longer than this, with the tenant in front.
const MAX_TOKEN: usize = 2_048 + 64;

/// A token that a browser kept.
#[derive(Debug, Clone)]
pub struct ResumeDevice {
    /// It, with the tenant in front.
    pub token: Secret,
    /// The tenant that the address names: no other one's token counts there.
    pub tenant: Option<TenantId>,
    /// How the session is handed over.
    pub transport: Transport,
    /// The application that it is for, if one asks.
    pub application: Option<ApplicationRef>,
    /// Where the browser goes in the end, as in [`StartFlow`](super::StartFlow).
    pub return_to: Option<String>,
    /// What the browser carries that signed in here before.
    pub lane: Option<Secret>,
}

/// What became of a token that a browser kept.
#[derive(Debug, Clone)]
pub enum Resumed {
    /// It is known here. What it leads to is a session or a second factor.
    Known {
        /// What finds the flow again.
        handle: FlowHandle,
        /// Where the flow stands.
        progress: Box<Progress>,
        /// What the browser keeps from now on.
        kept: KeptDevice,
    },
    /// It is worth nothing: the browser may forget it.
    Forgotten,
    /// Its owner may not sign in now. It may be worth something later.
    NotNow,
}

impl SignIn<'_> {
    /// Redeems a token that a browser kept, and signs its owner in as far as it
    /// reaches. A form is shown when it does not.
    ///
    /// # Errors
    /// [`ErrorKind::Limited`] when the network starts too many; what storage and
    /// provider say.
    pub async fn resume_device(
        &self,
        resume: ResumeDevice,
        client: &ClientFacts,
    ) -> Result<Resumed> {
        let platform = self.0;
        platform
            .flow_starts()
            .take(client.network.as_deref(), platform.now())?;
        let Some((tenant, token)) = split(&resume.token) else {
            return Ok(Resumed::Forgotten);
        };
        let is_elsewhere = resume.tenant.is_some_and(|named| named != tenant);
        let Some((configured, silent)) = platform.providers().silent().filter(|_| !is_elsewhere)
        else {
            return Ok(Resumed::Forgotten);
        };
        super::device::learn_key(platform, resume.lane.as_ref()).await;
        let mut redemption = Redemption {
            platform,
            configured,
            silent,
            client,
            resume,
            token,
            found: None,
        };
        for _ in 0..TRIES {
            if let Some(resumed) = redemption.redeem(tenant).await? {
                return Ok(resumed);
            }
        }
        // It was never refused: whoever comes again has better luck.
        Ok(Resumed::NotNow)
    }

    /// Ends the device whose token a browser kept, as somebody signs out there;
    /// nothing happens if there is none.
    ///
    /// # Errors
    /// What storage and provider say.
    pub async fn forget_device(&self, caller: &Caller, token: &Secret) -> Result<()> {
        let platform = self.0;
        let Some((tenant_id, token)) = split(token) else {
            return Ok(());
        };
        let Some((configured, silent)) = platform.providers().silent() else {
            return Ok(());
        };
        for _ in 0..TRIES {
            let Some((tenant, _)) = tenant_and_lifetime(platform, tenant_id).await? else {
                return Ok(());
            };
            let call = ProviderCall::new(platform, &configured.id, Intent::SignIn)
                .in_tenant(Some(&tenant))
                .by_client(&caller.client);
            let Some(revoked) = silent.revoke(&call.context(), &token).await? else {
                return Ok(());
            };
            let ending = Ending {
                platform,
                configured,
                tenant: tenant_id,
                revoked: &revoked,
            };
            if ending.end(caller, "signed_out").await? {
                return Ok(());
            }
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            "the device is being used; try again",
        ))
    }

    /// For how long a device of this tenant keeps somebody signed in who asks for
    /// it; `None` where that is not offered.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn remembers_for(&self, tenant: Option<TenantId>) -> Result<Option<Duration>> {
        let lifetime = match tenant {
            None => {
                let offers = Offers::anywhere(self.0);
                offers.silent().map(|_| offers.settings.session_remember)
            }
            Some(tenant) => tenant_and_lifetime(self.0, tenant)
                .await?
                .map(|(_, lifetime)| lifetime),
        };
        Ok(lifetime.filter(|lifetime| !lifetime.is_zero()))
    }
}

/// A token being redeemed.
struct Redemption<'a> {
    platform: &'a Platform,
    configured: &'a Configured,
    silent: &'a dyn Silent,
    client: &'a ClientFacts,
    resume: ResumeDevice,
    token: Secret,
    /// The flow, once there is one.
    found: Option<(FlowHandle, Found)>,
}

impl Redemption<'_> {
    /// Looks at the token once; `None` when it is to be looked at again, since
    /// somebody else was faster.
    async fn redeem(&mut self, tenant_id: TenantId) -> Result<Option<Resumed>> {
        let found = tenant_and_lifetime(self.platform, tenant_id).await?;
        let Some((tenant, lifetime)) = found else {
            return Ok(Some(Resumed::Forgotten));
        };
        let call = ProviderCall::new(self.platform, &self.configured.id, Intent::SignIn)
            .in_tenant(Some(&tenant))
            .by_client(self.client);
        let redeemed = self
            .silent
            .redeem(&call.context(), &self.token, lifetime)
            .await?;
        match redeemed {
            Redeemed::Proven { proof, successor } => self.prove(tenant, *proof, successor).await,
            Redeemed::Refused {
                ended: None,
                reason,
            } => {
                tracing::debug!(reason, "a device is not known");
                Ok(Some(Resumed::Forgotten))
            }
            Redeemed::Refused {
                ended: Some(revoked),
                reason,
            } => {
                let ending = Ending {
                    platform: self.platform,
                    configured: self.configured,
                    tenant: tenant_id,
                    revoked: &revoked,
                };
                let ended = ending.end(&anonymous(self.client), &reason).await?;
                Ok(ended.then_some(Resumed::Forgotten))
            }
        }
    }

    async fn prove(
        &mut self,
        tenant: Tenant,
        proof: Proof,
        successor: Kept,
    ) -> Result<Option<Resumed>> {
        let Some(user_id) = only_candidate(&proof, tenant.id) else {
            return Err(Error::internal("a device proves too much or too little"));
        };
        let Some((user, is_allowed)) = self.owner(&tenant, user_id).await? else {
            return Ok(Some(Resumed::Forgotten));
        };
        if !is_allowed {
            return Ok(Some(Resumed::NotNow));
        }
        let (handle, found) = match self.found.take() {
            Some(found) => found,
            None => self.begin(&tenant).await?,
        };
        let (place, epoch) = ((tenant.id, user.id), user.credential_epoch);
        let kept = kept(tenant.id, &successor);
        let mut attempt = Attempt::new(
            self.platform,
            (found, 0),
            self.configured,
            self.client,
            self.resume.lane.clone(),
        );
        attempt.claimed = Claimed::User(Box::new((tenant, user)));
        let proven = Proven {
            factor: attempt.factor(&proof),
            epoch,
            scope: None,
            purpose: Purpose::SignIn,
            renew: None,
            mailbox: None,
            return_to: None,
            comer: None,
        };
        let write = Write::Proof(Box::new(proven));
        let handle_hash = attempt.found.handle;
        let written = attempt.try_write(place, write, successor.effects).await;
        match written {
            Ok(Tried::Done(progress)) => Ok(Some(known(handle, progress, kept))),
            Ok(Tried::Lost(attempt)) => {
                self.found = Some((handle, attempt.found));
                Ok(None)
            }
            Ok(Tried::Refused(attempt, reason)) => {
                attempt.refuse(reason).await?;
                flow::give_up(self.platform, &handle_hash).await?;
                Ok(Some(Resumed::NotNow))
            }
            // As many sessions as there may be: the person is told on the page.
            Err(error) if error.kind() == ErrorKind::Refused => {
                flow::give_up(self.platform, &handle_hash).await?;
                Ok(Some(Resumed::NotNow))
            }
            Err(error) => Err(error),
        }
    }

    /// The device's owner, and whether that is somebody who may sign in now.
    async fn owner(&self, tenant: &Tenant, id: UserId) -> Result<Option<(User, bool)>> {
        let mut unit = self.platform.read(Scope::Tenant(tenant.id)).await?;
        let user = unit.users().by_id(id).await?;
        let obstacle = match &user {
            Some(user) => {
                sign_in_obstacle(unit.as_mut(), tenant, user, self.platform.now()).await?
            }
            None => None,
        };
        unit.rollback().await?;
        Ok(user.map(|user| (user, obstacle.is_none())))
    }

    /// A flow for what the token proves. Nothing is written before it proves
    /// anything.
    async fn begin(&self, tenant: &Tenant) -> Result<(FlowHandle, Found)> {
        let platform = self.platform;
        let mut flow = Flow::new(platform, self.resume.transport, Intent::SignIn);
        flow.tenant = Some(FlowTenant::from(tenant));
        let named = self.resume.application.as_ref();
        let application = application(platform, &mut flow, named).await?;
        go_back(
            &mut flow,
            application.as_ref(),
            self.resume.return_to.as_deref(),
        )?;
        flow::begin(platform, flow).await
    }
}

/// A device that ends because of its token.
struct Ending<'a> {
    platform: &'a Platform,
    configured: &'a Configured,
    tenant: TenantId,
    revoked: &'a Revoked,
}

impl Ending<'_> {
    /// Ends it, with its sessions; `false` when it has changed meanwhile.
    async fn end(&self, caller: &Caller, reason: &str) -> Result<bool> {
        let platform = self.platform;
        let user = self.revoked.user;
        let mut unit = platform.write(Scope::Tenant(self.tenant)).await?;
        // Looked for first: an error would leave the unit unusable.
        let held = unit.tenants().hold(self.tenant).await?.is_some()
            && unit.users().by_id(user).await?.is_some();
        if !held {
            unit.rollback().await?;
            return Ok(true);
        }
        unit.users().lock_row(user).await?;
        let place = (self.tenant, &self.configured.id);
        let ended = end_device(platform, unit.as_mut(), place, self.revoked).await;
        let changes = match ended {
            Err(error) if is_lost_effect(&error) => {
                unit.rollback().await?;
                return Ok(false);
            }
            ended => ended?,
        };
        let event = platform
            .event(caller, Some(self.tenant), action::USER_END_DEVICE)
            .about(user)
            .changing("device", Some(self.revoked.device.to_string()), None)
            .changing("reason", None, Some(reason.to_owned()));
        unit.audit().append(&event).await?;
        platform.commit(unit, &changes).await?;
        platform.wake_sender_after(&self.revoked.effects);
        Ok(true)
    }
}

impl Attempt<'_> {
    /// Makes what the browser keeps, if the person wanted that. The session has
    /// begun by now: a failure costs nobody more than the next sign-in by hand.
    pub(super) async fn keep_device(&self, completed: &Completed) -> Option<KeptDevice> {
        let flow = &self.found.flow;
        let wanted = flow.stay && flow.intent == Intent::SignIn && !flow.linked;
        // An older proof lasts no longer by a device.
        let wanted = wanted && flow.not_after.is_none();
        if !wanted || completed.session.scope.is_some() || flow.is_silent() {
            return None;
        }
        let (configured, silent) = self.platform.providers().silent()?;
        for _ in 0..TRIES {
            match self.issue(completed, configured, silent).await {
                Ok(Issue::Done(kept)) => return kept,
                Ok(Issue::Lost) => {}
                Err(error) => {
                    tracing::warn!(?error, "a device could not be kept signed in");
                    return None;
                }
            }
        }
        None
    }

    async fn issue(
        &self,
        completed: &Completed,
        configured: &Configured,
        silent: &dyn Silent,
    ) -> Result<Issue> {
        let platform = self.platform;
        let (session, tenant) = (&completed.session, &completed.tenant);
        let nothing = Ok(Issue::Done(None));
        let Some((tenant, lifetime)) = tenant_and_lifetime(platform, tenant.id).await? else {
            return nothing;
        };
        if lifetime.is_zero() {
            return nothing;
        }
        let mut unit = platform.read(Scope::Tenant(tenant.id)).await?;
        let user = unit.users().by_id(session.user).await?;
        unit.rollback().await?;
        let Some(user) = user else {
            return nothing;
        };
        let call = ProviderCall::new(platform, &configured.id, Intent::SignIn)
            .in_tenant(Some(&tenant))
            .of_user(&user)
            .after(self.found.flow.past_proofs())
            .by_client(self.client);
        let issued = silent.issue(&call.context(), session.id, lifetime).await?;

        let mut unit = platform.write(Scope::Tenant(tenant.id)).await?;
        // What has ended since, has ended this too.
        if !self.still_signed_in(unit.as_mut(), completed).await? {
            unit.rollback().await?;
            return nothing;
        }
        let of = (tenant.id, Some(user.id));
        let applied =
            apply_effects(platform, unit.as_mut(), &configured.id, of, &issued.effects).await;
        match applied {
            Err(error) if is_lost_effect(&error) => {
                unit.rollback().await?;
                return Ok(Issue::Lost);
            }
            other => other?,
        }
        let event = platform
            .event(
                &self.caller(tenant.id, user.id),
                Some(tenant.id),
                "user.keep_device",
            )
            .about(user.id)
            .changing("until", None, Some(issued.expires_at.to_string()));
        unit.audit().append(&event).await?;
        unit.commit().await?;
        Ok(Issue::Done(Some(kept(tenant.id, &issued))))
    }

    /// Whether the session that has just begun goes on, with its owner's row held.
    async fn still_signed_in(
        &self,
        unit: &mut dyn UnitOfWork,
        completed: &Completed,
    ) -> Result<bool> {
        let (session, tenant) = (&completed.session, completed.tenant.id);
        let now = self.platform.now();
        let Some(tenant) = unit.tenants().hold(tenant).await? else {
            return Ok(false);
        };
        if unit.users().by_id(session.user).await?.is_none() {
            return Ok(false);
        }
        unit.users().lock_row(session.user).await?;
        let Some(user) = unit.users().by_id(session.user).await? else {
            return Ok(false);
        };
        let goes_on = unit.sessions().by_id(session.id).await?;
        let goes_on = goes_on.is_some_and(|session| session.is_valid_at(now));
        let obstacle = sign_in_obstacle(unit, &tenant, &user, now).await?;
        Ok(goes_on && obstacle.is_none() && user.credential_epoch == session.credential_epoch)
    }
}

impl KeptDevice {
    /// The tenant that a token says that it is of; nothing of it is checked.
    pub fn tenant_of(token: &Secret) -> Option<TenantId> {
        split(token).map(|(tenant, _)| tenant)
    }
}

/// What became of making a token.
enum Issue {
    Done(Option<KeptDevice>),
    /// What it relied on has changed meanwhile.
    Lost,
}

async fn tenant_and_lifetime(
    platform: &Platform,
    id: TenantId,
) -> Result<Option<(Tenant, Duration)>> {
    let mut unit = platform.read(Scope::Tenant(id)).await?;
    let found = match unit.tenants().by_id(id).await? {
        Some(tenant) => {
            let offers = Offers::within(platform, unit.as_mut()).await?;
            // Where no device is offered, none keeps anybody signed in.
            let lifetime = match offers.silent() {
                Some(_) => offers.settings.session_remember,
                None => Duration::ZERO,
            };
            Some((tenant, lifetime))
        }
        None => None,
    };
    unit.rollback().await?;
    Ok(found)
}

fn known(handle: FlowHandle, progress: Box<Progress>, kept: KeptDevice) -> Resumed {
    let binding = match progress.as_ref() {
        Progress::Next { binding, .. } => binding.clone().or(handle.binding),
        _ => handle.binding,
    };
    Resumed::Known {
        handle: FlowHandle {
            id: handle.id,
            binding,
        },
        progress,
        kept,
    }
}

fn only_candidate(proof: &Proof, tenant: TenantId) -> Option<UserId> {
    let is_plain = proof.purpose == Purpose::SignIn
        && proof.mailbox.is_none()
        && proof.scope.is_none()
        && proof.credential.is_some();
    match &proof.who {
        Who::Candidates { users } => match users.as_slice() {
            [(of, user)] if *of == tenant && is_plain => Some(*user),
            _ => None,
        },
        Who::Subject { .. } | Who::External { .. } => None,
    }
}

fn kept(tenant: TenantId, kept: &Kept) -> KeptDevice {
    KeptDevice {
        token: Secret::new(format!("{tenant}.{}", kept.token.expose())),
        tenant,
        expires_at: kept.expires_at,
    }
}

/// The tenant in front of a token, and the provider's own.
fn split(token: &Secret) -> Option<(TenantId, Secret)> {
    if token.len() > MAX_TOKEN {
        return None;
    }
    let (tenant, token) = token.expose().split_once('.')?;
    Some((tenant.parse().ok()?, Secret::new(token)))
}
