//! What has to be proven or done before a session: asked anew in the very
//! transaction that would write it, from the stored state and the flow's
//! proofs alone. This is the one place that lets a flow end.

use jiff::Timestamp;

use super::{
    duty::{Duty, duty},
    flow::{Flow, Phase},
};
use crate::{
    Platform, Result,
    model::{ProviderId, User},
    provider::{Configured, Intent, LinkPurpose},
    service::{Offers, demanded_from},
    storage::UnitOfWork,
};

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// This has to be done first.
    Do(Phase),
    /// This has to be set up or changed first.
    Duty(Phase, Duty),
    /// Nothing: the session can begin.
    Session,
    /// Something is demanded that this user cannot do; a word for the audit log.
    Impossible(&'static str),
}

pub(crate) async fn outstanding(
    (platform, offers): (&Platform, &Offers<'_>),
    unit: &mut dyn UnitOfWork,
    flow: &Flow,
    user: &User,
) -> Result<Next> {
    let Some(first) = flow.proofs.iter().find(|proof| proof.first) else {
        return Ok(Next::Do(Phase::First));
    };
    let rules = (platform, offers);
    let enrolled = second_factors(rules, unit, user, &first.factor.provider).await?;
    // Whoever has just set a factor up is not asked for it again. It is no proof
    // for all that: everything demanded was proven before.
    let is_confirmed = |configured: &Configured| {
        let mut proofs = flow.proofs.iter();
        proofs.any(|proof| proof.factor.provider == configured.id)
            || flow.set_up.contains(&configured.id)
    };
    let demanded = demanded(&enrolled);
    // Nor is whoever has just removed the one that was proven asked for another.
    let confirmed = flow.removed || demanded.iter().any(|configured| is_confirmed(configured));
    if !demanded.is_empty() && !confirmed {
        return Ok(Next::Do(Phase::Second));
    }
    let classes = flow.classes();
    if flow.two_factors && classes.len() < 2 {
        let another = enrolled
            .iter()
            .any(|configured| !classes.contains(&configured.description.class));
        if another {
            return Ok(Next::Do(Phase::Second));
        }
        // Where one has to be set up anyway, it is confirmed with afterwards.
        if !demanded.is_empty() || !is_due(platform, unit, user).await? {
            return Ok(Next::Impossible("no_second_factor"));
        }
    }
    let is_missing = demanded.is_empty();
    let now = platform.now();
    if let Some(duty) = duty(flow, user, now) {
        match changeable(offers, flow, Some(&duty)) {
            _ if flow.is_silent() && duty.may_wait(now) => {}
            // A device shows too little to set a credential up with.
            _ if flow.is_silent() => return Ok(Next::Impossible("credential_change_due")),
            Some(_) => return Ok(Next::Duty(Phase::ChangeCredential, duty)),
            None if duty.may_wait(now) => {}
            None => return Ok(Next::Impossible("credential_cannot_be_changed")),
        }
    }
    let shows_mailbox = flow.intent == Intent::Verify && !flow.mailbox;
    if shows_mailbox || must_verify(offers, user) {
        return Ok(match offers.linker(LinkPurpose::Verify) {
            Some(_) => Next::Do(Phase::Verify),
            None => Next::Impossible("address_cannot_be_verified"),
        });
    }
    let is_set_up = |target| flow.set_up.contains(target);
    if flow.intent == Intent::Enrol && !flow.target.as_ref().is_some_and(is_set_up) {
        return Ok(Next::Do(Phase::Enrol));
    }
    if flow.intent == Intent::Link && !flow.has_linked {
        return Ok(Next::Do(Phase::Link));
    }
    if flow.intent == Intent::Remove && !flow.removed {
        return Ok(Next::Do(Phase::RemoveFactor));
    }
    if is_missing && let Some(due) = demanded_from(platform, unit, user).await? {
        return Ok(missing_factor((platform, offers), flow, due));
    }
    Ok(Next::Session)
}

/// What follows for somebody who has no second factor and has to have one from
/// `due` on.
fn missing_factor(
    (platform, offers): (&Platform, &Offers<'_>),
    flow: &Flow,
    due: Option<Timestamp>,
) -> Next {
    let duty = Duty::to_add_factor(due);
    let may_wait = duty.may_wait(platform.now());
    // A device shows too little to set anything up with, and what is limited to one
    // page may not.
    let cannot_ask = flow.is_silent() || flow.scope.is_some();
    let signs_in = matches!(
        flow.intent,
        Intent::SignIn | Intent::SignUp | Intent::Recover
    );
    let can_be_set_up = offers.factors_to_add().next().is_some();
    match may_wait {
        true if cannot_ask || !signs_in || flow.factor_put_off || !can_be_set_up => Next::Session,
        false if cannot_ask => Next::Impossible("second_factor_due"),
        false if !can_be_set_up => Next::Impossible("second_factor_cannot_be_set_up"),
        true | false => Next::Duty(Phase::AddFactor, duty),
    }
}

/// Whether a second factor is required of this user now.
async fn is_due(platform: &Platform, unit: &mut dyn UnitOfWork, user: &User) -> Result<bool> {
    let due = demanded_from(platform, unit, user).await?;
    Ok(due.is_some_and(|due| due.is_none()))
}

/// Whether the tenant lets nobody in whose address is not verified.
fn must_verify(offers: &Offers<'_>, user: &User) -> bool {
    let is_unverified = user.email.is_some() && !user.email_verified;
    is_unverified && offers.settings.registration_email_verified
}

/// The second factors that the user has set up, without the one that the
/// sign-in started with. What only confirms sign-ins is among them where it is not
/// offered, too, so that no account gets weaker.
pub(crate) async fn second_factors<'a>(
    (platform, offers): (&'a Platform, &Offers<'_>),
    unit: &mut dyn UnitOfWork,
    user: &User,
    first: &ProviderId,
) -> Result<Vec<&'a Configured>> {
    let mut enrolled = Vec::new();
    for configured in platform.providers().providers() {
        let description = &configured.description;
        let counts = description.only_confirms() || offers.include(configured);
        if !description.second_factor || !counts || configured.id == *first {
            continue;
        }
        let records = unit.records().by_user(&configured.id, user.id).await?;
        if records
            .iter()
            .any(|record| !record.is_expired_at(platform.now()))
        {
            enrolled.push(configured);
        }
    }
    Ok(enrolled)
}

/// Those of a user's second factors of which one is asked for at every sign-in:
/// what somebody set up only to confirm sign-ins, and what stands in for it. What
/// can also start a sign-in is an alternative, and asked for only to make up two
/// factors; what only stands in for others demands nothing by itself.
pub(crate) fn demanded<'a>(enrolled: &[&'a Configured]) -> Vec<&'a Configured> {
    let confirms = enrolled.iter().copied();
    let confirms: Vec<_> = confirms.filter(|c| !c.description.first_step).collect();
    match confirms.iter().all(|c| c.description.backup) {
        true => Vec::new(),
        false => confirms,
    }
}

/// The provider whose credential is changed by duty: the one that the duty names,
/// else the one that the sign-in started with, else the first that people set up
/// for themselves; of those that are offered.
pub(crate) fn changeable<'a>(
    offers: &Offers<'a>,
    flow: &Flow,
    duty: Option<&Duty>,
) -> Option<&'a Configured> {
    let can = |configured: &&Configured| {
        configured.description.enrolment && configured.description.first_step
    };
    let offered = |id: &ProviderId| offers.providers().find(|configured| configured.id == *id);
    if let Some(named) = duty.and_then(|duty| duty.provider.as_ref()) {
        return offered(named).filter(|c| c.description.enrolment);
    }
    let first = flow.proofs.iter().find(|proof| proof.first)?;
    offered(&first.factor.provider)
        .filter(can)
        .or_else(|| offers.providers().find(can))
}
