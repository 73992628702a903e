//! The second factors of a user, as an administrator sees and removes them.

use super::{
    ProviderCall, SignInMethod, Users, apply_effects, end_sessions, forget_devices,
    users::{changed, held, refuse_self},
};
use crate::{
    Error, Platform, Result,
    access::{Caller, action},
    model::{EndReason, RecordId, Tenant, TenantId, User, UserId},
    platform::AuditEventExt,
    provider::{Configured, Enrolment, Intent},
    storage::{Scope, SessionFilter},
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
        let mut factors = Vec::new();
        for (configured, enrolment) in removable(self.0) {
            let call = call(self.0, configured, &of);
            let credentials = enrolment.list(&call.context()).await?;
            if !credentials.is_empty() {
                factors.push(SignInMethod {
                    provider: configured.id.clone(),
                    kind: configured.description.kind.clone(),
                    label: configured.description.label.clone(),
                    credentials,
                });
            }
        }
        Ok(factors)
    }

    /// Removes one of them, for somebody who lost it. The user's sessions end,
    /// and sign-ins under way come to nothing.
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
        let of = owner(self.0, tenant, id).await?;
        let mut found = None;
        for (configured, enrolment) in removable(self.0) {
            let call = call(self.0, configured, &of);
            let listed = enrolment.list(&call.context()).await?;
            if let Some(credential) = listed.into_iter().find(|listed| listed.id == factor) {
                let effects = enrolment.remove(&call.context(), factor).await?;
                found = Some((&configured.id, credential.label, effects));
                break;
            }
        }
        let (provider, label, effects) = found.ok_or_else(no_factor)?;
        let mut unit = self.0.write(Scope::Tenant(tenant)).await?;
        let place = (tenant, id);
        let mut user = held(unit.as_mut(), place, None).await?;
        self.still_allowed(caller, action, unit.as_mut(), place)
            .await?;
        let still = unit.records().by_id(provider, factor).await?;
        still.ok_or_else(no_factor)?;
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
            .changing("label", Some(label), None);
        unit.audit().append(&event).await?;
        self.0.commit(unit, &[changed(tenant, id)]).await
    }
}

fn no_factor() -> Error {
    Error::not_found("second factor")
}

/// The providers that only confirm sign-ins, and that people set up. What can
/// start one is not removed: it could be the last way in.
fn removable(platform: &Platform) -> impl Iterator<Item = (&Configured, &dyn Enrolment)> {
    platform.providers().providers().filter_map(|configured| {
        let description = &configured.description;
        let only_confirms = description.second_factor && !description.first_step;
        let enrolment = configured.provider.enrolment();
        Some((configured, enrolment.filter(|_| only_confirms)?))
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
