//! `/api/v1/tenants/{tenant}/settings`.

use std::time::Duration;

use gatelodge_core::{
    access::Caller,
    model::{ProviderId, SignInSettings, TenantSettings},
};
use serde_json::{Value, json};

use crate::support::{
    MAILED, PASSWORD, World, flow_path, link_of, on_each_storage, redacted, town,
};

const SETTINGS: &str = "/api/v1/tenants/home/settings";

on_each_storage!(
    settings_are_read_replaced_and_inherited,
    a_setting_out_of_range_is_refused,
    ways_to_sign_in_that_are_not_there_are_refused,
    s40_a_way_that_is_switched_off_is_refused,
    s06_the_times_of_a_session_follow_the_settings,
    the_limit_of_sessions_follows_the_settings,
);

fn unset() -> Value {
    json!({
        "session": {"idle_minutes": null, "absolute_minutes": null, "limit": null, "at_limit": null, "remember_days": null},
        "registration": {"enabled": null, "email_required": null, "display_name_required": null, "email_verified": null},
        "second_factor": {"everyone": null, "administrators": null, "required_from": null},
        "sign_in": {"providers": null},
    })
}

fn defaults() -> Value {
    json!({
        "session": {
            "idle_minutes": 30, "absolute_minutes": 1440, "limit": null, "at_limit": "replace_oldest",
            "remember_days": 30,
        },
        "registration": {
            "enabled": false, "email_required": false, "display_name_required": false,
            "email_verified": false,
        },
        "second_factor": {"everyone": "optional", "administrators": null, "required_from": null},
        "sign_in": {"providers": null},
    })
}

async fn settings_are_read_replaced_and_inherited(world: &World) {
    let mayor = town(world).await.mayor_token;
    let read = world.get(SETTINGS).bearer(&mayor).send().await.expect(200);
    assert_eq!(
        redacted(read.json()),
        json!({"own": unset(), "effective": defaults()})
    );
    let own = json!({
        "session": {"idle_minutes": 1, "absolute_minutes": 43_200, "limit": 2, "at_limit": "refuse", "remember_days": 7},
        "registration": {"enabled": true, "email_required": true, "display_name_required": true, "email_verified": true},
        "second_factor": {
            "everyone": "required", "administrators": "required", "required_from": "2027-01-01T00:00:00Z",
        },
        "sign_in": {"providers": ["totp", "password", "one-time-token"]},
    });
    let put = async |body: &Value| {
        world
            .put(SETTINGS)
            .bearer(&mayor)
            .json(body)
            .send()
            .await
            .expect(200)
    };
    let replaced = put(&own).await;
    assert_ne!(replaced.etag(), read.etag());
    assert_eq!(replaced.json(), json!({"own": own, "effective": own}));
    let again = world.get(SETTINGS).bearer(&mayor).send().await;
    assert_eq!(
        (again.json(), again.etag()),
        (replaced.json(), replaced.etag())
    );
    // What is not named is no longer set.
    let partly = put(&json!({"session": {"idle_minutes": 5}})).await.json();
    assert_eq!(partly["own"]["session"]["limit"], Value::Null);
    assert_eq!(partly["effective"]["session"]["idle_minutes"], 5);
    assert_eq!(partly["effective"]["session"]["at_limit"], "replace_oldest");
    assert_eq!(
        put(&json!({})).await.json(),
        json!({"own": unset(), "effective": defaults()})
    );
}

async fn a_setting_out_of_range_is_refused(world: &World) {
    let mayor = town(world).await.mayor_token;
    let put = async |body: Value| world.put(SETTINGS).bearer(&mayor).json(&body).send().await;
    for (name, beyond) in [
        ("idle_minutes", 43_201),
        ("absolute_minutes", 43_201),
        ("limit", 10_001),
    ] {
        for value in [0, beyond] {
            let mut session = json!({});
            session[name] = value.into();
            let answer = put(json!({"session": session})).await;
            let answer = answer.expect_problem(422, "validation_failed");
            assert_eq!(answer.fields(), [format!("session.{name}")]);
        }
    }
    for wrong in [
        json!({"session": {"idle_minutes": "5"}}),
        json!({"session": {"idle_minutes": -5}}),
        json!({"session": {"at_limit": "ignore"}}),
        json!({"registration": {"enabled": "yes"}}),
        json!({"registration": {"enabled": 1}}),
        json!({"session": null}),
        json!({"second_factor": {"everyone": "sometimes"}}),
        json!({"second_factor": {"administrators": true}}),
        json!({"second_factor": {"required_from": "2027-01-01"}}),
        json!({"second_factor": {"required_from": 1_798_761_600}}),
        json!({"sign_in": {"providers": "password"}}),
        json!({"sign_in": {"providers": ["Not an id"]}}),
        json!({"sign_in": {"methods": []}}),
    ] {
        put(wrong).await.expect_problem(400, "invalid_request");
    }
    let read = world.get(SETTINGS).bearer(&mayor).send().await.json();
    assert_eq!(read["own"], unset());
}

async fn ways_to_sign_in_that_are_not_there_are_refused(world: &World) {
    let mayor = town(world).await.mayor_token;
    for (providers, says) in [
        (
            json!(["password", "github"]),
            "there is no provider `github` here, only `password`",
        ),
        (json!([]), "at least one way that a sign-in can start with"),
        (
            json!(["totp"]),
            "at least one way that a sign-in can start with",
        ),
        (json!(["password", "password"]), "names `password` twice"),
    ] {
        let body = json!({"sign_in": {"providers": providers}});
        let put = world.put(SETTINGS).bearer(&mayor).json(&body).send().await;
        let problem = put.expect_problem(422, "validation_failed");
        assert_eq!(problem.fields(), ["sign_in.providers"]);
        let text = problem.json().to_string();
        assert!(text.contains(says), "{text}");
    }
}

/// What was begun while it was on, too.
async fn s40_a_way_that_is_switched_off_is_refused(world: &World) {
    let world = &world.another_by(|plan| plan.mailed_sign_in = true).await;
    let home = world.tenant("home").await;
    let ada = world.invited("ada").await;
    let flow = world.begin(json!({"tenant": "home"})).await;
    let (_, mail) = world.reset(&ada).await;
    let settings = TenantSettings {
        sign_in: SignInSettings {
            providers: Some(vec![ProviderId::new("password").unwrap()]),
        },
        ..TenantSettings::default()
    };
    let (tenants, operator) = (world.platform.tenants(), Caller::operator());
    let put = tenants.put_settings(&operator, home, None, settings);
    put.await.unwrap();
    let chosen = json!({"provider": MAILED});
    let call = world.post(flow_path(&flow)).json(&chosen);
    call.send().await.expect_problem(403, "denied");
    let redeemed = world.redeem(&ada, link_of(&mail)).await;
    redeemed.expect_problem(403, "denied");
    let begin = json!({"transport": "token", "tenant": "home", "intent": "recover"});
    let begun = world
        .post("/api/v1/sign-in/flows")
        .json(&begin)
        .send()
        .await;
    assert!(!begun.status.is_success(), "{begun}");
    world.sign_in(&ada, PASSWORD).await.expect(200);
}

/// v5.0.0-7.3.1, v5.0.0-7.3.2.
async fn s06_the_times_of_a_session_follow_the_settings(world: &World) {
    let town = town(world).await;
    let body = json!({"session": {"idle_minutes": 5, "absolute_minutes": 8}});
    let put = world.put(SETTINGS).bearer(&town.root_token).json(&body);
    put.send().await.expect(200);
    let token = world.session(&town.citizen).await;
    let used = world.session(&town.citizen).await;
    world.pass(Duration::from_secs(5 * 60 - 1));
    assert!(world.accepts(&used).await);
    world.platform.flush_activity().await.unwrap();
    world.pass(Duration::from_secs(1));
    assert!(!world.accepts(&token).await, "idle for five minutes");
    assert!(world.accepts(&used).await);
    world.platform.flush_activity().await.unwrap();
    world.pass(Duration::from_secs(3 * 60 - 1));
    assert!(world.accepts(&used).await);
    world.pass(Duration::from_secs(1));
    assert!(!world.accepts(&used).await, "eight minutes old");
}

async fn the_limit_of_sessions_follows_the_settings(world: &World) {
    let town = town(world).await;
    let user = world.person_with_password("home", "walker").await;
    let put = async |at_limit: &str| {
        let body = json!({"session": {"limit": 2, "at_limit": at_limit}});
        let put = world.put(SETTINGS).bearer(&town.mayor_token).json(&body);
        put.send().await.expect(200);
    };
    put("replace_oldest").await;
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(world.token(&user, crate::support::PASSWORD).await);
        world.pass(Duration::from_secs(1));
    }
    let mut accepted = Vec::new();
    for token in &tokens {
        accepted.push(world.accepts(token).await);
    }
    assert_eq!(accepted, [false, true, true]);
    put("refuse").await;
    let refused = world.sign_in(&user, crate::support::PASSWORD).await;
    refused.expect_problem(409, "refused");
    assert!(world.accepts(&tokens[1]).await);
}
