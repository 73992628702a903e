//! No change may leave the platform without an administrator who can sign in.
//!
//! The administrators may be users of several tenants, while a unit of work
//! reaches one. So they are looked at first, and the version of a marker is
//! carried into the unit that makes the change: had anybody else changed the
//! administrators meanwhile, the marker's version would differ and the change
//! is a conflict.
//!
//! Who becomes an administrator does not touch the marker, but holds the own
//! tenant's and user's rows, which the units that shut somebody out take first.

use crate::{
    Error, ErrorKind, Platform, Result,
    model::{Grant, TenantId, UserId},
    platform::sign_in_obstacle,
    storage::{Scope, UnitOfWork},
};

const MARKER: &str = "administrators";

/// Proof that an administrator remains, as long as the marker is unchanged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Remaining {
    marker: Option<i64>,
}

impl Platform {
    /// Makes sure that an administrator remains when those for whom `leaves`
    /// holds can no longer sign in. A platform that has none cannot lose one.
    pub(crate) async fn administrator_remains(
        &self,
        leaves: impl Fn(TenantId, UserId) -> bool + Send,
    ) -> Result<Remaining> {
        let mut unit = self.read(Scope::Platform).await?;
        let marker = unit.installation().value(MARKER).await?;
        let holders = unit.users().holders(Grant::PlatformAdministrator).await?;
        unit.rollback().await?;
        if !holders.iter().any(|(tenant, user)| leaves(*tenant, *user)) {
            return Ok(Remaining { marker: None });
        }
        for (tenant, user) in holders {
            if !leaves(tenant, user) && self.can_sign_in(tenant, user).await? {
                return Ok(Remaining {
                    marker: Some(marker.map_or(0, |marker| marker.version)),
                });
            }
        }
        Err(Error::refused(
            "this would leave the platform without an administrator who can sign in",
        ))
    }

    async fn can_sign_in(&self, tenant: TenantId, user: UserId) -> Result<bool> {
        let mut unit = self.read(Scope::Tenant(tenant)).await?;
        let tenant = unit.tenants().by_id(tenant).await?;
        let user = unit.users().by_id(user).await?;
        let (Some(tenant), Some(user)) = (tenant, user) else {
            return Ok(false);
        };
        let obstacle = sign_in_obstacle(unit.as_mut(), &tenant, &user, self.now()).await?;
        unit.rollback().await?;
        Ok(obstacle.is_none())
    }
}

impl Remaining {
    /// Makes sure that a user who was no administrator when that was looked at
    /// did not become one since. The user's row must be held.
    pub(crate) fn confirm(self, grants: &[Grant]) -> Result<()> {
        if self.marker.is_none() && grants.contains(&Grant::PlatformAdministrator) {
            return Err(Error::stale("user"));
        }
        Ok(())
    }

    /// The same for a whole tenant, in a platform unit. The tenant's row must be held.
    pub(crate) async fn confirm_tenant(
        self,
        unit: &mut dyn UnitOfWork,
        tenant: TenantId,
    ) -> Result<()> {
        let holders = unit.users().holders(Grant::PlatformAdministrator).await?;
        if self.marker.is_none() && holders.iter().any(|holder| holder.0 == tenant) {
            return Err(Error::stale("tenant"));
        }
        Ok(())
    }

    /// Holds the proof in a platform unit that is about to make the change.
    pub(crate) async fn hold(self, unit: &mut dyn UnitOfWork) -> Result<()> {
        if let Some(version) = self.marker {
            let put = unit.installation().put(MARKER, b"", version).await;
            put.map_err(|error| match error.kind() {
                ErrorKind::Conflict => Error::stale("list of administrators"),
                _ => error,
            })?;
        }
        Ok(())
    }
}
