//! W1, W3: the rules for passwords, and what makes somebody choose a new one.

use std::time::Duration;

use gatelodge_core::{
    access::Caller,
    environment::later,
    model::Grant,
    provider::{Delivery, LinkPurpose, LinkRequest},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, Person, World, flow_path, on_each_storage};

on_each_storage!(
    an_old_password_is_changed_after_it_was_right,
    a_clock_that_jumps_two_years_locks_nobody_out,
    a_change_that_is_not_due_yet_can_be_put_off,
    a_new_password_keeps_to_the_rules_and_to_the_history,
    who_gets_back_in_by_a_link_keeps_to_the_history,
    a_generated_password_keeps_to_rules_about_kinds_of_characters,
    an_administrator_asks_for_a_new_password,
    s20_a_known_password_ends_every_session,
    the_rules_say_what_they_cost,
);

const DUTY: &str = "duty:change-credential";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const NEW: &str = "Seven herons, 8 ponds";

fn legacy() -> Value {
    json!({
        "profile": "legacy", "acknowledge_nonconformance": true, "maximum_age_days": 90,
        "warn_days": 10, "history": 2, "minimum_length": 12,
        "required_types": ["upper", "lower", "digit", "symbol"],
    })
}

/// A password that keeps to these rules.
const OLD: &str = "Correct horse, 1 staple";

async fn strict(world: &World) -> (World, Person) {
    let world = world.another_with_rules(legacy()).await;
    world.tenant("home").await;
    let given = crate::support::given(OLD, false);
    let ada = world.make("home", "ada", given).await;
    (world, ada)
}

async fn answer(world: &World, flow: &Value, body: Value) -> Answer {
    world.post(flow_path(flow)).json(&body).send().await
}

async fn choose(world: &World, flow: &Value, password: &str) -> Answer {
    let body = json!({"provider": DUTY, "answer": {"new_password": password}});
    answer(world, flow, body).await
}

async fn signed_in(world: &World, person: &Person, password: &str) -> Value {
    world.sign_in(person, password).await.expect(200).json()
}

/// The codes of what was wrong.
fn codes(answer: &Answer) -> Vec<String> {
    let errors = answer.json()["errors"].take();
    let errors = errors.as_array().unwrap().iter();
    errors
        .map(|error| error["code"].as_str().unwrap().to_owned())
        .collect()
}

async fn an_old_password_is_changed_after_it_was_right(world: &World) {
    let (world, ada) = strict(world).await;
    world.pass(90 * DAY);
    world.sign_in(&ada, PASSWORD).await.expect(401);
    let flow = signed_in(&world, &ada, OLD).await;
    let step = &flow["step"];
    assert_eq!(flow["state"], "active");
    assert_eq!(
        (&step["provider"], &step["reason"]),
        (&json!(DUTY), &json!("age"))
    );
    assert_eq!(step.get("due"), None);
    let message = step["form"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("Your password is older than"),
        "{message}"
    );
    let later = answer(&world, &flow, json!({"provider": DUTY, "action": "later"})).await;
    later.expect_problem(422, "validation_failed");
    let done = choose(&world, &flow, NEW).await.expect(200).json();
    assert_eq!(done["state"], "complete");
    world.sign_in(&ada, OLD).await.expect(401);
    let done = signed_in(&world, &ada, NEW).await;
    assert_eq!(done["state"], "complete");
}

async fn a_clock_that_jumps_two_years_locks_nobody_out(world: &World) {
    let (world, ada) = strict(world).await;
    let start: Timestamp = world.platform.now();
    let ahead = later(start, 730 * DAY);
    world.clock.set(ahead);
    let flow = signed_in(&world, &ada, OLD).await;
    assert_eq!(flow["step"]["reason"], "age");
    // Back again, the same password is young; the flow begun in the future is none now.
    world.clock.set(start);
    let done = signed_in(&world, &ada, OLD).await;
    assert_eq!(done["state"], "complete");
    // One chosen in the future serves in the present too.
    world.clock.set(ahead);
    let flow = signed_in(&world, &ada, OLD).await;
    choose(&world, &flow, NEW).await.expect(200);
    world.clock.set(start);
    let done = signed_in(&world, &ada, NEW).await;
    assert_eq!(done["state"], "complete");
}

/// v5.0.0-6.4.5.
async fn a_change_that_is_not_due_yet_can_be_put_off(world: &World) {
    let (world, ada) = strict(world).await;
    let due = later(world.platform.now(), 90 * DAY);
    world.pass(80 * DAY - Duration::from_millis(1));
    assert_eq!(signed_in(&world, &ada, OLD).await["state"], "complete");
    world.pass(Duration::from_millis(1));
    let flow = signed_in(&world, &ada, OLD).await;
    let step = &flow["step"];
    assert_eq!(
        (&step["reason"], &step["due"]),
        (&json!("age"), &json!(due))
    );
    assert_eq!(step["form"]["actions"][0]["id"], "later");
    let done = answer(&world, &flow, json!({"provider": DUTY, "action": "later"})).await;
    assert_eq!(done.expect(200).json()["state"], "complete");
    let flow = signed_in(&world, &ada, OLD).await;
    let done = choose(&world, &flow, NEW).await.expect(200).json();
    assert_eq!(done["state"], "complete");
    assert_eq!(signed_in(&world, &ada, NEW).await["state"], "complete");
}

async fn a_new_password_keeps_to_the_rules_and_to_the_history(world: &World) {
    let (world, ada) = strict(world).await;
    world.pass(90 * DAY);
    let flow = signed_in(&world, &ada, OLD).await;
    let help = flow["step"]["form"]["fields"][0]["help"].as_str().unwrap();
    assert!(
        help.contains("at least a capital letter, a small letter"),
        "{help}"
    );
    for (password, expected) in [
        (
            "seven",
            &[
                "too_short",
                "missing_upper",
                "missing_digit",
                "missing_symbol",
            ][..],
        ),
        ("Seven herons", &["missing_digit"]),
        (OLD, &["unchanged"]),
    ] {
        let refused = choose(&world, &flow, password).await;
        let refused = refused.expect_problem(422, "validation_failed");
        assert_eq!(codes(&refused), expected, "{password}");
        assert!(!refused.text().contains(password));
    }
    choose(&world, &flow, NEW).await.expect(200);
    world.pass(90 * DAY);
    let flow = signed_in(&world, &ada, NEW).await;
    let refused = choose(&world, &flow, OLD).await;
    let refused = refused.expect_problem(422, "validation_failed");
    assert_eq!(codes(&refused), ["used_before"]);
}

/// v5.0.0-6.4.1 beside it: the link opens once.
async fn who_gets_back_in_by_a_link_keeps_to_the_history(world: &World) {
    let (world, ada) = strict(world).await;
    let request = LinkRequest {
        purpose: LinkPurpose::Reset,
        page: None,
        delivery: Delivery::Told,
    };
    let users = world.platform.users();
    let place = (ada.tenant, ada.id);
    let made = users.make_link(&Caller::operator(), place, request).await;
    let link = made.unwrap().address.unwrap().expose().to_owned();
    let (_, secret) = link.split_once("token=").unwrap();
    let link = json!({"purpose": "reset", "token": secret});
    let flow = world.begin(json!({"tenant": "home", "link": link})).await;
    let opened = answer(
        &world,
        &flow,
        json!({"provider": "one-time-token", "answer": {}}),
    )
    .await;
    let flow = opened.expect(200).json();
    let step = &flow["step"];
    assert_eq!(
        (&step["provider"], step.get("reason")),
        (&json!(DUTY), None)
    );
    let fields = step["form"]["fields"].as_array().unwrap();
    assert_eq!(fields.len(), 1, "nobody is asked for what was forgotten");
    let refused = choose(&world, &flow, OLD).await;
    let refused = refused.expect_problem(422, "validation_failed");
    assert_eq!(codes(&refused), ["unchanged"]);
    let done = choose(&world, &flow, NEW).await.expect(200).json();
    assert_eq!(done["state"], "complete");
}

async fn a_generated_password_keeps_to_rules_about_kinds_of_characters(world: &World) {
    let (world, _) = strict(world).await;
    let root = world.person("home", "root").await;
    world.grant(&root, Grant::TenantAdministrator).await;
    let token = world.session(&root).await;
    for number in 0..8 {
        let body = json!({"user_name": format!("new {number}"), "generate_password": true});
        let call = world.post("/api/v1/tenants/home/users").bearer(&token);
        call.json(&body).send().await.expect(201);
    }
}

/// What an administrator of `home` asks of somebody.
async fn require(world: &World, token: &str, person: &Person, body: Value) -> Answer {
    let path = format!("/api/v1/tenants/home/users/{}/must-change", person.id);
    world.put(path).bearer(token).json(&body).send().await
}

async fn home(world: &World) -> (World, Person, String) {
    let world = world.another_like_this().await;
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    let root = world.person("home", "root").await;
    world.grant(&root, Grant::TenantAdministrator).await;
    let token = world.session(&root).await;
    (world, ada, token)
}

/// v5.0.0-6.4.6.
async fn an_administrator_asks_for_a_new_password(world: &World) {
    let (world, ada, token) = home(world).await;
    let open = world.token(&ada, PASSWORD).await;
    for wrong in [json!({}), json!({"reason": null}), json!({"reason": "age"})] {
        let answer = require(&world, &token, &ada, wrong).await;
        answer.expect_problem(400, "invalid_request");
    }
    let body = json!({"reason": "administrator"});
    let path = format!("/api/v1/tenants/home/users/{}/must-change", ada.id);
    let call = world.put(path).bearer(&token).header("if-match", "\"77\"");
    call.json(&body)
        .send()
        .await
        .expect_problem(412, "version_mismatch");
    let asked = require(&world, &token, &ada, body).await.expect(200).json();
    assert_eq!(asked["must_change"], "administrator");
    assert!(world.accepts(&open).await);
    let flow = signed_in(&world, &ada, PASSWORD).await;
    assert_eq!(flow["step"]["reason"], "administrator");
    choose(&world, &flow, NEW).await.expect(200);
    let path = format!("/api/v1/tenants/home/users/{}", ada.id);
    let read = world.get(path).bearer(&token).send().await.expect(200);
    assert_eq!(read.json()["must_change"], Value::Null);
}

async fn s20_a_known_password_ends_every_session(world: &World) {
    let (world, ada, token) = home(world).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(world.token(&ada, PASSWORD).await);
    }
    let body = json!({"reason": "compromised"});
    require(&world, &token, &ada, body).await.expect(200);
    for session in &open {
        assert!(!world.accepts(session).await);
    }
    let flow = signed_in(&world, &ada, PASSWORD).await;
    assert_eq!(flow["step"]["reason"], "compromised");
    let events = world
        .get("/api/v1/tenants/home/audit-events?action=user.require_change")
        .bearer(&token);
    let events = events.send().await.expect(200).json();
    let [event] = &events["items"].as_array().unwrap()[..] else {
        panic!("{events}");
    };
    assert_eq!(event["object_id"], ada.id.to_string());
    assert_eq!(event["changes"][0]["new"], "compromised");
}

async fn the_rules_say_what_they_cost(world: &World) {
    let (world, _) = strict(world).await;
    let root = world.person("home", "root").await;
    world.grant(&root, Grant::TenantAdministrator).await;
    let token = world.session(&root).await;
    let call = world.get("/api/v1/tenants/home/rules").bearer(&token);
    let listed = call.send().await.expect(200).json();
    let [password] = &listed["items"].as_array().unwrap()[..] else {
        panic!("{listed}");
    };
    assert_eq!(
        (&password["provider"], &password["label"]),
        (&json!("password"), &json!("Password"))
    );
    let rules = password["rules"].as_array().unwrap();
    let of = |key: &str| rules.iter().find(|rule| rule["key"] == key).unwrap();
    assert_eq!(of("profile")["text"], "The profile is legacy.");
    assert_eq!(of("history")["breaks"], json!([]));
    assert_eq!(
        of("required_types")["breaks"][1]["id"],
        "OWASP ASVS 5.0.0, 6.2.5"
    );
    assert_eq!(
        of("maximum_age_days")["breaks"][1]["id"],
        "OWASP ASVS 5.0.0, 6.2.10"
    );
}
