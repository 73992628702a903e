//! `/api/v1/session`.

use serde_json::{Value, json};

use crate::support::{Browser, PASSWORD, World, on_each_storage, redacted, town};

const SESSION: &str = "/api/v1/session";

on_each_storage!(
    the_present_session_is_read_and_ended,
    a_limited_session_says_what_it_is_limited_to,
    permissions_are_asked_by_name,
    what_is_no_session_token_is_refused,
    s02_after_signing_out_without_cookies_nobody_gets_the_session,
    signing_out_ends_the_session_that_was_presented,
);

/// v5.0.0-7.4.1.
async fn the_present_session_is_read_and_ended(world: &World) {
    let town = town(world).await;
    let read = world
        .get(SESSION)
        .bearer(&town.mayor_token)
        .send()
        .await
        .expect(200);
    assert_eq!(
        redacted(read.json()),
        json!({
            "session": {
                "id": "<id>", "started_at": "<time>", "expires_at": "<time>", "auth_time": "<time>",
                "amr": ["tkt"],
            },
            "user": {"id": "<id>", "user_name": "mayor", "display_name": "mayor"},
            "tenant": {"id": "<id>", "name": "home"},
        })
    );
    let out = || world.delete(SESSION).bearer(&town.mayor_token).send();
    let ended = out().await.expect(204);
    assert!(ended.body.is_empty());
    assert_eq!(ended.header("set-cookie"), None);
    for answer in [
        out().await,
        world.get(SESSION).bearer(&town.mayor_token).send().await,
    ] {
        answer.expect_problem(401, "unauthenticated");
    }
    assert!(world.accepts(&town.citizen_token).await);
}

async fn a_limited_session_says_what_it_is_limited_to(world: &World) {
    let town = town(world).await;
    let scoped = world.scoped_session(&town.mayor).await;
    let read = world.get(format!("{SESSION}?permissions=user.read,account.use"));
    let read = read.bearer(&scoped).send().await.expect(200).json();
    assert_eq!(read["session"]["scope"], "set_password");
    assert_eq!(
        read["permissions"],
        json!({"user.read": false, "account.use": false})
    );
}

async fn permissions_are_asked_by_name(world: &World) {
    let town = town(world).await;
    let ask = async |token: &str, names: &str| {
        let call = world
            .get(format!("{SESSION}?permissions={names}"))
            .bearer(token);
        call.send().await
    };
    let names = "tenant.create,user.create,%20session.end%20,account.use,made.up,,";
    for (token, create, administer) in [
        (&town.root_token, true, true),
        (&town.mayor_token, false, true),
        (&town.citizen_token, false, false),
    ] {
        let answer = ask(token, names).await.expect(200).json();
        let expected = json!({
            "tenant.create": create,
            "user.create": administer,
            "session.end": administer,
            "account.use": true,
            // Nobody is told "no" about a name by accident: no rule means deny.
            "made.up": create,
        });
        assert_eq!(answer["permissions"], expected);
    }
    let none = ask(&town.mayor_token, "").await.expect(200).json();
    assert_eq!(none["permissions"], json!({}));
    let many: Vec<_> = (0..100).map(|number| format!("a{number}")).collect();
    let hundred = ask(&town.mayor_token, &many.join(","))
        .await
        .expect(200)
        .json();
    assert_eq!(hundred["permissions"].as_object().unwrap().len(), 100);
    let more = ask(&town.mayor_token, &format!("{},b", many.join(","))).await;
    more.expect_problem(400, "invalid_request");
    let unknown = world
        .get(format!("{SESSION}?permission=a"))
        .bearer(&town.mayor_token);
    unknown.send().await.expect_problem(400, "invalid_request");
}

async fn what_is_no_session_token_is_refused(world: &World) {
    let mayor = town(world).await.mayor_token;
    let mut other = mayor.clone();
    other.replace_range(0..1, if other.starts_with('A') { "B" } else { "A" });
    for wrong in [
        format!("Bearer {other}"),
        format!("Bearer {}", mayor.to_lowercase()),
        format!("Bearer {mayor}="),
        format!("Bearer {mayor} {mayor}"),
        format!("Basic {mayor}"),
        format!("Bearer{mayor}"),
        "Bearer ".to_owned(),
        "Bearer".to_owned(),
        mayor.clone(),
        String::new(),
        format!("Bearer {}", "A".repeat(10_000)),
        format!("Bearer \u{e4}{mayor}"),
    ] {
        let call = world.get(SESSION).header("authorization", &wrong);
        call.send().await.expect_problem(401, "unauthenticated");
    }
    let twice = world
        .get(SESSION)
        .bearer(&mayor)
        .bearer(&other)
        .send()
        .await;
    assert!(twice.status.is_client_error(), "{twice}");
    let twice = world
        .get(SESSION)
        .bearer(&other)
        .bearer(&mayor)
        .send()
        .await;
    assert!(twice.status.is_client_error(), "{twice}");
    // Nowhere but in its header.
    for path in ["access_token", "token", "session"].map(|name| format!("{SESSION}?{name}={mayor}"))
    {
        let answer = world.get(path).send().await;
        assert!(matches!(answer.status.as_u16(), 400 | 401), "{answer}");
    }
    let lower = world
        .get(SESSION)
        .header("authorization", format!("bEARER {mayor}"));
    lower.send().await.expect(200);
}

/// S02: whoever signs out without its cookies leaves nothing for the next person.
async fn s02_after_signing_out_without_cookies_nobody_gets_the_session(world: &World) {
    world.tenant("home").await;
    let (ada, ben) = (
        world.person_with_password("home", "ada").await,
        world.person_with_password("home", "ben").await,
    );
    let mut browser = Browser::new(world);
    browser.sign_in(&ada, PASSWORD).await;
    let old = browser.cookies.clone();
    // The cookies are gone before the sign-out: it ends nothing, and says so.
    browser.cookies.clear();
    browser
        .delete(SESSION)
        .await
        .expect_problem(401, "unauthenticated");
    browser.sign_in(&ben, PASSWORD).await;
    let user = async |browser: &mut Browser<'_>| {
        let read = browser.get(SESSION).await.expect(200).json();
        read["user"]["user_name"].as_str().unwrap().to_owned()
    };
    assert_eq!(user(&mut browser).await, "ben");
    for (name, value) in &old {
        assert_ne!(
            browser.cookies.get(name),
            Some(value).filter(|_| name.contains("session"))
        );
    }
    // Ben's sign-out ends Ben's session and no other.
    browser.delete(SESSION).await.expect(204);
    browser
        .get(SESSION)
        .await
        .expect_problem(401, "unauthenticated");
    let mut first = Browser::new(world);
    first.cookies = old;
    assert_eq!(user(&mut first).await, "ada");
}

async fn signing_out_ends_the_session_that_was_presented(world: &World) {
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    let mut browser = Browser::new(world);
    browser.sign_in(&ada, PASSWORD).await;
    let bearer = world.token(&ada, PASSWORD).await;
    // A bearer token wins over the cookie, which stays good and stays there.
    let call = browser
        .call(axum::http::Method::DELETE, SESSION)
        .bearer(&bearer);
    browser.send(call).await.expect(204);
    assert!(!world.accepts(&bearer).await);
    assert_eq!(browser.named("gl-session").len(), 1);
    browser.get(SESSION).await.expect(200);
    let out = browser.delete(SESSION).await.expect(204);
    assert_eq!(
        out.header("clear-site-data"),
        Some("\"cache\", \"storage\"")
    );
    assert!(browser.named("gl-session").is_empty());
    assert!(browser.named("gl-current").is_empty());
    let after: Value = browser.get(SESSION).await.expect(401).json();
    assert_eq!(after["code"], "unauthenticated");
}
