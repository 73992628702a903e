use std::collections::BTreeMap;

use axum::http::{Method, StatusCode};
use gatelodge_core::secret::Secret;
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::House;
use crate::support::{Answer, Browser, Call, PASSWORD, Person, World};

/// Somebody with a browser, who opens pages, sends their forms, goes to third parties and
/// comes back.
#[derive(Clone)]
pub(super) struct Visitor<'h> {
    pub(super) house: &'h House,
    pub(super) world: &'h World,
    pub(super) browser: Browser<'h>,
    /// The host, where it is not the server's own.
    pub(super) host: Option<&'static str>,
}

/// A form of a page.
#[derive(Debug, Clone)]
pub(super) struct Form {
    pub(super) action: String,
    pub(super) hidden: Vec<(String, String)>,
}

impl Form {
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let found = self.hidden.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl<'h> Visitor<'h> {
    pub(super) fn new(house: &'h House, world: &'h World) -> Self {
        Self {
            house,
            world,
            browser: Browser::new(world),
            host: None,
        }
    }

    /// A request of this browser's, as it goes to a page from wherever it is.
    pub(super) fn call(&self, method: Method, path: &str) -> Call<'h> {
        let call = self.browser.call(method, path).without("origin");
        let call = match self.host {
            Some(host) => call.host(host),
            None => call,
        };
        call.header("sec-fetch-mode", "navigate")
            .header("sec-fetch-dest", "document")
    }

    pub(super) async fn get(&mut self, path: &str) -> Answer {
        let call = self.call(Method::GET, path);
        self.browser.send(call).await
    }

    /// Where the browser is sent by an answer, on this host.
    pub(super) fn onward(&self, answer: &Answer) -> Option<String> {
        let to = answer.header("location")?;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer}");
        let origin = match self.host {
            Some(host) => format!("https://{host}"),
            None => self.world.origin.clone(),
        };
        Some(to.strip_prefix(&origin).unwrap_or(to).to_owned())
    }

    /// Goes on to wherever an answer leads.
    pub(super) async fn follow(&mut self, mut answer: Answer) -> Answer {
        for _ in 0..6 {
            let Some(to) = self.onward(&answer) else {
                return answer;
            };
            assert!(to.starts_with('/'), "it leads to {to}");
            answer = self.get(&to).await;
        }
        panic!("too many redirects: {answer}");
    }

    pub(super) async fn open(&mut self, path: &str) -> Answer {
        let answer = self.get(path).await;
        self.follow(answer).await
    }

    /// Sends a form; nothing is followed.
    pub(super) async fn submit(&mut self, form: &Form, more: &[(&str, &str)]) -> Answer {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(&form.hidden);
        body.extend_pairs(more);
        let call = self.call(Method::POST, &form.action);
        let origin = match self.host {
            Some(host) => format!("https://{host}"),
            None => self.world.origin.clone(),
        };
        let call = call
            .header("origin", origin)
            .body("application/x-www-form-urlencoded", body.finish());
        self.browser.send(call).await
    }

    /// The same, and on.
    pub(super) async fn send(&mut self, form: &Form, more: &[(&str, &str)]) -> Answer {
        let answer = self.submit(form, more).await;
        self.follow(answer).await
    }

    /// Presses the button of a third party: where that leads.
    pub(super) async fn choose(&mut self, page: &Answer, id: &str) -> Url {
        let leaving = match away(page) {
            Some(url) => return url,
            None => {
                let form = form_of(page, id);
                self.send(&form, &[]).await
            }
        };
        away(&leaving).unwrap_or_else(|| panic!("it leads nowhere: {leaving}"))
    }

    /// From the sign-in page of a tenant to a third party.
    pub(super) async fn leave(&mut self, base: &str, id: &str) -> Url {
        let page = self.open(&format!("{base}/sign-in?again=1")).await;
        self.choose(&page, id).await
    }

    /// Comes back from there with parameters, as the third party has it.
    pub(super) async fn back(&mut self, id: &str, brought: &BTreeMap<String, Secret>) -> Answer {
        let answer = self.arrive(id, brought).await;
        self.follow(answer).await
    }

    /// The same, only the first step.
    pub(super) async fn arrive(&mut self, id: &str, brought: &BTreeMap<String, Secret>) -> Answer {
        let parameters = encoded(brought);
        match self.house.is_posting(id) {
            false => {
                let call = self.call(Method::GET, &format!("/callback/{id}?{parameters}"));
                let call = call.header("sec-fetch-site", "cross-site");
                self.browser.send(call).await
            }
            true => {
                // Cookies that are `Lax` do not come with it.
                let call = self.posted(id, parameters);
                self.browser.send(call).await
            }
        }
    }

    /// The form that the third party's page has a browser send.
    pub(super) fn posted(&self, id: &str, body: impl Into<Vec<u8>>) -> Call<'h> {
        let call = self.world.post(format!("/callback/{id}"));
        call.header("origin", format!("https://{id}.example"))
            .header("sec-fetch-site", "cross-site")
            .body("application/x-www-form-urlencoded", body)
    }

    /// The whole way to where it ends.
    pub(super) async fn come(&mut self, base: &str, id: &str, subject: &str) -> Answer {
        let url = self.leave(base, id).await;
        self.return_from(id, &url, subject).await
    }

    /// Signs in there as somebody, and comes back.
    pub(super) async fn return_from(&mut self, id: &str, url: &Url, subject: &str) -> Answer {
        let brought = self.house.outside.authorize(id, url, subject);
        self.back(id, &brought).await
    }

    /// Fills the password in on a page, and on.
    pub(super) async fn enter(&mut self, page: &Answer, name: &str) -> Answer {
        let form = form_of(page, "password");
        let fields = [("user_name", name), ("password", PASSWORD)];
        self.send(&form, &fields).await
    }

    pub(super) async fn sign_in(&mut self, person: &Person) -> Answer {
        let base = format!("/t/{}", person.tenant_name);
        let page = self.open(&format!("{base}/sign-in?again=1")).await;
        let page = self.enter(&page, &person.name).await;
        assert!(self.session().await.is_some(), "{page}");
        page
    }

    /// From the account page to a third party, to link an identity there.
    pub(super) async fn leave_to_link(&mut self, person: &Person, id: &str) -> Url {
        let path = format!("/t/{}/account/connections/{id}/link", person.tenant_name);
        let page = self.open(&path).await;
        // Who one is has to be proven first.
        let page = match forms_of(&page, "password").is_empty() {
            true => page,
            false => {
                let form = form_of(&page, "password");
                self.send(&form, &[("password", PASSWORD)]).await
            }
        };
        self.choose(&page, id).await
    }

    /// Links an identity on the account page.
    pub(super) async fn link(&mut self, person: &Person, id: &str, subject: &str) -> Answer {
        let url = self.leave_to_link(person, id).await;
        self.return_from(id, &url, subject).await
    }

    /// The present session, if there is one.
    pub(super) async fn session(&self) -> Option<Value> {
        let call = self.browser.call(Method::GET, "/api/v1/session");
        let call = match self.host {
            Some(host) => call.host(host).without("origin"),
            None => call,
        };
        let answer = call.send().await;
        match answer.status.as_u16() {
            200 => Some(answer.json()),
            401 => None,
            _ => panic!("{answer}"),
        }
    }

    /// The user who is signed in: tenant and name.
    pub(super) async fn is_who(&self) -> Option<(String, String)> {
        let session = self.session().await?;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Some((
            text(&session["tenant"]["name"]),
            text(&session["user"]["user_name"]),
        ))
    }
}

impl House {
    fn is_posting(&self, id: &str) -> bool {
        id.starts_with("posting")
    }
}

/// Parameters, as a browser sends them.
pub(super) fn encoded(brought: &BTreeMap<String, Secret>) -> String {
    let mut text = form_urlencoded::Serializer::new(String::new());
    for (name, value) in brought {
        text.append_pair(name, value.expose());
    }
    text.finish()
}

/// Where a page leads by itself.
pub(super) fn away(page: &Answer) -> Option<Url> {
    let refresh = page.header("refresh")?;
    Some(refresh.strip_prefix("0;url=").unwrap().parse().unwrap())
}

/// The form of a page that answers a provider.
#[track_caller]
pub(super) fn form_of(page: &Answer, provider: &str) -> Form {
    let found = forms_of(page, provider).into_iter().next();
    found.unwrap_or_else(|| panic!("nothing to answer `{provider}` with: {page}"))
}

pub(super) fn forms_of(page: &Answer, provider: &str) -> Vec<Form> {
    let mut forms = forms(page);
    forms.retain(|form| form.value("provider") == Some(provider));
    forms
}

/// The forms of a page that post.
pub(super) fn forms(page: &Answer) -> Vec<Form> {
    let body = page.text();
    let pieces = body.split("<form ").skip(1);
    let posts = pieces.filter(|piece| piece.contains("method=\"post\""));
    let forms = posts.map(|piece| {
        let form = piece.split("</form>").next().unwrap();
        let inputs = form.split("<input ").skip(1);
        let hidden = inputs.filter(|input| input.starts_with("type=\"hidden\""));
        Form {
            action: attribute(form, "action"),
            hidden: hidden
                .map(|input| (attribute(input, "name"), attribute(input, "value")))
                .collect(),
        }
    });
    forms.collect()
}

fn attribute(tag: &str, name: &str) -> String {
    let (_, rest) = tag.split_once(&format!("{name}=\"")).unwrap();
    unescaped(rest.split('"').next().unwrap())
}

/// Text of a page, as a person reads it.
pub(super) fn unescaped(text: &str) -> String {
    text.replace("&#x2f;", "/")
        .replace("&#x27;", "'")
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}
