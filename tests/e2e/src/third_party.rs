//! A real third party: `oidc-provider`, a certified OpenID provider, as a program of its own (`third-party.mjs`).

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
};

use reqwest::Client;
use serde_json::{Value, json};

use crate::{api::client_builder, browser::Browser, secrets::Secrets, wait::PATIENCE};

/// What every client there shows that it is who it says.
pub const CLIENT_SECRET: &str = "canary-of-the-client-at-the-third-party";

/// A third party. It ends when this is dropped.
#[derive(Debug)]
pub struct ThirdParty {
    child: Child,
    client: Client,
    issuer: String,
}

impl ThirdParty {
    /// One without clients or accounts.
    pub async fn start() -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let program = folder.join("third-party.mjs");
        // Standard input stays open as long as this lives: the program ends with it.
        let mut child = Command::new("node")
            .arg(&program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .env("NODE_NO_WARNINGS", "1")
            .spawn()
            .unwrap_or_else(|error| panic!("node does not start ({error}): use tests/run"));
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                sender.send(line).ok();
            }
        });
        let line = tokio::task::spawn_blocking(move || lines.recv_timeout(PATIENCE));
        let line = line.await.unwrap().unwrap_or_else(|_| {
            panic!("the third party does not start; fetch what it needs with `npm ci --prefix tests/e2e`, or use tests/run")
        });
        let issuer = line.trim_start_matches("serving ").to_owned();
        Self {
            child,
            // Node closes connections that are idle for five seconds, just when one is to be used again.
            client: client_builder().pool_max_idle_per_host(0).build().unwrap(),
            issuer,
        }
    }

    /// What it is called, and where it is: `http://127.0.0.1:<port>`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Registers a client that comes back to this server by its connection of the same name, or changes it.
    pub async fn client(&self, connection: &str, server: &str) {
        let client = json!({
            "client_id": connection,
            "client_secret": CLIENT_SECRET,
            "redirect_uris": [format!("{server}/callback/{connection}")],
            "post_logout_redirect_uris": [format!("{server}/sign-out")],
        });
        self.tell("client", client).await;
    }

    /// Gives somebody an account there, or changes what it says of them.
    pub async fn account(&self, name: &str, claims: Value) {
        let account = json!({ "name": name, "claims": claims });
        self.tell("account", account).await;
    }

    /// Takes the account away from somebody.
    pub async fn disable(&self, name: &str) {
        let account = json!({ "name": name, "claims": {}, "disabled": true });
        self.tell("account", account).await;
    }

    /// Signs with a new key from now on.
    pub async fn rotate_keys(&self) {
        self.tell("keys", json!({})).await;
    }

    /// What it was asked so far, such as `POST /token`.
    pub async fn seen(&self) -> Vec<String> {
        let seen = self.tell("seen", json!({})).await;
        serde_json::from_value(seen).unwrap()
    }

    /// Has no log hold any code or token that it gave.
    pub async fn keep_secrets(&self, secrets: &Secrets) {
        secrets.keep(CLIENT_SECRET);
        let given = self.tell("secrets", json!({})).await;
        for secret in given.as_array().unwrap() {
            secrets.keep(secret.as_str().unwrap());
        }
    }

    async fn tell(&self, what: &str, body: Value) -> Value {
        let address = format!("{}/door/{what}", self.issuer);
        let answer = self.client.post(address).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{what}: {body}");
        answer.json().await.unwrap()
    }
}

impl Drop for ThirdParty {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Browser {
    /// Says at a third party who one is, and allows that it is told.
    pub async fn signs_in_there(&self, name: &str) {
        self.names_oneself_there(name).await;
        self.press_named("Allow").await;
    }

    /// The first half: says who one is.
    pub async fn names_oneself_there(&self, name: &str) {
        self.reads("Sign in there").await;
        self.fill("there", name).await;
        self.press_named("Go on").await;
    }
}
