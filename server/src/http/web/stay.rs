//! Staying signed in: a browser that kept a device's token is signed in without
//! being asked, if the person goes to the page and the browser does not only guess.

use axum::response::Response;
use gatelodge_core::{
    ErrorKind,
    engine::{Progress, ResumeDevice, Resumed, Transport},
    model::TenantId,
    service::TenantRef,
};

use super::{
    destination::Destination,
    gate::{Gate, step_address},
    problem::PageProblem,
    visit::{Visit, see_other},
};
use crate::http::{
    cookies::{DEVICE, Jar, tag},
    flows::{bind, hand_over, keep},
};

/// Where the browser goes, if it kept what signs in to this tenant, without one to
/// the only one. Cookies that are worth nothing any more go into the jar.
pub(super) async fn resume(
    visit: &Visit,
    tenant: Option<&TenantRef>,
    destination: &Destination,
    forgotten: &mut Jar,
) -> Result<Option<Response>, PageProblem> {
    let asks_for_the_form = ["flow", "again", "notice"]
        .into_iter()
        .any(|name| visit.query.text(name).is_some());
    if asks_for_the_form || !visit.is_navigation() {
        return Ok(None);
    }
    let tenant = match tenant {
        None => None,
        Some(named) => match visit.platform().tenants().find(named).await? {
            Some(tenant) => Some(tenant.id),
            None => return Ok(None),
        },
    };
    let Some((name, token)) = visit.cookies.stay(tenant.map(tag).as_deref()) else {
        return Ok(None);
    };
    let resume = ResumeDevice {
        token: token.clone(),
        tenant,
        transport: Transport::Cookie,
        application: destination.application(),
        return_to: destination.address(),
        lane: visit.cookies.value(DEVICE).cloned(),
    };
    let engine = visit.platform().sign_in();
    match engine.resume_device(resume, visit.requester.client()).await {
        Ok(resumed) => Ok(lead_on(visit, name, resumed, forgotten).await),
        // The form counts against the same limit, and says so.
        Err(error) if error.kind() == ErrorKind::Limited => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn lead_on(
    visit: &Visit,
    name: &str,
    resumed: Resumed,
    forgotten: &mut Jar,
) -> Option<Response> {
    let (handle, progress, kept) = match resumed {
        Resumed::Known {
            handle,
            progress,
            kept,
        } => (handle, *progress, kept),
        Resumed::Forgotten => {
            forgotten.remove(name);
            return None;
        }
        Resumed::NotNow => return None,
    };
    let (to, mut jar) = match progress {
        Progress::Complete(completed) => {
            let (app, requester) = (&visit.app, &visit.requester);
            let jar = hand_over(app, requester, &visit.cookies, &handle.id, &completed).await;
            let to = completed.return_to.clone();
            (to.unwrap_or_else(|| visit.at("/account")), jar)
        }
        _ => {
            let mut jar = visit.cookies.jar();
            if let Some(binding) = &handle.binding {
                bind(&mut jar, &visit.cookies, &handle.id, binding);
            }
            (step_address(visit, Gate::SignIn, &handle.id), jar)
        }
    };
    keep(&visit.app, &mut jar, &kept);
    let mut response = see_other(&to);
    jar.onto(response.headers_mut());
    Some(response)
}

/// Whether the box is offered on the first step of a sign-in, and ticked at first:
/// `None` where it is not offered.
pub(super) async fn offered(
    visit: &Visit,
    tenant: Option<&str>,
) -> Result<Option<bool>, PageProblem> {
    let tenant = match (&visit.tenant, tenant) {
        (Some(tenant), _) => Some(tenant.id),
        (None, None) => None,
        (None, Some(name)) => {
            let named = TenantRef::parse(name);
            let found = visit.platform().tenants().find(&named).await?;
            found.map(|tenant| tenant.id)
        }
    };
    let lifetime = visit.platform().sign_in().remembers_for(tenant).await?;
    Ok(lifetime.map(|_| is_kept(visit, tenant)))
}

/// Whether this browser holds what keeps it signed in to a tenant; without one, to
/// that of the address or the only one.
pub(super) fn is_kept(visit: &Visit, tenant: Option<TenantId>) -> bool {
    let tenant = tenant.or(visit.tenant.as_ref().map(|tenant| tenant.id));
    visit.cookies.stay(tenant.map(tag).as_deref()).is_some()
}
