//! Authenticator apps and recovery codes, from setting them up to signing in
//! with them.

use std::time::Duration;

use futures_util::future::join_all;
use gatelodge_core::{
    access::Caller,
    model::{ClientFacts, Grant},
    secret::Token,
};
use gatelodge_provider_totp::{Algorithm, Authenticator};
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, Person, World, flow_path, on_each_storage};

const FLOWS: &str = "/api/v1/sign-in/flows";
const APP: &str = "totp";
const CODES: &str = "recovery-code";

on_each_storage!(
    an_app_is_set_up_and_confirms_every_sign_in_from_then_on,
    s15_a_code_counts_once_at_any_server_and_after_a_restart,
    s15_of_a_hundred_answers_with_one_code_one_succeeds,
    s16_a_recovery_code_counts_once_and_the_count_falls_by_one,
    s16_of_a_hundred_answers_with_one_recovery_code_one_succeeds,
    recovery_codes_alone_are_not_asked_for,
    a_new_set_of_recovery_codes_replaces_the_old_one,
    s11_guessing_a_code_is_limited_across_flows,
    s12_no_second_factor_is_set_up_without_the_one_that_is_there,
    an_administrator_removes_a_lost_factor_and_the_sessions_end,
    s12_nobody_removes_a_factor_of_the_own_account_unproven,
    s35_a_factor_is_found_only_at_its_owner,
);

/// Somebody with a password and a session.
async fn ada(world: &World) -> (Person, String) {
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    let token = world.token(&ada, PASSWORD).await;
    (ada, token)
}

pub(crate) async fn answer(world: &World, flow: &Value, provider: &str, values: Value) -> Answer {
    let body = json!({"provider": provider, "answer": values});
    world.post(flow_path(flow)).json(&body).send().await
}

/// Begins to set something up; the password is proven again.
pub(crate) async fn begin_set_up(world: &World, token: &str, provider: &str) -> Value {
    let body = json!({"transport": "token", "intent": "enrol", "provider": provider});
    let begun = world.post(FLOWS).bearer(token).json(&body).send().await;
    let flow = begun.expect(201).json();
    let proof = json!({"password": PASSWORD});
    answer(world, &flow, "password", proof)
        .await
        .expect(200)
        .json()
}

/// What a form shows of this type.
fn shown<'a>(flow: &'a Value, kind: &str) -> &'a Value {
    let displays = flow["step"]["form"]["display"].as_array().unwrap();
    let found = displays.iter().find(|display| display["type"] == kind);
    found.unwrap_or_else(|| panic!("no {kind} in {flow}"))
}

fn app_in(flow: &Value) -> Authenticator {
    let key = shown(flow, "secret")["value"].as_str().unwrap();
    Authenticator::from_base32(key, Algorithm::Sha1, 6, 30).unwrap()
}

fn step_at(world: &World) -> u64 {
    u64::try_from(world.platform.now().as_second()).unwrap() / 30
}

fn session_of(done: &Answer) -> String {
    let token = done.json()["session"]["token"].clone();
    token.as_str().unwrap().to_owned()
}

/// Sets an app up; answers it with the session that goes on.
pub(crate) async fn set_up_app(world: &World, token: &str) -> (Authenticator, String) {
    let flow = begin_set_up(world, token, APP).await;
    let app = app_in(&flow);
    let values = json!({"code": app.code(step_at(world)).as_str(), "name": "Phone"});
    let done = answer(world, &flow, APP, values).await.expect(200);
    (app, session_of(&done))
}

/// Makes a set of recovery codes; answers them with the session that goes on.
pub(crate) async fn set_up_codes(world: &World, token: &str) -> (Vec<String>, String) {
    let flow = begin_set_up(world, token, CODES).await;
    let codes = shown(&flow, "code_list")["values"].clone();
    let codes = codes.as_array().unwrap().iter();
    let codes = codes.map(|code| code.as_str().unwrap().to_owned());
    let done = answer(world, &flow, CODES, json!({"kept": "true"}));
    (codes.collect(), session_of(&done.await.expect(200)))
}

/// A sign-in in which the password is proven.
async fn half(world: &World, person: &Person) -> Value {
    let flow = world.begin(json!({"tenant": person.tenant_name})).await;
    let entered = world.enter(&flow, &person.name, PASSWORD).await;
    entered.expect(200).json()
}

/// The same, with the recovery code chosen as the way on.
async fn half_with_code_asked(world: &World, person: &Person) -> Value {
    let flow = half(world, person).await;
    let body = json!({"provider": CODES});
    let chosen = world.post(flow_path(&flow)).json(&body).send().await;
    chosen.expect(200).json()
}

async fn confirm(world: &World, person: &Person, code: &str) -> Answer {
    let flow = half(world, person).await;
    answer(world, &flow, APP, json!({"code": code})).await
}

async fn recover(world: &World, person: &Person, code: &str) -> Answer {
    let flow = half_with_code_asked(world, person).await;
    answer(world, &flow, CODES, json!({"code": code})).await
}

/// What the account page says of the recovery codes.
async fn left(world: &World, token: &str) -> Vec<String> {
    let token = Token::parse(token).unwrap();
    let checked = world.platform.sessions().check(&token).await;
    let caller = Caller {
        principal: checked.unwrap().unwrap().principal(),
        client: ClientFacts::default(),
    };
    let methods = world.platform.accounts().sign_in_methods(&caller).await;
    let methods = methods.unwrap().into_iter();
    let of_codes = methods.filter(|method| method.provider.as_str() == CODES);
    of_codes
        .flat_map(|method| method.credentials)
        .map(|credential| credential.label)
        .collect()
}

/// On the same kind of storage, without the limits that a hundred answers meet.
async fn without_limits(world: &World) -> World {
    let unlimited = |config: &mut gatelodge_server::config::Config| {
        config.limits.free_tries = 10_000;
        config.limits.disable_after = 10_000;
    };
    world.another_with(unlimited).await
}

/// How many of the answers led to a session; the others were refused.
#[track_caller]
fn successes(answers: &[Answer]) -> usize {
    let refused = answers.iter().filter(|answer| answer.status == 401);
    assert!(refused.clone().all(|a| a.code() == "sign_in_refused"));
    let refused = refused.count();
    let done = answers.iter().filter(|answer| answer.status == 200);
    let done = done.filter(|answer| answer.json()["state"] == "complete");
    let done = done.count();
    assert_eq!(done + refused, answers.len(), "nothing else came of them");
    done
}

async fn an_app_is_set_up_and_confirms_every_sign_in_from_then_on(world: &World) {
    let (ada, token) = ada(world).await;
    let other = world.token(&ada, PASSWORD).await;
    let flow = begin_set_up(world, &token, APP).await;
    assert_eq!(flow["step"]["kind"], "prompt");
    let app = app_in(&flow);
    let uri = shown(&flow, "qr")["value"].as_str().unwrap();
    let expected = format!(
        "otpauth://totp/home:ada?secret={}&issuer=home",
        app.base32().as_str()
    );
    assert_eq!(uri, expected);

    // A wrong code is refused, and the same seed can be tried again.
    let step = step_at(world);
    let wrong = json!({"code": app.code(step + 9).as_str()});
    let refused = answer(world, &flow, APP, wrong).await;
    refused.expect_problem(401, "sign_in_refused");
    let malformed = answer(world, &flow, APP, json!({"code": "12 34"})).await;
    let malformed = malformed.expect_problem(422, "validation_failed");
    assert_eq!(malformed.fields(), ["code"]);
    let right = json!({"code": app.code(step).as_str(), "name": "Phone"});
    let done = answer(world, &flow, APP, right).await.expect(200);
    // S20: the sessions of before are over, the one that did it goes on.
    assert!(world.accepts(&session_of(&done)).await);
    assert!(!world.accepts(&token).await && !world.accepts(&other).await);

    let half = half(world, &ada).await;
    assert_eq!(half["state"], "active");
    let offers = half["step"]["providers"].as_array().unwrap();
    assert_eq!(offers.len(), 1, "no recovery codes are set up");
    assert_eq!(offers[0]["id"], APP);
    let field = &offers[0]["form"]["fields"][0];
    assert_eq!(
        (&field["name"], &field["autocomplete"]),
        (&json!("code"), &json!("one-time-code"))
    );
    let code = app.code(step + 1);
    let (first, rest) = code.split_at(3);
    let spaced = json!({"code": format!("{first} {rest}")});
    let done = answer(world, &half, APP, spaced).await.expect(200);
    assert_eq!(done.json()["session"]["amr"], json!(["pwd", "otp", "mfa"]));
}

/// v5.0.0-6.5.1.
async fn s15_a_code_counts_once_at_any_server_and_after_a_restart(world: &World) {
    let (ada, token) = ada(world).await;
    let (app, _) = set_up_app(world, &token).await;
    let set_up = step_at(world);
    // The code that set it up is spent, and the one before it.
    for step in [set_up, set_up - 1] {
        let spent = confirm(world, &ada, &app.code(step)).await;
        spent.expect_problem(401, "sign_in_refused");
    }
    world.pass(Duration::from_secs(90));
    let step = step_at(world);
    confirm(world, &ada, &app.code(step)).await.expect(200);
    let restarted = world.second_server().await;
    for server in [world, &restarted] {
        for spent in [step, step - 1] {
            let again = confirm(server, &ada, &app.code(spent)).await;
            again.expect_problem(401, "sign_in_refused");
        }
    }
    // Of the drift window's other side, the same.
    let ahead = app.code(step + 1);
    confirm(&restarted, &ada, &ahead).await.expect(200);
    world.pass(Duration::from_secs(30));
    for server in [world, &restarted] {
        let again = confirm(server, &ada, &ahead).await;
        again.expect_problem(401, "sign_in_refused");
    }
    let fresh = confirm(world, &ada, &app.code(step + 2)).await;
    fresh.expect(200);
}

/// v5.0.0-6.5.1.
async fn s15_of_a_hundred_answers_with_one_code_one_succeeds(world: &World) {
    let world = without_limits(world).await;
    let (ada, token) = ada(&world).await;
    let (app, _) = set_up_app(&world, &token).await;
    world.pass(Duration::from_secs(60));
    let other = world.second_server().await;
    let mut halves = Vec::new();
    for _ in 0..100 {
        halves.push(half(&world, &ada).await);
    }
    let values = json!({"code": app.code(step_at(&world)).as_str()});
    let answers = halves.iter().zip(0..).map(|(flow, number)| {
        let server = if number % 2 == 0 { &world } else { &other };
        answer(server, flow, APP, values.clone())
    });
    assert_eq!(successes(&join_all(answers).await), 1);
}

/// v5.0.0-6.5.1.
async fn s16_a_recovery_code_counts_once_and_the_count_falls_by_one(world: &World) {
    let (ada, token) = ada(world).await;
    let (codes, token) = set_up_codes(world, &token).await;
    assert_eq!(codes.len(), 10);
    assert_eq!(left(world, &token).await, ["10 codes left"]);
    let (app, _) = set_up_app(world, &token).await;
    world.pass(Duration::from_secs(60));

    let offers = half(world, &ada).await["step"]["providers"].clone();
    let ids: Vec<_> = offers
        .as_array()
        .unwrap()
        .iter()
        .map(|o| &o["id"])
        .collect();
    assert_eq!(ids, [APP, CODES]);
    let done = recover(world, &ada, &codes[4]).await.expect(200);
    assert_eq!(done.json()["session"]["amr"], json!(["pwd", "otp", "mfa"]));
    let token = session_of(&done);
    assert_eq!(left(world, &token).await, ["9 codes left"]);
    let restarted = world.second_server().await;
    let lower = codes[4].to_lowercase().replace('-', " ");
    for (server, code) in [(world, &codes[4]), (world, &lower), (&restarted, &codes[4])] {
        let again = recover(server, &ada, code).await;
        again.expect_problem(401, "sign_in_refused");
    }
    assert_eq!(left(world, &token).await, ["9 codes left"]);
    // The others are as good as before, and so is the app.
    let typed = codes[0].to_lowercase().replace('-', "");
    recover(&restarted, &ada, &typed).await.expect(200);
    assert_eq!(left(world, &token).await, ["8 codes left"]);
    let code = app.code(step_at(world));
    confirm(world, &ada, &code).await.expect(200);
}

/// v5.0.0-6.5.1.
async fn s16_of_a_hundred_answers_with_one_recovery_code_one_succeeds(world: &World) {
    let world = without_limits(world).await;
    let (ada, token) = ada(&world).await;
    let (codes, token) = set_up_codes(&world, &token).await;
    let (_, token) = set_up_app(&world, &token).await;
    let other = world.second_server().await;
    let mut halves = Vec::new();
    for _ in 0..100 {
        halves.push(half_with_code_asked(&world, &ada).await);
    }
    let answers = halves.iter().zip(0..).map(|(flow, number)| {
        let server = if number % 2 == 0 { &world } else { &other };
        answer(server, flow, CODES, json!({"code": codes[7]}))
    });
    assert_eq!(successes(&join_all(answers).await), 1);
    assert_eq!(left(&world, &token).await, ["9 codes left"]);
}

async fn recovery_codes_alone_are_not_asked_for(world: &World) {
    let (ada, token) = ada(world).await;
    let (codes, _) = set_up_codes(world, &token).await;
    let signed_in = world.sign_in(&ada, PASSWORD).await.expect(200);
    assert_eq!(signed_in.json()["state"], "complete");
    // Where two factors are asked for, they are the second one.
    let start = json!({"tenant": ada.tenant_name, "acr": "aal2"});
    let flow = world.begin(start).await;
    let half = world.enter(&flow, &ada.name, PASSWORD).await.expect(200);
    assert_eq!(half.json()["step"]["providers"][0]["id"], CODES);
    let body = json!({"provider": CODES});
    let asked = world.post(flow_path(&flow)).json(&body).send().await;
    asked.expect(200);
    let done = answer(world, &flow, CODES, json!({"code": codes[0]})).await;
    let done = done.expect(200).json();
    assert_eq!(done["session"]["amr"], json!(["pwd", "otp", "mfa"]));
}

async fn a_new_set_of_recovery_codes_replaces_the_old_one(world: &World) {
    let (ada, token) = ada(world).await;
    let (old, token) = set_up_codes(world, &token).await;
    // Nothing changes before somebody says that the new ones are put aside.
    let flow = begin_set_up(world, &token, CODES).await;
    let unread = answer(world, &flow, CODES, json!({})).await;
    let unread = unread.expect_problem(422, "validation_failed");
    assert_eq!(unread.fields(), ["kept"]);
    let (new, token) = set_up_codes(world, &token).await;
    assert_eq!(left(world, &token).await, ["10 codes left"]);
    set_up_app(world, &token).await;
    let gone = recover(world, &ada, &old[0]).await;
    gone.expect_problem(401, "sign_in_refused");
    recover(world, &ada, &new[0]).await.expect(200);
}

/// v5.0.0-6.3.1: anew with each flow, and whatever it is that is guessed.
async fn s11_guessing_a_code_is_limited_across_flows(world: &World) {
    let (ada, token) = ada(world).await;
    let (codes, token) = set_up_codes(world, &token).await;
    let (app, _) = set_up_app(world, &token).await;
    world.pass(Duration::from_secs(60));
    for _ in 0..10 {
        let wrong = app.code(step_at(world) + 9);
        let refused = confirm(world, &ada, &wrong).await;
        refused.expect_problem(401, "sign_in_refused");
        let wrong = "4711-4711-4711-4711-4711-4711";
        let refused = recover(world, &ada, wrong).await;
        refused.expect_problem(401, "sign_in_refused");
    }
    let right = app.code(step_at(world));
    let limited = confirm(world, &ada, &right).await;
    limited.expect_problem(429, "too_many_requests");
    let limited = recover(world, &ada, &codes[0]).await;
    limited.expect_problem(429, "too_many_requests");
    world.pass(Duration::from_secs(31));
    let right = app.code(step_at(world));
    confirm(world, &ada, &right).await.expect(200);
}

async fn s12_no_second_factor_is_set_up_without_the_one_that_is_there(world: &World) {
    let (_, token) = ada(world).await;
    let (app, token) = set_up_app(world, &token).await;
    for provider in [APP, CODES] {
        let flow = begin_set_up(world, &token, provider).await;
        assert_eq!(flow["step"]["kind"], "choose", "the app is asked for");
        assert!(!flow.to_string().contains("otpauth:"));
        let early = answer(world, &flow, CODES, json!({"kept": "true"})).await;
        early.expect_problem(404, "not_found");
        let wrong = json!({"code": app.code(step_at(world) + 9).as_str()});
        let refused = answer(world, &flow, APP, wrong).await;
        refused.expect_problem(401, "sign_in_refused");
    }
    world.pass(Duration::from_secs(60));
    let flow = begin_set_up(world, &token, APP).await;
    let proof = json!({"code": app.code(step_at(world)).as_str()});
    let flow = answer(world, &flow, APP, proof).await.expect(200).json();
    let second = app_in(&flow);
    assert_ne!(*second.base32(), *app.base32());
    let values = json!({"code": second.code(step_at(world)).as_str()});
    answer(world, &flow, APP, values).await.expect(200);
}

/// An administrator of `home`, and the token of a session.
async fn administrator(world: &World) -> (Person, String) {
    let boss = world.person_with_password("home", "boss").await;
    world.grant(&boss, Grant::TenantAdministrator).await;
    let token = world.token(&boss, PASSWORD).await;
    (boss, token)
}

/// What an administrator sees of somebody's second factors.
async fn factors(world: &World, of: &Person, token: &str) -> Vec<Value> {
    let path = format!("{}/factors", of.path());
    let listed = world.get(path).bearer(token).send().await.expect(200);
    listed.json()["items"].as_array().unwrap().clone()
}

async fn remove(world: &World, of: &Person, factor: &Value, token: &str) -> Answer {
    let id = factor["id"].as_str().unwrap();
    let path = format!("{}/factors/{id}", of.path());
    world.delete(path).bearer(token).send().await
}

/// F6.
async fn an_administrator_removes_a_lost_factor_and_the_sessions_end(world: &World) {
    let (ada, token) = ada(world).await;
    let (_, token) = set_up_codes(world, &token).await;
    let (app, token) = set_up_app(world, &token).await;
    let (_, boss) = administrator(world).await;
    let set_up = factors(world, &ada, &boss).await;
    let seen: Vec<_> = set_up.iter().map(|f| (&f["kind"], &f["label"])).collect();
    let expected = [
        (json!(APP), json!("Phone")),
        (json!(CODES), json!("10 codes left")),
    ];
    assert_eq!(seen, expected.each_ref().map(|(kind, label)| (kind, label)));
    assert!(!json!(set_up).to_string().contains(app.base32().as_str()));

    let under_way = half(world, &ada).await;
    remove(world, &ada, &set_up[0], &boss).await.expect(204);
    assert!(!world.accepts(&token).await);
    assert_eq!(factors(world, &ada, &boss).await, set_up[1..]);
    let again = remove(world, &ada, &set_up[0], &boss).await;
    again.expect_problem(404, "not_found");
    world.pass(Duration::from_secs(60));
    let values = json!({"code": app.code(step_at(world)).as_str()});
    let late = answer(world, &under_way, APP, values).await;
    assert_ne!(late.status, 200, "{late}");
    // What stands in for the app is not asked for without it.
    let signed_in = world.sign_in(&ada, PASSWORD).await.expect(200);
    assert_eq!(signed_in.json()["state"], "complete");
    let events = world.get("/api/v1/tenants/home/audit-events");
    let events = events.bearer(&boss).send().await.expect(200).json();
    let events = events["items"].as_array().unwrap();
    let event = events.iter().find(|e| e["action"] == "user.remove_factor");
    assert!(event.unwrap().to_string().contains("Phone"), "{event:?}");
}

async fn s12_nobody_removes_a_factor_of_the_own_account_unproven(world: &World) {
    world.tenant("home").await;
    let (boss, token) = administrator(world).await;
    let (_, token) = set_up_app(world, &token).await;
    let own = factors(world, &boss, &token).await;
    let refused = remove(world, &boss, &own[0], &token).await;
    refused.expect_problem(409, "refused");
    assert_eq!(factors(world, &boss, &token).await, own);
    assert_eq!(half(world, &boss).await["state"], "active");
}

async fn s35_a_factor_is_found_only_at_its_owner(world: &World) {
    let (ada, token) = ada(world).await;
    set_up_app(world, &token).await;
    let other = world.person_with_password("home", "grace").await;
    let (_, boss) = administrator(world).await;
    let set_up = factors(world, &ada, &boss).await;
    let elsewhere = remove(world, &other, &set_up[0], &boss).await;
    elsewhere.expect_problem(404, "not_found");
    let malformed = json!({"id": "no-id"});
    let malformed = remove(world, &ada, &malformed, &boss).await;
    malformed.expect_problem(404, "not_found");
    assert_eq!(factors(world, &ada, &boss).await, set_up);
}
