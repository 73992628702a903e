//! R5 for devices that stay signed in. A token is worth one sign-in, and its successor the next; whoever loses a race of
//! one browser's tabs keeps the same successor. So of many who come at once, at two servers, all have one successor, and
//! nobody is taken for a thief; with a token from before that the device ends, once.

use std::collections::BTreeSet;

use gatelodge_e2e::{api::Api, wait, world::HOME};
use serde_json::{Value, json};

use crate::{
    pair::{AT_ONCE, FLOWS, Pair, all_at_once, begin, path_of},
    races::counted,
    report::Outcome,
    site::{Kind, PASSWORD},
};

const OWN: &str = "/api/v1/account/devices";
const ENDED: &str = "user.end_device";

/// What came of a token: the status, the session and the successor.
type Came = (u16, Option<String>, Option<String>);

/// 64 come at once with the token that a device holds, then 64 of which every second one has a stolen token.
pub async fn redemption(kind: Kind, times: usize) -> Outcome {
    let mut outcome = Outcome::of(match kind {
        Kind::Sqlite => "race-device-sqlite",
        Kind::Postgres => "race-device-postgres",
    });
    let pair = Pair::on(kind).await;
    for round in 0..times {
        let user = format!("ada-{round}");
        let id = pair.verified_user(&user).await;
        let first = stay(&pair.world.nobody(), &user).await;
        let (current, session) =
            one_successor(&pair, (&user, &id), first.clone(), &mut outcome).await;
        one_end(
            &pair,
            (&user, &id),
            [first, current],
            &session,
            &mut outcome,
        )
        .await;
        outcome.acknowledged += 2 * AT_ONCE;
        outcome.faults += 2;
    }
    outcome
}

/// Answers the token that the device holds in the end, and a session of it.
async fn one_successor(
    pair: &Pair,
    (user, id): (&str, &str),
    token: String,
    outcome: &mut Outcome,
) -> (String, Api) {
    let came = together(pair, |_| token.clone()).await;
    let successors: BTreeSet<_> = came
        .iter()
        .filter_map(|(_, _, next)| next.clone())
        .collect();
    successors.iter().for_each(|next| pair.keep_secret(next));
    let statuses = statuses(&came);
    outcome.add_answers(&statuses, &[Some(201)]);
    outcome.expect(successors.len() == 1, || {
        format!("{} successors of one token: {statuses:?}", successors.len())
    });
    let [here, there] = pair.both();
    let next = successors.into_iter().next().unwrap_or_default();
    let (status, session, current) = come(&there, &next).await;
    outcome.expect(status == 201, || format!("the successor: {status}"));
    let session = here.with_token(&session.unwrap_or_default());
    let devices = session.get(OWN).await;
    let devices = devices.body["items"].as_array().map_or(0, Vec::len);
    outcome.expect(devices == 1, || format!("{devices} devices of one"));
    let events = pair.events(id, ENDED).await;
    let mails = pair.mails(user, THEFT).len();
    outcome.expect(events + mails == 0, || {
        format!("tabs of one browser are taken for thieves: {events} events, {mails} mails")
    });
    (current.unwrap_or_default(), session)
}

/// The subject of the mail about a theft.
const THEFT: &str = "A device that was remembered may have been copied";

/// The owner comes while somebody else does who has an older token: it ends, once, with all that began by it.
async fn one_end(
    pair: &Pair,
    (user, id): (&str, &str),
    [stolen, current]: [String; 2],
    before: &Api,
    outcome: &mut Outcome,
) {
    let came = together(pair, |number| match number / 2 % 2 {
        0 => current.clone(),
        _ => stolen.clone(),
    });
    let came = came.await;
    outcome.add_answers(&statuses(&came), &[Some(201), Some(401)]);
    let thieves = came
        .iter()
        .enumerate()
        .filter(|(number, _)| number / 2 % 2 == 1);
    let got_in = thieves.filter(|(_, (status, ..))| *status != 401).count();
    outcome.expect(got_in == 0, || format!("{got_in} came by a stolen token"));
    let [here, there] = pair.both();
    for (_, session, next) in came {
        let Some(session) = session else { continue };
        still_refused(&here.with_token(&session), &there, outcome).await;
        let (status, ..) = come(&there, &next.unwrap_or_default()).await;
        outcome.expect(status == 401, || {
            format!("the device goes on after a theft: {status}")
        });
    }
    still_refused(before, &there, outcome).await;
    wait::until("the owner is told", async || {
        !pair.mails(user, THEFT).is_empty()
    })
    .await;
    let (events, mails) = (pair.events(id, ENDED).await, pair.mails(user, THEFT).len());
    outcome.expect((events, mails) == (1, 1), || {
        format!("one theft is {events} events and {mails} mails")
    });
}

/// A session is refused at both servers, soon.
async fn still_refused(session: &Api, there: &Api, outcome: &mut Outcome) {
    for program in [session.clone(), there.with_token(session.token())] {
        let limit = std::time::Duration::from_secs(2);
        let refused = wait::holds_within(limit, async || !program.is_signed_in().await).await;
        outcome.expect(refused, || {
            "a session of a stolen device goes on".to_owned()
        });
    }
}

/// A sign-in that stays; answers the device's token.
async fn stay(nobody: &Api, user: &str) -> String {
    let flow = begin(nobody, json!({ "tenant": HOME })).await.expect(201);
    let values = json!({ "user_name": user, "password": PASSWORD });
    let reply = json!({ "provider": "password", "answer": values, "stay": true });
    let done = nobody.post(&path_of(&flow), reply).await.expect(200);
    told(&done, "device_token").unwrap_or_else(|| panic!("no device: {done}"))
}

/// Many come at once, every second one to the other server.
async fn together(pair: &Pair, token: impl Fn(usize) -> String) -> Vec<Came> {
    let both = pair.both();
    let came = all_at_once(|number| {
        let (program, token) = (both[number % 2].clone(), token(number));
        async move { (number, come(&program, &token).await) }
    });
    let mut came = came.await;
    came.sort_by_key(|(number, _)| *number);
    came.into_iter().map(|(_, came)| came).collect()
}

async fn come(program: &Api, token: &str) -> Came {
    let start = json!({ "transport": "token", "device_token": token });
    let answer = program.post(FLOWS, start).await;
    let [session, next] = ["token", "device_token"].map(|name| told(&answer.body, name));
    (answer.status, session, next)
}

fn told(flow: &Value, name: &str) -> Option<String> {
    let token = flow["session"][name].as_str()?;
    Some(token.to_owned())
}

fn statuses(came: &[Came]) -> std::collections::BTreeMap<Option<u16>, usize> {
    counted(came.iter().map(|(status, ..)| Some(*status)).collect())
}
