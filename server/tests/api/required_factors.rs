//! Second factors that an organisation requires, and those that people remove from
//! their own account.

use std::time::Duration;

use gatelodge_core::{
    access::Caller,
    environment::{earlier, later},
    model::{
        AuditEvent, AuditFilter, Grant, SecondFactorRule, SecondFactorSettings, TenantSettings,
    },
    storage::Page,
};
use gatelodge_provider_totp::{Algorithm, Authenticator};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    devices::{DAY, come, enter_and_stay, is_refused, stay, text},
    second_factors::{answer, begin_set_up, set_up_app, set_up_codes},
    support::{
        Answer, OTHER_PASSWORD, PASSWORD, Person, World, flow_path, link_of, on_each_storage,
    },
};

const APP: &str = "totp";
const CODES: &str = "recovery-code";
const FLOWS: &str = "/api/v1/sign-in/flows";
const OWN: &str = "/api/v1/account/factors";
const REMOVE: &str = "duty:remove-factor";

on_each_storage!(
    s12_who_has_none_sets_one_up_at_sign_in_and_nothing_else_gets_past_it,
    s12_until_the_date_people_are_reminded_and_from_then_on_asked,
    s12_a_reset_leads_to_it_and_not_past_it,
    s12_a_remembered_device_gets_in_only_as_long_as_it_may_wait,
    s12_recovery_codes_are_not_what_is_required,
    s12_a_rule_for_administrators_holds_for_who_becomes_one,
    where_it_is_off_nothing_is_set_up,
    a_second_server_asks_all_the_same,
    s12_one_of_several_ways_is_chosen,
    a_factor_is_removed_by_its_owner_after_a_proof,
    s12_the_last_required_factor_stays,
);

async fn ada(world: &World) -> Person {
    world.tenant("home").await;
    world.person_with_password("home", "ada").await
}

async fn put(
    world: &World,
    person: &Person,
    everyone: Option<SecondFactorRule>,
    administrators: Option<SecondFactorRule>,
    required_from: Option<Timestamp>,
) {
    let second_factor = SecondFactorSettings {
        everyone,
        administrators,
        required_from,
    };
    let settings = TenantSettings {
        second_factor,
        ..TenantSettings::default()
    };
    world.put_settings(person.tenant, settings).await;
}

async fn require(world: &World, person: &Person, from: Option<Timestamp>) {
    put(world, person, Some(SecondFactorRule::Required), None, from).await;
}

/// A step that asks for a second factor to be set up.
#[track_caller]
fn assert_asks(flow: &Value, due: Option<Timestamp>) {
    assert_eq!(flow["state"], "active", "{flow}");
    let step = &flow["step"];
    assert_eq!(step["reason"], "second_factor_required", "{flow}");
    assert_eq!(step["kind"], "prompt", "one way is not chosen");
    assert_eq!(step["provider"], APP);
    let said = step["due"].as_str().map(|due| due.parse().unwrap());
    assert_eq!(said, due);
    let actions = step["form"]["actions"].as_array().cloned();
    let actions = actions.unwrap_or_default();
    let later = actions.iter().any(|action| action["id"] == "later");
    assert_eq!(later, due.is_some());
}

/// What was recorded of this kind in the tenant of a person.
async fn recorded(world: &World, person: &Person, action: &str) -> Vec<AuditEvent> {
    let (log, operator) = (world.platform.audit_log(), Caller::operator());
    let filter = AuditFilter::default();
    let listed = log.list(&operator, person.tenant, &filter, Page::first(200));
    let events = listed.await.unwrap().items.into_iter();
    events.filter(|event| event.action == action).collect()
}

async fn half(world: &World, person: &Person) -> Value {
    let answer = world.sign_in(person, PASSWORD).await;
    answer.expect(200).json()
}

async fn press(world: &World, flow: &Value, provider: &str, action: &str) -> Answer {
    let body = json!({"provider": provider, "action": action});
    world.post(flow_path(flow)).json(&body).send().await
}

/// Sets an app up with what the flow shows; answers it with the answer.
async fn scan(world: &World, flow: &Value) -> (Authenticator, Answer) {
    let displays = flow["step"]["form"]["display"].as_array().unwrap();
    let secret = displays.iter().find(|display| display["type"] == "secret");
    let key = secret.unwrap()["value"].as_str().unwrap();
    let app = Authenticator::from_base32(key, Algorithm::Sha1, 6, 30).unwrap();
    let code = app.code(step_at(world)).to_string();
    let done = answer(world, flow, APP, json!({"code": code})).await;
    (app, done)
}

fn step_at(world: &World) -> u64 {
    u64::try_from(world.platform.now().as_second()).unwrap() / 30
}

fn session_of(done: &Answer) -> String {
    text(&done.json()["session"]["token"])
}

/// v5.0.0-6.3.3.
async fn s12_who_has_none_sets_one_up_at_sign_in_and_nothing_else_gets_past_it(world: &World) {
    let ada = ada(world).await;
    require(world, &ada, None).await;
    let flow = half(world, &ada).await;
    assert_asks(&flow, None);
    for (provider, action) in [
        (APP, "later"),
        (APP, "another_way"),
        ("duty:second-factor", "later"),
        ("duty:change-credential", "later"),
    ] {
        let pressed = press(world, &flow, provider, action).await;
        assert!(pressed.status.is_client_error(), "{provider} {pressed}");
    }
    for provider in ["password", CODES, "remember-device", "one-time-token"] {
        let values = json!({"user_name": "ada", "password": PASSWORD, "kept": "true"});
        let answered = answer(world, &flow, provider, values).await;
        answered.expect_problem(404, "not_found");
    }
    let wrong = answer(world, &flow, APP, json!({"code": "000000"})).await;
    assert!(wrong.status.is_client_error());
    let (app, done) = scan(world, &flow).await;
    assert_eq!(done.expect(200).json()["state"], "complete");
    // From now on it is asked for.
    world.pass(Duration::from_secs(60));
    let flow = half(world, &ada).await;
    assert_eq!(flow["step"]["providers"][0]["id"], APP);
    let code = json!({"code": app.code(step_at(world)).as_str()});
    let done = answer(world, &flow, APP, code).await.expect(200).json();
    assert_eq!(done["session"]["amr"], json!(["pwd", "otp", "mfa"]));
}

async fn s12_until_the_date_people_are_reminded_and_from_then_on_asked(world: &World) {
    let ada = ada(world).await;
    let from = later(world.platform.now(), DAY);
    require(world, &ada, Some(from)).await;
    for _ in 0..2 {
        let flow = half(world, &ada).await;
        assert_asks(&flow, Some(from));
        let done = press(world, &flow, APP, "later").await.expect(200).json();
        assert_eq!(done["state"], "complete");
    }
    world.pass(DAY - Duration::from_secs(30));
    let early = half(world, &ada).await;
    assert_asks(&early, Some(from));
    world.pass(Duration::from_secs(30));
    // What could wait when it was shown may not any more.
    let late = press(world, &early, APP, "later").await.expect(200).json();
    assert_asks(&late, None);
    assert_asks(&half(world, &ada).await, None);
    // Two years on, and an hour back before the date.
    world.pass(DAY * 2 * 365);
    assert_asks(&half(world, &ada).await, None);
    world.clock.set(earlier(from, Duration::from_secs(3_600)));
    assert_asks(&half(world, &ada).await, Some(from));
    let events = recorded(world, &ada, "user.put_off_second_factor").await;
    assert_eq!(events.len(), 3);
}

/// W4
async fn s12_a_reset_leads_to_it_and_not_past_it(world: &World) {
    world.tenant("home").await;
    let ada = world.invited("ada").await;
    require(world, &ada, None).await;
    let (_, mail) = world.reset(&ada).await;
    let flow = world.redeem(&ada, link_of(&mail)).await.expect(200).json();
    let flow = world.choose(&flow, OTHER_PASSWORD).await.expect(200).json();
    assert_asks(&flow, None);
    let (_, done) = scan(world, &flow).await;
    assert_eq!(done.expect(200).json()["state"], "complete");
}

async fn s12_a_remembered_device_gets_in_only_as_long_as_it_may_wait(world: &World) {
    let ada = ada(world).await;
    let (_, device) = stay(world, &ada).await;
    let from = later(world.platform.now(), DAY);
    require(world, &ada, Some(from)).await;
    world.pass(Duration::from_secs(3_600));
    let back = come(world, &device).await.expect(201).json();
    assert_eq!(back["state"], "complete", "nobody is reminded in silence");
    let device = text(&back["session"]["device_token"]);
    world.pass(DAY);
    is_refused(world, &device).await;
    // By hand it is asked for, and staying signed in works afterwards.
    let flow = world.begin(json!({"tenant": "home"})).await;
    let flow = enter_and_stay(world, &flow, &ada, PASSWORD).await;
    let flow = flow.expect(200).json();
    assert_asks(&flow, None);
    let (_, done) = scan(world, &flow).await;
    assert!(done.expect(200).json()["session"]["device_token"].is_string());
}

async fn s12_recovery_codes_are_not_what_is_required(world: &World) {
    let ada = ada(world).await;
    let token = world.token(&ada, PASSWORD).await;
    let (codes, token) = set_up_codes(world, &token).await;
    require(world, &ada, None).await;
    assert_asks(&half(world, &ada).await, None);
    let flow = half(world, &ada).await;
    let answered = answer(world, &flow, CODES, json!({"code": codes[0]})).await;
    answered.expect_problem(404, "not_found");
    // Nor does a session from before get a new one by changing something else.
    let flow = begin_set_up(world, &token, CODES).await;
    let next = answer(world, &flow, CODES, json!({"kept": "true"})).await;
    assert_asks(&next.expect(200).json(), None);
    assert!(!world.accepts(&token).await);
}

async fn s12_a_rule_for_administrators_holds_for_who_becomes_one(world: &World) {
    let ada = ada(world).await;
    put(world, &ada, None, Some(SecondFactorRule::Required), None).await;
    assert_eq!(half(world, &ada).await["state"], "complete");
    let flow = world.begin(json!({"tenant": "home"})).await;
    world.grant(&ada, Grant::TenantAdministrator).await;
    let flow = world.enter(&flow, "ada", PASSWORD).await.expect(200);
    assert_asks(&flow.json(), None);
}

async fn where_it_is_off_nothing_is_set_up(world: &World) {
    let ada = ada(world).await;
    let token = world.token(&ada, PASSWORD).await;
    let (_, token) = set_up_app(world, &token).await;
    put(world, &ada, Some(SecondFactorRule::Off), None, None).await;
    let bob = world.person_with_password("home", "bob").await;
    let bobs = world.token(&bob, PASSWORD).await;
    let enrol = async |token: &str, provider: &str| {
        let body = json!({"transport": "token", "intent": "enrol", "provider": provider});
        world.post(FLOWS).bearer(token).json(&body).send().await
    };
    for provider in [APP, CODES] {
        let refused = enrol(&bobs, provider).await;
        let refused = refused.expect_problem(403, "denied");
        let detail = refused.json()["detail"].clone();
        assert_eq!(detail, "this organisation offers no second factors");
    }
    enrol(&bobs, "password").await.expect(201);
    // Whoever has one is asked for it, and may change it.
    enrol(&token, APP).await.expect(201);
    assert_eq!(half(world, &ada).await["step"]["providers"][0]["id"], APP);
}

async fn a_second_server_asks_all_the_same(world: &World) {
    let ada = ada(world).await;
    let other = world.second_server().await;
    let flow = half(world, &ada).await;
    assert_eq!(flow["state"], "complete");
    require(world, &ada, None).await;
    let flow = half(&other, &ada).await;
    assert_asks(&flow, None);
    let (_, done) = scan(world, &flow).await;
    assert!(other.accepts(&session_of(&done.expect(200))).await);
}

async fn s12_one_of_several_ways_is_chosen(world: &World) {
    let world = &world.another_by(|plan| plan.second_app = true).await;
    let ada = ada(world).await;
    let from = later(world.platform.now(), DAY);
    require(world, &ada, Some(from)).await;
    let choice = "duty:second-factor";
    let assert_chooses = |flow: &Value, later: bool| {
        let step = &flow["step"];
        assert_eq!(step["kind"], "choose", "{flow}");
        assert_eq!(step["reason"], "second_factor_required");
        assert_eq!(step["due"].is_string(), later);
        let ids = step["providers"].as_array().unwrap().iter();
        let ids: Vec<_> = ids.map(|offer| &offer["id"]).collect();
        assert_eq!(ids, [APP, "work-app"]);
        let secrets = step.to_string().contains("otpauth:");
        assert!(!secrets, "nothing is made before it is chosen");
        let actions = step["actions"].as_array().map_or(0, Vec::len);
        assert_eq!(actions, usize::from(later));
    };
    let flow = half(world, &ada).await;
    assert_chooses(&flow, true);
    let chosen = json!({"provider": "work-app"});
    let call = world.post(flow_path(&flow)).json(&chosen);
    let begun = call.send().await.expect(200).json();
    let key = |flow: &Value| flow["step"]["form"]["display"][1]["value"].clone();
    assert!(key(&begun).is_string());
    // Under the name of the choice, nothing but its own buttons can be pressed.
    let wrong = press(world, &begun, choice, "later").await;
    wrong.expect_problem(404, "not_found");
    let back = press(world, &begun, "work-app", "another_way").await;
    let back = back.expect(200).json();
    assert_chooses(&back, true);
    for body in [
        json!({"provider": choice}),
        json!({"provider": choice, "answer": {}}),
    ] {
        let answered = world.post(flow_path(&back)).json(&body).send().await;
        answered.expect_problem(404, "not_found");
    }
    let unknown = press(world, &back, choice, "another_way").await;
    unknown.expect_problem(422, "validation_failed");
    let done = press(world, &back, choice, "later")
        .await
        .expect(200)
        .json();
    assert_eq!(done["state"], "complete");
    world.pass(DAY);
    let flow = half(world, &ada).await;
    assert_chooses(&flow, false);
    let late = press(world, &flow, choice, "later").await;
    late.expect_problem(422, "validation_failed");
    let chosen = json!({"provider": "work-app"});
    let call = world.post(flow_path(&flow)).json(&chosen);
    let begun = call.send().await.expect(200).json();
    let text = key(&begun).as_str().unwrap().to_owned();
    let app = Authenticator::from_base32(&text, Algorithm::Sha1, 6, 30).unwrap();
    let code = json!({"code": app.code(step_at(world)).as_str()});
    let done = answer(world, &begun, "work-app", code).await.expect(200);
    assert!(world.accepts(&session_of(&done)).await);
}

async fn own_factors(world: &World, token: &str) -> Vec<Value> {
    let listed = world.get(OWN).bearer(token).send().await.expect(200);
    listed.json()["items"].as_array().unwrap().clone()
}

async fn removing(world: &World, token: &str, factor: &Value) -> Answer {
    let body = json!({"transport": "token", "intent": "remove", "factor": factor["id"]});
    world.post(FLOWS).bearer(token).json(&body).send().await
}

/// A removal in which everything is proven.
async fn proven(world: &World, token: &str, factor: &Value, app: &Authenticator) -> Value {
    let flow = removing(world, token, factor).await.expect(201).json();
    let proof = json!({"password": PASSWORD});
    let flow = answer(world, &flow, "password", proof).await.expect(200);
    let code = json!({"code": app.code(step_at(world)).as_str()});
    let flow = answer(world, &flow.json(), APP, code).await.expect(200);
    flow.json()
}

/// v5.0.0-7.5.1: a full new proof before it, and all other sessions end.
async fn a_factor_is_removed_by_its_owner_after_a_proof(world: &World) {
    world.tenant("home").await;
    let ada = world.invited("ada").await;
    let (_, device) = stay(world, &ada).await;
    let token = world.token(&ada, PASSWORD).await;
    let (app, token) = set_up_app(world, &token).await;
    is_refused(world, &device).await;
    let factors = own_factors(world, &token).await;
    assert_eq!(factors.len(), 1);
    assert_eq!(
        (
            &factors[0]["provider"],
            &factors[0]["label"],
            &factors[0]["left"]
        ),
        (&json!(APP), &json!("Phone"), &Value::Null)
    );
    world.pass(Duration::from_secs(60));
    let flow = removing(world, &token, &factors[0])
        .await
        .expect(201)
        .json();
    let early = press(world, &flow, REMOVE, "remove").await;
    early.expect_problem(404, "not_found");
    let flow = proven(world, &token, &factors[0], &app).await;
    assert_eq!(flow["step"]["provider"], REMOVE);
    assert_eq!(own_factors(world, &token).await.len(), 1, "only asked");
    let mails = world.mails(&ada.mailbox()).await.len();
    let done = press(world, &flow, REMOVE, "remove").await.expect(200);
    let new = session_of(&done);
    assert!(world.accepts(&new).await && !world.accepts(&token).await);
    assert!(own_factors(world, &new).await.is_empty());
    assert_eq!(half(world, &ada).await["state"], "complete");
    world.newest(&ada, "credential_changed").await;
    assert_eq!(world.mails(&ada.mailbox()).await.len(), mails + 1);
    let removed = recorded(world, &ada, "user.remove_factor").await;
    assert_eq!(removed.len(), 1);
    let mut changes = removed[0].changes.iter();
    assert!(changes.any(|change| change.old.as_deref() == Some("Phone")));
}

async fn s12_the_last_required_factor_stays(world: &World) {
    let ada = ada(world).await;
    let token = world.token(&ada, PASSWORD).await;
    let (app, token) = set_up_app(world, &token).await;
    require(world, &ada, None).await;
    let [factor] = &own_factors(world, &token).await[..] else {
        panic!("one factor");
    };
    let refused = removing(world, &token, factor).await;
    refused.expect_problem(409, "refused");
    // Nor if it became required after the question was put.
    put(world, &ada, None, None, None).await;
    world.pass(Duration::from_secs(60));
    let flow = proven(world, &token, factor, &app).await;
    require(world, &ada, None).await;
    let refused = press(world, &flow, REMOVE, "remove").await;
    refused.expect_problem(401, "sign_in_refused");
    assert_eq!(own_factors(world, &token).await.len(), 1);
    for other in [json!({"id": null}), json!({"id": ada.id.to_string()})] {
        let refused = removing(world, &token, &other).await;
        refused.expect_problem(404, "not_found");
    }
}
