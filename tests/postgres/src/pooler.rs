//! pgbouncer in front of a database.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::Path,
    process::Child,
};

use crate::{cluster::write_private, folder::Folder, ports, programs, url::Url, wait};

/// How many connections to the server it opens, for each database and user.
const POOL_SIZE: u32 = 5;
/// The first release that knows prepared statements. It has a setting for them, which older ones refuse.
const KNOWS_PREPARED_STATEMENTS: (u32, u32) = (1, 21);
/// What it logs when it listens.
const LISTENS: &str = "process up";

/// For how long a client keeps a connection to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolMode {
    /// For a transaction: what belongs to a session (`SET`, `LISTEN`, prepared statements) does not work.
    Transaction,
    /// Until it leaves.
    Session,
}

/// pgbouncer with five connections to the server for each database and user, without support for prepared statements. It
/// is gone when this is dropped.
///
/// The user of the target's URL logs in with the password there. If that is a superuser, so can everybody else.
#[derive(Debug)]
pub struct Pooler {
    folder: Folder,
    process: Child,
    port: u16,
    target: Url,
}

impl Pooler {
    /// Starts one in front of the database behind a URL and waits until it listens.
    pub fn start(target: &str, mode: PoolMode) -> Self {
        let target = Url::of(target);
        let folder = Folder::new();
        loop {
            let port = ports::free_port();
            configure(folder.path(), &target, mode, port);
            match listen(folder.path()) {
                Ok(process) => {
                    return Self {
                        folder,
                        process,
                        port,
                        target,
                    };
                }
                Err(said) if said.contains("in use") => {}
                Err(said) => panic!("pgbouncer does not start: {said}"),
            }
        }
    }

    /// The target's URL through the pooler.
    pub fn url(&self) -> String {
        self.target.clone().through(self.port).to_string()
    }

    /// The URL for somebody else.
    pub fn url_as(&self, user: &str, password: &str) -> String {
        let url = self.target.clone().through(self.port);
        url.of_user(user, password).to_string()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        ports::local(self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
        self.folder.clear();
    }
}

fn configure(folder: &Path, target: &Url, mode: PoolMode, port: u16) {
    let users = folder.join("users");
    let mode = match mode {
        PoolMode::Transaction => "transaction",
        PoolMode::Session => "session",
    };
    let known = programs::version(&programs::pgbouncer());
    let prepared = match known {
        Some(version) if version >= KNOWS_PREPARED_STATEMENTS => "max_prepared_statements = 0",
        _ => "",
    };
    let text = format!(
        "[databases]
* = host={host} port={target_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
auth_user = {user}
pool_mode = {mode}
default_pool_size = {POOL_SIZE}
max_client_conn = 500
server_login_retry = 1
ignore_startup_parameters = extra_float_digits,options
{prepared}
",
        host = target.host,
        target_port = target.port,
        users = users.display(),
        user = target.user,
    );
    let [user, password] = [&target.user, &target.password].map(|part| part.replace('"', "\"\""));
    for (path, text) in [
        (users, format!("\"{user}\" \"{password}\"\n")),
        (folder.join("ini"), text),
    ] {
        write_private(&path, &text);
        programs::give(&path);
    }
}

/// Starts it and waits until it listens; answers what it said if it ended instead.
fn listen(folder: &Path) -> Result<Child, String> {
    let path = folder.join("log");
    let log = File::create(&path).unwrap();
    let mut process = programs::as_server(&programs::pgbouncer(), folder)
        .arg(folder.join("ini"))
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let said = || String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
    let listens = wait::until_some(|| {
        let has_ended = process.try_wait().unwrap().is_some();
        (has_ended || said().contains(LISTENS)).then_some(!has_ended)
    });
    if listens == Some(true) {
        return Ok(process);
    }
    process.kill().ok();
    process.wait().ok();
    Err(said())
}
