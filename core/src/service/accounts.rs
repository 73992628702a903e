//! One's own account: the ways to sign in to it.

use jiff::Timestamp;

use super::{Offers, ProviderCall, second_factor::rule_of};
use crate::{
    Error, ErrorKind, Platform, Result,
    access::{Caller, Resource, action},
    model::{ProviderId, SecondFactorRule, Tenant, User},
    provider::{Configured, Credential, Intent},
    storage::Scope,
};

/// One's own account.
#[derive(Debug, Clone, Copy)]
pub struct Accounts<'a>(pub(super) &'a Platform);

/// A way to sign in that can be set up, and what is set up of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInMethod {
    /// The provider.
    pub provider: ProviderId,
    /// Its kind.
    pub kind: String,
    /// What it is called.
    pub label: String,
    /// Whether it only confirms sign-ins.
    pub only_confirms: bool,
    /// Whether it only stands in for others that do.
    pub backup: bool,
    /// What is set up.
    pub credentials: Vec<Credential>,
}

impl SignInMethod {
    pub(super) fn new(configured: &Configured, credentials: Vec<Credential>) -> Self {
        let description = &configured.description;
        Self {
            provider: configured.id.clone(),
            kind: description.kind.clone(),
            label: description.label.clone(),
            only_confirms: description.only_confirms(),
            backup: description.backup,
            credentials,
        }
    }
}

/// What holds for somebody's second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnRule {
    /// Whether one is offered, and whether it is required.
    pub rule: SecondFactorRule,
    /// The moment from which it is required, while that is still to come.
    pub due: Option<Timestamp>,
}

impl<'a> Accounts<'a> {
    pub(crate) fn new(platform: &'a Platform) -> Self {
        Self(platform)
    }

    /// The ways to sign in that the caller can set up or has set up, in the configured
    /// order.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`], and what storage and providers say.
    pub async fn sign_in_methods(&self, caller: &Caller) -> Result<Vec<SignInMethod>> {
        let (tenant, user) = self.own(caller).await?;
        let own = rule_of(self.0, tenant.id, user.id).await?;
        let offers = Offers::read(self.0, Some(tenant.id)).await?;
        let factors = own.rule != SecondFactorRule::Off;
        let mut methods = Vec::new();
        for configured in self.0.providers().providers() {
            let Some(enrolment) = configured.provider.enrolment() else {
                continue;
            };
            let call = ProviderCall::new(self.0, &configured.id, Intent::Enrol)
                .in_tenant(Some(&tenant))
                .of_user(&user)
                .by_client(&caller.client);
            let credentials = enrolment.list(&call.context()).await?;
            let method = SignInMethod::new(configured, credentials);
            let has_factor = method.only_confirms && !method.credentials.is_empty();
            let is_offered = offers.include(configured) && (factors || !method.only_confirms);
            if is_offered || has_factor {
                methods.push(method);
            }
        }
        Ok(methods)
    }

    /// What holds for the caller's second factor.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`], and what the storage says.
    pub async fn second_factor_rule(&self, caller: &Caller) -> Result<OwnRule> {
        let (tenant, user) = self.own(caller).await?;
        rule_of(self.0, tenant.id, user.id).await
    }

    pub(super) async fn own(&self, caller: &Caller) -> Result<(Tenant, User)> {
        let own = caller
            .signed_in()
            .ok_or_else(|| Error::new(ErrorKind::Unauthenticated, "sign in first"))?;
        let resource = Resource::user(own.tenant, own.user);
        self.0.authorise(caller, action::ACCOUNT_USE, &resource)?;
        let mut unit = self.0.read(Scope::Tenant(own.tenant)).await?;
        let tenant = unit.tenants().by_id(own.tenant).await?;
        let user = unit.users().by_id(own.user).await?;
        unit.rollback().await?;
        tenant
            .zip(user)
            .ok_or_else(|| Error::new(ErrorKind::Unauthenticated, "sign in first"))
    }
}
