//! Registered applications: registering, reading, changing, deleting.

use super::Listed;
use crate::{
    Error, Platform, Result,
    access::{Caller, Resource, action},
    model::{
        Application, ApplicationId, ApplicationName, Audience, NameKey, ReturnAddress, TenantId,
        WebOrigin,
    },
    platform::AuditEventExt,
    storage::{Page, Scope, UnitOfWork},
};

/// Registered applications.
#[derive(Debug, Clone, Copy)]
pub struct Applications<'a>(&'a Platform);

/// An application as a client names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApplicationRef {
    /// By its id.
    Id(ApplicationId),
    /// By its audience.
    Audience(Audience),
}

impl ApplicationRef {
    /// Reads an id or an audience, which cannot look like an id; `None` for what
    /// can be neither.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse()
            .map(Self::Id)
            .or_else(|_| Audience::new(text).map(Self::Audience))
            .ok()
    }

    /// The application, in a unit of its tenant or of the platform.
    pub(crate) async fn find(&self, unit: &mut dyn UnitOfWork) -> Result<Option<Application>> {
        match self {
            Self::Id(id) => unit.applications().by_id(*id).await,
            Self::Audience(audience) => unit.applications().by_audience(audience).await,
        }
    }
}

/// An application to be registered.
#[derive(Debug, Clone)]
pub struct NewApplication {
    /// Its unique name.
    pub name: ApplicationName,
    /// Whom its access tokens are meant for.
    pub audience: Audience,
    /// From which pages it may call in a browser.
    pub origins: Vec<WebOrigin>,
    /// Where a browser may be sent back to.
    pub return_to: Vec<ReturnAddress>,
}

/// What to change; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct ApplicationPatch {
    /// The unique name.
    pub name: Option<ApplicationName>,
    /// Whom its access tokens are meant for.
    pub audience: Option<Audience>,
    /// From which pages it may call in a browser: all of them.
    pub origins: Option<Vec<WebOrigin>>,
    /// Where a browser may be sent back to: all of them.
    pub return_to: Option<Vec<ReturnAddress>>,
}

impl<'a> Applications<'a> {
    pub(crate) fn new(platform: &'a Platform) -> Self {
        Self(platform)
    }

    /// Registers an application.
    ///
    /// # Errors
    /// * [`crate::ErrorKind::AlreadyExists`] for a name that the tenant's
    ///   applications have, or an audience that any tenant's have.
    /// * [`crate::ErrorKind::Invalid`] for too many origins or addresses.
    pub async fn create(
        &self,
        caller: &Caller,
        tenant: TenantId,
        new: NewApplication,
    ) -> Result<Application> {
        let resource = Resource::tenant(tenant);
        self.0
            .authorise(caller, action::APPLICATION_CREATE, &resource)?;
        let application = Application {
            id: ApplicationId::generate(self.0.environment()),
            tenant,
            name: new.name,
            audience: self.free(new.audience)?,
            origins: few(new.origins, "origins")?,
            return_to: few(new.return_to, "return_to")?,
            created_at: self.0.now(),
            version: 1,
        };
        let mut unit = self.0.write(Scope::Tenant(tenant)).await?;
        unit.applications().create(&application).await?;
        let event = self
            .0
            .event(caller, Some(tenant), action::APPLICATION_CREATE);
        let event = event.about(application.id);
        let event = fields(&application)
            .into_iter()
            .fold(event, |event, (field, new)| {
                event.changing(field, None, Some(new))
            });
        unit.audit().append(&event).await?;
        self.0.commit(unit, &[]).await?;
        Ok(application)
    }

    /// An application of a tenant.
    ///
    /// # Errors
    /// As [`Platform::authorise`]; [`crate::ErrorKind::NotFound`].
    pub async fn read(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: ApplicationId,
    ) -> Result<Application> {
        let resource = Resource::tenant(tenant);
        self.0
            .authorise(caller, action::APPLICATION_READ, &resource)?;
        let mut unit = self.0.read(Scope::Tenant(tenant)).await?;
        let found = unit.applications().by_id(id).await?;
        unit.rollback().await?;
        found.ok_or_else(|| Error::not_found("application"))
    }

    /// The application of a tenant with this name.
    ///
    /// # Errors
    /// As [`Applications::read`].
    pub async fn by_name(
        &self,
        caller: &Caller,
        tenant: TenantId,
        name: &str,
    ) -> Result<Application> {
        let resource = Resource::tenant(tenant);
        self.0
            .authorise(caller, action::APPLICATION_READ, &resource)?;
        let mut unit = self.0.read(Scope::Tenant(tenant)).await?;
        let found = unit.applications().by_name(&NameKey::of(name)).await?;
        unit.rollback().await?;
        found.ok_or_else(|| Error::not_found("application"))
    }

    /// A tenant's applications.
    ///
    /// # Errors
    /// As [`Platform::authorise`].
    pub async fn list(
        &self,
        caller: &Caller,
        tenant: TenantId,
        page: Page<ApplicationId>,
    ) -> Result<Listed<Application, ApplicationId>> {
        let resource = Resource::tenant(tenant);
        self.0
            .authorise(caller, action::APPLICATION_LIST, &resource)?;
        let mut unit = self.0.read(Scope::Tenant(tenant)).await?;
        let items = unit
            .applications()
            .list(Listed::<Application, _>::page(page))
            .await?;
        unit.rollback().await?;
        Ok(Listed::cut(items, page, |application| application.id))
    }

    /// Changes an application. Tokens that it got before stay what they are until
    /// they end, five minutes later at most.
    ///
    /// # Errors
    /// * [`crate::ErrorKind::Conflict`] for a stale version.
    /// * As [`Applications::create`].
    pub async fn update(
        &self,
        caller: &Caller,
        (tenant, id): (TenantId, ApplicationId),
        version: Option<i64>,
        patch: ApplicationPatch,
    ) -> Result<Application> {
        let resource = Resource::tenant(tenant);
        self.0
            .authorise(caller, action::APPLICATION_UPDATE, &resource)?;
        let mut unit = self.0.write(Scope::Tenant(tenant)).await?;
        let old = current(unit.as_mut(), id, version).await?;
        let audience = patch.audience.map(|audience| self.free(audience));
        let origins = patch.origins.map(|origins| few(origins, "origins"));
        let return_to = patch.return_to.map(|addresses| few(addresses, "return_to"));
        let new = Application {
            name: patch.name.unwrap_or_else(|| old.name.clone()),
            audience: audience.unwrap_or_else(|| Ok(old.audience.clone()))?,
            origins: origins.unwrap_or_else(|| Ok(old.origins.clone()))?,
            return_to: return_to.unwrap_or_else(|| Ok(old.return_to.clone()))?,
            ..old.clone()
        };
        if new == old {
            unit.rollback().await?;
            return Ok(old);
        }
        let new = unit.applications().update(&new).await?;
        let event = self
            .0
            .event(caller, Some(tenant), action::APPLICATION_UPDATE);
        let changes = fields(&old).into_iter().zip(fields(&new));
        let event = changes.fold(event.about(id), |event, ((field, old), (_, new))| {
            event.changing(field, Some(old), Some(new))
        });
        unit.audit().append(&event).await?;
        self.0.commit(unit, &[]).await?;
        Ok(new)
    }

    /// Deletes an application for good. Tokens that it got before end by
    /// themselves, five minutes later at most.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`], and [`crate::ErrorKind::Conflict`] for a
    /// stale version.
    pub async fn delete(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: ApplicationId,
        version: Option<i64>,
    ) -> Result<()> {
        let resource = Resource::tenant(tenant);
        self.0
            .authorise(caller, action::APPLICATION_DELETE, &resource)?;
        let mut unit = self.0.write(Scope::Tenant(tenant)).await?;
        let old = current(unit.as_mut(), id, version).await?;
        unit.applications().delete(id, old.version).await?;
        let event = self
            .0
            .event(caller, Some(tenant), action::APPLICATION_DELETE);
        let event = fields(&old)
            .into_iter()
            .fold(event.about(id), |event, (field, old)| {
                event.changing(field, Some(old), None)
            });
        unit.audit().append(&event).await?;
        self.0.commit(unit, &[]).await
    }

    /// The application that a client names, of whichever tenant: nothing about
    /// it is a secret, and naming it lets nobody do anything.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn find(&self, application: &ApplicationRef) -> Result<Option<Application>> {
        let mut unit = self.0.read(Scope::Platform).await?;
        let found = application.find(unit.as_mut()).await?;
        unit.rollback().await?;
        Ok(found)
    }

    /// Whether pages of this origin are an application's: of this tenant, or
    /// without one of any.
    ///
    /// # Errors
    /// What the storage says: whoever asks must then let nobody pass.
    pub async fn has_origin(&self, tenant: Option<TenantId>, origin: &str) -> Result<bool> {
        let scope = tenant.map_or(Scope::Platform, Scope::Tenant);
        let mut unit = self.0.read(scope).await?;
        let found = unit.applications().has_origin(origin).await?;
        unit.rollback().await?;
        Ok(found)
    }

    /// An audience that an application may have. This server's own address is
    /// what it calls itself.
    fn free(&self, audience: Audience) -> Result<Audience> {
        let text = audience.as_str();
        let issuer = self.0.issuer();
        let is_ours = text
            .strip_prefix(issuer)
            .is_some_and(|rest| rest.is_empty() || rest == "/");
        if is_ours {
            let message = "an audience cannot be the address of this server itself";
            return Err(Error::invalid("audience", message));
        }
        Ok(audience)
    }
}

/// At most as many as there may be, each once.
fn few<T: PartialEq>(given: Vec<T>, field: &'static str) -> Result<Vec<T>> {
    let mut few = Vec::new();
    for one in given {
        if !few.contains(&one) {
            few.push(one);
        }
    }
    if few.len() <= Application::MOST {
        return Ok(few);
    }
    let message = format!("an application has at most {} of them", Application::MOST);
    Err(Error::invalid(field, message))
}

/// What the audit log says of an application.
fn fields(application: &Application) -> [(&'static str, String); 4] {
    let joined = |texts: Vec<&str>| texts.join(" ");
    [
        ("name", application.name.to_string()),
        ("audience", application.audience.to_string()),
        (
            "origins",
            joined(application.origins.iter().map(WebOrigin::as_str).collect()),
        ),
        (
            "return_to",
            joined(
                application
                    .return_to
                    .iter()
                    .map(ReturnAddress::as_str)
                    .collect(),
            ),
        ),
    ]
}

async fn current(
    unit: &mut dyn UnitOfWork,
    id: ApplicationId,
    version: Option<i64>,
) -> Result<Application> {
    let application = unit.applications().by_id(id).await?;
    let application = application.ok_or_else(|| Error::not_found("application"))?;
    if version.is_some_and(|version| version != application.version) {
        return Err(Error::stale("application"));
    }
    Ok(application)
}
