//! Somebody comes by a third party: whom that identity is linked to, and linking it.
//!
//! The key is connection, issuer and subject. An address finds nobody: all it may do,
//! where it is proven, is to suggest that there is an account to be linked, which then
//! has to be proven itself.

use serde::{Deserialize, Serialize};

use super::{
    Claimed, Progress, anonymous,
    answer::Attempt,
    flow::{Candidate, Phase},
    write::{Proven, Write, Written},
};
use crate::{
    ErrorKind, Result, messages,
    model::{Factor, RecordId, TenantId, User},
    platform::AuditEventExt,
    provider::{Configured, Effect, ExternalIdentity, Purpose, State},
    service::{MAX_KEEP, Offers, bar, identity_key, identity_name, link_record, linked_users},
    storage::{Record, Scope, UnitOfWork},
};

const MAX_ISSUER: usize = 2_048;
const MAX_SUBJECT: usize = 255;
/// The most bytes of all claims of an identity, names and values.
const MAX_CLAIMS: usize = 32 * 1024;

/// Somebody who came by a third party, as a flow keeps them.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Comer {
    pub(crate) identity: ExternalIdentity,
    /// What the provider wants kept with a link.
    pub(crate) keep: State,
    /// Whether they sign in to an account that is there, to link it.
    pub(crate) links: bool,
    /// How that was proven.
    pub(crate) factor: Factor,
}

impl Attempt<'_> {
    /// A third party says who it is.
    pub(super) async fn identified(
        self,
        comer: Comer,
        proven: Proven,
        effects: Vec<Effect>,
    ) -> Result<Progress> {
        if !self.is_well_formed(&comer) {
            return self.refuse("malformed_identity").await;
        }
        let bound = proven.purpose != Purpose::SignIn
            || proven.mailbox.is_some()
            || proven.renew.is_some()
            || proven.scope.is_some();
        if bound || !effects.is_empty() {
            return self.refuse("not_for_third_parties").await;
        }
        if !self.configured.offering.admission.admits(&comer.identity) {
            return self.barred(&comer.identity, "domain_not_allowed").await;
        }
        match self.found.flow.phase {
            Phase::Link => self.link(comer).await,
            Phase::First | Phase::SignUp => {
                let linked = self.linked(&comer.identity).await?;
                self.sign_in_as(linked, comer, proven).await
            }
            _ => self.refuse("not_now").await,
        }
    }

    fn is_well_formed(&self, comer: &Comer) -> bool {
        let Comer { identity, keep, .. } = comer;
        let claims = identity.claims.iter();
        let said: usize = claims
            .map(|(name, claim)| name.len() + claim.value.len())
            .sum();
        self.configured.description.third_party
            && said <= MAX_CLAIMS
            && identity.connection == self.configured.id
            && (1..=MAX_ISSUER).contains(&identity.issuer.len())
            && (1..=MAX_SUBJECT).contains(&identity.subject.len())
            && keep.0.len() <= MAX_KEEP
    }

    /// Who is linked to the identity, where this connection is offered.
    async fn linked(&self, identity: &ExternalIdentity) -> Result<Linked> {
        let tenant = self.found.flow.tenant_id();
        let users = linked_users(self.platform, identity, tenant).await?;
        if users.is_empty() {
            return Ok(Linked::Nobody);
        }
        let mut linked = Vec::new();
        for candidate in self.allowed(users).await? {
            if let Some(record) = self.link_of(identity, &candidate).await? {
                linked.push((candidate, record));
            }
        }
        Ok(Linked::Users(linked))
    }

    async fn link_of(
        &self,
        identity: &ExternalIdentity,
        candidate: &Candidate,
    ) -> Result<Option<Record>> {
        let scope = Scope::Tenant(candidate.tenant.id);
        let mut unit = self.platform.read(scope).await?;
        let key = identity_key(identity);
        let record = unit.records().by_key(&identity.connection, &key).await?;
        unit.rollback().await?;
        Ok(record.filter(|record| record.user == Some(candidate.user)))
    }

    async fn sign_in_as(
        mut self,
        linked: Linked,
        comer: Comer,
        mut proven: Proven,
    ) -> Result<Progress> {
        let linked = match linked {
            Linked::Nobody if self.found.flow.subject.is_some() => {
                return self.refuse("not_the_subject").await;
            }
            Linked::Nobody => return self.newcomer(comer).await,
            Linked::Users(linked) => linked,
        };
        match linked.as_slice() {
            [] => self.refuse("no_account").await,
            [(one, record)] => {
                let place = (one.tenant.id, one.user);
                proven.factor.credential = Some(record.id);
                proven.comer = Some(comer);
                let write = proven.under(one.epoch);
                self.write(place, write, Vec::new()).await
            }
            _ => {
                self.found.flow.came = Some(comer);
                let candidates = linked.into_iter().map(|(candidate, record)| Candidate {
                    credential: Some(record.id),
                    ..candidate
                });
                let candidates = candidates.collect();
                self.ask_for_tenant(candidates, proven.factor, None).await
            }
        }
    }

    /// Links the identity to whoever asked for it and has just proven who they are.
    async fn link(mut self, comer: Comer) -> Result<Progress> {
        self.claim_known().await?;
        let Claimed::User(found) = &self.claimed else {
            return self.refuse("nothing_to_link").await;
        };
        let place = (found.0.id, found.1.id);
        let write = Write::Linked(Box::new(comer));
        self.write(place, write, Vec::new()).await
    }

    /// The third party says who it is, and that they may not come in: what that
    /// identity let in ends.
    pub(super) async fn barred(
        self,
        identity: &ExternalIdentity,
        reason: &str,
    ) -> Result<Progress> {
        let reason = super::check::plain_reason(reason);
        if identity.connection == self.configured.id && self.configured.description.third_party {
            // It says so of the person, in whatever tenant they have an account.
            let users = linked_users(self.platform, identity, None).await?;
            let caller = anonymous(self.client);
            let connection = &self.configured.id;
            bar(self.platform, &caller, &users, connection, reason).await?;
        }
        self.refuse_with(reason, Some(Notice::Barred)).await
    }

    /// Stores what a write says of an identity, in the unit that writes everything
    /// else. The user's row is held.
    pub(super) async fn keep_identity(
        &mut self,
        unit: &mut dyn UnitOfWork,
        tenant: TenantId,
        user: &User,
        write: &Write,
    ) -> Result<Option<Written>> {
        match write {
            Write::Proof(proven) => {
                let link = proven.comer.as_ref().zip(proven.factor.credential);
                if let Some((comer, id)) = link {
                    self.renew_link(unit, (tenant, user), id, comer).await?;
                }
                Ok(None)
            }
            Write::NewAccount(new) => {
                let link = new.comer.as_ref().zip(new.factor.credential);
                match link {
                    Some((comer, id)) => self.add_link(unit, (tenant, user), id, comer).await,
                    None => Ok(None),
                }
            }
            Write::Linked(comer) => {
                let id = RecordId::generate(self.platform.environment());
                self.add_link(unit, (tenant, user), id, comer).await
            }
            Write::SetUp | Write::PutOff | Write::Removed(_) => Ok(None),
        }
    }

    /// Links whom the flow was going to link, now that the account is proven.
    pub(super) async fn link_comer(
        &mut self,
        unit: &mut dyn UnitOfWork,
        tenant: TenantId,
        user: &User,
    ) -> Result<Option<Written>> {
        let flow = &mut self.found.flow;
        let comer = flow.comer.take().filter(|comer| comer.links);
        // What is good for one page only is no proof of the account.
        let Some(comer) = comer.filter(|_| flow.scope.is_none()) else {
            return Ok(None);
        };
        let id = RecordId::generate(self.platform.environment());
        flow.has_linked = true;
        self.add_link(unit, (tenant, user), id, &comer).await
    }

    async fn renew_link(
        &self,
        unit: &mut dyn UnitOfWork,
        (tenant, user): (TenantId, &User),
        id: RecordId,
        comer: &Comer,
    ) -> Result<()> {
        let provider = &self.configured.id;
        let Some(stored) = unit.records().by_id(provider, id).await? else {
            return Ok(());
        };
        let said = (&comer.identity, &comer.keep);
        let new = link_record(self.platform, self.configured, (tenant, user.id), id, said)?;
        let renewed = Record {
            version: stored.version,
            created_at: stored.created_at,
            ..new
        };
        // A third party that gives nothing to keep this time has not taken back what
        // it gave before.
        let record = match comer.keep.0.is_empty() {
            true if renewed.label == stored.label => return Ok(()),
            true => Record {
                label: renewed.label,
                ..stored
            },
            false => renewed,
        };
        unit.records().update(&record).await?;
        Ok(())
    }

    /// One more link of a user. An identity that is linked to somebody else stays
    /// theirs.
    async fn add_link(
        &mut self,
        unit: &mut dyn UnitOfWork,
        (tenant, user): (TenantId, &User),
        id: RecordId,
        comer: &Comer,
    ) -> Result<Option<Written>> {
        let Some(configured) = self.connection_of(unit, comer).await? else {
            return Ok(Some(Written::Refuse("connection_gone")));
        };
        let key = identity_key(&comer.identity);
        let records = unit.records();
        match records.by_key(&configured.id, &key).await? {
            Some(stored) if stored.user == Some(user.id) => return Ok(None),
            Some(_) => return Ok(Some(Written::Refuse("identity_taken"))),
            None => {}
        }
        let said = (&comer.identity, &comer.keep);
        let record = link_record(self.platform, configured, (tenant, user.id), id, said)?;
        match unit.records().create(&record).await {
            // Somebody else's at this very moment. The unit ends here.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Ok(Some(Written::Refuse("identity_taken")));
            }
            created => created?,
        }
        let caller = self.caller(tenant, user.id);
        let event = self
            .platform
            .event(&caller, Some(tenant), "user.link_identity")
            .about(user.id)
            .changing("connection", None, Some(configured.id.to_string()))
            .changing("name", None, Some(record.label));
        unit.audit().append(&event).await?;
        messages::tell(self.platform, unit, (tenant, user), "identity_linked").await?;
        self.told = true;
        Ok(None)
    }

    /// The connection that somebody came by, if it is there for this tenant.
    async fn connection_of(
        &self,
        unit: &mut dyn UnitOfWork,
        comer: &Comer,
    ) -> Result<Option<&'_ Configured>> {
        let providers = self.platform.providers();
        let Some(configured) = providers.provider(&comer.identity.connection) else {
            return Ok(None);
        };
        let offers = Offers::within(self.platform, unit).await?;
        Ok(Some(configured).filter(|configured| offers.include(configured)))
    }

    /// What the person is called at the third party.
    pub(super) fn name_of(&self, identity: &ExternalIdentity) -> String {
        identity_name(self.configured, identity)
    }
}

/// Who is linked to an identity.
enum Linked {
    /// Nobody at all.
    Nobody,
    /// These, as far as they may sign in.
    Users(Vec<(Candidate, Record)>),
}

/// What a person is told who comes back from a third party and got no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// They, or the third party, gave it up.
    Cancelled,
    /// Nobody here is linked to that identity, and nobody is made for it.
    NotLinked,
    /// It is linked to somebody else here.
    LinkedElsewhere,
    /// The third party, or the rules for it, do not let them in.
    Barred,
    /// Something else.
    Failed,
}

impl Notice {
    /// What is told for a reason of the audit log.
    pub(super) fn of(reason: &str) -> Self {
        match reason {
            "access_denied" => Self::Cancelled,
            "not_linked" => Self::NotLinked,
            "identity_taken" => Self::LinkedElsewhere,
            _ => Self::Failed,
        }
    }
}
