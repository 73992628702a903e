//! A running `gatelodge serve`.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use reqwest::Url;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{sync::mpsc, time::timeout};

use crate::{
    secrets::Secrets,
    wait::{self, PATIENCE},
};

/// A server. It is stopped when this is dropped, and fails the test if it logged a secret.
#[derive(Debug)]
pub struct Server {
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
    announced: Vec<String>,
    origin: String,
    /// Where requests are sent to: its origin, or where it listens if it is called otherwise.
    base: String,
    log: PathBuf,
    secrets: Secrets,
}

impl Server {
    pub(crate) async fn start(mut command: Command, log: PathBuf, secrets: Secrets) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::unbounded_channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        // Reads to the end, so that the server never waits for a reader.
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                sender.send(line).ok();
            }
        });
        let mut server = Self {
            child,
            lines,
            announced: Vec::new(),
            origin: String::new(),
            base: String::new(),
            log,
            secrets,
        };
        let line = server.line_with("http://").await;
        let address: Url = line[line.find("http://").unwrap()..]
            .trim()
            .parse()
            .unwrap();
        server.origin = address.origin().ascii_serialization();
        server.base = match address.host_str() {
            Some("localhost") => server.origin.clone(),
            _ => server.listening_at().await,
        };
        if let Some((_, token)) = address.query_pairs().find(|(name, _)| name == "token") {
            server.secrets.keep(&token);
        }
        server
    }

    /// Where it listens, as its log says: what it is called does not say so.
    async fn listening_at(&self) -> String {
        let address = || {
            let log = self.log();
            let (_, rest) = log.split_once(" serving address=")?;
            let (address, _) = rest.split_once(' ')?;
            Some(format!("http://{address}"))
        };
        wait::until("the log says where it serves", async || address().is_some()).await;
        address().unwrap()
    }

    /// The first line that it announced with `part` in it; waits for it.
    pub async fn line_with(&mut self, part: &str) -> String {
        if let Some(line) = self.announced.iter().find(|line| line.contains(part)) {
            return line.clone();
        }
        loop {
            let line = timeout(PATIENCE, self.lines.recv()).await.ok().flatten();
            let Some(line) = line else {
                panic!(
                    "the server never announced `{part}`; its log:\n{}",
                    self.log()
                );
            };
            self.announced.push(line.clone());
            if line.contains(part) {
                return line;
            }
        }
    }

    /// The set-up link that it announced.
    pub fn set_up_link(&self) -> String {
        let link = self
            .announced
            .iter()
            .find_map(|line| line.strip_prefix("set-up link: "));
        link.expect("no set-up link was announced").to_owned()
    }

    /// The token of the set-up link.
    pub fn set_up_token(&self) -> String {
        self.set_up_link()
            .split_once("token=")
            .unwrap()
            .1
            .to_owned()
    }

    /// Everything that it announced so far.
    pub fn announced(&self) -> &[String] {
        &self.announced
    }

    /// Where it serves, such as `http://localhost:34567`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Where to send requests to.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// An address of it.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// Host and port to connect to.
    pub fn authority(&self) -> String {
        self.base
            .trim_start_matches("http://")
            .replace("localhost", "127.0.0.1")
    }

    /// What no log may hold.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The file of its log.
    pub fn log_file(&self) -> &Path {
        &self.log
    }

    /// Asks it to stop, as a service manager does.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Stops it and waits until it has ended.
    pub async fn stop(mut self) -> ExitStatus {
        self.terminate();
        self.ended().await
    }

    /// Kills it as a loss of power would, and waits until it is gone.
    pub async fn kill(mut self) {
        self.signal(Signal::KILL);
        self.ended().await;
    }

    /// Waits until it has ended.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        wait::until("the end of the server", async || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).ok();
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.has_ended() {
            self.signal(Signal::TERM);
            let limit = Duration::from_secs(15);
            if !wait::holds_within_blocking(limit, || self.has_ended()) {
                self.child.kill().ok();
                self.child.wait().ok();
            }
        }
        let log = self.log();
        if std::thread::panicking() {
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            eprintln!("the end of the server's log:\n{}", tail.join("\n"));
            return;
        }
        let leaks = self.secrets.lines_with_any(&log);
        assert!(
            leaks.is_empty(),
            "the server logged a secret:\n{}",
            leaks.join("\n")
        );
    }
}
