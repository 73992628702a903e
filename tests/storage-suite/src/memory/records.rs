use std::collections::BTreeMap;

use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    model::{ProviderId, RecordId, TenantId, UserId},
    secret::TokenHash,
    storage::{KeyOwner, Page, Record, RecordRepository},
};
use jiff::Timestamp;

use super::{
    Flaw,
    state::{State, View},
    taken,
    tenants::missing,
    unit::MemoryUnit,
};

#[async_trait]
impl RecordRepository for MemoryUnit {
    async fn create(&mut self, record: &Record) -> Result<()> {
        self.write(|state, view| {
            let tenant = view.tenant()?;
            check_references(state, tenant, record, view)?;
            let is_taken = state.records.contains_key(&(tenant, record.id));
            if is_taken && !view.has(Flaw::AcceptsDuplicates) {
                return Err(taken("record id"));
            }
            check_key(state, tenant, record, view)?;
            let stored = Record {
                expires_at: record.expires_at.map(|end| view.time(end)),
                created_at: view.time(record.created_at),
                sealed: view.bytes(&record.sealed),
                ..record.clone()
            };
            state.records.insert((tenant, record.id), stored);
            Ok(())
        })
        .await
    }

    async fn by_id(&mut self, provider: &ProviderId, id: RecordId) -> Result<Option<Record>> {
        self.read(|state, view| {
            let key = key(state, view.tenant()?, provider, id, view);
            let record = key.and_then(|key| state.records.get(&key));
            Ok(record.filter(|record| is_shown(record, view)).cloned())
        })
        .await
    }

    async fn by_key(&mut self, provider: &ProviderId, key: &TokenHash) -> Result<Option<Record>> {
        self.read(|state, view| {
            let own = view.tenant()?;
            let mut records = of_provider(state, own, provider, view);
            let record = records.find(|record| record.key == Some(*key));
            Ok(record.filter(|record| is_shown(record, view)).cloned())
        })
        .await
    }

    async fn owners(
        &mut self,
        provider: &ProviderId,
        key: &TokenHash,
    ) -> Result<Vec<(TenantId, UserId)>> {
        self.read(|state, view| {
            view.platform()?;
            let records = state.records.iter().filter(|(_, record)| {
                record.key == Some(*key)
                    && (record.provider == *provider || view.has(Flaw::IgnoresFilters))
                    && is_shown(record, view)
            });
            let owned = records.filter_map(|((tenant, _), record)| Some((*tenant, record.user?)));
            let mut owners: Vec<_> = owned.take(view.limit(100)).collect();
            if view.has(Flaw::ListsBackwards) {
                owners.reverse();
            }
            Ok(owners)
        })
        .await
    }

    async fn keyed(
        &mut self,
        provider: &ProviderId,
        page: Page<(TokenHash, TenantId)>,
    ) -> Result<Vec<KeyOwner>> {
        self.read(|state, view| {
            view.platform()?;
            let records = state.records.iter().filter(|(_, record)| {
                record.provider == *provider || view.has(Flaw::IgnoresFilters)
            });
            let owned = records.filter_map(|((tenant, _), record)| {
                let (key, user, tenant) = (record.key?, record.user?, *tenant);
                let owner = KeyOwner { key, tenant, user };
                is_shown(record, view).then_some(((key, tenant), owner))
            });
            let sorted: BTreeMap<_, _> = owned.collect();
            Ok(view.page(sorted.into_iter(), page, |id, after| id > after))
        })
        .await
    }

    async fn by_user(&mut self, provider: &ProviderId, user: UserId) -> Result<Vec<Record>> {
        self.read(|state, view| {
            let own = view.tenant()?;
            let records = of_provider(state, own, provider, view)
                .filter(|record| record.user == Some(user) && is_shown(record, view));
            let mut records: Vec<_> = records.take(view.limit(1_000)).cloned().collect();
            if view.has(Flaw::ListsBackwards) {
                records.reverse();
            }
            Ok(records)
        })
        .await
    }

    async fn update(&mut self, record: &Record) -> Result<Record> {
        self.write(|state, view| {
            let key = key(state, view.tenant()?, &record.provider, record.id, view);
            let Some((key, stored)) = key.and_then(|key| Some((key, state.records.get(&key)?)))
            else {
                return missing("record", view).map(|()| record.clone());
            };
            let version = view.next_version(stored.version, record.version, "record")?;
            let fixed = if view.has(Flaw::ChangesFixedFields) {
                record
            } else {
                stored
            };
            let kept = if view.has(Flaw::KeepsKeys) {
                stored
            } else {
                record
            };
            let changed = Record {
                key: kept.key,
                user: fixed.user,
                created_at: fixed.created_at,
                version,
                ..record.clone()
            };
            check_key(state, key.0, &changed, view)?;
            state.records.insert(key, changed.clone());
            Ok(changed)
        })
        .await
    }

    async fn delete(&mut self, provider: &ProviderId, id: RecordId, version: i64) -> Result<()> {
        self.write(|state, view| {
            let key = key(state, view.tenant()?, provider, id, view);
            let Some((key, stored)) = key.and_then(|key| Some((key, state.records.get(&key)?)))
            else {
                return missing("record", view);
            };
            view.next_version(stored.version, version, "record")?;
            state.records.remove(&key);
            Ok(())
        })
        .await
    }

    async fn delete_by_user(&mut self, provider: &ProviderId, user: UserId) -> Result<u64> {
        self.write(|state, view| {
            let own = view.tenant()?;
            let before = state.records.len();
            state.records.retain(|(tenant, _), record| {
                !view.is_own(*tenant, own)
                    || record.user != Some(user)
                    || (record.provider != *provider && !view.has(Flaw::IgnoresFilters))
            });
            Ok((before - state.records.len()) as u64)
        })
        .await
    }

    async fn delete_of_users(&mut self, provider: &ProviderId) -> Result<u64> {
        self.write(|state, view| {
            let own = view.tenant()?;
            let before = state.records.len();
            state.records.retain(|(tenant, _), record| {
                !view.is_own(*tenant, own)
                    || (record.user.is_none() && !view.has(Flaw::IgnoresFilters))
                    || (record.provider != *provider && !view.has(Flaw::IgnoresFilters))
            });
            Ok((before - state.records.len()) as u64)
        })
        .await
    }

    async fn delete_expired(&mut self, now: Timestamp, limit: u32) -> Result<u64> {
        self.write(|state, view| {
            let own = view.tenant()?;
            let expired = state.records.iter().filter(|((tenant, _), record)| {
                view.is_own(*tenant, own)
                    && record
                        .expires_at
                        .is_some_and(|end| view.has_expired(end, now))
            });
            let keys: Vec<_> = expired
                .map(|(key, _)| *key)
                .take(view.limit(limit))
                .collect();
            for key in &keys {
                state.records.remove(key);
            }
            Ok(keys.len() as u64)
        })
        .await
    }
}

/// Stores a record over the one that is there.
pub(super) fn put(state: &mut State, own: TenantId, record: Record, view: &View) -> Result<()> {
    check_references(state, own, &record, view)?;
    check_key(state, own, &record, view)?;
    state.records.insert((own, record.id), record);
    Ok(())
}

fn is_shown(record: &Record, view: &View) -> bool {
    record.expires_at.is_none() || !view.has(Flaw::HidesExpired)
}

fn of_provider<'a>(
    state: &'a State,
    own: TenantId,
    provider: &ProviderId,
    view: &View,
) -> impl Iterator<Item = &'a Record> {
    let records = state.records.iter().filter(move |((tenant, _), record)| {
        view.is_own(*tenant, own)
            && (record.provider == *provider || view.has(Flaw::IgnoresFilters))
    });
    records.map(|(_, record)| record)
}

/// The full key of a provider's record.
fn key(
    state: &State,
    own: TenantId,
    provider: &ProviderId,
    id: RecordId,
    view: &View,
) -> Option<(TenantId, RecordId)> {
    let key = view.key(&state.records, own, id)?;
    let is_theirs = state.records.get(&key)?.provider == *provider;
    (is_theirs || view.has(Flaw::IgnoresFilters)).then_some(key)
}

fn check_references(state: &State, own: TenantId, record: &Record, view: &View) -> Result<()> {
    let is_tenant_there = state.tenants.contains_key(&own);
    let is_user_there = record
        .user
        .is_none_or(|user| view.key(&state.users, own, user).is_some());
    if (is_tenant_there && is_user_there) || view.has(Flaw::IgnoresReferences) {
        return Ok(());
    }
    Err(Error::not_found("user"))
}

fn check_key(state: &State, own: TenantId, record: &Record, view: &View) -> Result<()> {
    let mut others = state.records.iter().filter(|((tenant, id), other)| {
        view.competes(*tenant, own) && *id != record.id && other.provider == record.provider
    });
    let is_taken = record.key.is_some() && others.any(|(_, other)| other.key == record.key);
    if is_taken && !view.has(Flaw::AcceptsDuplicates) {
        return Err(taken("record key"));
    }
    Ok(())
}
