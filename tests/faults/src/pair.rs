//! Two servers with one origin on one database, and people who ask both at once.

use std::collections::BTreeMap;

use gatelodge_e2e::{
    api::{Answer, Api},
    nodes::UNLIMITED,
    place::Place,
    server::Server,
    wait,
    world::{HOME, World},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    report::Outcome,
    site::{Kind, PASSWORD},
};

/// How many ask at once.
pub(crate) const AT_ONCE: usize = 64;
/// Where flows begin.
pub(crate) const FLOWS: &str = "/api/v1/sign-in/flows";
/// The provider of links and codes by mail.
pub(crate) const MAILED: &str = "one-time-token";
/// The subject of the mail that verifies an address.
pub(crate) const CONFIRM: &str = "Confirm your e-mail address";
/// What both are called, whatever port they listen at: links and devices are of one origin.
const ORIGIN: &str = "[server]\norigin = \"http://lodge.localhost\"\n\n";
const PROVIDERS: &str = "\n[[providers]]\nkind = \"password\"\n\n[[providers]]\nkind = \"one-time-token\"\n\
                         sign_in = true\n\n[[providers]]\nkind = \"remember-device\"\n";

/// Two servers.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) world: World,
    other: Server,
    /// The folder of the other one, if it has its own.
    beside: Option<Place>,
}

impl Pair {
    /// Two on an empty storage. On SQLite both work on the same file.
    pub(crate) async fn on(kind: Kind) -> Self {
        let storage = kind.storage();
        let text = format!("{ORIGIN}{UNLIMITED}{PROVIDERS}");
        let world = World::of(Place::on(storage.clone()).configured(&text)).await;
        let beside = (kind == Kind::Postgres).then(|| world.place.beside(storage));
        let other = beside.as_ref().unwrap_or(&world.place).serve().await;
        Self {
            world,
            other,
            beside,
        }
    }

    /// Programs that are nobody, one at each server.
    pub(crate) fn both(&self) -> [Api; 2] {
        self.each(&self.world.nobody())
    }

    /// A program at each server.
    pub(crate) fn each(&self, program: &Api) -> [Api; 2] {
        [program.clone(), program.at(&self.other)]
    }

    /// Makes somebody with [`PASSWORD`] and an address; answers the id.
    pub(crate) async fn user(&self, name: &str) -> String {
        let new = json!({
            "user_name": name,
            "email": address(name),
            "password": PASSWORD,
            "must_change_password": false,
        });
        let path = format!("/api/v1/tenants/{HOME}/users");
        let made = self.world.administrator.post(&path, new).await.expect(201);
        text(&made["id"])
    }

    /// The same, and the address is verified: to others nothing is written but what verifies them.
    pub(crate) async fn verified_user(&self, name: &str) -> String {
        let id = self.user(name).await;
        let session = self.world.nobody().sign_in(HOME, name, PASSWORD).await;
        let asked = ask_to_verify(&session, name).await;
        let code = self.code(&self.mail(name, CONFIRM).await);
        let done = fill(&session, &asked, MAILED, json!({ "code": code })).await;
        // It got another session for that.
        let session = session.with_token(&text(&done.expect(200)["session"]["token"]));
        session.delete("/api/v1/session").await.expect(204);
        id
    }

    /// The code in a mail with a link.
    pub(crate) fn code(&self, mail: &str) -> String {
        let (_, code) = mail.split_once("where you asked for it: ").unwrap();
        let code = code.lines().next().unwrap().to_owned();
        self.keep_secret(&code);
        code
    }

    /// What was mailed to somebody under this subject. Either server may have sent it.
    pub(crate) fn mails(&self, to: &str, subject: &str) -> Vec<String> {
        let to = format!("To: {}", address(to));
        let subject = format!("Subject: {subject}");
        let places = [Some(&self.world.place), self.beside.as_ref()];
        let all = places.into_iter().flatten().flat_map(Place::mails);
        all.filter(|mail| mail.contains(&to) && mail.contains(&subject))
            .collect()
    }

    /// The first such mail; waits for it.
    pub(crate) async fn mail(&self, to: &str, subject: &str) -> String {
        let what = format!("the mail `{subject}` to {to}");
        wait::until(&what, async || !self.mails(to, subject).is_empty()).await;
        self.mails(to, subject).remove(0)
    }

    /// How many events of this action somebody has in the audit log.
    pub(crate) async fn events(&self, user: &str, action: &str) -> usize {
        let path =
            format!("/api/v1/tenants/{HOME}/audit-events?limit=200&action={action}&object={user}");
        let page = self.world.administrator.get(&path).await.expect(200);
        page["items"].as_array().unwrap().len()
    }

    /// How many sessions somebody has.
    pub(crate) async fn sessions(&self, user: &str) -> usize {
        let path = format!("/api/v1/tenants/{HOME}/users/{user}/sessions");
        let page = self.world.administrator.get(&path).await.expect(200);
        page["items"].as_array().unwrap().len()
    }

    /// What no log may hold.
    pub(crate) fn keep_secret(&self, text: &str) {
        self.world.place.secrets().keep(text);
    }
}

/// Somebody's mailbox.
fn address(name: &str) -> String {
    format!("{name}@lodge.example")
}

pub(crate) fn text(value: &Value) -> String {
    let text = value.as_str();
    text.unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

/// Begins a flow by the transport `token`.
pub(crate) async fn begin(program: &Api, mut more: Value) -> Answer {
    more["transport"] = json!("token");
    program.post(FLOWS, more).await
}

/// A flow of somebody signed in, in which a mail was asked for that verifies the stored address.
pub(crate) async fn ask_to_verify(session: &Api, user: &str) -> Value {
    let flow = begin(session, json!({ "intent": "verify" }))
        .await
        .expect(201);
    let proof = json!({ "password": PASSWORD });
    fill(session, &flow, "password", proof).await.expect(200);
    let values = json!({ "email": address(user) });
    fill(session, &flow, MAILED, values).await.expect(200)
}

/// Where a flow goes on.
pub(crate) fn path_of(flow: &Value) -> String {
    format!("{FLOWS}/{}", flow["id"].as_str().unwrap())
}

/// Answers a flow with the values of a form.
pub(crate) async fn fill(program: &Api, flow: &Value, provider: &str, values: Value) -> Answer {
    let reply = json!({ "provider": provider, "answer": values });
    program.post(&path_of(flow), reply).await
}

/// Lets [`AT_ONCE`] ask, each as `ask` says; answers what they were answered.
pub(crate) async fn all_at_once<T, F>(ask: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut asking = JoinSet::new();
    for number in 0..AT_ONCE {
        asking.spawn(ask(number));
    }
    asking.join_all().await
}

/// Notes it unless exactly one of many had what may be had once.
pub(crate) fn once(outcome: &mut Outcome, what: &str, statuses: &BTreeMap<Option<u16>, usize>) {
    let had = statuses.get(&Some(200)).copied().unwrap_or_default();
    outcome.expect(had == 1, || format!("{had} had {what}: {statuses:?}"));
}
