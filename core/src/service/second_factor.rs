//! Who has to have a second factor, who may set one up, and which there are.

use jiff::Timestamp;

use super::{Offers, OwnRule, not_offered};
use crate::{
    Error, ErrorKind, Platform, Result,
    model::{SecondFactorRule, TenantId, User, UserId},
    provider::Configured,
    storage::{Scope, UnitOfWork},
};

/// Since when a second factor is demanded of this user: not at all, from a moment
/// that is still to come, or now. In a unit of the user's tenant.
pub(crate) async fn demanded_from(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    user: &User,
) -> Result<Option<Option<Timestamp>>> {
    let own = rule(platform, unit, user.id).await?;
    Ok((own.rule == SecondFactorRule::Required).then_some(own.due))
}

/// What holds for the second factor of a user.
pub(super) async fn rule_of(
    platform: &Platform,
    tenant: TenantId,
    user: UserId,
) -> Result<OwnRule> {
    let mut unit = platform.read(Scope::Tenant(tenant)).await?;
    let own = rule(platform, unit.as_mut(), user).await?;
    unit.rollback().await?;
    Ok(own)
}

/// The same, in a unit of the user's tenant.
async fn rule(platform: &Platform, unit: &mut dyn UnitOfWork, user: UserId) -> Result<OwnRule> {
    let Scope::Tenant(tenant) = unit.scope() else {
        return Err(Error::internal("a user outside a tenant"));
    };
    let settings = platform.effective_settings(unit, tenant).await?;
    let differs = settings.second_factor_rule(true) != settings.second_factor_rule(false);
    let is_administrator = differs && !unit.users().grants(user).await?.is_empty();
    let rule = settings.second_factor_rule(is_administrator);
    let from = settings.second_factor_required_from;
    let is_to_come = |from: &Timestamp| platform.now() < *from;
    let is_required = rule == SecondFactorRule::Required;
    Ok(OwnRule {
        rule,
        due: from.filter(is_to_come).filter(|_| is_required),
    })
}

/// Refuses to set up what is not offered. Whoever has set a second factor up may change
/// it.
pub(crate) async fn ensure_offered(
    platform: &Platform,
    (tenant, user): (TenantId, UserId),
    target: &Configured,
) -> Result<()> {
    let mut unit = platform.read(Scope::Tenant(tenant)).await?;
    let own = rule(platform, unit.as_mut(), user).await?;
    let offers = Offers::within(platform, unit.as_mut()).await?;
    let has_one = has_set_up(platform, unit.as_mut(), user, target).await?;
    unit.rollback().await?;
    if has_one {
        return Ok(());
    }
    if target.description.only_confirms() && own.rule == SecondFactorRule::Off {
        return Err(Error::new(
            ErrorKind::Denied,
            "this organisation offers no second factors",
        ));
    }
    match offers.include(target) {
        true => Ok(()),
        false => Err(not_offered()),
    }
}

/// Whether somebody has set up a provider that only confirms sign-ins: it goes on to be
/// asked for where it is not offered any more, so that no account gets weaker.
pub(crate) async fn has_set_up(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    user: UserId,
    configured: &Configured,
) -> Result<bool> {
    if !configured.description.only_confirms() {
        return Ok(false);
    }
    let records = unit.records().by_user(&configured.id, user).await?;
    let now = platform.now();
    Ok(records.iter().any(|record| !record.is_expired_at(now)))
}
