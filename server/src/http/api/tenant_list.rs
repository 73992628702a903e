use axum::{Json, extract::State};
use gatelodge_core::model::TenantId;
use serde::Deserialize;

use super::types::{ListJson, TenantJson};
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::{Paging, Parameters, cursor},
        problem::{Problem, ProblemBody},
    },
};

const LIST: &str = "tenants";

/// Which tenants.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Part of the name or display name.
    #[serde(default)]
    search: Option<String>,
    /// At most this many, 1 to 200; 50 if not given.
    #[serde(default)]
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where the piece before ended.
    #[serde(default)]
    cursor: Option<String>,
}

/// The tenants that the caller may see: all for a platform administrator, the
/// own one for its administrators.
#[utoipa::path(
    get, path = "/api/v1/tenants", operation_id = "list_tenants", tag = "tenants",
    params(Wanted),
    responses(
        (status = 200, body = ListJson<TenantJson>),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn list_tenants(
    State(app): State<App>,
    requester: Requester,
    Parameters(wanted): Parameters<Wanted>,
) -> Result<Json<ListJson<TenantJson>>, Problem> {
    let platform = app.platform();
    let paging = Paging {
        limit: wanted.limit,
        cursor: wanted.cursor,
    };
    let page = paging.page(platform, LIST, TenantId::from_uuid).await?;
    let listed = platform
        .tenants()
        .list(&requester.caller, wanted.search.as_deref(), page)
        .await?;
    let now = platform.now();
    Ok(Json(ListJson {
        items: listed
            .items
            .iter()
            .map(|tenant| TenantJson::new(tenant, now))
            .collect(),
        next_cursor: listed
            .next
            .map(|id| cursor(platform, LIST, id.as_uuid()))
            .transpose()?,
    }))
}
