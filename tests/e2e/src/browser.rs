//! Chromium, driven by WebDriver.

use std::{fs, path::Path, sync::Arc};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::{
    ChromiumLikeCapabilities as _, Cookie, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver,
    WebElement,
    prelude::{By, ElementQueryable as _, Key},
};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    chromedriver::{Chromedriver, INSTALL, chromedriver},
    secrets::Secrets,
    server::Server,
    wait::{self, PATIENCE},
};

/// How many run at a time in one test process.
const BROWSERS: usize = 2;
static PLACES: Semaphore = Semaphore::const_new(BROWSERS);

/// What Debian's Chromium needs to run unseen, and what keeps it from talking to anybody on its own account.
const ARGUMENTS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-crash-reporter",
    "--window-size=1280,900",
];

/// A fresh browser. It is closed when this is dropped.
pub struct Browser {
    driver: Option<WebDriver>,
    profile: TempDir,
    origin: String,
    /// Origins of applications that it may ask as well.
    others: Vec<String>,
    secrets: Secrets,
    _chromedriver: Arc<Chromedriver>,
    _place: SemaphorePermit<'static>,
}

impl std::fmt::Debug for Browser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Browser")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

impl Browser {
    /// Opens a fresh one; waits until it is its turn.
    pub async fn open(server: &Server) -> Self {
        let place = PLACES.acquire().await.unwrap();
        Self::open_in(place, server).await
    }

    /// Opens two fresh ones, of two people.
    pub async fn open_two(server: &Server) -> (Self, Self) {
        let mut first = PLACES.acquire_many(2).await.unwrap();
        let second = first.split(1).unwrap();
        (
            Self::open_in(first, server).await,
            Self::open_in(second, server).await,
        )
    }

    /// Opens a fresh one for a server that is no program of its own.
    pub async fn open_at(origin: &str, secrets: Secrets) -> Self {
        let place = PLACES.acquire().await.unwrap();
        Self::start(place, origin.to_owned(), secrets).await
    }

    async fn open_in(place: SemaphorePermit<'static>, server: &Server) -> Self {
        let (origin, secrets) = (server.origin().to_owned(), server.secrets().clone());
        Self::start(place, origin, secrets).await
    }

    async fn start(place: SemaphorePermit<'static>, origin: String, secrets: Secrets) -> Self {
        let profile = tempfile::Builder::new()
            .prefix("gatelodge-chromium-")
            .tempdir()
            .unwrap();
        let mut wanted = DesiredCapabilities::chrome();
        for argument in ARGUMENTS {
            wanted.add_arg(argument).unwrap();
        }
        wanted
            .add_arg(&format!("--user-data-dir={}", profile.path().display()))
            .unwrap();
        let all = LoggingPrefsLogLevel::All;
        wanted.set_logging_prefs("browser".to_owned(), all).unwrap();
        wanted
            .set_logging_prefs("performance".to_owned(), all)
            .unwrap();
        let chromedriver = chromedriver();
        let driver = WebDriver::new(chromedriver.url(), wanted).await;
        let driver =
            driver.unwrap_or_else(|error| panic!("Chromium does not start ({error}): {INSTALL}"));
        Self {
            driver: Some(driver),
            profile,
            origin,
            others: Vec::new(),
            secrets,
            _chromedriver: chromedriver,
            _place: place,
        }
    }

    /// Lets it ask an application's pages too.
    #[must_use]
    pub fn beside(mut self, origin: &str) -> Self {
        self.others.push(origin.to_owned());
        self
    }

    /// Checks that it asked nobody but our server for anything and that nothing went wrong on its pages, and closes it.
    pub async fn close(mut self) {
        for cookie in self.cookies().await {
            self.secrets.keep(&cookie.value);
        }
        self.check_console().await;
        self.check_requests().await;
        if let Some(driver) = self.driver.take() {
            driver.quit().await.unwrap();
        }
    }

    /// Opens a page of ours.
    pub async fn goto(&self, path: &str) {
        self.driver()
            .goto(format!("{}{path}", self.origin))
            .await
            .unwrap();
    }

    /// Opens an address.
    pub async fn goto_address(&self, address: &str) {
        self.driver().goto(address).await.unwrap();
    }

    /// Path and query of the page.
    pub async fn path(&self) -> String {
        let url = self.driver().current_url().await.unwrap();
        let query = url
            .query()
            .map_or_else(String::new, |query| format!("?{query}"));
        format!("{}{query}", url.path())
    }

    /// Waits for a page whose path has this end.
    pub async fn arrives_at(&self, end: &str) {
        let arrived = wait::holds_within(PATIENCE, async || {
            let url = self.driver().current_url().await.unwrap();
            url.path().ends_with(end) && self.is_loaded().await
        })
        .await;
        assert!(
            arrived,
            "never came to `{end}`, is at `{}`: {}",
            self.path().await,
            self.text().await
        );
    }

    async fn is_loaded(&self) -> bool {
        self.execute("return document.readyState").await == json!("complete")
    }

    /// Waits for an element.
    pub async fn element(&self, css: &str) -> WebElement {
        let query = self
            .driver()
            .query(By::Css(css))
            .wait(PATIENCE, std::time::Duration::from_millis(20));
        match query.first().await {
            Ok(element) => element,
            Err(_) => panic!(
                "no `{css}` at `{}`: {}",
                self.path().await,
                self.text().await
            ),
        }
    }

    /// Whether an element is there now.
    pub async fn has(&self, css: &str) -> bool {
        !self
            .driver()
            .find_all(By::Css(css))
            .await
            .unwrap()
            .is_empty()
    }

    /// Types into the field with this name, which is emptied first.
    pub async fn fill(&self, name: &str, text: &str) {
        if name.contains("password") {
            self.secrets.keep(text);
        }
        let field = self.element(&format!("[name={name}]")).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// What is in the field with this name.
    pub async fn value(&self, name: &str) -> String {
        let field = self.element(&format!("[name={name}]")).await;
        field.value().await.unwrap().unwrap_or_default()
    }

    /// Presses a button or link.
    pub async fn press(&self, css: &str) {
        self.element(css).await.click().await.unwrap();
    }

    /// Presses the button or link with this text.
    pub async fn press_named(&self, text: &str) {
        let xpath =
            format!("//*[self::a or self::button or self::summary][normalize-space(.)='{text}']");
        let query = self
            .driver()
            .query(By::XPath(xpath))
            .wait(PATIENCE, std::time::Duration::from_millis(20));
        match query.first().await {
            Ok(element) => element.click().await.unwrap(),
            Err(_) => panic!(
                "nothing is called `{text}` at `{}`: {}",
                self.path().await,
                self.text().await
            ),
        }
    }

    /// Sends the form that the field with this name is in, by its main button.
    pub async fn send_form_of(&self, name: &str) {
        let xpath = format!("//*[@name='{name}']/ancestor::form[1]//button[1]");
        self.driver()
            .find(By::XPath(xpath))
            .await
            .unwrap()
            .click()
            .await
            .unwrap();
    }

    /// Presses a key, wherever the focus is.
    pub async fn press_key(&self, key: Key) {
        self.driver()
            .action_chain()
            .send_keys(key)
            .perform()
            .await
            .unwrap();
    }

    /// Types, wherever the focus is.
    pub async fn type_text(&self, text: &str) {
        self.driver()
            .action_chain()
            .send_keys(text)
            .perform()
            .await
            .unwrap();
    }

    /// What is read on the page.
    pub async fn text(&self) -> String {
        let text = self.execute("return document.body.innerText").await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until this is read on the page.
    pub async fn reads(&self, text: &str) {
        let read = wait::holds_within(PATIENCE, async || self.text().await.contains(text)).await;
        assert!(
            read,
            "`{text}` is not read at `{}`: {}",
            self.path().await,
            self.text().await
        );
    }

    /// Signs in by the form; `base` is nothing or `/t/<tenant>`.
    pub async fn sign_in(&self, base: &str, user: &str, password: &str) {
        self.goto(&format!("{base}/sign-in")).await;
        self.fill("user_name", user).await;
        self.fill("password", password).await;
        self.send_form_of("password").await;
    }

    /// Signs in and waits for the account page.
    pub async fn signs_in(&self, base: &str, user: &str, password: &str) {
        self.sign_in(base, user, password).await;
        self.arrives_at(&format!("{base}/account")).await;
    }

    /// Goes back.
    pub async fn back(&self) {
        self.driver().back().await.unwrap();
    }

    /// The cookies of our server.
    pub async fn cookies(&self) -> Vec<Cookie> {
        self.driver().get_all_cookies().await.unwrap()
    }

    /// Runs a script in the page; answers what it returns.
    pub async fn execute(&self, script: &str) -> Value {
        self.driver()
            .execute(script, Vec::new())
            .await
            .unwrap()
            .json()
            .clone()
    }

    /// Runs a script in the page that calls its last argument when it is done.
    pub async fn execute_async(&self, script: &str) -> Value {
        self.driver()
            .execute_async(script, Vec::new())
            .await
            .unwrap()
            .json()
            .clone()
    }

    /// Asks the browser itself (Chrome DevTools Protocol).
    pub async fn cdp(&self, method: &str, parameters: Value) -> Value {
        let answer = self.driver().cdp().send_raw(method, parameters).await;
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn driver(&self) -> &WebDriver {
        self.driver.as_ref().expect("the browser is closed")
    }

    /// Chromium reports broken scripts, refused loads and violated policies to the console; and each page that is
    /// itself an error, which is not meant here.
    async fn check_console(&self) {
        let entries = self.driver().browser_log().await.unwrap();
        let bad: Vec<_> = entries
            .iter()
            .filter(|entry| !["INFO", "DEBUG"].contains(&entry.level.as_str()))
            .filter(|entry| {
                !entry
                    .message
                    .contains("the server responded with a status of")
            })
            .collect();
        assert!(bad.is_empty(), "the console says: {bad:#?}");
    }

    async fn check_requests(&self) {
        let known = std::iter::once(&self.origin).chain(&self.others);
        let known: Vec<_> = known.map(|origin| format!("{origin}/")).collect();
        let entries = self.driver().get_log("performance").await.unwrap();
        let messages = entries
            .iter()
            .map(|entry| serde_json::from_str::<Value>(&entry.message).unwrap());
        let mut seen = 0;
        for message in messages.filter(|m| m["message"]["method"] == "Network.requestWillBeSent") {
            let url = message["message"]["params"]["request"]["url"]
                .as_str()
                .unwrap()
                .to_owned();
            let local = ["data:", "about:", "chrome:"]
                .iter()
                .any(|scheme| url.starts_with(scheme));
            let own = known.iter().any(|origin| url.starts_with(origin));
            assert!(local || own, "a page asked for `{url}`");
            seen += usize::from(!local);
        }
        assert!(
            seen > 0,
            "no request was seen: is the log of the browser on?"
        );
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if std::thread::panicking() && self.driver.is_some() {
            eprintln!("a browser was open at {}", self.origin);
        }
        // Asking chromedriver to close it could wait for ever here; ending its processes cannot.
        if let Some(driver) = self.driver.take() {
            driver.leak().ok();
        }
        for process in processes_of(self.profile.path()) {
            kill_process(process, Signal::KILL).ok();
        }
    }
}

/// The processes that were started with this profile.
fn processes_of(profile: &Path) -> Vec<Pid> {
    let argument = format!("--user-data-dir={}", profile.display());
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .filter(|entry| {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&argument)
        })
        .filter_map(|entry| {
            entry
                .file_name()
                .to_str()?
                .parse()
                .ok()
                .and_then(Pid::from_raw)
        })
        .collect()
}
