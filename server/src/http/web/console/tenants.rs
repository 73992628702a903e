//! The tenants that the viewer may see.

use axum::http::StatusCode;
use gatelodge_core::{
    Error,
    access::{Resource, action},
    model::{DisplayName, Tenant, TenantId, TenantName},
    service::NewTenant,
};

use super::{Redo, redo, tenant_path};
use crate::{
    http::{
        extract::cursor,
        web::{
            forms::Rejected,
            frame::Nav,
            problem::PageProblem,
            visit::{Answer, Visit, see_other},
        },
    },
    pages::views::{ActionStyle, Field, FieldKind, FormCard, State, TenantRow, TenantsView},
};

const PATH: &str = "/console/tenants";
const CARD: &str = "new-tenant";

pub(super) async fn show(visit: Visit) -> Answer {
    page(&visit, None).await
}

pub(super) async fn create(visit: Visit) -> Answer {
    match make(&visit).await {
        Ok(tenant) => {
            let path = format!("{}?notice=tenant_created", tenant_path(&tenant));
            Ok(see_other(&visit.at(&path)))
        }
        Err(error) => {
            let taken = visit.t("form.tenant_taken")?;
            let rejected = Rejected::from(error)?.taken("name", taken);
            page(&visit, Some((CARD, rejected))).await
        }
    }
}

async fn make(visit: &Visit) -> Result<Tenant, Error> {
    // Whoever may not is told so before anything is said of the names.
    let platform = visit.platform();
    platform.authorise(visit.caller(), action::TENANT_CREATE, &Resource::platform())?;
    let display_name = visit.fields.filled("display_name");
    let new = NewTenant {
        name: TenantName::new(visit.fields.text("name").unwrap_or_default())?,
        display_name: display_name.map(DisplayName::new).transpose()?,
    };
    platform.tenants().create(visit.caller(), new).await
}

async fn page(visit: &Visit, again: Redo) -> Answer {
    let platform = visit.platform();
    let list = "console-tenants";
    let asked = visit
        .paging()
        .page(platform, list, TenantId::from_uuid)
        .await?;
    let search = visit.query.filled("q");
    let tenants = platform.tenants();
    let listed = tenants.list(visit.caller(), search, asked).await?;
    let next = listed.next.map(|id| cursor(platform, list, id.as_uuid()));
    let next = next.transpose()?;
    let rows = listed.items.iter().map(|tenant| row(visit, tenant));
    let status = again
        .as_ref()
        .map_or(StatusCode::OK, |(_, rejected)| rejected.status());
    let view = TenantsView {
        frame: visit.frame(Nav::Tenants)?,
        search: visit.search(PATH),
        tenants: rows.collect::<Result<_, _>>()?,
        total: None,
        next: next.map(|cursor| visit.piece(PATH, Some(&cursor))),
        first: visit
            .query
            .filled("cursor")
            .map(|_| visit.piece(PATH, None)),
        create: create_card(visit, &again)?,
        notice: visit.notice()?,
    };
    visit.page(status, &view)
}

fn row(visit: &Visit, tenant: &Tenant) -> Result<TenantRow, PageProblem> {
    Ok(TenantRow {
        href: visit.at(&tenant_path(tenant)),
        name: tenant.name.to_string(),
        display_name: tenant.display_name.to_string(),
        state: state(visit, tenant),
        users: None,
        created: visit.time(tenant.created_at)?,
        own: visit.is_own(tenant),
    })
}

pub(super) fn state(visit: &Visit, tenant: &Tenant) -> State {
    if tenant.is_locked_at(visit.platform().now()) {
        State::Locked
    } else {
        State::Active
    }
}

fn create_card(visit: &Visit, again: &Redo) -> Result<Option<FormCard>, PageProblem> {
    if !visit.may(action::TENANT_CREATE, &Resource::platform()) {
        return Ok(None);
    }
    let name = Field::new(FieldKind::Text, "name", visit.t("console.tenant.name")?)
        .help(visit.t("console.tenant.name.help")?);
    let shown = visit.t("field.display_name")?;
    let display_name = Field::new(FieldKind::Text, "display_name", shown).optional();
    let title = visit.t("console.tenants.new")?;
    let submit = visit.t("console.tenants.create")?;
    let mut card = FormCard {
        fields: vec![name, display_name],
        style: ActionStyle::Primary,
        ..FormCard::new(CARD, title, visit.post(PATH), submit)
    };
    redo(visit, again, &mut card)?;
    Ok(Some(card))
}
