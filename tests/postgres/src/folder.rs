//! The folder of a server that one test has for itself, cleared up however the test ends.

use std::{
    env,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use tempfile::TempDir;

use crate::programs;

/// The environment variable with the folder that servers keep their data in, in the place of the system's one for
/// temporary files. A database is some 300 files: where making one takes a millisecond, memory (`/dev/shm`) is a lot
/// faster than a disk.
pub const FOLDER_VARIABLE: &str = "TEST_POSTGRES_FOLDER";

/// What ends the servers in a folder and removes it.
pub(crate) const EVICT: &str = include_str!("evict.sh");
const GUARD: &str = include_str!("guard.sh");

/// A temporary folder that belongs to the account servers run as. A guard beside the test waits for it to end; then it
/// kills what works in the folder, and removes it.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    guard: Child,
    line: Option<ChildStdin>,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self::within(&temporary())
    }

    /// One in a folder that every account may pass through.
    pub(crate) fn within(parent: &Path) -> Self {
        let folder = private(parent, "gatelodge-postgres-");
        let mut guard = script(&[EVICT, GUARD], "guard")
            .arg(folder.path())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let line = guard.stdin.take();
        // From here on the guard removes it.
        let path = folder.keep();
        programs::give(&path);
        Self { path, guard, line }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Ends what is in it and removes it, now.
    pub(crate) fn clear(&mut self) {
        self.line = None;
        self.guard.wait().ok();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A new folder that only its owner can look into.
pub(crate) fn private(parent: &Path, prefix: &str) -> TempDir {
    tempfile::Builder::new()
        .prefix(prefix)
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(parent)
        .unwrap()
}

/// The folder for temporary files, by the name that the kernel knows it under.
pub(crate) fn temporary() -> PathBuf {
    let folder = env::var_os(FOLDER_VARIABLE).map_or_else(env::temp_dir, PathBuf::from);
    fs::canonicalize(&folder).unwrap_or_else(|error| panic!("`{}`: {error}", folder.display()))
}

/// A shell script called `name`, outside of every folder that it could have to clear, and silent: nobody who waits for
/// the end of a test's output is to wait for it.
pub(crate) fn script(parts: &[&str], name: &str) -> Command {
    let mut command = programs::plain(Path::new("sh"));
    programs::apart(&mut command);
    command
        .arg("-c")
        .arg(parts.concat())
        .arg(name)
        .current_dir("/")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}
