//! Sessions: checking, listing, ending.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    Listed,
    devices::{devices_of, end_device, forget_devices_but},
};
use crate::{
    Error, ErrorKind, Platform, Result,
    access::{Caller, Principal, Resource, SignedIn, action},
    environment::later,
    model::{
        AtLimit, ClientFacts, EndReason, Factor, Session, SessionEnd, SessionId, Tenant, TenantId,
        User, UserId,
    },
    platform::AuditEventExt,
    provider::Revoked,
    secret::{Token, TokenHash},
    session_table::{CheckedSession, Lookup},
    storage::{Change, Changed, Page, Scope, SessionFilter, UnitOfWork},
};

/// Sessions.
#[derive(Debug, Clone, Copy)]
pub struct Sessions<'a>(&'a Platform);

impl<'a> Sessions<'a> {
    pub(crate) fn new(platform: &'a Platform) -> Self {
        Self(platform)
    }

    /// The session of a token, if it is valid now; it then counts as used.
    /// Answered from memory where that can be trusted.
    ///
    /// # Errors
    /// What the storage says: whoever asks must then let nobody pass.
    pub async fn check(&self, token: &Token) -> Result<Option<Arc<CheckedSession>>> {
        self.check_hash(&token.hash()).await
    }

    /// The same by the hash of its token.
    pub(crate) async fn check_hash(&self, hash: &TokenHash) -> Result<Option<Arc<CheckedSession>>> {
        let now = self.0.now();
        let stamp = match self.0.table().look_up(hash, self.0.environment()) {
            Lookup::Valid(checked) => return Ok(Some(checked)),
            Lookup::Read(stamp) => stamp,
        };
        let Some(checked) = self.read(hash).await? else {
            return Ok(None);
        };
        let checked = Arc::new(checked);
        self.0.table().store(&checked, stamp, now);
        Ok(Some(checked))
    }

    async fn read(&self, hash: &TokenHash) -> Result<Option<CheckedSession>> {
        let mut unit = self.0.read(Scope::Platform).await?;
        let mut session = unit.sessions().by_token(hash).await?;
        if let Some(session) = &mut session {
            // It may have been used here since its row was last written.
            let used = self.0.table().last_active(hash, session.id);
            session.last_active_at = used.map_or(session.last_active_at, |used| {
                used.max(session.last_active_at)
            });
        }
        let Some(session) = session.filter(|session| session.is_valid_at(self.0.now())) else {
            unit.rollback().await?;
            return Ok(None);
        };
        unit.enter(session.tenant).await?;
        let tenant = unit.tenants().by_id(session.tenant).await?;
        let user = unit.users().by_id(session.user).await?;
        let grants = unit.users().grants(session.user).await?;
        unit.rollback().await?;
        let (Some(tenant), Some(user)) = (tenant, user) else {
            return Ok(None);
        };
        // What was proven under an older credential no longer counts.
        let counts = user.credential_epoch == session.credential_epoch;
        Ok(counts.then_some(CheckedSession {
            session,
            user,
            tenant,
            grants,
        }))
    }

    /// Ends the caller's own session.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`] for somebody who is not signed in.
    pub async fn sign_out(&self, caller: &Caller) -> Result<()> {
        let user = caller
            .signed_in()
            .ok_or_else(|| Error::new(ErrorKind::Unauthenticated, "sign in first"))?;
        self.end_one(caller, user.tenant, user.session, EndReason::SignedOut)
            .await?;
        Ok(())
    }

    /// A tenant's sessions, or one user's in it.
    ///
    /// # Errors
    /// As [`Platform::authorise`], and what the storage says.
    pub async fn list(
        &self,
        caller: &Caller,
        tenant: TenantId,
        user: Option<UserId>,
        only_valid: bool,
        page: Page<SessionId>,
    ) -> Result<Listed<Session, SessionId>> {
        self.0
            .authorise(caller, action::SESSION_LIST, &Resource::tenant(tenant))?;
        self.list_allowed(tenant, user, only_valid, page).await
    }

    /// The caller's own valid sessions.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`] or [`ErrorKind::Denied`].
    pub async fn list_own(
        &self,
        caller: &Caller,
        page: Page<SessionId>,
    ) -> Result<Listed<Session, SessionId>> {
        let (tenant, user) = self.own_account(caller)?;
        self.list_allowed(tenant, Some(user), true, page).await
    }

    async fn list_allowed(
        &self,
        tenant: TenantId,
        user: Option<UserId>,
        only_valid: bool,
        page: Page<SessionId>,
    ) -> Result<Listed<Session, SessionId>> {
        let filter = SessionFilter {
            user,
            valid_at: only_valid.then(|| self.0.now()),
            except: None,
        };
        let mut unit = self.0.read(Scope::Tenant(tenant)).await?;
        let items = unit
            .sessions()
            .list(&filter, Listed::<Session, _>::page(page))
            .await?;
        unit.rollback().await?;
        Ok(Listed::cut(items, page, |session| session.id))
    }

    /// Ends one of a tenant's sessions.
    ///
    /// # Errors
    /// As [`Platform::authorise`]; [`ErrorKind::NotFound`] when it is not there
    /// or has ended.
    pub async fn end(&self, caller: &Caller, tenant: TenantId, id: SessionId) -> Result<()> {
        self.0
            .authorise(caller, action::SESSION_END, &Resource::tenant(tenant))?;
        let mut unit = self.0.read(Scope::Tenant(tenant)).await?;
        let session = unit.sessions().by_id(id).await?;
        let grants = match &session {
            Some(session) => unit.users().grants(session.user).await?,
            None => Vec::new(),
        };
        unit.rollback().await?;
        let session = session.ok_or_else(|| Error::not_found("session"))?;
        let resource = Resource::user(tenant, session.user).with_grants(grants);
        self.0.authorise(caller, action::SESSION_END, &resource)?;
        self.must_end(caller, tenant, id).await
    }

    /// Ends one of the caller's own sessions.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when it is not there, has ended or is another's.
    pub async fn end_own(&self, caller: &Caller, id: SessionId) -> Result<()> {
        let (tenant, user) = self.own_account(caller)?;
        let mut unit = self.0.read(Scope::Tenant(tenant)).await?;
        let session = unit.sessions().by_id(id).await?;
        unit.rollback().await?;
        if session.is_none_or(|session| session.user != user) {
            return Err(Error::not_found("session"));
        }
        self.must_end(caller, tenant, id).await
    }

    async fn must_end(&self, caller: &Caller, tenant: TenantId, id: SessionId) -> Result<()> {
        if self.end_one(caller, tenant, id, EndReason::Revoked).await? {
            Ok(())
        } else {
            Err(Error::not_found("session"))
        }
    }

    /// Ends all of the caller's own sessions but the present one; answers how many.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`] or [`ErrorKind::Denied`].
    pub async fn end_own_others(&self, caller: &Caller) -> Result<u64> {
        let (tenant, user) = self.own_account(caller)?;
        let except = caller.signed_in().map(|user| user.session);
        self.end_matching(caller, tenant, user, except).await
    }

    /// Ends all sessions of a user; answers how many.
    ///
    /// # Errors
    /// As [`Platform::authorise`]; [`ErrorKind::NotFound`] for an unknown user.
    pub async fn end_of_user(
        &self,
        caller: &Caller,
        tenant: TenantId,
        user: UserId,
    ) -> Result<u64> {
        self.0
            .authorise(caller, action::SESSION_END, &Resource::tenant(tenant))?;
        let mut unit = self.0.read(Scope::Tenant(tenant)).await?;
        let known = unit.users().by_id(user).await?.is_some();
        let grants = unit.users().grants(user).await?;
        unit.rollback().await?;
        if !known {
            return Err(Error::not_found("user"));
        }
        let resource = Resource::user(tenant, user).with_grants(grants);
        self.0.authorise(caller, action::SESSION_END, &resource)?;
        self.end_matching(caller, tenant, user, None).await
    }

    async fn end_matching(
        &self,
        caller: &Caller,
        tenant: TenantId,
        user: UserId,
        except: Option<SessionId>,
    ) -> Result<u64> {
        let filter = SessionFilter {
            user: Some(user),
            valid_at: None,
            except,
        };
        // The devices would only bring the sessions back.
        let but = match except {
            Some(id) => self.devices_of(tenant, id).await?,
            None => Vec::new(),
        };
        let but: Vec<_> = but.iter().map(|device| device.device).collect();
        let mut unit = self.0.write(Scope::Tenant(tenant)).await?;
        // A sign-in under way comes before this, and ends with the others.
        let held = unit.tenants().hold(tenant).await?;
        held.ok_or_else(|| Error::not_found("user"))?;
        unit.users().lock_row(user).await?;
        forget_devices_but(self.0, unit.as_mut(), user, &but).await?;
        let ended = end_sessions(self.0, unit.as_mut(), &filter, EndReason::Revoked).await?;
        let event = self.0.event(caller, Some(tenant), "session.end");
        let event = event.about(user);
        let event = event.changing("sessions", Some(ended.to_string()), Some("0".to_owned()));
        unit.audit().append(&event).await?;
        let what = Changed::User(user);
        self.0.commit(unit, &[Change { tenant, what }]).await?;
        Ok(ended)
    }

    async fn end_one(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: SessionId,
        reason: EndReason,
    ) -> Result<bool> {
        let devices = self.devices_of(tenant, id).await?;
        let mut unit = self.0.write(Scope::Tenant(tenant)).await?;
        if let Some(device) = devices.first()
            && unit.tenants().hold(tenant).await?.is_some()
            && unit.users().by_id(device.user).await?.is_some()
        {
            // A device that is just being used comes before this.
            unit.users().lock_row(device.user).await?;
        }
        let at = self.0.now();
        if !unit.sessions().end(id, SessionEnd { at, reason }).await? {
            unit.rollback().await?;
            return Ok(false);
        }
        let event = self.0.event(caller, Some(tenant), "session.end").about(id);
        let event = event.changing("ended", None, Some(reason.as_str().to_owned()));
        unit.audit().append(&event).await?;
        let what = Changed::Session(id);
        let mut changes = vec![Change { tenant, what }];
        if let Some((configured, _)) = self.0.providers().silent() {
            for device in &devices {
                let place = (tenant, &configured.id);
                changes.extend(end_device(self.0, unit.as_mut(), place, device).await?);
            }
        }
        self.0.commit(unit, &changes).await?;
        Ok(true)
    }

    async fn devices_of(&self, tenant: TenantId, id: SessionId) -> Result<Vec<Revoked>> {
        let mut unit = self.0.read(Scope::Tenant(tenant)).await?;
        let session = unit.sessions().by_id(id).await?;
        unit.rollback().await?;
        match session {
            Some(session) => devices_of(self.0, &session).await,
            None => Ok(Vec::new()),
        }
    }

    fn own_account(&self, caller: &Caller) -> Result<(TenantId, UserId)> {
        let (tenant, user) = caller
            .signed_in()
            .map(|user| (user.tenant, user.user))
            .ok_or_else(|| Error::new(ErrorKind::Unauthenticated, "sign in first"))?;
        let own = Resource::user(tenant, user);
        self.0.authorise(caller, action::ACCOUNT_USE, &own)?;
        Ok((tenant, user))
    }
}

impl CheckedSession {
    /// Who this is, for decisions.
    pub fn principal(&self) -> Principal {
        Principal::User(SignedIn {
            tenant: self.tenant.id,
            user: self.user.id,
            session: self.session.id,
            grants: self.grants.clone(),
            scope: self.session.scope.clone(),
        })
    }
}

/// What a new session is made of.
pub(crate) struct NewSession<'a> {
    pub(crate) tenant: &'a Tenant,
    /// The tenant's, nearest first.
    pub(crate) ancestors: &'a [Tenant],
    pub(crate) user: &'a User,
    pub(crate) factors: Vec<Factor>,
    pub(crate) scope: Option<String>,
    /// The name of the application that it is made for.
    pub(crate) application: Option<String>,
    pub(crate) client: &'a ClientFacts,
    /// When it ends at the latest, whatever the settings say.
    pub(crate) not_after: Option<Timestamp>,
}

/// Makes a session in a unit of its tenant; answers also what this changes for
/// others. The user's row must be held.
///
/// # Errors
/// [`ErrorKind::Refused`] when the user has as many sessions as allowed.
pub(crate) async fn start_session(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    new: NewSession<'_>,
) -> Result<(Token, Session, Vec<Change>)> {
    let now = platform.now();
    let settings = platform.settings_below(unit, new.tenant.id, new.ancestors);
    let settings = settings.await?;
    let mut replaced = Vec::new();
    if let Some(limit) = settings.session_limit {
        replaced = make_room(
            platform,
            unit,
            new.user.id,
            limit,
            settings.session_at_limit,
        )
        .await?;
    }
    let token = Token::generate(platform.environment());
    let end = later(now, settings.session_absolute);
    let idle = i64::try_from(settings.session_idle.as_secs()).unwrap_or(i64::MAX);
    let session = Session {
        id: SessionId::generate(platform.environment()),
        tenant: new.tenant.id,
        user: new.user.id,
        token_hash: token.hash(),
        tenant_name: new.tenant.name.to_string(),
        user_name: new.user.user_name.to_string(),
        application: new.application,
        factors: new.factors,
        scope: new.scope,
        client: new.client.clone(),
        credential_epoch: new.user.credential_epoch,
        started_at: now,
        last_active_at: now,
        idle_seconds: idle,
        expires_at: new.not_after.map_or(end, |latest| latest.min(end)),
        ended: None,
    };
    unit.sessions().create(&session).await?;
    Ok((token, session, replaced))
}

async fn make_room(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    user: UserId,
    limit: u32,
    at_limit: AtLimit,
) -> Result<Vec<Change>> {
    let now = platform.now();
    let filter = SessionFilter {
        user: Some(user),
        valid_at: Some(now),
        except: None,
    };
    let held = unit.sessions().count(&filter).await?;
    let over = (held + 1).saturating_sub(u64::from(limit));
    if over == 0 {
        return Ok(Vec::new());
    }
    if at_limit == AtLimit::Refuse {
        return Err(Error::refused(
            "this account has as many sessions as it may have; sign out elsewhere first",
        ));
    }
    let mut sessions = unit.sessions().list(&filter, Page::first(10_000)).await?;
    sessions.sort_by_key(|session| (session.last_active_at, session.id));
    sessions.truncate(usize::try_from(over).unwrap_or(usize::MAX));
    sessions.sort_by_key(|session| session.id);
    let mut changes = Vec::new();
    for session in &sessions {
        let end = SessionEnd {
            at: now,
            reason: EndReason::Replaced,
        };
        unit.sessions().end(session.id, end).await?;
        changes.push(Change {
            tenant: session.tenant,
            what: Changed::Session(session.id),
        });
    }
    Ok(changes)
}

/// Ends sessions in a unit of their tenant; answers how many.
pub(crate) async fn end_sessions(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    filter: &SessionFilter,
    reason: EndReason,
) -> Result<u64> {
    let at = platform.now();
    unit.sessions()
        .end_all(filter, SessionEnd { at, reason })
        .await
}
