//! Tokens: each opens its own door only, is taken once, stays revoked, and is
//! told nowhere but where it is handed out.

use axum::http::Method;
use gatelodge_core::{model::Grant, provider::LinkPurpose};
use serde_json::json;

use crate::{
    devices::{FLOWS, stay},
    fuzz::{path_of, stage},
    link_ends::told,
    matrix::Role,
    support::{
        Answer, Browser, Call, OTHER_PASSWORD, PASSWORD, World, description::operations, flow_path,
        on_each_storage,
    },
};

const SESSION: &str = "/api/v1/session";
const SETUP: &str = "/api/v1/setup";

on_each_storage!(
    s05_a_token_of_one_kind_opens_no_door_of_another,
    s17_no_answer_holds_a_secret_that_it_does_not_hand_out,
    s18_two_servers_take_a_set_up_link_once,
    s18_two_servers_end_a_flow_once,
    s19_what_was_revoked_stays_so_on_a_server_that_starts_later,
);

async fn set_up_link(world: &World) -> String {
    let token = world.platform.set_up().prepare().await.unwrap().unwrap();
    token.expose().to_owned()
}

fn set_up<'w>(world: &'w World, token: &str) -> Call<'w> {
    let body = json!({
        "token": token, "tenant": "lodge", "user_name": "root", "password": PASSWORD,
    });
    world.post(SETUP).json(&body)
}

/// One token of each kind: what it is, and its text.
async fn one_of_each(world: &World, browser: &mut Browser<'_>) -> Vec<(&'static str, String)> {
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    world.grant(&ada, Grant::TenantAdministrator).await;
    let bearer = world.token(&ada, PASSWORD).await;
    browser.sign_in(&ada, PASSWORD).await;
    world.application(ada.tenant, "shop").await;
    let ask = json!({"application": "shop"});
    let access = world.post("/api/v1/token").bearer(&bearer).json(&ask);
    let access = access.send().await.expect(200).json();
    let flow = world.begin(json!({"tenant": "home"})).await;
    let page = world
        .get("/api/v1/tenants/home/audit-events?limit=1")
        .bearer(&bearer);
    let page = page.send().await.expect(200).json();
    let session = browser.named("gl-session-")[0].1.to_owned();
    let device = browser.cookies["gl-device"].clone();
    let (_, kept) = stay(world, &ada).await;
    let link = told(world, &ada, LinkPurpose::Reset).await;
    let path = browser.begin("home").await;
    vec![
        ("session", bearer),
        ("session", session),
        ("device", device),
        ("kept device", kept),
        ("link", link),
        ("flow", flow["id"].as_str().unwrap().to_owned()),
        ("flow id", path.rsplit('/').next().unwrap().to_owned()),
        ("flow cookie", browser.named("gl-flow-")[0].1.to_owned()),
        ("cursor", page["next_cursor"].as_str().unwrap().to_owned()),
        ("set-up link", set_up_link(world).await),
        (
            "access",
            access["access_token"].as_str().unwrap().to_owned(),
        ),
    ]
}

/// S05: the full table of tokens and doors; only the diagonal is open.
/// The name of a flow of the cookie transport (`flow id`) opens none, and an
/// access token is for applications, which `access_tokens` asks.
async fn s05_a_token_of_one_kind_opens_no_door_of_another(world: &World) {
    let mut browser = Browser::new(world);
    let tokens = one_of_each(world, &mut browser).await;
    let bearer = tokens[0].1.clone();
    let session_cookie = browser.named("gl-session-")[0].0.to_owned();
    let flow_cookie = browser.named("gl-flow-")[0].0.to_owned();
    let cookie_flow = tokens.iter().find(|(kind, _)| *kind == "flow id");
    let cookie_flow = format!("/api/v1/sign-in/flows/{}", cookie_flow.unwrap().1);
    for (kind, token) in &tokens {
        let with_cookie =
            |name: &str, path: &str| world.get(path).header("cookie", format!("{name}={token}"));
        let cursor = format!("/api/v1/tenants/home/audit-events?limit=1&cursor={token}");
        let ask = json!({"application": "shop"});
        let come = json!({"transport": "token", "device_token": token});
        let link = json!({"purpose": "reset", "token": token});
        let link = json!({"transport": "token", "tenant": "home", "link": link});
        let doors: [(&str, Call<'_>); 11] = [
            ("session", world.get(SESSION).bearer(token)),
            ("session", with_cookie(&session_cookie, SESSION)),
            ("flow", world.get(format!("/api/v1/sign-in/flows/{token}"))),
            ("flow cookie", with_cookie(&flow_cookie, &cookie_flow)),
            ("nothing", world.get(SESSION).header("authorization", token)),
            ("nothing", with_cookie("gl-device", SESSION)),
            ("cursor", world.get(cursor).bearer(&bearer)),
            ("set-up link", set_up(world, token)),
            (
                "session",
                world.post("/api/v1/token").bearer(token).json(&ask),
            ),
            ("kept device", world.post(FLOWS).json(&come)),
            ("link", world.post(FLOWS).json(&link)),
        ];
        for (door, call) in doors {
            let answer = call.send().await;
            assert_eq!(
                answer.status.is_success(),
                *kind == door,
                "{kind}: {answer}"
            );
        }
    }
}

/// Everything that `secrets` must not be in.
#[track_caller]
fn check_for(secrets: &[String], answer: &Answer) {
    let headers = answer.headers.iter();
    let headers = headers.filter(|(name, _)| *name != "set-cookie");
    let headers: Vec<_> = headers.map(|(_, value)| value.to_str().unwrap()).collect();
    let all = format!("{}\n{}", answer.text(), headers.join("\n"));
    for secret in secrets {
        assert!(!all.contains(secret), "`{secret}` in {answer}");
    }
}

/// S17: canaries go in at every door that takes a secret, and come out at none.
async fn s17_no_answer_holds_a_secret_that_it_does_not_hand_out(world: &World) {
    let link = set_up_link(world).await;
    let (stage, fill) = stage(world).await;
    let root = stage.token(Role::Platform).unwrap().to_owned();
    let ada = world.person_with_password("home", "ada").await;
    let wrong = "never tell this one 88";
    let mut secrets = vec![link, wrong.to_owned(), PASSWORD.to_owned()];
    secrets.push(OTHER_PASSWORD.to_owned());

    let flow = world.begin(json!({"tenant": "home"})).await;
    for name in ["ada", "nobody"] {
        check_for(&secrets, &world.enter(&flow, name, wrong).await);
    }
    check_for(&secrets, &set_up(world, wrong).send().await);
    secrets.push(flow["id"].as_str().unwrap().to_owned());
    secrets.push(world.token(&ada, PASSWORD).await);
    let mut browser = Browser::new(world);
    let in_browser = browser.sign_in(&ada, PASSWORD).await;
    let begin = json!({"transport": "cookie", "intent": "enrol", "provider": "password"});
    let begun = browser.post("/api/v1/sign-in/flows", &begin).await;
    let path = flow_path(&begun.json());
    for answer in [
        json!({"password": wrong}),
        json!({"password": PASSWORD}),
        json!({"new_password": PASSWORD}),
        json!({"new_password": OTHER_PASSWORD}),
    ] {
        let cookies = browser.cookies.values().filter(|value| value.len() >= 20);
        secrets.extend(cookies.cloned());
        let body = json!({"provider": "password", "answer": answer});
        check_for(&secrets, &browser.post(&path, &body).await);
    }
    let cookies = browser.cookies.values().filter(|value| value.len() >= 20);
    secrets.extend(cookies.cloned());
    check_for(&secrets, &in_browser);
    // And now everything that can be read, by one who may read everything.
    for operation in operations().iter().filter(|op| op.method == "GET") {
        let path = path_of(operation, &fill);
        check_for(&secrets, &world.get(path).bearer(&root).send().await);
    }
    check_for(&secrets, &browser.get(SESSION).await.expect(200));
}

/// S18: eight set-ups at two servers that share a storage, and one installation.
/// v5.0.0-2.3.4, v5.0.0-15.4.2.
async fn s18_two_servers_take_a_set_up_link_once(world: &World) {
    let link = set_up_link(world).await;
    let other = world.second_server().await;
    let take = async |server: &World| set_up(server, &link).send().await.status.as_u16();
    let (a, b) = (world, &other);
    let taken = tokio::join!(
        take(a),
        take(b),
        take(a),
        take(b),
        take(a),
        take(b),
        take(a),
        take(b),
    );
    let mut taken = [
        taken.0, taken.1, taken.2, taken.3, taken.4, taken.5, taken.6, taken.7,
    ];
    taken.sort_unstable();
    assert_eq!(taken, [201, 404, 404, 404, 404, 404, 404, 404]);
}

/// S18: eight right answers to one step at two servers, and one session.
async fn s18_two_servers_end_a_flow_once(world: &World) {
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    let other = world.second_server().await;
    let flow = world.begin(json!({"tenant": "home"})).await;
    let enter = async |server: &World| server.enter(&flow, &ada.name, PASSWORD).await;
    let (a, b) = (world, &other);
    let ended = tokio::join!(
        enter(a),
        enter(b),
        enter(a),
        enter(b),
        enter(a),
        enter(b),
        enter(a),
        enter(b),
    );
    let ended = [
        ended.0, ended.1, ended.2, ended.3, ended.4, ended.5, ended.6, ended.7,
    ];
    let statuses: Vec<_> = ended.iter().map(|answer| answer.status.as_u16()).collect();
    let count = |status: u16| statuses.iter().filter(|found| **found == status).count();
    assert_eq!((count(200), count(409)), (1, 7), "{statuses:?}");
}

/// S19, as far as the servers go; a killed process is in tests/e2e.
async fn s19_what_was_revoked_stays_so_on_a_server_that_starts_later(world: &World) {
    world.follow().await;
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    let (out, kept) = (
        world.token(&ada, PASSWORD).await,
        world.token(&ada, PASSWORD).await,
    );
    let flow = world.begin(json!({"tenant": "home"})).await;
    world.delete(flow_path(&flow)).send().await.expect(204);
    let sign_out = world.call(Method::DELETE, SESSION).bearer(&out).send();
    sign_out.await.expect(204);
    let later = world.second_server().await;
    assert!(!later.accepts(&out).await);
    assert!(later.accepts(&kept).await);
    let gone = later.enter(&flow, &ada.name, PASSWORD).await;
    gone.expect_problem(404, "not_found");
}
