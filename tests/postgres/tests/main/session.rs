//! A session that stays open while a test does something else, and what tests wait with.

use std::{
    io::Write as _,
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// `psql` with a script that goes on until it is told what comes last.
pub struct Session {
    process: Child,
    stdin: ChildStdin,
}

impl Session {
    /// Connects, and calls itself `name` in `pg_stat_activity`.
    pub fn open(url: &str, name: &str) -> Self {
        let mut process = Command::new("psql")
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url])
            .env("PGAPPNAME", name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = process.stdin.take().unwrap();
        Self { process, stdin }
    }

    /// Runs SQL.
    pub fn say(&mut self, sql: &str) {
        writeln!(self.stdin, "{sql}").unwrap();
    }

    /// Runs the last SQL and leaves; answers the rows, or what was said instead.
    pub fn end(mut self, sql: &str) -> Result<String, String> {
        // Who was sent away does not read any more.
        writeln!(self.stdin, "{sql}").ok();
        drop(self.stdin);
        let output = self.process.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().trim_end().to_owned();
        if output.status.success() {
            Ok(text(output.stdout))
        } else {
            Err(text(output.stderr))
        }
    }
}

/// Waits until `probe` says so.
pub fn until(what: &str, mut probe: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !probe() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "it never came: {what}"
        );
        thread::sleep(Duration::from_millis(10));
    }
}
