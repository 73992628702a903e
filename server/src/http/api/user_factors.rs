use axum::{Json, extract::State, http::StatusCode};
use gatelodge_core::{model::RecordId, provider::Credential, service::SignInMethod};
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

/// A second factor that a user has set up.
#[derive(Serialize, ToSchema)]
#[schema(as = Factor)]
pub struct FactorJson {
    /// Its id.
    id: Uuid,
    /// The id of its provider.
    provider: String,
    /// The kind of its provider, such as `totp`.
    kind: String,
    /// What its owner calls it, or what is left of it.
    label: String,
    /// How many are left, of what is used up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    left: Option<u32>,
    /// When it was set up.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl FactorJson {
    pub(crate) fn new(method: &SignInMethod, credential: &Credential) -> Self {
        Self {
            id: credential.id.as_uuid(),
            provider: method.provider.to_string(),
            kind: method.kind.clone(),
            label: credential.label.clone(),
            left: credential.left,
            created_at: credential.created_at,
        }
    }

    pub(super) fn all(methods: &[SignInMethod]) -> Vec<Self> {
        let all = methods.iter().flat_map(|method| {
            let credentials = method.credentials.iter();
            credentials.map(move |credential| Self::new(method, credential))
        });
        all.collect()
    }
}

/// A user's second factors.
///
/// Only what confirms sign-ins and cannot start one. There are few, and all of them are in one answer.
#[utoipa::path(
    get, path = "/api/v1/tenants/{tenant}/users/{user}/factors",
    operation_id = "list_user_factors", tag = "users",
    params(
        ("tenant" = String, Path, description = "The tenant's id or name"),
        ("user" = Uuid, Path, description = "The user's id"),
    ),
    responses(
        (status = 200, body = ListJson<FactorJson>),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn list_user_factors(
    State(app): State<App>,
    requester: Requester,
    Place((tenant, user)): Place<(String, String)>,
) -> Result<Json<ListJson<FactorJson>>, Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?.id;
    let id = super::user_id(&user)?;
    let users = app.platform().users();
    let methods = users.factors(&requester.caller, tenant, id).await?;
    Ok(Json(ListJson {
        items: FactorJson::all(&methods),
        next_cursor: None,
    }))
}

/// Remove a user's second factor.
///
/// For somebody who lost it. All of the user's sessions end. Nobody removes one of the own this way.
#[utoipa::path(
    delete, path = "/api/v1/tenants/{tenant}/users/{user}/factors/{factor}",
    operation_id = "remove_user_factor", tag = "users",
    params(
        ("tenant" = String, Path, description = "The tenant's id or name"),
        ("user" = Uuid, Path, description = "The user's id"),
        ("factor" = Uuid, Path, description = "The factor's id"),
    ),
    responses(
        (status = 204, description = "It is removed"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn remove_user_factor(
    State(app): State<App>,
    requester: Requester,
    Place((tenant, user, factor)): Place<(String, String, String)>,
) -> Result<StatusCode, Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?.id;
    let id = super::user_id(&user)?;
    // What can be no id is asked for all the same, so that permission is checked first.
    let factor = factor.parse().unwrap_or(RecordId::from_uuid(Uuid::nil()));
    let users = app.platform().users();
    users
        .remove_factor(&requester.caller, (tenant, id), factor)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
