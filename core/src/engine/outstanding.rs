//! What has to be proven or done before a session: asked anew in the very
//! transaction that would write it, from the stored state and the flow's
//! proofs alone. This is the one place that lets a flow end.

use super::{
    duty::{Duty, duty},
    flow::{Flow, Phase},
};
use crate::{
    Error, Platform, Result,
    model::{ProviderId, User},
    provider::{Configured, Intent, LinkPurpose},
    storage::{Scope, UnitOfWork},
};

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// This has to be done first.
    Do(Phase),
    /// Nothing: the session can begin.
    Session,
    /// Something is demanded that this user cannot do; a word for the audit log.
    Impossible(&'static str),
}

pub(crate) async fn outstanding(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    flow: &Flow,
    user: &User,
) -> Result<Next> {
    let Some(first) = flow.proofs.iter().find(|proof| proof.first) else {
        return Ok(Next::Do(Phase::First));
    };
    let enrolled = second_factors(platform, unit, user, &first.factor.provider).await?;
    // Whoever has just set a factor up is not asked for it again. It is no proof
    // for all that: everything demanded was proven before.
    let is_confirmed = |configured: &Configured| {
        let mut proofs = flow.proofs.iter();
        proofs.any(|proof| proof.factor.provider == configured.id)
            || flow.set_up.contains(&configured.id)
    };
    let demanded = demanded(&enrolled);
    if !demanded.is_empty() && !demanded.iter().any(|configured| is_confirmed(configured)) {
        return Ok(Next::Do(Phase::Second));
    }
    let classes = flow.classes();
    if flow.two_factors && classes.len() < 2 {
        let another = enrolled
            .iter()
            .any(|configured| !classes.contains(&configured.description.class));
        return Ok(if another {
            Next::Do(Phase::Second)
        } else {
            Next::Impossible("no_second_factor")
        });
    }
    let now = platform.now();
    if let Some(duty) = duty(flow, user, now) {
        match changeable(platform, flow, Some(&duty)) {
            _ if flow.is_silent() && duty.may_wait(now) => {}
            // A device shows too little to set a credential up with.
            _ if flow.is_silent() => return Ok(Next::Impossible("credential_change_due")),
            Some(_) => return Ok(Next::Do(Phase::ChangeCredential)),
            None if duty.may_wait(now) => {}
            None => return Ok(Next::Impossible("credential_cannot_be_changed")),
        }
    }
    let shows_mailbox = flow.intent == Intent::Verify && !flow.mailbox;
    if shows_mailbox || must_verify(platform, unit, user).await? {
        return Ok(match platform.providers().linker(LinkPurpose::Verify) {
            Some(_) => Next::Do(Phase::Verify),
            None => Next::Impossible("address_cannot_be_verified"),
        });
    }
    let is_set_up = |target| flow.set_up.contains(target);
    if flow.intent == Intent::Enrol && !flow.target.as_ref().is_some_and(is_set_up) {
        return Ok(Next::Do(Phase::Enrol));
    }
    Ok(Next::Session)
}

/// Whether the tenant lets nobody in whose address is not verified.
async fn must_verify(platform: &Platform, unit: &mut dyn UnitOfWork, user: &User) -> Result<bool> {
    if user.email.is_none() || user.email_verified {
        return Ok(false);
    }
    let Scope::Tenant(tenant) = unit.scope() else {
        return Err(Error::internal("a sign-in outside a tenant"));
    };
    let settings = platform.effective_settings(unit, tenant).await?;
    Ok(settings.registration_email_verified)
}

/// The second factors that the user has set up, without the one that the
/// sign-in started with.
pub(crate) async fn second_factors<'a>(
    platform: &'a Platform,
    unit: &mut dyn UnitOfWork,
    user: &User,
    first: &ProviderId,
) -> Result<Vec<&'a Configured>> {
    let mut enrolled = Vec::new();
    for configured in platform.providers().providers() {
        if !configured.description.second_factor || configured.id == *first {
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
/// for themselves.
pub(crate) fn changeable<'a>(
    platform: &'a Platform,
    flow: &Flow,
    duty: Option<&Duty>,
) -> Option<&'a Configured> {
    let can = |configured: &&Configured| {
        configured.description.enrolment && configured.description.first_step
    };
    let providers = platform.providers();
    if let Some(named) = duty.and_then(|duty| duty.provider.as_ref()) {
        return providers
            .provider(named)
            .filter(|c| c.description.enrolment);
    }
    let first = flow.proofs.iter().find(|proof| proof.first)?;
    providers
        .provider(&first.factor.provider)
        .filter(can)
        .or_else(|| providers.providers().find(can))
}
