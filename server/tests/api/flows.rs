//! The sign-in API as its clients see it: flows, steps, forms, sessions.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{Browser, PASSWORD, World, flow_path, given, on_each_storage, redacted};

const FLOWS: &str = "/api/v1/sign-in/flows";
const SESSION: &str = "/api/v1/session";

on_each_storage!(
    the_token_transport_needs_no_cookie,
    s01_the_cookie_transport_is_useless_without_its_cookie,
    s01_what_was_planted_before_a_sign_in_is_worth_nothing_after_it,
    s01_a_planted_flow_is_lost_at_the_first_proof,
    a_cookie_does_not_change_a_flow_of_the_token_transport,
    s03_an_answer_is_taken_for_the_current_step_only,
    a_value_that_could_never_be_right_is_named,
    what_is_no_answer_to_the_step_is_refused,
    a_flow_is_given_up,
    s06_a_flow_lives_for_ten_minutes,
    the_tenant_is_named_found_or_typed,
    what_cannot_begin_is_refused,
    s12_two_factors_are_not_had_by_one,
    a_password_is_changed_by_its_owner,
    s18_of_racing_right_answers_one_makes_a_session,
);

fn form(tenant: bool) -> Value {
    let mut fields = vec![
        json!({
            "name": "user_name", "type": "text", "role": "identifier",
            "label": "User name or e-mail address", "autocomplete": "username", "required": true,
        }),
        json!({
            "name": "password", "type": "password", "role": "secret", "label": "Password",
            "autocomplete": "current-password", "required": true,
        }),
    ];
    if tenant {
        fields.insert(
            0,
            json!({
                "name": "tenant", "type": "text", "role": "other", "label": "Organisation",
                "autocomplete": "organization", "required": false, "max_length": 50,
                "help": "Only needed if your user name exists in several organisations.",
            }),
        );
    }
    json!({"fields": fields})
}

fn first_step(tenant: bool) -> Value {
    let offer = json!({
        "id": "password", "kind": "password", "label": "Password", "form": form(tenant),
    });
    json!({"kind": "choose", "providers": [offer]})
}

fn without_id(mut step: Value) -> Value {
    let id = step.as_object_mut().unwrap().remove("id").unwrap();
    assert!(id.as_str().unwrap().len() >= 20);
    step
}

async fn the_token_transport_needs_no_cookie(world: &World) {
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    let body = json!({"transport": "token", "tenant": "HOME"});
    let begun = world.post(FLOWS).json(&body).send().await.expect(201);
    assert_eq!(begun.header("set-cookie"), None);
    let flow = begun.json();
    assert_eq!(flow["id"].as_str().unwrap().len(), 43, "256 bits");
    assert_eq!(flow["state"], "active");
    assert_eq!(flow["intent"], "sign_in");
    assert_eq!(flow["tenant"], "home");
    let expires: jiff::Timestamp = flow["expires_at"].as_str().unwrap().parse().unwrap();
    let life = expires.duration_since(world.platform.now());
    assert_eq!(life.as_secs(), 600);
    assert_eq!(without_id(flow["step"].clone()), first_step(false));
    assert!(flow.get("session").is_none());
    let seen = world.get(flow_path(&flow)).send().await.expect(200);
    assert_eq!(seen.json(), flow);

    let wrong = world.enter(&flow, "ada", "not the password 99").await;
    let wrong = wrong.expect_problem(401, "sign_in_refused");
    assert_eq!(wrong.header("set-cookie"), None);
    let done = world.enter(&flow, "ADA", PASSWORD).await.expect(200);
    assert_eq!(done.header("set-cookie"), None);
    let done = done.json();
    assert_eq!(done["state"], "complete");
    assert!(done.get("step").is_none());
    assert_eq!(
        redacted(done["session"].clone()),
        json!({"token": "<token>", "expires_at": "<time>", "amr": ["pwd"]})
    );
    let token = done["session"]["token"].as_str().unwrap();
    let read = world
        .get(SESSION)
        .bearer(token)
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(read["user"]["id"], ada.id.to_string());
    // Told once.
    let seen = world.get(flow_path(&flow)).send().await;
    assert!(!seen.text().contains(token));
    let again = world.enter(&flow, "ada", PASSWORD).await;
    again.expect_problem(409, "conflict");
    world.delete(SESSION).bearer(token).send().await.expect(204);
    assert!(!world.accepts(token).await);
}

async fn s01_the_cookie_transport_is_useless_without_its_cookie(world: &World) {
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    let mut browser = Browser::new(world);
    let flow = browser.begin("home").await;
    assert_eq!(browser.named("gl-flow-").len(), 1);
    let mut other = Browser::new(world);
    other.begin("home").await;
    let mut thief = Browser::new(world);
    thief.cookies.insert(
        browser.named("gl-flow-")[0].0.to_owned(),
        other.named("gl-flow-")[0].1.to_owned(),
    );
    for foreign in [&mut other, &mut Browser::new(world), &mut thief] {
        foreign.get(&flow).await.expect_problem(404, "not_found");
        foreign
            .enter(&flow, &ada, PASSWORD)
            .await
            .expect_problem(404, "not_found");
        foreign.delete(&flow).await.expect_problem(404, "not_found");
    }
    let done = browser.enter(&flow, &ada, PASSWORD).await.expect(200);
    let body = done.json();
    assert_eq!(body["session"]["amr"], json!(["pwd"]));
    assert!(body["session"].get("token").is_none(), "{done}");
    let names: Vec<_> = browser.cookies.keys().map(String::as_str).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names[0] == "gl-current" && names[1] == "gl-device");
    assert!(names[2].starts_with("gl-session-"));
    let session = browser.named("gl-session-")[0].1.to_owned();
    assert!(!done.text().contains(&session));
    browser.get(SESSION).await.expect(200);
}

/// S01: all ids change, and old handles are worth nothing.
/// v5.0.0-7.2.4.
async fn s01_what_was_planted_before_a_sign_in_is_worth_nothing_after_it(world: &World) {
    world.tenant("home").await;
    let (ada, eve) = (
        world.person_with_password("home", "ada").await,
        world.person_with_password("home", "eve").await,
    );
    // The attacker has a session and a flow, and plants both cookies.
    let mut attacker = Browser::new(world);
    attacker.sign_in(&eve, PASSWORD).await;
    let flow = attacker.begin("home").await;
    let mut victim = attacker.clone();
    victim.enter(&flow, &ada, PASSWORD).await.expect(200);
    for (name, value) in victim.named("gl-session") {
        assert_ne!(attacker.cookies[name], value);
    }
    let seen = victim.get(SESSION).await.expect(200).json();
    assert_eq!(seen["user"]["user_name"], "ada");
    // The flow that the attacker knows is over, and says nothing.
    attacker.get(&flow).await.expect_problem(404, "not_found");
    let again = attacker.enter(&flow, &eve, PASSWORD).await;
    assert!(again.status.is_client_error());
    let session = attacker.get(SESSION).await;
    assert!(!session.text().contains("ada"), "{session}");
}

async fn s01_a_planted_flow_is_lost_at_the_first_proof(world: &World) {
    world.tenant("home").await;
    let ada = world.make("home", "ada", given(PASSWORD, true)).await;
    let mut attacker = Browser::new(world);
    let flow = attacker.begin("home").await;
    let mut victim = attacker.clone();
    let next = victim.enter(&flow, &ada, PASSWORD).await.expect(200).json();
    assert_eq!(next["step"]["provider"], "duty:change-credential");
    // The victim has proven a password; the attacker must not choose the next one.
    attacker.get(&flow).await.expect_problem(404, "not_found");
    let body = json!({
        "provider": "duty:change-credential",
        "answer": {"new_password": "chosen by the attacker 1"},
    });
    attacker
        .post(&flow, &body)
        .await
        .expect_problem(404, "not_found");
    victim.get(&flow).await.expect(200);
}

async fn a_cookie_does_not_change_a_flow_of_the_token_transport(world: &World) {
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    let flow = world.begin(json!({"tenant": "home"})).await;
    let id = flow["id"].as_str().unwrap();
    let mut browser = Browser::new(world);
    browser
        .cookies
        .insert(format!("gl-flow-{id}"), id.to_owned());
    let done = browser
        .enter(&flow_path(&flow), &ada, PASSWORD)
        .await
        .expect(200);
    assert!(done.json()["session"]["token"].is_string(), "{done}");
    assert!(browser.named("gl-session-").is_empty());
}

async fn s03_an_answer_is_taken_for_the_current_step_only(world: &World) {
    world.tenant("home").await;
    let ada = world.make("home", "ada", given(PASSWORD, true)).await;
    let flow = world.begin(json!({"tenant": "home"})).await;
    let path = flow_path(&flow);
    let enter = |step: Value| {
        let answer = json!({"user_name": ada.name, "password": PASSWORD});
        let body = json!({"step": step, "provider": "password", "answer": answer});
        world.post(&path).json(&body).send()
    };
    enter(json!("another"))
        .await
        .expect_problem(409, "conflict");
    enter(json!("")).await.expect_problem(409, "conflict");
    let first = flow["step"]["id"].clone();
    let next = enter(first.clone()).await.expect(200).json();
    assert_ne!(next["step"]["id"], first);
    enter(first).await.expect_problem(409, "conflict");
    enter(next["step"]["id"].clone())
        .await
        .expect_problem(404, "not_found");
}

async fn a_value_that_could_never_be_right_is_named(world: &World) {
    world.tenant("home").await;
    world.person_with_password("home", "ada").await;
    let flow = world.begin(json!({"tenant": "home"})).await;
    let post = async |body: Value| world.post(flow_path(&flow)).json(&body).send().await;
    let full = |more: Value| {
        let mut answer = json!({"user_name": "ada", "password": PASSWORD});
        for (name, value) in more.as_object().unwrap() {
            answer[name] = value.clone();
        }
        answer
    };
    for (answer, fields) in [
        (json!({}), vec!["user_name", "password"]),
        (json!({"user_name": "ada"}), vec!["password"]),
        (full(json!({"password": ""})), vec!["password"]),
        (full(json!({"otp": "1"})), vec!["otp"]),
        (full(json!({"tenant": "home"})), vec!["tenant"]),
        (full(json!({"password": true})), vec!["answer"]),
    ] {
        let answer = post(json!({"provider": "password", "answer": answer})).await;
        let answer = answer.expect_problem(422, "validation_failed");
        assert_eq!(answer.fields(), fields);
    }
    let action = post(json!({"provider": "password", "action": "skip"})).await;
    let action = action.expect_problem(422, "validation_failed");
    assert_eq!(action.fields(), ["action"]);
    // Only chosen: the step stays.
    let same = post(json!({"provider": "password"})).await.expect(200);
    assert_eq!(same.json()["step"]["id"], flow["step"]["id"]);
}

async fn what_is_no_answer_to_the_step_is_refused(world: &World) {
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    let flow = world.begin(json!({"tenant": "home"})).await;
    let path = flow_path(&flow);
    let post = async |body: Value| world.post(&path).json(&body).send().await;
    let valid = json!({"user_name": "ada", "password": PASSWORD});
    for body in [
        json!({"provider": "password", "answer": valid, "action": "x"}),
        json!({"provider": "password", "answer": [PASSWORD]}),
        json!({"provider": "password", "answer": 7}),
        json!({"provider": 1, "answer": valid}),
        json!({"answer": valid}),
    ] {
        post(body).await.expect_problem(400, "invalid_request");
    }
    for provider in ["", "totp", "PASSWORD", "duty:change-credential"] {
        let body = json!({"provider": provider, "answer": valid});
        post(body).await.expect_problem(404, "not_found");
    }
    // An object whose keys come twice could be read in two ways: it is not read at all.
    let twice = format!(
        r#"{{"provider":"password","answer":{{"user_name":"ada","password":"x","password":"{PASSWORD}"}}}}"#
    );
    let twice = world.post(&path).body("application/json", twice).send();
    twice.await.expect_problem(400, "invalid_request");
    world.enter(&flow, &ada.name, PASSWORD).await.expect(200);
}

async fn a_flow_is_given_up(world: &World) {
    world.tenant("home").await;
    let flow = world.begin(json!({"tenant": "home"})).await;
    let path = flow_path(&flow);
    let gone = world.delete(&path).send().await.expect(204);
    assert!(gone.body.is_empty());
    for method in [Method::DELETE, Method::GET] {
        let answer = world.call(method, &path).send().await;
        answer.expect_problem(404, "not_found");
    }
    let mut browser = Browser::new(world);
    let flow = browser.begin("home").await;
    browser.delete(&flow).await.expect(204);
    browser.get(&flow).await.expect_problem(404, "not_found");
}

async fn s06_a_flow_lives_for_ten_minutes(world: &World) {
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    let (one, other) = (
        world.begin(json!({"tenant": "home"})).await,
        world.begin(json!({"tenant": "home"})).await,
    );
    world.pass(Duration::from_secs(599));
    world.enter(&one, &ada.name, PASSWORD).await.expect(200);
    world.pass(Duration::from_secs(1));
    let late = world.enter(&other, &ada.name, PASSWORD).await;
    late.expect_problem(404, "not_found");
}

async fn the_tenant_is_named_found_or_typed(world: &World) {
    for tenant in ["home", "away"] {
        world.tenant(tenant).await;
        world.person_with_password(tenant, "ada").await;
    }
    let only = world.person_with_password("home", "only").await;
    let flow = world.begin(json!({})).await;
    assert!(flow.get("tenant").is_none());
    assert_eq!(without_id(flow["step"].clone()), first_step(true));
    let post = async |answer: Value| {
        let flow = world.begin(json!({})).await;
        let body = json!({"provider": "password", "answer": answer});
        world.post(flow_path(&flow)).json(&body).send().await
    };
    // Found, since there is one of this name.
    let found = post(json!({"user_name": "only", "password": PASSWORD}))
        .await
        .expect(200);
    assert_eq!(found.json()["tenant"], "home");
    // Ambiguous: refused like a wrong password.
    let ambiguous = post(json!({"user_name": "ada", "password": PASSWORD})).await;
    let ambiguous = ambiguous.expect_problem(401, "sign_in_refused");
    let wrong = post(json!({"user_name": "only", "password": "not the password 99"})).await;
    assert_eq!(ambiguous.comparable(), wrong.comparable());
    for tenant in ["away", "AWAY", " away "] {
        let answer = json!({"tenant": tenant, "user_name": "ada", "password": PASSWORD});
        assert_eq!(post(answer).await.expect(200).json()["tenant"], "away");
    }
    for tenant in ["nowhere", "away%", "'"] {
        let answer = json!({"tenant": tenant, "user_name": "ada", "password": PASSWORD});
        assert_eq!(post(answer).await.comparable(), wrong.comparable());
    }
    let by_id = world
        .begin(json!({"tenant": only.tenant.to_string()}))
        .await;
    assert_eq!(by_id["tenant"], "home");
}

async fn what_cannot_begin_is_refused(world: &World) {
    world.tenant("home").await;
    for (body, status, code) in [
        (json!({}), 400, "invalid_request"),
        (
            json!({"transport": "carrier pigeon"}),
            400,
            "invalid_request",
        ),
        (
            json!({"transport": "token", "tenant": "nowhere"}),
            404,
            "not_found",
        ),
        (
            json!({"transport": "token", "application": "shop"}),
            422,
            "validation_failed",
        ),
        (
            json!({"transport": "token", "intent": "no_such"}),
            400,
            "invalid_request",
        ),
        (
            json!({"transport": "token", "intent": "link"}),
            401,
            "unauthenticated",
        ),
        (
            json!({"transport": "token", "acr": "aal3"}),
            400,
            "invalid_request",
        ),
        (
            json!({"transport": "token", "acr": "AAL2"}),
            400,
            "invalid_request",
        ),
        (
            json!({"transport": "token", "intent": "enrol", "provider": "password"}),
            401,
            "unauthenticated",
        ),
        (
            json!({"transport": "token", "intent": "reprove"}),
            401,
            "unauthenticated",
        ),
        (
            json!({"transport": "token", "intent": "sign_up"}),
            422,
            "validation_failed",
        ),
        // Not from a page of ours.
        (json!({"transport": "cookie"}), 403, "origin_missing"),
    ] {
        let answer = world.post(FLOWS).json(&body).send().await;
        answer.expect_problem(status, code);
    }
}

async fn s12_two_factors_are_not_had_by_one(world: &World) {
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    let flow = world.begin(json!({"tenant": "home", "acr": "aal2"})).await;
    let right = world.enter(&flow, &ada.name, PASSWORD).await;
    let right = right.expect_problem(401, "sign_in_refused");
    let wrong = world.enter(&flow, &ada.name, "not the password 99").await;
    assert_eq!(right.comparable(), wrong.comparable());
    let flow = world.begin(json!({"tenant": "home", "acr": "aal1"})).await;
    world.enter(&flow, &ada.name, PASSWORD).await.expect(200);
}

/// v5.0.0-6.2.2, v5.0.0-6.2.3.
async fn a_password_is_changed_by_its_owner(world: &World) {
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    let (token, other) = (
        world.token(&ada, PASSWORD).await,
        world.token(&ada, PASSWORD).await,
    );
    let begin = async |token: &str, provider: &str| {
        let body = json!({"transport": "token", "intent": "enrol", "provider": provider});
        world.post(FLOWS).bearer(token).json(&body).send().await
    };
    begin(&token, "made-up")
        .await
        .expect_problem(404, "not_found");
    let unknown = begin(&token, "No such id!").await;
    let unknown = unknown.expect_problem(422, "validation_failed");
    assert_eq!(unknown.fields(), ["provider"]);
    let flow = begin(&token, "password").await.expect(201).json();
    assert_eq!(flow["step"]["kind"], "choose");
    let post = async |answer: Value| {
        let body = json!({"provider": "password", "answer": answer});
        world.post(flow_path(&flow)).json(&body).send().await
    };
    // One is asked for the present password first.
    post(json!({"password": "not the password 99"}))
        .await
        .expect_problem(401, "sign_in_refused");
    let next = post(json!({"password": PASSWORD})).await.expect(200).json();
    assert_eq!(next["step"]["kind"], "prompt");
    let new = crate::support::OTHER_PASSWORD;
    let done = post(json!({"new_password": new})).await.expect(200).json();
    assert_eq!(done["state"], "complete");
    // Every older session is over, the present one is a new one.
    for old in [&token, &other] {
        assert!(!world.accepts(old).await);
    }
    assert!(
        world
            .accepts(done["session"]["token"].as_str().unwrap())
            .await
    );
    world.sign_in(&ada, PASSWORD).await.expect(401);
    world.token(&ada, new).await;
}

async fn s18_of_racing_right_answers_one_makes_a_session(world: &World) {
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    let flow = world.begin(json!({"tenant": "home"})).await;
    let enter = || world.enter(&flow, &ada.name, PASSWORD);
    let answers = tokio::join!(enter(), enter(), enter(), enter());
    let answers = [answers.0, answers.1, answers.2, answers.3];
    let done = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(done, 1, "{answers:?}");
    for answer in answers.into_iter().filter(|answer| answer.status != 200) {
        answer.expect_problem(409, "conflict");
    }
}
