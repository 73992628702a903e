use std::collections::{BTreeMap, BTreeSet};

use gatelodge_core::{
    Error, Result,
    model::{
        Application, ApplicationId, AuditEvent, AuditEventId, Grant, Lock, MessageId, NameKey,
        RecordId, Session, SessionId, Tenant, TenantId, TenantSettings, User, UserId,
    },
    secret::TokenHash,
    storage::{InstallationValue, LimitState, OutboxEntry, Page, Record, Scope, StoredFlow},
};
use jiff::Timestamp;

use super::{Flaw, unsupported};

/// Everything that is kept.
#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) tenants: BTreeMap<TenantId, Named<Tenant>>,
    pub(super) settings: BTreeMap<TenantId, (TenantSettings, i64)>,
    pub(super) applications: BTreeMap<(TenantId, ApplicationId), Application>,
    pub(super) users: BTreeMap<(TenantId, UserId), Named<User>>,
    pub(super) grants: BTreeSet<(TenantId, UserId, Grant)>,
    pub(super) records: BTreeMap<(TenantId, RecordId), Record>,
    pub(super) outbox: BTreeMap<(TenantId, MessageId), OutboxEntry>,
    pub(super) flows: BTreeMap<TokenHash, StoredFlow>,
    pub(super) sessions: BTreeMap<(TenantId, SessionId), Session>,
    pub(super) limits: BTreeMap<TokenHash, LimitState>,
    pub(super) audit: BTreeMap<(Option<TenantId>, AuditEventId), AuditEvent>,
    pub(super) installation: BTreeMap<String, InstallationValue>,
}

/// A row beside the keys of its names.
#[derive(Clone, PartialEq)]
pub(super) struct Named<T> {
    pub(super) row: T,
    pub(super) name: String,
    pub(super) display_name: String,
    pub(super) email: Option<String>,
}

impl<T> Named<T> {
    pub(super) fn contains(&self, search: &str, view: &View) -> bool {
        let mut texts = [
            Some(&self.name),
            Some(&self.display_name),
            self.email.as_ref(),
        ]
        .into_iter()
        .flatten();
        texts.any(|text| {
            text.contains(search) || (view.has(Flaw::ReadsPatterns) && search.contains(['%', '_']))
        })
    }
}

/// From where a statement looks at the state.
pub(super) struct View {
    pub(super) scope: Scope,
    pub(super) flaw: Option<Flaw>,
}

impl View {
    pub(super) fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// The tenant of a tenant unit; for the methods of tenants.
    pub(super) fn tenant(&self) -> Result<TenantId> {
        match self.scope {
            Scope::Tenant(tenant) => Ok(tenant),
            Scope::Platform if self.has(Flaw::IgnoresScope) => {
                Ok(TenantId::from_uuid(uuid::Uuid::nil()))
            }
            Scope::Platform => Err(unsupported("a platform unit cannot reach into a tenant")),
        }
    }

    /// For the methods of the platform.
    pub(super) fn platform(&self) -> Result<()> {
        match self.scope {
            Scope::Tenant(_) if !self.has(Flaw::IgnoresScope) => {
                Err(unsupported("a tenant unit cannot reach the platform"))
            }
            _ => Ok(()),
        }
    }

    /// Whether rows of this tenant are there at all.
    pub(super) fn reaches(&self, tenant: TenantId) -> bool {
        match self.scope {
            Scope::Tenant(own) => own == tenant || self.has(Flaw::LeaksTenants),
            Scope::Platform => true,
        }
    }

    /// Whether a row belongs to the unit's tenant, for lists.
    pub(super) fn is_own(&self, row: TenantId, own: TenantId) -> bool {
        row == own || self.has(Flaw::MixesTenants)
    }

    /// Whether a unique text of a row stands in the way of another in `own`.
    pub(super) fn competes(&self, row: TenantId, own: TenantId) -> bool {
        row == own || self.has(Flaw::SharesNames)
    }

    /// The full key of a row of `own`, if the row is there.
    pub(super) fn key<Id: Ord + Copy, T>(
        &self,
        rows: &BTreeMap<(TenantId, Id), T>,
        own: TenantId,
        id: Id,
    ) -> Option<(TenantId, Id)> {
        let key = (own, id);
        if rows.contains_key(&key) {
            return Some(key);
        }
        let leak = rows.keys().find(|(_, other)| *other == id);
        leak.copied().filter(|_| self.has(Flaw::LeaksTenants))
    }

    /// Compares the stored version with the one that was read; answers the next.
    pub(super) fn next_version(&self, stored: i64, read: i64, what: &str) -> Result<i64> {
        if stored != read && !self.has(Flaw::IgnoresVersions) {
            return Err(Error::stale(what));
        }
        Ok(if self.has(Flaw::KeepsVersions) {
            stored
        } else {
            stored + 1
        })
    }

    /// The key under which a name is compared.
    pub(super) fn name_key(&self, text: &str) -> String {
        if self.has(Flaw::ComparesExactly) {
            return text.to_owned();
        }
        let key = NameKey::of(text).as_str().to_owned();
        if self.has(Flaw::DropsAccents) {
            return key.replace('é', "e");
        }
        if self.has(Flaw::TruncatesKeys) {
            return key.chars().take(100).collect();
        }
        key
    }

    /// A text that is compared byte for byte.
    pub(super) fn exact(&self, text: &str) -> String {
        if self.has(Flaw::FoldsAudiences) {
            return text.to_lowercase();
        }
        text.to_owned()
    }

    /// The key to look for.
    pub(super) fn wanted(&self, key: &NameKey) -> Result<String> {
        if self.has(Flaw::ChokesOnNul) && key.as_str().contains('\0') {
            return Err(Error::internal("a text cannot contain a NUL"));
        }
        Ok(self.name_key(key.as_str()))
    }

    pub(super) fn lock(&self, lock: Option<&Lock>) -> Option<Lock> {
        lock.map(|lock| Lock {
            until: lock.until.map(|until| self.time(until)),
            since: self.time(lock.since),
            ..lock.clone()
        })
    }

    pub(super) fn time(&self, time: Timestamp) -> Timestamp {
        if self.has(Flaw::KeepsSeconds) {
            return Timestamp::from_second(time.as_second()).unwrap_or(time);
        }
        time
    }

    pub(super) fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        if self.has(Flaw::TruncatesBytes) {
            let kept = bytes.iter().take(16 * 1024).take_while(|byte| **byte != 0);
            return kept.copied().collect();
        }
        bytes.to_vec()
    }

    /// Whether what ends at `end` is to be removed at `now`.
    pub(super) fn has_expired(&self, end: Timestamp, now: Timestamp) -> bool {
        if self.has(Flaw::NeverExpires) {
            return false;
        }
        end < now || (self.has(Flaw::ExpiresEarly) && end.as_second() <= now.as_second())
    }

    pub(super) fn limit(&self, limit: u32) -> usize {
        if self.has(Flaw::IgnoresLimits) {
            return usize::MAX;
        }
        usize::try_from(limit).unwrap_or(usize::MAX)
    }

    /// The piece of a list that a page asks for; `rows` come in the list's order.
    pub(super) fn page<Id: Ord + Copy, T>(
        &self,
        rows: impl DoubleEndedIterator<Item = (Id, T)>,
        page: Page<Id>,
        is_after: impl Fn(Id, Id) -> bool,
    ) -> Vec<T> {
        let follows = |id: Id| {
            page.after.is_none_or(|after| {
                is_after(id, after) || (self.has(Flaw::RepeatsRows) && id == after)
            })
        };
        let rows = rows.filter(|(id, _)| follows(*id)).map(|(_, row)| row);
        let limit = self.limit(page.limit);
        if self.has(Flaw::ListsBackwards) {
            return rows.rev().take(limit).collect();
        }
        rows.take(limit).collect()
    }
}
