//! Applying a proof, and ending a flow with a session: locks are checked, the
//! provider's effects applied, the flow moved on, the session and the audit
//! event written, all in one transaction.

use super::{
    Claimed, Completed, Progress,
    answer::Attempt,
    device,
    duty::Duty,
    flow::{self, FlowTenant, Phase},
    identity::Comer,
    outstanding::{Next, changeable, outstanding},
    sign_up::name_taken,
    start::{ensure_open, way_back},
    view::view,
    write::{Proven, Tried, Write, Written},
};
use crate::{
    Error, ErrorKind, Result,
    access::{Caller, Principal, action},
    messages,
    model::{EndReason, Factor, SessionEnd, Tenant, TenantId, User, UserId},
    platform::{AuditEventExt, obstacle_below},
    provider::{Effect, Proof, Purpose, Who},
    service::{NewSession, Offers, apply_effects, has_set_up, is_lost_effect, start_session},
    storage::{Change, Changed, Scope, UnitOfWork},
};

impl Attempt<'_> {
    /// A provider says who it is.
    pub(crate) async fn prove(self, proof: Proof, effects: Vec<Effect>) -> Result<Progress> {
        let factor = self.factor(&proof);
        let bound =
            proof.purpose != Purpose::SignIn || proof.mailbox.is_some() || proof.renew.is_some();
        let proven = Proven {
            factor,
            epoch: 0,
            scope: proof.scope,
            purpose: proof.purpose,
            renew: proof.renew,
            mailbox: proof.mailbox,
            return_to: proof.return_to,
            comer: None,
        };
        match proof.who {
            Who::Subject { .. } | Who::Candidates { .. }
                if self.configured.description.third_party =>
            {
                self.refuse("not_an_identity").await
            }
            Who::Subject { user } => match &self.claimed {
                Claimed::User(found) if found.1.id == user => {
                    let place = (found.0.id, user);
                    let epoch = found.1.credential_epoch;
                    self.write(place, proven.under(epoch), effects).await
                }
                _ => self.refuse("not_the_subject").await,
            },
            Who::Candidates { users } => {
                let finds = self.configured.description.finds_tenant || self.found.flow.linked;
                if !finds || users.len() > 100 {
                    return self.refuse("candidates_not_allowed").await;
                }
                let allowed = self.allowed(users).await?;
                match allowed.as_slice() {
                    [] => self.refuse("no_account").await,
                    [one] => {
                        let place = (one.tenant.id, one.user);
                        self.write(place, proven.under(one.epoch), effects).await
                    }
                    _ if !effects.is_empty() => self.refuse("effects_without_tenant").await,
                    _ if bound => self.refuse("purpose_without_tenant").await,
                    _ => {
                        let Proven { factor, scope, .. } = proven;
                        self.ask_for_tenant(allowed, factor, scope).await
                    }
                }
            }
            Who::External { identity } => {
                let comer = Comer {
                    identity,
                    keep: proof.keep,
                    links: false,
                    factor: proven.factor.clone(),
                };
                Box::pin(self.identified(comer, proven, effects)).await
            }
        }
    }

    pub(super) fn factor(&self, proof: &Proof) -> Factor {
        let description = &self.configured.description;
        Factor {
            provider: self.configured.id.clone(),
            class: proof.class.unwrap_or(description.class),
            amr: proof
                .amr
                .first()
                .cloned()
                .unwrap_or_else(|| description.amr.clone()),
            at: proof.at.unwrap_or_else(|| self.platform.now()),
            credential: proof.credential,
        }
    }

    /// A credential was set up: for a duty, or because it was asked for.
    pub(crate) async fn enrolled(self, effects: Vec<Effect>) -> Result<Progress> {
        match (&self.claimed, self.found.flow.phase) {
            (Claimed::User(found), Phase::ChangeCredential | Phase::AddFactor | Phase::Enrol) => {
                let place = (found.0.id, found.1.id);
                self.write(place, Write::SetUp, effects).await
            }
            _ => self.refuse("nothing_to_set_up").await,
        }
    }

    /// Everything that a proof or set-up changes, in one transaction.
    pub(super) async fn write(
        self,
        place: (TenantId, UserId),
        write: Write,
        effects: Vec<Effect>,
    ) -> Result<Progress> {
        match self.try_write(place, write, effects).await? {
            Tried::Done(progress) => Ok(*progress),
            Tried::Lost(attempt) => attempt.ask_again().await,
            Tried::Refused(attempt, reason) => attempt.refuse(reason).await,
        }
    }

    /// The same, for whoever asks again in another way.
    pub(super) async fn try_write(
        mut self,
        (tenant_id, user_id): (TenantId, UserId),
        write: Write,
        effects: Vec<Effect>,
    ) -> Result<Tried<Self>> {
        if self
            .found
            .flow
            .subject
            .is_some_and(|s| s != (tenant_id, user_id))
        {
            return Ok(Tried::Refused(Box::new(self), "not_the_subject"));
        }
        // What is noted in the flow counts only if all of it is stored.
        let before = self.found.clone();
        self.told |= messages::sends(&effects);
        let mut unit = self.platform.write(Scope::Tenant(tenant_id)).await?;
        let written = self
            .write_in(unit.as_mut(), (tenant_id, user_id), write, &effects)
            .await;
        let stored = match written {
            Ok(Written::Refuse(reason)) => {
                unit.rollback().await?;
                self.found = before;
                return Ok(Tried::Refused(Box::new(self), reason));
            }
            Ok(Written::Lost) => {
                unit.rollback().await?;
                self.found = before;
                return Ok(Tried::Lost(Box::new(self)));
            }
            Ok(Written::NameTaken) => {
                unit.rollback().await?;
                self.found = before;
                return Ok(Tried::done(self.invalid(vec![name_taken()])));
            }
            Err(error) => {
                unit.rollback().await.ok();
                Err(error)
            }
            Ok(written) => self
                .platform
                .commit(unit, &self.changes)
                .await
                .map(|()| written),
        };
        if self.told && stored.is_ok() {
            self.platform.wake_sender();
        }
        match stored {
            Ok(Written::Complete(mut completed)) => {
                completed.kept = self.keep_device(&completed).await;
                Ok(Tried::done(Progress::Complete(completed)))
            }
            Ok(Written::Ended(purpose)) => Ok(Tried::done(Progress::Ended {
                view: view(self.platform, &self.found),
                purpose,
            })),
            Ok(Written::Next(binding)) => {
                ensure_open(self.platform, &mut self.found, self.client).await?;
                Ok(Tried::done(Progress::Next {
                    view: view(self.platform, &self.found),
                    binding,
                    hold_until: None,
                }))
            }
            Ok(_) => Err(Error::internal("a refusal was stored")),
            Err(error) => {
                // Whoever came too late, or found the storage gone, answered
                // nothing wrong.
                self.refund().await.ok();
                Err(error)
            }
        }
    }

    async fn write_in(
        &mut self,
        unit: &mut dyn UnitOfWork,
        (tenant_id, user_id): (TenantId, UserId),
        write: Write,
        effects: &[Effect],
    ) -> Result<Written> {
        // Held before anything is decided: a lock or a deletion comes before this
        // sign-in, or ends what it began.
        let Some(tenant) = unit.tenants().hold(tenant_id).await? else {
            return Ok(Written::Refuse("tenant_gone"));
        };
        if let Write::NewAccount(new) = &write {
            self.ensure_may_join(unit, &tenant, new).await?;
            match unit.users().create(&new.user).await {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    return Ok(Written::NameTaken);
                }
                other => other?,
            }
        }
        let Some(mut user) = hold_user(unit, user_id).await? else {
            return Ok(Written::Refuse("user_gone"));
        };
        let now = self.platform.now();
        let ancestors = unit.tenants().ancestors(tenant_id).await?;
        let settings = self.platform.settings_below(unit, tenant_id, &ancestors);
        let offers = Offers::of(self.platform, &tenant, settings.await?);
        if !self.counts(unit, &offers, user_id, &write).await? {
            return Ok(Written::Refuse("not_offered"));
        }
        if let Some(obstacle) = obstacle_below(&tenant, &ancestors, &user, now) {
            return Ok(Written::Refuse(obstacle));
        }
        // What was proven under an older credential no longer counts.
        let epoch = self.found.flow.epoch.or(write.epoch());
        if epoch.is_some_and(|epoch| epoch != user.credential_epoch) {
            return Ok(Written::Refuse("credential_changed"));
        }
        if let Some(obstacle) = self.in_the_way(unit, &user, &write).await? {
            return Ok(obstacle);
        }
        let place = (tenant_id, Some(user_id));
        if let Write::Proof(proven) = &write
            && !self.credential_is_there(unit, user_id, proven).await?
        {
            return Ok(Written::Lost);
        }
        match apply_effects(self.platform, unit, &self.configured.id, place, effects).await {
            Err(error) if is_lost_effect(&error) => return Ok(Written::Lost),
            other => other?,
        }
        if let Some(lanes) = &self.lanes {
            lanes.succeed(unit).await?;
        }
        if let Write::Proof(proven) = &write
            && let Some(refusal) = self.own_mailbox(unit, tenant_id, &mut user, proven).await?
        {
            return Ok(Written::Refuse(refusal));
        }
        if let Some(obstacle) = self.keep_identity(unit, tenant_id, &user, &write).await? {
            return Ok(obstacle);
        }
        let ended = match &write {
            Write::Proof(proven) if !self.goes_on(proven) => Some(proven.purpose),
            _ => None,
        };
        let user = match self.record(unit, (&tenant, &offers), user, write).await? {
            Some(user) => user,
            None => return Ok(Written::Refuse("session_over")),
        };
        match ended {
            Some(purpose) => {
                self.end(unit).await?;
                Ok(Written::Ended(purpose))
            }
            None => self.go_on(unit, (tenant, &ancestors), &offers, user).await,
        }
    }

    /// What of the session that the flow was begun in, or of what is to be removed, is in
    /// the way of a write.
    async fn in_the_way(
        &self,
        unit: &mut dyn UnitOfWork,
        user: &User,
        write: &Write,
    ) -> Result<Option<Written>> {
        if !self.session_goes_on(unit).await? {
            return Ok(Some(Written::Refuse("session_over")));
        }
        match write {
            Write::Removed(credential) => self.removal_obstacle(unit, user, credential).await,
            _ => Ok(None),
        }
    }

    /// Whether what a provider says counts in the tenant: it is offered there at this
    /// moment, whatever was when the flow began, or is a second factor that the user has.
    /// Taking something away and putting something off is always possible.
    async fn counts(
        &self,
        unit: &mut dyn UnitOfWork,
        offers: &Offers<'_>,
        user: UserId,
        write: &Write,
    ) -> Result<bool> {
        if matches!(write, Write::Removed(_) | Write::PutOff) || offers.include(self.configured) {
            return Ok(true);
        }
        has_set_up(self.platform, unit, user, self.configured).await
    }

    /// Whether the record that a proof names is still the user's: what ends it
    /// holds the user's row too, so that it comes before this or ends the session.
    async fn credential_is_there(
        &self,
        unit: &mut dyn UnitOfWork,
        user: UserId,
        proven: &Proven,
    ) -> Result<bool> {
        let Some(id) = proven.factor.credential else {
            return Ok(true);
        };
        let record = unit.records().by_id(&self.configured.id, id).await?;
        let now = self.platform.now();
        Ok(record.is_some_and(|record| record.user == Some(user) && !record.is_expired_at(now)))
    }

    /// Whether a proof leads on to a session. One that only shows a mailbox does
    /// not, unless the flow asked for it.
    fn goes_on(&self, proven: &Proven) -> bool {
        proven.purpose != Purpose::Mailbox || self.found.flow.phase == Phase::Verify
    }

    /// Whether the session that the flow was begun in is still there. A change
    /// that this very flow made ended it too. Whoever ends it in this unit looks
    /// once more, since it may be ended meanwhile.
    pub(super) async fn session_goes_on(&self, unit: &mut dyn UnitOfWork) -> Result<bool> {
        let flow = &self.found.flow;
        let Some(id) = flow.session else {
            return Ok(true);
        };
        let session = unit.sessions().by_id(id).await?;
        let now = self.platform.now();
        Ok(session.is_some_and(|session| {
            let reason = session.ended.map(|end| end.reason);
            session.is_valid_at(now)
                || (flow.has_changed_credentials() && reason == Some(EndReason::CredentialChanged))
        }))
    }

    /// Notes in flow, user and audit log what was proven or set up; `None` when
    /// the session that it was asked for in has ended meanwhile.
    async fn record(
        &mut self,
        unit: &mut dyn UnitOfWork,
        (tenant, offers): (&Tenant, &Offers<'_>),
        mut user: User,
        write: Write,
    ) -> Result<Option<User>> {
        let caller = self.caller(tenant.id, user.id);
        let platform = self.platform;
        let event = |action: &str| {
            platform
                .event(&caller, Some(tenant.id), action)
                .about(user.id)
        };
        let provider = Some(self.configured.id.to_string());
        let flow = &mut self.found.flow;
        flow.subject = Some((tenant.id, user.id));
        flow.tenant = Some(FlowTenant::from(tenant));
        let first = matches!(flow.phase, Phase::First | Phase::Tenant | Phase::SignUp)
            || self.configured.description.first_step;
        let event = match write {
            Write::Proof(proven) => {
                flow.take_proof(&self.configured.id, *proven, first)?;
                event("session.prove").changing("provider", None, provider)
            }
            Write::NewAccount(new) => {
                let by = flow.take_account(*new, first);
                event("user.create")
                    .changing("user_name", None, Some(user.user_name.to_string()))
                    .changing("by", None, Some(by))
            }
            // The link itself has its own event.
            Write::Linked(_) => {
                flow.has_linked = true;
                event("session.prove").changing("provider", None, provider)
            }
            Write::PutOff => {
                let what = match flow.phase {
                    Phase::AddFactor => "user.put_off_second_factor",
                    _ => "user.put_off_change",
                };
                flow.put_off(platform.now());
                event(what)
            }
            Write::SetUp => {
                let event = event("user.change_credential").changing("provider", None, provider);
                let due = changeable(offers, flow, None).map(|due| &due.id);
                if due == Some(&self.configured.id) {
                    user.must_change = None;
                }
                flow.settle(&self.configured.id, due);
                flow.set_up.push(self.configured.id.clone());
                user = match self.credentials_changed(unit, tenant.id, user).await? {
                    Some(user) => user,
                    None => return Ok(None),
                };
                event
            }
            Write::Removed(credential) => {
                flow.removed = true;
                let action = match self.configured.description.third_party {
                    true => action::USER_UNLINK_IDENTITY,
                    false => action::USER_REMOVE_FACTOR,
                };
                let event = event(action).changing("provider", provider, None).changing(
                    "label",
                    Some(credential.label),
                    None,
                );
                user = match self.credentials_changed(unit, tenant.id, user).await? {
                    Some(user) => user,
                    None => return Ok(None),
                };
                event
            }
        };
        self.found.flow.epoch = Some(user.credential_epoch);
        unit.audit().append(&event).await?;
        Ok(Some(user))
    }

    pub(super) fn caller(&self, tenant: TenantId, user: UserId) -> Caller {
        let principal = Principal::User(crate::access::SignedIn {
            tenant,
            user,
            // There is no session yet; only who it is goes into the log.
            session: crate::model::SessionId::from_uuid(uuid::Uuid::nil()),
            grants: Vec::new(),
            scope: None,
        });
        Caller {
            principal,
            client: self.client.clone(),
        }
    }

    /// On to what is outstanding, or to the session.
    async fn go_on(
        &mut self,
        unit: &mut dyn UnitOfWork,
        line: (Tenant, &[Tenant]),
        offers: &Offers<'_>,
        user: User,
    ) -> Result<Written> {
        let rules = (self.platform, offers);
        match outstanding(rules, unit, &self.found.flow, &user).await? {
            Next::Do(phase) => self.go_to(unit, phase, None).await,
            Next::Duty(phase, duty) => self.go_to(unit, phase, Some(duty)).await,
            Next::Impossible(reason) => Ok(Written::Refuse(reason)),
            Next::Session => self.complete(unit, line, user).await,
        }
    }

    async fn go_to(
        &mut self,
        unit: &mut dyn UnitOfWork,
        phase: Phase,
        duty: Option<Duty>,
    ) -> Result<Written> {
        let environment = self.platform.environment();
        let flow = &mut self.found.flow;
        flow.go_to(environment, phase);
        flow.duty = duty;
        let binding = flow.rebind(environment);
        self.found.version = flow::save(self.platform, unit, &self.found).await?;
        Ok(Written::Next(binding))
    }

    /// Ends the flow without a session.
    async fn end(&mut self, unit: &mut dyn UnitOfWork) -> Result<()> {
        let flow = &mut self.found.flow;
        flow.complete = true;
        flow.offers.clear();
        flow.active = None;
        self.found.version = flow::save(self.platform, unit, &self.found).await?;
        Ok(())
    }

    async fn complete(
        &mut self,
        unit: &mut dyn UnitOfWork,
        (tenant, ancestors): (Tenant, &[Tenant]),
        user: User,
    ) -> Result<Written> {
        let platform = self.platform;
        if let Some(obstacle) = self.link_comer(unit, tenant.id, &user).await? {
            return Ok(obstacle);
        }
        let flow = &mut self.found.flow;
        if flow.not_after.is_some_and(|end| end <= platform.now()) {
            return Ok(Written::Refuse("proof_too_old"));
        }
        if let Some(old) = flow.session {
            let end = SessionEnd {
                at: platform.now(),
                reason: EndReason::Replaced,
            };
            // What was set up in this flow ended it already.
            if !unit.sessions().end(old, end).await? && !flow.has_changed_credentials() {
                return Ok(Written::Refuse("session_over"));
            }
            self.changes.push(Change {
                tenant: tenant.id,
                what: Changed::Session(old),
            });
        }
        let new = NewSession {
            tenant: &tenant,
            ancestors,
            user: &user,
            factors: flow.factors(),
            scope: flow.scope.clone(),
            application: flow.application.as_ref().map(|named| named.name.clone()),
            client: self.client,
            not_after: flow.not_after,
        };
        let (token, session, replaced) = start_session(platform, unit, new).await?;
        self.changes.extend(replaced);
        flow.complete = true;
        flow.offers.clear();
        flow.active = None;
        let application = flow.application.as_ref().map(|named| named.name.clone());
        let return_to = way_back(flow, unit).await?;
        self.found.version = flow::save(platform, unit, &self.found).await?;
        let caller = self.caller(tenant.id, user.id);
        let event = platform
            .event(&caller, Some(tenant.id), "session.start")
            .about(session.id)
            .changing("amr", None, Some(session.amr().join(" ")))
            .changing("application", None, application);
        unit.audit().append(&event).await?;
        let device = device::note(platform, self.device.as_ref(), tenant.id, user.id)?;
        Ok(Written::Complete(Box::new(Completed {
            view: view(platform, &self.found),
            token,
            session,
            tenant,
            device,
            return_to,
            kept: None,
        })))
    }
}

async fn hold_user(unit: &mut dyn UnitOfWork, id: UserId) -> Result<Option<User>> {
    match unit.users().lock_row(id).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        other => {
            other?;
            unit.users().by_id(id).await
        }
    }
}
