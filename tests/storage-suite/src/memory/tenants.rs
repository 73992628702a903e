use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    model::{NameKey, Tenant, TenantId, TenantSettings},
    storage::{Page, Scope, TenantRepository},
};

use super::{
    Flaw,
    side_by_side::tenant_row,
    state::{Named, State, View},
    taken,
    unit::MemoryUnit,
};

#[async_trait]
impl TenantRepository for MemoryUnit {
    async fn create(&mut self, tenant: &Tenant) -> Result<()> {
        self.write(|state, view| {
            view.platform()?;
            if state.tenants.contains_key(&tenant.id) {
                return Err(taken("tenant id"));
            }
            let tenant = Tenant {
                lock: view.lock(tenant.lock.as_ref()),
                created_at: view.time(tenant.created_at),
                ..tenant.clone()
            };
            let tenant = named(tenant, view);
            check_name(state, &tenant, view)?;
            check_master(state, &tenant.row, view)?;
            state.tenants.insert(tenant.row.id, tenant);
            Ok(())
        })
        .await
    }

    async fn by_id(&mut self, id: TenantId) -> Result<Option<Tenant>> {
        self.read(|state, view| Ok(found(state, view, id).cloned()))
            .await
    }

    async fn by_name(&mut self, name: &NameKey) -> Result<Option<Tenant>> {
        self.read(|state, view| {
            view.platform()?;
            let wanted = view.wanted(name)?;
            let mut tenants = state.tenants.values();
            Ok(tenants
                .find(|tenant| tenant.name == wanted)
                .map(|tenant| tenant.row.clone()))
        })
        .await
    }

    async fn list(
        &mut self,
        search: Option<&NameKey>,
        page: Page<TenantId>,
    ) -> Result<Vec<Tenant>> {
        self.read(|state, view| {
            let wanted = search.map(|search| view.wanted(search)).transpose()?;
            let rows = state.tenants.iter().filter(|(id, tenant)| {
                let is_there = match view.scope {
                    Scope::Tenant(own) => view.is_own(**id, own),
                    Scope::Platform => true,
                };
                let matches = |search: &String| tenant.contains(search, view);
                is_there && (view.has(Flaw::IgnoresFilters) || wanted.as_ref().is_none_or(matches))
            });
            let rows = rows.map(|(id, tenant)| (*id, tenant.row.clone()));
            Ok(view.page(rows, page, |id, after| id > after))
        })
        .await
    }

    async fn ancestors(&mut self, id: TenantId) -> Result<Vec<Tenant>> {
        self.read(|state, view| {
            if !view.reaches(id) || view.has(Flaw::ForgetsMasters) {
                return Ok(Vec::new());
            }
            let mut masters: Vec<_> = masters(state, id).cloned().collect();
            if view.has(Flaw::ListsBackwards) {
                masters.reverse();
            }
            Ok(masters)
        })
        .await
    }

    async fn descendants(&mut self, id: TenantId) -> Result<Vec<TenantId>> {
        self.read(|state, view| {
            view.platform()?;
            if view.has(Flaw::ForgetsMasters) {
                return Ok(Vec::new());
            }
            let below = state.tenants.keys().copied();
            let mut below: Vec<_> = below
                .filter(|tenant| masters(state, *tenant).any(|master| master.id == id))
                .collect();
            if view.has(Flaw::ListsBackwards) {
                below.reverse();
            }
            Ok(below)
        })
        .await
    }

    async fn update(&mut self, tenant: &Tenant) -> Result<Tenant> {
        self.write(|state, view| {
            let stored = match found(state, view, tenant.id) {
                Some(stored) => stored.clone(),
                None if view.has(Flaw::IgnoresMissing) => return Ok(tenant.clone()),
                None => return Err(Error::not_found("tenant")),
            };
            let version = view.next_version(stored.version, tenant.version, "tenant")?;
            let fixed = if view.has(Flaw::ChangesFixedFields) {
                tenant
            } else {
                &stored
            };
            let changed = Tenant {
                master: fixed.master,
                created_at: fixed.created_at,
                version,
                ..tenant.clone()
            };
            let changed = named(changed, view);
            check_name(state, &changed, view)?;
            let row = changed.row.clone();
            state.tenants.insert(row.id, changed);
            Ok(row)
        })
        .await
    }

    async fn delete(&mut self, id: TenantId, version: i64) -> Result<()> {
        self.write(|state, view| {
            view.platform()?;
            let Some(stored) = state.tenants.get(&id) else {
                return missing("tenant", view);
            };
            view.next_version(stored.row.version, version, "tenant")?;
            remove(state, id, view).map(drop)
        })
        .await
    }

    async fn lock_row(&mut self, id: TenantId) -> Result<()> {
        self.take(tenant_row(id), true).await?;
        self.write(|state, view| {
            if found(state, view, id).is_none() {
                return missing("tenant", view);
            }
            if let Some(tenant) = state.tenants.get_mut(&id)
                && view.has(Flaw::ChangesAnchors)
            {
                tenant.row.version += 1;
            }
            Ok(())
        })
        .await
    }

    async fn hold(&mut self, id: TenantId) -> Result<Option<Tenant>> {
        self.take(tenant_row(id), false).await?;
        self.write(|state, view| Ok(found(state, view, id).cloned()))
            .await
    }

    async fn settings(&mut self, id: TenantId) -> Result<(TenantSettings, i64)> {
        self.read(|state, view| {
            let is_readable = match view.scope {
                Scope::Platform => true,
                Scope::Tenant(own) => {
                    view.reaches(id)
                        || (!view.has(Flaw::ForgetsMasters)
                            && masters(state, own).any(|master| master.id == id))
                }
            };
            let stored = state.settings.get(&id).filter(|_| is_readable);
            Ok(stored.cloned().unwrap_or_default())
        })
        .await
    }

    async fn put_settings(
        &mut self,
        id: TenantId,
        settings: &TenantSettings,
        version: i64,
    ) -> Result<i64> {
        self.write(|state, view| {
            if found(state, view, id).is_none() {
                return missing("tenant", view).map(|()| 1);
            }
            let stored = state.settings.get(&id).map_or(0, |(_, version)| *version);
            let next = view.next_version(stored, version, "tenant's settings")?;
            state.settings.insert(id, (settings.clone(), next));
            Ok(next)
        })
        .await
    }
}

/// What is done about a row that is not there.
pub(super) fn missing(what: &str, view: &View) -> Result<()> {
    if view.has(Flaw::IgnoresMissing) {
        return Ok(());
    }
    Err(Error::not_found(what))
}

/// Stores a tenant over the one that is there.
pub(super) fn put(state: &mut State, tenant: Tenant, view: &View) -> Result<()> {
    let mut tenant = named(tenant, view);
    check_name(state, &tenant, view)?;
    check_master(state, &tenant.row, view)?;
    if let Some(stored) = state.tenants.get(&tenant.row.id)
        && view.has(Flaw::KeepsMasters)
    {
        tenant.row.master = stored.row.master;
    }
    state.tenants.insert(tenant.row.id, tenant);
    Ok(())
}

/// Removes a tenant and what is its own; answers whether it was there.
pub(super) fn remove(state: &mut State, id: TenantId, view: &View) -> Result<bool> {
    let mut others = state.tenants.values();
    if others.any(|other| other.row.master == Some(id)) && !view.has(Flaw::OrphansTenants) {
        return Err(Error::refused("the tenant has sub-tenants"));
    }
    if view.has(Flaw::DeletesNothing) {
        return Ok(true);
    }
    let was_there = state.tenants.remove(&id).is_some();
    remove_content(state, id, view);
    Ok(was_there)
}

/// What refers to a tenant needs it.
pub(super) fn check_reference(state: &State, id: TenantId, view: &View) -> Result<()> {
    if state.tenants.contains_key(&id) || view.has(Flaw::IgnoresReferences) {
        return Ok(());
    }
    Err(Error::not_found("tenant"))
}

fn named(tenant: Tenant, view: &View) -> Named<Tenant> {
    Named {
        name: view.name_key(tenant.name.as_str()),
        display_name: view.name_key(tenant.display_name.as_str()),
        email: None,
        row: tenant,
    }
}

fn found<'a>(state: &'a State, view: &View, id: TenantId) -> Option<&'a Tenant> {
    let tenant = state.tenants.get(&id).filter(|_| view.reaches(id));
    tenant.map(|tenant| &tenant.row)
}

/// The masters of a tenant, nearest first.
fn masters(state: &State, id: TenantId) -> impl Iterator<Item = &Tenant> {
    let master = |tenant: &Tenant| Some(&state.tenants.get(&tenant.master?)?.row);
    let own = state.tenants.get(&id).map(|tenant| &tenant.row);
    std::iter::successors(own.and_then(master), move |tenant| master(tenant))
}

fn check_name(state: &State, tenant: &Named<Tenant>, view: &View) -> Result<()> {
    let is_taken = state.tenants.values().any(|other| {
        let is_same = other.name == tenant.name
            || (view.has(Flaw::TakesDisplayNames) && other.display_name == tenant.display_name);
        is_same && other.row.id != tenant.row.id
    });
    if is_taken && !view.has(Flaw::AcceptsDuplicates) {
        return Err(taken("tenant name"));
    }
    Ok(())
}

fn check_master(state: &State, tenant: &Tenant, view: &View) -> Result<()> {
    let Some(master) = tenant.master else {
        return Ok(());
    };
    if !state.tenants.contains_key(&master) && !view.has(Flaw::IgnoresReferences) {
        return Err(Error::not_found("master tenant"));
    }
    if master == tenant.id || masters(state, master).any(|above| above.id == tenant.id) {
        return Err(Error::invalid("master", "a tenant is not its own master"));
    }
    Ok(())
}

fn remove_content(state: &mut State, id: TenantId, view: &View) {
    if view.has(Flaw::RemovesHistory) {
        state.sessions.retain(|(tenant, _), _| *tenant != id);
        state.audit.retain(|(tenant, _), _| *tenant != Some(id));
    }
    if !view.has(Flaw::LeavesRows) {
        state.settings.remove(&id);
        state.applications.retain(|(tenant, _), _| *tenant != id);
        state.users.retain(|(tenant, _), _| *tenant != id);
        state.grants.retain(|(tenant, _, _)| *tenant != id);
        state.records.retain(|(tenant, _), _| *tenant != id);
        state.outbox.retain(|(tenant, _), _| *tenant != id);
    }
}
