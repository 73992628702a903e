//! As much of a browser as the pages need, and of a program that calls the API.

use std::collections::BTreeMap;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use tower::ServiceExt as _;
use url::form_urlencoded;

pub(crate) const ORIGIN: &str = "http://localhost:8080";
pub(crate) const PASSWORD: &str = "correct horse battery staple";
const PAGE: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) router: Router,
    cookies: BTreeMap<String, String>,
    /// What it sends as `Origin` with forms.
    pub(crate) origin: Option<&'static str>,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    /// The address that was asked for.
    pub(crate) path: String,
}

/// Sends a request as it is, without cookies.
pub(crate) async fn send(
    router: &Router,
    (method, path): (Method, &str),
    headers: &[(&str, &str)],
    body: String,
) -> Answer {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "localhost:8080");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body)).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 10_000_000).await.unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
        path: path.to_owned(),
    }
}

impl Browser {
    pub(crate) fn new(router: Router) -> Self {
        Self {
            router,
            cookies: BTreeMap::new(),
            origin: Some(ORIGIN),
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send((Method::GET, path), vec![PAGE], String::new())
            .await
    }

    /// A GET by a script of a page, which wants data.
    pub(crate) async fn fetch(&mut self, path: &str) -> Answer {
        self.send((Method::GET, path), vec![("accept", "*/*")], String::new())
            .await
    }

    /// A GET and whatever it redirects to.
    pub(crate) async fn open(&mut self, path: &str) -> Answer {
        let mut answer = self.get(path).await;
        for _ in 0..5 {
            let Some(to) = answer.location() else {
                return answer;
            };
            answer = self.get(&to).await;
        }
        panic!("too many redirects, last to {}", answer.path);
    }

    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let mut headers = vec![PAGE, kind];
        headers.extend(self.origin.map(|origin| ("origin", origin)));
        self.send((Method::POST, path), headers, body.finish())
            .await
    }

    /// Sends the form on a page that posts to `action`.
    pub(crate) async fn submit(
        &mut self,
        page: &Answer,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        let hidden = page.hidden(action);
        let hidden = hidden.iter().map(|(name, value)| (&**name, &**value));
        let all: Vec<_> = hidden.chain(fields.iter().copied()).collect();
        self.post(action, &all).await
    }

    /// Fills the sign-in form of a page in.
    pub(crate) async fn sign_in(&mut self, page: &Answer, user: &str) -> Answer {
        let action = page.path.split('?').next().unwrap().to_owned();
        let mut fields = vec![("user_name", user), ("password", PASSWORD)];
        if page.body.contains("name=\"tenant\"") {
            fields.push(("tenant", "oars"));
        }
        let answer = self.submit(page, &action, &fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        answer
    }

    async fn send(
        &mut self,
        target: (Method, &str),
        headers: Vec<(&str, &str)>,
        body: String,
    ) -> Answer {
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        let cookies = cookies.join("; ");
        let mut headers: Vec<(&str, &str)> = headers;
        if !cookies.is_empty() {
            headers.push(("cookie", &cookies));
        }
        let answer = send(&self.router, target, &headers, body).await;
        for line in answer.headers.get_all(header::SET_COOKIE) {
            let (pair, attributes) = line.to_str().unwrap().split_once("; ").unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.ends_with("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}

impl Answer {
    pub(crate) fn location(&self) -> Option<String> {
        let value = self.headers.get(header::LOCATION)?;
        Some(value.to_str().unwrap().to_owned())
    }

    /// The problem details of an answer.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let problem: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem["status"], self.status.as_u16());
        problem["code"].as_str().unwrap().to_owned()
    }

    /// The hidden fields of the form that posts to `action`.
    pub(crate) fn hidden(&self, action: &str) -> Vec<(String, String)> {
        let mut forms = self.body.split("<form ").skip(1);
        let form = forms
            .find(|form| unescaped(form).contains(&format!("action=\"{action}\"")))
            .unwrap_or_else(|| panic!("no form to {action} on {}: {}", self.path, self.body));
        let form = form.split("</form>").next().unwrap();
        let inputs = form.split("<input ").skip(1);
        let hidden = inputs.filter(|input| input.starts_with("type=\"hidden\""));
        hidden
            .map(|input| (attribute(input, "name"), attribute(input, "value")))
            .collect()
    }
}

fn attribute(tag: &str, name: &str) -> String {
    let (_, rest) = tag.split_once(&format!("{name}=\"")).unwrap();
    unescaped(rest.split('"').next().unwrap())
}

fn unescaped(text: &str) -> String {
    text.replace("&#x2f;", "/")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}
