//! Deleting a tenant, behind a page that says what it will do.

use axum::http::StatusCode;
use gatelodge_core::{
    access::{Resource, action},
    model::Tenant,
    service::DeleteTenant,
    storage::Page,
};

use super::tenant_path;
use crate::{
    http::web::{
        forms::{Rejected, refill},
        frame::Nav,
        problem::PageProblem,
        visit::{Answer, Visit, see_other},
    },
    pages::views::{ConfirmView, Field, FieldKind, Link},
};

/// More open sessions than this are told as "more than".
const COUNTED: u32 = 200;

pub(super) async fn ask(visit: Visit) -> Answer {
    let tenant = visit.console_tenant().await?;
    page(&visit, &tenant, None).await
}

pub(super) async fn delete(visit: Visit) -> Answer {
    let tenant = visit.console_tenant().await?;
    allowed(&visit, &tenant)?;
    if visit.fields.text("typed") != Some(tenant.name.as_str()) {
        let message = visit.t("console.confirm.mistyped")?;
        return page(&visit, &tenant, Some(Rejected::about("typed", message))).await;
    }
    let how = DeleteTenant {
        force: visit.fields.ticked("force"),
        version: visit.fields.version()?,
    };
    let tenants = visit.platform().tenants();
    match tenants.delete(visit.caller(), tenant.id, how).await {
        Ok(()) => Ok(see_other(
            &visit.at("/console/tenants?notice=tenant_deleted"),
        )),
        Err(error) => page(&visit, &tenant, Some(Rejected::from(error)?)).await,
    }
}

fn allowed(visit: &Visit, tenant: &Tenant) -> Result<(), PageProblem> {
    let here = Resource::tenant(tenant.id);
    let platform = visit.platform();
    Ok(platform.authorise(visit.caller(), action::TENANT_DELETE, &here)?)
}

async fn page(visit: &Visit, tenant: &Tenant, rejected: Option<Rejected>) -> Answer {
    allowed(visit, tenant)?;
    let name = tenant.display_name.as_str();
    let sessions = open_sessions(visit, tenant).await?;
    let typed = visit.tv("console.confirm.type", &[("name", tenant.name.as_str())])?;
    let mut fields = vec![Field::new(FieldKind::Text, "typed", typed)];
    if sessions.is_some() {
        let force = visit.t("console.tenant.delete.force")?;
        fields.push(Field::new(FieldKind::Checkbox, "force", force));
    }
    let mut error = None;
    if let Some(rejected) = &rejected {
        refill(&mut fields, &visit.fields);
        error = rejected.mark(visit, &mut fields)?;
    }
    let mut consequences = vec![visit.t("console.tenant.delete.consequence")?];
    consequences.extend(sessions);
    consequences.push(visit.t("console.delete.what_stays")?);
    let path = tenant_path(tenant);
    let post = visit.post(&format!("{path}/delete"));
    let view = ConfirmView {
        frame: visit.frame(Nav::Tenants)?,
        title: visit.tv("console.delete.ask", &[("name", name)])?,
        text: visit.t("console.tenant.delete.text")?,
        consequences,
        post: post.hidden("version", tenant.version.to_string()),
        fields,
        confirm: visit.t("console.tenant.delete.submit")?,
        danger: true,
        cancel: Link::new(visit.at(&path), visit.t("console.cancel")?),
        error,
    };
    let status = rejected.map_or(StatusCode::OK, |rejected| rejected.status());
    visit.page(status, &view)
}

/// What is said of the open sessions, if there are any.
async fn open_sessions(visit: &Visit, tenant: &Tenant) -> Result<Option<String>, PageProblem> {
    let sessions = visit.platform().sessions();
    let open = sessions
        .list(visit.caller(), tenant.id, None, true, Page::first(COUNTED))
        .await?;
    let count = open.items.len().to_string();
    Ok(match (open.items.len(), open.next) {
        (0, _) => None,
        (_, Some(_)) => Some(visit.tv("console.sessions_end_over", &[("number", &count)])?),
        (_, None) => Some(visit.tv("console.sessions_end", &[("count", &count)])?),
    })
}
