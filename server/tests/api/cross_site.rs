//! S44: what another site can make a browser send changes nothing.

use serde_json::{Value, json};

use crate::{
    matrix::{Role, Stage, body_of, everything_in},
    support::{Answer, Browser, Call, PASSWORD, World, description::operations, on_each_storage},
};

on_each_storage!(
    s44_no_change_is_taken_from_another_site,
    s44_signing_in_and_out_cannot_be_forced_from_another_site,
    s44_another_site_cannot_read_with_the_persons_cookies,
    s44_programs_without_cookies_need_no_origin,
);

/// Origins that are not ours, on the default host.
const FOREIGN: [&str; 14] = [
    "null",
    "",
    "https://evil.example",
    "http://localhost",
    "http://localhost:80801",
    "http://localhost:8081",
    "https://localhost:8080",
    "http://localhost:8080.evil.example",
    "http://evil.example/http://localhost:8080",
    "http://127.0.0.1:8080",
    "http://localhost:8080/",
    "HTTP://LOCALHOST:8080",
    "http://localhost:8080 ",
    "file://",
];

/// A request with the administrator's cookie, as browsers send it for a page of another site.
fn attacks<'w>(call: &Call<'w>, body: Option<&Value>) -> Vec<(String, Call<'w>)> {
    let text = body.map(Value::to_string).unwrap_or_default();
    let mut all = Vec::new();
    for origin in FOREIGN {
        let with = |kind: &str| {
            call.clone()
                .header("origin", origin)
                .body(kind, text.clone())
        };
        all.push((format!("origin {origin:?}"), with("application/json")));
        all.push((format!("origin {origin:?} as text"), with("text/plain")));
    }
    let form = "application/x-www-form-urlencoded";
    all.push((
        "a form".to_owned(),
        call.clone().header("origin", "null").body(form, "name=x"),
    ));
    all.push((
        "no origin".to_owned(),
        call.clone().body("application/json", text.clone()),
    ));
    all.push((
        "no origin, as text".to_owned(),
        call.clone().body("text/plain", text.clone()),
    ));
    let ours = call
        .clone()
        .by_our_page()
        .body("application/json", text.clone());
    for site in ["cross-site", "same-site"] {
        all.push((site.to_owned(), ours.clone().header("sec-fetch-site", site)));
    }
    all.push((
        "two origins".to_owned(),
        ours.header("origin", "https://evil.example"),
    ));
    all
}

/// What browsers may send across sites without asking first, with our origin:
/// only the wrong kind of body is left to stop it.
fn as_a_form<'w>(call: &Call<'w>, body: &Value) -> Vec<(String, Call<'w>)> {
    let kinds = [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "text/json",
    ];
    let call = call.clone().by_our_page();
    kinds
        .map(|kind| (kind.to_owned(), call.clone().body(kind, body.to_string())))
        .into()
}

/// v5.0.0-3.5.1, v5.0.0-3.5.2.
async fn s44_no_change_is_taken_from_another_site(world: &World) {
    let stage = Stage::new(world).await;
    let town = &stage.town;
    let fill = stage.fill(world, &town.citizen).await;
    let tenants = [town.root.tenant, town.citizen.tenant];
    let before = everything_in(world, &tenants).await;
    for operation in operations()
        .iter()
        .filter(|operation| operation.method != "GET")
    {
        let path = fill.path(&operation.path);
        let call = world.call(operation.method.parse().unwrap(), path);
        let token = stage.token(Role::Platform).unwrap();
        let call = call.header("cookie", format!("gl-session-0123456789={token}"));
        let body = body_of(&operation.id);
        for (attack, call) in attacks(&call, body.as_ref()) {
            let answer = call.send().await;
            let code = answer.code();
            let refused = matches!(
                code.as_str(),
                "origin_not_allowed" | "origin_missing" | "invalid_request"
            );
            assert!(refused, "{} by {attack}: {answer}", operation.id);
        }
        if let Some(body) = &body {
            for (kind, call) in as_a_form(&call, body) {
                let answer = call.send().await;
                let what = format!("{} as {kind:?}: {answer}", operation.id);
                assert_eq!(answer.status.as_u16(), 415, "{what}");
            }
        }
    }
    assert_eq!(before, everything_in(world, &tenants).await);
}

/// v5.0.0-7.6.2.
async fn s44_signing_in_and_out_cannot_be_forced_from_another_site(world: &World) {
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    let mut browser = Browser::new(world);
    browser.sign_in(&ada, PASSWORD).await;
    let flow = browser.begin("home").await;
    let enter = json!({
        "provider": "password", "answer": {"user_name": "ada", "password": PASSWORD},
    });
    let cookie = browser.named("gl-");
    let cookie: Vec<_> = cookie.iter().map(|(n, v)| format!("{n}={v}")).collect();
    let begin = json!({"transport": "cookie", "tenant": "home"});
    let calls = [
        (world.delete("/api/v1/session"), None),
        (world.post("/api/v1/sign-in/flows"), Some(&begin)),
        (world.post(&flow), Some(&enter)),
    ];
    for (call, body) in calls {
        let call = call.header("cookie", cookie.join("; "));
        for (attack, call) in attacks(&call, body) {
            let answer: Answer = call.send().await;
            assert!(answer.status.is_client_error(), "{attack}: {answer}");
            assert!(
                answer.headers.get("set-cookie").is_none(),
                "{attack}: {answer}"
            );
        }
    }
    browser.get("/api/v1/session").await.expect(200);
    // Without any cookie yet, a browser of another site still gets no cookie flow.
    for (attack, call) in attacks(&world.post("/api/v1/sign-in/flows"), Some(&begin)) {
        let answer = call.send().await;
        assert!(answer.status.is_client_error(), "{attack}: {answer}");
        assert!(
            answer.headers.get("set-cookie").is_none(),
            "{attack}: {answer}"
        );
    }
}

/// v5.0.0-3.4.2.
async fn s44_another_site_cannot_read_with_the_persons_cookies(world: &World) {
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    let mut browser = Browser::new(world);
    browser.sign_in(&ada, PASSWORD).await;
    let read = || {
        browser
            .call(axum::http::Method::GET, "/api/v1/session")
            .without("origin")
    };
    read().send().await.expect(200);
    for site in ["same-origin", "none"] {
        read()
            .header("sec-fetch-site", site)
            .send()
            .await
            .expect(200);
    }
    for site in ["cross-site", "same-site"] {
        let answer = read().header("sec-fetch-site", site).send().await;
        answer.expect_problem(403, "origin_not_allowed");
    }
    for origin in FOREIGN {
        let answer = read().header("origin", origin).send().await;
        answer.expect_problem(403, "origin_not_allowed");
    }
    // No answer invites another origin in.
    for answer in [
        read().by_our_page().send().await,
        read().header("origin", "https://evil.example").send().await,
        world
            .call(axum::http::Method::OPTIONS, "/api/v1/session")
            .header("origin", "https://evil.example")
            .header("access-control-request-method", "DELETE")
            .send()
            .await,
    ] {
        let cors = answer
            .headers
            .keys()
            .any(|name| name.as_str().starts_with("access-control-"));
        assert!(!cors, "{answer}");
    }
}

async fn s44_programs_without_cookies_need_no_origin(world: &World) {
    let stage = Stage::new(world).await;
    let token = stage.token(Role::Platform).unwrap();
    let make = |name: &str| {
        world
            .post("/api/v1/tenants")
            .bearer(token)
            .json(&json!({"name": name}))
    };
    make("one").send().await.expect(201);
    make("two").by_our_page().send().await.expect(201);
    // A token that another site's page holds is not taken from there either.
    let foreign = make("three").header("origin", "https://evil.example");
    foreign
        .send()
        .await
        .expect_problem(403, "origin_not_allowed");
    let foreign = make("three").header("sec-fetch-site", "cross-site");
    foreign
        .send()
        .await
        .expect_problem(403, "origin_not_allowed");
    // With cookies beside the token, whatever they are, the origin must be told.
    let both = make("three").header("cookie", "theme=dark");
    both.send().await.expect_problem(403, "origin_missing");
}
