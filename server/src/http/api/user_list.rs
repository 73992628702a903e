use axum::{Json, extract::State};
use gatelodge_core::model::UserId;
use serde::Deserialize;

use super::types::{ListJson, UserJson};
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::{Paging, Parameters, Place, cursor},
        problem::{Problem, ProblemBody},
    },
};

const LIST: &str = "users";

/// Which users.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Part of the user name, display name or e-mail address.
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

/// A tenant's users.
#[utoipa::path(
    get, path = "/api/v1/tenants/{tenant}/users", operation_id = "list_users", tag = "users",
    params(("tenant" = String, Path, description = "The tenant's id or name"), Wanted),
    responses(
        (status = 200, body = ListJson<UserJson>),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn list_users(
    State(app): State<App>,
    requester: Requester,
    Place(tenant): Place<String>,
    Parameters(wanted): Parameters<Wanted>,
) -> Result<Json<ListJson<UserJson>>, Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?.id;
    let platform = app.platform();
    let paging = Paging {
        limit: wanted.limit,
        cursor: wanted.cursor,
    };
    let list = format!("{LIST} {tenant}");
    let page = paging.page(platform, &list, UserId::from_uuid).await?;
    let listed = platform
        .users()
        .list(&requester.caller, tenant, wanted.search.as_deref(), page)
        .await?;
    let now = platform.now();
    let items = listed.items.iter();
    Ok(Json(ListJson {
        items: items.map(|user| UserJson::new(tenant, user, now)).collect(),
        next_cursor: listed
            .next
            .map(|id| cursor(platform, &list, id.as_uuid()))
            .transpose()?,
    }))
}
