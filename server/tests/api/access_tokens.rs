//! Access tokens of the real server, verified as an application verifies them.

use std::time::Duration;

use axum::http::Method;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatelodge_core::{
    access::Caller,
    model::Grant,
    tokens::{Rotation, TokenKind},
};
use gatelodge_verifier::{Claims, KeySet, Refusal};
use serde_json::{Value, json};

use crate::support::{
    Answer, Browser, Call, OTHER_PASSWORD, PASSWORD, World, flow_path, on_each_storage, town,
};

on_each_storage!(
    an_application_learns_from_a_token_who_calls_it,
    a_browser_gets_tokens_with_its_cookie_from_our_own_pages,
    a_token_is_for_one_application_of_the_own_tenant,
    s05_an_access_token_opens_nothing_here,
    s06_a_token_ends_after_five_minutes_and_with_its_session,
    s20_nobody_whose_session_has_ended_gets_another_token,
    s31_no_key_of_the_server_is_told_but_its_public_part,
    tokens_that_count_go_on_counting_while_keys_are_replaced,
    a_session_that_is_limited_to_a_purpose_gets_no_token,
    what_cannot_be_an_application_is_not_found,
    two_servers_sign_with_one_key,
);

const TOKEN: &str = "/api/v1/token";
const KEYS: &str = "/.well-known/jwks.json";

async fn ask(world: &World, bearer: &str, application: &str) -> Answer {
    let body = json!({"application": application});
    world.post(TOKEN).bearer(bearer).json(&body).send().await
}

pub(crate) async fn get(world: &World, bearer: &str, application: &str) -> String {
    let answer = ask(world, bearer, application).await.expect(200).json();
    answer["access_token"].as_str().unwrap().to_owned()
}

fn seconds(world: &World) -> u64 {
    world.platform.now().as_second().try_into().unwrap()
}

/// What an application finds, that fetches the keys now.
pub(crate) async fn verified(
    world: &World,
    token: &str,
    audience: &str,
) -> Result<Claims, Refusal> {
    let keys = world.get(KEYS).send().await.expect(200);
    let keys = KeySet::parse(&keys.body).unwrap();
    keys.verify(token, &world.origin, audience, seconds(world))
}

fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

async fn an_application_learns_from_a_token_who_calls_it(world: &World) {
    let town = town(world).await;
    let shop = world.application(town.mayor.tenant, "shop").await;
    for named in ["shop", &shop.id.to_string()] {
        let answer = ask(world, &town.mayor_token, named)
            .await
            .expect(200)
            .json();
        assert_eq!(answer["token_type"], "Bearer");
        assert_eq!(answer["expires_in"], 300);
        let token = answer["access_token"].as_str().unwrap();
        let claims = verified(world, token, "shop").await.unwrap();
        assert_eq!(claims.user, town.mayor.id.to_string());
        assert_eq!(claims.tenant, town.mayor.tenant.to_string());
        assert_eq!(claims.application, shop.id.to_string());
        assert_eq!(claims.roles, ["tenant_administrator"]);
        assert_eq!(claims.expires_at, seconds(world) + 300);
        // RFC 9068 section 2.
        let header = part(token, 0);
        assert_eq!(
            (&header["alg"], &header["typ"]),
            (&json!("EdDSA"), &json!("at+jwt"))
        );
        assert_eq!(header.as_object().unwrap().len(), 3);
        let body = part(token, 1);
        assert_eq!(body["iss"], json!(world.origin));
        assert_eq!(body["sub"], json!(town.mayor.id));
        assert!(token.len() < 4_096, "{}", token.len());
    }
    // What was proven, and when, and in which session.
    let ada = world.person_with_password("home", "ada").await;
    let bearer = world.token(&ada, PASSWORD).await;
    let session = world.get("/api/v1/session").bearer(&bearer).send().await;
    let session = session.expect(200).json()["session"]["id"].clone();
    world.pass(Duration::from_secs(100));
    let claims = verified(world, &get(world, &bearer, "shop").await, "shop").await;
    let claims = claims.unwrap();
    assert_eq!(json!(claims.session), session);
    assert_eq!(claims.auth_time, seconds(world) - 100);
    assert_eq!(
        (claims.acr.as_str(), claims.amr.as_slice()),
        ("aal1", &["pwd".to_owned()][..])
    );
    assert!(claims.roles.is_empty() && !claims.has_two_factors());
    // No two tokens are one.
    let other = get(world, &bearer, "shop").await;
    let other = verified(world, &other, "shop").await.unwrap();
    assert_ne!(claims.token, other.token);
}

async fn a_browser_gets_tokens_with_its_cookie_from_our_own_pages(world: &World) {
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    world.application(ada.tenant, "shop").await;
    let mut browser = Browser::new(world);
    browser.sign_in(&ada, PASSWORD).await;
    let body = json!({"application": "shop"});
    browser.post(TOKEN, &body).await.expect(200);
    let call = || {
        browser
            .call(Method::POST, TOKEN)
            .without("origin")
            .json(&body)
    };
    call().send().await.expect_problem(403, "origin_missing");
    for origin in ["https://evil.example", "null", "http://localhost:8081"] {
        let foreign = call().header("origin", origin).send().await;
        foreign.expect_problem(403, "origin_not_allowed");
    }
}

/// v5.0.0-9.2.4.
async fn a_token_is_for_one_application_of_the_own_tenant(world: &World) {
    let town = town(world).await;
    world.application(town.mayor.tenant, "shop").await;
    world.application(town.mayor.tenant, "desk").await;
    world.application(town.stranger.tenant, "theirs").await;
    let token = get(world, &town.citizen_token, "shop").await;
    verified(world, &token, "shop").await.unwrap();
    for other in ["desk", "theirs", "Shop", "", &world.origin] {
        let refused = verified(world, &token, other).await.unwrap_err();
        assert!(matches!(refused, Refusal::Audience), "{other}: {refused}");
    }
    let foreign = ask(world, &town.citizen_token, "theirs").await;
    let unknown = ask(world, &town.citizen_token, "nobodys").await;
    foreign.clone().expect_problem(404, "not_found");
    assert_eq!(foreign.comparable(), unknown.comparable());
}

/// S05: whoever is called with a token cannot act here with it.
/// v5.0.0-9.2.2, v5.0.0-9.2.3.
async fn s05_an_access_token_opens_nothing_here(world: &World) {
    let town = town(world).await;
    world.application(town.mayor.tenant, "shop").await;
    let token = get(world, &town.mayor_token, "shop").await;
    let doors = [
        world.get("/api/v1/session").bearer(&token),
        world.delete("/api/v1/session").bearer(&token),
        world.get("/api/v1/tenants/home/users").bearer(&token),
        world.get("/api/v1/account/sessions").bearer(&token),
        world
            .post(TOKEN)
            .bearer(&token)
            .json(&json!({"application": "shop"})),
        world.get(format!("/api/v1/sign-in/flows/{token}")),
        world
            .get("/api/v1/session")
            .header("cookie", format!("gl-session-0123456789={token}")),
        world
            .get("/api/v1/session")
            .header("cookie", format!("gl-device={token}")),
    ];
    for door in doors {
        let answer = door.send().await;
        assert!(matches!(answer.status.as_u16(), 401 | 404), "{answer}");
    }
    let page = "/api/v1/tenants/home/users?cursor=";
    let page = world
        .get(format!("{page}{token}"))
        .bearer(&town.mayor_token);
    page.send().await.expect_problem(400, "invalid_request");
    // And a session's token is none for an application.
    let refused = verified(world, &town.mayor_token, "shop")
        .await
        .unwrap_err();
    assert!(matches!(refused, Refusal::Malformed), "{refused}");
}

/// S06.
async fn s06_a_token_ends_after_five_minutes_and_with_its_session(world: &World) {
    let world = world
        .another_with(|config| {
            config.session.idle_minutes = 2;
            config.session.absolute_hours = 1;
        })
        .await;
    let town = town(&world).await;
    world.application(town.mayor.tenant, "shop").await;
    // Idle for two minutes, and it is over.
    let answer = ask(&world, &town.citizen_token, "shop")
        .await
        .expect(200)
        .json();
    assert_eq!(answer["expires_in"], 120);
    let token = answer["access_token"].as_str().unwrap();
    world.pass(Duration::from_secs(119));
    verified(&world, token, "shop").await.unwrap();
    world.pass(Duration::from_secs(1));
    let refused = verified(&world, token, "shop").await.unwrap_err();
    assert!(matches!(refused, Refusal::Expired), "{refused}");
    ask(&world, &town.citizen_token, "shop").await.expect(401);

    let world = world
        .another_with(|config| config.session.absolute_hours = 1)
        .await;
    let town = crate::support::town(&world).await;
    world.application(town.mayor.tenant, "shop").await;
    let mut left = 3_600;
    while left > 300 {
        let answer = ask(&world, &town.citizen_token, "shop").await.expect(200);
        assert_eq!(answer.json()["expires_in"], 300);
        world.pass(Duration::from_secs(299));
        left -= 299;
    }
    let answer = ask(&world, &town.citizen_token, "shop")
        .await
        .expect(200)
        .json();
    assert_eq!(answer["expires_in"], left);
    world.pass(Duration::from_secs(left - 1));
    let answer = ask(&world, &town.citizen_token, "shop")
        .await
        .expect(200)
        .json();
    assert_eq!(answer["expires_in"], 1);
    let last = answer["access_token"].as_str().unwrap();
    verified(&world, last, "shop").await.unwrap();
    world.pass(Duration::from_secs(1));
    verified(&world, last, "shop").await.unwrap_err();
    ask(&world, &town.citizen_token, "shop").await.expect(401);
}

/// S20: event × access token.
async fn s20_nobody_whose_session_has_ended_gets_another_token(world: &World) {
    for number in 0..7 {
        let world = world.another_like_this().await;
        world.follow().await;
        let town = town(&world).await;
        let ada = world.person_with_password("home", "ada").await;
        world.application(ada.tenant, "shop").await;
        let bearer = world.token(&ada, PASSWORD).await;
        ask(&world, &bearer, "shop").await.expect(200);
        let root = async |call: Call<'_>| call.bearer(&town.root_token).send().await;
        let done = match number {
            0 => world.delete("/api/v1/session").bearer(&bearer).send().await,
            1 => root(world.put(format!("{}/lock", ada.path())).json(&json!({}))).await,
            2 => root(world.put("/api/v1/tenants/home/lock").json(&json!({}))).await,
            3 => root(world.delete(ada.path())).await,
            4 => root(world.delete(format!("{}/sessions", ada.path()))).await,
            5 => root(world.patch(ada.path()).json(&json!({"active": false}))).await,
            _ => change_password(&world, &bearer).await,
        };
        assert!(done.status.is_success(), "{number}: {done}");
        let answer = ask(&world, &bearer, "shop").await;
        answer.expect_problem(401, "unauthenticated");
    }
}

async fn change_password(world: &World, bearer: &str) -> Answer {
    let begin = json!({"transport": "token", "intent": "enrol", "provider": "password"});
    let call = world
        .post("/api/v1/sign-in/flows")
        .bearer(bearer)
        .json(&begin);
    let path = flow_path(&call.send().await.expect(201).json());
    let answer = |fields: Value| {
        let body = json!({"provider": "password", "answer": fields});
        world.post(&path).json(&body).send()
    };
    answer(json!({"password": PASSWORD})).await.expect(200);
    answer(json!({"new_password": OTHER_PASSWORD})).await
}

/// S31 begins with what an attacker can know.
async fn s31_no_key_of_the_server_is_told_but_its_public_part(world: &World) {
    let answer = world.get(KEYS).send().await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    let body = answer.json();
    let keys = body["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1);
    let mut fields: Vec<_> = keys[0].as_object().unwrap().keys().collect();
    fields.sort();
    assert_eq!(fields, ["alg", "crv", "kid", "kty", "use", "x"]);
    // In the storage there is nothing that would sign.
    let mut unit = world
        .platform
        .storage()
        .begin(
            gatelodge_core::storage::Scope::Platform,
            gatelodge_core::storage::Mode::Read,
        )
        .await
        .unwrap();
    let stored = unit.installation().value("signing_keys/access").await;
    unit.rollback().await.unwrap();
    let stored = String::from_utf8(stored.unwrap().unwrap().value).unwrap();
    // The private key in PKCS #8 (RFC 8410), as it would be written in base64.
    assert!(!stored.contains("MC4CAQAwBQYDK2Vw"), "{stored}");
    let es256 = world
        .another_with(|config| {
            config.tokens.algorithm = gatelodge_server::config::TokenAlgorithm::Es256;
        })
        .await;
    let body = es256.get(KEYS).send().await.expect(200).json();
    let key = &body["keys"][0];
    assert_eq!((&key["kty"], &key["alg"]), (&json!("EC"), &json!("ES256")));
    let town = town(&es256).await;
    es256.application(town.mayor.tenant, "shop").await;
    let token = get(&es256, &town.citizen_token, "shop").await;
    assert_eq!(part(&token, 0)["alg"], "ES256");
    verified(&es256, &token, "shop").await.unwrap();
}

/// R16, the everyday size: an application that keeps keys for five minutes never
/// refuses a token that counts.
async fn tokens_that_count_go_on_counting_while_keys_are_replaced(world: &World) {
    let town = town(world).await;
    world.grant(&town.citizen, Grant::TenantAdministrator).await;
    world.application(town.mayor.tenant, "shop").await;
    let tokens = world.platform.tokens();
    let operator = Caller::operator();
    let mut kept = world.get(KEYS).send().await.expect(200).body;
    let mut kids = std::collections::BTreeSet::new();
    let bearer = async |world: &World| world.session(&town.citizen).await;
    for minute in 0..(8 * 60) {
        if minute % 97 == 0 {
            tokens
                .rotate(&operator, TokenKind::Access, Rotation::Overlapping)
                .await
                .unwrap();
        }
        tokens.tend().await.unwrap();
        if minute % 5 == 0 {
            kept = world.get(KEYS).send().await.expect(200).body;
        }
        if minute % 10 == 3 {
            let token = get(world, &bearer(world).await, "shop").await;
            kids.insert(part(&token, 0)["kid"].to_string());
            for later in [0, 299] {
                let keys = KeySet::parse(&kept).unwrap();
                let now = seconds(world) + later;
                let checked = keys.verify(&token, &world.origin, "shop", now);
                checked.unwrap_or_else(|refusal| panic!("minute {minute}: {refusal}"));
            }
        }
        world.pass(Duration::from_secs(60));
    }
    assert!(kids.len() >= 4, "{kids:?}");
    let published = world.get(KEYS).send().await.json();
    assert!(
        published["keys"].as_array().unwrap().len() <= 3,
        "{published}"
    );
}

async fn a_session_that_is_limited_to_a_purpose_gets_no_token(world: &World) {
    let town = town(world).await;
    world.application(town.mayor.tenant, "shop").await;
    let scoped = world.scoped_session(&town.citizen).await;
    ask(world, &scoped, "shop")
        .await
        .expect_problem(403, "denied");
    // Nothing of it depends on whether there is such an application.
    ask(world, &scoped, "nobodys")
        .await
        .expect_problem(403, "denied");
}

async fn what_cannot_be_an_application_is_not_found(world: &World) {
    let town = town(world).await;
    for named in ["", "two words", "\u{0}", "ünicode", &"x".repeat(10_000)] {
        let answer = ask(world, &town.citizen_token, named).await;
        answer.expect_problem(404, "not_found");
    }
    let nobody = world
        .post(TOKEN)
        .json(&json!({"application": "shop"}))
        .send()
        .await;
    nobody.expect_problem(401, "unauthenticated");
}

/// What one server makes, the other publishes and goes on with.
async fn two_servers_sign_with_one_key(world: &World) {
    let town = town(world).await;
    world.application(town.mayor.tenant, "shop").await;
    let other = world.second_server().await;
    let (one, two) = tokio::join!(
        get(world, &town.citizen_token, "shop"),
        get(&other, &town.citizen_token, "shop")
    );
    assert_eq!(part(&one, 0)["kid"], part(&two, 0)["kid"]);
    verified(&other, &one, "shop").await.unwrap();
    verified(world, &two, "shop").await.unwrap();
    // A key that is withdrawn at one signs nowhere any more.
    let operator = Caller::operator();
    let tokens = world.platform.tokens();
    let rotated = tokens.rotate(&operator, TokenKind::Access, Rotation::AtOnce);
    let (key, _) = rotated.await.unwrap();
    let after = get(&other, &town.citizen_token, "shop").await;
    assert_eq!(part(&after, 0)["kid"], json!(key.kid));
    for token in [&one, &two] {
        let refused = verified(&other, token, "shop").await.unwrap_err();
        assert!(matches!(refused, Refusal::UnknownKey), "{refused}");
    }
}
