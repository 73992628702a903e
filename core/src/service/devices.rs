//! Devices that people stay signed in on: listing them, ending them.
//!
//! A device and the sessions that it began, or that it was made in, end together
//! when somebody ends one of them: otherwise the other would bring it back at once.

use super::{
    Accounts, ProviderCall, Users, apply_effects,
    users::{changed, held},
};
use crate::{
    Error, Platform, Result,
    access::{Caller, action},
    model::{
        EndReason, ProviderId, RecordId, Session, SessionEnd, SessionId, Tenant, TenantId, User,
        UserId,
    },
    platform::AuditEventExt,
    provider::{Device, Intent, Revoked},
    storage::{Change, Changed, Page, Scope, SessionFilter, UnitOfWork},
};

/// One of one's own devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnDevice {
    /// It.
    pub device: Device,
    /// Whether the present session began with it, or it was made in that session.
    pub is_current: bool,
}

impl Accounts<'_> {
    /// The devices that the caller stays signed in on, the newest first.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`](crate::ErrorKind::Unauthenticated), and what
    /// storage and provider say.
    pub async fn devices(&self, caller: &Caller) -> Result<Vec<OwnDevice>> {
        let (tenant, user) = self.own(caller).await?;
        let Some((provider, devices)) = listed(self.0, (&tenant, &user)).await? else {
            return Ok(Vec::new());
        };
        let present = caller.signed_in().map(|user| user.session);
        let session = match present {
            Some(id) => session(self.0, tenant.id, id).await?,
            None => None,
        };
        let devices = devices.into_iter().map(|device| OwnDevice {
            is_current: session
                .as_ref()
                .is_some_and(|session| belongs(session, &provider, device.id, device.session)),
            device,
        });
        Ok(devices.collect())
    }

    /// Ends one of the caller's devices, with the sessions that belong to it but the
    /// present one; answers whether that belongs to it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when the caller has no
    /// such device.
    pub async fn end_device(&self, caller: &Caller, id: RecordId) -> Result<bool> {
        let devices = self.devices(caller).await?;
        let device = devices.into_iter().find(|own| own.device.id == id);
        let device = device.ok_or_else(no_device)?;
        let (tenant, user) = self.own(caller).await?;
        end_one(self.0, caller, (&tenant, &user), id, None).await?;
        Ok(device.is_current)
    }
}

impl Users<'_> {
    /// The devices that a user stays signed in on, the newest first.
    ///
    /// # Errors
    /// As [`Users::read`], and what the provider says.
    pub async fn devices(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: UserId,
    ) -> Result<Vec<Device>> {
        self.read(caller, tenant, id).await?;
        let of = owner(self.0, tenant, id).await?;
        let listed = listed(self.0, (&of.0, &of.1)).await?;
        Ok(listed.map(|(_, devices)| devices).unwrap_or_default())
    }

    /// Ends one of them, with the sessions that belong to it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when the user has no
    /// such device.
    pub async fn end_device(
        &self,
        caller: &Caller,
        (tenant, id): (TenantId, UserId),
        device: RecordId,
    ) -> Result<()> {
        let action = action::USER_END_DEVICE;
        self.authorise_for(caller, action, tenant, id).await?;
        let of = owner(self.0, tenant, id).await?;
        end_one(self.0, caller, (&of.0, &of.1), device, Some(*self)).await
    }
}

fn no_device() -> Error {
    Error::not_found("device")
}

async fn end_one(
    platform: &Platform,
    caller: &Caller,
    (tenant, user): (&Tenant, &User),
    id: RecordId,
    of_others: Option<Users<'_>>,
) -> Result<()> {
    let (configured, silent) = platform.providers().silent().ok_or_else(no_device)?;
    let call = call(platform, &configured.id, tenant, user);
    let listed = silent.list(&call.context()).await?;
    let device = listed.into_iter().find(|listed| listed.id == id);
    let device = device.ok_or_else(no_device)?;
    let revoked = Revoked {
        user: user.id,
        device: id,
        session: device.session,
        effects: silent.remove(&call.context(), id).await?,
    };
    let mut unit = platform.write(Scope::Tenant(tenant.id)).await?;
    let place = (tenant.id, user.id);
    held(unit.as_mut(), place, None).await?;
    if let Some(users) = of_others {
        let action = action::USER_END_DEVICE;
        users
            .still_allowed(caller, action, unit.as_mut(), place)
            .await?;
    }
    let still = unit.records().by_id(&configured.id, id).await?;
    still.ok_or_else(no_device)?;
    let place = (tenant.id, &configured.id);
    let but = caller.signed_in().map(|own| own.session);
    let mut changes = end_device_but(platform, unit.as_mut(), place, &revoked, but).await?;
    changes.push(changed(tenant.id, user.id));
    let event = platform
        .event(caller, Some(tenant.id), action::USER_END_DEVICE)
        .about(user.id)
        .changing("device", Some(id.to_string()), None)
        .changing("label", Some(device.label), None);
    unit.audit().append(&event).await?;
    platform.commit(unit, &changes).await
}

/// Ends a device and the open sessions that belong to it, in a unit of the tenant
/// in which its owner's row is held; answers what this changes for others.
///
/// # Errors
/// As [`apply_effects`].
pub(crate) async fn end_device(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    place: (TenantId, &ProviderId),
    revoked: &Revoked,
) -> Result<Vec<Change>> {
    end_device_but(platform, unit, place, revoked, None).await
}

/// The same, and one session goes on.
async fn end_device_but(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    (tenant, provider): (TenantId, &ProviderId),
    revoked: &Revoked,
    but: Option<SessionId>,
) -> Result<Vec<Change>> {
    let of = (tenant, Some(revoked.user));
    apply_effects(platform, unit, provider, of, &revoked.effects).await?;
    let at = platform.now();
    let reason = EndReason::Revoked;
    let filter = SessionFilter {
        user: Some(revoked.user),
        valid_at: Some(at),
        except: but,
    };
    let mut changes = Vec::new();
    let mut page = Page::first(1_000);
    loop {
        let sessions = unit.sessions().list(&filter, page).await?;
        for session in &sessions {
            if belongs(session, provider, revoked.device, revoked.session) {
                unit.sessions()
                    .end(session.id, SessionEnd { at, reason })
                    .await?;
                changes.push(Change {
                    tenant,
                    what: Changed::Session(session.id),
                });
            }
        }
        match sessions.last() {
            Some(last) if sessions.len() >= 1_000 => page.after = Some(last.id),
            _ => return Ok(changes),
        }
    }
}

/// Removes all devices of a user but some, in a unit in which the user's row is
/// held. Their sessions are ended by whoever calls this.
pub(crate) async fn forget_devices_but(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    user: UserId,
    but: &[RecordId],
) -> Result<()> {
    for configured in platform.providers().providers() {
        if !configured.description.silent {
            continue;
        }
        if but.is_empty() {
            unit.records().delete_by_user(&configured.id, user).await?;
            continue;
        }
        for record in unit.records().by_user(&configured.id, user).await? {
            if !but.contains(&record.id) {
                let version = record.version;
                unit.records()
                    .delete(&configured.id, record.id, version)
                    .await?;
            }
        }
    }
    Ok(())
}

/// Removes all devices of a user.
pub(crate) async fn forget_devices(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    user: UserId,
) -> Result<()> {
    forget_devices_but(platform, unit, user, &[]).await
}

/// Removes all devices of all users of the unit's tenant.
pub(crate) async fn forget_devices_of_all(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
) -> Result<()> {
    for configured in platform.providers().providers() {
        if configured.description.silent {
            unit.records().delete_of_users(&configured.id).await?;
        }
    }
    Ok(())
}

/// The devices that belong to a session, as they end with it.
pub(crate) async fn devices_of(platform: &Platform, session: &Session) -> Result<Vec<Revoked>> {
    let Some((configured, silent)) = platform.providers().silent() else {
        return Ok(Vec::new());
    };
    let Ok((tenant, user)) = owner(platform, session.tenant, session.user).await else {
        return Ok(Vec::new());
    };
    let call = call(platform, &configured.id, &tenant, &user);
    let mut revoked = Vec::new();
    for device in silent.list(&call.context()).await? {
        if belongs(session, &configured.id, device.id, device.session) {
            revoked.push(Revoked {
                user: user.id,
                device: device.id,
                session: device.session,
                effects: silent.remove(&call.context(), device.id).await?,
            });
        }
    }
    Ok(revoked)
}

/// Whether a session was begun by a device, or is the one that it was made in.
fn belongs(session: &Session, provider: &ProviderId, device: RecordId, made_in: SessionId) -> bool {
    session.id == made_in || session.was_proven_by(provider, device)
}

async fn listed(
    platform: &Platform,
    (tenant, user): (&Tenant, &User),
) -> Result<Option<(ProviderId, Vec<Device>)>> {
    let Some((configured, silent)) = platform.providers().silent() else {
        return Ok(None);
    };
    let call = call(platform, &configured.id, tenant, user);
    let mut devices = silent.list(&call.context()).await?;
    devices.sort_by_key(|device| std::cmp::Reverse((device.last_used_at, device.id)));
    Ok(Some((configured.id.clone(), devices)))
}

async fn session(platform: &Platform, tenant: TenantId, id: SessionId) -> Result<Option<Session>> {
    let mut unit = platform.read(Scope::Tenant(tenant)).await?;
    let session = unit.sessions().by_id(id).await?;
    unit.rollback().await?;
    Ok(session)
}

async fn owner(platform: &Platform, tenant: TenantId, id: UserId) -> Result<(Tenant, User)> {
    let mut unit = platform.read(Scope::Tenant(tenant)).await?;
    let tenant = unit.tenants().by_id(tenant).await?;
    let user = unit.users().by_id(id).await?;
    unit.rollback().await?;
    tenant.zip(user).ok_or_else(|| Error::not_found("user"))
}

fn call<'a>(
    platform: &'a Platform,
    provider: &ProviderId,
    tenant: &Tenant,
    user: &User,
) -> ProviderCall<'a> {
    ProviderCall::new(platform, provider, Intent::SignIn)
        .in_tenant(Some(tenant))
        .of_user(user)
}
