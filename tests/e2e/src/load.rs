//! Clients that change things, and keep a journal of what they were told is done.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    api::{Answer, Api},
    server::Server,
    wait,
    world::{HOME, World},
};

/// Clients at work: one makes users, one signs in, and out again of every third session.
#[derive(Debug)]
pub struct Load {
    work: JoinSet<()>,
    stopped: Arc<AtomicBool>,
    journal: Arc<Mutex<Journal>>,
}

/// What was acknowledged, and what was refused.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    /// Users that were made.
    pub users: Vec<String>,
    /// Sessions that are open.
    pub open: Vec<Api>,
    /// Sessions that were ended.
    pub ended: Vec<Api>,
    /// What else was answered.
    pub refused: Vec<Refusal>,
}

/// An answer that acknowledges nothing.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Its status; none if no answer came.
    pub status: Option<u16>,
    /// What it is.
    pub content_type: String,
    /// How long it took.
    pub took: Duration,
}

impl Load {
    /// Sets them to work in the tenant [`HOME`], as the administrator and as `user`.
    pub fn start(world: &World, user: &str, password: &str) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let journal = Arc::new(Mutex::new(Journal::default()));
        let worker = || Worker {
            stopped: Arc::clone(&stopped),
            journal: Arc::clone(&journal),
        };
        let mut work = JoinSet::new();
        work.spawn(worker().make_users(world.administrator.clone()));
        let (user, password) = (user.to_owned(), password.to_owned());
        work.spawn(worker().sign_in(world.nobody(), user, password));
        Self {
            work,
            stopped,
            journal,
        }
    }

    /// What is in the journal now.
    pub fn so_far(&self) -> Journal {
        self.journal.lock().unwrap().clone()
    }

    /// Waits until everybody was told of so many more changes.
    pub async fn goes_on(&self, changes: usize) {
        let before = self.so_far();
        wait::until("acknowledged changes", async || {
            let now = self.journal.lock().unwrap();
            let users = now.users.len() - before.users.len();
            let ended = now.ended.len() - before.ended.len();
            users >= changes && ended >= changes / 3
        })
        .await;
    }

    /// Waits until they have finished what they are about; answers the journal.
    pub async fn finish(self) -> Journal {
        self.stopped.store(true, Ordering::Relaxed);
        self.work.join_all().await;
        let mut journal = self.journal.lock().unwrap();
        std::mem::take(&mut journal)
    }
}

struct Worker {
    stopped: Arc<AtomicBool>,
    journal: Arc<Mutex<Journal>>,
}

impl Worker {
    async fn make_users(self, keeper: Api) {
        for number in 0.. {
            if self.stopped.load(Ordering::Relaxed) {
                return;
            }
            let name = format!("bird-{number}");
            let path = format!("/api/v1/tenants/{HOME}/users");
            let new = json!({ "user_name": name });
            if self
                .ask(&keeper, Method::POST, &path, new, 201)
                .await
                .is_some()
            {
                self.note(|journal| journal.users.push(name));
            }
        }
    }

    async fn sign_in(self, nobody: Api, user: String, password: String) {
        for number in 0.. {
            if self.stopped.load(Ordering::Relaxed) {
                return;
            }
            let flows = "/api/v1/sign-in/flows";
            let start = json!({ "tenant": HOME, "transport": "token" });
            let Some(flow) = self.ask(&nobody, Method::POST, flows, start, 201).await else {
                continue;
            };
            let path = format!("{flows}/{}", flow.body["id"].as_str().unwrap());
            let answer = json!({ "user_name": user, "password": password });
            let answer = json!({ "provider": "password", "answer": answer });
            let Some(done) = self.ask(&nobody, Method::POST, &path, answer, 200).await else {
                continue;
            };
            let program = nobody.with_token(done.body["session"]["token"].as_str().unwrap());
            if number % 3 != 0 {
                self.note(|journal| journal.open.push(program));
                continue;
            }
            let end = self.ask(
                &program,
                Method::DELETE,
                "/api/v1/session",
                json!(null),
                204,
            );
            if end.await.is_some() {
                self.note(|journal| journal.ended.push(program));
            }
        }
    }

    /// The answer, if it has this status; any other goes into the journal.
    async fn ask(
        &self,
        program: &Api,
        method: Method,
        path: &str,
        body: serde_json::Value,
        status: u16,
    ) -> Option<Answer> {
        let begun = Instant::now();
        let body = (!body.is_null()).then_some(body);
        let answer = program.try_send(method, path, body).await.ok();
        if answer
            .as_ref()
            .is_some_and(|answer| answer.status == status)
        {
            return answer;
        }
        let refusal = Refusal {
            status: answer.as_ref().map(|answer| answer.status),
            content_type: answer.map_or_else(String::new, |answer| {
                let content_type = answer.headers.get("content-type");
                content_type
                    .map_or("", |text| text.to_str().unwrap())
                    .to_owned()
            }),
            took: begun.elapsed(),
        };
        self.note(|journal| journal.refused.push(refusal));
        wait::pause().await;
        None
    }

    fn note(&self, entry: impl FnOnce(&mut Journal)) {
        entry(&mut self.journal.lock().unwrap());
    }
}

impl Journal {
    /// How many changes were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.users.len() + self.open.len() + 2 * self.ended.len()
    }

    /// Checks that each of the users is there, as a list of users in JSON has it.
    pub fn assert_users_in(&self, listed: &str) {
        for user in &self.users {
            let is_there = listed.contains(&format!("\"{user}\""));
            assert!(is_there, "the acknowledged user `{user}` is lost");
        }
    }

    /// Checks that every session is what it was said to be.
    pub async fn assert_sessions_at(&self, server: &Server) {
        for program in &self.open {
            let is_open = program.at(server).is_signed_in().await;
            assert!(is_open, "an acknowledged session is lost");
        }
        self.assert_ended_at(server).await;
    }

    /// Checks that what was ended stays ended.
    pub async fn assert_ended_at(&self, server: &Server) {
        for program in &self.ended {
            let is_open = program.at(server).is_signed_in().await;
            assert!(!is_open, "a session that was ended is open");
        }
    }

    /// How many refusals there were of each status; none stands for no answer at all.
    pub fn statuses(&self) -> BTreeMap<Option<u16>, usize> {
        let mut statuses = BTreeMap::new();
        for refusal in &self.refused {
            *statuses.entry(refusal.status).or_default() += 1;
        }
        statuses
    }
}
