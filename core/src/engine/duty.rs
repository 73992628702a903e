//! The duty to change a credential: why, until when it may wait, and putting it off.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Claimed, Progress,
    advance::Write,
    answer::{Attempt, error},
    flow::{Flow, Phase},
};
use crate::{
    Result,
    model::{MustChange, ProviderId, User},
    provider::{Action, ActionStyle, Form, Purpose, Renewal},
};

/// The button that puts the duty off, as long as it may wait.
const LATER: &str = "later";

/// A credential that has to be changed before a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Duty {
    /// Whose credential it is; `None`: the one that the sign-in started with, or
    /// whatever can be set up.
    pub(crate) provider: Option<ProviderId>,
    /// Why; `None` when the person asked for it.
    pub(crate) reason: Option<MustChange>,
    /// The first moment at which it may not wait any longer; `None`: it may not.
    pub(crate) due: Option<Timestamp>,
}

impl Duty {
    /// What follows from a proof that was good only for this.
    pub(crate) fn to_get_back() -> Self {
        Self {
            provider: None,
            reason: None,
            due: None,
        }
    }

    pub(crate) fn may_wait(&self, now: Timestamp) -> bool {
        self.due.is_some_and(|due| now < due)
    }
}

impl Flow {
    /// Notes what a proof by this provider is good for only once it is changed.
    pub(super) fn owe(&mut self, by: &ProviderId, purpose: Purpose, renewal: Option<Renewal>) {
        match (purpose, renewal) {
            (Purpose::NewCredential, _) => self.renewals.push(Duty::to_get_back()),
            (Purpose::SignIn, Some(renewal)) => self.renewals.push(Duty {
                provider: Some(by.clone()),
                reason: Some(renewal.reason),
                due: renewal.due,
            }),
            (Purpose::SignIn | Purpose::Mailbox, _) => {}
        }
    }

    /// Notes that a credential was set up by this provider, where `due` is whose
    /// it was where no duty names one.
    pub(super) fn settle(&mut self, by: &ProviderId, due: Option<&ProviderId>) {
        self.renewals
            .retain(|duty| duty.provider.as_ref().or(due) != Some(by));
    }

    /// Forgets what may wait.
    pub(super) fn put_off(&mut self, now: Timestamp) {
        self.renewals.retain(|duty| !duty.may_wait(now));
    }
}

/// What has to be changed first: what an administrator demands before what a
/// provider does, and what may not wait before what may.
pub(crate) fn duty(flow: &Flow, user: &User, now: Timestamp) -> Option<Duty> {
    if let Some(reason) = user.must_change {
        return Some(Duty {
            reason: Some(reason),
            ..Duty::to_get_back()
        });
    }
    let mut renewals = flow.renewals.iter();
    let overdue = renewals.clone().find(|duty| !duty.may_wait(now));
    overdue.or_else(|| renewals.next()).cloned()
}

/// Says in a form why a credential is changed, and adds the button to put it off.
pub(crate) fn explain(form: &mut Form, duty: Option<&Duty>) {
    if form.message.is_none() {
        form.message = Some(words(duty));
    }
    if duty.is_some_and(|duty| duty.due.is_some()) {
        form.actions.push(Action {
            id: LATER.to_owned(),
            label: "Not now".to_owned(),
            style: ActionStyle::Secondary,
        });
    }
}

fn words(duty: Option<&Duty>) -> String {
    let choose = "Choose a new one before you go on.";
    let Some(reason) = duty.and_then(|duty| duty.reason) else {
        return "Choose a new password before you go on.".to_owned();
    };
    if let Some(due) = duty.and_then(|duty| duty.due) {
        let day = due.strftime("%-d %B %Y");
        return format!(
            "Your password has to be changed by {day} (UTC). Change it now, or go on and do it later."
        );
    }
    match reason {
        MustChange::Compromised => {
            format!("Your password may be known to somebody else. {choose}")
        }
        MustChange::Administrator => {
            format!("Your administrator asks for another password than the present one. {choose}")
        }
        MustChange::Age => format!("Your password is older than the rules here allow. {choose}"),
    }
}

impl Attempt<'_> {
    /// Whether this button puts the open duty off.
    pub(super) fn puts_off(&self, action: &str) -> bool {
        let flow = &self.found.flow;
        let offered = flow.duty.as_ref().is_some_and(|duty| duty.due.is_some());
        flow.phase == Phase::ChangeCredential && offered && action == LATER
    }

    /// Goes on without the change, if it may still wait.
    pub(super) async fn put_off(mut self) -> Result<Progress> {
        self.claim_known().await?;
        let Claimed::User(found) = &self.claimed else {
            return Ok(self.invalid(vec![error("action", "unknown", "There is no such button.")]));
        };
        let place = (found.0.id, found.1.id);
        self.write(place, Write::PutOff, Vec::new()).await
    }
}
