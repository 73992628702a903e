use axum::{Json, extract::State, http::HeaderMap};
use gatelodge_core::{
    model::{ApplicationName, Audience, ReturnAddress, WebOrigin},
    service::ApplicationPatch,
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{application_create::each, types::ApplicationJson};
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::{Body, IfMatch, Place, tagged},
        problem::{Problem, ProblemBody},
    },
};

/// What to change of an application; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateApplicationRequest {
    /// The unique name, 1 to 50 characters.
    #[serde(default)]
    name: Option<String>,
    /// Whom its access tokens are meant for.
    #[serde(default)]
    audience: Option<String>,
    /// From which pages it may call in a browser: all of them.
    #[serde(default)]
    origins: Option<Vec<String>>,
    /// Where a browser may be sent back to after a sign-in: all of them.
    #[serde(default)]
    return_to: Option<Vec<String>>,
}

/// Change an application.
///
/// With `If-Match`, only if it is still that version.
#[utoipa::path(
    patch, path = "/api/v1/tenants/{tenant}/applications/{application}", operation_id = "update_application",
    tag = "applications",
    params(
        ("tenant" = String, Path, description = "The tenant's id or name"),
        ("application" = Uuid, Path, description = "The application's id"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was read"),
    ),
    request_body = UpdateApplicationRequest,
    responses(
        (status = 200, body = ApplicationJson),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn update_application(
    State(app): State<App>,
    requester: Requester,
    Place((tenant, application)): Place<(String, String)>,
    IfMatch(version): IfMatch,
    Body(request): Body<UpdateApplicationRequest>,
) -> Result<(HeaderMap, Json<ApplicationJson>), Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?.id;
    let id = super::application_id(&application)?;
    let name = request.name.as_deref().map(ApplicationName::new);
    let audience = request.audience.as_deref().map(Audience::new);
    let origins = request.origins.map(|texts| each(&texts, WebOrigin::new));
    let return_to = request
        .return_to
        .map(|texts| each(&texts, ReturnAddress::new));
    let patch = ApplicationPatch {
        name: name.transpose()?,
        audience: audience.transpose()?,
        origins: origins.transpose()?,
        return_to: return_to.transpose()?,
    };
    let application = app
        .platform()
        .applications()
        .update(&requester.caller, (tenant, id), version, patch)
        .await
        .map_err(|error| Problem::with_if_match(error, version.is_some()))?;
    let body = Json(ApplicationJson::from(&application));
    Ok((tagged(application.version), body))
}
