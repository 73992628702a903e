//! Switching to one's account in another tenant without signing in again: what a third
//! party said at the beginning of the present session counts there, too, as far as that
//! tenant lets it.
//!
//! It is a sign-in like any other, in a flow of its own, with that proof as its first:
//! whatever else the tenant demands is still to come. The proof keeps its age. It counts
//! as long as the present session is valid and no longer than the other tenant lets a
//! session live, and a session that follows from it ends then, so that nobody stays
//! signed in for ever by going to and fro.

use std::sync::Arc;

use super::{
    Claimed, Progress, SignIn,
    answer::Attempt,
    flow::{self, Flow, FlowHandle, FlowTenant, Found, Transport},
    start::go_back,
    write::{Proven, Tried},
};
use crate::{
    Error, ErrorKind, Result,
    access::{Caller, Resource, action},
    model::{ClientFacts, Tenant},
    provider::{Intent, Purpose},
    secret::Secret,
    service::{TenantRef, WayElsewhere, valid_session, ways_elsewhere},
    session_table::CheckedSession,
};

/// Where somebody who is signed in wants to switch to.
#[derive(Debug, Clone)]
pub struct SwitchTenant {
    /// The present session. It goes on.
    pub session: Arc<CheckedSession>,
    /// The other tenant.
    pub tenant: TenantRef,
    /// Where the browser goes in the end: a path of this server.
    pub return_to: Option<String>,
    /// What the browser carries that signed in here before.
    pub device: Option<Secret>,
}

/// A flow in the other tenant.
#[derive(Debug, Clone)]
pub struct Switched {
    /// What finds it again.
    pub handle: FlowHandle,
    /// Where it stands: at a session, or at what is still demanded.
    pub progress: Box<Progress>,
}

impl SignIn<'_> {
    /// Switches to the account in another tenant that the same identity at a third
    /// party is linked to. It is for browsers: the flow is bound by a cookie.
    ///
    /// # Errors
    /// * [`ErrorKind::Unauthenticated`] when the session is over.
    /// * [`ErrorKind::NotFound`] for a tenant that the session does not lead to: none
    ///   is there, nobody is linked or may sign in there, the session began otherwise
    ///   than at a third party, or too long ago for that tenant.
    /// * [`ErrorKind::Denied`] for a limited session.
    /// * [`ErrorKind::Refused`] for who has as many sessions there as allowed.
    /// * [`ErrorKind::Limited`] when the network starts too many.
    pub async fn switch(&self, switch: SwitchTenant, client: &ClientFacts) -> Result<Switched> {
        let platform = self.0;
        platform
            .flow_starts()
            .take(client.network.as_deref(), platform.now())?;
        let way = self.way(&switch, client).await?;
        let mut flow = Flow::new(platform, Transport::Cookie, Intent::SignIn);
        flow.tenant = Some(FlowTenant::from(&way.tenant));
        flow.not_after = Some(way.until);
        go_back(&mut flow, None, switch.return_to.as_deref())?;
        let (handle, found) = flow::begin(platform, flow).await?;
        let hash = found.handle;
        let switched = self.prove_again((found, way), switch.device, client).await;
        match switched {
            Ok(Some(progress)) => {
                let binding = match &progress {
                    Progress::Next { binding, .. } => binding.clone(),
                    _ => None,
                };
                let binding = binding.or(handle.binding);
                Ok(Switched {
                    handle: FlowHandle { binding, ..handle },
                    progress: Box::new(progress),
                })
            }
            other => {
                flow::give_up(platform, &hash).await?;
                Err(other.err().unwrap_or_else(nowhere))
            }
        }
    }

    async fn way(&self, switch: &SwitchTenant, client: &ClientFacts) -> Result<WayElsewhere<'_>> {
        let platform = self.0;
        let present = &switch.session;
        let caller = Caller {
            principal: present.principal(),
            client: client.clone(),
        };
        let own = Resource::user(present.tenant.id, present.user.id);
        platform.authorise(&caller, action::ACCOUNT_USE, &own)?;
        let tenant: Option<Tenant> = platform.tenants().find(&switch.tenant).await?;
        let tenant = tenant.ok_or_else(nowhere)?;
        let session = valid_session(platform, present.tenant.id, present.session.id).await?;
        let session =
            session.ok_or_else(|| Error::new(ErrorKind::Unauthenticated, "sign in first"))?;
        let mut ways = ways_elsewhere(platform, &session, Some(tenant.id)).await?;
        ways.pop().ok_or_else(nowhere)
    }

    /// The old proof, in the new flow; `None` when that is refused.
    async fn prove_again(
        &self,
        (found, way): (Found, WayElsewhere<'_>),
        device: Option<Secret>,
        client: &ClientFacts,
    ) -> Result<Option<Progress>> {
        let place = (way.tenant.id, way.user.id);
        let proven = Proven {
            factor: way.factor,
            epoch: way.user.credential_epoch,
            scope: None,
            purpose: Purpose::SignIn,
            renew: None,
            mailbox: None,
            return_to: None,
            comer: None,
        };
        let write = proven.under(way.user.credential_epoch);
        let mut attempt = Attempt::new(self.0, (found, 0), way.configured, client, device);
        attempt.claimed = Claimed::User(Box::new((way.tenant, way.user)));
        let (attempt, reason) = match attempt.try_write(place, write, Vec::new()).await? {
            Tried::Done(progress) => return Ok(Some(*progress)),
            Tried::Lost(attempt) => (attempt, "used_up"),
            Tried::Refused(attempt, reason) => (attempt, reason),
        };
        attempt.refuse(reason).await?;
        Ok(None)
    }
}

/// The same for all that is in the way: nobody learns where others have accounts.
fn nowhere() -> Error {
    Error::not_found("tenant")
}
