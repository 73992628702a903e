//! How servers live and end, with processes that come, go and are killed, each test in a world of its own.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use gatelodge_postgres::{FOLDER_VARIABLE, LINGER_VARIABLE, run_sql};

use crate::session::until;

/// A folder that nobody else uses, so with a shared server of its own.
struct World {
    folder: tempfile::TempDir,
    linger: u32,
}

/// A process that makes a database.
struct User {
    process: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl World {
    fn new(linger: u32) -> Self {
        let parent = std::env::var_os(FOLDER_VARIABLE);
        let parent = parent.map_or_else(std::env::temp_dir, PathBuf::from);
        let folder = tempfile::Builder::new()
            .prefix("gatelodge-world-")
            .tempdir_in(parent)
            .unwrap();
        // The account that stands in for root goes through it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
        Self { folder, linger }
    }

    fn user(&self) -> User {
        self.run(&[])
    }

    fn run(&self, arguments: &[&str]) -> User {
        let mut process = Command::new(env!("CARGO_BIN_EXE_gatelodge-postgres"))
            .args(arguments)
            .env(FOLDER_VARIABLE, self.folder.path())
            .env(LINGER_VARIABLE, self.linger.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = process.stdin.take();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        User {
            process,
            stdin,
            stdout,
        }
    }

    /// The folder of everything.
    fn place(&self) -> Option<PathBuf> {
        self.entries(self.folder.path()).pop()
    }

    /// The folders of servers, of which there is one at most.
    fn servers(&self) -> Vec<PathBuf> {
        let all = self.place().map(|place| self.entries(&place));
        let mut all = all.unwrap_or_default();
        all.retain(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with("server-")
        });
        all
    }

    fn entries(&self, folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }

    /// The processes that have to do with this world, whose path is in what they were started with.
    fn processes(&self) -> Vec<(u32, String)> {
        let folder = self.folder.path().to_string_lossy().into_owned();
        let all = fs::read_dir("/proc").unwrap().flatten();
        all.filter_map(|entry| {
            let process = entry.file_name().to_str()?.parse().ok()?;
            let words = fs::read(entry.path().join("cmdline")).ok()?;
            let words = String::from_utf8_lossy(&words).into_owned();
            words.contains(&folder).then_some((process, words))
        })
        .collect()
    }

    /// Kills processes and waits until they have let go of everything.
    fn kill(&self, which: impl Fn(&str) -> bool) {
        let mut killed = self.processes();
        killed.retain(|(_, words)| which(words));
        for (process, _) in &killed {
            // One that was a child of another may be gone with it.
            let mut kill = Command::new("sh");
            kill.args(["-c", &format!("kill -KILL {process}")]);
            kill.stderr(Stdio::null()).status().unwrap();
        }
        until("the end of what was killed", || {
            killed.iter().all(|(process, _)| has_ended(*process))
        });
    }

    fn ends(&self) {
        until("the end of the server", || {
            self.place().is_none() && self.processes().is_empty()
        });
    }
}

impl User {
    /// The URL of its database.
    fn url(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn leave(mut self) {
        self.stdin = None;
        assert!(self.process.wait().unwrap().success());
    }
}

/// Host and port of a URL.
fn place_of(url: &str) -> &str {
    let rest = url.split_once('@').unwrap().1;
    rest.split_once('/').unwrap().0
}

/// Whether a process is gone, or a zombie, which holds no file and no lock any more.
fn has_ended(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/stat"));
    status.map_or(true, |status| status.contains(") Z "))
}

fn is_watchdog(words: &str) -> bool {
    words.contains("\0watchdog\0")
}

fn works(url: &str) {
    assert_eq!(run_sql(url, "SELECT 1").unwrap(), "1");
}

#[test]
fn processes_that_come_at_once_share_one_server_and_the_last_ends_it() {
    let world = World::new(0);
    let mut users: Vec<_> = (0..6).map(|_| world.user()).collect();
    let urls: Vec<_> = users.iter_mut().map(User::url).collect();
    for (at, url) in urls.iter().enumerate() {
        works(url);
        assert_eq!(place_of(url), place_of(&urls[0]));
        assert!(!urls[..at].contains(url));
    }
    assert_eq!(world.servers().len(), 1);
    users.drain(..).for_each(User::leave);
    world.ends();
}

#[test]
fn the_server_outlives_who_started_it_and_ends_when_everybody_was_killed() {
    let world = World::new(0);
    let mut starter = world.user();
    let first = starter.url();
    let mut other = world.user();
    let second = other.url();
    starter.kill();
    works(&second);
    // Longer than a watchdog that did not see the other would wait.
    thread::sleep(Duration::from_millis(500));
    works(&second);
    assert_eq!(place_of(&first), place_of(&second));
    other.kill();
    world.ends();
}

#[test]
fn the_server_stays_for_a_while_between_two_processes() {
    let world = World::new(2);
    let mut first = world.user();
    let place = first.url();
    first.leave();
    let mut second = world.user();
    assert_eq!(place_of(&second.url()), place_of(&place));
    second.leave();
    world.ends();
}

#[test]
fn who_comes_while_the_server_goes_gets_one_that_works() {
    let world = World::new(0);
    for pause in [0, 20, 60, 120] {
        let mut user = world.user();
        works(&user.url());
        user.kill();
        thread::sleep(Duration::from_millis(pause));
    }
    let mut last = world.user();
    works(&last.url());
    assert_eq!(world.servers().len(), 1);
    last.leave();
    world.ends();
}

#[test]
fn a_start_that_was_killed_in_the_middle_is_made_good_for() {
    // So that no watchdog makes good for it.
    let mut world = World::new(60);
    let exists = |file: &str| {
        let servers = world.servers();
        servers.iter().any(|server| server.join(file).exists())
    };
    for step in ["", "data/PG_VERSION", "log", "data/postmaster.pid"] {
        let starter = world.user();
        until(step, || exists(step));
        starter.kill();
    }
    let mut user = world.user();
    works(&user.url());
    assert_eq!(world.servers().len(), 1);
    // Of the servers that nobody waited for, none is left.
    let servers = world.processes();
    let servers: Vec<_> = servers
        .iter()
        .filter(|(_, words)| words.contains("/postgres\0"))
        .collect();
    assert_eq!(servers.len(), 1, "{servers:?}");
    world.kill(is_watchdog);
    world.linger = 0;
    let last = world.user();
    user.leave();
    last.leave();
    world.ends();
}

#[test]
fn a_killed_starter_whom_nobody_follows_leaves_nothing_behind() {
    let world = World::new(0);
    let starter = world.user();
    until("the log", || {
        world
            .servers()
            .iter()
            .any(|server| server.join("log").exists())
    });
    starter.kill();
    world.ends();
}

#[test]
fn what_a_machine_that_went_down_left_is_cleared_away() {
    let world = World::new(0);
    let mut user = world.user();
    let old = user.url();
    let left = world.servers();
    world.kill(|_| true);
    user.kill();
    assert!(run_sql(&old, "SELECT 1").is_err());
    assert_eq!(world.servers(), left);

    let mut next = world.user();
    works(&next.url());
    assert_eq!(world.servers().len(), 1);
    assert_ne!(world.servers(), left);
    next.leave();
    world.ends();
}

#[test]
fn who_comes_after_the_watchdog_was_killed_brings_another() {
    let world = World::new(0);
    let mut first = world.user();
    let place = first.url();
    world.kill(is_watchdog);
    let mut second = world.user();
    assert_eq!(place_of(&second.url()), place_of(&place));
    first.kill();
    second.kill();
    world.ends();
}

#[test]
fn a_server_of_a_tests_own_ends_with_the_killed_test() {
    let world = World::new(0);
    let mut user = world.run(&["own"]);
    works(&user.url());
    user.kill();
    world.ends();

    let user = world.run(&["own"]);
    until("data half made", || {
        world
            .place()
            .is_some_and(|place| place.join("data/base").exists())
    });
    user.kill();
    world.ends();
}
