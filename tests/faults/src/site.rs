//! A server that was set up, with clients at work, a journal, and somebody who looks what became of it all.

use std::{
    sync::{Arc, atomic::AtomicUsize},
    time::{Duration, Instant},
};

use gatelodge_e2e::{
    api::Api,
    nodes::UNLIMITED,
    place::{Place, Start},
    server::Server,
    storage::{Postgres, Storage},
    wait,
    world::{HOME, World},
};
use serde_json::json;

use crate::{
    journal::Journal,
    oracle,
    work::{After, Work},
};

/// Who signs in.
pub const USER: &str = "ada";
/// With this password.
pub const PASSWORD: &str = "canary: ada whistles in the yard";

/// Where a scenario keeps its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The embedded database.
    Sqlite,
    /// A database in the server that all tests share.
    Postgres,
}

impl Kind {
    /// An empty storage of this kind.
    pub fn storage(self) -> Storage {
        match self {
            Self::Sqlite => Storage::Embedded,
            Self::Postgres => Storage::Postgres(Postgres::new()),
        }
    }
}

/// A server that was set up.
#[derive(Debug)]
pub struct Site {
    /// The server; none while it does not run.
    server: Option<Server>,
    /// The folder it works in.
    pub place: Place,
    /// The administrator, as a program.
    pub administrator: Api,
    /// What was acknowledged.
    pub journal: Arc<Journal>,
    names: Arc<AtomicUsize>,
}

impl Site {
    /// One on an empty storage.
    pub async fn on(storage: Storage) -> Self {
        Self::at(Place::on(storage)).await
    }

    /// One in an empty place.
    pub async fn at(place: Place) -> Self {
        let World {
            server,
            place,
            administrator,
        } = World::of(place.configured(UNLIMITED)).await;
        let new = json!({ "user_name": USER, "password": PASSWORD, "must_change_password": false });
        let path = format!("/api/v1/tenants/{HOME}/users");
        administrator.post(&path, new).await.expect(201);
        Self {
            journal: Arc::new(Journal::create(&place.root().join("journal"))),
            server: Some(server),
            place,
            administrator,
            names: Arc::default(),
        }
    }

    /// The server, which must be running.
    pub fn server(&self) -> &Server {
        self.server.as_ref().expect("the server does not run")
    }

    /// A program that is nobody.
    pub fn nobody(&self) -> Api {
        Api::new(self.server())
    }

    /// Sets clients to work.
    pub fn work(&self, after: After) -> Work {
        let nobody = self.nobody();
        Work::start(
            &self.administrator,
            &nobody,
            &self.journal,
            &self.names,
            after,
        )
    }

    /// Kills the server.
    pub async fn kill(&mut self) {
        self.server.take().unwrap().kill().await;
    }

    /// Waits until the server has ended by itself.
    pub async fn ends(&mut self) {
        self.server.take().unwrap().ended().await;
    }

    /// Stops the server in order.
    pub async fn stop(&mut self) {
        assert!(self.server.take().unwrap().stop().await.success());
    }

    /// Starts the server; answers how long it took until it was ready.
    pub async fn start(&mut self, how: Start) -> Duration {
        let begun = Instant::now();
        let server = self.place.serve_with(how).await;
        self.administrator = self.administrator.at(&server);
        self.server = Some(server);
        self.is_ready().await;
        begun.elapsed()
    }

    /// Waits until the server says that it is ready, and a question to the storage is answered.
    pub async fn is_ready(&self) {
        let nobody = self.nobody();
        wait::until("the server is ready", async || {
            nobody.get("/readyz").await.status == 200
                && self.administrator.get("/api/v1/tenants").await.status == 200
        })
        .await;
    }

    /// What of the journal is not so, and what is there by half. Of the sessions in the journal, the last `sessions`
    /// are asked for.
    pub async fn violations(&self, sessions: usize) -> Vec<String> {
        let entries = self.journal.read();
        let mut violations = oracle::of_storage(&self.place, &entries).await;
        violations.extend(oracle::of_sessions(&self.nobody(), &entries, sessions).await);
        violations
    }
}
