use axum::{Json, extract::State, http::StatusCode};
use gatelodge_core::{model::RecordId, service::LinkedIdentity};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::types::ListJson;
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::Place,
        problem::{Problem, ProblemBody},
    },
};

/// An identity at a third party that is linked to a user.
#[derive(Serialize, ToSchema)]
#[schema(as = Identity)]
pub struct IdentityJson {
    /// The link's id.
    id: Uuid,
    /// The id of the connection that it came by.
    connection: String,
    /// What the third party is called.
    third_party: String,
    /// What the person is called there: an address or a name.
    name: String,
    /// When it was linked.
    #[schema(value_type = String, format = DateTime)]
    linked_at: Timestamp,
}

impl IdentityJson {
    pub(super) fn all(identities: Vec<LinkedIdentity>) -> Vec<Self> {
        let all = identities.into_iter().map(|identity| Self {
            id: identity.id.as_uuid(),
            connection: identity.connection.to_string(),
            third_party: identity.third_party,
            name: identity.name,
            linked_at: identity.linked_at,
        });
        all.collect()
    }
}

/// The identities at third parties that are linked to a user.
///
/// There are few, and all of them are in one answer.
#[utoipa::path(
    get, path = "/api/v1/tenants/{tenant}/users/{user}/identities",
    operation_id = "list_user_identities", tag = "users",
    params(
        ("tenant" = String, Path, description = "The tenant's id or name"),
        ("user" = Uuid, Path, description = "The user's id"),
    ),
    responses(
        (status = 200, body = ListJson<IdentityJson>),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn list_user_identities(
    State(app): State<App>,
    requester: Requester,
    Place((tenant, user)): Place<(String, String)>,
) -> Result<Json<ListJson<IdentityJson>>, Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?.id;
    let id = super::user_id(&user)?;
    let users = app.platform().users();
    let identities = users.identities(&requester.caller, tenant, id).await?;
    Ok(Json(ListJson {
        items: IdentityJson::all(identities),
        next_cursor: None,
    }))
}

/// Unlink an identity from a user.
///
/// All of the user's sessions end. The last way to sign in is not removed (409), and nobody unlinks one of the own this
/// way.
#[utoipa::path(
    delete, path = "/api/v1/tenants/{tenant}/users/{user}/identities/{identity}",
    operation_id = "unlink_user_identity", tag = "users",
    params(
        ("tenant" = String, Path, description = "The tenant's id or name"),
        ("user" = Uuid, Path, description = "The user's id"),
        ("identity" = Uuid, Path, description = "The link's id"),
    ),
    responses(
        (status = 204, description = "It is unlinked"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn unlink_user_identity(
    State(app): State<App>,
    requester: Requester,
    Place((tenant, user, identity)): Place<(String, String, String)>,
) -> Result<StatusCode, Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?.id;
    let id = super::user_id(&user)?;
    // What can be no id is asked for all the same, so that permission is checked first.
    let link = identity.parse().unwrap_or(RecordId::from_uuid(Uuid::nil()));
    let users = app.platform().users();
    users
        .unlink_identity(&requester.caller, (tenant, id), link)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
