//! What has to be set up or changed before a session: why, until when it may wait,
//! and putting it off.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Claimed, Progress,
    answer::Attempt,
    check::error,
    flow::{Flow, Phase},
    start::ensure_open,
    view::view,
    write::Write,
};
use crate::{
    Result,
    model::{MustChange, ProviderId, User},
    provider::{Action, ActionStyle, Form, Purpose, Renewal},
};

/// Who asks which second factor is set up.
pub(crate) const SECOND_FACTOR: &str = "duty:second-factor";
/// The button that puts the duty off, as long as it may wait.
const LATER: &str = "later";
/// The button that leads back to the choice of second factors.
const ANOTHER: &str = "another_way";

/// What has to be set up or changed before a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Duty {
    /// Whose credential it is; `None`: the one that the sign-in started with, or
    /// whatever can be set up.
    pub(crate) provider: Option<ProviderId>,
    /// Why; `None` when the person asked for it.
    pub(crate) reason: Option<DutyReason>,
    /// The first moment at which it may not wait any longer; `None`: it may not.
    pub(crate) due: Option<Timestamp>,
}

/// Why something has to be set up or changed before a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DutyReason {
    /// There is evidence that the credential is known to others.
    Compromised,
    /// An administrator set the credential or asked for the change.
    Administrator,
    /// The credential is older than the rules allow.
    Age,
    /// A second factor is required, and there is none.
    SecondFactorRequired,
}

impl From<MustChange> for DutyReason {
    fn from(reason: MustChange) -> Self {
        match reason {
            MustChange::Compromised => Self::Compromised,
            MustChange::Administrator => Self::Administrator,
            MustChange::Age => Self::Age,
        }
    }
}

impl Duty {
    /// To set a second factor up, from `due` on.
    pub(crate) fn to_add_factor(due: Option<Timestamp>) -> Self {
        Self {
            provider: None,
            reason: Some(DutyReason::SecondFactorRequired),
            due,
        }
    }

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
                reason: Some(renewal.reason.into()),
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

    /// Forgets what may wait, of the kind that is asked for now.
    pub(super) fn put_off(&mut self, now: Timestamp) {
        if self.phase == Phase::AddFactor {
            self.factor_put_off = true;
        } else {
            self.renewals.retain(|duty| !duty.may_wait(now));
        }
    }
}

/// What has to be changed first: what an administrator demands before what a
/// provider does, and what may not wait before what may.
pub(crate) fn duty(flow: &Flow, user: &User, now: Timestamp) -> Option<Duty> {
    if let Some(reason) = user.must_change {
        return Some(Duty {
            reason: Some(reason.into()),
            ..Duty::to_get_back()
        });
    }
    let mut renewals = flow.renewals.iter();
    let overdue = renewals.clone().find(|duty| !duty.may_wait(now));
    overdue.or_else(|| renewals.next()).cloned()
}

/// Says in a form why something is set up or changed, and adds the engine's buttons.
pub(crate) fn explain(form: &mut Form, flow: &Flow) {
    if form.message.is_none() {
        form.message = Some(words(flow.duty.as_ref()));
    }
    if flow.phase == Phase::AddFactor && flow.offers.len() > 1 {
        form.actions.push(button(ANOTHER, "Choose another way"));
    }
    form.actions.extend(later(flow));
}

/// The button that puts the open duty off, if it may wait.
pub(crate) fn later(flow: &Flow) -> Option<Action> {
    let may_wait = flow.duty.as_ref().is_some_and(|duty| duty.due.is_some());
    may_wait.then(|| button(LATER, "Not now"))
}

fn button(id: &str, label: &str) -> Action {
    Action {
        id: id.to_owned(),
        label: label.to_owned(),
        style: ActionStyle::Secondary,
    }
}

fn words(duty: Option<&Duty>) -> String {
    let choose = "Choose a new one before you go on.";
    let Some(reason) = duty.and_then(|duty| duty.reason) else {
        return "Choose a new password before you go on.".to_owned();
    };
    let due = duty.and_then(|duty| duty.due);
    if let Some(due) = due.filter(|_| reason != DutyReason::SecondFactorRequired) {
        let day = due.strftime("%-d %B %Y");
        return format!(
            "Your password has to be changed by {day} (UTC). Change it now, or go on and do it later."
        );
    }
    match reason {
        DutyReason::Compromised => {
            format!("Your password may be known to somebody else. {choose}")
        }
        DutyReason::Administrator => {
            format!("Your administrator asks for another password than the present one. {choose}")
        }
        DutyReason::Age => format!("Your password is older than the rules here allow. {choose}"),
        DutyReason::SecondFactorRequired => {
            "Set up a second way to confirm that it is you.".to_owned()
        }
    }
}

impl Attempt<'_> {
    /// Whether this button puts the open duty off.
    pub(super) fn puts_off(&self, action: &str) -> bool {
        let flow = &self.found.flow;
        let is_duty = matches!(flow.phase, Phase::ChangeCredential | Phase::AddFactor);
        is_duty && action == LATER && later(flow).is_some()
    }

    /// Whether this button leads back to the choice of second factors.
    pub(super) fn chooses_another(&self, action: &str) -> bool {
        let flow = &self.found.flow;
        flow.phase == Phase::AddFactor && flow.active.is_some() && action == ANOTHER
    }

    /// Goes back to the choice; what was begun is forgotten.
    pub(super) async fn choose_another(mut self) -> Result<Progress> {
        let flow = &mut self.found.flow;
        flow.go_to(self.platform.environment(), Phase::AddFactor);
        ensure_open(self.platform, &mut self.found, self.client).await?;
        Ok(Progress::Next {
            view: view(self.platform, &self.found),
            binding: None,
            hold_until: None,
        })
    }

    /// Goes on without it, if it may still wait.
    pub(super) async fn put_off(mut self) -> Result<Progress> {
        self.claim_known().await?;
        let Claimed::User(found) = &self.claimed else {
            return Ok(self.invalid(vec![error("action", "unknown", "There is no such button.")]));
        };
        let place = (found.0.id, found.1.id);
        self.write(place, Write::PutOff, Vec::new()).await
    }
}
