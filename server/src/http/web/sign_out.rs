//! Leaving.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};

use gatelodge_core::{engine::KeptDevice, model::TenantId};

use super::{
    frame::{Nav, label},
    visit::{Answer, Visit},
};
use crate::{
    http::{
        cookies::{CURRENT, flow_name, session_name, tag},
        flows::forget_kept,
    },
    pages::views::{ConfirmView, Link, SignedOutView},
};

/// Asks: a link alone must not sign anybody out.
pub(super) async fn ask(visit: Visit) -> Answer {
    let is_kept = visit.cookies.stay(kept_tag(&visit).as_deref()).is_some();
    if visit.requester.session.is_none() && !is_kept {
        return signed_out(&visit, None);
    }
    let view = ConfirmView {
        frame: match visit.requester.session {
            Some(_) => visit.frame(Nav::Nowhere)?,
            None => visit.gate_frame(),
        },
        title: visit.t("sign_out.title")?,
        text: visit.t("sign_out.text")?,
        consequences: Vec::new(),
        post: visit.post("/sign-out"),
        fields: Vec::new(),
        confirm: visit.t("frame.sign_out")?,
        danger: false,
        cancel: Link::new(visit.at("/account"), visit.t("console.cancel")?),
        error: None,
    };
    visit.page(StatusCode::OK, &view)
}

/// Ends the session and takes back what the browser holds of it.
pub(super) async fn sign_out(visit: Visit) -> Answer {
    let mut jar = visit.cookies.jar();
    if let Some(tenant) = kept_tenant(&visit) {
        forget_kept(&visit.app, visit.caller(), &visit.cookies, &mut jar, tenant).await;
    }
    if let Some(session) = &visit.requester.session {
        visit.platform().sessions().sign_out(visit.caller()).await?;
        let tag = tag(session.tenant.id);
        jar.remove(&session_name(&tag));
        if visit
            .cookies
            .value(CURRENT)
            .is_some_and(|current| current.expose() == tag)
        {
            jar.remove(CURRENT);
        }
    }
    for flow in visit.cookies.flows() {
        jar.remove(&flow_name(flow));
    }
    let mut response = signed_out(&visit, elsewhere(&visit).await)?;
    let headers = response.headers_mut();
    headers.insert(
        HeaderName::from_static("clear-site-data"),
        HeaderValue::from_static("\"cache\", \"storage\""),
    );
    jar.onto(headers);
    Ok(response)
}

/// The tenant of what keeps this browser signed in, if that is what is left.
fn kept_tenant(visit: &Visit) -> Option<TenantId> {
    let session = visit.requester.session.as_ref();
    let tenant = session
        .map(|session| session.tenant.id)
        .or(visit.tenant.as_ref().map(|tenant| tenant.id));
    tenant.or_else(|| KeptDevice::tenant_of(visit.cookies.stay(None)?.1))
}

fn kept_tag(visit: &Visit) -> Option<String> {
    kept_tenant(visit).map(tag)
}

/// An empty style sheet of the signed-out page. The page that was left is kept
/// by browsers for the way back, and only after it was left: the answer that
/// left it comes too early to make them forget it, this one does not.
pub(super) async fn forget() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css"),
        (HeaderName::from_static("clear-site-data"), "\"cache\""),
    ];
    (headers, "").into_response()
}

/// The way to sign out at the third party that let the person in.
async fn elsewhere(visit: &Visit) -> Option<Link> {
    let session = visit.requester.session.as_ref()?;
    let back = visit
        .app
        .policy()
        .origins()
        .server()
        .join("sign-out")
        .ok()?;
    let connections = visit.platform().connections();
    let (name, address) = connections.sign_out(&session.session, &back).await?;
    Some(Link::new(address, name))
}

fn signed_out(visit: &Visit, elsewhere: Option<Link>) -> Answer {
    let session = visit.requester.session.as_ref();
    let tenant = session
        .map(|session| &session.tenant)
        .or(visit.tenant.as_ref());
    let view = SignedOutView {
        frame: visit.gate_frame(),
        tenant: tenant.map(label),
        text: None,
        sign_in: Some(visit.at("/sign-in")),
        elsewhere,
    };
    visit.page(StatusCode::OK, &view)
}
