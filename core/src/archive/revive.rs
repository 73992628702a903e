//! What a backup may bring back, and what not: nothing lets anybody in that did
//! not ask for it after the restore.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Contents, Header, PROGRAM};
use crate::{
    Environment,
    model::{
        Actor, AuditEvent, AuditEventId, ClientFacts, EndReason, FieldChange, Outcome, Session,
        SessionEnd, TenantId, User,
    },
    storage::{Row, RowKind},
    tokens::is_key_value,
};

/// What a restore brought back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Rows written, of each kind.
    pub rows: BTreeMap<RowKind, u64>,
    /// Rows of the backup that were left out: what expires, grants that a
    /// restore does not give, what is there already.
    pub left_out: u64,
    /// Sessions that had not ended and have now.
    pub sessions_ended: u64,
}

impl Restored {
    /// A row of a backup as it may be stored; `None` when it may not.
    pub(super) fn admit(&mut self, row: Row, header: &Header) -> Option<Row> {
        let admitted = match row {
            Row::Record(record) if record.expires_at.is_some() => None,
            Row::Value { name, value, .. } if is_open_door(&name, &value) => None,
            Row::Value { name, .. } if is_key_value(&name) => None,
            Row::User(user) => Some(Row::User(renewed(user))),
            Row::Session(session) if session.ended.is_none() => {
                self.sessions_ended += 1;
                Some(Row::Session(ended(session, header.made_at)))
            }
            other => Some(other),
        };
        if admitted.is_none() {
            self.left_out += 1;
        }
        admitted
    }

    /// Counts what was written.
    pub(super) fn count(&mut self, rows: &[Row]) {
        for row in rows {
            *self.rows.entry(row.kind()).or_default() += 1;
        }
    }

    /// The entry that records the restore.
    pub(super) fn event(
        &self,
        environment: &Environment,
        tenant: Option<TenantId>,
        contents: &Contents,
    ) -> AuditEvent {
        let numbers = self.rows.iter();
        let mut changes: Vec<_> = numbers
            .map(|(kind, rows)| change(kind.as_str(), rows))
            .collect();
        changes.push(change("left_out", self.left_out));
        changes.push(change("sessions_ended", self.sessions_ended));
        changes.push(change("made_at", contents.header.made_at));
        changes.push(change("program", PROGRAM));
        AuditEvent {
            id: AuditEventId::generate(environment),
            at: environment.now(),
            tenant,
            actor: Actor::Operator,
            action: "backup.restore".to_owned(),
            object_kind: "backup".to_owned(),
            object_id: Some(contents.sha256.clone()),
            outcome: Outcome::Success,
            reason: None,
            changes,
            client: ClientFacts::default(),
        }
    }
}

fn change(field: &str, new: impl ToString) -> FieldChange {
    FieldChange {
        field: field.to_owned(),
        old: None,
        new: Some(new.to_string()),
    }
}

/// Whether a value lets in whoever holds its token: the link of a set-up that
/// was not done. The server prints a new one when it starts.
fn is_open_door(name: &str, value: &[u8]) -> bool {
    let state = || serde_json::from_slice::<serde_json::Value>(value).ok();
    name == "set_up"
        && state().is_none_or(|state| state.get("state").is_none_or(|state| state != "done"))
}

/// A user to whom nothing is bound that was bound to the one in the backup.
fn renewed(user: User) -> User {
    User {
        credential_epoch: user.credential_epoch.saturating_add(1),
        version: user.version.saturating_add(1),
        ..user
    }
}

/// A session ends with the backup, if it had not timed out before.
fn ended(session: Session, made_at: Timestamp) -> Session {
    let (at, reason) = if session.is_valid_at(made_at) {
        (made_at, EndReason::Restored)
    } else {
        (session.ends_at(), EndReason::TimedOut)
    };
    Session {
        ended: Some(SessionEnd { at, reason }),
        ..session
    }
}
