//! Devices that stay signed in: their tokens through the API, on each storage and at
//! more than one server.

use std::time::Duration;

use futures_util::future::join_all;
use gatelodge_core::{access::Caller, model::TenantSettings};
use gatelodge_provider_totp::{Algorithm, Authenticator};
use serde_json::{Value, json};

use crate::support::{Answer, Browser, PASSWORD, Person, World, flow_path, on_each_storage, town};

on_each_storage!(
    a_device_signs_in_once_with_each_token,
    s14_what_is_forged_foreign_or_over_is_refused,
    s14_a_theft_ends_the_device_with_its_sessions_and_is_told,
    s14_a_device_is_no_second_factor,
    s18_at_two_servers_at_once_all_get_the_same_successor,
    s19_what_ended_at_one_server_has_ended_at_the_other,
    a_device_is_kept_for_whole_sign_ins_only,
    the_settings_say_for_how_long,
    a_browser_keeps_it_as_a_cookie,
);

pub(crate) const FLOWS: &str = "/api/v1/sign-in/flows";
pub(crate) const OWN: &str = "/api/v1/account/devices";
pub(crate) const AWAY: Duration = Duration::from_secs(2 * 60 * 60);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) async fn ada(world: &World) -> Person {
    world.tenant("home").await;
    world.person_with_password("home", "ada").await
}

/// Signs in and stays; answers the session's token and the device's.
pub(crate) async fn stay(world: &World, person: &Person) -> (String, String) {
    let flow = world.begin(json!({"tenant": person.tenant_name})).await;
    let answer = enter_and_stay(world, &flow, person, PASSWORD)
        .await
        .expect(200)
        .json();
    (
        text(&answer["session"]["token"]),
        text(&answer["session"]["device_token"]),
    )
}

pub(crate) async fn enter_and_stay(
    world: &World,
    flow: &Value,
    person: &Person,
    password: &str,
) -> Answer {
    let body = json!({
        "provider": "password",
        "answer": {"user_name": person.name, "password": password},
        "stay": true,
    });
    world.post(flow_path(flow)).json(&body).send().await
}

pub(crate) fn text(value: &Value) -> String {
    let text = value.as_str();
    text.unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

pub(crate) async fn come(world: &World, device: &str) -> Answer {
    let body = json!({"transport": "token", "device_token": device});
    world.post(FLOWS).json(&body).send().await
}

/// Comes back with a device's token; answers the session's token and the successor.
pub(crate) async fn back(world: &World, device: &str) -> (String, String) {
    let answer = come(world, device).await.expect(201).json();
    assert_eq!(answer["state"], "complete");
    (
        text(&answer["session"]["token"]),
        text(&answer["session"]["device_token"]),
    )
}

pub(crate) async fn is_refused(world: &World, device: &str) {
    come(world, device)
        .await
        .expect_problem(401, "sign_in_refused");
}

pub(crate) async fn devices(world: &World, session: &str) -> Vec<Value> {
    let list = world.get(OWN).bearer(session).send().await;
    list.expect(200).json()["items"].as_array().unwrap().clone()
}

async fn a_device_signs_in_once_with_each_token(world: &World) {
    let ada = ada(world).await;
    let (_, first) = stay(world, &ada).await;
    world.pass(DAY);
    let (session, second) = back(world, &first).await;
    let shown = world.get("/api/v1/session").bearer(&session).send().await;
    let shown = shown.expect(200).json();
    assert_eq!(shown["session"]["amr"], json!(["device"]));
    let proven = shown["session"]["auth_time"].as_str().unwrap().to_owned();
    world.pass(DAY);
    let (session, third) = back(world, &second).await;
    assert!(![&first, &second].contains(&&third));
    let shown = world.get("/api/v1/session").bearer(&session).send().await;
    // It is as old as the password, whatever happened since.
    assert_eq!(shown.json()["session"]["auth_time"], json!(proven));
    let [device] = &devices(world, &session).await[..] else {
        panic!("one device");
    };
    assert_eq!(device["current"], true);
    assert!(device["last_used_at"].as_str() > device["created_at"].as_str());
}

/// S14: forged, of another tenant, past its end, revoked.
async fn s14_what_is_forged_foreign_or_over_is_refused(world: &World) {
    let town = town(world).await;
    let ada = world.person_with_password("home", "ada").await;
    let eve = world.person_with_password("away", "eve").await;
    let (_, own) = stay(world, &ada).await;
    let (_, foreign) = stay(world, &eve).await;
    let (tenant, token) = own.split_once('.').unwrap();
    let (other_tenant, other) = foreign.split_once('.').unwrap();
    let mut parts = token.split('.');
    let (header, claims) = (parts.next().unwrap(), parts.next().unwrap());
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiZGV2aWNlK2p3dCIsImtpZCI6IngifQ";
    let signature = other.rsplit('.').next().unwrap();
    for forged in [
        String::new(),
        ".".to_owned(),
        tenant.to_owned(),
        token.to_owned(),
        format!("{tenant}."),
        format!("{tenant}.x.y.z"),
        format!("{tenant}.{header}.{claims}."),
        format!("{tenant}.{none}.{claims}."),
        format!("{tenant}.{header}.{claims}.{signature}"),
        format!("{other_tenant}.{token}"),
        format!("{tenant}.{other}"),
        format!("{}.{token}", town.root.tenant),
        format!("{tenant}.{}", "a".repeat(4_000)),
        format!("not-a-tenant.{token}"),
    ] {
        is_refused(world, &forged).await;
    }
    // A tenant that is named is the only one that counts.
    let body = json!({"transport": "token", "device_token": own, "tenant": "away"});
    let elsewhere = world.post(FLOWS).json(&body).send().await;
    elsewhere.expect_problem(401, "sign_in_refused");
    let (session, own) = back(world, &own).await;

    let [device] = &devices(world, &session).await[..] else {
        panic!("one device");
    };
    let path = format!("{OWN}/{}", text(&device["id"]));
    world
        .delete(&path)
        .bearer(&session)
        .send()
        .await
        .expect(204);
    is_refused(world, &own).await;
    assert!(world.accepts(&session).await, "the one who asks goes on");
    let again = world.delete(&path).bearer(&session).send().await;
    again.expect_problem(404, "not_found");

    let (_, mut kept) = stay(world, &ada).await;
    for _ in 0..29 {
        world.pass(DAY);
        kept = back(world, &kept).await.1;
    }
    world.pass(DAY);
    is_refused(world, &kept).await;
}

async fn audit(world: &World, person: &Person) -> Vec<Value> {
    let operator = Caller::operator();
    let page = gatelodge_core::storage::Page::first(200);
    let (log, filter) = (world.platform.audit_log(), Default::default());
    let events = log.list(&operator, person.tenant, &filter, page).await;
    let events = events.unwrap().items.into_iter();
    events
        .map(|event| serde_json::to_value(event).unwrap())
        .collect()
}

async fn s14_a_theft_ends_the_device_with_its_sessions_and_is_told(world: &World) {
    let ada = ada(world).await;
    let (made_in, first) = stay(world, &ada).await;
    let (_, other) = stay(world, &ada).await;
    let by_hand = world.token(&ada, PASSWORD).await;
    let (begun, second) = back(world, &first).await;
    world.pass(Duration::from_secs(31));
    is_refused(world, &first).await;
    for (session, goes_on) in [(&made_in, false), (&begun, false), (&by_hand, true)] {
        assert_eq!(world.accepts(session).await, goes_on);
    }
    is_refused(world, &second).await;
    back(world, &other).await;
    let events = audit(world, &ada).await;
    let ended: Vec<_> = events
        .iter()
        .filter(|event| event["action"] == "user.end_device")
        .collect();
    assert_eq!(ended.len(), 1, "once, however often it is tried");
    assert_eq!(ended[0]["object_id"], json!(ada.id.to_string()));
    assert!(ended[0]["changes"].to_string().contains("stolen_device"));
    let all = json!(events).to_string();
    for token in [&first, &second, &other] {
        assert!(!all.contains(token.split_once('.').unwrap().1));
    }
}

pub(crate) async fn app_of(world: &World, session: &str) -> Authenticator {
    let body = json!({"transport": "token", "intent": "enrol", "provider": "totp"});
    let begun = world.post(FLOWS).bearer(session).json(&body).send().await;
    let flow = begun.expect(201).json();
    let proof = json!({"provider": "password", "answer": {"password": PASSWORD}});
    let shown = world.post(flow_path(&flow)).json(&proof).send().await;
    let shown = shown.expect(200).json();
    let displays = shown["step"]["form"]["display"].as_array().unwrap().clone();
    let secret = displays.iter().find(|d| d["type"] == "secret").unwrap();
    let key = secret["value"].as_str().unwrap();
    let app = Authenticator::from_base32(key, Algorithm::Sha1, 6, 30).unwrap();
    let code = present(world, &app);
    let answer = json!({"provider": "totp", "answer": {"code": code, "name": "Phone"}});
    let done = world.post(flow_path(&flow)).json(&answer).send().await;
    done.expect(200);
    app
}

pub(crate) fn present(world: &World, app: &Authenticator) -> String {
    let now = u64::try_from(world.platform.now().as_second()).unwrap();
    app.code(app.step_at(now)).to_string()
}

/// S14: the second factor is asked for all the same, and half a sign-in is none.
async fn s14_a_device_is_no_second_factor(world: &World) {
    let ada = ada(world).await;
    let session = world.token(&ada, PASSWORD).await;
    let app = app_of(world, &session).await;
    world.pass(Duration::from_secs(60));
    let flow = world.begin(json!({"tenant": "home"})).await;
    let half = enter_and_stay(world, &flow, &ada, PASSWORD)
        .await
        .expect(200)
        .json();
    assert!(half["session"].is_null() && half["device_token"].is_null());
    let code = json!({"provider": "totp", "answer": {"code": present(world, &app)}});
    let done = world.post(flow_path(&flow)).json(&code).send().await;
    let first = text(&done.expect(200).json()["session"]["device_token"]);

    world.pass(DAY);
    let half = come(world, &first).await.expect(201).json();
    assert_eq!(half["state"], "active");
    assert!(half["session"].is_null());
    let second = text(&half["device_token"]);
    assert_ne!(first, second);
    assert_eq!(half["step"]["providers"][0]["id"], "totp");
    // The half of it, with the other half of somebody else's, is nothing.
    let wrong = json!({"provider": "totp", "answer": {"code": "000000"}});
    let refused = world.post(flow_path(&half)).json(&wrong).send().await;
    refused.expect_problem(401, "sign_in_refused");
    let password = json!({
        "provider": "password", "answer": {"user_name": "ada", "password": PASSWORD},
    });
    let other_way = world.post(flow_path(&half)).json(&password).send().await;
    assert!(other_way.status.is_client_error(), "{other_way}");
    let code = json!({"provider": "totp", "answer": {"code": present(world, &app)}});
    let done = world.post(flow_path(&half)).json(&code).send().await;
    let done = done.expect(200).json();
    assert_eq!(
        done["session"]["amr"],
        json!(["device", "otp"]),
        "and not `mfa`"
    );
    assert!(
        done["session"]["device_token"].is_null(),
        "it was told before"
    );
    let half = come(world, &second).await.expect(201).json();
    assert_eq!(half["state"], "active");

    // What demands two factors begins with none of it.
    for more in [
        json!({"acr": "aal2"}),
        json!({"intent": "reprove"}),
        json!({"provider": "password", "intent": "enrol"}),
    ] {
        let mut body = json!({"transport": "token", "device_token": second});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let refused = world.post(FLOWS).bearer(&session).json(&body).send().await;
        assert!(refused.status.is_client_error(), "{refused}");
    }
}

async fn s18_at_two_servers_at_once_all_get_the_same_successor(world: &World) {
    let ada = ada(world).await;
    let second = world.second_server().await;
    for _ in 0..3 {
        let (_, device) = stay(world, &ada).await;
        world.pass(AWAY);
        let both = [world, &second];
        let tries = (0..10).map(|number| come(both[number % 2], &device));
        let answers = join_all(tries).await;
        let mut told = Vec::new();
        for answer in answers {
            let answer = answer.expect(201).json();
            told.push(text(&answer["session"]["device_token"]));
        }
        told.dedup();
        assert_eq!(told.len(), 1);
        world.pass(Duration::from_secs(31));
        let (_, next) = back(&second, &told[0]).await;
        back(world, &next).await;
    }
    // No such thing as a theft was seen in all of this.
    let events = audit(world, &ada).await;
    assert!(
        events
            .iter()
            .all(|event| event["action"] != "user.end_device")
    );
}

async fn s19_what_ended_at_one_server_has_ended_at_the_other(world: &World) {
    let ada = ada(world).await;
    let (session, device) = stay(world, &ada).await;
    let second = world.second_server().await;
    let (_, next) = back(&second, &device).await;
    world.pass(Duration::from_secs(31));
    is_refused(world, &device).await;
    is_refused(&second, &next).await;
    assert!(!world.accepts(&session).await);
    let (session, device) = stay(world, &ada).await;
    let out = world.delete("/api/v1/session").bearer(&session).send();
    out.await.expect(204);
    is_refused(&second, &device).await;
}

/// A change of credentials, a proof in between, a session of a purpose, a link: none
/// of them keeps a device.
async fn a_device_is_kept_for_whole_sign_ins_only(world: &World) {
    let ada = ada(world).await;
    let (session, _) = stay(world, &ada).await;
    for intent in ["reprove"] {
        let body = json!({"transport": "token", "intent": intent});
        let flow = world.post(FLOWS).bearer(&session).json(&body).send().await;
        let flow = flow.expect(201).json();
        let body = json!({"provider": "password", "answer": {"password": PASSWORD}, "stay": true});
        let done = world.post(flow_path(&flow)).json(&body).send().await;
        assert!(done.expect(200).json()["session"]["device_token"].is_null());
    }
    let flow = world.begin(json!({"tenant": "home"})).await;
    world.enter(&flow, "ada", PASSWORD).await.expect(200);
    assert!(world.sign_in(&ada, PASSWORD).await.json()["session"]["device_token"].is_null());
    // A wrong answer keeps no wish: each answer says it anew.
    let flow = world.begin(json!({"tenant": "home"})).await;
    enter_and_stay(world, &flow, &ada, "wrong")
        .await
        .expect(401);
    let done = world.enter(&flow, "ada", PASSWORD).await.expect(200).json();
    assert!(done["session"]["device_token"].is_null());
}

async fn the_settings_say_for_how_long(world: &World) {
    let ada = ada(world).await;
    let set = async |days| {
        let mut settings = TenantSettings::default();
        settings.session.remember_days = Some(days);
        world.put_settings(ada.tenant, settings).await;
    };
    set(3).await;
    let (_, device) = stay(world, &ada).await;
    world.pass(DAY);
    let (session, device) = back(world, &device).await;
    let listed = devices(world, &session).await;
    let span = |name: &str| text(&listed[0][name]).parse::<jiff::Timestamp>().unwrap();
    let lasts = span("expires_at").duration_since(span("created_at"));
    assert_eq!(lasts.as_hours(), 72);
    set(1).await;
    is_refused(world, &device).await;
    set(0).await;
    let flow = world.begin(json!({"tenant": "home"})).await;
    let done = enter_and_stay(world, &flow, &ada, PASSWORD)
        .await
        .expect(200);
    assert!(done.json()["session"]["device_token"].is_null());
    set(30).await;
    is_refused(world, &device).await;
}

async fn a_browser_keeps_it_as_a_cookie(world: &World) {
    let ada = ada(world).await;
    let mut browser = Browser::new(world);
    let flow = browser.begin("home").await;
    let body = json!({
        "provider": "password",
        "answer": {"user_name": "ada", "password": PASSWORD},
        "stay": true,
    });
    let done = browser.post(&flow, &body).await.expect(200).json();
    assert!(
        done["session"]["device_token"].is_null(),
        "scripts do not see it"
    );
    let kept: Vec<_> = browser
        .named("gl-stay-")
        .into_iter()
        .map(|(_, v)| v.to_owned())
        .collect();
    assert_eq!(kept.len(), 1);
    let (_, other) = stay(world, &ada).await;
    browser.delete("/api/v1/session").await.expect(204);
    assert!(browser.named("gl-stay-").is_empty());
    is_refused(world, &kept[0]).await;
    back(world, &other).await;
}
