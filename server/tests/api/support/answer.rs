use axum::{
    http::{HeaderMap, Method, StatusCode},
    response::Response,
};
use serde_json::Value;

use super::description;

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// What every answer carries.
const STRICT: [(&str, &str); 6] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

impl Answer {
    pub(super) async fn read(method: Method, path: String, response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 16 << 20).await.unwrap();
        Self {
            method,
            path,
            status: parts.status,
            headers: parts.headers,
            body: body.to_vec(),
        }
    }

    /// The status, as expected.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self}");
        self
    }

    /// A problem of this code, with its status.
    #[track_caller]
    pub(crate) fn expect_problem(self, status: u16, code: &str) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self}");
        assert_eq!(self.code(), code, "{self}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// The code of a problem, or nothing.
    pub(crate) fn code(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The fields that a problem is about.
    #[track_caller]
    pub(crate) fn fields(&self) -> Vec<String> {
        let errors = self.json()["errors"].clone();
        let errors = errors.as_array().cloned().unwrap_or_default();
        errors
            .iter()
            .map(|error| error["field"].as_str().unwrap().to_owned())
            .collect()
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next();
        assert!(values.next().is_none(), "`{name}` twice in {self}");
        first.map(|value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn etag(&self) -> String {
        self.header("etag").expect("an ETag").to_owned()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Everything but what differs by chance: the request's id.
    pub(crate) fn comparable(&self) -> (StatusCode, Vec<(String, Vec<u8>)>, String) {
        let mut headers: Vec<_> = self
            .headers
            .iter()
            .filter(|(name, _)| *name != "x-request-id")
            .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
            .collect();
        headers.sort();
        (self.status, headers, self.text())
    }

    /// What holds of every answer, whatever was asked.
    #[track_caller]
    pub(crate) fn check_whatever_it_is(&self) {
        self.check_headers();
        let public = self.path == "/.well-known/jwks.json" && self.status.is_success();
        let kept = if public {
            "public, max-age=300"
        } else {
            "no-store"
        };
        assert_eq!(self.header("cache-control"), Some(kept), "{self}");
        assert_ne!(self.status, StatusCode::INTERNAL_SERVER_ERROR, "{self}");
        let is_api = self.path.starts_with("/api/") || self.path.starts_with("/.well-known/");
        if is_api && (self.status.is_client_error() || self.status.is_server_error()) {
            self.check_problem();
        }
        if is_api {
            description::check(self);
        }
    }

    /// The headers that every answer carries, and none with an odd character.
    #[track_caller]
    pub(crate) fn check_headers(&self) {
        for (name, value) in STRICT {
            assert_eq!(self.header(name), Some(value), "`{name}` of {self}");
        }
        let policy = self.header("content-security-policy").unwrap_or_default();
        for part in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{part} in {self}");
        }
        assert!(!policy.contains("unsafe"), "{self}");
        let request_id = self.header("x-request-id").unwrap_or_default();
        assert!(uuid::Uuid::try_parse(request_id).is_ok(), "{self}");
        for (name, value) in &self.headers {
            let clean = value.as_bytes().iter().all(|b| (0x20..0x7f).contains(b));
            assert!(clean, "`{name}` of {self}");
        }
    }

    #[track_caller]
    fn check_problem(&self) {
        if self.method == Method::HEAD {
            return;
        }
        let kind = self.header("content-type");
        assert_eq!(kind, Some("application/problem+json"), "{self}");
        let body = self.json();
        let code = body["code"].as_str().unwrap();
        assert_eq!(
            body["type"],
            format!("urn:gatelodge:problem:{code}"),
            "{self}"
        );
        assert_eq!(body["status"], self.status.as_u16(), "{self}");
        let limited = self.status == StatusCode::TOO_MANY_REQUESTS;
        assert_eq!(limited, code == "too_many_requests", "{self}");
        if limited {
            assert!(self.header("retry-after").is_some(), "{self}");
        }
        // RFC 9110 section 15.5.2.
        let is_401 = self.status == StatusCode::UNAUTHORIZED;
        assert_eq!(is_401, self.header("www-authenticate").is_some(), "{self}");
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (method, path, status) = (&self.method, &self.path, self.status);
        writeln!(f, "{method} {path} → {status}")?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
        }
        write!(f, "\n{}", self.text())
    }
}
