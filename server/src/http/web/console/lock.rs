//! The lock of a user or tenant: how it stands, and the form for a new one.

use std::time::Duration;

use gatelodge_core::{environment::later, model::Lock, service::NewLock};

use super::{Redo, redo};
use crate::{
    http::web::{forms::Rejected, problem::PageProblem, visit::Visit},
    pages::views::{Field, FieldKind, FormCard, LockBlock, LockState},
};

/// The id of the form's card.
pub(super) const CARD: &str = "lock-form";

const HOUR: u64 = 60 * 60;
/// What can be chosen, and how long it is.
const DURATIONS: [(&str, Option<u64>); 5] = [
    ("unlimited", None),
    ("1h", Some(HOUR)),
    ("1d", Some(24 * HOUR)),
    ("7d", Some(7 * 24 * HOUR)),
    ("30d", Some(30 * 24 * HOUR)),
];

/// How the lock of what lies at `path` stands; nothing where it is open and the
/// viewer may not lock it. `kind` chooses the words: `user` or `tenant`.
pub(super) fn block(
    visit: &Visit,
    (path, kind): (&str, &str),
    lock: Option<&Lock>,
    may: bool,
    again: &Redo,
) -> Result<Option<LockBlock>, PageProblem> {
    let now = visit.platform().now();
    let state = match lock.filter(|lock| lock.holds_at(now)) {
        Some(lock) => LockState::Locked {
            reason: lock.reason.clone(),
            until: lock.until.map(|until| visit.time(until)).transpose()?,
            unlock: may.then(|| visit.post(&format!("{path}/unlock"))),
        },
        None if may => LockState::Unlocked {
            form: form(visit, (path, kind), again)?,
        },
        None => return Ok(None),
    };
    Ok(Some(LockBlock {
        text: Some(visit.t(&format!("console.lock.{kind}.text"))?),
        state,
    }))
}

fn form(visit: &Visit, (path, kind): (&str, &str), again: &Redo) -> Result<FormCard, PageProblem> {
    let reason = Field::new(
        FieldKind::Text,
        "reason",
        visit.t("console.lock.reason.label")?,
    )
    .optional()
    .help(visit.t("console.lock.reason.help")?);
    let label = visit.t("console.lock.duration")?;
    let mut duration = Field::new(FieldKind::Choice, "duration", label).value("unlimited");
    for (value, _) in DURATIONS {
        let label = visit.t(&format!("console.lock.duration.{value}"))?;
        duration = duration.option(value, label);
    }
    let keep = visit.t("console.lock.keep_sessions")?;
    let keep = Field::new(FieldKind::Checkbox, "keep_sessions", keep);
    let post = visit.post(&format!("{path}/lock"));
    let submit = visit.t(&format!("console.lock.{kind}.submit"))?;
    let mut card = FormCard {
        fields: vec![reason, duration, keep],
        ..FormCard::new(CARD, visit.t("console.lock.title")?, post, submit)
    };
    redo(visit, again, &mut card)?;
    Ok(card)
}

/// The lock that a form asks for.
pub(super) fn asked(visit: &Visit) -> Result<NewLock, Rejected> {
    let chosen = visit.fields.text("duration").unwrap_or("unlimited");
    let known = DURATIONS.iter().find(|(value, _)| *value == chosen);
    let (_, seconds) = known.ok_or_else(|| {
        Rejected::about("duration", "choose one of the offered values".to_owned())
    })?;
    let now = visit.platform().now();
    Ok(NewLock {
        reason: visit.fields.filled("reason").map(str::to_owned),
        until: seconds.map(|seconds| later(now, Duration::from_secs(seconds))),
        keep_sessions: visit.fields.ticked("keep_sessions"),
    })
}
