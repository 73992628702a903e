use std::{collections::BTreeMap, fmt, sync::Arc};

use super::{Description, LinkPurpose, Offering, Provider, Silent, ThirdParty};
use crate::{
    Error, Result,
    model::{NameKey, ProviderId},
};

/// A provider's table in the configuration, as the server hands it on: all keys
/// but `kind`, `id` and `enabled`, and texts for what a secret's file held.
pub type ProviderTable = serde_json::Map<String, serde_json::Value>;

/// Makes a provider from its table. The error names the key that is wrong.
pub type Factory = fn(&ProviderId, ProviderTable) -> Result<Arc<dyn Provider>>;

/// The kinds of providers that there are, and those that are configured, in the
/// order in which they are offered.
#[derive(Clone, Default)]
pub struct Registry {
    factories: BTreeMap<&'static str, Factory>,
    configured: Vec<Configured>,
}

/// A configured provider.
#[derive(Clone)]
pub struct Configured {
    /// Its id.
    pub id: ProviderId,
    /// What it is and can do.
    pub description: Description,
    /// It.
    pub provider: Arc<dyn Provider>,
    /// For whom it is there.
    pub offering: Offering,
}

impl Configured {
    /// It as a third party, if it is one.
    pub fn third_party(&self) -> Option<&dyn ThirdParty> {
        self.provider.third_party()
    }

    /// Whether the configuration has it for a tenant; where none is known, whether for
    /// all. What the tenant's settings say is another matter: only
    /// [`Offers`](crate::service::Offers) asks for both.
    pub(crate) fn is_there_for(&self, tenant: Option<&NameKey>) -> bool {
        match tenant {
            Some(tenant) => self.offering.includes(tenant),
            None => self.offering.tenants.is_none(),
        }
    }
}

impl Registry {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a kind of provider.
    pub fn kind(&mut self, kind: &'static str, factory: Factory) {
        self.factories.insert(kind, factory);
    }

    /// The kinds that there are.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.factories.keys().copied()
    }

    /// Makes a provider from its table.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for an unknown kind, a taken id, or a table
    /// that the provider does not accept.
    pub fn configure(
        &mut self,
        id: ProviderId,
        kind: &str,
        mut table: ProviderTable,
    ) -> Result<()> {
        let factory = self.factories.get(kind).ok_or_else(|| {
            let known: Vec<_> = self.kinds().map(|kind| format!("`{kind}`")).collect();
            Error::invalid(
                "kind",
                format!(
                    "there is no provider of kind `{kind}`, only {}",
                    known.join(", ")
                ),
            )
        })?;
        let taken = Offering::take(&mut table)?;
        let provider = factory(&id, table)?;
        match taken.of_third_parties {
            Some(key) if provider.third_party().is_none() => Err(Error::invalid(
                key,
                format!("is about third parties, and `{kind}` is none"),
            )),
            _ => self.add_for(id, provider, taken.offering),
        }
    }

    /// Adds a provider that was made elsewhere.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for a taken id, or when the provider's
    /// description contradicts it.
    pub fn add(&mut self, id: ProviderId, provider: Arc<dyn Provider>) -> Result<()> {
        self.add_for(id, provider, Offering::default())
    }

    /// The same, for those whom `offering` names.
    ///
    /// # Errors
    /// As [`Registry::add`].
    pub fn add_for(
        &mut self,
        id: ProviderId,
        provider: Arc<dyn Provider>,
        offering: Offering,
    ) -> Result<()> {
        if self.provider(&id).is_some() {
            return Err(Error::invalid(
                "id",
                format!("two providers have the id `{id}`"),
            ));
        }
        let description = provider.describe();
        if description.enrolment != provider.enrolment().is_some() {
            return Err(Error::internal(format!(
                "the provider `{id}` says one thing about enrolment and does another"
            )));
        }
        if description.links.is_empty() != provider.links().is_none() {
            return Err(Error::internal(format!(
                "the provider `{id}` says one thing about links and does another"
            )));
        }
        if description.silent != provider.silent().is_some() {
            return Err(Error::internal(format!(
                "the provider `{id}` says one thing about devices and does another"
            )));
        }
        if description.third_party != provider.third_party().is_some() {
            return Err(Error::internal(format!(
                "the provider `{id}` says one thing about third parties and does another"
            )));
        }
        description.mark.check()?;
        self.configured.push(Configured {
            id,
            description,
            provider,
            offering,
        });
        Ok(())
    }

    /// The configured provider with this id.
    pub fn provider(&self, id: &ProviderId) -> Option<&Configured> {
        self.configured
            .iter()
            .find(|configured| configured.id == *id)
    }

    /// The configured provider that makes and takes links for a purpose.
    pub fn linker(&self, purpose: LinkPurpose) -> Option<&Configured> {
        self.configured
            .iter()
            .find(|configured| configured.description.links.contains(&purpose))
    }

    /// The configured provider that keeps people signed in on a device.
    pub fn silent(&self) -> Option<(&Configured, &dyn Silent)> {
        self.configured
            .iter()
            .find_map(|configured| Some((configured, configured.provider.silent()?)))
    }

    /// The configured providers that count as a second factor once somebody has set
    /// them up: those that only confirm sign-ins, but for what stands in for others.
    pub fn factors_to_add(&self) -> impl Iterator<Item = &Configured> {
        self.providers().filter(|configured| {
            let description = &configured.description;
            description.only_confirms() && description.enrolment && !description.backup
        })
    }

    /// The configured providers, in order.
    pub fn providers(&self) -> impl Iterator<Item = &Configured> {
        self.configured.iter()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.configured.iter().map(|configured| &configured.id))
            .finish()
    }
}
