//! A temporary folder with a configuration, and the binary run in it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU32, Ordering},
};

use tempfile::TempDir;
use tokio::{io::AsyncWriteExt as _, process::Command, time::timeout};

use crate::{secrets::Secrets, server::Server, wait::PATIENCE};

/// The folder of one test: `data` for the server, `gatelodge.toml` if there is a configuration, and logs.
#[derive(Debug)]
pub struct Place {
    root: TempDir,
    has_config: bool,
    secrets: Secrets,
    starts: AtomicU32,
}

/// Where the binary is told to put temporary files.
const TEMPORARY: &str = "tmp";

/// A command that has ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said beside that.
    pub stderr: String,
}

/// How the binary is started.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// Further arguments of `serve`.
    pub arguments: Vec<String>,
    /// Whether no file may grow beyond this many KiB, as on a disk that is full.
    pub file_limit_kib: Option<u32>,
    /// Whether `--data-dir` and `--listen` are left out.
    pub bare: bool,
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

impl Place {
    /// An empty one without a configuration.
    pub fn new() -> Self {
        let root = tempfile::Builder::new()
            .prefix("gatelodge-e2e-")
            .tempdir()
            .unwrap();
        fs::create_dir(root.path().join(TEMPORARY)).unwrap();
        Self {
            root,
            has_config: false,
            secrets: Secrets::default(),
            starts: AtomicU32::new(0),
        }
    }

    /// One with this configuration.
    pub fn with_config(text: &str) -> Self {
        let place = Self {
            has_config: true,
            ..Self::new()
        };
        place.configure(text);
        place
    }

    /// Replaces the configuration, of a place that has one.
    pub fn configure(&self, text: &str) {
        assert!(
            self.has_config,
            "this place was made without a configuration"
        );
        fs::write(self.config(), text).unwrap();
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.root().join("gatelodge.toml")
    }

    /// The folder for temporary files.
    pub fn temporary(&self) -> PathBuf {
        self.root().join(TEMPORARY)
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.data().join("gatelodge.db")
    }

    /// What no log may hold.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Starts the server and waits until it says where it serves.
    pub async fn serve(&self) -> Server {
        self.serve_with(Start::default()).await
    }

    /// The same, started in another way.
    pub async fn serve_with(&self, start: Start) -> Server {
        let number = self.starts.fetch_add(1, Ordering::Relaxed);
        let log = self.root().join(format!("server-{number}.log"));
        Server::start(self.serve_command(&start), log, self.secrets.clone()).await
    }

    /// Starts a server that is to refuse, and waits until it has ended.
    pub async fn refused(&self, start: Start) -> Finished {
        self.finish(Command::from(self.serve_command(&start)), "")
            .await
    }

    /// Runs a command such as `user list`.
    pub async fn run(&self, arguments: &[&str]) -> Finished {
        self.run_with_input(arguments, "").await
    }

    /// The same with something on standard input.
    pub async fn run_with_input(&self, arguments: &[&str], input: &str) -> Finished {
        let mut command = gatelodge();
        self.point(&mut command);
        self.at_home(&mut command);
        command.args(arguments);
        self.finish(Command::from(command), input).await
    }

    async fn finish(&self, mut command: Command, input: &str) -> Finished {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A command that reads nothing may be gone already.
        stdin.write_all(input.as_bytes()).await.ok();
        drop(stdin);
        let output = timeout(PATIENCE, child.wait_with_output())
            .await
            .expect("the command did not end")
            .unwrap();
        Finished {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn serve_command(&self, start: &Start) -> std::process::Command {
        let mut command = match start.file_limit_kib {
            None => gatelodge(),
            Some(limit) => limited(limit),
        };
        if !start.bare {
            self.point(&mut command);
        }
        command.arg("serve");
        let listens = start
            .arguments
            .iter()
            .any(|argument| argument == "--listen");
        if !listens && !start.bare {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.args(&start.arguments);
        self.at_home(&mut command);
        command
    }

    fn at_home(&self, command: &mut std::process::Command) {
        command
            .current_dir(self.root())
            .env("TMPDIR", self.temporary());
    }

    fn point(&self, command: &mut std::process::Command) {
        command.arg("--data-dir").arg(self.data());
        if self.has_config {
            command.arg("--config").arg(self.config());
        }
    }

    /// Every file below the folder with what it holds, but for logs, and for what SQLite leaves beside a database when
    /// a process ends without closing it: its shared memory and a log that is empty.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        collect(self.root(), &mut found);
        found.retain(|path, content| {
            let name = path.to_string_lossy();
            let left = name.ends_with("-shm") || (name.ends_with("-wal") && content.is_empty());
            !left && !name.ends_with(".log")
        });
        found
    }
}

fn collect(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.insert(path.clone(), Vec::new());
            collect(&path, found);
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
}

/// The binary, without what the surroundings say about Gatelodge.
fn gatelodge() -> std::process::Command {
    without_own_variables(std::process::Command::new(binary()))
}

/// The binary where files cannot grow: writing beyond answers an error, as on a full disk.
fn limited(kib: u32) -> std::process::Command {
    let mut command = without_own_variables(std::process::Command::new("bash"));
    let script = format!("trap '' XFSZ; ulimit -f {kib}; exec \"$@\"");
    command.args(["-c", &script, "bash"]).arg(binary());
    command
}

fn without_own_variables(mut command: std::process::Command) -> std::process::Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GATELODGE_") {
            command.env_remove(name);
        }
    }
    command
}

/// The binary lies two folders above the tests: `<target>/debug/deps/main-…`, `<target>/debug/gatelodge`.
fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap();
    let binary = folder.join("gatelodge");
    assert!(
        binary.is_file(),
        "there is no binary at `{}`; build it with `cargo build -p gatelodge-server`, or run everything by tests/run",
        binary.display()
    );
    binary
}

impl Start {
    /// With further arguments.
    pub fn with(arguments: &[&str]) -> Self {
        Self {
            arguments: arguments
                .iter()
                .map(|argument| (*argument).to_owned())
                .collect(),
            ..Self::default()
        }
    }
}

impl Finished {
    /// Checks that it succeeded; answers what it printed.
    pub fn succeeded(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// What it printed, as JSON.
    pub fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.succeeded()).unwrap()
    }
}
