use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Method, Request, StatusCode, header, request::Builder},
};
use serde_json::{Value, json};
use url::Url;

use super::house::{HOST, House, Reaction, at_home};

const FLOWS: &str = "/api/v1/sign-in/flows";

/// The head of a request: the first line is the path, each further one a header.
pub fn requests(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let path = lines.next().unwrap_or_default();
    let Ok(path) = str::from_utf8(path).map(|path| format!("/{}", path.trim_start_matches('/')))
    else {
        return;
    };
    let mut request = Request::get(path);
    for line in lines.take(50) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = line.split_at(colon);
        let name = HeaderName::from_bytes(name);
        let value = HeaderValue::from_bytes(value.get(1..).unwrap_or_default().trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            request = request.header(name, value);
        }
    }
    let Ok(request) = request.body(Body::empty()) else {
        return;
    };
    let names_host = request.headers().contains_key(header::HOST);
    at_home(|house| {
        let reaction = house.send(request);
        let is_health = reaction.status == StatusCode::OK;
        assert!(
            names_host || is_health || reaction.status.is_client_error(),
            "{}",
            reaction.status
        );
        check_location(&reaction);
    });
}

/// Bodies of JSON: the first byte says where to, the rest is sent.
pub fn bodies(bytes: &[u8]) {
    let Some((place, body)) = bytes.split_first() else {
        return;
    };
    at_home(|house| {
        let path = match place % 4 {
            0 => FLOWS.to_owned(),
            1 => begin(house),
            2 => "/api/v1/setup".to_owned(),
            _ => "/api/v1/tenants/home/users".to_owned(),
        };
        let token = house.token.clone();
        let mut request = post(&path);
        if place % 4 == 3 {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let reaction = house.send(with(request, body.to_vec()));
        if reaction.status == StatusCode::CREATED {
            let sent: Value = serde_json::from_slice(body).expect("only JSON makes something");
            assert!(sent.is_object(), "{sent}");
        }
    });
}

/// Where the browser goes after a sign-in: a path of this server, or the flow does not begin.
pub fn return_to(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    at_home(|house| {
        let body = json!({"transport": "token", "return_to": text});
        let reaction = house.send(with(post(FLOWS), body.to_string().into_bytes()));
        if reaction.status != StatusCode::CREATED {
            assert_eq!(
                reaction.status,
                StatusCode::UNPROCESSABLE_ENTITY,
                "{text:?}"
            );
            return;
        }
        // As a browser reads it (WHATWG URL), from any page of ours.
        for page in ["/", "/t/home/sign-in", "/a/b/"] {
            let page = Url::parse(&format!("http://{HOST}{page}")).expect("an address");
            let target = page.join(text).expect("an address");
            assert_eq!(target.origin(), page.origin(), "{text:?}");
            // Nor when it is read once more, as a path that was unescaped.
            assert!(!target.path().starts_with("//"), "{text:?}");
        }
        assert!(text.starts_with('/') && text.is_ascii(), "{text:?}");
    });
}

/// A cursor of a list; and a search, which must not be one.
pub fn cursors(bytes: &[u8]) {
    let escaped: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
    at_home(|house| {
        let token = house.token.clone();
        let mut get = |path: String| {
            let request = Request::get(path).header(header::HOST, HOST);
            let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
            house.send(request.body(Body::empty()).expect("a request"))
        };
        for list in ["users", "sessions", "audit-events"] {
            let reaction = get(format!("/api/v1/tenants/home/{list}?cursor={escaped}"));
            assert_eq!(
                reaction.status,
                StatusCode::BAD_REQUEST,
                "a cursor that we did not make"
            );
        }
        let reaction = get(format!("/api/v1/tenants/home/users?search={escaped}"));
        let is_expected = matches!(reaction.status, StatusCode::OK | StatusCode::BAD_REQUEST);
        assert!(is_expected, "{}", reaction.status);
    });
}

fn begin(house: &mut House) -> String {
    let body = json!({"transport": "token", "tenant": "home"}).to_string();
    let begun = house.send(with(post(FLOWS), body.into_bytes()));
    let flow: Value = serde_json::from_slice(&begun.body).expect("a flow");
    format!(
        "{FLOWS}/{}",
        flow.get("id").and_then(Value::as_str).expect("its id")
    )
}

fn post(path: &str) -> Builder {
    let request = Request::builder().method(Method::POST).uri(path);
    request
        .header(header::HOST, HOST)
        .header(header::CONTENT_TYPE, "application/json")
}

fn with(request: Builder, body: Vec<u8>) -> Request<Body> {
    request.body(Body::from(body)).expect("a request")
}

/// No redirect leads away.
fn check_location(reaction: &Reaction) {
    if let Some(location) = reaction.headers.get(header::LOCATION) {
        let location = location.to_str().expect("plain text");
        let home = Url::parse(&format!("http://{HOST}/")).expect("an address");
        let target = home.join(location).expect("an address");
        assert_eq!(target.origin(), home.origin(), "{location:?}");
    }
}
