//! The duty to change a credential, as an administrator gives it to somebody.

use super::{
    Offers, Users,
    devices::forget_devices,
    end_sessions,
    users::{changed, held},
};
use crate::{
    Error, Result,
    access::{Caller, action},
    model::{EndReason, MustChange, TenantId, User, UserId},
    platform::AuditEventExt,
    storage::{Scope, SessionFilter},
};

impl Users<'_> {
    /// Lets a user choose a new credential at the next sign-in, after everything
    /// else that is demanded was proven. Whoever demands it neither sees nor
    /// chooses it. What was demanded before gives way; it is not taken back but
    /// by the change.
    ///
    /// With [`MustChange::Compromised`] all sessions of the user end, and sign-ins
    /// under way come to nothing.
    ///
    /// # Errors
    /// * [`crate::ErrorKind::Invalid`] about `reason` for [`MustChange::Age`],
    ///   which only the provider of a credential can tell.
    /// * [`crate::ErrorKind::Unsupported`] when the tenant offers nothing that people
    ///   sign in with and change by themselves.
    /// * [`crate::ErrorKind::Conflict`] for a stale version.
    pub async fn require_change(
        &self,
        caller: &Caller,
        (tenant, id): (TenantId, UserId),
        version: Option<i64>,
        reason: MustChange,
    ) -> Result<User> {
        let action = action::USER_REQUIRE_CHANGE;
        self.authorise_for(caller, action, tenant, id).await?;
        self.ensure_demandable(tenant, reason).await?;
        let compromised = reason == MustChange::Compromised;
        let mut unit = self.0.write(Scope::Tenant(tenant)).await?;
        let place = (tenant, id);
        let mut user = held(unit.as_mut(), place, version).await?;
        self.still_allowed(caller, action, unit.as_mut(), place)
            .await?;
        let old = user.must_change.replace(reason);
        if old == Some(reason) && !compromised {
            unit.rollback().await?;
            return Ok(user);
        }
        if compromised {
            // What was proven with it no longer counts.
            user.credential_epoch += 1;
            let all = SessionFilter {
                user: Some(id),
                ..SessionFilter::default()
            };
            let reason = EndReason::CredentialChanged;
            end_sessions(self.0, unit.as_mut(), &all, reason).await?;
            forget_devices(self.0, unit.as_mut(), id).await?;
        }
        let user = unit.users().update(&user).await?;
        let name = |reason: MustChange| reason.as_str().to_owned();
        let event = self
            .0
            .event(caller, Some(tenant), action)
            .about(id)
            .changing("must_change", old.map(name), Some(name(reason)));
        unit.audit().append(&event).await?;
        self.0.commit(unit, &[changed(tenant, id)]).await?;
        Ok(user)
    }

    async fn ensure_demandable(&self, tenant: TenantId, reason: MustChange) -> Result<()> {
        if reason == MustChange::Age {
            let message = "expected `compromised` or `administrator`: how old a credential may be is \
                           a rule of its provider";
            return Err(Error::invalid("reason", message));
        }
        let offers = Offers::read(self.0, Some(tenant)).await?;
        if offers
            .providers()
            .any(|c| c.description.enrolment && c.description.first_step)
        {
            return Ok(());
        }
        Err(Error::new(
            crate::ErrorKind::Unsupported,
            "nothing that is offered here lets people change what they sign in with",
        ))
    }
}
