//! Access decisions: the [`Decide`] contract and the grants that are fixed
//! until roles can be configured.

use serde::{Deserialize, Serialize};

use crate::model::{ClientFacts, Grant, SessionId, TenantId, UserId};

/// Decides who may do what. A plain decision does no I/O and takes no lock.
pub trait Decide: Send + Sync + 'static {
    /// Whether the principal may do this. Deny wins, and no rule means deny.
    fn decide(&self, request: &Request<'_>) -> Decision;
}

/// A question to [`Decide`].
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// What for: `<object>.<verb>`, one of [`action`].
    pub action: &'a str,
    /// On what.
    pub resource: &'a Resource,
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may.
    pub allow: bool,
    /// The rule that decided: a stable short word.
    pub reason: &'static str,
}

impl Decision {
    const fn allow(reason: &'static str) -> Self {
        Self {
            allow: true,
            reason,
        }
    }

    const fn deny(reason: &'static str) -> Self {
        Self {
            allow: false,
            reason,
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Somebody who is not signed in.
    Anonymous,
    /// A signed-in user.
    User(SignedIn),
    /// Whoever runs the command line on the server's machine.
    Operator,
    /// The server itself.
    System,
}

/// A signed-in user, as far as decisions need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The user's tenant.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
    /// What the user is granted.
    pub grants: Vec<Grant>,
    /// What the session is limited to, if a purpose-bound token made it.
    pub scope: Option<String>,
}

impl SignedIn {
    /// Whether the user holds a grant.
    pub fn holds(&self, grant: Grant) -> bool {
        self.grants.contains(&grant)
    }
}

/// A caller: who, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// From where.
    pub client: ClientFacts,
}

impl Caller {
    /// Whoever runs the command line on the server's machine.
    pub fn operator() -> Self {
        Self {
            principal: Principal::Operator,
            client: ClientFacts::default(),
        }
    }

    /// The signed-in user, if there is one.
    pub fn signed_in(&self) -> Option<&SignedIn> {
        match &self.principal {
            Principal::User(user) => Some(user),
            _ => None,
        }
    }
}

/// On what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// The tenant it lies in, if it lies in one.
    pub tenant: Option<TenantId>,
    /// The user it belongs to, if it belongs to one.
    pub owner: Option<UserId>,
    /// What its owner is granted, where that matters.
    pub owner_grants: Vec<Grant>,
    /// The grant that is to be given or taken, for [`action::USER_GRANT`].
    pub grant: Option<Grant>,
}

impl Resource {
    /// The platform itself.
    pub fn platform() -> Self {
        Self::default()
    }

    /// Something in a tenant, or the tenant itself.
    pub fn tenant(tenant: TenantId) -> Self {
        Self {
            tenant: Some(tenant),
            ..Self::default()
        }
    }

    /// Something of a user.
    pub fn user(tenant: TenantId, owner: UserId) -> Self {
        Self {
            owner: Some(owner),
            ..Self::tenant(tenant)
        }
    }

    /// With what its owner is granted.
    #[must_use]
    pub fn with_grants(mut self, grants: Vec<Grant>) -> Self {
        self.owner_grants = grants;
        self
    }
}

/// The actions that the server itself guards.
pub mod action {
    /// Make a tenant.
    pub const TENANT_CREATE: &str = "tenant.create";
    /// List tenants.
    pub const TENANT_LIST: &str = "tenant.list";
    /// See a tenant.
    pub const TENANT_READ: &str = "tenant.read";
    /// Change a tenant's names.
    pub const TENANT_UPDATE: &str = "tenant.update";
    /// Delete a tenant.
    pub const TENANT_DELETE: &str = "tenant.delete";
    /// Lock and unlock a tenant.
    pub const TENANT_LOCK: &str = "tenant.lock";
    /// See a tenant's settings.
    pub const SETTINGS_READ: &str = "settings.read";
    /// Change a tenant's settings.
    pub const SETTINGS_UPDATE: &str = "settings.update";
    /// Make a user.
    pub const USER_CREATE: &str = "user.create";
    /// List users.
    pub const USER_LIST: &str = "user.list";
    /// See a user.
    pub const USER_READ: &str = "user.read";
    /// Change a user.
    pub const USER_UPDATE: &str = "user.update";
    /// Delete a user.
    pub const USER_DELETE: &str = "user.delete";
    /// Lock and unlock a user.
    pub const USER_LOCK: &str = "user.lock";
    /// Let a user choose a new credential at the next sign-in.
    pub const USER_REQUIRE_CHANGE: &str = "user.require_change";
    /// Remove a second factor of a user.
    pub const USER_REMOVE_FACTOR: &str = "user.remove_factor";
    /// Unlink an identity at a third party from a user.
    pub const USER_UNLINK_IDENTITY: &str = "user.unlink_identity";
    /// End a device that a user stays signed in on.
    pub const USER_END_DEVICE: &str = "user.end_device";
    /// Send a user a link, to set the account up or to get back into it.
    pub const USER_SEND_LINK: &str = "user.send_link";
    /// Make a link for a user and see it: whoever has it can act as the user, so
    /// only whoever runs the platform may.
    pub const USER_MAKE_LINK: &str = "user.make_link";
    /// Give and take grants.
    pub const USER_GRANT: &str = "user.grant";
    /// List sessions of others.
    pub const SESSION_LIST: &str = "session.list";
    /// End sessions of others.
    pub const SESSION_END: &str = "session.end";
    /// Register an application.
    pub const APPLICATION_CREATE: &str = "application.create";
    /// List applications.
    pub const APPLICATION_LIST: &str = "application.list";
    /// See an application.
    pub const APPLICATION_READ: &str = "application.read";
    /// Change an application.
    pub const APPLICATION_UPDATE: &str = "application.update";
    /// Delete an application.
    pub const APPLICATION_DELETE: &str = "application.delete";
    /// Enter an application on another host with one's own session.
    pub const APPLICATION_ENTER: &str = "application.enter";
    /// Read the audit log.
    pub const AUDIT_READ: &str = "audit.read";
    /// See which keys sign tokens.
    pub const KEY_LIST: &str = "key.list";
    /// Replace a key that signs tokens.
    pub const KEY_ROTATE: &str = "key.rotate";
    /// Make a backup.
    pub const BACKUP_CREATE: &str = "backup.create";
    /// See and end one's own sessions, see one's own account.
    pub const ACCOUNT_USE: &str = "account.use";
    /// Get an access token for an application, for oneself.
    pub const TOKEN_CREATE: &str = "token.create";
    /// Change one's own credentials.
    pub const ACCOUNT_CREDENTIALS: &str = "account.credentials";
}

/// The grants of the first release: a platform administrator may do everything,
/// a tenant administrator everything with the users of the own tenant, a user
/// what concerns the own account. Nobody manages a user who is granted more
/// than oneself, and nobody grants what one does not hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct FixedGrants;

impl Decide for FixedGrants {
    fn decide(&self, request: &Request<'_>) -> Decision {
        match request.principal {
            Principal::Anonymous => Decision::deny("anonymous"),
            Principal::Operator => Decision::allow("operator"),
            Principal::System => Decision::allow("system"),
            Principal::User(user) if user.scope.is_some() => Decision::deny("scoped_session"),
            Principal::User(user) => decide_for_user(user, request),
        }
    }
}

fn decide_for_user(user: &SignedIn, request: &Request<'_>) -> Decision {
    let resource = request.resource;
    if matches!(
        request.action,
        action::ACCOUNT_USE
            | action::ACCOUNT_CREDENTIALS
            | action::TOKEN_CREATE
            | action::APPLICATION_ENTER
    ) {
        let own = resource.tenant == Some(user.tenant) && resource.owner == Some(user.user);
        return if own {
            Decision::allow("own_account")
        } else {
            Decision::deny("not_own_account")
        };
    }
    if resource.grant.is_some_and(|grant| !may_give(user, grant))
        || resource
            .owner_grants
            .iter()
            .any(|grant| !may_give(user, *grant))
    {
        return Decision::deny("exceeds_own_grants");
    }
    if user.holds(Grant::PlatformAdministrator) {
        return Decision::allow("platform_administrator");
    }
    if user.holds(Grant::TenantAdministrator)
        && resource.tenant == Some(user.tenant)
        && is_for_tenant_administrators(request.action)
    {
        return Decision::allow("tenant_administrator");
    }
    Decision::deny("no_rule")
}

fn may_give(user: &SignedIn, grant: Grant) -> bool {
    user.holds(grant) || user.holds(Grant::PlatformAdministrator)
}

fn is_for_tenant_administrators(action: &str) -> bool {
    matches!(
        action,
        action::TENANT_LIST
            | action::TENANT_READ
            | action::SETTINGS_READ
            | action::SETTINGS_UPDATE
            | action::USER_CREATE
            | action::USER_LIST
            | action::USER_READ
            | action::USER_UPDATE
            | action::USER_DELETE
            | action::USER_LOCK
            | action::USER_REQUIRE_CHANGE
            | action::USER_REMOVE_FACTOR
            | action::USER_UNLINK_IDENTITY
            | action::USER_END_DEVICE
            | action::USER_SEND_LINK
            | action::USER_GRANT
            | action::SESSION_LIST
            | action::SESSION_END
            | action::APPLICATION_CREATE
            | action::APPLICATION_LIST
            | action::APPLICATION_READ
            | action::APPLICATION_UPDATE
            | action::APPLICATION_DELETE
            | action::AUDIT_READ
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Environment;

    fn user(tenant: TenantId, grants: &[Grant]) -> Principal {
        let environment = Environment::system();
        Principal::User(SignedIn {
            tenant,
            user: UserId::generate(&environment),
            session: SessionId::generate(&environment),
            grants: grants.to_vec(),
            scope: None,
        })
    }

    fn allows(principal: &Principal, action: &str, resource: &Resource) -> bool {
        let request = Request {
            principal,
            action,
            resource,
        };
        FixedGrants.decide(&request).allow
    }

    #[test]
    fn no_rule_means_deny() {
        let tenant = TenantId::generate(&Environment::system());
        for action in ["", "user.read", "tenant.create", "made.up"] {
            for principal in [Principal::Anonymous, user(tenant, &[])] {
                assert!(!allows(&principal, action, &Resource::tenant(tenant)));
            }
        }
        let administrator = user(tenant, &[Grant::TenantAdministrator]);
        assert!(!allows(
            &administrator,
            "made.up",
            &Resource::tenant(tenant)
        ));
    }

    #[test]
    fn a_tenant_administrator_stays_in_the_tenant() {
        let environment = Environment::system();
        let (own, other) = (
            TenantId::generate(&environment),
            TenantId::generate(&environment),
        );
        let administrator = user(own, &[Grant::TenantAdministrator]);
        assert!(allows(
            &administrator,
            action::USER_CREATE,
            &Resource::tenant(own)
        ));
        assert!(!allows(
            &administrator,
            action::USER_CREATE,
            &Resource::tenant(other)
        ));
        assert!(!allows(
            &administrator,
            action::TENANT_LOCK,
            &Resource::tenant(own)
        ));
        assert!(!allows(
            &administrator,
            action::TENANT_CREATE,
            &Resource::platform()
        ));
    }

    /// S37: nobody grants or manages what exceeds the own grants.
    #[test]
    fn s37_nobody_reaches_above_oneself() {
        let environment = Environment::system();
        let tenant = TenantId::generate(&environment);
        let administrator = user(tenant, &[Grant::TenantAdministrator]);
        let above = Resource::user(tenant, UserId::generate(&environment))
            .with_grants(vec![Grant::PlatformAdministrator]);
        assert!(!allows(&administrator, action::USER_LOCK, &above));
        let promote = Resource {
            grant: Some(Grant::PlatformAdministrator),
            ..Resource::tenant(tenant)
        };
        assert!(!allows(&administrator, action::USER_GRANT, &promote));
        let platform = user(tenant, &[Grant::PlatformAdministrator]);
        assert!(allows(&platform, action::USER_LOCK, &above));
        assert!(allows(&platform, action::USER_GRANT, &promote));
    }

    #[test]
    fn a_scoped_session_may_nothing_of_this() {
        let tenant = TenantId::generate(&Environment::system());
        let Principal::User(mut scoped) = user(tenant, &Grant::ALL) else {
            panic!("a user");
        };
        scoped.scope = Some("set_password".to_owned());
        let own = Resource::user(tenant, scoped.user);
        assert!(!allows(&Principal::User(scoped), action::ACCOUNT_USE, &own));
    }
}
