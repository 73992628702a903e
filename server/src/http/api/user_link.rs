use axum::{Json, extract::State, http::StatusCode};
use gatelodge_core::provider::{Delivery, LinkRequest};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::types::LinkPurposeJson;
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::{Body, Place},
        problem::{Problem, ProblemBody},
    },
};

/// A link to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeLinkRequest {
    /// What it is for.
    purpose: LinkPurposeJson,
    /// The page that a `page` link leads to: a path of this server.
    #[serde(default)]
    page: Option<String>,
    /// How it reaches the person.
    delivery: DeliveryJson,
}

/// How a link reaches the person.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryJson {
    /// By mail to the stored address; the answer does not hold it.
    Mail,
    /// In the answer, once, to be handed over. Whoever has it can act as the user.
    Told,
}

/// A link that was made.
#[derive(Serialize, ToSchema)]
pub struct MadeLinkJson {
    /// Its address, with `told`: told once.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    /// The first moment at which it no longer opens.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Make a link for a user: an invitation, a reset, a way to one page.
///
/// An older link for the same purpose no longer opens.
#[utoipa::path(
    post, path = "/api/v1/tenants/{tenant}/users/{user}/links", operation_id = "make_user_link", tag = "users",
    params(
        ("tenant" = String, Path, description = "The tenant's id or name"),
        ("user" = Uuid, Path, description = "The user's id"),
    ),
    request_body = MakeLinkRequest,
    responses(
        (status = 201, body = MadeLinkJson),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn make_user_link(
    State(app): State<App>,
    requester: Requester,
    Place((tenant, user)): Place<(String, String)>,
    Body(request): Body<MakeLinkRequest>,
) -> Result<(StatusCode, Json<MadeLinkJson>), Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?.id;
    let id = super::user_id(&user)?;
    let request = LinkRequest {
        purpose: request.purpose.into(),
        page: request.page,
        delivery: match request.delivery {
            DeliveryJson::Mail => Delivery::Mail,
            DeliveryJson::Told => Delivery::Told,
        },
    };
    let users = app.platform().users();
    let made = users
        .make_link(&requester.caller, (tenant, id), request)
        .await?;
    let body = MadeLinkJson {
        link: made.address.map(|address| address.expose().to_owned()),
        expires_at: made.expires_at,
    };
    Ok((StatusCode::CREATED, Json(body)))
}
