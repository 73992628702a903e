//! What is measured: the real binary in a folder of its own, on SQLite or Postgres, with little data or much.

use std::{
    fs::{self, OpenOptions},
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, atomic::AtomicUsize},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use gatelodge_core::{Environment, storage::Storage};
use gatelodge_postgres::Server as PostgresServer;
use gatelodge_storage_postgres::{PostgresConfig, PostgresStorage};
use gatelodge_storage_sqlite::{SqliteConfig, SqliteStorage};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    client::{Async, get, post},
    drive::People,
    process::Process,
    seed::{self, Seeded, Size},
};

/// The tenant of everybody who signs in.
pub(crate) const HOME: &str = "lodge";
/// An application that is entered by forward authentication, and where it is.
const APPLICATION: &str = "wiki";
const ON: &str = "wiki.localhost";
const ADMINISTRATOR: &str = "keeper";
const PASSWORD: &str = "a load of hay for the keeper";
/// How long a server may take to serve.
const PATIENCE: Duration = Duration::from_secs(60);
/// Nobody is slowed down for being many, since here all come from one address.
const CONFIGURATION: &str = "[limits]\nfree_tries = 99\nnetwork_free_tries = 1000000\n\
                             flows_per_network_per_minute = 1000000\n";

/// Where the data is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// One server with its data.
#[derive(Debug)]
pub(crate) struct Subject {
    /// Such as `sqlite-small`.
    pub(crate) name: String,
    pub(crate) seeded: Seeded,
    /// The administrator's token.
    pub(crate) token: String,
    pub(crate) users: Vec<(String, String)>,
    running: Option<Running>,
    place: Place,
}

/// A server that serves.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    pub(crate) host: String,
    announced: String,
}

#[derive(Debug)]
struct Place {
    binary: PathBuf,
    root: TempDir,
    postgres: Option<Postgres>,
}

#[derive(Debug)]
struct Postgres {
    server: PostgresServer,
    owner_url: String,
    url: String,
}

impl Subject {
    /// Sets a server up and fills it. `people` of the users can sign in.
    pub(crate) async fn prepare(
        binary: &Path,
        kind: Kind,
        size: Size,
        people: usize,
        seed: u64,
    ) -> Self {
        let place = Place::new(binary, kind, size.queue);
        let first = place.start().await.0;
        let mut connection = Async::open(first.address).await.unwrap();
        let token = first.set_up(&mut connection).await;
        let application = json!({
            "name": APPLICATION, "audience": APPLICATION, "origins": [format!("http://{ON}")],
        });
        let path = format!("/api/v1/tenants/{HOME}/applications");
        first
            .post(&mut connection, &path, Some(&token), &application, 201)
            .await;
        let mut users = Vec::new();
        for number in 0..people {
            let user = (
                format!("guest-{number}"),
                format!("{PASSWORD}, number {number}"),
            );
            let new = json!({
                "user_name": user.0, "password": user.1, "must_change_password": false,
            });
            let path = format!("/api/v1/tenants/{HOME}/users");
            first
                .post(&mut connection, &path, Some(&token), &new, 201)
                .await;
            users.push(user);
        }
        drop(connection);
        first.process.stop();

        let storage = place.open().await;
        let seeded = seed::fill(&storage, size, seed).await;
        storage.close().await;
        if let Some(postgres) = &place.postgres {
            // What Postgres does by itself within a minute.
            postgres.server.sql("VACUUM ANALYZE");
        }
        let word = match kind {
            Kind::Sqlite => "sqlite",
            Kind::Postgres => "postgres",
        };
        Self {
            name: format!("{word}-{}", size.name),
            seeded,
            token,
            users,
            running: None,
            place,
        }
    }

    /// Starts it, again if it runs; answers how long it took until it was ready.
    pub(crate) async fn restart(&mut self) -> Duration {
        if let Some(running) = self.running.take() {
            running.process.stop();
        }
        let (running, took) = self.place.start().await;
        self.running = Some(running);
        took
    }

    pub(crate) fn running(&self) -> &Running {
        self.running.as_ref().expect("the server was not started")
    }

    /// A GET as the administrator.
    pub(crate) fn get(&self, path: &str) -> Vec<u8> {
        get(&self.running().host, path, Some(&self.token))
    }

    /// A session check for each of these tokens.
    pub(crate) fn checks(&self, tokens: &[String]) -> Vec<Vec<u8>> {
        let host = &self.running().host;
        let check = |token| get(host, crate::baseline::PATH, Some(token));
        tokens.iter().map(|token| check(token.as_str())).collect()
    }

    /// The administrator asks for an access token.
    pub(crate) fn token_request(&self) -> Vec<u8> {
        let wanted = json!({ "application": APPLICATION });
        let host = &self.running().host;
        post(host, "/api/v1/token", Some(&self.token), &wanted)
    }

    /// A proxy asks about a request of the administrator's browser, which has entered the application.
    pub(crate) async fn proxied_request(&self) -> Vec<u8> {
        let running = self.running();
        let mut connection = Async::open(running.address).await.unwrap();
        let question = format!("/api/v1/forward-auth?application={APPLICATION}");
        let asked = proxied(&running.host, &question, "accept: text/html");
        assert_eq!(connection.ask(&asked).await.unwrap(), 303);
        let browser = cookie(&connection);
        let way = path_of(connection.header("location").unwrap());
        let enter = get(&running.host, &way, Some(&self.token));
        assert_eq!(connection.ask(&enter).await.unwrap(), 303);
        let accept = path_of(connection.header("location").unwrap());
        let accept = proxied(&running.host, &accept, &format!("cookie: {browser}"));
        assert_eq!(connection.ask(&accept).await.unwrap(), 303);
        let pass = cookie(&connection);
        proxied(&running.host, &question, &format!("cookie: {pass}"))
    }

    /// Those who can sign in.
    pub(crate) fn people(&self) -> Arc<People> {
        Arc::new(People {
            address: self.running().address,
            host: self.running().host.clone(),
            tenant: HOME.to_owned(),
            users: self.users.clone(),
            next: AtomicUsize::new(0),
        })
    }
}

/// A request as a proxy before the application passes it on.
fn proxied(host: &str, path: &str, more: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nx-forwarded-proto: http\r\nx-forwarded-host: {ON}\r\n{more}\r\n\r\n"
    )
    .into_bytes()
}

/// The cookie that was set, as it is sent back.
fn cookie(connection: &Async) -> String {
    let set = connection.header("set-cookie").unwrap();
    set.split(';').next().unwrap().to_owned()
}

/// What comes after scheme and host.
fn path_of(address: &str) -> String {
    let (_, rest) = address.split_once("://").unwrap();
    let (_, path) = rest.split_once('/').unwrap();
    format!("/{path}")
}

impl Running {
    /// Makes the first administrator and signs in.
    async fn set_up(&self, connection: &mut Async) -> String {
        let (_, token) = self.announced.split_once("token=").expect("a set-up link");
        let set_up = json!({
            "token": token.trim(), "tenant": HOME, "user_name": ADMINISTRATOR, "password": PASSWORD,
        });
        self.post(connection, "/api/v1/setup", None, &set_up, 201)
            .await;
        let flows = "/api/v1/sign-in/flows";
        let start = json!({ "tenant": HOME, "transport": "token" });
        let flow = self.post(connection, flows, None, &start, 201).await;
        let path = format!("{flows}/{}", flow["id"].as_str().unwrap());
        let answer = json!({ "user_name": ADMINISTRATOR, "password": PASSWORD });
        let answer = json!({ "provider": "password", "answer": answer });
        let done = self.post(connection, &path, None, &answer, 200).await;
        done["session"]["token"].as_str().unwrap().to_owned()
    }

    async fn post(
        &self,
        connection: &mut Async,
        path: &str,
        token: Option<&str>,
        body: &Value,
        wanted: u16,
    ) -> Value {
        let request = post(&self.host, path, token, body);
        let status = connection.ask(&request).await.unwrap();
        let said = String::from_utf8_lossy(connection.body());
        assert_eq!(status, wanted, "{path}: {said}");
        serde_json::from_str(&said).unwrap_or_default()
    }
}

impl Place {
    fn new(binary: &Path, kind: Kind, queue: Option<usize>) -> Self {
        let root = tempfile::Builder::new().prefix("gatelodge-load-").tempdir();
        let place = Self {
            binary: binary.to_owned(),
            root: root.unwrap(),
            postgres: (kind == Kind::Postgres).then(Postgres::start),
        };
        let queue = queue.map_or(String::new(), |queue| {
            format!("[[providers]]\nid = \"password\"\nkind = \"password\"\nqueue = {queue}\n")
        });
        fs::write(
            place.file("gatelodge.toml"),
            format!("{CONFIGURATION}{queue}"),
        )
        .unwrap();
        if place.postgres.is_some() {
            let key = STANDARD.encode(Environment::system().bytes::<32>());
            let mut private = OpenOptions::new();
            private.write(true).create_new(true).mode(0o600);
            let mut file = private.open(place.file("master.key")).unwrap();
            file.write_all(key.as_bytes()).unwrap();
        }
        place
    }

    fn file(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Starts the server; answers it and how long it took until it was ready.
    async fn start(&self) -> (Running, Duration) {
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GATELODGE_") {
                command.env_remove(name);
            }
        }
        command.current_dir(self.root.path());
        command.arg("--data-dir").arg(self.file("data"));
        command.arg("--config").arg(self.file("gatelodge.toml"));
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        if let Some(postgres) = &self.postgres {
            command
                .env("GATELODGE_STORAGE__URL", &postgres.url)
                .env("GATELODGE_STORAGE__OWNER_URL", &postgres.owner_url)
                .env("GATELODGE_KEYS__MASTER_KEY_FILE", self.file("master.key"));
        }
        let log = fs::File::create(self.file("server.log")).unwrap();
        command.stdout(Stdio::piped()).stderr(log);
        let begun = Instant::now();
        let mut process = Process::start(&mut command);
        let mut announced = String::new();
        let stdout = process.child().stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut announced).unwrap();
        let log = || fs::read_to_string(self.file("server.log")).unwrap_or_default();
        let Some((_, at)) = announced.split_once("http://") else {
            panic!("the server did not start:\n{}", log());
        };
        let host = at.split(['/', '\n']).next().unwrap().to_owned();
        let address = host.replace("localhost", "127.0.0.1").parse().unwrap();
        wait_until_ready(address, &host, begun).await;
        let took = begun.elapsed();
        let running = Running {
            process,
            address,
            host,
            announced,
        };
        (running, took)
    }

    async fn open(&self) -> Arc<dyn Storage> {
        match &self.postgres {
            None => {
                let config = SqliteConfig::at(self.file("data/gatelodge.db"));
                Arc::new(SqliteStorage::open(config).await.unwrap())
            }
            Some(postgres) => {
                let mut config = PostgresConfig::at(&postgres.url);
                config.owner_url = Some(postgres.owner_url.clone());
                config.acquire_timeout_ms = 60_000;
                Arc::new(PostgresStorage::open(config).await.unwrap())
            }
        }
    }
}

async fn wait_until_ready(address: SocketAddr, host: &str, begun: Instant) {
    let ready = get(host, "/readyz", None);
    while begun.elapsed() < PATIENCE {
        if let Ok(mut connection) = Async::open(address).await
            && matches!(connection.ask(&ready).await, Ok(200))
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("the server was never ready");
}

impl Postgres {
    /// A server of its own, as durable as out of the box, with one account that owns and one that serves.
    fn start() -> Self {
        let server = PostgresServer::start();
        server.sql(
            "CREATE ROLE house_owner LOGIN CREATEROLE PASSWORD 'owns';
             CREATE ROLE house_serving LOGIN NOINHERIT PASSWORD 'serves';
             ALTER DATABASE postgres OWNER TO house_owner",
        );
        Self {
            owner_url: server.url_as("house_owner", "owns"),
            url: server.url_as("house_serving", "serves"),
            server,
        }
    }
}
