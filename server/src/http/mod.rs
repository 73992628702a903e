//! HTTP: the JSON API, the hosted pages, and what every request passes.

pub mod api;
pub mod caller;
pub mod cookies;
pub(crate) mod cors;
pub(crate) mod csrf;
pub(crate) mod entry;
pub mod extract;
pub mod flows;
pub mod guard;
pub mod health;
pub mod place;
pub mod problem;
pub(crate) mod request_id;
pub(crate) mod series;
pub mod web;

use axum::{Router, http::header, middleware, routing::get};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        SecurityRequirement,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use self::problem::ProblemBody;
use crate::app::App;

/// What the description says of the API as a whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Gatelodge",
        description = "Sign-in, tenants, users and sessions. Errors are problem details (RFC 9457) with a stable `code`.",
        license(name = "MIT OR Apache-2.0"),
    ),
    components(schemas(ProblemBody)),
    modifiers(&Credentials),
)]
struct Description;

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("session", SecurityScheme::Http(bearer));
        let cookie = ApiKeyValue::with_description(
            "__Host-gl-session-<tenant tag>",
            "set at the end of a sign-in with the cookie transport; changes must then come from the server's own origin",
        );
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
        let none: [String; 0] = [];
        openapi.security = Some(vec![
            SecurityRequirement::new("session", none.clone()),
            SecurityRequirement::new("cookie", none),
        ]);
    }
}

fn described() -> (Router<App>, utoipa::openapi::OpenApi) {
    OpenApiRouter::with_openapi(Description::openapi())
        .merge(api::router())
        .split_for_parts()
}

/// The API's description: OpenAPI 3.1 as JSON.
pub fn openapi_json() -> String {
    let (_, description) = described();
    description.to_pretty_json().unwrap_or_default()
}

/// Everything that is served at the public address of a server of its own.
pub fn router(app: App) -> Router {
    guarded(app, web::router().merge(web::home()))
}

/// The same without `/`, for an application that has a start of its own.
pub fn mounted(app: App) -> Router {
    guarded(app, web::router())
}

fn guarded(app: App, pages: Router<App>) -> Router {
    let (api, description) = described();
    let description = description.to_json().unwrap_or_default();
    Router::new()
        .merge(api)
        .route(
            "/openapi.json",
            get(|| async move { ([(header::CONTENT_TYPE, "application/json")], description) }),
        )
        .merge(health::router())
        .merge(pages)
        .layer(middleware::from_fn_with_state(app.clone(), guard::guard))
        .with_state(app)
}
