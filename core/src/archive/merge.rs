//! Two lists of rows side by side: what differs, and how to make it equal.

use std::collections::BTreeMap;

use super::pages::Rows;
use crate::{
    Error, Result,
    model::{Application, User, UserName},
    storage::{Row, RowKey, RowKind, UnitOfWork},
};

/// What differs between a piece of the source and one of the target.
#[derive(Default)]
pub(super) struct Merged {
    /// Only in the source.
    pub(super) missing: Vec<Row>,
    /// In both, and not the same: the source's and the target's.
    pub(super) different: Vec<(Row, Row)>,
    /// Only in the target.
    pub(super) gone: Vec<Row>,
    /// How many rows of the source were looked at.
    pub(super) seen: u64,
    /// Up to where, when there may be more after it.
    pub(super) last: Option<RowKey>,
}

/// Compares two pieces that begin after the same key, as far as both reach.
pub(super) fn merge(source: Rows, target: Rows) -> Merged {
    let last = match (source.last, target.last) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    let is_reached = |row: &Row| last.as_ref().is_none_or(|last| row.key() <= *last);
    let mut merged = Merged::default();
    let target = target.rows.into_iter().filter(is_reached);
    let mut target: BTreeMap<_, _> = target.map(|row| (row.key(), row)).collect();
    for row in source.rows.into_iter().filter(is_reached) {
        merged.seen += 1;
        match target.remove(&row.key()) {
            None => merged.missing.push(row),
            Some(same) if same == row => {}
            Some(other) => merged.different.push((row, other)),
        }
    }
    merged.gone = target.into_values().collect();
    merged.last = last;
    merged
}

/// One thing to do in the target.
pub(super) enum Step {
    Put(Vec<Row>),
    Remove(RowKind, Vec<RowKey>),
}

impl Step {
    pub(super) fn is_nothing(&self) -> bool {
        match self {
            Self::Put(rows) => rows.is_empty(),
            Self::Remove(_, keys) => keys.is_empty(),
        }
    }

    pub(super) async fn take(&self, unit: &mut dyn UnitOfWork) -> Result<()> {
        match self {
            Self::Put(rows) => unit.archive().put(rows).await,
            Self::Remove(RowKind::Event, keys) if !keys.is_empty() => Err(Error::refused(
                "the target holds audit events that the source does not have; begin with a new, empty database",
            )),
            Self::Remove(kind, keys) => unit.archive().remove(*kind, keys).await,
        }
    }
}

impl Merged {
    /// Whether anything has to be put.
    pub(super) fn has_news(&self) -> bool {
        !self.missing.is_empty() || !self.different.is_empty()
    }

    /// Out of the way with what is gone or holds something unique that another
    /// row may be about to get.
    pub(super) fn clear(&self, kind: RowKind) -> [Step; 2] {
        let mut keys: Vec<_> = self.gone.iter().map(Row::key).collect();
        let mut parked = Vec::new();
        for (new, old) in &self.different {
            match (new, old) {
                (Row::User(new), Row::User(old)) if is_called_otherwise(new, old) => {
                    parked.extend(parked_user(old).map(Row::User));
                }
                (Row::Application(new), Row::Application(old)) if is_known_otherwise(new, old) => {
                    keys.push(RowKey::Id(old.id.as_uuid()));
                }
                (Row::Record(new), Row::Record(old)) if new.key != old.key => {
                    keys.push(RowKey::Id(old.id.as_uuid()));
                }
                (Row::Session(new), Row::Session(old)) if new.token_hash != old.token_hash => {
                    keys.push(RowKey::Id(old.id.as_uuid()));
                }
                (Row::Event(_), Row::Event(old)) => keys.push(RowKey::Id(old.id.as_uuid())),
                _ => {}
            }
        }
        [Step::Remove(kind, keys), Step::Put(parked)]
    }

    /// What is missing or differs, as it has to be.
    pub(super) fn news(self) -> Step {
        let different = self.different.into_iter().map(|(new, _)| new);
        Step::Put(self.missing.into_iter().chain(different).collect())
    }
}

fn is_called_otherwise(new: &User, old: &User) -> bool {
    let address = |user: &User| user.email.clone().filter(|_| user.email_verified);
    new.user_name.key() != old.user_name.key() || address(new) != address(old)
}

fn is_known_otherwise(new: &Application, old: &Application) -> bool {
    new.name.key() != old.name.key() || new.audience != old.audience
}

/// A user under a name that nobody else has and without an address, so that
/// whoever gets the name or the address now can be put before or after it.
fn parked_user(user: &User) -> Option<User> {
    let name = parked_name(&user.id);
    Some(User {
        user_name: UserName::new(&name).ok()?,
        email: None,
        email_verified: false,
        ..user.clone()
    })
}

/// A name for the time of a copy.
pub(super) fn parked_name(id: &impl ToString) -> String {
    format!("~copy {}", id.to_string())
}
