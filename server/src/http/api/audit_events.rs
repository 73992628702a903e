use axum::{Json, extract::State};
use gatelodge_core::model::{AuditEventId, AuditFilter};
use jiff::Timestamp;
use serde::Deserialize;

use super::types::{AuditEventJson, ListJson};
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::{Paging, Parameters, Place, cursor},
        problem::{Problem, ProblemBody},
    },
};

const LIST: &str = "audit_events";

/// Which entries.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Only this action.
    #[serde(default)]
    action: Option<String>,
    /// Only about the object with this id.
    #[serde(default)]
    object: Option<String>,
    /// Only from this time on.
    #[serde(default)]
    from: Option<Timestamp>,
    /// Only before this time.
    #[serde(default)]
    until: Option<Timestamp>,
    /// At most this many, 1 to 200; 50 if not given.
    #[serde(default)]
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where the piece before ended.
    #[serde(default)]
    cursor: Option<String>,
}

/// A tenant's audit log, newest first.
#[utoipa::path(
    get, path = "/api/v1/tenants/{tenant}/audit-events", operation_id = "list_audit_events", tag = "audit",
    params(("tenant" = String, Path, description = "The tenant's id or name"), Wanted),
    responses(
        (status = 200, body = ListJson<AuditEventJson>),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn list_audit_events(
    State(app): State<App>,
    requester: Requester,
    Place(tenant): Place<String>,
    Parameters(wanted): Parameters<Wanted>,
) -> Result<Json<ListJson<AuditEventJson>>, Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?;
    let platform = app.platform();
    let paging = Paging {
        limit: wanted.limit,
        cursor: wanted.cursor,
    };
    let page = paging.page(platform, LIST, AuditEventId::from_uuid)?;
    let filter = AuditFilter {
        action: wanted.action,
        object_id: wanted.object,
        from: wanted.from,
        until: wanted.until,
    };
    let listed = platform
        .audit_log()
        .list(&requester.caller, tenant.id, &filter, page)
        .await?;
    Ok(Json(ListJson {
        items: listed.items.into_iter().map(AuditEventJson::from).collect(),
        next_cursor: listed
            .next
            .map(|id| cursor(platform, LIST, id.as_uuid()))
            .transpose()?,
    }))
}
