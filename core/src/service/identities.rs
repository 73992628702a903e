//! Identities at third parties that are linked to users: how a link is kept, who has
//! which, and what ends when a third party does not let somebody in any more.
//!
//! A link is a record of the connection: its key is the hash of issuer and subject,
//! unique in a tenant, so that an identity is at most one user's there. What else the
//! third party said is sealed with it, and finds nobody.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Accounts, Offers, Users,
    credentials::{open_record, seal_record},
    end_sessions, forget_devices,
    users::changed,
};
use crate::{
    Error, ErrorKind, Platform, Result,
    access::Caller,
    model::{ConnectionId, EndReason, RecordId, TenantId, User, UserId, is_unprintable},
    platform::AuditEventExt,
    provider::{Configured, Credential, ExternalIdentity, Mark, State},
    secret::TokenHash,
    storage::{Record, Scope, SessionFilter, UnitOfWork},
};

/// The most bytes that a third party has kept with a link.
pub(crate) const MAX_KEEP: usize = 16 * 1024;
/// The longest label of a record.
const LABEL: usize = 100;

/// An identity at a third party that is linked to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedIdentity {
    /// The link's id.
    pub id: RecordId,
    /// The connection that it came by.
    pub connection: ConnectionId,
    /// What the third party is called.
    pub third_party: String,
    /// Its picture.
    pub mark: Mark,
    /// What the person is called there: an address or a name.
    pub name: String,
    /// When it was linked.
    pub linked_at: Timestamp,
}

/// What is sealed in a link.
#[derive(Serialize, Deserialize)]
struct Sealed {
    issuer: String,
    subject: String,
    keep: State,
    /// When the third party was last asked, or said it unasked.
    #[serde(default)]
    checked_at: Option<Timestamp>,
}

/// A link, opened.
pub(super) struct KeptLink {
    pub(super) identity: ExternalIdentity,
    pub(super) keep: State,
    /// When the third party was last asked, or said it unasked.
    pub(super) checked_at: Option<Timestamp>,
}

/// What finds a link.
pub(crate) fn identity_key(identity: &ExternalIdentity) -> TokenHash {
    TokenHash::of_parts([
        b"identity".as_slice(),
        identity.issuer.as_bytes(),
        identity.subject.as_bytes(),
    ])
}

/// A link of a user, as it is stored.
pub(crate) fn link_record(
    platform: &Platform,
    configured: &Configured,
    (tenant, user): (TenantId, UserId),
    id: RecordId,
    (identity, keep): (&ExternalIdentity, &State),
) -> Result<Record> {
    let sealed = Sealed {
        issuer: identity.issuer.clone(),
        subject: identity.subject.clone(),
        keep: keep.clone(),
        checked_at: Some(platform.now()),
    };
    let plain = plain(&sealed)?;
    Ok(Record {
        id,
        provider: configured.id.clone(),
        user: Some(user),
        key: Some(identity_key(identity)),
        label: identity_name(configured, identity),
        expires_at: None,
        created_at: platform.now(),
        version: 1,
        sealed: seal_record(platform, tenant, &configured.id, id, &plain)?,
    })
}

/// What somebody is called at a third party, as far as it says so.
pub(crate) fn identity_name(configured: &Configured, identity: &ExternalIdentity) -> String {
    let names = &configured.offering.admission.claims;
    let said = [&names.email, &names.user_name, &names.display_name];
    let said = said
        .into_iter()
        .filter_map(|name| identity.claims.get(name));
    let mut said = said.map(|claim| printable(&claim.value));
    let name = said.find(|value| !value.is_empty());
    name.unwrap_or_else(|| printable(&identity.subject))
}

/// What can be shown of a text, in one line and in the order in which it is read.
fn printable(text: &str) -> String {
    let shown = text.chars().filter(|c| !is_unprintable(*c));
    let shown: String = shown.take(LABEL).collect();
    shown.trim().to_owned()
}

fn plain(sealed: &Sealed) -> Result<Vec<u8>> {
    serde_json::to_vec(sealed).map_err(|e| Error::internal("link").because(e))
}

/// A link, opened. No unit of work may be open meanwhile.
pub(super) async fn open_link(
    platform: &Platform,
    tenant: TenantId,
    record: &Record,
) -> Result<KeptLink> {
    let plain = open_record(platform, tenant, record).await?;
    let sealed: Sealed = serde_json::from_slice(&plain)
        .map_err(|e| Error::new(ErrorKind::Corrupt, "a link cannot be read").because(e))?;
    Ok(KeptLink {
        identity: ExternalIdentity {
            connection: record.provider.clone(),
            issuer: sealed.issuer,
            subject: sealed.subject,
            claims: BTreeMap::new(),
        },
        keep: sealed.keep,
        checked_at: sealed.checked_at,
    })
}

/// The link's record with what is now kept with it.
pub(super) fn reseal(
    platform: &Platform,
    tenant: TenantId,
    record: &Record,
    kept: &KeptLink,
) -> Result<Record> {
    let plain = plain(&Sealed {
        issuer: kept.identity.issuer.clone(),
        subject: kept.identity.subject.clone(),
        keep: kept.keep.clone(),
        checked_at: kept.checked_at,
    })?;
    Ok(Record {
        sealed: seal_record(platform, tenant, &record.provider, record.id, &plain)?,
        ..record.clone()
    })
}

/// Who is linked to an identity: in this tenant, or in any.
pub(crate) async fn linked_users(
    platform: &Platform,
    identity: &ExternalIdentity,
    tenant: Option<TenantId>,
) -> Result<Vec<(TenantId, UserId)>> {
    let key = identity_key(identity);
    let scope = tenant.map_or(Scope::Platform, Scope::Tenant);
    let mut unit = platform.read(scope).await?;
    let users = match tenant {
        Some(tenant) => {
            let record = unit.records().by_key(&identity.connection, &key).await?;
            let user = record.and_then(|record| record.user);
            user.map(|user| (tenant, user)).into_iter().collect()
        }
        None => unit.records().owners(&identity.connection, &key).await?,
    };
    unit.rollback().await?;
    Ok(users)
}

/// Ends what an identity let in, whoever is linked to it: the third party says that
/// they may not come in any more.
pub(crate) async fn bar(
    platform: &Platform,
    caller: &Caller,
    users: &[(TenantId, UserId)],
    connection: &ConnectionId,
    reason: &str,
) -> Result<()> {
    for (tenant, user) in users {
        let mut unit = platform.write(Scope::Tenant(*tenant)).await?;
        // Looked for first: an error would leave the unit unusable.
        let there = unit.tenants().hold(*tenant).await?.is_some()
            && unit.users().by_id(*user).await?.is_some();
        if !there {
            unit.rollback().await?;
            continue;
        }
        unit.users().lock_row(*user).await?;
        if let Some(mut user) = unit.users().by_id(*user).await? {
            // Sign-ins under way come to nothing, too.
            user.credential_epoch += 1;
            unit.users().update(&user).await?;
        }
        let all = SessionFilter {
            user: Some(*user),
            ..SessionFilter::default()
        };
        forget_devices(platform, unit.as_mut(), *user).await?;
        end_sessions(platform, unit.as_mut(), &all, EndReason::Revoked).await?;
        let event = platform
            .event(caller, Some(*tenant), "user.bar")
            .about(*user)
            .changing("connection", None, Some(connection.to_string()))
            .changing("reason", None, Some(reason.to_owned()));
        unit.audit().append(&event).await?;
        platform.commit(unit, &[changed(*tenant, *user)]).await?;
    }
    Ok(())
}

/// The links of a user, in a unit of the tenant.
async fn links_of(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    user: UserId,
) -> Result<Vec<LinkedIdentity>> {
    let mut links = Vec::new();
    for configured in third_parties(platform) {
        for record in unit.records().by_user(&configured.id, user).await? {
            links.push(LinkedIdentity {
                id: record.id,
                connection: configured.id.clone(),
                third_party: configured.description.label.clone(),
                mark: configured.description.mark.clone(),
                name: record.label,
                linked_at: record.created_at,
            });
        }
    }
    Ok(links)
}

/// The connections to third parties.
pub(crate) fn third_parties(platform: &Platform) -> impl Iterator<Item = &Configured> {
    let all = platform.providers().providers();
    all.filter(|configured| configured.description.third_party)
}

/// A link of a user, in a unit of the tenant.
pub(super) async fn find_link<'a>(
    platform: &'a Platform,
    unit: &mut dyn UnitOfWork,
    user: UserId,
    id: RecordId,
) -> Result<Option<(&'a Configured, Credential)>> {
    for configured in third_parties(platform) {
        let record = unit.records().by_id(&configured.id, id).await?;
        if let Some(record) = record.filter(|record| record.user == Some(user)) {
            let credential = Credential {
                id,
                label: record.label,
                created_at: record.created_at,
                left: None,
            };
            return Ok(Some((configured, credential)));
        }
    }
    Ok(None)
}

/// Whether a user could still sign in without one of their links: by another one, or
/// by what is set up to start a sign-in with. Only what the tenant offers counts. The unit is the tenant's.
pub(super) async fn has_other_way_in(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    user: &User,
    without: RecordId,
) -> Result<bool> {
    let now = platform.now();
    let offers = Offers::within(platform, unit).await?;
    for configured in offers.providers() {
        let description = &configured.description;
        let is_kept = description.third_party || description.enrolment;
        if !description.first_step || !is_kept {
            continue;
        }
        let records = unit.records().by_user(&configured.id, user.id).await?;
        let counts = |record: &Record| record.id != without && !record.is_expired_at(now);
        if records.iter().any(counts) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Accounts<'_> {
    /// The identities at third parties that are linked to the caller, by connection in
    /// the configured order. One is removed in a flow that asks for a proof first,
    /// begun with [`Intent::Remove`](crate::provider::Intent::Remove).
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unauthenticated`], and what the storage says.
    pub async fn identities(&self, caller: &Caller) -> Result<Vec<LinkedIdentity>> {
        let (tenant, user) = self.own(caller).await?;
        let mut unit = self.0.read(Scope::Tenant(tenant.id)).await?;
        let links = links_of(self.0, unit.as_mut(), user.id).await?;
        unit.rollback().await?;
        Ok(links)
    }
}

impl<'a> Accounts<'a> {
    /// The connections by which the caller can link an identity.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unauthenticated`], and what the storage says.
    pub async fn connections(&self, caller: &Caller) -> Result<Vec<&'a Configured>> {
        let (tenant, _) = self.own(caller).await?;
        let offers = Offers::read(self.0, Some(tenant.id)).await?;
        let links = offers.providers().filter(|configured| {
            configured.description.third_party && configured.offering.admission.linking
        });
        Ok(links.collect())
    }
}

impl Users<'_> {
    /// The identities at third parties that are linked to a user.
    ///
    /// # Errors
    /// As [`Users::read`].
    pub async fn identities(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: UserId,
    ) -> Result<Vec<LinkedIdentity>> {
        self.read(caller, tenant, id).await?;
        let mut unit = self.0.read(Scope::Tenant(tenant)).await?;
        let links = links_of(self.0, unit.as_mut(), id).await?;
        unit.rollback().await?;
        Ok(links)
    }
}
