//! Whom an answer is about: who is proven, who was named before, or whoever is
//! named now; for a name that nobody has, a decoy.

use std::collections::BTreeMap;

use super::{
    Claimed,
    answer::Attempt,
    callback::reopen,
    flow::{Flow, FlowClaim, Phase, gone},
    start,
};
use crate::{
    Platform, Result,
    model::{NameKey, Tenant, TenantId, User, UserId},
    provider::{Form, Role},
    secret::{Secret, TokenHash},
    service::{Offers, TenantRef, not_offered},
    storage::{Scope, UnitOfWork},
};

impl Attempt<'_> {
    /// Whom the flow is about already: who is proven, or who was named before.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Denied`] where the way is not offered any more.
    pub(crate) async fn claim_known(&mut self) -> Result<()> {
        self.claimed = self.known().await?;
        Ok(())
    }

    /// Whether the people of a tenant that is claimed can come this way. Where the flow is
    /// that tenant's, it is refused. Where the tenant only follows from who is meant, they
    /// are as unknown as a name that nobody has: nobody learns who is where.
    async fn is_open(&self, offers: &Offers<'_>) -> Result<bool> {
        let flow = &self.found.flow;
        // Whether somebody has it is asked where it counts.
        let is_factor = self.configured.description.only_confirms() && flow.subject.is_some();
        let is_ours = flow.phase == Phase::RemoveFactor;
        match is_factor || is_ours || offers.include(self.configured) {
            false if flow.tenant.is_some() => {
                // What is left is shown the next time. A link leads nowhere else.
                if !flow.linked {
                    reopen(self.platform, self.found.clone()).await.ok();
                }
                Err(not_offered())
            }
            is_open => Ok(is_open),
        }
    }

    pub(crate) async fn flow_tenant(&self) -> Result<Option<Tenant>> {
        match self.found.flow.tenant_id() {
            None => Ok(None),
            Some(id) => Ok(Some(place(self.platform, id, None).await?.0)),
        }
    }

    async fn known(&self) -> Result<Claimed> {
        let claimed = match start::subject(self.platform, &self.found.flow).await? {
            Some(found) => Claimed::User(Box::new(found)),
            None => remembered(self.platform, &self.found.flow).await?,
        };
        let Some(tenant) = claimed.tenant_id() else {
            return Ok(claimed);
        };
        let offers = Offers::read(self.platform, Some(tenant)).await?;
        Ok(match (self.is_open(&offers).await?, &claimed) {
            (false, Claimed::User(_)) => decoy(self.platform, None, None),
            _ => claimed,
        })
    }

    /// Whom the answer is about: who is proven already, or whoever is named.
    pub(crate) async fn claim(
        &self,
        form: &Form,
        values: &BTreeMap<String, Secret>,
        named_tenant: Option<&Secret>,
    ) -> Result<Claimed> {
        let asks_who = form
            .fields
            .iter()
            .any(|field| field.role == Role::Identifier);
        if self.found.flow.subject.is_some() || !asks_who {
            return self.known().await;
        }
        let typed = identifier(form, values);
        let named = named_tenant.map(|name| TenantRef::parse(name.expose().trim()));
        let of_flow = self.found.flow.tenant_id().map(TenantRef::Id);
        let is_settled = of_flow.is_some();
        let place = of_flow.or(named);
        // One unit for all of it: every further one costs each sign-in time.
        let mut unit = self.platform.read(Scope::Platform).await?;
        let tenant = match &place {
            Some(place) => place.find(unit.as_mut()).await?,
            None => None,
        };
        let is_unknown = place.is_some() && tenant.is_none();
        let found = match typed.filter(|_| !is_unknown) {
            Some(typed) => find_user(unit.as_mut(), tenant.as_ref(), typed).await?,
            None => None,
        };
        let offers = match unit.scope() {
            Scope::Tenant(_) => Some(Offers::within(self.platform, unit.as_mut()).await?),
            Scope::Platform => None,
        };
        unit.rollback().await?;
        if is_unknown && is_settled {
            // A flow of a tenant that is gone leads nowhere else.
            return Err(gone());
        }
        let is_open = match &offers {
            Some(offers) => self.is_open(offers).await?,
            None => true,
        };
        Ok(match found.filter(|_| is_open) {
            Some(found) => Claimed::User(Box::new(found)),
            None if typed.is_none() && !is_unknown => Claimed::Nobody { tenant },
            // An unknown tenant looks like an unknown name in a known one.
            None => decoy(self.platform, tenant, typed),
        })
    }
}

/// Who was named in an earlier step.
async fn remembered(platform: &Platform, flow: &Flow) -> Result<Claimed> {
    let (tenant, user) = match &flow.claim {
        None => (flow.tenant_id(), None),
        Some(FlowClaim::Tenant(tenant)) => (Some(*tenant), None),
        Some(FlowClaim::User(tenant, user)) => (Some(*tenant), Some(*user)),
        Some(FlowClaim::Decoy { tenant, .. }) => (*tenant, None),
    };
    let (tenant, user) = match tenant {
        None => (None, None),
        Some(tenant) => {
            let (tenant, user) = place(platform, tenant, user).await?;
            (Some(tenant), user)
        }
    };
    Ok(match &flow.claim {
        None | Some(FlowClaim::Tenant(_)) => Claimed::Nobody { tenant },
        Some(FlowClaim::Decoy { typed, .. }) => decoy(platform, tenant, Some(typed)),
        Some(FlowClaim::User(..)) => match tenant.clone().zip(user) {
            Some(found) => Claimed::User(Box::new(found)),
            None => decoy(platform, tenant, None),
        },
    })
}

fn identifier<'a>(form: &Form, values: &'a BTreeMap<String, Secret>) -> Option<&'a str> {
    let field = form
        .fields
        .iter()
        .find(|field| field.role == Role::Identifier)?;
    values.get(&field.name).map(|value| value.expose().trim())
}

/// A flow's tenant, and of its users the one that is meant, if there still is one.
async fn place(
    platform: &Platform,
    tenant: TenantId,
    user: Option<UserId>,
) -> Result<(Tenant, Option<User>)> {
    let mut unit = platform.read(Scope::Tenant(tenant)).await?;
    let tenant = unit.tenants().by_id(tenant).await?;
    let user = match user {
        Some(user) => unit.users().by_id(user).await?,
        None => None,
    };
    unit.rollback().await?;
    // A flow of a tenant that is gone leads nowhere else.
    Ok((tenant.ok_or_else(gone)?, user))
}

/// The user of this name, in a tenant or, if only one tenant has it, anywhere.
async fn find_user(
    unit: &mut dyn UnitOfWork,
    tenant: Option<&Tenant>,
    typed: &str,
) -> Result<Option<(Tenant, User)>> {
    let login = NameKey::of(typed);
    let tenant = match tenant {
        Some(tenant) => {
            unit.enter(tenant.id).await?;
            Some(tenant.clone())
        }
        None => match unit.users().candidates(&login).await?.as_slice() {
            [(tenant, _)] => {
                unit.enter(*tenant).await?;
                unit.tenants().by_id(*tenant).await?
            }
            _ => None,
        },
    };
    let Some(tenant) = tenant else {
        return Ok(None);
    };
    let user = unit.users().by_login(&login).await?;
    Ok(user.map(|user| (tenant, user)))
}

/// A stand-in for a name that nobody has: the same one each time.
fn decoy(platform: &Platform, tenant: Option<Tenant>, typed: Option<&str>) -> Claimed {
    let typed = typed.unwrap_or_default();
    let key = NameKey::of(typed);
    let tenant_bytes = tenant.as_ref().map(|t| *t.id.as_uuid().as_bytes());
    let hash = TokenHash::of_parts([
        b"decoy".as_slice(),
        platform.origins().server().as_str().as_bytes(),
        tenant_bytes.as_ref().map_or(&[][..], |bytes| bytes),
        key.as_str().as_bytes(),
    ]);
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(hash.as_bytes()) {
        *to = *from;
    }
    Claimed::Decoy {
        tenant,
        id: UserId::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid()),
        typed: typed.to_owned(),
    }
}
