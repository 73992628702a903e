use axum::{Json, extract::State};
use gatelodge_core::{Error, service::ApplicationRef, tokens::AccessRequest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::Body,
        problem::{Problem, ProblemBody},
    },
};

/// An access token to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// The application that is to be called, by id or audience.
    application: String,
}

/// An access token (RFC 6749 section 5.1).
#[derive(Serialize, ToSchema)]
pub struct TokenAnswer {
    /// The token, a JWT (RFC 9068): told here and nowhere else.
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// For how many seconds it counts.
    expires_in: u64,
}

/// Get an access token for an application of the own tenant, by session cookie
/// or session token.
///
/// It counts for five minutes and no longer than the session; ask for the next
/// one with the session again. A session that is limited to a purpose gets none.
#[utoipa::path(
    post, path = "/api/v1/token", operation_id = "create_token", tag = "tokens",
    request_body = TokenRequest,
    responses(
        (status = 200, body = TokenAnswer),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn create_token(
    State(app): State<App>,
    requester: Requester,
    Body(request): Body<TokenRequest>,
) -> Result<Json<TokenAnswer>, Problem> {
    let session = requester.signed_in()?;
    let application = ApplicationRef::parse(&request.application);
    let application = application.ok_or_else(|| Error::not_found("application"))?;
    let wanted = AccessRequest {
        session,
        application: &application,
        origin: requester.foreign.as_ref().map(|page| page.origin.as_str()),
    };
    let tokens = app.platform().tokens();
    let made = tokens.issue_access(&requester.caller, wanted).await?;
    Ok(Json(TokenAnswer {
        access_token: made.token.expose().to_owned(),
        token_type: "Bearer",
        expires_in: made.lifetime.as_secs(),
    }))
}
