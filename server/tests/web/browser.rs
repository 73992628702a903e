//! As much of a browser as the pages need.

use std::collections::BTreeMap;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use serde_json::Value;
use tower::ServiceExt as _;
use url::form_urlencoded;

pub(crate) const ORIGIN: &str = "http://localhost:8080";

#[derive(Clone)]
pub(crate) struct Browser {
    router: Router,
    pub(crate) cookies: BTreeMap<String, String>,
    /// What it sends as `Origin` with forms.
    pub(crate) origin: Option<&'static str>,
    /// What it sends as `Host`.
    pub(crate) host: &'static str,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    /// The address that was asked for.
    pub(crate) path: String,
}

/// A form of a page.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub(crate) action: String,
    pub(crate) hidden: Vec<(String, String)>,
}

impl Browser {
    pub(crate) fn new(router: Router) -> Self {
        Self {
            router,
            cookies: BTreeMap::new(),
            origin: Some(ORIGIN),
            host: "localhost:8080",
        }
    }

    /// The same browser at another host, over https; it has no cookies there yet.
    pub(crate) fn at(&self, origin: &'static str) -> Self {
        Self {
            cookies: BTreeMap::new(),
            origin: Some(origin),
            host: origin.strip_prefix("https://").unwrap(),
            router: self.router.clone(),
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    pub(crate) async fn get_with(&mut self, path: &str, name: &str, value: &str) -> Answer {
        self.send(Method::GET, path, &[(name, value)], None).await
    }

    /// A GET as a browser sends it when the person goes to a page.
    pub(crate) async fn navigate(&mut self, path: &str) -> Answer {
        let headers = [
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        self.send(Method::GET, path, &headers, None).await
    }

    pub(crate) async fn get_with_all(&mut self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::GET, path, headers, None).await
    }

    /// Going to a page, and wherever that leads.
    pub(crate) async fn arrive(&mut self, path: &str) -> Answer {
        let mut answer = self.navigate(path).await;
        for _ in 0..5 {
            let Some(to) = answer.location() else {
                return answer;
            };
            answer = self.navigate(&to).await;
        }
        panic!("too many redirects, last to {}", answer.path);
    }

    /// A GET and whatever it redirects to.
    pub(crate) async fn open(&mut self, path: &str) -> Answer {
        let answer = self.get(path).await;
        self.follow(answer).await
    }

    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        self.post_body(path, body.finish()).await
    }

    pub(crate) async fn post_body(&mut self, path: &str, body: String) -> Answer {
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let mut headers = vec![kind];
        headers.extend(self.origin.map(|origin| ("origin", origin)));
        self.send(Method::POST, path, &headers, Some(body)).await
    }

    /// What a client of the API gets for this.
    pub(crate) async fn api(&self, path: &str, body: &Value) -> Value {
        let request = Request::post(path)
            .header(header::HOST, self.host)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let body = to_bytes(response.into_body(), 10_000_000).await.unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    /// Sends the form on a page that posts to `action`, without following.
    pub(crate) async fn submit(
        &mut self,
        page: &Answer,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        let form = page.form(action);
        let mut all: Vec<(&str, &str)> = form
            .hidden
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        all.extend_from_slice(fields);
        self.post(action, &all).await
    }

    /// The same, and on to where it leads.
    pub(crate) async fn submit_on(
        &mut self,
        page: &Answer,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        let answer = self.submit(page, action, fields).await;
        self.follow(answer).await
    }

    pub(crate) async fn follow(&mut self, mut answer: Answer) -> Answer {
        for _ in 0..5 {
            let Some(to) = answer.location() else {
                return answer;
            };
            answer = self.get(&to).await;
        }
        panic!("too many redirects, last to {}", answer.path);
    }

    /// Fills the sign-in form below `base` in, and on to where it leads.
    pub(crate) async fn sign_in(&mut self, base: &str, user: &str, password: &str) -> Answer {
        let action = format!("{base}/sign-in");
        let page = self.get(&format!("{action}?again=1")).await;
        let fields = [("user_name", user), ("password", password)];
        self.submit_on(&page, &action, &fields).await
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.host)
            .header(
                header::USER_AGENT,
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            );
        if !self.cookies.is_empty() {
            let pairs = self
                .cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"));
            request = request.header(header::COOKIE, pairs.collect::<Vec<_>>().join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Body::empty, Body::from);
        let request = request.body(body).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 10_000_000).await.unwrap();
        let answer = Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
            path: path.to_owned(),
        };
        answer.check();
        self.keep_cookies(&answer);
        answer
    }

    fn keep_cookies(&mut self, answer: &Answer) {
        for line in answer.headers.get_all(header::SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (pair, attributes) = line.split_once("; ").unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            assert!(attributes.contains("HttpOnly; SameSite=Lax"), "{line}");
            if attributes.ends_with("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// The cookies whose names begin like this.
    pub(crate) fn cookies_like(&self, start: &str) -> Vec<(String, String)> {
        let all = self
            .cookies
            .iter()
            .filter(|(name, _)| name.starts_with(start));
        all.map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

impl Answer {
    /// What holds for every page.
    fn check(&self) {
        let policy = self.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(
            self.headers[header::CACHE_CONTROL],
            "no-store",
            "{}",
            self.path
        );
        if !self.body.is_empty() {
            assert_eq!(
                self.headers[header::CONTENT_TYPE],
                "text/html; charset=utf-8"
            );
            assert!(self.body.starts_with("<!doctype html>"), "{}", self.body);
            assert!(!self.body.contains("<script"), "{}", self.path);
        }
    }

    pub(crate) fn location(&self) -> Option<String> {
        let value = self.headers.get(header::LOCATION)?;
        assert_eq!(self.status, StatusCode::SEE_OTHER);
        Some(value.to_str().unwrap().to_owned())
    }

    /// Whether the page says this, as a person reads it.
    pub(crate) fn says(&self, text: &str) -> bool {
        unescaped(&self.body).contains(text)
    }

    pub(crate) fn assert_says(&self, text: &str) {
        assert!(
            self.says(text),
            "{} {}: {text:?} not in {}",
            self.status,
            self.path,
            self.body
        );
    }

    pub(crate) fn form(&self, action: &str) -> Form {
        let forms = self.forms();
        let found = forms.iter().find(|form| form.action == action);
        let actions: Vec<_> = forms.iter().map(|form| &form.action).collect();
        found
            .unwrap_or_else(|| {
                panic!(
                    "{} {}: no form to {action}, only to {actions:?}\n{}",
                    self.status, self.path, self.body
                )
            })
            .clone()
    }

    pub(crate) fn has_form(&self, action: &str) -> bool {
        self.forms().iter().any(|form| form.action == action)
    }

    /// The forms that post.
    pub(crate) fn forms(&self) -> Vec<Form> {
        let pieces = self.body.split("<form ").skip(1);
        let forms = pieces.filter(|piece| piece.contains("method=\"post\""));
        let forms = forms.map(|piece| {
            let form = piece.split("</form>").next().unwrap();
            let hidden = form.split("<input ").skip(1);
            let hidden = hidden.filter(|input| input.starts_with("type=\"hidden\""));
            Form {
                action: attribute(form, "action"),
                hidden: hidden
                    .map(|input| (attribute(input, "name"), attribute(input, "value")))
                    .collect(),
            }
        });
        forms.collect()
    }

    /// The value that an input of the page holds.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        let input = self
            .body
            .split("<input ")
            .skip(1)
            .map(|input| input.split('>').next().unwrap())
            .find(|input| input.contains(&format!(" name=\"{name}\"")))?;
        input
            .contains(" value=\"")
            .then(|| attribute(input, " value"))
    }

    /// The addresses that the page links to.
    pub(crate) fn links(&self) -> Vec<String> {
        let links = self.body.split("<a ").skip(1);
        links.map(|link| attribute(link, "href")).collect()
    }

    /// What stands in the element that begins with `start`.
    pub(crate) fn inside(&self, start: &str) -> String {
        let (_, rest) = self.body.split_once(start).unwrap();
        let (_, rest) = rest.split_once('>').unwrap();
        unescaped(rest.split('<').next().unwrap())
    }
}

impl Form {
    pub(crate) fn hidden(&self, name: &str) -> &str {
        let found = self.hidden.iter().find(|(known, _)| known == name);
        &found
            .unwrap_or_else(|| panic!("no hidden {name} in {self:?}"))
            .1
    }
}

fn attribute(tag: &str, name: &str) -> String {
    let (_, rest) = tag
        .split_once(&format!("{name}=\""))
        .unwrap_or_else(|| panic!("{name} in {tag}"));
    unescaped(rest.split('"').next().unwrap())
}

fn unescaped(text: &str) -> String {
    text.replace("&#x2f;", "/")
        .replace("&#x27;", "'")
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}
