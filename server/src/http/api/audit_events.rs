use std::time::Duration;

use axum::{Json, extract::State};
use gatelodge_core::{
    environment::{later, whole_milliseconds},
    model::{AuditEventId, AuditFilter},
};
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
    let list = format!("{LIST} {}", tenant.id);
    let page = paging
        .page(platform, &list, AuditEventId::from_uuid)
        .await?;
    let filter = AuditFilter {
        action: wanted.action,
        object_id: wanted.object,
        from: wanted.from.map(next_millisecond),
        until: wanted.until.map(next_millisecond),
    };
    let listed = platform
        .audit_log()
        .list(&requester.caller, tenant.id, &filter, page)
        .await?;
    Ok(Json(ListJson {
        items: listed.items.into_iter().map(AuditEventJson::from).collect(),
        next_cursor: listed
            .next
            .map(|id| cursor(platform, &list, id.as_uuid()))
            .transpose()?,
    }))
}

/// The first whole millisecond from `time` on: entries have no finer times, and
/// a backend may drop what is finer.
fn next_millisecond(time: Timestamp) -> Timestamp {
    let whole = whole_milliseconds(time);
    if whole < time {
        later(whole, Duration::from_millis(1))
    } else {
        whole
    }
}
