//! A server of a test's own.

use std::{net::SocketAddr, path::Path, process::Child};

use rustix::process::Signal;

use crate::{
    cluster::{self, Cluster, MAINTENANCE, SUPERUSER},
    folder::Folder,
    ports, run_sql,
    url::Url,
    wait,
};

/// A server that one test stops, kills and starts again, as durable as Postgres is out of the box. It takes a second or
/// two to make: what needs a database only, wants a [`crate::Database`].
///
/// It is gone when this is dropped.
#[derive(Debug)]
pub struct Server {
    folder: Folder,
    cluster: Cluster,
    process: Option<Child>,
    port: u16,
    password: String,
}

impl Server {
    /// Makes one and starts it.
    pub fn start() -> Self {
        Self::start_in_folder(Folder::new())
    }

    /// The same with its data below `parent`, such as on a disk that is small. Every account must be able to pass through
    /// it.
    pub fn start_in(parent: &Path) -> Self {
        let parent = parent.canonicalize().unwrap();
        Self::start_in_folder(Folder::within(&parent))
    }

    fn start_in_folder(folder: Folder) -> Self {
        let password = ports::password();
        let cluster = Cluster::create(folder.path(), &password, "");
        let (process, port) = cluster.start();
        Self {
            folder,
            cluster,
            process: Some(process),
            port,
            password,
        }
    }

    /// The URL of its database `postgres` for the superuser; the same after it was started again.
    pub fn url(&self) -> String {
        self.url_as(SUPERUSER, &self.password)
    }

    /// The URL for somebody else.
    pub fn url_as(&self, user: &str, password: &str) -> String {
        Url::local(self.port, user, password, MAINTENANCE).to_string()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        ports::local(self.port)
    }

    /// Runs SQL as the superuser, see [`run_sql`]. Panics if that fails.
    pub fn sql(&self, sql: &str) -> String {
        self.try_sql(sql)
            .unwrap_or_else(|said| panic!("`{sql}` failed: {said}"))
    }

    /// The same for SQL that may fail.
    ///
    /// # Errors
    /// See [`run_sql`].
    pub fn try_sql(&self, sql: &str) -> Result<String, String> {
        run_sql(&self.url(), sql)
    }

    /// What it wrote into its log.
    pub fn logged(&self) -> String {
        self.cluster.logged()
    }

    /// Stops it in order: clients are sent away, what is not committed is rolled back ("fast shutdown").
    pub fn stop(&mut self) {
        self.end(Signal::INT);
    }

    /// Stops it at once; it recovers from its log when it is started again ("immediate shutdown").
    pub fn stop_immediate(&mut self) {
        self.end(Signal::QUIT);
    }

    /// Kills all its processes, as the end of its machine would. They tell their clients nothing.
    pub fn kill(&mut self) {
        self.cluster.kill(self.process.take().expect(STOPPED));
    }

    /// Starts it with the same data on the same port, and waits until it answers.
    pub fn start_again(&mut self) {
        assert!(self.process.is_none(), "the server runs");
        let mut said = String::new();
        let process = wait::until_some(|| {
            // What was killed may hold on to port and memory for a moment.
            self.cluster
                .start_on(self.port)
                .map_err(|error| said = error)
                .ok()
        });
        assert!(process.is_some(), "Postgres does not start again: {said}");
        self.process = process;
    }

    fn end(&mut self, signal: Signal) {
        let mut process = self.process.take().expect(STOPPED);
        cluster::signal(process.id(), signal);
        let status = wait::until_some(|| process.try_wait().unwrap());
        assert!(
            status.is_some(),
            "Postgres does not stop: {}",
            self.logged()
        );
    }
}

const STOPPED: &str = "the server was stopped already";

impl Drop for Server {
    fn drop(&mut self) {
        self.folder.clear();
        if let Some(process) = &mut self.process {
            process.wait().ok();
        }
    }
}
