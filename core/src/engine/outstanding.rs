//! What has to be proven or done before a session: asked anew in the very
//! transaction that would write it, from the stored state and the flow's
//! proofs alone. This is the one place that lets a flow end.

use super::flow::{Flow, Phase};
use crate::{
    Platform, Result,
    model::{ProviderId, User},
    provider::{Configured, Intent},
    storage::UnitOfWork,
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
    // What somebody set up only to confirm sign-ins is demanded; what can also
    // start one is an alternative, and asked for only to make up two factors.
    // What stands in for another one demands nothing, but satisfies the demand.
    let demanded = enrolled.iter().any(|configured| {
        let description = &configured.description;
        !description.first_step && !description.backup
    });
    if demanded && !enrolled.iter().any(|configured| is_confirmed(configured)) {
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
    if user.must_change.is_some() {
        return Ok(match changeable(platform, flow) {
            Some(_) => Next::Do(Phase::ChangeCredential),
            None => Next::Impossible("credential_cannot_be_changed"),
        });
    }
    let is_set_up = |target| flow.set_up.contains(target);
    if flow.intent == Intent::Enrol && !flow.target.as_ref().is_some_and(is_set_up) {
        return Ok(Next::Do(Phase::Enrol));
    }
    Ok(Next::Session)
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

/// The provider whose credential is changed by duty: the one that the sign-in
/// started with, else the first that people set up for themselves.
pub(crate) fn changeable<'a>(platform: &'a Platform, flow: &Flow) -> Option<&'a Configured> {
    let can = |configured: &&Configured| {
        configured.description.enrolment && configured.description.first_step
    };
    let first = flow.proofs.iter().find(|proof| proof.first)?;
    platform
        .providers()
        .provider(&first.factor.provider)
        .filter(can)
        .or_else(|| platform.providers().providers().find(can))
}
