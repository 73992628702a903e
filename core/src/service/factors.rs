//! What of a user's ways to sign in can be removed: second factors and linked
//! identities, by an administrator and by their owner.

use super::{
    Accounts, OwnRule, ProviderCall, SignInMethod, Users, apply_effects, end_sessions,
    forget_devices,
    identities::{find_link, has_other_way_in},
    second_factor::{demanded_from, rule_of},
    users::{changed, held, refuse_self},
};
use crate::{
    Error, ErrorKind, Platform, Result,
    access::{Caller, action},
    model::{EndReason, ProviderId, RecordId, Tenant, TenantId, User, UserId},
    platform::AuditEventExt,
    provider::{Configured, Credential, Effect, Enrolment, Intent},
    storage::{Scope, SessionFilter, UnitOfWork},
};

impl Users<'_> {
    /// What a user has set up only to confirm sign-ins, in the configured order
    /// of the providers; those of which nothing is set up are left out.
    ///
    /// # Errors
    /// As [`Users::read`], and what providers say.
    pub async fn factors(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: UserId,
    ) -> Result<Vec<SignInMethod>> {
        self.read(caller, tenant, id).await?;
        let of = owner(self.0, tenant, id).await?;
        factors_of(self.0, &of).await
    }

    /// What holds for a user's second factor.
    ///
    /// # Errors
    /// As [`Users::read`].
    pub async fn second_factor_rule(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: UserId,
    ) -> Result<OwnRule> {
        self.read(caller, tenant, id).await?;
        rule_of(self.0, tenant, id).await
    }

    /// Removes one of them, for somebody who lost it. The user's sessions end, and
    /// sign-ins under way come to nothing.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] when the user has no such factor;
    /// [`crate::ErrorKind::Refused`] for a factor of one's own, which is proven
    /// before it is removed, on the account page.
    pub async fn remove_factor(
        &self,
        caller: &Caller,
        (tenant, id): (TenantId, UserId),
        factor: RecordId,
    ) -> Result<()> {
        let action = action::USER_REMOVE_FACTOR;
        self.authorise_for(caller, action, tenant, id).await?;
        refuse_self(caller, tenant, id, "removes a factor of")?;
        self.take_away(caller, action, (tenant, id), factor).await
    }

    /// Unlinks an identity at a third party. The user's sessions end, and sign-ins under
    /// way come to nothing.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] when the user has no such link;
    /// [`crate::ErrorKind::Refused`] for one of one's own, and for the last way to sign
    /// in.
    pub async fn unlink_identity(
        &self,
        caller: &Caller,
        (tenant, id): (TenantId, UserId),
        link: RecordId,
    ) -> Result<()> {
        let action = action::USER_UNLINK_IDENTITY;
        self.authorise_for(caller, action, tenant, id).await?;
        refuse_self(caller, tenant, id, "unlinks an identity of")?;
        self.take_away(caller, action, (tenant, id), link).await
    }

    async fn take_away(
        &self,
        caller: &Caller,
        action: &'static str,
        (tenant, id): (TenantId, UserId),
        factor: RecordId,
    ) -> Result<()> {
        let of = owner(self.0, tenant, id).await?;
        let unlinks = action == action::USER_UNLINK_IDENTITY;
        let missing = || match unlinks {
            true => Error::not_found("linked identity"),
            false => no_factor(),
        };
        let found = match find_factor(self.0, &of, factor).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(missing()),
            found => found?,
        };
        if found.enrolment.is_none() != unlinks {
            return Err(missing());
        }
        let (provider, effects) = (&found.configured.id, found.removal().await?);
        let mut unit = self.0.write(Scope::Tenant(tenant)).await?;
        let place = (tenant, id);
        let mut user = held(unit.as_mut(), place, None).await?;
        self.still_allowed(caller, action, unit.as_mut(), place)
            .await?;
        let still = unit.records().by_id(provider, factor).await?;
        still.ok_or_else(missing)?;
        // An administrator may leave somebody without a second factor, who then sets
        // another one up, but not without a way in.
        if unlinks && !has_other_way_in(self.0, unit.as_mut(), &user, factor).await? {
            return Err(last_way_in());
        }
        let place = (tenant, Some(id));
        apply_effects(self.0, unit.as_mut(), provider, place, &effects).await?;
        // What was proven with it no longer counts.
        user.credential_epoch += 1;
        unit.users().update(&user).await?;
        let all = SessionFilter {
            user: Some(id),
            ..SessionFilter::default()
        };
        forget_devices(self.0, unit.as_mut(), id).await?;
        end_sessions(self.0, unit.as_mut(), &all, EndReason::CredentialChanged).await?;
        let event = self
            .0
            .event(caller, Some(tenant), action)
            .about(id)
            .changing("provider", Some(provider.to_string()), None)
            .changing("label", Some(found.credential.label.clone()), None);
        unit.audit().append(&event).await?;
        self.0.commit(unit, &[changed(tenant, id)]).await
    }
}

impl Accounts<'_> {
    /// What the caller has set up only to confirm sign-ins. It is removed in a flow
    /// that asks for a proof first, begun with [`Intent::Remove`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unauthenticated`], and what storage and providers say.
    pub async fn factors(&self, caller: &Caller) -> Result<Vec<SignInMethod>> {
        let of = self.own(caller).await?;
        factors_of(self.0, &of).await
    }
}

/// A second factor or linked identity of somebody.
pub(crate) struct Factor<'a> {
    platform: &'a Platform,
    owner: &'a (Tenant, User),
    /// Who set it up; nobody did for a link, which is the engine's.
    enrolment: Option<&'a dyn Enrolment>,
    /// Its provider.
    pub(crate) configured: &'a Configured,
    /// It.
    pub(crate) credential: Credential,
}

impl Factor<'_> {
    /// The effects that remove it.
    pub(crate) async fn removal(&self) -> Result<Vec<Effect>> {
        let call = call(self.platform, self.configured, self.owner);
        let record = self.credential.id;
        match self.enrolment {
            Some(enrolment) => enrolment.remove(&call.context(), record).await,
            None => Ok(vec![Effect::Remove { record }]),
        }
    }
}

/// A second factor or linked identity of `owner`; [`crate::ErrorKind::NotFound`] when
/// there is none. No unit of work may be open meanwhile.
pub(crate) async fn find_factor<'a>(
    platform: &'a Platform,
    owner: &'a (Tenant, User),
    id: RecordId,
) -> Result<Factor<'a>> {
    for (configured, enrolment) in removable(platform) {
        let call = call(platform, configured, owner);
        let listed = enrolment.list(&call.context()).await?;
        if let Some(credential) = listed.into_iter().find(|listed| listed.id == id) {
            return Ok(Factor {
                platform,
                owner,
                enrolment: Some(enrolment),
                configured,
                credential,
            });
        }
    }
    let mut unit = platform.read(Scope::Tenant(owner.0.id)).await?;
    let link = find_link(platform, unit.as_mut(), owner.1.id, id).await?;
    unit.rollback().await?;
    let (configured, credential) = link.ok_or_else(no_factor)?;
    Ok(Factor {
        platform,
        owner,
        enrolment: None,
        configured,
        credential,
    })
}

/// Why a user's way to sign in may not be removed, in a unit of the tenant; a word for
/// the audit log.
pub(crate) async fn in_the_way(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    user: &User,
    (configured, id): (&Configured, RecordId),
) -> Result<Option<&'static str>> {
    if configured.description.third_party {
        let stays = has_other_way_in(platform, unit, user, id).await?;
        return Ok((!stays).then_some("last_way_in"));
    }
    let last = is_last_required(platform, unit, user, id).await?;
    Ok(last.then_some("second_factor_required"))
}

/// The provider of a second factor or linked identity that its owner may remove.
///
/// # Errors
/// [`crate::ErrorKind::NotFound`] when there is none, [`crate::ErrorKind::Refused`] for
/// the last one of who has to have one, and for the last way to sign in.
pub(crate) async fn ensure_removable(
    platform: &Platform,
    (tenant, user): (TenantId, UserId),
    factor: RecordId,
) -> Result<ProviderId> {
    let owner = owner(platform, tenant, user).await?;
    let found = find_factor(platform, &owner, factor).await?;
    let mut unit = platform.read(Scope::Tenant(tenant)).await?;
    let what = (found.configured, factor);
    let obstacle = in_the_way(platform, unit.as_mut(), &owner.1, what).await?;
    unit.rollback().await?;
    match obstacle {
        Some(_) if found.enrolment.is_none() => Err(last_way_in()),
        Some(_) => Err(Error::refused(
            "a second factor is required here; set another one up before removing this one",
        )),
        None => Ok(found.configured.id.clone()),
    }
}

/// Whether this is the last second factor of a user who has to have one now, in a
/// unit of the user's tenant. What only stands in for others never is.
async fn is_last_required(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    user: &User,
    factor: RecordId,
) -> Result<bool> {
    if demanded_from(platform, unit, user).await? != Some(None) {
        return Ok(false);
    }
    let (mut is_one, mut others) = (false, 0);
    for configured in platform.providers().factors_to_add() {
        for record in unit.records().by_user(&configured.id, user.id).await? {
            let counts = !record.is_expired_at(platform.now());
            is_one |= record.id == factor;
            others += usize::from(counts && record.id != factor);
        }
    }
    Ok(is_one && others == 0)
}

fn last_way_in() -> Error {
    Error::refused(
        "this is the only way to sign in that is left; set up another one before removing it",
    )
}

pub(crate) fn no_factor() -> Error {
    Error::not_found("second factor")
}

async fn factors_of(platform: &Platform, owner: &(Tenant, User)) -> Result<Vec<SignInMethod>> {
    let mut factors = Vec::new();
    for (configured, enrolment) in removable(platform) {
        let call = call(platform, configured, owner);
        let credentials = enrolment.list(&call.context()).await?;
        if !credentials.is_empty() {
            factors.push(SignInMethod::new(configured, credentials));
        }
    }
    Ok(factors)
}

/// The providers that only confirm sign-ins, and that people set up. What can
/// start one is not removed: it could be the last way in.
fn removable(platform: &Platform) -> impl Iterator<Item = (&Configured, &dyn Enrolment)> {
    platform.providers().providers().filter_map(|configured| {
        let description = &configured.description;
        let enrolment = configured.provider.enrolment();
        Some((
            configured,
            enrolment.filter(|_| description.only_confirms())?,
        ))
    })
}

async fn owner(platform: &Platform, tenant: TenantId, id: UserId) -> Result<(Tenant, User)> {
    let mut unit = platform.read(Scope::Tenant(tenant)).await?;
    let tenant = unit.tenants().by_id(tenant).await?;
    let user = unit.users().by_id(id).await?;
    unit.rollback().await?;
    tenant.zip(user).ok_or_else(|| Error::not_found("user"))
}

fn call<'a>(
    platform: &'a Platform,
    configured: &Configured,
    (tenant, user): &(Tenant, User),
) -> ProviderCall<'a> {
    ProviderCall::new(platform, &configured.id, Intent::Enrol)
        .in_tenant(Some(tenant))
        .of_user(user)
}
