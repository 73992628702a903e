//! Locking users of a tenant, and unlocking them.

use super::{
    NewLock, Users,
    users::{changed, end_all, held, refuse_self},
};
use crate::{
    Result,
    access::{Caller, action},
    limits::Lanes,
    model::{Lock, TenantId, User, UserId},
    platform::AuditEventExt,
    storage::Scope,
};

impl Users<'_> {
    /// Locks a user; locking again replaces reason and duration. The user's
    /// sessions end unless they are asked to go on.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Refused`] for oneself or the last administrator of the platform.
    pub async fn lock(
        &self,
        caller: &Caller,
        (tenant, id): (TenantId, UserId),
        lock: NewLock,
    ) -> Result<User> {
        self.authorise_for(caller, action::USER_LOCK, tenant, id)
            .await?;
        refuse_self(caller, tenant, id, "locks")?;
        let remains = self
            .0
            .administrator_remains(|t, u| (t, u) == (tenant, id))
            .await?;
        let new_lock = Lock::new(lock.reason, lock.until, self.0.now(), false)?;
        let until = new_lock.until.map(|until| until.to_string());
        let mut unit = self.0.write(Scope::Platform).await?;
        remains.hold(unit.as_mut()).await?;
        unit.enter(tenant).await?;
        let place = (tenant, id);
        let mut user = held(unit.as_mut(), place, None).await?;
        let grants = self
            .still_allowed(caller, action::USER_LOCK, unit.as_mut(), place)
            .await?;
        remains.confirm(&grants)?;
        user.lock = Some(new_lock);
        let user = unit.users().update(&user).await?;
        if !lock.keep_sessions {
            end_all(self.0, unit.as_mut(), id).await?;
        }
        let event = self
            .0
            .event(caller, Some(tenant), action::USER_LOCK)
            .about(id)
            .changing("locked", None, Some("true".to_owned()))
            .changing("until", None, until);
        unit.audit().append(&event).await?;
        self.0.commit(unit, &[changed(tenant, id)]).await?;
        Ok(user)
    }

    /// Unlocks a user, and lets the user try again at once after too many wrong
    /// answers; one that is not locked stays as it is.
    ///
    /// # Errors
    /// As [`crate::Platform::authorise`]; [`crate::ErrorKind::NotFound`].
    pub async fn unlock(&self, caller: &Caller, tenant: TenantId, id: UserId) -> Result<User> {
        self.authorise_for(caller, action::USER_LOCK, tenant, id)
            .await?;
        let mut unit = self.0.write(Scope::Tenant(tenant)).await?;
        let place = (tenant, id);
        let mut user = held(unit.as_mut(), place, None).await?;
        self.still_allowed(caller, action::USER_LOCK, unit.as_mut(), place)
            .await?;
        let factors = self.0.providers().providers().map(|factor| &factor.id);
        let freed = Lanes::forget(unit.as_mut(), place, factors).await?;
        let was_locked = user.lock.take().is_some();
        if !was_locked && !freed {
            unit.rollback().await?;
            return Ok(user);
        }
        if was_locked {
            user = unit.users().update(&user).await?;
        }
        let event = self
            .0
            .event(caller, Some(tenant), "user.unlock")
            .about(id)
            .changing("locked", was_locked.then(|| "true".to_owned()), None)
            .changing("tries", freed.then(|| "counted".to_owned()), None);
        unit.audit().append(&event).await?;
        self.0.commit(unit, &[changed(tenant, id)]).await?;
        Ok(user)
    }
}
