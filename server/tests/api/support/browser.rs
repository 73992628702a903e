use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::{Value, json};

use super::{Answer, Call, Person, World};

/// A browser: it keeps cookies, and its requests come from our own pages.
#[derive(Clone)]
pub(crate) struct Browser<'w> {
    world: &'w World,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl<'w> Browser<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        Self {
            world,
            cookies: BTreeMap::new(),
        }
    }

    /// A request of this browser, not sent yet.
    pub(crate) fn call(&self, method: Method, path: impl Into<String>) -> Call<'w> {
        let call = self.world.call(method, path).by_our_page();
        if self.cookies.is_empty() {
            return call;
        }
        let pairs = self.cookies.iter();
        let pairs: Vec<_> = pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        call.header("cookie", pairs.join("; "))
    }

    pub(crate) async fn send(&mut self, call: Call<'w>) -> Answer {
        let answer = call.send().await;
        self.take_cookies(&answer);
        answer
    }

    pub(crate) async fn get(&mut self, path: impl Into<String>) -> Answer {
        self.send(self.call(Method::GET, path)).await
    }

    pub(crate) async fn post(&mut self, path: impl Into<String>, body: &Value) -> Answer {
        self.send(self.call(Method::POST, path).json(body)).await
    }

    pub(crate) async fn delete(&mut self, path: impl Into<String>) -> Answer {
        self.send(self.call(Method::DELETE, path)).await
    }

    /// Begins a sign-in with the cookie transport; answers the flow's path.
    pub(crate) async fn begin(&mut self, tenant: &str) -> String {
        let body = json!({"transport": "cookie", "tenant": tenant});
        let flow = self.post("/api/v1/sign-in/flows", &body).await.expect(201);
        super::flow_path(&flow.json())
    }

    pub(crate) async fn enter(&mut self, flow: &str, person: &Person, password: &str) -> Answer {
        let body = json!({
            "provider": "password",
            "answer": {"user_name": person.name, "password": password},
        });
        self.post(flow, &body).await
    }

    /// Signs in with the cookie transport.
    pub(crate) async fn sign_in(&mut self, person: &Person, password: &str) -> Answer {
        let flow = self.begin(&person.tenant_name).await;
        self.enter(&flow, person, password).await.expect(200)
    }

    /// The cookies whose name contains `part`.
    pub(crate) fn named(&self, part: &str) -> Vec<(&str, &str)> {
        let cookies = self.cookies.iter().filter(|(name, _)| name.contains(part));
        cookies.map(|(n, v)| (n.as_str(), v.as_str())).collect()
    }

    fn take_cookies(&mut self, answer: &Answer) {
        for line in answer.headers.get_all("set-cookie") {
            let line = line.to_str().unwrap();
            for part in ["Path=/", "HttpOnly", "SameSite=Lax"] {
                assert!(line.split("; ").any(|found| found == part), "{line}");
            }
            assert!(!line.contains("Domain"), "{line}");
            let secure = self.world.origin.starts_with("https:");
            assert_eq!(secure, line.starts_with("__Host-"), "{line}");
            assert_eq!(
                secure,
                line.split("; ").any(|part| part == "Secure"),
                "{line}"
            );
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            if line.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
