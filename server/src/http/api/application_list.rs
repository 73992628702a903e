use axum::{Json, extract::State};
use gatelodge_core::model::ApplicationId;

use super::types::{ApplicationJson, ListJson};
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::{Paging, Parameters, Place, cursor},
        problem::{Problem, ProblemBody},
    },
};

const LIST: &str = "applications";

/// A tenant's applications.
#[utoipa::path(
    get, path = "/api/v1/tenants/{tenant}/applications", operation_id = "list_applications", tag = "applications",
    params(("tenant" = String, Path, description = "The tenant's id or name"), Paging),
    responses(
        (status = 200, body = ListJson<ApplicationJson>),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn list_applications(
    State(app): State<App>,
    requester: Requester,
    Place(tenant): Place<String>,
    Parameters(paging): Parameters<Paging>,
) -> Result<Json<ListJson<ApplicationJson>>, Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?.id;
    let platform = app.platform();
    let list = format!("{LIST} {tenant}");
    let page = paging
        .page(platform, &list, ApplicationId::from_uuid)
        .await?;
    let applications = platform.applications();
    let listed = applications.list(&requester.caller, tenant, page).await?;
    Ok(Json(ListJson {
        items: listed.items.iter().map(ApplicationJson::from).collect(),
        next_cursor: listed
            .next
            .map(|id| cursor(platform, &list, id.as_uuid()))
            .transpose()?,
    }))
}
