//! Clients at work, each change that is acknowledged written into the journal.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use gatelodge_e2e::{
    api::{Answer, Api},
    wait,
    world::HOME,
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    journal::{Entry, Journal},
    site::{PASSWORD, USER},
};

/// How many clients make users without a password, which costs the server nothing but the storage.
const MAKERS: usize = 8;
/// Users with a password have a name that begins so.
pub const WITH_PASSWORD: &str = "bird-p-";
/// All others have a name that begins so.
pub const WITHOUT: &str = "bird-n-";

/// What a client does when it gets no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It goes home: the server is gone.
    Leave,
    /// It tries again, for ever.
    TryAgain,
}

/// What clients work with.
#[derive(Debug)]
struct Shared {
    after: After,
    journal: Arc<Journal>,
    names: Arc<AtomicUsize>,
    stopped: AtomicBool,
    told: Mutex<Told>,
}

/// What they were told.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// How many changes are done.
    pub acknowledged: usize,
    /// How many answers there were of each status; none stands for no answer at all.
    pub answers: BTreeMap<Option<u16>, usize>,
    /// The longest that one waited for anything but an acknowledgement.
    pub slowest_refusal: Duration,
}

/// Clients at work.
#[derive(Debug)]
pub struct Work {
    tasks: JoinSet<()>,
    shared: Arc<Shared>,
}

impl Work {
    /// Sets them to work as the administrator and as [`USER`]. Names are numbered by `names`.
    pub fn start(
        administrator: &Api,
        nobody: &Api,
        journal: &Arc<Journal>,
        names: &Arc<AtomicUsize>,
        after: After,
    ) -> Self {
        let shared = Arc::new(Shared {
            after,
            journal: Arc::clone(journal),
            names: Arc::clone(names),
            stopped: AtomicBool::new(false),
            told: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        for _ in 0..MAKERS {
            let (shared, keeper) = (Arc::clone(&shared), administrator.clone());
            tasks.spawn(async move { while shared.makes_user(&keeper, WITHOUT).await {} });
        }
        let (one, keeper) = (Arc::clone(&shared), administrator.clone());
        tasks.spawn(async move { while one.makes_user(&keeper, WITH_PASSWORD).await {} });
        let (one, nobody) = (Arc::clone(&shared), nobody.clone());
        tasks.spawn(async move {
            let mut number = 0;
            while one.signs_in(&nobody, number % 2 == 0).await {
                number += 1;
            }
        });
        Self { tasks, shared }
    }

    /// What they were told by now.
    pub fn told(&self) -> Told {
        self.shared.told.lock().unwrap().clone()
    }

    /// Waits until so many more changes were acknowledged.
    pub async fn goes_on(&self, changes: usize) {
        let wanted = self.told().acknowledged + changes;
        // More often than `wait` looks: the moment is to be as it comes.
        let begun = Instant::now();
        while self.told().acknowledged < wanted {
            assert!(
                begun.elapsed() < 3 * wait::PATIENCE,
                "no more changes are acknowledged: {:?}",
                self.told()
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits until so many more requests were refused, or had no answer.
    pub async fn is_refused(&self, times: usize) {
        let refused = || self.told().refused();
        let wanted = refused() + times;
        wait::until("refusals", async || refused() >= wanted).await;
    }

    /// Waits until they have finished what they are about; answers what they were told.
    pub async fn finish(self) -> Told {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.tasks.join_all().await;
        self.shared.told.lock().unwrap().clone()
    }
}

impl Told {
    /// How many answers acknowledge nothing.
    pub fn refused(&self) -> usize {
        let others = self
            .answers
            .iter()
            .filter(|(status, _)| !matches!(status, Some(200..=299)));
        others.map(|(_, count)| count).sum()
    }
}

impl Shared {
    /// Whether to go on.
    async fn makes_user(&self, keeper: &Api, prefix: &str) -> bool {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        let name = format!("{prefix}{number}");
        let mut new = json!({ "user_name": name });
        if prefix == WITH_PASSWORD {
            new["password"] = json!(format!("canary: <{name}> sings softly"));
            new["must_change_password"] = json!(false);
        }
        let path = format!("/api/v1/tenants/{HOME}/users");
        let answer = self.ask(keeper, Method::POST, &path, new, 201).await;
        if let Some(made) = &answer {
            let id = made.body["id"].as_str().unwrap().replace('-', "");
            self.acknowledged(&Entry::User(id, name));
        }
        self.goes_on(answer.is_some()).await
    }

    /// Begins a session and, if `leaves`, ends it. Whether to go on.
    async fn signs_in(&self, nobody: &Api, leaves: bool) -> bool {
        let flows = "/api/v1/sign-in/flows";
        let start = json!({ "tenant": HOME, "transport": "token" });
        let Some(flow) = self.ask(nobody, Method::POST, flows, start, 201).await else {
            return self.goes_on(false).await;
        };
        let path = format!("{flows}/{}", flow.body["id"].as_str().unwrap());
        let answer = json!({ "user_name": USER, "password": PASSWORD });
        let answer = json!({ "provider": "password", "answer": answer });
        let Some(done) = self.ask(nobody, Method::POST, &path, answer, 200).await else {
            return self.goes_on(false).await;
        };
        let token = done.body["session"]["token"]
            .as_str()
            .unwrap_or_else(|| panic!("{USER} is not signed in: {done:?}"))
            .to_owned();
        let program = nobody.with_token(&token);
        self.acknowledged(&Entry::Begun(token.clone()));
        if !leaves {
            return self.goes_on(true).await;
        }
        self.journal.note(&Entry::Leaving(token.clone()));
        let session = "/api/v1/session";
        let end = self.ask(&program, Method::DELETE, session, Value::Null, 204);
        let ended = end.await.is_some();
        if ended {
            self.acknowledged(&Entry::Ended(token));
        }
        self.goes_on(ended).await
    }

    fn acknowledged(&self, entry: &Entry) {
        self.journal.note(entry);
        self.told.lock().unwrap().acknowledged += 1;
    }

    async fn goes_on(&self, well: bool) -> bool {
        if self.stopped.load(Ordering::Relaxed) {
            return false;
        }
        if !well {
            wait::pause().await;
        }
        well || self.after == After::TryAgain
    }

    /// The answer, if it has this status.
    async fn ask(
        &self,
        program: &Api,
        method: Method,
        path: &str,
        body: Value,
        status: u16,
    ) -> Option<Answer> {
        let begun = Instant::now();
        let body = (!body.is_null()).then_some(body);
        let answer = program.try_send(method, path, body).await.ok();
        let answered = answer.as_ref().map(|answer| answer.status);
        let mut told = self.told.lock().unwrap();
        *told.answers.entry(answered).or_default() += 1;
        if answered != Some(status) {
            told.slowest_refusal = told.slowest_refusal.max(begun.elapsed());
            return None;
        }
        answer
    }
}
