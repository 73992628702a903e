//! The first administrator, by the link that the server prints.

use std::time::Duration;

use axum::http::{StatusCode, header};
use gatelodge_core::{
    Error, ErrorKind,
    model::{Tenant, TenantName, UserName},
    secret::Secret,
    service::FirstAdministrator,
};

use super::{
    forms::Rejected,
    hints,
    problem::PageProblem,
    visit::{Answer, Visit, see_other, way_to},
};
use crate::{
    http::{
        guard,
        problem::{Code, Problem},
    },
    pages::views::{Field, FieldKind, FormCard, Post, SetupView},
};

/// The token of the link, for as long as the form is filled in.
const COOKIE: &str = "gl-setup";
const COOKIE_AGE: Duration = Duration::from_secs(15 * 60);

/// The form. A token in the address is put into a cookie first, so that it
/// stands neither in the browser's history nor in a screenshot.
pub(super) async fn show(visit: Visit) -> Answer {
    if let Some(token) = visit.query.filled("token") {
        let cleaned = token
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        if !cleaned || token.len() > 200 {
            return Err(wrong_link(&visit)?);
        }
        let mut response = see_other(&visit.at("/setup"));
        let mut jar = visit.cookies.jar();
        jar.set(COOKIE, token, Some(COOKIE_AGE));
        jar.onto(response.headers_mut());
        return Ok(response);
    }
    checked_token(&visit).await?;
    page(&visit, None).await
}

/// Makes tenant and administrator.
pub(super) async fn complete(visit: Visit) -> Answer {
    let token = checked_token(&visit).await?;
    match make(&visit, token).await {
        Ok(tenant) => {
            let base = way_to(&visit.app, &tenant);
            let mut response = see_other(&format!("{base}/sign-in?notice=set_up"));
            let mut jar = visit.cookies.jar();
            jar.remove(COOKIE);
            jar.onto(response.headers_mut());
            Ok(response)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Err(wrong_link(&visit)?),
        Err(error) => {
            let taken = visit.t("form.tenant_taken")?;
            let rejected = Rejected::from(error)?.renamed("name", "tenant");
            page(&visit, Some(rejected.taken("tenant", taken))).await
        }
    }
}

async fn make(visit: &Visit, token: Secret) -> Result<Tenant, Error> {
    let text = |name: &str| visit.fields.text(name).unwrap_or_default();
    let new = FirstAdministrator {
        token,
        tenant: TenantName::new(text("tenant"))?,
        user_name: UserName::new(text("user_name"))?,
        password: visit.fields.secret("password").cloned().unwrap_or_default(),
    };
    let set_up = visit.platform().set_up();
    let (tenant, _) = set_up.complete(new, visit.requester.client()).await?;
    Ok(tenant)
}

/// The token of this browser, which must be one that would be accepted.
async fn checked_token(visit: &Visit) -> Result<Secret, PageProblem> {
    let Some(token) = visit.cookies.value(COOKIE) else {
        return Err(wrong_link(visit)?);
    };
    match visit.platform().set_up().check(token).await {
        Ok(()) => Ok(token.clone()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(wrong_link(visit)?),
        Err(error) => Err(error.into()),
    }
}

fn wrong_link(visit: &Visit) -> Result<PageProblem, PageProblem> {
    let problem = PageProblem::from(Problem::new(Code::NotFound));
    Ok(problem.saying(visit.t("setup.wrong_link")?))
}

async fn page(visit: &Visit, rejected: Option<Rejected>) -> Answer {
    let tenant = Field::new(FieldKind::Text, "tenant", visit.t("field.tenant")?)
        .autocomplete("organization")
        .help(visit.t("setup.tenant.help")?);
    let user_name = Field::new(FieldKind::Text, "user_name", visit.t("field.user_name")?)
        .autocomplete("username");
    let password = hints::first_password(visit, "password").await?;
    let post = Post::new(visit.at("/setup"));
    let mut form = FormCard {
        fields: vec![tenant, user_name, password],
        ..FormCard::new("setup", "", post, visit.t("setup.submit")?)
    };
    let mut status = StatusCode::OK;
    if let Some(rejected) = &rejected {
        status = rejected.status();
        rejected.onto(visit, &mut form)?;
    }
    let view = SetupView {
        frame: visit.gate_frame(),
        form,
    };
    let mut response = visit.page(status, &view)?;
    // It ends on the host of the tenant that it makes, which may be one of its own.
    let hosts = visit.app.policy().tenant_hosts();
    if let Some(policy) = hosts.and_then(|hosts| guard::policy_with_forms_to(&hosts)) {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}
