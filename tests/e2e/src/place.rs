//! A temporary folder with a configuration, and the binary run in it.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU32, Ordering},
};

use tempfile::TempDir;
use tokio::{io::AsyncWriteExt as _, process::Command, time::timeout};

use crate::{
    secrets::Secrets,
    server::Server,
    storage::{Postgres, Storage},
    wait::PATIENCE,
};

/// The folder of one test: `data` for the server, `gatelodge.toml` if there is a configuration, `master.key` if the data
/// is on Postgres, and logs.
#[derive(Debug)]
pub struct Place {
    root: TempDir,
    storage: Storage,
    has_config: bool,
    secrets: Secrets,
    starts: AtomicU32,
}

/// The environment variable with the binary to run, in the place of the one that was built beside the tests.
pub const BINARY_VARIABLE: &str = "E2E_BINARY";

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
    /// How many files and connections it may have open.
    pub open_files: Option<u32>,
    /// Further variables of its environment.
    pub variables: Vec<(&'static str, String)>,
    /// Whether `--data-dir` and `--listen` are left out.
    pub bare: bool,
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

impl Place {
    /// An empty one without a configuration, on the storage that this run is about.
    pub fn new() -> Self {
        Self::on(Storage::of_this_run())
    }

    /// An empty one with the embedded database.
    pub fn embedded() -> Self {
        Self::on(Storage::Embedded)
    }

    /// An empty one without a configuration.
    pub fn on(storage: Storage) -> Self {
        let root = tempfile::Builder::new()
            .prefix("gatelodge-e2e-")
            .tempdir()
            .unwrap();
        fs::create_dir(root.path().join(TEMPORARY)).unwrap();
        let place = Self {
            root,
            storage,
            has_config: false,
            secrets: Secrets::default(),
            starts: AtomicU32::new(0),
        };
        if let Some(postgres) = place.postgres() {
            write_private(&place.master_key_file(), postgres.master_key());
            for secret in postgres.secrets() {
                place.secrets.keep(&secret);
            }
        }
        place
    }

    /// One with this configuration, on the storage that this run is about.
    pub fn with_config(text: &str) -> Self {
        Self::new().configured(text)
    }

    /// The same with this configuration.
    pub fn configured(mut self, text: &str) -> Self {
        self.has_config = true;
        self.configure(text);
        self
    }

    /// An empty one for another node: with the same configuration and secrets, on a storage that is to be the same.
    pub fn beside(&self, storage: Storage) -> Self {
        let mut place = Self::on(storage);
        for secret in place
            .postgres()
            .iter()
            .flat_map(|postgres| postgres.secrets())
        {
            self.secrets.keep(&secret);
        }
        place.secrets = self.secrets.clone();
        if self.has_config {
            place = place.configured(&fs::read_to_string(self.config()).unwrap());
        }
        place
    }

    /// Where the data is, if it is on Postgres.
    pub fn postgres(&self) -> Option<&Postgres> {
        match &self.storage {
            Storage::Embedded => None,
            Storage::Postgres(postgres) => Some(postgres),
        }
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

    /// All mails so far, the oldest first: head and text, and HTML after it, decoded (RFC 2045 section 6.7). Without a
    /// `[mail]` they lie in the data folder, since the origin is this machine.
    pub fn mails(&self) -> Vec<String> {
        let Ok(folder) = fs::read_dir(self.data().join("mail")) else {
            return Vec::new();
        };
        let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|ending| ending == "eml"));
        files.sort_unstable();
        let mails = files.iter().map(|file| fs::read_to_string(file).unwrap());
        mails.map(|mail| decoded(&mail)).collect()
    }

    /// The embedded database.
    pub fn database(&self) -> PathBuf {
        self.data().join("gatelodge.db")
    }

    /// The file of the master key.
    pub fn master_key_file(&self) -> PathBuf {
        match &self.storage {
            Storage::Embedded => self.data().join("master.key"),
            Storage::Postgres(_) => self.root().join("master.key"),
        }
    }

    /// Puts a master key in its place.
    pub fn put_master_key(&self, key: &str) {
        let file = self.master_key_file();
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::remove_file(&file).ok();
        write_private(&file, key);
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

    /// Runs a command and kills it, as a loss of power would, as soon as `moment` has come; answers whether it had not
    /// ended by then.
    pub async fn kills(&self, arguments: &[&str], moment: impl Future<Output = ()>) -> bool {
        let mut command = gatelodge();
        self.point(&mut command);
        self.at_home(&mut command);
        command.args(arguments);
        let mut command = Command::from(command);
        command.stdin(Stdio::null()).kill_on_drop(true);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let ended = tokio::select! {
            _ = child.wait() => true,
            () = moment => false,
        };
        if !ended {
            child.kill().await.unwrap();
        }
        !ended
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
        let limits = [
            start
                .file_limit_kib
                .map(|limit| format!("trap '' XFSZ; ulimit -f {limit}; ")),
            start.open_files.map(|limit| format!("ulimit -n {limit}; ")),
        ];
        let limits: String = limits.into_iter().flatten().collect();
        let mut command = if limits.is_empty() {
            gatelodge()
        } else {
            limited(&limits)
        };
        command.envs(start.variables.iter().map(|(name, value)| (name, value)));
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
        if let Some(postgres) = self.postgres() {
            command
                .envs(postgres.variables())
                .env("GATELODGE_KEYS__MASTER_KEY_FILE", self.master_key_file());
        }
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

/// Undoes quoted-printable (RFC 2045 section 6.7).
pub fn decoded(mail: &str) -> String {
    let mut bytes = Vec::new();
    let mail = mail.replace("=\r\n", "");
    let mut pieces = mail.split('=');
    bytes.extend_from_slice(pieces.next().unwrap_or_default().as_bytes());
    for piece in pieces {
        let code = piece.get(..2);
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(&piece.as_bytes()[2..]);
            }
            None => {
                bytes.push(b'=');
                bytes.extend_from_slice(piece.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A file for its owner alone.
fn write_private(path: &Path, text: &str) {
    let file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    file.unwrap().write_all(text.as_bytes()).unwrap();
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

/// The binary where a shell set limits before. Where files cannot grow, writing beyond answers an error, as on a full
/// disk.
fn limited(limits: &str) -> std::process::Command {
    let mut command = without_own_variables(std::process::Command::new("bash"));
    let script = format!("{limits}exec \"$@\"");
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

/// The binary lies beside whoever asks, or above if that is a test: `<target>/debug/deps/e2e-…`,
/// `<target>/debug/gatelodge`.
fn binary() -> PathBuf {
    if let Some(binary) = std::env::var_os(BINARY_VARIABLE) {
        return binary.into();
    }
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().unwrap();
    let folder = match folder.ends_with("deps") {
        true => folder.parent().unwrap(),
        false => folder,
    };
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

    /// Checks that it was refused with these words; answers everything that it said.
    pub fn refused(self, said: &[&str]) -> String {
        assert_eq!(self.code, Some(1), "{self:?}");
        for part in said {
            assert!(self.stderr.contains(part), "`{part}` is not said: {self:?}");
        }
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        self.stderr
    }

    /// What it printed, as JSON.
    pub fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.succeeded()).unwrap()
    }
}
