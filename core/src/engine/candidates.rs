//! When a proof fits several accounts: which of them may sign in, and the choice.

use super::{
    Progress, Reply, ReplyAnswer, SignIn,
    answer::Attempt,
    check::error,
    flow::{self, Candidate, FlowProof, FlowTenant, Found, Phase},
    view::{TENANT, view},
    write::{Proven, Write},
};
use crate::{
    Error, Result,
    model::{ClientFacts, Factor, TenantId, UserId},
    platform::sign_in_obstacle,
    provider::Purpose,
    service::Offers,
    storage::Scope,
};

impl Attempt<'_> {
    /// Those of the users who exist and may sign in this way, in the flow's tenant and
    /// being the flow's user if these are known.
    pub(super) async fn allowed(
        &self,
        mut users: Vec<(TenantId, UserId)>,
    ) -> Result<Vec<Candidate>> {
        let flow = &self.found.flow;
        let mut allowed = Vec::new();
        users.sort_unstable();
        users.dedup();
        for (tenant, user) in users {
            let fits = flow.tenant_id().is_none_or(|known| known == tenant)
                && flow.subject.is_none_or(|known| known == (tenant, user));
            if !fits {
                continue;
            }
            let mut unit = self.platform.read(Scope::Tenant(tenant)).await?;
            let found = unit.tenants().by_id(tenant).await?;
            let user = unit.users().by_id(user).await?;
            if let Some((tenant, user)) = found.zip(user) {
                let now = self.platform.now();
                let obstacle = sign_in_obstacle(unit.as_mut(), &tenant, &user, now).await?;
                let offers = Offers::within(self.platform, unit.as_mut()).await?;
                if obstacle.is_none() && offers.include(self.configured) {
                    allowed.push(Candidate {
                        tenant: FlowTenant::from(&tenant),
                        user: user.id,
                        epoch: user.credential_epoch,
                        credential: None,
                    });
                }
            }
            unit.rollback().await?;
        }
        Ok(allowed)
    }

    pub(super) async fn ask_for_tenant(
        mut self,
        candidates: Vec<Candidate>,
        factor: Factor,
        scope: Option<String>,
    ) -> Result<Progress> {
        let flow = &mut self.found.flow;
        flow.candidates = candidates;
        flow.scope = flow.scope.take().or(scope);
        flow.proofs.push(FlowProof {
            factor,
            first: self.configured.description.first_step,
        });
        flow.go_to(self.platform.environment(), Phase::Tenant);
        let binding = flow.rebind(self.platform.environment());
        let mut unit = self.platform.write(Scope::Platform).await?;
        if let Some(lanes) = &self.lanes {
            lanes.succeed(unit.as_mut()).await?;
        }
        self.found.version = flow::save(self.platform, unit.as_mut(), &self.found).await?;
        unit.commit().await?;
        Ok(Progress::Next {
            view: view(self.platform, &self.found),
            binding,
            hold_until: None,
        })
    }
}

impl SignIn<'_> {
    /// The person chooses one of several accounts.
    pub(super) async fn choose_tenant(
        &self,
        found: Found,
        reply: Reply,
        client: &ClientFacts,
    ) -> Result<Progress> {
        let wrong = |found: &Found| Progress::Invalid {
            view: view(self.0, found),
            errors: vec![error(
                TENANT,
                "unknown_choice",
                "Choose one of the organisations.",
            )],
        };
        let ReplyAnswer::Fields(values) = reply.answer else {
            return Ok(wrong(&found));
        };
        let chosen = values.get(TENANT).and_then(|chosen| {
            let mut candidates = found.flow.candidates.iter();
            candidates.find(|candidate| candidate.tenant.name == chosen.expose())
        });
        let chosen = chosen.cloned();
        let proof = found.flow.proofs.last().cloned();
        let configured = proof
            .as_ref()
            .and_then(|proof| self.0.providers().provider(&proof.factor.provider));
        let (Some(chosen), Some(configured)) = (chosen, configured) else {
            return Ok(wrong(&found));
        };
        let mut attempt = Attempt::new(self.0, (found, 0), configured, client, reply.device);
        // The proof is taken out and written again with its account.
        let proof = attempt.found.flow.proofs.pop();
        let proof = proof.ok_or_else(|| Error::internal("a proof is gone"))?;
        let factor = Factor {
            credential: chosen.credential.or(proof.factor.credential),
            ..proof.factor
        };
        let comer = attempt.found.flow.came.take();
        let scope = attempt.found.flow.scope.take();
        attempt
            .write(
                (chosen.tenant.id, chosen.user),
                Write::Proof(Box::new(Proven {
                    factor,
                    epoch: chosen.epoch,
                    scope,
                    purpose: Purpose::SignIn,
                    renew: None,
                    mailbox: None,
                    return_to: None,
                    comer,
                })),
                Vec::new(),
            )
            .await
    }
}
