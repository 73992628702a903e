//! Which ways to sign in a tenant offers: those that the configuration has for it, as far
//! as the settings in force there do not leave them out. Whoever chooses a provider for a
//! tenant asks here.

use crate::{
    Error, ErrorKind, Platform, Result,
    model::{EffectiveSettings, NameKey, Tenant, TenantId},
    provider::{Configured, LinkPurpose, Silent},
    storage::{Scope, UnitOfWork},
};

/// The ways to sign in that a tenant offers.
pub(crate) struct Offers<'a> {
    platform: &'a Platform,
    tenant: Option<NameKey>,
    pub(crate) settings: EffectiveSettings,
}

impl<'a> Offers<'a> {
    /// Where it is not known yet which tenant it is: what the configuration has for all
    /// of them. What the one that is found offers is asked then.
    pub(crate) fn anywhere(platform: &'a Platform) -> Self {
        Self {
            platform,
            tenant: None,
            settings: platform.default_settings().clone(),
        }
    }

    /// With the settings in force there.
    pub(crate) fn of(platform: &'a Platform, tenant: &Tenant, settings: EffectiveSettings) -> Self {
        Self {
            platform,
            tenant: Some(tenant.name.key()),
            settings,
        }
    }

    /// In a unit of the tenant. One that is gone offers nothing.
    pub(crate) async fn within(platform: &'a Platform, unit: &mut dyn UnitOfWork) -> Result<Self> {
        let Scope::Tenant(id) = unit.scope() else {
            return Err(Error::internal("offers outside a tenant"));
        };
        let tenant = unit.tenants().by_id(id).await?;
        let Some(tenant) = tenant else {
            let mut nothing = Self::anywhere(platform);
            nothing.settings.sign_in_providers = Some(Vec::new());
            return Ok(nothing);
        };
        let settings = platform.effective_settings(unit, id).await?;
        Ok(Self::of(platform, &tenant, settings))
    }

    /// The same, in a unit of its own; [`Offers::anywhere`] while no tenant is known.
    pub(crate) async fn read(platform: &'a Platform, tenant: Option<TenantId>) -> Result<Self> {
        let Some(tenant) = tenant else {
            return Ok(Self::anywhere(platform));
        };
        let mut unit = platform.read(Scope::Tenant(tenant)).await?;
        let offers = Self::within(platform, unit.as_mut()).await?;
        unit.rollback().await?;
        Ok(offers)
    }

    /// Whether a way is one of them.
    pub(crate) fn include(&self, configured: &Configured) -> bool {
        configured.is_there_for(self.tenant.as_ref()) && self.settings.sign_in_by(&configured.id)
    }

    /// Them, in the configured order.
    pub(crate) fn providers(&self) -> impl Iterator<Item = &'a Configured> {
        let all = self.platform.providers().providers();
        all.filter(|configured| self.include(configured))
    }

    /// What the configuration has for the tenant, whatever its settings say.
    pub(crate) fn configured(&self) -> impl Iterator<Item = &'a Configured> {
        let all = self.platform.providers().providers();
        all.filter(|configured| configured.is_there_for(self.tenant.as_ref()))
    }

    /// What makes and takes links for a purpose, if it is offered.
    pub(crate) fn linker(&self, purpose: LinkPurpose) -> Option<&'a Configured> {
        let linker = self.platform.providers().linker(purpose);
        linker.filter(|linker| self.include(linker))
    }

    /// What keeps people signed in on a device, if it is offered.
    pub(crate) fn silent(&self) -> Option<(&'a Configured, &'a dyn Silent)> {
        let silent = self.platform.providers().silent();
        silent.filter(|(configured, _)| self.include(configured))
    }

    /// What counts as a second factor once somebody has set it up.
    pub(crate) fn factors_to_add(&self) -> impl Iterator<Item = &'a Configured> {
        let all = self.platform.providers().factors_to_add();
        all.filter(|configured| self.include(configured))
    }
}

/// What is said of a way that a tenant does not offer, or not any more.
pub(crate) fn not_offered() -> Error {
    Error::new(
        ErrorKind::Denied,
        "this organisation does not offer this way to sign in",
    )
}
