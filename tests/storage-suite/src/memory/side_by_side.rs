//! Write units side by side, as a database at READ COMMITTED has them: each
//! statement sees what is committed and the unit's own changes; a unit that
//! meets a row which another open unit took waits for that unit, and looks again.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use gatelodge_core::{Error, ErrorKind, Result};
use tokio::sync::Notify;

use super::state::State;

/// Units that wait this long wait for each other.
const DEADLOCK: Duration = Duration::from_secs(2);

/// The rows that open units took, each with the units and whether alone.
#[derive(Default)]
pub(super) struct Locks {
    units: AtomicU64,
    held: Mutex<BTreeMap<String, BTreeMap<u64, bool>>>,
    freed: Notify,
}

impl Locks {
    pub(super) fn new_unit(&self) -> u64 {
        self.units.fetch_add(1, Ordering::SeqCst)
    }

    /// Takes a row, alone or with others, after those who have it.
    pub(super) async fn take(&self, unit: u64, row: &str, alone: bool) -> Result<()> {
        if self.try_take(unit, row, alone) {
            return Ok(());
        }
        let taken = async {
            loop {
                let freed = self.freed.notified();
                tokio::pin!(freed);
                freed.as_mut().enable();
                if self.try_take(unit, row, alone) {
                    return;
                }
                freed.await;
            }
        };
        let taken = tokio::time::timeout(DEADLOCK, taken).await;
        let message = format!("units wait for each other at `{row}`");
        taken.map_err(|_| Error::new(ErrorKind::Unavailable, message))
    }

    fn try_take(&self, unit: u64, row: &str, alone: bool) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let units = held.entry(row.to_owned()).or_default();
        let is_taken = units
            .iter()
            .any(|(other, is_alone)| *other != unit && (alone || *is_alone));
        if !is_taken {
            *units.entry(unit).or_default() |= alone;
        }
        !is_taken
    }

    pub(super) fn release(&self, unit: u64) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, units| {
            units.remove(&unit);
            !units.is_empty()
        });
        drop(held);
        self.freed.notify_waiters();
    }
}

/// What `own` changed of `before`, made to what is committed now.
pub(super) fn carried(before: &State, own: &State, committed: &State) -> State {
    let mut onto = committed.clone();
    carry(&before.tenants, &own.tenants, &mut onto.tenants);
    carry(&before.settings, &own.settings, &mut onto.settings);
    carry(
        &before.applications,
        &own.applications,
        &mut onto.applications,
    );
    carry(&before.users, &own.users, &mut onto.users);
    carry(&before.records, &own.records, &mut onto.records);
    carry(&before.outbox, &own.outbox, &mut onto.outbox);
    carry(&before.flows, &own.flows, &mut onto.flows);
    carry(&before.sessions, &own.sessions, &mut onto.sessions);
    carry(&before.limits, &own.limits, &mut onto.limits);
    carry(&before.audit, &own.audit, &mut onto.audit);
    carry(
        &before.installation,
        &own.installation,
        &mut onto.installation,
    );
    onto.grants.extend(own.grants.difference(&before.grants));
    onto.grants
        .retain(|grant| own.grants.contains(grant) || !before.grants.contains(grant));
    onto
}

fn carry<K: Ord + Clone, V: Clone + PartialEq>(
    before: &BTreeMap<K, V>,
    own: &BTreeMap<K, V>,
    onto: &mut BTreeMap<K, V>,
) {
    for (key, row) in own {
        if before.get(key) != Some(row) {
            onto.insert(key.clone(), row.clone());
        }
    }
    for key in before.keys().filter(|key| !own.contains_key(key)) {
        onto.remove(key);
    }
}

/// What a statement that changes `before` to `after` takes, each alone or with
/// others: the rows, their unique keys, and what they refer to.
pub(super) fn taken_rows(before: &State, after: &State) -> BTreeMap<String, bool> {
    let mut rows = BTreeMap::new();
    let mut take = |row: String, alone: bool| *rows.entry(row).or_default() |= alone;
    changed(&before.tenants, &after.tenants, |id, row, change| {
        take(tenant_row(id), true);
        take(format!("name {}", row.name), true);
        take(format!("key of tenant {id}"), change == Change::Removed);
        if let Some(master) = row.row.master {
            take(format!("key of tenant {master}"), false);
        }
    });
    changed(&before.settings, &after.settings, |id, _, _| {
        take(format!("settings {id}"), true);
        take(format!("key of tenant {id}"), false);
    });
    changed(
        &before.applications,
        &after.applications,
        |(tenant, id), row, _| {
            take(format!("application {id}"), true);
            take(
                format!("application name {tenant} {}", row.name.key()),
                true,
            );
            take(format!("audience {}", row.audience), true);
            take(format!("key of tenant {tenant}"), false);
        },
    );
    changed(&before.users, &after.users, |(tenant, id), row, change| {
        take(user_row(tenant, id), true);
        take(format!("user name {tenant} {}", row.name), true);
        if let Some(email) = row.email.as_ref().filter(|_| row.row.email_verified) {
            take(format!("address {tenant} {email}"), true);
        }
        take(
            format!("key of user {tenant} {id}"),
            change == Change::Removed,
        );
        take(format!("key of tenant {tenant}"), false);
    });
    for (tenant, user, grant) in before.grants.symmetric_difference(&after.grants) {
        take(format!("grant {tenant} {user} {grant:?}"), true);
        take(format!("key of user {tenant} {user}"), false);
    }
    changed(&before.records, &after.records, |(tenant, id), row, _| {
        take(format!("record {tenant} {id}"), true);
        if let Some(key) = row.key {
            let key = key.as_bytes();
            take(
                format!("record key {tenant} {} {key:?}", row.provider),
                true,
            );
        }
        if let Some(user) = row.user {
            take(format!("key of user {tenant} {user}"), false);
        }
    });
    changed(&before.outbox, &after.outbox, |(tenant, id), row, _| {
        take(format!("message {tenant} {id}"), true);
        take(format!("key of user {tenant} {}", row.user), false);
    });
    changed(&before.flows, &after.flows, |handle, _, _| {
        take(format!("flow {:?}", handle.as_bytes()), true);
    });
    changed(&before.sessions, &after.sessions, |(tenant, id), row, _| {
        take(format!("session {tenant} {id}"), true);
        take(format!("token {:?}", row.token_hash.as_bytes()), true);
    });
    changed(&before.limits, &after.limits, |key, _, _| {
        take(limit_row(key), true);
    });
    changed(&before.installation, &after.installation, |name, _, _| {
        take(format!("value {name}"), true);
    });
    rows
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Stored,
    Removed,
}

fn changed<K: Ord, V: PartialEq>(
    before: &BTreeMap<K, V>,
    after: &BTreeMap<K, V>,
    mut note: impl FnMut(&K, &V, Change),
) {
    for (key, row) in after {
        if before.get(key) != Some(row) {
            note(key, row, Change::Stored);
        }
    }
    for (key, row) in before {
        if !after.contains_key(key) {
            note(key, row, Change::Removed);
        }
    }
}

pub(super) fn tenant_row(id: impl std::fmt::Display) -> String {
    format!("tenant {id}")
}

pub(super) fn user_row(tenant: impl std::fmt::Display, id: impl std::fmt::Display) -> String {
    format!("user {tenant} {id}")
}

pub(super) fn limit_row(key: &gatelodge_core::secret::TokenHash) -> String {
    format!("limit {:?}", key.as_bytes())
}
