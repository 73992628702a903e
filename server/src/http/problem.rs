//! What goes wrong, as clients see it: problem details (RFC 9457) with a stable
//! code. This is the one list of codes, and the one place where an error of the
//! core becomes an answer.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use gatelodge_core::{Error, ErrorKind, provider::FieldError};
use serde::Serialize;
use utoipa::ToSchema;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = ($status:ident, $code:literal, $title:literal)),+ $(,)?) => {
        /// Every code that an answer can carry.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Code {
            $($(#[$doc])* $name,)+
        }

        impl Code {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The HTTP status.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)+ }
            }

            /// The stable name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// What it says in a few words.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }
        }
    };
}

codes! {
    /// The request cannot be read: wrong JSON, a wrong type, an unknown field.
    InvalidRequest = (BAD_REQUEST, "invalid_request", "The request cannot be read"),
    /// A cookie of ours came more than once.
    DuplicateCookie = (BAD_REQUEST, "duplicate_cookie", "A cookie came more than once"),
    /// Nobody is signed in, or the session is over.
    Unauthenticated = (UNAUTHORIZED, "unauthenticated", "Sign in first"),
    /// The sign-in was refused; nobody is told why.
    SignInRefused = (UNAUTHORIZED, "sign_in_refused", "The sign-in was refused"),
    /// The caller may not do this.
    Denied = (FORBIDDEN, "denied", "Not allowed"),
    /// The request comes from a page of another origin.
    OriginNotAllowed = (FORBIDDEN, "origin_not_allowed", "The request comes from elsewhere"),
    /// The request carries cookies but does not say which page it comes from.
    OriginMissing = (FORBIDDEN, "origin_missing", "The request does not say where it comes from"),
    /// The page's proof that the form was ours is missing or old.
    CsrfFailed = (FORBIDDEN, "csrf_failed", "The form is out of date"),
    /// There is no such thing, or not for this caller.
    NotFound = (NOT_FOUND, "not_found", "Not found"),
    /// This address does not take this method.
    MethodNotAllowed = (METHOD_NOT_ALLOWED, "method_not_allowed", "This address does not take this method"),
    /// The name, address or key is taken.
    AlreadyExists = (CONFLICT, "already_exists", "Already taken"),
    /// It changed meanwhile, or the step was answered already.
    Conflict = (CONFLICT, "conflict", "It changed meanwhile"),
    /// The object's state forbids it.
    Refused = (CONFLICT, "refused", "Not possible now"),
    /// The `If-Match` version is not the present one.
    VersionMismatch = (PRECONDITION_FAILED, "version_mismatch", "It changed since it was read"),
    /// The body is too large.
    PayloadTooLarge = (PAYLOAD_TOO_LARGE, "payload_too_large", "The body is too large"),
    /// The body must be JSON.
    UnsupportedMediaType = (UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The body must be JSON"),
    /// The `Host` is not this server.
    Misdirected = (MISDIRECTED_REQUEST, "misdirected", "This is not that server"),
    /// A value is not acceptable; `errors` says which and why.
    ValidationFailed = (UNPROCESSABLE_ENTITY, "validation_failed", "A value is not acceptable"),
    /// Too many tries; `Retry-After` says when to come back.
    TooManyRequests = (TOO_MANY_REQUESTS, "too_many_requests", "Too many tries"),
    /// Something broke at the server.
    InternalError = (INTERNAL_SERVER_ERROR, "internal_error", "Something broke here"),
    /// The server cannot do this.
    NotImplemented = (NOT_IMPLEMENTED, "not_implemented", "Not offered"),
    /// The server cannot answer now.
    Unavailable = (SERVICE_UNAVAILABLE, "unavailable", "Not available now"),
    /// The request took too long.
    Timeout = (SERVICE_UNAVAILABLE, "timeout", "It took too long"),
}

/// An answer that something went wrong.
#[derive(Debug, Clone)]
pub struct Problem {
    /// What.
    pub code: Code,
    /// In words; nothing internal.
    pub detail: Option<String>,
    /// Field by field.
    pub errors: Vec<FieldProblem>,
    /// When to come back.
    pub retry_after_seconds: Option<u64>,
}

/// The body of a problem (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemBody {
    /// `urn:gatelodge:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// What the code says.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// The stable code.
    code: Code,
    /// What it is about this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Field by field, for `validation_failed`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldProblem>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldProblem {
    /// The field.
    pub field: String,
    /// A stable short word.
    pub code: String,
    /// A sentence.
    pub message: String,
}

impl From<FieldError> for FieldProblem {
    fn from(error: FieldError) -> Self {
        Self {
            field: error.field,
            code: error.code,
            message: error.message,
        }
    }
}

impl Problem {
    /// A problem without more words.
    pub fn new(code: Code) -> Self {
        Self {
            code,
            detail: None,
            errors: Vec::new(),
            retry_after_seconds: None,
        }
    }

    /// With words about this case.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The same about a field that the request calls by another name.
    #[must_use]
    pub fn about(mut self, field: &str) -> Self {
        for error in &mut self.errors {
            field.clone_into(&mut error.field);
        }
        self
    }

    /// Values that are not acceptable.
    pub fn validation(errors: Vec<FieldError>) -> Self {
        let mut problem = Self::new(Code::ValidationFailed);
        problem.errors = errors.into_iter().map(FieldProblem::from).collect();
        problem
    }

    /// The same, where the caller said which version it read: a conflict is then
    /// a precondition that failed.
    pub fn with_if_match(error: Error, given: bool) -> Self {
        let mut problem = Self::from(error);
        if given && problem.code == Code::Conflict {
            problem.code = Code::VersionMismatch;
        }
        problem
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let said = || Some(error.message().to_owned());
        let (code, detail) = match error.kind() {
            ErrorKind::NotFound => (Code::NotFound, said()),
            ErrorKind::AlreadyExists => (Code::AlreadyExists, said()),
            ErrorKind::Conflict => (Code::Conflict, said()),
            ErrorKind::Unauthenticated => (Code::Unauthenticated, None),
            ErrorKind::Denied => (Code::Denied, said()),
            ErrorKind::Refused => (Code::Refused, said()),
            ErrorKind::Invalid => (Code::ValidationFailed, None),
            ErrorKind::Limited => (Code::TooManyRequests, None),
            ErrorKind::Unsupported => (Code::NotImplemented, said()),
            ErrorKind::Unavailable => (Code::Unavailable, None),
            _ => (Code::InternalError, None),
        };
        if code.status().is_server_error() {
            tracing::error!(error = ?error, "a request failed");
        }
        let mut problem = Self::new(code);
        problem.detail = detail;
        problem.retry_after_seconds = error.retry_after().map(|wait| wait.as_secs().max(1));
        if code == Code::Unavailable && problem.retry_after_seconds.is_none() {
            problem.retry_after_seconds = Some(1);
        }
        if code == Code::ValidationFailed {
            problem.errors.push(FieldProblem {
                field: error.field().unwrap_or_default().to_owned(),
                code: "invalid".to_owned(),
                message: error.message().to_owned(),
            });
        }
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemBody {
            kind: format!("urn:gatelodge:problem:{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            code: self.code,
            detail: self.detail,
            errors: self.errors,
        };
        let mut response = (self.code.status(), Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // RFC 9110 section 15.5.2: every 401 names a scheme.
        if self.code.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_written_as_it_serialises() {
        for code in Code::ALL {
            let json = serde_json::to_string(code).unwrap();
            assert_eq!(json, format!("\"{}\"", code.as_str()));
        }
    }

    #[tokio::test]
    async fn the_inside_of_an_error_stays_inside() {
        let error = Error::new(ErrorKind::Unavailable, "the storage does not answer")
            .because(std::io::Error::other("SELECT secret FROM table"));
        let response = Problem::from(error).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
        let body = axum::body::to_bytes(response.into_body(), 10_000)
            .await
            .unwrap();
        assert!(!String::from_utf8_lossy(&body).contains("SELECT"));
    }
}
