//! R5, R6, R7: what may be had once is had once however many ask at once, whoever guesses is stopped in time however
//! many guess at once, and what one node ended the other does not let in.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use gatelodge_e2e::{
    api::Api,
    nodes::{Nodes, UNLIMITED},
    place::Place,
    revocation::Seen,
    storage::{Postgres, Storage},
    world::{ADMINISTRATOR, ADMINISTRATORS_PASSWORD, HOME, World},
};
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    report::Outcome,
    site::{Kind, PASSWORD, USER},
};

/// How many ask at once with one link for what may be had once.
const AT_ONCE: usize = 64;
/// Tries that cost nothing.
const LIMIT: usize = 10;
/// How long another node may let in what was ended.
const SECOND: Duration = Duration::from_secs(1);

/// R5: two servers start at once on an empty database, each with a link. 64 use each link at once, half on each server.
pub async fn set_up_token(times: usize) -> Outcome {
    let mut outcome = Outcome::of("race-set-up");
    for _ in 0..times {
        let postgres = tokio::task::spawn_blocking(Postgres::new).await.unwrap();
        let storage = Storage::Postgres(postgres);
        let one = Place::on(storage.clone()).configured(UNLIMITED);
        let other = one.beside(storage);
        let (here, there) = tokio::join!(one.serve(), other.serve());
        one.secrets().keep(ADMINISTRATORS_PASSWORD);
        let tokens = [here.set_up_token(), there.set_up_token()];
        let mut asking = JoinSet::new();
        for number in 0..2 * AT_ONCE {
            let program = Api::new([&here, &there][number % 2]);
            let body = json!({
                "token": tokens[number / 2 % 2],
                "tenant": HOME,
                "user_name": ADMINISTRATOR,
                "password": ADMINISTRATORS_PASSWORD,
            });
            asking.spawn(async move { Some(program.post("/api/v1/setup", body).await.status) });
        }
        let statuses = counted(asking.join_all().await);
        let made = statuses.get(&Some(201)).copied().unwrap_or_default();
        outcome.expect(made == 1, || format!("{made} set-ups: {statuses:?}"));
        let mut expected = vec![Some(201)];
        expected.extend((400..500).map(Some));
        outcome.add_answers(&statuses, &expected);
        outcome.acknowledged += 2 * AT_ONCE;
        outcome.faults += 1;
    }
    outcome
}

/// R6: so many wrong passwords for one person at once: no more are looked at than the limit says.
pub async fn lock_out(kind: Kind, times: usize, guesses: usize) -> Outcome {
    let mut outcome = Outcome::of(match kind {
        Kind::Sqlite => "race-lock-sqlite",
        Kind::Postgres => "race-lock-postgres",
    });
    let config = UNLIMITED.replace("free_tries = 99", &format!("free_tries = {LIMIT}"));
    let world = World::of(Place::on(kind.storage()).configured(&config)).await;
    let mut looked_at = Vec::new();
    for round in 0..times {
        let user = format!("{USER}-{round}");
        let new = json!({ "user_name": user, "password": PASSWORD, "must_change_password": false });
        let path = format!("/api/v1/tenants/{HOME}/users");
        world.administrator.post(&path, new).await.expect(201);
        let mut guessing = JoinSet::new();
        for (number, flow) in flows(&world, guesses).await.into_iter().enumerate() {
            let nobody = world.nobody();
            let wrong = format!("canary: a wrong song, number {number}");
            let answer = json!({ "user_name": user, "password": wrong });
            let answer = json!({ "provider": "password", "answer": answer });
            guessing.spawn(async move {
                let path = format!("/api/v1/sign-in/flows/{flow}");
                let sent = nobody.try_send(Method::POST, &path, Some(answer)).await;
                sent.ok().map(|answer| answer.status)
            });
        }
        let statuses = counted(guessing.join_all().await);
        let refused = statuses.get(&Some(401)).copied().unwrap_or_default();
        looked_at.push(refused);
        outcome.expect(refused <= LIMIT, || {
            format!("{refused} guesses were looked at: {statuses:?}")
        });
        // On a machine that is busy enough a client gives up before it has an answer.
        outcome.add_answers(&statuses, &[Some(401), Some(429), None]);
        let right = world.nobody();
        let right = right.try_sign_in(Some(HOME), &user, PASSWORD).await;
        outcome.expect(right.is_err(), || "nobody was slowed down".to_owned());
        outcome.acknowledged += guesses;
        outcome.faults += 1;
    }
    outcome.measure("looked at", format!("{looked_at:?}"));
    outcome
}

/// Sign-ins that have begun.
async fn flows(world: &World, count: usize) -> Vec<String> {
    let nobody = world.nobody();
    let mut flows = Vec::new();
    for _ in 0..count {
        let start = json!({ "tenant": HOME, "transport": "token" });
        let flow = nobody.post("/api/v1/sign-in/flows", start).await;
        flows.push(flow.expect(201)["id"].as_str().unwrap().to_owned());
    }
    flows
}

/// R7: sessions that one node ends while both are busy; the other is asked for them from then on.
pub async fn revocation(times: usize) -> Outcome {
    let mut outcome = Outcome::of("revoke-two-nodes");
    let nodes = Nodes::new("").await;
    let busy = [nodes.world.nobody(), nodes.nobody_there()];
    let mut load = JoinSet::new();
    for nobody in busy {
        load.spawn(async move {
            loop {
                let start = json!({ "tenant": HOME, "transport": "token" });
                nobody.post("/api/v1/sign-in/flows", start).await;
            }
        });
    }
    let password = nodes.world.user(HOME, "leaver").await;
    let mut all = Seen::default();
    let mut late = Vec::new();
    for _ in 0..times {
        let here = nodes.world.nobody();
        let here = here.sign_in(HOME, "leaver", &password).await;
        let there = here.at(&nodes.other);
        // By now it has it in memory.
        for _ in 0..2 {
            there.get("/api/v1/session").await.expect(200);
        }
        here.delete("/api/v1/session").await.expect(204);
        let seen = Seen::until_refused(&there, Instant::now()).await;
        outcome.expect(seen.accepted < SECOND, || seen.to_string());
        late.push(seen.accepted);
        all.add(&seen);
        outcome.faults += 1;
        outcome.acknowledged += 1;
    }
    load.shutdown().await;
    outcome.measure_all("let in after the end", &late);
    for (status, count) in all.answers {
        outcome.answers.insert(Some(status), count);
    }
    outcome
}

/// How often each status was answered.
pub(crate) fn counted(statuses: Vec<Option<u16>>) -> BTreeMap<Option<u16>, usize> {
    let mut counted = BTreeMap::new();
    for status in statuses {
        *counted.entry(status).or_default() += 1;
    }
    counted
}
