use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::types::ListJson;
use crate::{
    app::App,
    http::{
        caller::Requester,
        problem::{Problem, ProblemBody},
    },
};

/// A tenant in which the same person has another account.
#[derive(Serialize, ToSchema)]
#[schema(as = OtherTenant)]
pub struct OtherTenantJson {
    /// Its id.
    id: Uuid,
    /// Its name.
    name: String,
    /// The name to show.
    display_name: String,
}

/// The tenants that the present session leads to without signing in again.
///
/// Those in which an account is linked to the very identity at a third party that began this session. One goes on there
/// by a flow with the intent `switch`. There are few, and all of them are in one answer.
#[utoipa::path(
    get, path = "/api/v1/account/tenants", operation_id = "list_own_tenants", tag = "account",
    responses(
        (status = 200, body = ListJson<OtherTenantJson>),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn list_own_tenants(
    State(app): State<App>,
    requester: Requester,
) -> Result<Json<ListJson<OtherTenantJson>>, Problem> {
    let accounts = app.platform().accounts();
    let others = accounts.elsewhere(&requester.caller).await?;
    let items = others.into_iter().map(|other| OtherTenantJson {
        id: other.id.as_uuid(),
        name: other.name.to_string(),
        display_name: other.display_name.to_string(),
    });
    Ok(Json(ListJson {
        items: items.collect(),
        next_cursor: None,
    }))
}
