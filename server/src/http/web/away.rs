//! Steps of a flow that lead to a third party, and what is said of those that led
//! nowhere.

use axum::http::{HeaderMap, HeaderValue, header};
use gatelodge_core::{
    Error,
    engine::{FlowView, Notice, StepBody},
    provider::Intent,
};

use super::{problem::PageProblem, visit::Visit};
use crate::pages::views::{FlowView as View, Method, MethodKind};

/// What is said of a way to a third party that led nowhere.
pub(super) fn notice_key(notice: Notice) -> &'static str {
    match notice {
        Notice::Cancelled => "flow.notice.cancelled",
        Notice::NotLinked => "flow.notice.not_linked",
        Notice::LinkedElsewhere => "flow.notice.linked_elsewhere",
        Notice::Barred => "flow.notice.barred",
        Notice::Failed => "flow.notice.failed",
    }
}

/// On to a third party without a click, where that is all there is to do.
///
/// Not by a redirect: browsers hold `form-action` against every redirect that follows a
/// form, also against those with which the third party goes on from there, and nobody
/// knows them beforehand. With this page the form has come to its end.
pub(super) fn lead_away(view: &View, headers: &mut HeaderMap) -> Result<(), PageProblem> {
    let [Method { kind, .. }] = view.methods.as_slice() else {
        return Ok(());
    };
    if let MethodKind::Link { href } = kind {
        let onward = HeaderValue::from_str(&format!("0;url={href}"));
        let onward = onward.map_err(|_| Error::internal("a web address is no header"))?;
        headers.insert(header::REFRESH, onward);
    }
    Ok(())
}

/// The third party that an account is linked at, once its owner is proven.
pub(super) fn links_with(flow: &FlowView) -> Option<String> {
    let links = flow.intent == Intent::Link && flow.proven;
    match flow.step.as_ref().map(|step| &step.body) {
        Some(StepBody::Choose { providers, .. }) if links => {
            providers.first().map(|offer| offer.label.clone())
        }
        _ => None,
    }
}

/// What is linked by this, or is going to be.
pub(super) fn linking(
    visit: &Visit,
    flow: &FlowView,
    first: bool,
) -> Result<Option<String>, PageProblem> {
    if let Some(method) = links_with(flow) {
        let text = visit.tv("flow.link.text", &[("method", &method)])?;
        return Ok(Some(text));
    }
    let Some(linking) = flow.linking.as_ref().filter(|_| first) else {
        return Ok(None);
    };
    let values = [
        ("method", linking.third_party.as_str()),
        ("name", linking.name.as_str()),
    ];
    Ok(Some(visit.tv("flow.linking", &values)?))
}
