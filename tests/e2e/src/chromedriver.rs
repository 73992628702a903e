//! One `chromedriver` for all browsers of a test process; it goes with the last of them.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError, Weak, mpsc},
};

use crate::wait::PATIENCE;

/// What to do when Chromium is not there.
pub(crate) const INSTALL: &str = "install Chromium and chromedriver (on Debian: apt-get install chromium chromium-driver), or use tests/run";

/// How often starting it is tried.
const TRIES: u32 = 3;

/// A running chromedriver.
#[derive(Debug)]
pub(crate) struct Chromedriver {
    child: Child,
    url: String,
}

static RUNNING: Mutex<Weak<Chromedriver>> = Mutex::new(Weak::new());

/// The one that runs, or a new one.
pub(crate) fn chromedriver() -> Arc<Chromedriver> {
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    running.upgrade().unwrap_or_else(|| {
        let started = Arc::new(Chromedriver::start());
        *running = Arc::downgrade(&started);
        started
    })
}

impl Chromedriver {
    /// On a busy machine it sometimes ends before it has begun: another process
    /// took the port that it had picked.
    fn start() -> Self {
        let started = (0..TRIES).find_map(|_| Self::try_to_start());
        started.expect("chromedriver says no port")
    }

    fn try_to_start() -> Option<Self> {
        let mut child = Command::new("chromedriver")
            .args(["--port=0", "--log-level=WARNING"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("chromedriver does not start ({error}): {INSTALL}"));
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, ports) = mpsc::channel();
        // Reads to the end, so that chromedriver never waits for a reader.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some((_, port)) = line.rsplit_once("successfully on port ") {
                    sender.send(port.trim_end_matches('.').to_owned()).ok();
                }
            }
        });
        let mut driver = Self {
            child,
            url: String::new(),
        };
        let port = ports.recv_timeout(PATIENCE).ok()?;
        driver.url = format!("http://127.0.0.1:{port}");
        Some(driver)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Chromedriver {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
