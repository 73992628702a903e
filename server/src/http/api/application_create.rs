use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use gatelodge_core::{
    Error,
    model::{ApplicationName, Audience, ReturnAddress, WebOrigin},
    service::NewApplication,
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::types::ApplicationJson;
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::{Body, Place, tagged},
        problem::{Problem, ProblemBody},
    },
};

/// An application to be registered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateApplicationRequest {
    /// Its unique name, 1 to 50 characters.
    name: String,
    /// Whom its access tokens are meant for: a URI, or a word without a colon.
    audience: String,
    /// From which pages it may call in a browser, such as `https://app.example.org`.
    #[serde(default)]
    origins: Vec<String>,
    /// Where a browser may be sent back to after a sign-in, such as `https://app.example.org/callback`.
    #[serde(default)]
    return_to: Vec<String>,
}

/// Register an application.
#[utoipa::path(
    post, path = "/api/v1/tenants/{tenant}/applications", operation_id = "create_application", tag = "applications",
    params(("tenant" = String, Path, description = "The tenant's id or name")),
    request_body = CreateApplicationRequest,
    responses(
        (status = 201, body = ApplicationJson),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn create_application(
    State(app): State<App>,
    requester: Requester,
    Place(tenant): Place<String>,
    Body(request): Body<CreateApplicationRequest>,
) -> Result<(StatusCode, HeaderMap, Json<ApplicationJson>), Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?.id;
    let new = NewApplication {
        name: ApplicationName::new(&request.name)?,
        audience: Audience::new(&request.audience)?,
        origins: each(&request.origins, WebOrigin::new)?,
        return_to: each(&request.return_to, ReturnAddress::new)?,
    };
    let applications = app.platform().applications();
    let made = applications.create(&requester.caller, tenant, new).await?;
    let body = Json(ApplicationJson::from(&made));
    Ok((StatusCode::CREATED, tagged(made.version), body))
}

/// The texts of a list, each checked.
///
/// # Errors
/// About the first that does not fit.
pub(super) fn each<T>(
    texts: &[String],
    parse: impl Fn(&str) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    texts.iter().map(|text| parse(text)).collect()
}
