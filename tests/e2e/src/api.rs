//! A program that uses the JSON API with a bearer token.

use reqwest::{
    Client, Method,
    header::{HOST, HeaderMap},
};
use serde_json::{Value, json};

use crate::{secrets::Secrets, server::Server};

const FLOWS: &str = "/api/v1/sign-in/flows";

/// A client of the API, signed in or not.
#[derive(Debug, Clone)]
pub struct Api {
    client: Client,
    base: String,
    /// What the server is called.
    host: String,
    secrets: Secrets,
    token: Option<String>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; null if there is none.
    pub body: Value,
}

impl Api {
    /// Nobody in particular.
    pub fn new(server: &Server) -> Self {
        Self {
            client: client_builder().build().unwrap(),
            base: server.base().to_owned(),
            host: host(server),
            secrets: server.secrets().clone(),
            token: None,
        }
    }

    /// The same program with a session's token.
    pub fn with_token(&self, token: &str) -> Self {
        self.secrets.keep(token);
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// The same program at another server.
    pub fn at(&self, server: &Server) -> Self {
        Self {
            base: server.base().to_owned(),
            host: host(server),
            ..self.clone()
        }
    }

    /// The session's token.
    pub fn token(&self) -> &str {
        self.token.as_deref().expect("not signed in")
    }

    /// Signs in with a password; answers the flow's last answer if refused.
    pub async fn try_sign_in(
        &self,
        tenant: Option<&str>,
        user: &str,
        password: &str,
    ) -> Result<Self, Answer> {
        self.secrets.keep(password);
        let start = match tenant {
            Some(tenant) => json!({ "transport": "token", "tenant": tenant }),
            None => json!({ "transport": "token" }),
        };
        let flow = self.post(FLOWS, start).await;
        if flow.status != 201 {
            return Err(flow);
        }
        let id = flow.body["id"].as_str().unwrap();
        self.secrets.keep(id);
        let answer = json!({
            "provider": "password",
            "answer": { "user_name": user, "password": password },
        });
        let done = self.post(&format!("{FLOWS}/{id}"), answer).await;
        match done.body["session"]["token"].as_str() {
            Some(token) => Ok(self.with_token(token)),
            None => Err(done),
        }
    }

    /// Signs in with a password, which must be right.
    pub async fn sign_in(&self, tenant: &str, user: &str, password: &str) -> Self {
        let signed_in = self.try_sign_in(Some(tenant), user, password).await;
        signed_in
            .unwrap_or_else(|answer| panic!("`{user}` cannot sign in to `{tenant}`: {answer:?}"))
    }

    /// Sets another password than `old` for its own account. All sessions end; answers the new one.
    pub async fn change_password(&self, old: &str, new: &str) -> Self {
        self.secrets.keep(new);
        let start = json!({ "transport": "token", "intent": "enrol", "provider": "password" });
        let mut flow = self.post(FLOWS, start).await.expect(201);
        let id = flow["id"].as_str().unwrap().to_owned();
        self.secrets.keep(&id);
        // First a proof that it is still the same person.
        for answer in [json!({ "password": old }), json!({ "new_password": new })] {
            let provider = flow["step"]["provider"].as_str().unwrap_or("password");
            let reply = json!({ "provider": provider, "answer": answer });
            flow = self.post(&format!("{FLOWS}/{id}"), reply).await.expect(200);
        }
        self.with_token(flow["session"]["token"].as_str().unwrap())
    }

    /// The id of its session's user.
    pub async fn user_id(&self) -> String {
        let session = self.get("/api/v1/session").await.expect(200);
        session["user"]["id"].as_str().unwrap().to_owned()
    }

    /// Whether its session counts now.
    pub async fn is_signed_in(&self) -> bool {
        let answer = self.get("/api/v1/session").await;
        assert!([200, 401].contains(&answer.status), "{answer:?}");
        answer.status == 200
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// POST.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    /// PUT.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, Some(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let sent = self.try_send(method.clone(), path, body).await;
        sent.unwrap_or_else(|error| panic!("{method} {path}: {error:?}"))
    }

    /// Any request; an error when no answer came.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.base))
            .header(HOST, &self.host);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: serde_json::from_slice(&response.bytes().await?).unwrap_or_default(),
        })
    }
}

impl Answer {
    /// Checks the status; answers the body.
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{} {:?}", self.body, self.headers);
        self.body
    }
}

fn host(server: &Server) -> String {
    server.origin().trim_start_matches("http://").to_owned()
}

/// What every HTTP client here has in common: no proxy, no redirects of its own.
pub(crate) fn client_builder() -> reqwest::ClientBuilder {
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(crate::wait::PATIENCE)
}
