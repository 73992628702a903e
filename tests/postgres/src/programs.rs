//! The programs of Postgres and pgbouncer: where they are, and as whom they run.

use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

/// The oldest release that can sort as [`crate::cluster`] asks for.
const OLDEST: u32 = 15;
/// Where Debian has a folder per release.
const RELEASES: &str = "/usr/lib/postgresql";
/// Where programs lie that the path of a common user leaves out.
const BESIDE_THE_PATH: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];
/// The accounts that stand in for root, best first.
const ACCOUNTS: [&str; 2] = ["postgres", "nobody"];

/// The program `name` of the newest Postgres on this machine.
pub(crate) fn postgres(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(newest_postgres).join(name)
}

/// `psql`, which may be packed apart from the server.
pub(crate) fn psql() -> PathBuf {
    let beside = postgres("psql");
    if beside.is_file() {
        return beside;
    }
    let found = find("psql", &[]);
    found.expect("there is no `psql` here; on Debian: apt-get install postgresql-client")
}

/// pgbouncer.
pub(crate) fn pgbouncer() -> PathBuf {
    let found = find("pgbouncer", &BESIDE_THE_PATH);
    found.expect("there is no pgbouncer here; on Debian: apt-get install pgbouncer")
}

/// A server program, run in `folder`: apart, and as another account if this is root.
pub(crate) fn as_server(program: &Path, folder: &Path) -> Command {
    let mut command = plain(program);
    apart(&mut command).current_dir(folder);
    if let Some(account) = account() {
        command.uid(account.user).gid(account.group);
    }
    command
}

/// Puts a program out of reach of what a terminal or a test runner sends to the group of a test's processes.
pub(crate) fn apart(command: &mut Command) -> &mut Command {
    command.process_group(0)
}

/// A program that is not influenced by what the surroundings say about Postgres.
pub(crate) fn plain(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command.env("LC_ALL", "C").stdin(Stdio::null());
    command
}

/// Makes a file or folder the property of the account that servers run as.
pub(crate) fn give(path: &Path) {
    if let Some(account) = account() {
        chown(path, Some(account.user), Some(account.group)).unwrap();
    }
}

/// Whether servers run as somebody else.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The text of a version such as `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`: its first two numbers.
pub(crate) fn version(program: &Path) -> Option<(u32, u32)> {
    let output = plain(program).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let word = text
        .split_whitespace()
        .find(|word| word.starts_with(|char: char| char.is_ascii_digit()))?;
    let mut numbers = word.split(|char: char| !char.is_ascii_digit());
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next().and_then(|minor| minor.parse().ok());
    Some((major, minor.unwrap_or(0)))
}

fn newest_postgres() -> PathBuf {
    let releases = fs::read_dir(RELEASES).into_iter().flatten().flatten();
    let folders = releases.map(|release| release.path().join("bin"));
    let newest = folders
        .chain(path())
        // A link in the path stands alone; what belongs together is where it leads.
        .filter_map(|folder| {
            Some(
                folder
                    .join("postgres")
                    .canonicalize()
                    .ok()?
                    .parent()?
                    .to_owned(),
            )
        })
        .filter(|folder| folder.join("initdb").is_file())
        .filter_map(|folder| Some((version(&folder.join("postgres"))?, folder)))
        .max();
    match newest {
        Some(((major, _), folder)) if major >= OLDEST => folder,
        found => panic!(
            "the tests need the server programs of PostgreSQL {OLDEST} or newer, in `{RELEASES}/*/bin` or the path, and \
             found {}; on Debian: apt-get install postgresql",
            found.map_or("none".to_owned(), |(_, folder)| format!(
                "only `{}`",
                folder.display()
            )),
        ),
    }
}

/// A program in the path or in these folders.
fn find(name: &str, beside: &[&str]) -> Option<PathBuf> {
    let mut folders = path().into_iter().chain(beside.iter().map(PathBuf::from));
    folders.find_map(|folder| Some(folder.join(name)).filter(|program| program.is_file()))
}

fn path() -> Vec<PathBuf> {
    let path: OsString = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).collect()
}

/// Whom servers run as in the place of root.
#[derive(Debug, Clone, Copy)]
struct Account {
    user: u32,
    group: u32,
}

/// `None` if they run as whoever runs the tests.
fn account() -> Option<Account> {
    static ACCOUNT: OnceLock<Option<Account>> = OnceLock::new();
    *ACCOUNT.get_or_init(|| is_root().then(stand_in))
}

fn stand_in() -> Account {
    let accounts = fs::read_to_string("/etc/passwd").unwrap();
    let found = ACCOUNTS.iter().find_map(|wanted| {
        let mut lines = accounts.lines();
        lines.find_map(|line| account_in(line, wanted))
    });
    found.expect("Postgres does not run as root, and there is no account `postgres` or `nobody`")
}

/// The account in a line of `/etc/passwd`, if it is the wanted one.
fn account_in(line: &str, wanted: &str) -> Option<Account> {
    let mut fields = line.split(':');
    if fields.next()? != wanted {
        return None;
    }
    let user = fields.nth(1)?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    Some(Account { user, group })
}
