//! R5 for second factors: of many answers at once with one code, at two servers on one database, one succeeds.

use gatelodge_e2e::{
    api::Api,
    nodes::UNLIMITED,
    place::Place,
    wait,
    world::{HOME, World},
};
use gatelodge_provider_totp::{Algorithm, Authenticator};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    races::counted,
    report::Outcome,
    site::{Kind, PASSWORD, USER},
};

/// How many answer at once with one code.
const AT_ONCE: usize = 64;
const FLOWS: &str = "/api/v1/sign-in/flows";
const PROVIDERS: &str = "\n[[providers]]\nkind = \"password\"\n\n[[providers]]\nkind = \"totp\"\n\n\
                         [[providers]]\nkind = \"recovery-code\"\n\n[[providers]]\n\
                         id = \"mail-code\"\nkind = \"one-time-code\"\nchannel = \"mail\"\n";
/// Seconds of a step.
const PERIOD: u64 = 30;

/// Which code it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factor {
    /// One of an authenticator app.
    App,
    /// A recovery code.
    Recovery,
    /// One that was mailed.
    Mailed,
}

impl Factor {
    fn provider(self) -> &'static str {
        match self {
            Self::App => "totp",
            Self::Recovery => "recovery-code",
            Self::Mailed => "mail-code",
        }
    }
}

/// Sign-ins of one person are confirmed by 64 answers at once with the same code, half of them at each server; and by
/// another one afterwards. They are 64 sign-ins, or one where the code belongs to that one.
pub async fn redemption(kind: Kind, factor: Factor, times: usize) -> Outcome {
    let mut outcome = Outcome::of(match (factor, kind) {
        (Factor::App, Kind::Sqlite) => "race-app-sqlite",
        (Factor::App, Kind::Postgres) => "race-app-postgres",
        (Factor::Recovery, Kind::Sqlite) => "race-recovery-sqlite",
        (Factor::Recovery, Kind::Postgres) => "race-recovery-postgres",
        (Factor::Mailed, Kind::Sqlite) => "race-code-sqlite",
        (Factor::Mailed, Kind::Postgres) => "race-code-postgres",
    });
    let storage = kind.storage();
    let place = Place::on(storage.clone()).configured(&format!("{UNLIMITED}{PROVIDERS}"));
    let world = World::of(place).await;
    // On SQLite the other process works on the same file.
    let beside = (kind == Kind::Postgres).then(|| world.place.beside(storage));
    let other = beside.as_ref().unwrap_or(&world.place).serve().await;
    for round in 0..times {
        let user = format!("{USER}-{round}");
        let new = json!({ "user_name": user, "password": PASSWORD, "must_change_password": false });
        let path = format!("/api/v1/tenants/{HOME}/users");
        world.administrator.post(&path, new).await.expect(201);
        let nobody = world.nobody();
        let places = [Some(&world.place), beside.as_ref()];
        let Race { code, flows, last } = match factor {
            Factor::Mailed => one_flow(&nobody, &user, &places).await,
            Factor::App | Factor::Recovery => many_flows(&nobody, &user, factor).await,
        };
        let servers = [nobody.clone(), nobody.at(&other)];
        let mut confirming = JoinSet::new();
        for (number, flow) in flows.into_iter().enumerate() {
            let (server, code) = (servers[number % 2].clone(), code.clone());
            confirming.spawn(async move { Some(confirm(&server, &flow, factor, &code).await) });
        }
        let statuses = counted(confirming.join_all().await);
        let confirmed = statuses.get(&Some(200)).copied().unwrap_or_default();
        outcome.expect(confirmed == 1, || {
            format!("{confirmed} sign-ins with one code: {statuses:?}")
        });
        // A flow that another answer has ended takes none.
        outcome.add_answers(&statuses, &[Some(200), Some(401), Some(409)]);
        let late = confirm(&servers[round % 2], &last, factor, &code).await;
        outcome.expect([401, 422].contains(&late), || {
            format!("the code once more: {late}")
        });
        outcome.acknowledged += AT_ONCE;
        outcome.faults += 1;
    }
    outcome
}

/// Sign-ins in which one code is about to be entered, and where it is entered once more afterwards.
struct Race {
    code: String,
    flows: Vec<Value>,
    last: Value,
}

/// As many sign-ins as answers: such a code is right in each.
async fn many_flows(nobody: &Api, user: &str, factor: Factor) -> Race {
    let (app, set_up, codes) = set_up(nobody, user).await;
    let mut flows = Vec::new();
    for _ in 0..=AT_ONCE {
        flows.push(half(nobody, user, factor).await);
    }
    let code = match factor {
        Factor::App => app.code(app.step_at(seconds()).max(set_up + 1)).to_string(),
        _ => codes.into_iter().next().unwrap(),
    };
    let last = flows.pop().unwrap();
    Race { code, flows, last }
}

/// One sign-in, which asked for the code: it is right in no other.
async fn one_flow(nobody: &Api, user: &str, places: &[Option<&Place>]) -> Race {
    let factor = Factor::Mailed;
    let address = format!("{user}@codes.example");
    let session = nobody.sign_in(HOME, user, PASSWORD).await;
    let flow = begin_set_up(&session, factor).await;
    let named = answer(&session, &flow, factor, json!({ "address": address })).await;
    let code = mailed(places, &address, "Your code for").await;
    let done = answer(&session, &named, factor, json!({ "code": code })).await;
    assert_eq!(done["state"], "complete", "{done}");
    let asked = half(nobody, user, factor).await;
    let send = json!({ "provider": factor.provider(), "action": "send" });
    nobody.post(&address_of(&asked), send).await.expect(200);
    Race {
        code: mailed(places, &address, "Your code to sign in").await,
        flows: vec![asked; AT_ONCE],
        last: half(nobody, user, factor).await,
    }
}

/// The code that was mailed to an address, under this subject. Either server may have sent it.
async fn mailed(places: &[Option<&Place>], address: &str, subject: &str) -> String {
    let (to, subject) = (format!("To: {address}"), format!("Subject: {subject}"));
    let find = || {
        let mails = places.iter().flatten().flat_map(|place| place.mails());
        let mut meant = mails.filter(|mail| mail.contains(&to) && mail.contains(&subject));
        let mail = meant.next()?;
        let mut lines = mail.lines().map(|line| line.replace(' ', ""));
        lines.find(|line| line.len() == 8 && line.bytes().all(|b| b.is_ascii_digit()))
    };
    wait::until("the mail with the code", async || find().is_some()).await;
    find().unwrap()
}

/// Makes a set of recovery codes and sets up an app; answers the app, the step that setting it up spent, and the codes.
async fn set_up(nobody: &Api, user: &str) -> (Authenticator, u64, Vec<String>) {
    let session = nobody.sign_in(HOME, user, PASSWORD).await;
    let flow = begin_set_up(&session, Factor::Recovery).await;
    let shown = &flow["step"]["form"]["display"][0]["values"];
    let shown = shown.as_array().unwrap().iter();
    let codes = shown.map(|code| code.as_str().unwrap().to_owned());
    let codes = codes.collect();
    let done = answer(&session, &flow, Factor::Recovery, json!({ "kept": "true" })).await;
    let session = nobody.with_token(done["session"]["token"].as_str().unwrap());
    let flow = begin_set_up(&session, Factor::App).await;
    let shown = flow["step"]["form"]["display"].as_array().unwrap();
    let key = shown.iter().find(|item| item["type"] == "secret").unwrap();
    let key = key["value"].as_str().unwrap();
    let app = Authenticator::from_base32(key, Algorithm::Sha1, 6, PERIOD).unwrap();
    let step = app.step_at(seconds());
    let values = json!({ "code": app.code(step).as_str() });
    let done = answer(&session, &flow, Factor::App, values).await;
    assert_eq!(done["state"], "complete", "{done}");
    (app, step, codes)
}

async fn begin_set_up(session: &Api, factor: Factor) -> Value {
    let start = json!({ "transport": "token", "intent": "enrol", "provider": factor.provider() });
    let flow = session.post(FLOWS, start).await.expect(201);
    let reply = json!({ "provider": "password", "answer": { "password": PASSWORD } });
    session.post(&address_of(&flow), reply).await.expect(200)
}

async fn answer(session: &Api, flow: &Value, factor: Factor, values: Value) -> Value {
    let reply = json!({ "provider": factor.provider(), "answer": values });
    session.post(&address_of(flow), reply).await.expect(200)
}

/// A sign-in of which only this factor is left to prove.
async fn half(nobody: &Api, user: &str, factor: Factor) -> Value {
    let start = json!({ "tenant": HOME, "transport": "token" });
    let flow = nobody.post(FLOWS, start).await.expect(201);
    let values = json!({ "user_name": user, "password": PASSWORD });
    let reply = json!({ "provider": "password", "answer": values });
    nobody.post(&address_of(&flow), reply).await.expect(200);
    if factor == Factor::Recovery {
        // It begins when it is chosen.
        let chosen = json!({ "provider": factor.provider() });
        nobody.post(&address_of(&flow), chosen).await.expect(200);
    }
    flow
}

async fn confirm(nobody: &Api, flow: &Value, factor: Factor, code: &str) -> u16 {
    let reply = json!({ "provider": factor.provider(), "answer": { "code": code } });
    nobody.post(&address_of(flow), reply).await.status
}

fn address_of(flow: &Value) -> String {
    format!("{FLOWS}/{}", flow["id"].as_str().unwrap())
}

/// The seconds since 1970, as the servers have them.
#[expect(
    clippy::disallowed_methods,
    reason = "an app has a clock of its own, beside that of the real binary"
)]
fn seconds() -> u64 {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}
