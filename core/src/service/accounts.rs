//! One's own account: the ways to sign in to it.

use super::ProviderCall;
use crate::{
    Error, ErrorKind, Platform, Result,
    access::{Caller, Resource, action},
    model::{ProviderId, Tenant, User},
    provider::{Credential, Intent},
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
    /// What is set up.
    pub credentials: Vec<Credential>,
}

impl<'a> Accounts<'a> {
    pub(crate) fn new(platform: &'a Platform) -> Self {
        Self(platform)
    }

    /// The ways to sign in that the caller can set up, in the configured order.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`], and what storage and providers say.
    pub async fn sign_in_methods(&self, caller: &Caller) -> Result<Vec<SignInMethod>> {
        let (tenant, user) = self.own(caller).await?;
        let mut methods = Vec::new();
        for configured in self.0.providers().providers() {
            let Some(enrolment) = configured.provider.enrolment() else {
                continue;
            };
            let call = ProviderCall::new(self.0, &configured.id, Intent::Enrol)
                .in_tenant(Some(&tenant))
                .of_user(&user)
                .by_client(&caller.client);
            methods.push(SignInMethod {
                provider: configured.id.clone(),
                kind: configured.description.kind.clone(),
                label: configured.description.label.clone(),
                credentials: enrolment.list(&call.context()).await?,
            });
        }
        Ok(methods)
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
