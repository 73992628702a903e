use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    environment::later,
    model::{MessageId, TenantId},
    storage::{OutboxEntry, OutboxRepository},
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
impl OutboxRepository for MemoryUnit {
    async fn add(&mut self, entry: &OutboxEntry) -> Result<()> {
        self.write(|state, view| {
            check_tenant(view.tenant()?, entry, view)?;
            let key = (entry.tenant, entry.id);
            if state.outbox.contains_key(&key) && !view.has(Flaw::AcceptsDuplicates) {
                return Err(taken("message id"));
            }
            put(state, kept(entry, view), view)
        })
        .await
    }

    async fn claim(
        &mut self,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<OutboxEntry>> {
        self.write(|state, view| {
            view.platform()?;
            let mut due: Vec<_> = state
                .outbox
                .values()
                .filter(|entry| is_due(entry, now, view))
                .map(|entry| (entry.due_at, entry.tenant, entry.id))
                .collect();
            due.sort_unstable();
            if view.has(Flaw::ClaimsInAnyOrder) {
                due.reverse();
            }
            due.truncate(view.limit(limit));
            let mut claimed = Vec::new();
            for (_, tenant, id) in due {
                let Some(entry) = state.outbox.get_mut(&(tenant, id)) else {
                    continue;
                };
                if !view.has(Flaw::ClaimsTwice) {
                    entry.due_at = view.time(until);
                }
                entry.tries += 1;
                entry.version = view.next_version(entry.version, entry.version, "message")?;
                claimed.push(entry.clone());
            }
            if !view.has(Flaw::ClaimsInAnyOrder) {
                claimed.sort_by_key(|entry| (entry.tenant, entry.id));
            }
            Ok(claimed)
        })
        .await
    }

    async fn postpone(&mut self, entry: &OutboxEntry) -> Result<OutboxEntry> {
        self.write(|state, view| {
            view.platform()?;
            let Some(stored) = state.outbox.get_mut(&(entry.tenant, entry.id)) else {
                return missing("message", view).map(|()| entry.clone());
            };
            let version = view.next_version(stored.version, entry.version, "message")?;
            let fixed = if view.has(Flaw::ChangesFixedFields) {
                entry.clone()
            } else {
                stored.clone()
            };
            *stored = OutboxEntry {
                due_at: view.time(entry.due_at),
                version,
                ..fixed
            };
            Ok(stored.clone())
        })
        .await
    }

    async fn settle(&mut self, tenant: TenantId, id: MessageId, version: i64) -> Result<()> {
        self.write(|state, view| {
            view.platform()?;
            let Some(stored) = state.outbox.get(&(tenant, id)) else {
                return missing("message", view);
            };
            view.next_version(stored.version, version, "message")?;
            state.outbox.remove(&(tenant, id));
            Ok(())
        })
        .await
    }

    async fn delete_expired(&mut self, now: Timestamp, limit: u32) -> Result<Vec<OutboxEntry>> {
        self.write(|state, view| {
            view.platform()?;
            let entries = state.outbox.values();
            let ahead = later(now, OutboxEntry::AHEAD);
            let is_over = |entry: &&OutboxEntry| {
                let is_ahead = entry.made_at > ahead && !view.has(Flaw::TrustsAnyClock);
                is_ahead || view.has_expired(entry.expires_at, now)
            };
            let expired = entries.filter(is_over);
            let expired: Vec<_> = expired.take(view.limit(limit)).cloned().collect();
            for entry in &expired {
                state.outbox.remove(&(entry.tenant, entry.id));
            }
            Ok(expired)
        })
        .await
    }
}

/// Stores a message over the one that is there.
pub(super) fn put(state: &mut State, entry: OutboxEntry, view: &View) -> Result<()> {
    let is_user_there = state.users.contains_key(&(entry.tenant, entry.user));
    if !is_user_there && !view.has(Flaw::IgnoresReferences) {
        return Err(Error::not_found("user"));
    }
    state.outbox.insert((entry.tenant, entry.id), entry);
    Ok(())
}

/// Refuses a message of another tenant.
pub(super) fn check_tenant(own: TenantId, entry: &OutboxEntry, view: &View) -> Result<()> {
    if entry.tenant == own || view.has(Flaw::LeaksTenants) {
        return Ok(());
    }
    Err(Error::invalid(
        "tenant",
        "a message made in a tenant belongs to it",
    ))
}

fn is_due(entry: &OutboxEntry, now: Timestamp, view: &View) -> bool {
    view.has(Flaw::ClaimsAtAnyTime) || (entry.due_at <= now && now < entry.expires_at)
}

/// A message as it is stored: as it is, but for defects.
pub(super) fn kept(entry: &OutboxEntry, view: &View) -> OutboxEntry {
    OutboxEntry {
        made_at: view.time(entry.made_at),
        due_at: view.time(entry.due_at),
        expires_at: view.time(entry.expires_at),
        sealed: view.bytes(&entry.sealed),
        ..entry.clone()
    }
}
