//! What the provider keeps, in memory, and how effects change it: the rules of
//! `gatelodge_core::provider::Effect`, word for word.

use gatelodge_core::{
    Environment,
    model::{RecordId, TenantId, UserId},
    provider::{Effect, KeptRecord, Message, NewRecord, RecordOwner, State},
    secret::TokenHash,
};
use jiff::Timestamp;

/// The most that a record holds.
pub(crate) const MAX_DATA: usize = 60 * 1024;
/// The most characters of a label.
pub(crate) const MAX_LABEL: usize = 100;

/// The records of one provider in all tenants.
#[derive(Clone, Default)]
pub(crate) struct Records(Vec<Stored>);

/// A record and what the provider does not see of it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) tenant: TenantId,
    pub(crate) key: Option<TokenHash>,
    pub(crate) record: KeptRecord,
}

/// Whom effects are about.
#[derive(Clone, Copy)]
pub(crate) struct Owner {
    pub(crate) tenant: TenantId,
    pub(crate) user: Option<UserId>,
}

/// Why effects were not applied; none of them was.
#[derive(Debug)]
pub(crate) enum NotApplied {
    /// A condition failed: the turn counts as refused.
    Refused,
    /// The provider asked for what it must not ask for.
    Breach(String),
}

impl Records {
    pub(crate) fn of_user(&self, owner: Owner, now: Timestamp) -> Vec<KeptRecord> {
        self.0
            .iter()
            .filter(|stored| stored.tenant == owner.tenant)
            .map(|stored| &stored.record)
            .filter(|record| record.user == owner.user && record.user.is_some())
            .filter(|record| counts(record, now))
            .cloned()
            .collect()
    }

    pub(crate) fn by_key(&self, tenant: TenantId, key: &str, now: Timestamp) -> Option<KeptRecord> {
        let key = TokenHash::of(key);
        self.0
            .iter()
            .filter(|stored| stored.tenant == tenant)
            .find(|stored| stored.key == Some(key) && counts(&stored.record, now))
            .map(|stored| stored.record.clone())
    }

    /// All of them, to look at or to damage.
    pub(crate) fn all(&self) -> &[Stored] {
        &self.0
    }

    pub(crate) fn all_mut(&mut self) -> &mut [Stored] {
        &mut self.0
    }

    /// Applies all effects or none, and answers with the messages to send.
    pub(crate) fn apply(
        &mut self,
        owner: Owner,
        effects: &[Effect],
        environment: &Environment,
    ) -> Result<Vec<Message>, NotApplied> {
        let mut changed = self.clone();
        let mut messages = Vec::new();
        for effect in effects {
            match effect {
                Effect::UseUp { record, version } => {
                    let at = changed.at(owner, *record, *version)?;
                    changed.0.remove(at);
                }
                Effect::Put { record } => changed.put(owner, record, environment)?,
                Effect::Replace {
                    record,
                    version,
                    with,
                } => {
                    check_size(with)?;
                    let at = changed.at(owner, *record, *version)?;
                    if let Some(stored) = changed.0.get_mut(at) {
                        stored.record.label = with.label.clone();
                        stored.record.expires_at = with.expires_at;
                        stored.record.data = with.data.clone();
                        stored.record.version += 1;
                    }
                }
                Effect::Remove { record } => changed
                    .0
                    .retain(|stored| stored.tenant != owner.tenant || stored.record.id != *record),
                Effect::Send { message } => messages.push(message.clone()),
            }
        }
        *self = changed;
        Ok(messages)
    }

    fn at(&self, owner: Owner, id: RecordId, version: i64) -> Result<usize, NotApplied> {
        self.0
            .iter()
            .position(|stored| {
                stored.tenant == owner.tenant
                    && stored.record.id == id
                    && stored.record.version == version
            })
            .ok_or(NotApplied::Refused)
    }

    fn put(
        &mut self,
        owner: Owner,
        new: &NewRecord,
        environment: &Environment,
    ) -> Result<(), NotApplied> {
        check_size(new)?;
        let user = match new.owner {
            RecordOwner::Nobody => None,
            RecordOwner::Subject => Some(owner.user.ok_or_else(|| {
                NotApplied::Breach("a record of the subject, where there is none".to_owned())
            })?),
        };
        let key = new.key.as_ref().map(|key| TokenHash::of(key.expose()));
        let is_taken = |stored: &Stored| stored.tenant == owner.tenant && stored.key == key;
        if key.is_some() && self.0.iter().any(is_taken) {
            return Err(NotApplied::Refused);
        }
        self.0.push(Stored {
            tenant: owner.tenant,
            key,
            record: KeptRecord {
                id: RecordId::generate(environment),
                user,
                label: new.label.clone(),
                created_at: environment.now(),
                expires_at: new.expires_at,
                version: 1,
                data: State(new.data.0.clone()),
            },
        });
        Ok(())
    }
}

fn counts(record: &KeptRecord, now: Timestamp) -> bool {
    record.expires_at.is_none_or(|end| now < end)
}

fn check_size(new: &NewRecord) -> Result<(), NotApplied> {
    let (label, data) = (new.label.chars().count(), new.data.0.len());
    if label > MAX_LABEL || data > MAX_DATA {
        return Err(NotApplied::Breach(format!(
            "a record with a label of {label} characters and {data} bytes; at most {MAX_LABEL} \
             and {MAX_DATA} are kept"
        )));
    }
    Ok(())
}
