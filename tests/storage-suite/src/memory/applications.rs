use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    model::{Application, ApplicationId, Audience, NameKey, TenantId},
    storage::{ApplicationRepository, Page, Scope},
};

use super::{
    Flaw,
    state::{State, View},
    taken,
    tenants::{check_reference, missing},
    unit::MemoryUnit,
};

#[async_trait]
impl ApplicationRepository for MemoryUnit {
    async fn create(&mut self, application: &Application) -> Result<()> {
        self.write(|state, view| {
            check_tenant(view.tenant()?, application, view)?;
            put(state, kept(application, view), view, true)
        })
        .await
    }

    async fn by_id(&mut self, id: ApplicationId) -> Result<Option<Application>> {
        self.read(|state, view| Ok(found(state, view, |application| application.id == id)))
            .await
    }

    async fn by_audience(&mut self, audience: &Audience) -> Result<Option<Application>> {
        self.read(|state, view| {
            let wanted = view.exact(audience.as_str());
            let is_it =
                |application: &Application| view.exact(application.audience.as_str()) == wanted;
            Ok(found(state, view, is_it))
        })
        .await
    }

    async fn by_name(&mut self, name: &NameKey) -> Result<Option<Application>> {
        self.read(|state, view| {
            view.tenant()?;
            let wanted = view.wanted(name)?;
            let is_it =
                |application: &Application| view.name_key(application.name.as_str()) == wanted;
            Ok(found(state, view, is_it))
        })
        .await
    }

    async fn has_origin(&mut self, origin: &str) -> Result<bool> {
        self.read(|state, view| {
            let has = |application: &Application| {
                let mut origins = application.origins.iter();
                origins.any(|own| view.exact(own.as_str()) == view.exact(origin))
            };
            Ok(found(state, view, has).is_some())
        })
        .await
    }

    async fn list(&mut self, page: Page<ApplicationId>) -> Result<Vec<Application>> {
        self.read(|state, view| {
            let own = view.tenant()?;
            let rows = state.applications.iter();
            let rows = rows.filter(|((tenant, _), _)| view.is_own(*tenant, own));
            let rows = rows.map(|((_, id), application)| (*id, application.clone()));
            Ok(view.page(rows, page, |id, after| id > after))
        })
        .await
    }

    async fn update(&mut self, application: &Application) -> Result<Application> {
        self.write(|state, view| {
            let key = view.key(&state.applications, view.tenant()?, application.id);
            let stored = key.and_then(|key| state.applications.get(&key));
            let Some(stored) = stored else {
                return missing("application", view).map(|()| application.clone());
            };
            let version = view.next_version(stored.version, application.version, "application")?;
            let created_at = if view.has(Flaw::ChangesFixedFields) {
                application.created_at
            } else {
                stored.created_at
            };
            let changed = Application {
                tenant: stored.tenant,
                created_at,
                version,
                ..application.clone()
            };
            put(state, changed.clone(), view, false)?;
            Ok(changed)
        })
        .await
    }

    async fn delete(&mut self, id: ApplicationId, version: i64) -> Result<()> {
        self.write(|state, view| {
            let key = view.key(&state.applications, view.tenant()?, id);
            let Some((key, stored)) =
                key.and_then(|key| Some((key, state.applications.get(&key)?)))
            else {
                return missing("application", view);
            };
            view.next_version(stored.version, version, "application")?;
            if !view.has(Flaw::DeletesNothing) {
                state.applications.remove(&key);
            }
            Ok(())
        })
        .await
    }
}

/// The application of the unit's scope that is meant.
fn found(state: &State, view: &View, is_it: impl Fn(&Application) -> bool) -> Option<Application> {
    let reaches = |tenant: TenantId| match view.scope {
        Scope::Tenant(own) => view.is_own(tenant, own) || view.has(Flaw::LeaksTenants),
        Scope::Platform => !view.has(Flaw::HidesApplications),
    };
    let mut rows = state.applications.iter();
    let found = rows.find(|((tenant, _), application)| reaches(*tenant) && is_it(application));
    found.map(|(_, application)| application.clone())
}

/// Stores an application, a new one or over the one that is there.
pub(super) fn put(
    state: &mut State,
    application: Application,
    view: &View,
    is_new: bool,
) -> Result<()> {
    check_reference(state, application.tenant, view)?;
    let key = (application.tenant, application.id);
    if !view.has(Flaw::AcceptsDuplicates) {
        if is_new && state.applications.contains_key(&key) {
            return Err(taken("application id"));
        }
        check_unique(state, &application, view)?;
    }
    state.applications.insert(key, application);
    Ok(())
}

fn check_unique(state: &State, application: &Application, view: &View) -> Result<()> {
    let key = (application.tenant, application.id);
    let name = view.name_key(application.name.as_str());
    for ((tenant, id), other) in &state.applications {
        if (*tenant, *id) == key {
            continue;
        }
        if *id == application.id {
            return Err(taken("application id"));
        }
        let is_same = view.name_key(other.name.as_str()) == name;
        if is_same && view.competes(*tenant, application.tenant) {
            return Err(taken("application name"));
        }
        let competes = *tenant == application.tenant || !view.has(Flaw::SharesAudiences);
        if competes
            && view.exact(other.audience.as_str()) == view.exact(application.audience.as_str())
        {
            return Err(taken("audience"));
        }
    }
    Ok(())
}

/// Refuses an application of another tenant.
pub(super) fn check_tenant(own: TenantId, application: &Application, view: &View) -> Result<()> {
    if application.tenant == own || view.has(Flaw::LeaksTenants) {
        return Ok(());
    }
    Err(Error::invalid(
        "tenant",
        "an application made in a tenant belongs to it",
    ))
}

/// An application as it is stored: as it is, but for defects.
pub(super) fn kept(application: &Application, view: &View) -> Application {
    Application {
        created_at: view.time(application.created_at),
        ..application.clone()
    }
}
