//! The one server that all test processes of a user share.
//!
//! Everything is in `<folder for temporary files>/gatelodge-postgres-<user's number>`:
//!
//! | file | what | locked by |
//! |---|---|---|
//! | `gate` | the way in and out; who holds it is alone | who comes, until the server is found or started; the watchdog while it stops the server |
//! | `users` | who needs the server | every process that came, shared, until it ends |
//! | `watchdog` | whether there is a watchdog | the watchdog, until it ends |
//! | `state` | where the server is, once it answers | |
//! | `server-…/` | the data of the server | |
//!
//! Kernel locks end with their holder, so a process may be killed at any point:
//!
//! * who comes checks, behind the gate, that there is a watchdog and that the server of `state` runs, and makes good for
//!   what is not so: a started server without a `state`, half of a data folder or the rests of a machine that went down
//!   are cleared away first;
//! * the watchdog is there before the first step of starting a server, and takes over its lock from whoever starts it:
//!   at no moment is there a server without a lock that says who will stop it;
//! * who waited at the gate of a folder that the watchdog removed in the meantime finds that the gate is not the one at
//!   that path any more, and begins again.

use std::{
    env,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::{
        DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
    },
    path::{Path, PathBuf},
    sync::OnceLock,
};

use rustix::{
    fs::{FlockOperation, flock},
    io::retry_on_intr,
    process::geteuid,
};

use crate::{
    cluster::{Cluster, write_private},
    folder::{self, EVICT},
    ports, programs, wait,
};

/// The environment variable that says for how many seconds the shared server stays when nobody needs it; ten if unset.
/// It counts for who starts the watchdog.
pub const LINGER_VARIABLE: &str = "TEST_POSTGRES_LINGER";
const LINGER: u32 = 10;

const WATCHDOG: &str = include_str!("watchdog.sh");
/// What the name of a server's folder starts with; `watchdog.sh` knows it too.
const SERVER: &str = "server-";
/// Fast rather than durable: no data outlives the machine anyway. Dropping a database waits for every connection that is
/// just being opened, and a test that drops one may be the very one that opens another: hence the short time for that.
const SETTINGS: &str = "
fsync = off
full_page_writes = off
synchronous_commit = off
max_connections = 500
authentication_timeout = 5s
shared_buffers = 128MB
";

/// The shared server, for as long as this process lives.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) port: u16,
    pub(crate) password: String,
    /// Holds the lock.
    _present: File,
}

/// Finds the server, or starts it.
pub(crate) fn server() -> &'static Shared {
    static SERVER: OnceLock<Shared> = OnceLock::new();
    SERVER.get_or_init(|| {
        let place = Place::enter();
        let present = place.open("users").unwrap();
        lock(&present, FlockOperation::LockShared).unwrap();
        place.watch();
        let state = place.running().unwrap_or_else(|| place.start());
        Shared {
            port: state.port,
            password: state.password,
            _present: present,
        }
    })
}

/// The folder of everything, with the gate closed behind us until this is dropped.
struct Place {
    path: PathBuf,
    _gate: File,
}

/// Where a server is.
struct State {
    folder: PathBuf,
    port: u16,
    password: String,
}

impl Place {
    fn enter() -> Self {
        let path = folder::temporary().join(format!("gatelodge-postgres-{}", geteuid().as_raw()));
        let place = wait::until_some(|| {
            make_private_folder(&path);
            let gate = open(&path.join("gate")).ok()?;
            lock(&gate, FlockOperation::LockExclusive).unwrap();
            // Who left last may have taken the folder away while we waited.
            let is_there = is_at(&gate, &path.join("gate"));
            is_there.then_some(gate)
        });
        Self {
            _gate: place.unwrap_or_else(|| panic!("`{}` cannot be entered", path.display())),
            path,
        }
    }

    fn open(&self, name: &str) -> io::Result<File> {
        open(&self.path.join(name))
    }

    /// Makes sure that there is a watchdog.
    #[expect(
        clippy::zombie_processes,
        reason = "it outlives this process, which is what it is for"
    )]
    fn watch(&self) {
        let locked = self.open("watchdog").unwrap();
        if lock(&locked, FlockOperation::NonBlockingLockExclusive).is_err() {
            return;
        }
        folder::script(&[EVICT, WATCHDOG], "watchdog")
            .arg(&self.path)
            .arg(linger().to_string())
            .stdin(locked)
            .spawn()
            .unwrap();
    }

    /// The server, if there is one that runs.
    fn running(&self) -> Option<State> {
        let text = fs::read_to_string(self.path.join("state")).ok()?;
        let mut lines = text.lines();
        let state = State {
            folder: self.path.join(lines.next()?),
            port: lines.next()?.parse().ok()?,
            password: lines.next()?.to_owned(),
        };
        let runs = Cluster::at(&state.folder).is_running_on(state.port);
        runs.then_some(state)
    }

    /// Starts a server.
    fn start(&self) -> State {
        self.clear();
        let folder = folder::private(&self.path, SERVER).keep();
        programs::give(&folder);
        let password = ports::password();
        let cluster = Cluster::create(&folder, &password, SETTINGS);
        // The process stays, whatever becomes of us.
        let (_, port) = cluster.start();
        let state = State {
            folder,
            port,
            password,
        };
        self.note(&state);
        state
    }

    /// Clears away what was left of a start that was not finished, or of a server that ended.
    fn clear(&self) {
        for entry in fs::read_dir(&self.path).unwrap().flatten() {
            if entry.file_name().to_string_lossy().starts_with(SERVER) {
                folder::script(&[EVICT, "evict \"$1\""], "evict")
                    .arg(entry.path())
                    .status()
                    .unwrap();
            }
        }
    }

    /// Says where the server is, all at once.
    fn note(&self, state: &State) {
        let name = state.folder.file_name().unwrap().to_string_lossy();
        let new = self.path.join("state.new");
        write_private(
            &new,
            &format!("{name}\n{}\n{}\n", state.port, state.password),
        );
        fs::rename(new, self.path.join("state")).unwrap();
    }
}

/// Makes the folder unless it is there; panics if it is somebody else's, who could make us run what they want.
fn make_private_folder(path: &Path) {
    // The account that stands in for root has to get through to its data.
    let mode = if programs::is_root() { 0o711 } else { 0o700 };
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => {
            // It may be gone again already; then the caller tries again.
            fs::set_permissions(path, Permissions::from_mode(mode)).ok();
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => panic!("`{}` cannot be made: {error}", path.display()),
    }
    let Ok(found) = fs::symlink_metadata(path) else {
        return;
    };
    let is_ours = found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o022 == 0;
    assert!(
        is_ours,
        "`{}` is not a folder that only we can write to; remove it",
        path.display()
    );
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

fn lock(file: &File, operation: FlockOperation) -> rustix::io::Result<()> {
    retry_on_intr(|| flock(file, operation))
}

/// Whether the file at `path` is this one.
fn is_at(file: &File, path: &Path) -> bool {
    let found = fs::metadata(path);
    let own = file.metadata().unwrap();
    found.is_ok_and(|found| (found.dev(), found.ino()) == (own.dev(), own.ino()))
}

fn linger() -> u32 {
    let Some(text) = env::var_os(LINGER_VARIABLE) else {
        return LINGER;
    };
    let seconds = text.to_str().and_then(|text| text.parse().ok());
    seconds.unwrap_or_else(|| panic!("`{LINGER_VARIABLE}` is not a number of seconds"))
}
