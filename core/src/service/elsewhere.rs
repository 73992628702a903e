//! Accounts of one person in other tenants: those that the identity is linked to with
//! which the present session was begun.

use jiff::Timestamp;

use super::{Accounts, Offers, identities::third_parties};
use crate::{
    Platform, Result,
    access::Caller,
    environment::later,
    model::{
        DisplayName, Factor, FactorClass, NameKey, Session, Tenant, TenantId, TenantName, User,
        UserId,
    },
    platform::sign_in_obstacle,
    provider::Configured,
    secret::TokenHash,
    storage::Scope,
};

/// A tenant in which somebody has another account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherTenant {
    /// Its id.
    pub id: TenantId,
    /// Its name.
    pub name: TenantName,
    /// The name to show.
    pub display_name: DisplayName,
}

/// A way from a session to an account in another tenant.
pub(crate) struct WayElsewhere<'a> {
    pub(crate) configured: &'a Configured,
    pub(crate) tenant: Tenant,
    pub(crate) user: User,
    /// What was proven, as that tenant counts it: by its own record, at its old time.
    pub(crate) factor: Factor,
    /// The first moment at which that proof is too old there.
    pub(crate) until: Timestamp,
}

/// Where a valid session leads: by the identity at a third party that began it, to the
/// accounts that are linked to that, in all other tenants or in one. What began by a
/// device, or is limited, leads nowhere. No unit of work may be open meanwhile.
pub(crate) async fn ways_elsewhere<'a>(
    platform: &'a Platform,
    session: &Session,
    only: Option<TenantId>,
) -> Result<Vec<WayElsewhere<'a>>> {
    let Some(proof) = proof_of(platform, session).await? else {
        return Ok(Vec::new());
    };
    let mut unit = platform.read(Scope::Platform).await?;
    let owners = unit
        .records()
        .owners(&proof.configured.id, &proof.key)
        .await?;
    unit.rollback().await?;
    let mut ways = Vec::new();
    for (tenant, user) in owners {
        let is_meant = only.is_none_or(|only| only == tenant);
        if is_meant && tenant != session.tenant {
            ways.extend(proof.leads_to(platform, tenant, user).await?);
        }
    }
    Ok(ways)
}

/// What a session was begun with at a third party.
struct FederatedProof<'a> {
    configured: &'a Configured,
    factor: Factor,
    key: TokenHash,
}

async fn proof_of<'a>(
    platform: &'a Platform,
    session: &Session,
) -> Result<Option<FederatedProof<'a>>> {
    let mut factors = session.factors.iter();
    let is_silent = factors.any(|factor| factor.class == FactorClass::Remembered);
    if is_silent || session.scope.is_some() {
        return Ok(None);
    }
    for factor in &session.factors {
        let configured = third_parties(platform).find(|known| known.id == factor.provider);
        let Some((configured, id)) = configured.zip(factor.credential) else {
            continue;
        };
        let mut unit = platform.read(Scope::Tenant(session.tenant)).await?;
        let record = unit.records().by_id(&configured.id, id).await?;
        unit.rollback().await?;
        let record = record.filter(|record| record.user == Some(session.user));
        if let Some(key) = record.and_then(|record| record.key) {
            return Ok(Some(FederatedProof {
                configured,
                factor: factor.clone(),
                key,
            }));
        }
    }
    Ok(None)
}

impl<'a> FederatedProof<'a> {
    /// The way to somebody's account, if it is open to them now.
    async fn leads_to(
        &self,
        platform: &Platform,
        tenant: TenantId,
        user: UserId,
    ) -> Result<Option<WayElsewhere<'a>>> {
        let now = platform.now();
        let mut unit = platform.read(Scope::Tenant(tenant)).await?;
        let provider = &self.configured.id;
        let record = unit.records().by_key(provider, &self.key).await?;
        let found = unit.tenants().by_id(tenant).await?;
        let found = found.zip(unit.users().by_id(user).await?);
        let obstacle = match &found {
            Some((tenant, user)) => sign_in_obstacle(unit.as_mut(), tenant, user, now).await?,
            None => None,
        };
        let settings = platform.effective_settings(unit.as_mut(), tenant).await?;
        unit.rollback().await?;
        let record = record.filter(|record| record.user == Some(user) && obstacle.is_none());
        let until = later(self.factor.at, settings.session_absolute);
        let Some(((tenant, user), record)) = found.zip(record).filter(|_| now < until) else {
            return Ok(None);
        };
        let offers = Offers::of(platform, &tenant, settings);
        let way = WayElsewhere {
            configured: self.configured,
            tenant,
            user,
            factor: Factor {
                credential: Some(record.id),
                ..self.factor.clone()
            },
            until,
        };
        Ok(offers.include(self.configured).then_some(way))
    }
}

impl Accounts<'_> {
    /// The tenants in which the caller has an account, too, and that
    /// [`SignIn::switch`](crate::engine::SignIn::switch) leads to from the present
    /// session, by their names to show.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unauthenticated`], and what the storage says.
    pub async fn elsewhere(&self, caller: &Caller) -> Result<Vec<OtherTenant>> {
        let (tenant, _) = self.own(caller).await?;
        let Some(own) = caller.signed_in() else {
            return Ok(Vec::new());
        };
        let session = valid_session(self.0, tenant.id, own.session).await?;
        let Some(session) = session else {
            return Ok(Vec::new());
        };
        let ways = ways_elsewhere(self.0, &session, None).await?.into_iter();
        let mut others: Vec<_> = ways
            .map(|way| OtherTenant {
                id: way.tenant.id,
                name: way.tenant.name,
                display_name: way.tenant.display_name,
            })
            .collect();
        others.sort_by_key(|other| (NameKey::of(other.display_name.as_str()), other.id));
        Ok(others)
    }
}

/// A session as it is stored, if it is valid: also where this server's memory is older.
pub(crate) async fn valid_session(
    platform: &Platform,
    tenant: TenantId,
    id: crate::model::SessionId,
) -> Result<Option<Session>> {
    let mut unit = platform.read(Scope::Tenant(tenant)).await?;
    let session = unit.sessions().by_id(id).await?;
    unit.rollback().await?;
    let used = session.as_ref().and_then(|session| {
        platform
            .table()
            .last_active(&session.token_hash, session.id)
    });
    Ok(session
        .map(|mut session| {
            let stored = session.last_active_at;
            session.last_active_at = used.map_or(stored, |used| used.max(stored));
            session
        })
        .filter(|session| session.is_valid_at(platform.now())))
}
