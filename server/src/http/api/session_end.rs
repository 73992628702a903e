use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use gatelodge_core::secret::Token;

use crate::{
    app::App,
    http::{
        caller::Requester,
        cookies::{self, Cookies},
        flows::forget_kept,
        problem::{Problem, ProblemBody},
    },
};

/// Sign out: end the present session.
#[utoipa::path(
    delete, path = "/api/v1/session", operation_id = "end_session", tag = "session",
    responses(
        (status = 204),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn end_session(
    State(app): State<App>,
    requester: Requester,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let tenant = requester.signed_in()?.tenant.id;
    app.platform()
        .sessions()
        .sign_out(&requester.caller)
        .await?;
    let cookies = Cookies::read(&headers, app.policy().secure_cookies())?;
    let mut jar = cookies.jar();
    let tag = cookies::tag(tenant);
    // With a bearer token the browser's own session may be another one.
    let ended = requester.token.as_ref().map(Token::expose);
    let held = cookies.value(&cookies::session_name(&tag));
    if held.is_some_and(|held| Some(held.expose()) == ended) {
        jar.remove(&cookies::session_name(&tag));
        jar.remove(cookies::CURRENT);
        forget_kept(&app, &requester.caller, &cookies, &mut jar, tenant).await;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(
        HeaderName::from_static("clear-site-data"),
        HeaderValue::from_static("\"cache\", \"storage\""),
    );
    jar.onto(response.headers_mut());
    Ok(response)
}
