use axum::{Json, extract::State, http::HeaderMap};

use super::types::ApplicationJson;
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::{Place, tagged},
        problem::{Problem, ProblemBody},
    },
};

/// See an application.
#[utoipa::path(
    get, path = "/api/v1/tenants/{tenant}/applications/{application}", operation_id = "read_application",
    tag = "applications",
    params(
        ("tenant" = String, Path, description = "The tenant's id or name"),
        ("application" = Uuid, Path, description = "The application's id"),
    ),
    responses(
        (status = 200, body = ApplicationJson),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn read_application(
    State(app): State<App>,
    requester: Requester,
    Place((tenant, application)): Place<(String, String)>,
) -> Result<(HeaderMap, Json<ApplicationJson>), Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?.id;
    let id = super::application_id(&application)?;
    let applications = app.platform().applications();
    let found = applications.read(&requester.caller, tenant, id).await?;
    Ok((tagged(found.version), Json(ApplicationJson::from(&found))))
}
