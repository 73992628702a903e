//! Tenants: making, reading, changing, locking, deleting.

use std::collections::HashSet;

use super::{Listed, NewLock, Offers};
use crate::{
    Error, Platform, Result,
    access::{Caller, Resource, action},
    model::{
        DisplayName, EffectiveSettings, EndReason, Lock, NameKey, ProviderId, SecondFactorRule,
        Tenant, TenantId, TenantName, TenantSettings,
    },
    platform::AuditEventExt,
    provider::{Configured, LinkPurpose},
    storage::{Change, Changed, Page, Scope, SessionFilter, UnitOfWork},
};

/// Tenants.
#[derive(Debug, Clone, Copy)]
pub struct Tenants<'a>(pub(super) &'a Platform);

/// A tenant as a caller names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantRef {
    /// By its id.
    Id(TenantId),
    /// By its name.
    Name(NameKey),
}

impl TenantRef {
    /// Reads an id or a name; a name cannot look like an id.
    pub fn parse(text: &str) -> Self {
        text.parse()
            .map_or_else(|_| Self::Name(NameKey::of(text)), Self::Id)
    }

    /// The tenant, in a unit of the platform.
    pub(crate) async fn find(&self, unit: &mut dyn UnitOfWork) -> Result<Option<Tenant>> {
        match self {
            Self::Id(id) => unit.tenants().by_id(*id).await,
            Self::Name(name) => unit.tenants().by_name(name).await,
        }
    }
}

/// A tenant to be made.
#[derive(Debug, Clone)]
pub struct NewTenant {
    /// Its unique name.
    pub name: TenantName,
    /// The name to show; the same if there is none.
    pub display_name: Option<DisplayName>,
}

/// What to change; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct TenantPatch {
    /// The unique name.
    pub name: Option<TenantName>,
    /// The name to show.
    pub display_name: Option<DisplayName>,
}

/// How a tenant is deleted.
#[derive(Debug, Clone, Copy, Default)]
pub struct DeleteTenant {
    /// Whether open sessions are ended first instead of being an obstacle.
    pub force: bool,
    /// The version that was read, if the caller knows one.
    pub version: Option<i64>,
}

impl<'a> Tenants<'a> {
    pub(crate) fn new(platform: &'a Platform) -> Self {
        Self(platform)
    }

    /// Makes a tenant.
    ///
    /// # Errors
    /// [`crate::ErrorKind::AlreadyExists`] for a taken name.
    pub async fn create(&self, caller: &Caller, new: NewTenant) -> Result<Tenant> {
        self.0
            .authorise(caller, action::TENANT_CREATE, &Resource::platform())?;
        let display_name = match new.display_name {
            Some(name) => name,
            None => DisplayName::new(new.name.as_str())?,
        };
        let tenant = Tenant {
            id: TenantId::generate(self.0.environment()),
            name: new.name,
            display_name,
            master: None,
            lock: None,
            created_at: self.0.now(),
            version: 1,
        };
        let mut unit = self.0.write(Scope::Platform).await?;
        unit.tenants().create(&tenant).await?;
        let event = self
            .0
            .event(caller, Some(tenant.id), action::TENANT_CREATE)
            .about(tenant.id)
            .changing("name", None, Some(tenant.name.to_string()));
        unit.audit().append(&event).await?;
        self.0.commit(unit, &[]).await?;
        Ok(tenant)
    }

    /// A tenant by id or name, as a caller may see it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] for an unknown and for a foreign tenant alike.
    pub async fn read(&self, caller: &Caller, tenant: &TenantRef) -> Result<Tenant> {
        let tenant = self.resolve(caller, tenant).await?;
        self.0
            .authorise(caller, action::TENANT_READ, &Resource::tenant(tenant.id))?;
        Ok(tenant)
    }

    /// Finds the tenant that a request is about; what may be done there is
    /// decided by what is called next.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unauthenticated`] before anything is looked up, and
    /// [`crate::ErrorKind::NotFound`] for a tenant that is not the caller's own,
    /// unless the caller may see it.
    pub async fn resolve(&self, caller: &Caller, tenant: &TenantRef) -> Result<Tenant> {
        if caller.principal == crate::access::Principal::Anonymous {
            self.0
                .authorise(caller, action::TENANT_READ, &Resource::platform())?;
        }
        let found = self.find(tenant).await?;
        let found = found.ok_or_else(|| Error::not_found("tenant"))?;
        let own = caller
            .signed_in()
            .is_some_and(|user| user.tenant == found.id);
        if !own {
            self.0
                .authorise(caller, action::TENANT_READ, &Resource::tenant(found.id))?;
        }
        Ok(found)
    }

    /// A tenant that signs people in, by id or name. For pages whose address
    /// names a tenant: such an address is public.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn find(&self, tenant: &TenantRef) -> Result<Option<Tenant>> {
        let mut unit = self.0.read(Scope::Platform).await?;
        let found = tenant.find(unit.as_mut()).await?;
        unit.rollback().await?;
        Ok(found)
    }

    /// The tenants that the caller may see.
    ///
    /// # Errors
    /// As [`Platform::authorise`].
    pub async fn list(
        &self,
        caller: &Caller,
        search: Option<&str>,
        page: Page<TenantId>,
    ) -> Result<Listed<Tenant, TenantId>> {
        let whole = self
            .0
            .may(caller, action::TENANT_LIST, &Resource::platform());
        let scope = if whole {
            Scope::Platform
        } else {
            let own = caller.signed_in().map(|user| user.tenant);
            let resource = own.map_or_else(Resource::platform, Resource::tenant);
            self.0.authorise(caller, action::TENANT_LIST, &resource)?;
            own.map_or(Scope::Platform, Scope::Tenant)
        };
        let search = search.filter(|text| !text.is_empty()).map(NameKey::of);
        let mut unit = self.0.read(scope).await?;
        let items = unit
            .tenants()
            .list(search.as_ref(), Listed::<Tenant, _>::page(page))
            .await?;
        unit.rollback().await?;
        Ok(Listed::cut(items, page, |tenant| tenant.id))
    }

    /// Changes a tenant's names.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Conflict`] for a stale version,
    /// [`crate::ErrorKind::AlreadyExists`] for a taken name.
    pub async fn update(
        &self,
        caller: &Caller,
        id: TenantId,
        version: Option<i64>,
        patch: TenantPatch,
    ) -> Result<Tenant> {
        self.0
            .authorise(caller, action::TENANT_UPDATE, &Resource::tenant(id))?;
        let mut unit = self.0.write(Scope::Platform).await?;
        let old = taken(unit.as_mut(), id, version).await?;
        let mut new = old.clone();
        new.name = patch.name.unwrap_or(new.name);
        new.display_name = patch.display_name.unwrap_or(new.display_name);
        if new == old {
            unit.rollback().await?;
            return Ok(old);
        }
        let new = unit.tenants().update(&new).await?;
        let text = |text: &dyn ToString| Some(text.to_string());
        let event = self
            .0
            .event(caller, Some(id), action::TENANT_UPDATE)
            .about(id)
            .changing("name", text(&old.name), text(&new.name))
            .changing(
                "display_name",
                text(&old.display_name),
                text(&new.display_name),
            );
        unit.audit().append(&event).await?;
        self.0.commit(unit, &[changed(id)]).await?;
        Ok(new)
    }

    /// Locks a tenant; locking again replaces reason and duration. Its open
    /// sessions end unless they are asked to go on.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Refused`] for the caller's own tenant, or when no
    /// administrator of the platform could sign in any more.
    pub async fn lock(&self, caller: &Caller, id: TenantId, lock: NewLock) -> Result<Tenant> {
        self.0
            .authorise(caller, action::TENANT_LOCK, &Resource::tenant(id))?;
        if caller.signed_in().is_some_and(|user| user.tenant == id) {
            return Err(Error::refused("nobody locks the own tenant"));
        }
        let remains = self
            .0
            .administrator_remains(|tenant, _| tenant == id)
            .await?;
        let new_lock = Lock::new(lock.reason, lock.until, self.0.now(), false)?;
        let until = new_lock.until.map(|until| until.to_string());
        let mut unit = self.0.write(Scope::Platform).await?;
        remains.hold(unit.as_mut()).await?;
        let mut tenant = taken(unit.as_mut(), id, None).await?;
        remains.confirm_tenant(unit.as_mut(), id).await?;
        tenant.lock = Some(new_lock);
        let tenant = unit.tenants().update(&tenant).await?;
        unit.enter(id).await?;
        if !lock.keep_sessions {
            let all = SessionFilter::default();
            super::end_sessions(self.0, unit.as_mut(), &all, EndReason::Locked).await?;
            super::devices::forget_devices_of_all(self.0, unit.as_mut()).await?;
        }
        let event = self
            .0
            .event(caller, Some(id), action::TENANT_LOCK)
            .about(id)
            .changing("locked", None, Some("true".to_owned()))
            .changing("until", None, until);
        unit.audit().append(&event).await?;
        self.0.commit(unit, &[changed(id)]).await?;
        Ok(tenant)
    }

    /// Unlocks a tenant; one that is not locked stays as it is. Its users' own
    /// locks stay.
    ///
    /// # Errors
    /// As [`Platform::authorise`].
    pub async fn unlock(&self, caller: &Caller, id: TenantId) -> Result<Tenant> {
        self.0
            .authorise(caller, action::TENANT_LOCK, &Resource::tenant(id))?;
        let mut unit = self.0.write(Scope::Platform).await?;
        let mut tenant = taken(unit.as_mut(), id, None).await?;
        if tenant.lock.take().is_none() {
            unit.rollback().await?;
            return Ok(tenant);
        }
        let tenant = unit.tenants().update(&tenant).await?;
        let event = self
            .0
            .event(caller, Some(id), "tenant.unlock")
            .about(id)
            .changing("locked", Some("true".to_owned()), None);
        unit.audit().append(&event).await?;
        self.0.commit(unit, &[changed(id)]).await?;
        Ok(tenant)
    }

    /// Deletes a tenant for good with all that is its own; statistics and audit
    /// events stay.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Refused`] for the caller's own tenant, one with open
    /// sessions (unless forced), one with sub-tenants, or when no administrator
    /// of the platform could sign in any more.
    pub async fn delete(&self, caller: &Caller, id: TenantId, how: DeleteTenant) -> Result<()> {
        self.0
            .authorise(caller, action::TENANT_DELETE, &Resource::tenant(id))?;
        if caller.signed_in().is_some_and(|user| user.tenant == id) {
            return Err(Error::refused("nobody deletes the own tenant"));
        }
        let remains = self
            .0
            .administrator_remains(|tenant, _| tenant == id)
            .await?;
        self.end_all_for_delete(caller, id, how).await?;
        let mut unit = self.0.write(Scope::Platform).await?;
        remains.hold(unit.as_mut()).await?;
        // The version was checked before the sessions were ended.
        let tenant = taken(unit.as_mut(), id, how.version).await?;
        remains.confirm_tenant(unit.as_mut(), id).await?;
        unit.tenants().delete(id, tenant.version).await?;
        let event = self
            .0
            .event(caller, None, action::TENANT_DELETE)
            .about(id)
            .changing("name", Some(tenant.name.to_string()), None);
        unit.audit().append(&event).await?;
        self.0.commit(unit, &[changed(id)]).await
    }

    /// Ends the tenant's sessions, or refuses because there are some. A session
    /// that begins after this finds no tenant any more.
    async fn end_all_for_delete(
        &self,
        caller: &Caller,
        id: TenantId,
        how: DeleteTenant,
    ) -> Result<()> {
        let mut unit = self.0.write(Scope::Platform).await?;
        taken(unit.as_mut(), id, how.version).await?;
        if !unit.tenants().descendants(id).await?.is_empty() {
            return Err(Error::refused("the tenant has sub-tenants"));
        }
        unit.enter(id).await?;
        let open = SessionFilter {
            valid_at: Some(self.0.now()),
            ..SessionFilter::default()
        };
        let count = unit.sessions().count(&open).await?;
        if count > 0 && !how.force {
            return Err(Error::refused(format!(
                "the tenant has {count} open sessions; end them or delete with force"
            )));
        }
        let all = SessionFilter::default();
        let ended = super::end_sessions(self.0, unit.as_mut(), &all, EndReason::Revoked).await?;
        if ended == 0 {
            return unit.rollback().await;
        }
        let event = self
            .0
            .event(caller, Some(id), action::SESSION_END)
            .changing("sessions", Some(ended.to_string()), Some("0".to_owned()));
        unit.audit().append(&event).await?;
        self.0.commit(unit, &[changed(id)]).await
    }

    /// A tenant's own settings, their version, and what is in force.
    ///
    /// # Errors
    /// As [`Platform::authorise`]; [`crate::ErrorKind::NotFound`].
    pub async fn settings(
        &self,
        caller: &Caller,
        id: TenantId,
    ) -> Result<(TenantSettings, i64, EffectiveSettings)> {
        self.0
            .authorise(caller, action::SETTINGS_READ, &Resource::tenant(id))?;
        let mut unit = self.0.read(Scope::Tenant(id)).await?;
        current(unit.as_mut(), id, None).await?;
        let (own, version) = unit.tenants().settings(id).await?;
        let effective = self.0.effective_settings(unit.as_mut(), id).await?;
        unit.rollback().await?;
        Ok((own, version, effective))
    }

    /// The settings in force for a tenant, for pages that strangers see.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn public_settings(&self, id: TenantId) -> Result<EffectiveSettings> {
        let mut unit = self.0.read(Scope::Tenant(id)).await?;
        let settings = self.0.effective_settings(unit.as_mut(), id).await?;
        unit.rollback().await?;
        Ok(settings)
    }

    /// The ways to sign in that the configuration has for a tenant, in its order,
    /// whichever of them the tenant's settings offer.
    pub fn ways(&self, tenant: &Tenant) -> Vec<&'a Configured> {
        let settings = self.0.default_settings().clone();
        Offers::of(self.0, tenant, settings).configured().collect()
    }

    /// Replaces a tenant's own settings; answers their new version.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for a value out of range, for ways to sign in that
    /// are not there or with which nobody could, and for a second factor that is required
    /// where none can be set up; [`crate::ErrorKind::Conflict`] for a stale version.
    pub async fn put_settings(
        &self,
        caller: &Caller,
        id: TenantId,
        version: Option<i64>,
        new: TenantSettings,
    ) -> Result<(TenantSettings, i64)> {
        self.0
            .authorise(caller, action::SETTINGS_UPDATE, &Resource::tenant(id))?;
        new.check()?;
        let mut unit = self.0.write(Scope::Tenant(id)).await?;
        let tenant = taken(unit.as_mut(), id, None).await?;
        let inherited = self.0.inherited_settings(unit.as_mut(), id).await?;
        let offers = Offers::of(self.0, &tenant, inherited.overridden_by(&new));
        ensure_possible(&new, &offers)?;
        let (old, stored) = unit.tenants().settings(id).await?;
        if version.is_some_and(|version| version != stored) {
            return Err(Error::stale("settings"));
        }
        let version = unit.tenants().put_settings(id, &new, stored).await?;
        let text = |settings: &TenantSettings| serde_json::to_string(settings).ok();
        let event = self
            .0
            .event(caller, Some(id), action::SETTINGS_UPDATE)
            .about(id)
            .changing("settings", text(&old), text(&new));
        unit.audit().append(&event).await?;
        self.0.commit(unit, &[changed(id)]).await?;
        Ok((new, version))
    }
}

/// The setting that says which ways to sign in are offered.
const PROVIDERS: &str = "sign_in.providers";

/// Refuses settings with which nobody would get in any more: `offers` is what comes of
/// them.
fn ensure_possible(settings: &TenantSettings, offers: &Offers<'_>) -> Result<()> {
    if let Some(own) = &settings.sign_in.providers {
        ensure_known(own, offers)?;
        if !offers.providers().any(|c| c.description.first_step) {
            let message = "must name at least one way that a sign-in can start with";
            return Err(Error::invalid(PROVIDERS, message));
        }
        let verifies = offers.settings.registration_email_verified;
        if verifies && offers.linker(LinkPurpose::Verify).is_none() {
            let message = "must name what verifies addresses: nobody is let in without";
            return Err(Error::invalid(PROVIDERS, message));
        }
    }
    let rules = &settings.second_factor;
    let required = Some(SecondFactorRule::Required);
    let is_required = offers.settings.second_factor_rule(true) == SecondFactorRule::Required;
    let field = match required {
        _ if rules.everyone == required => "second_factor.everyone",
        _ if rules.administrators == required => "second_factor.administrators",
        _ if is_required && settings.sign_in.providers.is_some() => PROVIDERS,
        _ => return Ok(()),
    };
    let message = match field {
        _ if offers.factors_to_add().next().is_some() => return Ok(()),
        PROVIDERS => "must name a way that can be set up as a second factor: one is required",
        _ => "cannot be `required`: nothing that is offered can be set up as a second factor",
    };
    Err(Error::invalid(field, message))
}

/// Refuses what the configuration does not have for the tenant, and what is named twice.
fn ensure_known(own: &[ProviderId], offers: &Offers<'_>) -> Result<()> {
    let there: Vec<_> = offers.configured().map(|there| &there.id).collect();
    let mut named = HashSet::new();
    for id in own {
        if !there.contains(&id) {
            let there: Vec<_> = there.iter().map(|id| format!("`{id}`")).collect();
            let there = there.join(", ");
            let message = format!("there is no provider `{id}` here, only {there}");
            return Err(Error::invalid(PROVIDERS, message));
        }
        if !named.insert(id) {
            return Err(Error::invalid(PROVIDERS, format!("names `{id}` twice")));
        }
    }
    Ok(())
}

/// The tenant with its row taken: whoever holds it, such as a sign-in under way,
/// has finished, and whoever comes later sees what this unit changes.
async fn taken(unit: &mut dyn UnitOfWork, id: TenantId, version: Option<i64>) -> Result<Tenant> {
    unit.tenants().lock_row(id).await?;
    current(unit, id, version).await
}

async fn current(unit: &mut dyn UnitOfWork, id: TenantId, version: Option<i64>) -> Result<Tenant> {
    let tenant = unit.tenants().by_id(id).await?;
    let tenant = tenant.ok_or_else(|| Error::not_found("tenant"))?;
    if version.is_some_and(|version| version != tenant.version) {
        return Err(Error::stale("tenant"));
    }
    Ok(tenant)
}

fn changed(tenant: TenantId) -> Change {
    Change {
        tenant,
        what: Changed::Tenant,
    }
}
