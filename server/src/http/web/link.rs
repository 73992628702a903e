//! Links from mails. The address with the token becomes a cookie and a clean
//! address at once, opening it uses nothing up (programs that look at mails open
//! links too), and the button does what the link is for.

use std::time::Duration;

use axum::http::StatusCode;
use gatelodge_core::{
    ErrorKind,
    engine::{Progress, Reply, ReplyAnswer, StartFlow, StepBody, Transport},
    provider::LinkPurpose,
    secret::Secret,
    service::TenantRef,
};

use super::{
    gate::{self, Given},
    problem::PageProblem,
    visit::{Answer, Visit, see_other},
};
use crate::{
    http::{
        cookies::DEVICE,
        problem::{Code, Problem},
    },
    pages::views::{
        Action, FlowView as View, Link, Method, MethodKind, Post, StepForm, TenantLabel,
    },
};

const COOKIE_AGE: Duration = Duration::from_secs(15 * 60);

/// The button.
pub(super) async fn show(visit: Visit) -> Answer {
    let purpose = purpose(&visit)?;
    if let Some(token) = visit.query.filled("token") {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if token.len() > 500 || !token.chars().all(plain) {
            return Err(wrong_link(&visit)?);
        }
        let mut response = see_other(&address(&visit, purpose));
        let mut jar = visit.cookies.jar();
        jar.set(&cookie(purpose), token, Some(COOKIE_AGE));
        jar.onto(response.headers_mut());
        return Ok(response);
    }
    if visit.cookies.value(&cookie(purpose)).is_none() {
        return Err(wrong_link(&visit)?);
    }
    let text = |part: &str| visit.t(&format!("link.{}.{part}", purpose.as_str()));
    let form = StepForm {
        message: Some(text("text")?),
        fields: Vec::new(),
        display: Vec::new(),
        actions: vec![Action::submit(text("button")?)],
    };
    let mut view = View::new(text("title")?);
    view.frame = visit.gate_frame();
    view.tenant = visit
        .tenant
        .as_ref()
        .map(|tenant| TenantLabel::new(tenant.name.as_str(), tenant.display_name.as_str()));
    view.methods.push(Method {
        id: "link".to_owned(),
        label: text("title")?,
        third_party: false,
        mark: Vec::new(),
        post: Post::new(address(&visit, purpose)),
        tenant_field: None,
        remember_name: None,
        stay: None,
        kind: MethodKind::Form { form },
    });
    view.links = vec![Link::new(visit.at("/sign-in"), visit.t("link.not_now")?)];
    visit.page(StatusCode::OK, &view)
}

/// Does what the link is for: begins a flow with it, and confirms at once.
pub(super) async fn confirm(visit: Visit) -> Answer {
    let purpose = purpose(&visit)?;
    let Some(token) = visit.cookies.value(&cookie(purpose)).cloned() else {
        return Err(wrong_link(&visit)?);
    };
    let mut response = match follow(&visit, purpose, token).await {
        Err(Followed::Nowhere) => return Err(wrong_link(&visit)?),
        Err(Followed::Failed(problem)) => return Err(*problem),
        Ok(response) => response,
    };
    let mut jar = visit.cookies.jar();
    jar.remove(&cookie(purpose));
    jar.onto(response.headers_mut());
    Ok(response)
}

/// Why a link does not lead on.
enum Followed {
    /// It is unknown, used, expired, of another tenant, or of somebody who may not
    /// sign in.
    Nowhere,
    Failed(Box<PageProblem>),
}

impl<E: Into<PageProblem>> From<E> for Followed {
    fn from(error: E) -> Self {
        Self::Failed(Box::new(error.into()))
    }
}

async fn follow(
    visit: &Visit,
    purpose: LinkPurpose,
    token: Secret,
) -> Result<axum::response::Response, Followed> {
    let engine = visit.platform().sign_in();
    let client = visit.requester.client();
    let start = StartFlow {
        tenant: visit.tenant.as_ref().map(|tenant| TenantRef::Id(tenant.id)),
        link: Some((purpose, token)),
        ..StartFlow::sign_in(Transport::Cookie)
    };
    let started = match engine.start(start, client).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(Followed::Nowhere),
        started => started?,
    };
    let step = started.view.step.as_ref();
    let Some(StepBody::Prompt { provider, .. }) = step.map(|step| &step.body) else {
        return Err(Followed::Nowhere);
    };
    let reply = Reply {
        step: None,
        provider: provider.clone(),
        answer: ReplyAnswer::Fields(Default::default()),
        device: visit.cookies.value(DEVICE).cloned(),
        stay: false,
    };
    let given = Given::of_link(&started.handle.id, provider);
    match engine.answer(&started.handle, reply, client).await? {
        Progress::Refused { .. } | Progress::Invalid { .. } => Err(Followed::Nowhere),
        progress => Ok(gate::lead_on(visit, &given, progress).await?),
    }
}

fn purpose(visit: &Visit) -> Result<LinkPurpose, Problem> {
    LinkPurpose::parse(visit.part("purpose")).ok_or_else(|| Problem::new(Code::NotFound))
}

fn address(visit: &Visit, purpose: LinkPurpose) -> String {
    visit.at(&format!("/link/{}", purpose.as_str()))
}

fn cookie(purpose: LinkPurpose) -> String {
    format!("gl-link-{}", purpose.as_str())
}

fn wrong_link(visit: &Visit) -> Result<PageProblem, PageProblem> {
    let problem = PageProblem::from(Problem::new(Code::NotFound));
    Ok(problem.saying(visit.t("link.over")?))
}
