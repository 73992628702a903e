//! A browser without scripts: it keeps cookies, fills in forms and follows redirects.

use std::sync::Arc;

use reqwest::{
    Client, Url,
    cookie::{CookieStore as _, Jar},
    header::HeaderMap,
};

use crate::{
    api::client_builder,
    html::{self, Form},
    secrets::Secrets,
    server::Server,
};

/// A browser without scripts. Clones share their cookies.
#[derive(Debug, Clone)]
pub struct Visitor {
    client: Client,
    jar: Arc<Jar>,
    origin: String,
    secrets: Secrets,
}

/// A page.
#[derive(Debug, Clone)]
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// Path and query that it was found at.
    pub path: String,
    /// Its HTML.
    pub html: String,
}

impl Visitor {
    /// A fresh browser.
    pub fn new(server: &Server) -> Self {
        let jar = Arc::new(Jar::default());
        Self {
            client: client_builder()
                .cookie_provider(Arc::clone(&jar))
                .user_agent(
                    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                )
                .build()
                .unwrap(),
            jar,
            origin: server.origin().to_owned(),
            secrets: server.secrets().clone(),
        }
    }

    /// The same browser, with its cookies, at another server.
    pub fn at(&self, server: &Server) -> Self {
        let moved = Self {
            origin: server.origin().to_owned(),
            ..self.clone()
        };
        moved.set_cookies(&self.cookies());
        moved
    }

    /// Opens a page without following where it leads.
    pub async fn get(&self, path: &str) -> Page {
        let response = self
            .client
            .get(format!("{}{path}", self.origin))
            .send()
            .await
            .unwrap();
        self.page(path, response).await
    }

    /// Opens a page and follows where it leads.
    pub async fn open(&self, path: &str) -> Page {
        let page = self.get(path).await;
        self.follow(page).await
    }

    /// Sends a form with these values, without following where that leads.
    pub async fn send(&self, form: &Form, values: &[(&str, &str)]) -> Page {
        let hidden = form
            .hidden
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let all: Vec<(&str, &str)> = hidden.chain(values.iter().copied()).collect();
        for (name, value) in &all {
            if name.contains("password") || *name == "csrf" {
                self.secrets.keep(value);
            }
        }
        let request = self.client.post(format!("{}{}", self.origin, form.action));
        let response = request
            .header("origin", &self.origin)
            .form(&all)
            .send()
            .await
            .unwrap();
        self.page(&form.action, response).await
    }

    /// Sends a form with these values and follows where that leads.
    pub async fn submit(&self, form: &Form, values: &[(&str, &str)]) -> Page {
        let page = self.send(form, values).await;
        self.follow(page).await
    }

    /// Signs in; `base` is nothing or `/t/<tenant>`.
    pub async fn sign_in(&self, base: &str, user: &str, password: &str) -> Page {
        let page = self.open(&format!("{base}/sign-in")).await;
        let values = [("user_name", user), ("password", password)];
        self.submit(&page.form("/sign-in"), &values).await
    }

    /// Whether this browser sees an account page.
    pub async fn is_signed_in(&self, base: &str) -> bool {
        let page = self.get(&format!("{base}/account")).await;
        assert!(
            [200, 303].contains(&page.status),
            "{} {}",
            page.status,
            page.html
        );
        page.status == 200
    }

    /// The cookies, as a request carries them.
    pub fn cookies(&self) -> String {
        let header = self.jar.cookies(&self.url());
        header.map_or_else(String::new, |header| header.to_str().unwrap().to_owned())
    }

    /// Plants cookies, written as [`Self::cookies`] answers them.
    pub fn set_cookies(&self, cookies: &str) {
        for cookie in cookies.split("; ").filter(|cookie| !cookie.is_empty()) {
            self.jar
                .add_cookie_str(&format!("{cookie}; Path=/"), &self.url());
        }
    }

    async fn follow(&self, mut page: Page) -> Page {
        for _ in 0..10 {
            let Some(location) = page
                .headers
                .get("location")
                .filter(|_| page.status / 100 == 3)
            else {
                return page;
            };
            let to = self.url().join(location.to_str().unwrap()).unwrap();
            assert_eq!(to.origin(), self.url().origin(), "leads elsewhere: {to}");
            let query = to
                .query()
                .map_or_else(String::new, |query| format!("?{query}"));
            page = self.get(&format!("{}{query}", to.path())).await;
        }
        panic!("redirected in circles: {}", page.path);
    }

    async fn page(&self, path: &str, response: reqwest::Response) -> Page {
        let page = Page {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            path: path.to_owned(),
            html: response.text().await.unwrap(),
        };
        for cookie in self.cookies().split("; ") {
            keep_cookie(&self.secrets, cookie);
        }
        page
    }

    fn url(&self) -> Url {
        self.origin.parse().unwrap()
    }
}

/// Remembers the value of a cookie as a secret.
pub(crate) fn keep_cookie(secrets: &Secrets, cookie: &str) {
    if let Some((_, value)) = cookie.split_once('=') {
        secrets.keep(value);
    }
}

impl Page {
    /// The first form that goes to an address with this end.
    pub fn form(&self, action_end: &str) -> Form {
        let mut forms = html::forms(&self.html).into_iter();
        let form = forms.find(|form| form.action.ends_with(action_end));
        form.unwrap_or_else(|| {
            panic!(
                "no form goes to `{action_end}` on {} ({}): {}",
                self.path,
                self.status,
                self.text()
            )
        })
    }

    /// What is read on it.
    pub fn text(&self) -> String {
        html::text(&self.html)
    }

    /// Whether this is read on it.
    pub fn says(&self, text: &str) -> bool {
        self.text().contains(text)
    }

    /// Whether it has a link to an address with this end.
    pub fn links_to(&self, end: &str) -> bool {
        let links = html::tags(&self.html, "a");
        links.iter().any(|link| {
            link.attribute("href")
                .is_some_and(|href| href.ends_with(end))
        })
    }

    /// A header.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// What the person who is refused cannot tell apart: everything but the values that are new each time.
    pub fn without_values(&self) -> String {
        let mut plain = self.html.clone();
        for form in html::forms(&self.html) {
            for (_, value) in form.hidden.iter().filter(|(_, value)| !value.is_empty()) {
                plain = plain.replace(value.as_str(), "…");
            }
        }
        plain
    }
}
