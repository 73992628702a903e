//! Applying a proof, and ending a flow with a session: locks are checked, the
//! provider's effects applied, the flow moved on, the session and the audit
//! event written, all in one transaction.

use super::{
    Claimed, Completed, Progress, Reply, ReplyAnswer, SignIn,
    answer::{Attempt, error},
    device,
    flow::{self, Candidate, FlowProof, FlowTenant, Found, Phase},
    outstanding::{Next, changeable, outstanding},
    sign_up::name_taken,
    start::{ensure_open, ensure_registration},
    view::{TENANT, view},
};
use crate::{
    Error, ErrorKind, Result,
    access::{Caller, Principal},
    limits::Lanes,
    model::{ClientFacts, EndReason, Factor, SessionEnd, Tenant, TenantId, User, UserId},
    platform::{AuditEventExt, obstacle_below, sign_in_obstacle},
    provider::{Effect, Proof, Who},
    service::{NewSession, apply_effects, end_sessions, is_lost_effect, start_session},
    storage::{Change, Changed, Scope, SessionFilter, UnitOfWork},
};

/// What is to be written for a proof or a set-up.
pub(super) enum Write {
    /// Somebody proved who they are, for a purpose perhaps, under a credential
    /// epoch.
    Proof(Factor, Option<String>, i64),
    /// A credential was set up.
    SetUp,
    /// An account was made, and a credential set up with it.
    NewAccount(Box<User>, Factor),
}

impl Write {
    /// The credential epoch that it relies on.
    fn epoch(&self) -> Option<i64> {
        match self {
            Self::Proof(_, _, epoch) => Some(*epoch),
            Self::SetUp | Self::NewAccount(..) => None,
        }
    }
}

impl Attempt<'_> {
    /// A provider says who it is.
    pub(crate) async fn prove(self, proof: Proof, effects: Vec<Effect>) -> Result<Progress> {
        let factor = self.factor(&proof);
        match proof.who {
            Who::Subject { user } => match &self.claimed {
                Claimed::User(found) if found.1.id == user => {
                    let place = (found.0.id, user);
                    let epoch = found.1.credential_epoch;
                    self.write(place, Write::Proof(factor, proof.scope, epoch), effects)
                        .await
                }
                _ => self.refuse("not_the_subject").await,
            },
            Who::Candidates { users } => {
                if !self.configured.description.finds_tenant || users.len() > 100 {
                    return self.refuse("candidates_not_allowed").await;
                }
                let allowed = self.allowed(users).await?;
                match allowed.as_slice() {
                    [] => self.refuse("no_account").await,
                    [one] => {
                        let place = (one.tenant.id, one.user);
                        let write = Write::Proof(factor, proof.scope, one.epoch);
                        self.write(place, write, effects).await
                    }
                    _ if !effects.is_empty() => self.refuse("effects_without_tenant").await,
                    _ => self.ask_for_tenant(allowed, factor, proof.scope).await,
                }
            }
            Who::External { .. } => self.refuse("not_linked").await,
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
        }
    }

    /// Those of the users who exist and may sign in, in the flow's tenant and
    /// being the flow's user if these are known.
    async fn allowed(&self, mut users: Vec<(TenantId, UserId)>) -> Result<Vec<Candidate>> {
        let flow = &self.found.flow;
        let mut allowed = Vec::new();
        users.sort_unstable();
        users.dedup();
        for (tenant, user) in users {
            let fits = flow.tenant_id().is_none_or(|known| known == tenant)
                && flow.subject.is_none_or(|known| known == (tenant, user));
            if !fits {
                continue;
            }
            let mut unit = self.platform.read(Scope::Tenant(tenant)).await?;
            let found = unit.tenants().by_id(tenant).await?;
            let user = unit.users().by_id(user).await?;
            if let Some((tenant, user)) = found.zip(user) {
                let now = self.platform.now();
                let obstacle = sign_in_obstacle(unit.as_mut(), &tenant, &user, now).await?;
                if obstacle.is_none() {
                    allowed.push(Candidate {
                        tenant: FlowTenant::from(&tenant),
                        user: user.id,
                        epoch: user.credential_epoch,
                    });
                }
            }
            unit.rollback().await?;
        }
        Ok(allowed)
    }

    async fn ask_for_tenant(
        mut self,
        candidates: Vec<Candidate>,
        factor: Factor,
        scope: Option<String>,
    ) -> Result<Progress> {
        let flow = &mut self.found.flow;
        flow.candidates = candidates;
        flow.scope = flow.scope.take().or(scope);
        flow.proofs.push(FlowProof {
            factor,
            first: self.configured.description.first_step,
        });
        flow.go_to(self.platform.environment(), Phase::Tenant);
        let binding = flow.rebind(self.platform.environment());
        let mut unit = self.platform.write(Scope::Platform).await?;
        if let Some(lanes) = &self.lanes {
            lanes.succeed(unit.as_mut()).await?;
        }
        self.found.version = flow::save(self.platform, unit.as_mut(), &self.found).await?;
        unit.commit().await?;
        Ok(Progress::Next {
            view: view(self.platform, &self.found),
            binding,
        })
    }

    /// A credential was set up: for a duty, or because it was asked for.
    pub(crate) async fn enrolled(self, effects: Vec<Effect>) -> Result<Progress> {
        match (&self.claimed, self.found.flow.phase) {
            (Claimed::User(found), Phase::ChangeCredential | Phase::Enrol) => {
                let place = (found.0.id, found.1.id);
                self.write(place, Write::SetUp, effects).await
            }
            _ => self.refuse("nothing_to_set_up").await,
        }
    }

    /// Everything that a proof or set-up changes, in one transaction.
    pub(super) async fn write(
        mut self,
        (tenant_id, user_id): (TenantId, UserId),
        write: Write,
        effects: Vec<Effect>,
    ) -> Result<Progress> {
        if self
            .found
            .flow
            .subject
            .is_some_and(|s| s != (tenant_id, user_id))
        {
            return self.refuse("not_the_subject").await;
        }
        // What is noted in the flow counts only if all of it is stored.
        let before = self.found.clone();
        let mut unit = self.platform.write(Scope::Tenant(tenant_id)).await?;
        let written = self
            .write_in(unit.as_mut(), (tenant_id, user_id), write, &effects)
            .await;
        let stored = match written {
            Ok(Written::Refuse(reason)) => {
                unit.rollback().await?;
                self.found = before;
                return self.refuse(reason).await;
            }
            Ok(Written::Lost) => {
                unit.rollback().await?;
                self.found = before;
                return self.ask_again().await;
            }
            Ok(Written::NameTaken) => {
                unit.rollback().await?;
                self.found = before;
                return Ok(self.invalid(vec![name_taken()]));
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
        if stored.is_ok() {
            self.platform.wake_sender_after(&effects);
        }
        match stored {
            Ok(Written::Complete(completed)) => Ok(Progress::Complete(completed)),
            Ok(Written::Next(binding)) => {
                ensure_open(self.platform, &mut self.found, self.client).await?;
                Ok(Progress::Next {
                    view: view(self.platform, &self.found),
                    binding,
                })
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
        if let Write::NewAccount(user, _) = &write {
            let settings = self.platform.effective_settings(unit, tenant_id).await?;
            ensure_registration(&settings)?;
            match unit.users().create(user).await {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    return Ok(Written::NameTaken);
                }
                other => other?,
            }
        }
        let Some(user) = hold_user(unit, user_id).await? else {
            return Ok(Written::Refuse("user_gone"));
        };
        let now = self.platform.now();
        let ancestors = unit.tenants().ancestors(tenant_id).await?;
        if let Some(obstacle) = obstacle_below(&tenant, &ancestors, &user, now) {
            return Ok(Written::Refuse(obstacle));
        }
        // What was proven under an older credential no longer counts.
        let epoch = self.found.flow.epoch.or(write.epoch());
        if epoch.is_some_and(|epoch| epoch != user.credential_epoch) {
            return Ok(Written::Refuse("credential_changed"));
        }
        if !self.session_goes_on(unit).await? {
            return Ok(Written::Refuse("session_over"));
        }
        let place = (tenant_id, Some(user_id));
        match apply_effects(self.platform, unit, &self.configured.id, place, effects).await {
            Err(error) if is_lost_effect(&error) => return Ok(Written::Lost),
            other => other?,
        }
        if let Some(lanes) = &self.lanes {
            lanes.succeed(unit).await?;
        }
        let user = match self.record(unit, &tenant, user, write).await? {
            Some(user) => user,
            None => return Ok(Written::Refuse("session_over")),
        };
        self.go_on(unit, (tenant, &ancestors), user).await
    }

    /// Whether the session that the flow was begun in is still there. A change
    /// that this very flow made ended it too. Whoever ends it in this unit looks
    /// once more, since it may be ended meanwhile.
    async fn session_goes_on(&self, unit: &mut dyn UnitOfWork) -> Result<bool> {
        let flow = &self.found.flow;
        let Some(id) = flow.session else {
            return Ok(true);
        };
        let session = unit.sessions().by_id(id).await?;
        let now = self.platform.now();
        Ok(session.is_some_and(|session| {
            let reason = session.ended.map(|end| end.reason);
            session.is_valid_at(now)
                || (!flow.set_up.is_empty() && reason == Some(EndReason::CredentialChanged))
        }))
    }

    /// Notes in flow, user and audit log what was proven or set up; `None` when
    /// the session that it was asked for in has ended meanwhile.
    async fn record(
        &mut self,
        unit: &mut dyn UnitOfWork,
        tenant: &Tenant,
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
        let first = self.configured.description.first_step;
        let event = match write {
            Write::Proof(factor, scope, _) => {
                flow.scope = flow.scope.take().or(scope);
                flow.proofs.push(FlowProof { factor, first });
                event("session.prove").changing("provider", None, provider)
            }
            Write::NewAccount(_, factor) => {
                flow.proofs.push(FlowProof { factor, first });
                event("user.create")
                    .changing("user_name", None, Some(user.user_name.to_string()))
                    .changing("by", None, Some("registration".to_owned()))
            }
            Write::SetUp => {
                let event = event("user.change_credential").changing("provider", None, provider);
                let due = changeable(platform, flow).map(|due| &due.id);
                if due == Some(&self.configured.id) {
                    user.must_change = None;
                }
                flow.set_up.push(self.configured.id.clone());
                user.credential_epoch += 1;
                user = unit.users().update(&user).await?;
                // A new credential has no wrong answers behind it.
                Lanes::forget(unit, (tenant.id, user.id), [&self.configured.id]).await?;
                let all = SessionFilter {
                    user: Some(user.id),
                    ..SessionFilter::default()
                };
                end_sessions(platform, unit, &all, EndReason::CredentialChanged).await?;
                if !self.session_goes_on(unit).await? {
                    return Ok(None);
                }
                self.changes.push(Change {
                    tenant: tenant.id,
                    what: Changed::User(user.id),
                });
                event
            }
        };
        self.found.flow.epoch = Some(user.credential_epoch);
        unit.audit().append(&event).await?;
        Ok(Some(user))
    }

    fn caller(&self, tenant: TenantId, user: UserId) -> Caller {
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
        user: User,
    ) -> Result<Written> {
        let environment = self.platform.environment();
        match outstanding(self.platform, unit, &self.found.flow, &user).await? {
            Next::Do(phase) => {
                self.found.flow.go_to(environment, phase);
                let binding = self.found.flow.rebind(environment);
                self.found.version = flow::save(self.platform, unit, &self.found).await?;
                Ok(Written::Next(binding))
            }
            Next::Impossible(reason) => Ok(Written::Refuse(reason)),
            Next::Session => self.complete(unit, line, user).await,
        }
    }

    async fn complete(
        &mut self,
        unit: &mut dyn UnitOfWork,
        (tenant, ancestors): (Tenant, &[Tenant]),
        user: User,
    ) -> Result<Written> {
        let platform = self.platform;
        let flow = &mut self.found.flow;
        if let Some(old) = flow.session {
            let end = SessionEnd {
                at: platform.now(),
                reason: EndReason::Replaced,
            };
            // What was set up in this flow ended it already.
            if !unit.sessions().end(old, end).await? && flow.set_up.is_empty() {
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
            client: self.client,
        };
        let (token, session, replaced) = start_session(platform, unit, new).await?;
        self.changes.extend(replaced);
        flow.complete = true;
        flow.offers.clear();
        flow.active = None;
        let return_to = flow.return_to.clone();
        self.found.version = flow::save(platform, unit, &self.found).await?;
        let caller = self.caller(tenant.id, user.id);
        let event = platform
            .event(&caller, Some(tenant.id), "session.start")
            .about(session.id)
            .changing("amr", None, Some(session.amr().join(" ")));
        unit.audit().append(&event).await?;
        let device = device::note(platform, self.device.as_ref(), tenant.id, user.id)?;
        Ok(Written::Complete(Box::new(Completed {
            view: view(platform, &self.found),
            token,
            session,
            tenant,
            device,
            return_to,
        })))
    }
}

enum Written {
    Next(Option<crate::secret::Token>),
    Complete(Box<Completed>),
    Refuse(&'static str),
    /// What the provider's effects refer to has changed since it looked.
    Lost,
    NameTaken,
}

impl SignIn<'_> {
    /// The person chooses one of several accounts.
    pub(super) async fn choose_tenant(
        &self,
        found: Found,
        reply: Reply,
        client: &ClientFacts,
    ) -> Result<Progress> {
        let wrong = |found: &Found| Progress::Invalid {
            view: view(self.0, found),
            errors: vec![error(
                TENANT,
                "unknown_choice",
                "Choose one of the organisations.",
            )],
        };
        let ReplyAnswer::Fields(values) = reply.answer else {
            return Ok(wrong(&found));
        };
        let chosen = values.get(TENANT).and_then(|chosen| {
            let mut candidates = found.flow.candidates.iter();
            candidates.find(|candidate| candidate.tenant.name == chosen.expose())
        });
        let chosen = chosen.cloned();
        let proof = found.flow.proofs.last().cloned();
        let configured = proof
            .as_ref()
            .and_then(|proof| self.0.providers().provider(&proof.factor.provider));
        let (Some(chosen), Some(configured)) = (chosen, configured) else {
            return Ok(wrong(&found));
        };
        let mut attempt = Attempt {
            platform: self.0,
            found,
            offer: 0,
            configured,
            client,
            device: reply.device,
            claimed: Claimed::Nobody { tenant: None },
            lanes: None,
            again: None,
            changes: Vec::new(),
        };
        // The proof is taken out and written again with its account.
        let proof = attempt.found.flow.proofs.pop();
        let proof = proof.ok_or_else(|| Error::internal("a proof is gone"))?;
        let scope = attempt.found.flow.scope.take();
        attempt
            .write(
                (chosen.tenant.id, chosen.user),
                Write::Proof(proof.factor, scope, chosen.epoch),
                Vec::new(),
            )
            .await
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
