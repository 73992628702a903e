use async_trait::async_trait;
use gatelodge_core::{
    Result,
    model::{Grant, NameKey, TenantId, User, UserId},
    storage::{Page, Scope, UserRepository},
};

use super::{
    Flaw,
    side_by_side::user_row,
    state::{Named, State, View},
    taken,
    tenants::{check_reference, missing},
    unit::MemoryUnit,
};

#[async_trait]
impl UserRepository for MemoryUnit {
    async fn create(&mut self, user: &User) -> Result<()> {
        self.write(|state, view| {
            let tenant = view.tenant()?;
            check_reference(state, tenant, view)?;
            if state.users.contains_key(&(tenant, user.id)) {
                return Err(taken("user id"));
            }
            let user = User {
                lock: view.lock(user.lock.as_ref()),
                created_at: view.time(user.created_at),
                ..user.clone()
            };
            let user = named(user, view);
            check_unique(state, tenant, &user, view)?;
            state.users.insert((tenant, user.row.id), user);
            Ok(())
        })
        .await
    }

    async fn by_id(&mut self, id: UserId) -> Result<Option<User>> {
        self.read(|state, view| {
            let key = view.key(&state.users, view.tenant()?, id);
            let user = key.and_then(|key| state.users.get(&key));
            Ok(user.map(|user| user.row.clone()))
        })
        .await
    }

    async fn by_login(&mut self, login: &NameKey) -> Result<Option<User>> {
        self.read(|state, view| {
            let user = by_login(state, view.tenant()?, &view.wanted(login)?, view);
            Ok(user.map(|(_, user)| user))
        })
        .await
    }

    async fn candidates(&mut self, login: &NameKey) -> Result<Vec<(TenantId, UserId)>> {
        self.read(|state, view| {
            view.platform()?;
            let wanted = view.wanted(login)?;
            let tenants = state.tenants.keys();
            let mut found: Vec<_> = tenants
                .filter_map(|tenant| by_login(state, *tenant, &wanted, view))
                .map(|(tenant, user)| (tenant, user.id))
                .take(view.limit(2))
                .collect();
            if view.has(Flaw::ListsBackwards) {
                found.reverse();
            }
            Ok(found)
        })
        .await
    }

    async fn list(&mut self, search: Option<&NameKey>, page: Page<UserId>) -> Result<Vec<User>> {
        self.read(|state, view| {
            let own = view.tenant()?;
            let wanted = search.map(|search| view.wanted(search)).transpose()?;
            let rows = state.users.iter().filter(|((tenant, _), user)| {
                let matches = |search: &String| user.contains(search, view);
                view.is_own(*tenant, own)
                    && (view.has(Flaw::IgnoresFilters) || wanted.as_ref().is_none_or(matches))
            });
            let rows = rows.map(|((_, id), user)| (*id, user.row.clone()));
            Ok(view.page(rows, page, |id, after| id > after))
        })
        .await
    }

    async fn update(&mut self, user: &User) -> Result<User> {
        self.write(|state, view| {
            let key = view.key(&state.users, view.tenant()?, user.id);
            let Some((key, stored)) = key.and_then(|key| Some((key, state.users.get(&key)?)))
            else {
                return missing("user", view).map(|()| user.clone());
            };
            let version = view.next_version(stored.row.version, user.version, "user")?;
            let created_at = if view.has(Flaw::ChangesFixedFields) {
                user.created_at
            } else {
                stored.row.created_at
            };
            let changed = User {
                created_at,
                version,
                ..user.clone()
            };
            let changed = named(changed, view);
            check_unique(state, key.0, &changed, view)?;
            let row = changed.row.clone();
            state.users.insert(key, changed);
            Ok(row)
        })
        .await
    }

    async fn delete(&mut self, id: UserId, version: i64) -> Result<()> {
        self.write(|state, view| {
            let key = view.key(&state.users, view.tenant()?, id);
            let Some((key, stored)) = key.and_then(|key| Some((key, state.users.get(&key)?)))
            else {
                return missing("user", view);
            };
            view.next_version(stored.row.version, version, "user")?;
            if !view.has(Flaw::DeletesNothing) {
                remove(state, key, view);
            }
            Ok(())
        })
        .await
    }

    async fn lock_row(&mut self, id: UserId) -> Result<()> {
        if let Scope::Tenant(tenant) = self.reach() {
            self.take(user_row(tenant, id), true).await?;
        }
        self.write(
            |state, view| match view.key(&state.users, view.tenant()?, id) {
                Some(_) => Ok(()),
                None => missing("user", view),
            },
        )
        .await
    }

    async fn grants(&mut self, id: UserId) -> Result<Vec<Grant>> {
        self.read(|state, view| {
            let own = view.tenant()?;
            let held = state.grants.iter().filter(|(tenant, user, _)| {
                *user == id && (*tenant == own || view.has(Flaw::LeaksTenants))
            });
            let mut grants: Vec<_> = held.map(|(_, _, grant)| *grant).collect();
            if view.has(Flaw::ListsBackwards) {
                grants.reverse();
            }
            Ok(grants)
        })
        .await
    }

    async fn set_grant(&mut self, id: UserId, grant: Grant, held: bool) -> Result<bool> {
        self.write(|state, view| {
            let own = view.tenant()?;
            let key = view.key(&state.users, own, id);
            if key.is_none() && held && !view.has(Flaw::IgnoresReferences) {
                return missing("user", view).map(|()| false);
            }
            let (tenant, user) = key.unwrap_or((own, id));
            let has_changed = if held {
                state.grants.insert((tenant, user, grant))
            } else {
                state.grants.remove(&(tenant, user, grant))
            };
            Ok(has_changed || view.has(Flaw::AlwaysChanges))
        })
        .await
    }

    async fn holders(&mut self, grant: Grant) -> Result<Vec<(TenantId, UserId)>> {
        self.read(|state, view| {
            let holders = state.grants.iter().filter(|(tenant, _, held)| {
                let is_there = match view.scope {
                    Scope::Tenant(own) => view.is_own(*tenant, own),
                    Scope::Platform => true,
                };
                is_there && (*held == grant || view.has(Flaw::IgnoresFilters))
            });
            let holders = holders.map(|(tenant, user, _)| (*tenant, *user));
            let mut holders: Vec<_> = holders.take(view.limit(1_000)).collect();
            if view.has(Flaw::ListsBackwards) {
                holders.reverse();
            }
            Ok(holders)
        })
        .await
    }
}

/// Stores a user over the one that is there.
pub(super) fn put(state: &mut State, own: TenantId, user: User, view: &View) -> Result<()> {
    check_reference(state, own, view)?;
    let user = named(user, view);
    check_unique(state, own, &user, view)?;
    state.users.insert((own, user.row.id), user);
    Ok(())
}

/// Removes a user and what is the user's own; answers whether it was there.
pub(super) fn remove(state: &mut State, place: (TenantId, UserId), view: &View) -> bool {
    let was_there = state.users.remove(&place).is_some();
    remove_content(state, place, view);
    was_there
}

fn named(user: User, view: &View) -> Named<User> {
    let email = user
        .email
        .as_ref()
        .map(|email| view.name_key(email.as_str()));
    Named {
        name: view.name_key(user.user_name.as_str()),
        display_name: view.name_key(user.display_name.as_str()),
        email,
        row: user,
    }
}

/// The user whose name this is, else whose verified address.
fn by_login(state: &State, own: TenantId, login: &str, view: &View) -> Option<(TenantId, User)> {
    let users = || {
        state
            .users
            .iter()
            .filter(|((tenant, _), _)| view.is_own(*tenant, own))
    };
    let by_name = || users().find(|(_, user)| user.name == login);
    let by_address = || users().find(|(_, user)| address(user, view) == Some(login));
    let found = if view.has(Flaw::PrefersAddresses) {
        by_address().or_else(by_name)
    } else {
        by_name().or_else(by_address)
    };
    found.map(|((tenant, _), user)| (*tenant, user.row.clone()))
}

/// The address by which a user can be found, as a key.
fn address<'a>(user: &'a Named<User>, view: &View) -> Option<&'a str> {
    let counts = user.row.email_verified || view.has(Flaw::TrustsUnverified);
    user.email.as_deref().filter(|_| counts)
}

fn check_unique(state: &State, own: TenantId, user: &Named<User>, view: &View) -> Result<()> {
    if view.has(Flaw::AcceptsDuplicates) {
        return Ok(());
    }
    let others = state
        .users
        .iter()
        .filter(|((tenant, id), _)| *id != user.row.id && view.competes(*tenant, own));
    for (_, other) in others {
        if other.name == user.name {
            return Err(taken("user name"));
        }
        let own_address = address(user, view);
        if own_address.is_some() && own_address == address(other, view) {
            return Err(taken("e-mail address"));
        }
    }
    Ok(())
}

fn remove_content(state: &mut State, (own, user): (TenantId, UserId), view: &View) {
    if view.has(Flaw::RemovesHistory) {
        state
            .sessions
            .retain(|(tenant, _), session| *tenant != own || session.user != user);
    }
    if !view.has(Flaw::LeavesRows) {
        state
            .grants
            .retain(|(tenant, id, _)| *tenant != own || *id != user);
        state
            .records
            .retain(|(tenant, _), record| *tenant != own || record.user != Some(user));
        state
            .outbox
            .retain(|(tenant, _), entry| *tenant != own || entry.user != user);
    }
}
