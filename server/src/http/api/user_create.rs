use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use gatelodge_core::{
    model::{DisplayName, Email, UserName},
    secret::Secret,
    service::{InitialCredential, NewUser},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::types::UserJson;
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::{Body, Place, tagged},
        problem::{Code, Problem, ProblemBody},
    },
};

/// A user to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateUserRequest {
    /// The unique name for signing in, 1 to 254 characters.
    user_name: String,
    /// The name to show; the same if absent.
    #[serde(default)]
    display_name: Option<String>,
    /// The e-mail address; unverified at first.
    #[serde(default)]
    email: Option<String>,
    /// A first password. Without one, and without `generate_password`, the
    /// account has none and cannot be signed in to yet.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    password: Option<Secret>,
    /// Whether `password` must be changed at the first sign-in: `true` if
    /// absent. Say `false` only if the user chose it and nobody else has seen it.
    #[serde(default)]
    must_change_password: Option<bool>,
    /// Make a random first password, which is in the answer once and must be
    /// changed at the first sign-in.
    #[serde(default)]
    generate_password: bool,
    /// Mail an invitation to `email`, to choose a password.
    #[serde(default)]
    invite: bool,
}

/// The user that was made.
#[derive(Serialize, ToSchema)]
pub struct CreateUserAnswer {
    #[serde(flatten)]
    user: UserJson,
    /// The generated password: told here and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    initial_password: Option<String>,
}

/// Make a user.
#[utoipa::path(
    post, path = "/api/v1/tenants/{tenant}/users", operation_id = "create_user", tag = "users",
    params(("tenant" = String, Path, description = "The tenant's id or name")),
    request_body = CreateUserRequest,
    responses(
        (status = 201, body = CreateUserAnswer),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn create_user(
    State(app): State<App>,
    requester: Requester,
    Place(tenant): Place<String>,
    Body(request): Body<CreateUserRequest>,
) -> Result<(StatusCode, HeaderMap, Json<CreateUserAnswer>), Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?.id;
    let new = new_user(request)?;
    let platform = app.platform();
    let (user, generated) = platform
        .users()
        .create(&requester.caller, tenant, new)
        .await?;
    let body = CreateUserAnswer {
        user: UserJson::new(tenant, &user, platform.now()),
        initial_password: generated.map(|password| password.expose().to_owned()),
    };
    Ok((StatusCode::CREATED, tagged(user.version), Json(body)))
}

fn new_user(request: CreateUserRequest) -> Result<NewUser, Problem> {
    let refused = |detail| Err(Problem::new(Code::InvalidRequest).detail(detail));
    let must_change = request.must_change_password;
    if request.invite && (request.password.is_some() || request.generate_password) {
        return refused("give either `invite` or a password");
    }
    let credential = match (request.password, request.generate_password) {
        (Some(_), true) => return refused("give either `password` or `generate_password`"),
        (None, _) if must_change == Some(false) => {
            return refused("`must_change_password` can be `false` only beside `password`");
        }
        (Some(password), false) => InitialCredential::Given {
            password,
            must_change: must_change.unwrap_or(true),
        },
        (None, true) => InitialCredential::Generated,
        (None, false) if request.invite => InitialCredential::Invited,
        (None, false) => InitialCredential::None,
    };
    Ok(NewUser {
        user_name: UserName::new(&request.user_name)?,
        display_name: request
            .display_name
            .as_deref()
            .map(DisplayName::new)
            .transpose()?,
        email: request.email.as_deref().map(Email::new).transpose()?,
        credential,
    })
}
