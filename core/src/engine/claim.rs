//! Whom an answer is about: who is proven, who was named before, or whoever is
//! named now; for a name that nobody has, a decoy.

use std::collections::BTreeMap;

use super::{
    Claimed,
    answer::Attempt,
    flow::{Flow, FlowClaim, gone},
    start,
};
use crate::{
    Platform, Result,
    model::{NameKey, Tenant, TenantId, UserId},
    provider::{Form, Role},
    secret::{Secret, TokenHash},
    storage::Scope,
};

impl Attempt<'_> {
    /// Whom the flow is about already: who is proven, or who was named before.
    pub(crate) async fn claim_known(&mut self) -> Result<()> {
        self.claimed = self.known().await?;
        Ok(())
    }

    pub(crate) async fn flow_tenant(&self) -> Result<Option<Tenant>> {
        match self.found.flow.tenant_id() {
            None => Ok(None),
            Some(id) => {
                let found = find_tenant(self.platform, id).await?;
                // A flow of a tenant that is gone leads nowhere else.
                found.map(Some).ok_or_else(gone)
            }
        }
    }

    async fn known(&self) -> Result<Claimed> {
        match start::subject(self.platform, &self.found.flow).await? {
            Some(found) => Ok(Claimed::User(Box::new(found))),
            None => remembered(self.platform, &self.found.flow).await,
        }
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
        let tenant = match named_tenant.filter(|_| self.found.flow.tenant.is_none()) {
            None => self.flow_tenant().await?,
            Some(name) => {
                let named = crate::service::TenantRef::parse(name.expose().trim());
                match self.platform.tenants().find(&named).await? {
                    Some(tenant) => Some(tenant),
                    // An unknown tenant looks like an unknown name in a known one.
                    None => return Ok(decoy(self.platform, None, identifier(form, values))),
                }
            }
        };
        let Some(typed) = identifier(form, values) else {
            return Ok(Claimed::Nobody { tenant });
        };
        find_user(self.platform, tenant, typed).await
    }
}

/// Who was named in an earlier step.
async fn remembered(platform: &Platform, flow: &Flow) -> Result<Claimed> {
    let tenant = match &flow.claim {
        None => flow.tenant_id(),
        Some(FlowClaim::Tenant(tenant) | FlowClaim::User(tenant, _)) => Some(*tenant),
        Some(FlowClaim::Decoy { tenant, .. }) => *tenant,
    };
    let tenant = match tenant {
        Some(tenant) => Some(find_tenant(platform, tenant).await?.ok_or_else(gone)?),
        None => None,
    };
    Ok(match &flow.claim {
        None | Some(FlowClaim::Tenant(_)) => Claimed::Nobody { tenant },
        Some(FlowClaim::Decoy { typed, .. }) => decoy(platform, tenant, Some(typed)),
        Some(FlowClaim::User(place, user)) => {
            let mut unit = platform.read(Scope::Tenant(*place)).await?;
            let user = unit.users().by_id(*user).await?;
            unit.rollback().await?;
            match tenant.clone().zip(user) {
                Some(found) => Claimed::User(Box::new(found)),
                None => decoy(platform, tenant, None),
            }
        }
    })
}

fn identifier<'a>(form: &Form, values: &'a BTreeMap<String, Secret>) -> Option<&'a str> {
    let field = form
        .fields
        .iter()
        .find(|field| field.role == Role::Identifier)?;
    values.get(&field.name).map(|value| value.expose().trim())
}

async fn find_tenant(platform: &Platform, id: TenantId) -> Result<Option<Tenant>> {
    let mut unit = platform.read(Scope::Tenant(id)).await?;
    let tenant = unit.tenants().by_id(id).await?;
    unit.rollback().await?;
    Ok(tenant)
}

/// The user of this name, in a tenant or, if only one tenant has it, anywhere.
async fn find_user(platform: &Platform, tenant: Option<Tenant>, typed: &str) -> Result<Claimed> {
    let login = NameKey::of(typed);
    let mut unit = platform.read(Scope::Platform).await?;
    let place = match &tenant {
        Some(tenant) => Some(tenant.id),
        None => match unit.users().candidates(&login).await?.as_slice() {
            [(tenant, _)] => Some(*tenant),
            _ => None,
        },
    };
    let found = match place {
        None => None,
        Some(place) => {
            unit.enter(place).await?;
            let tenant = unit.tenants().by_id(place).await?;
            let user = unit.users().by_login(&login).await?;
            tenant.zip(user)
        }
    };
    unit.rollback().await?;
    Ok(match found {
        Some(found) => Claimed::User(Box::new(found)),
        None => decoy(platform, tenant, Some(typed)),
    })
}

/// A stand-in for a name that nobody has: the same one each time.
fn decoy(platform: &Platform, tenant: Option<Tenant>, typed: Option<&str>) -> Claimed {
    let typed = typed.unwrap_or_default();
    let key = NameKey::of(typed);
    let tenant_bytes = tenant.as_ref().map(|t| *t.id.as_uuid().as_bytes());
    let hash = TokenHash::of_parts([
        b"decoy".as_slice(),
        platform.origin().as_str().as_bytes(),
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
