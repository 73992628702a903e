//! The data of a server, and the process that serves it.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::Child,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{ports, programs, wait};

/// The superuser.
pub(crate) const SUPERUSER: &str = "postgres";
/// The database that is always there.
pub(crate) const MAINTENANCE: &str = "postgres";

/// What every server is told. No sockets in the file system, since their paths may be short only; shared memory in the
/// data folder, where it cannot be left behind; nobody's own time zone.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
dynamic_shared_memory_type = mmap
timezone = 'Asia/Kathmandu'
log_timezone = 'UTC'
";
/// What Postgres says when somebody else has the port.
const PORT_IS_TAKEN: &str = "could not create any TCP/IP sockets";

/// A folder with `data` and `log`.
#[derive(Debug)]
pub(crate) struct Cluster {
    folder: PathBuf,
}

impl Cluster {
    /// Makes the data in an empty folder that belongs to the servers' account.
    pub(crate) fn create(folder: &Path, password: &str, settings: &str) -> Self {
        let cluster = Self::at(folder);
        let note = folder.join("password");
        write_private(&note, password);
        programs::give(&note);
        let initdb = programs::postgres("initdb");
        let output = programs::as_server(&initdb, folder)
            .args(["--username", SUPERUSER, "--auth", "scram-sha-256"])
            .args(["--encoding", "UTF8", "--locale", "C"])
            .args(["--locale-provider", "icu", "--icu-locale", "en-US"])
            .args(["--no-sync", "--no-instructions"])
            .arg("--pwfile")
            .arg(&note)
            .arg("--pgdata")
            .arg(cluster.data())
            .output()
            .unwrap();
        fs::remove_file(&note).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "initdb failed: {said}");
        OpenOptions::new()
            .append(true)
            .open(cluster.data().join("postgresql.conf"))
            .and_then(|mut file| write!(file, "{SETTINGS}{settings}"))
            .unwrap();
        cluster
    }

    /// The one that was made in a folder.
    pub(crate) fn at(folder: &Path) -> Self {
        let folder = folder.to_owned();
        Self { folder }
    }

    /// Starts the server on a free port and waits until it answers.
    pub(crate) fn start(&self) -> (Child, u16) {
        loop {
            let port = ports::free_port();
            match self.start_on(port) {
                Ok(process) => return (process, port),
                Err(said) if said.contains(PORT_IS_TAKEN) => {}
                Err(said) => panic!("Postgres does not start: {said}"),
            }
        }
    }

    /// The same on this port; answers what the server said if it ended instead.
    pub(crate) fn start_on(&self, port: u16) -> Result<Child, String> {
        let log = self.log();
        let begin = log.metadata().unwrap().len();
        let mut process = programs::as_server(&programs::postgres("postgres"), &self.folder)
            .arg("-D")
            .arg(self.data())
            .args(["-p", &port.to_string()])
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let is_ready = wait::until_some(|| {
            let note = Note::of(&self.data());
            if note.is_some_and(|note| note.process == process.id() && note.is_ready) {
                return Some(true);
            }
            process.try_wait().unwrap().map(|_| false)
        });
        if is_ready == Some(true) {
            return Ok(process);
        }
        process.kill().ok();
        process.wait().ok();
        Err(self.logged_since(begin))
    }

    /// Whether a server with this data answers on `port`.
    pub(crate) fn is_running_on(&self, port: u16) -> bool {
        Note::of(&self.data()).is_some_and(|note| {
            note.is_ready && note.port == port && self.processes().contains(&note.process)
        })
    }

    /// Kills every process of the server, as the end of its machine would.
    pub(crate) fn kill(&self, mut process: Child) {
        process.kill().unwrap();
        process.wait().unwrap();
        let are_gone = wait::until_some(|| {
            let left = self.processes();
            for process in &left {
                signal(*process, Signal::KILL);
            }
            left.is_empty().then_some(())
        });
        are_gone.expect("a process of Postgres cannot be killed");
    }

    /// What the server wrote into its log.
    pub(crate) fn logged(&self) -> String {
        self.logged_since(0)
    }

    /// The server and its children: all of them work in the data folder. Zombies are none of them.
    fn processes(&self) -> Vec<u32> {
        let data = self.data();
        let entries = fs::read_dir("/proc").unwrap().flatten();
        entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|process: &u32| {
                fs::read_link(format!("/proc/{process}/cwd")).is_ok_and(|folder| folder == data)
            })
            .collect()
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log(&self) -> File {
        OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(self.folder.join("log"))
            .unwrap()
    }

    fn logged_since(&self, begin: u64) -> String {
        let mut log = self.log();
        let mut text = Vec::new();
        log.seek(SeekFrom::Start(begin)).unwrap();
        log.read_to_end(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// Sends a signal to a process that may be gone.
pub(crate) fn signal(process: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw) {
        kill_process(pid, signal).ok();
    }
}

/// Writes a file that nobody else may read.
pub(crate) fn write_private(path: &Path, text: &str) {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .unwrap();
}

/// What a server keeps in `postmaster.pid`.
struct Note {
    process: u32,
    port: u16,
    is_ready: bool,
}

impl Note {
    /// `None` while there is none, or not all of it.
    fn of(data: &Path) -> Option<Self> {
        let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let mut lines = text.lines();
        let process = lines.next()?.trim().parse().ok()?;
        let port = lines.nth(2)?.trim().parse().ok()?;
        let is_ready = lines.nth(3)?.trim() == "ready";
        Some(Self {
            process,
            port,
            is_ready,
        })
    }
}
