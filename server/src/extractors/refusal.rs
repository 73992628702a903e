use axum::{
    extract::OriginalUri,
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
};

use crate::{
    app::App,
    http::{
        guard::{self, Client},
        problem::{Code, Problem},
        web,
    },
};

/// The answer to a visitor who is not let in: the way to the sign-in page or a page for a browser, problem details for a
/// program.
#[derive(Debug)]
pub struct Refusal(Response);

impl Refusal {
    pub(super) fn of(problem: Problem, app: &App, parts: &Parts) -> Self {
        let mut response = if !guard::wants_page(&parts.headers) {
            problem.into_response()
        } else if problem.code == Code::Unauthenticated {
            let return_to = guard::is_safe(&parts.method).then(|| address(parts));
            Redirect::to(&web::sign_in_address("", return_to.as_deref())).into_response()
        } else {
            let client = parts.extensions.get::<Client>();
            let id = client.and_then(|client| client.0.request_id.as_deref());
            web::problem_page(app, &problem, id)
        };
        // The same address answers otherwise as soon as the person is signed in.
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Self(response)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.0
    }
}

/// Path and parameters as the browser sent them, also below a nested router.
fn address(parts: &Parts) -> String {
    let original = parts.extensions.get::<OriginalUri>();
    let uri = original.map_or(&parts.uri, |original| &original.0);
    uri.path_and_query()
        .map_or_else(|| "/".to_owned(), ToString::to_string)
}
