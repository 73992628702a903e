//! R5 for flows and sessions: of many who give the last answer of one flow at once, at two servers, one gets the session
//! or sets the password; and a session ends once, with its device, whoever ends it.

use gatelodge_e2e::{api::Api, wait, world::HOME};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    pair::{AT_ONCE, MAILED, Pair, all_at_once, begin, fill, once, path_of, text},
    races::counted,
    report::Outcome,
    site::{Kind, PASSWORD},
};

const DUTY: &str = "duty:change-credential";

/// For one person after the other: 64 finish one sign-in, 64 choose a password by one link, 64 end one session.
pub async fn completion(kind: Kind, times: usize) -> Outcome {
    let mut outcome = Outcome::of(match kind {
        Kind::Sqlite => "race-flow-sqlite",
        Kind::Postgres => "race-flow-postgres",
    });
    let pair = Pair::on(kind).await;
    for round in 0..times {
        let user = format!("ada-{round}");
        let id = pair.user(&user).await;
        sign_in(&pair, (&user, &id), &mut outcome).await;
        let password = choose(&pair, (&user, &id), &mut outcome).await;
        end(&pair, (&user, &id), &password, &mut outcome).await;
        outcome.acknowledged += 3 * AT_ONCE;
        outcome.faults += 3;
    }
    outcome
}

/// What is no one-time thing, counted in the same way: 64 sign-ins with one password. Without
/// this, a race could be green for not counting.
pub async fn control(kind: Kind) -> Outcome {
    let mut outcome = Outcome::of("race-control");
    let pair = Pair::on(kind).await;
    pair.user("ada").await;
    let both = pair.both();
    let mut flows = Vec::new();
    for number in 0..AT_ONCE {
        flows.push(sign_in_begun(&both[number % 2]).await);
    }
    let statuses = all_at_once(|number| {
        let (program, flow) = (both[number % 2].clone(), flows[number].clone());
        async move { Some(enter(&program, &flow, "ada", PASSWORD, false).await.0) }
    });
    once(&mut outcome, "a password", &counted(statuses.await));
    outcome.faults += 1;
    outcome
}

async fn sign_in(pair: &Pair, (user, id): (&str, &str), outcome: &mut Outcome) {
    let both = pair.both();
    let flow = sign_in_begun(&both[0]).await;
    let statuses = all_at_once(|number| {
        let (program, flow, user) = (both[number % 2].clone(), flow.clone(), user.to_owned());
        async move { Some(enter(&program, &flow, &user, PASSWORD, false).await.0) }
    });
    let statuses = counted(statuses.await);
    once(outcome, "one sign-in", &statuses);
    outcome.add_answers(&statuses, &[Some(200), Some(404), Some(409)]);
    let begun = pair.sessions(id).await;
    outcome.expect(begun == 1, || format!("{begun} sessions of one sign-in"));
}

/// Each chooses another password: the one that was told so has it. Answers it.
async fn choose(pair: &Pair, (user, id): (&str, &str), outcome: &mut Outcome) -> String {
    let both = pair.both();
    let path = format!("/api/v1/tenants/{HOME}/users/{id}/links");
    let new = json!({ "purpose": "reset", "delivery": "told" });
    let made = pair.world.administrator.post(&path, new).await.expect(201);
    let link = text(&made["link"]);
    let (_, token) = link.split_once("?token=").unwrap();
    pair.keep_secret(token);
    let link = json!({ "purpose": "reset", "token": token });
    let flow = begin(&both[0], json!({ "tenant": HOME, "link": link })).await;
    let flow = flow.expect(201);
    fill(&both[1], &flow, MAILED, json!({})).await.expect(200);
    let answers = all_at_once(|number| {
        let (program, flow) = (both[number % 2].clone(), flow.clone());
        let values = json!({ "new_password": password(number) });
        async move { (number, fill(&program, &flow, DUTY, values).await.status) }
    });
    let answers = answers.await;
    let statuses = answers.iter().map(|(_, status)| Some(*status));
    let statuses = counted(statuses.collect());
    once(outcome, "one choice of a password", &statuses);
    let late = [Some(401), Some(404), Some(409)];
    outcome.add_answers(&statuses, &[&[Some(200)], &late[..]].concat());
    let mut chosen = password(0);
    for number in answers.iter().filter(|(_, status)| *status == 200) {
        chosen = password(number.0);
        let counts = both[1].try_sign_in(Some(HOME), user, &chosen).await.is_ok();
        outcome.expect(counts, || {
            "the password that was chosen is not set".to_owned()
        });
    }
    let before = both[1]
        .try_sign_in(Some(HOME), user, PASSWORD)
        .await
        .is_ok();
    outcome.expect(!before, || "the forgotten password still counts".to_owned());
    chosen
}

fn password(number: usize) -> String {
    format!("canary: a heron on the {number}th weir")
}

/// Who came by a device signs out 64 times at once, forgets the device and ends the session it was made in.
async fn end(pair: &Pair, (user, id): (&str, &str), password: &str, outcome: &mut Outcome) {
    let both = pair.both();
    let flow = sign_in_begun(&both[0]).await;
    let (_, made_in) = enter(&both[0], &flow, user, password, true).await;
    let device = text(&made_in["session"]["device_token"]);
    let made_in = both[0].with_token(&text(&made_in["session"]["token"]));
    let start = json!({ "device_token": device });
    let begun = begin(&both[1], start).await.expect(201);
    let next = text(&begun["session"]["device_token"]);
    let begun = both[0].with_token(&text(&begun["session"]["token"]));
    let own = begun.get("/api/v1/account/devices").await.expect(200);
    let forget = format!("/api/v1/account/devices/{}", text(&own["items"][0]["id"]));
    let programs = [pair.each(&made_in), pair.each(&begun)];
    let mut objects = vec![(id.to_owned(), "user.end_device")];
    for session in [&made_in, &begun] {
        let shown = session.get("/api/v1/session").await.expect(200);
        objects.push((text(&shown["session"]["id"]), "session.end"));
    }
    let statuses = all_at_once(|number| {
        let program = programs[number / 2 % 2][number % 2].clone();
        let path = match number % 8 {
            7 => forget.clone(),
            _ => "/api/v1/session".to_owned(),
        };
        async move {
            let sent = program.try_send(Method::DELETE, &path, None).await;
            sent.ok().map(|answer| answer.status)
        }
    });
    let statuses = counted(statuses.await);
    outcome.add_answers(&statuses, &[Some(204), Some(401), Some(404)]);
    is_over(&programs, outcome).await;
    let came = begin(&both[1], json!({ "device_token": next }))
        .await
        .status;
    outcome.expect(came == 401, || format!("the device goes on: {came}"));
    let mut events = Vec::new();
    for (object, action) in &objects {
        events.push(pair.events(object, action).await);
    }
    // Whichever came first ended the others with it.
    let once = events.iter().all(|count| *count <= 1) && events.iter().sum::<usize>() > 0;
    outcome.expect(once, || format!("ends of device and sessions: {events:?}"));
}

/// Both sessions are refused at both servers, soon.
async fn is_over(programs: &[[Api; 2]; 2], outcome: &mut Outcome) {
    for program in programs.iter().flatten() {
        let limit = std::time::Duration::from_secs(2);
        let refused = wait::holds_within(limit, async || !program.is_signed_in().await).await;
        outcome.expect(refused, || "a session that was ended goes on".to_owned());
    }
}

async fn sign_in_begun(program: &Api) -> Value {
    let flow = begin(program, json!({ "tenant": HOME })).await;
    flow.expect(201)
}

async fn enter(
    program: &Api,
    flow: &Value,
    user: &str,
    password: &str,
    stay: bool,
) -> (u16, Value) {
    let values = json!({ "user_name": user, "password": password });
    let reply = json!({ "provider": "password", "answer": values, "stay": stay });
    let answer = program.post(&path_of(flow), reply).await;
    (answer.status, answer.body)
}
