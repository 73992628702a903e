//! Calls from pages of other origins: those of registered applications, and all others.

use axum::http::Method;
use serde_json::json;

use crate::support::{
    Answer, Browser, Call, PASSWORD, World, description::operations, flow_path, on_each_storage,
    town,
};

on_each_storage!(
    a_page_of_an_application_signs_in_and_gets_tokens,
    s44_a_page_of_an_application_is_lent_no_cookie_across_sites,
    s44_a_page_of_the_same_site_asks_for_its_own_application_alone,
    s44_no_other_route_is_open_to_pages_of_applications,
    s44_an_origin_is_invited_as_long_as_it_is_registered,
);

const SESSION: &str = "/api/v1/session";
const TOKEN: &str = "/api/v1/token";
const FLOWS: &str = "/api/v1/sign-in/flows";
/// That of applications that these tests register.
const APP: &str = "https://app.example.org";

fn from_app<'w>(call: Call<'w>, site: &str) -> Call<'w> {
    call.header("origin", APP).header("sec-fetch-site", site)
}

fn preflight<'w>(world: &'w World, path: &str, method: &str, site: &str) -> Call<'w> {
    from_app(world.call(Method::OPTIONS, path), site)
        .header("access-control-request-method", method)
        .header(
            "access-control-request-headers",
            "authorization,content-type",
        )
}

/// Whether the page may read this, and with cookies.
#[track_caller]
fn invited(answer: &Answer) -> (bool, bool) {
    let origin = answer.header("access-control-allow-origin");
    assert!(matches!(origin, None | Some(APP)), "{answer}");
    let credentials = answer.header("access-control-allow-credentials");
    assert!(matches!(credentials, None | Some("true")), "{answer}");
    if origin.is_some() {
        let vary = answer.header("vary").unwrap_or_default();
        assert!(vary.contains("origin"), "{answer}");
    }
    (origin.is_some(), credentials.is_some())
}

async fn a_page_of_an_application_signs_in_and_gets_tokens(world: &World) {
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    let shop = world.application(ada.tenant, "shop").await;
    let send = async |call: Call<'_>| {
        let answer = from_app(call, "cross-site").send().await;
        assert_eq!(invited(&answer), (true, false), "{answer}");
        answer
    };
    for (path, method, methods) in [
        (FLOWS, "POST", "POST"),
        (TOKEN, "POST", "POST"),
        (SESSION, "GET", "GET, DELETE"),
        ("/api/v1/sign-in/flows/abc", "POST", "GET, POST, DELETE"),
    ] {
        let answer = preflight(world, path, method, "cross-site").send().await;
        let answer = answer.expect(204);
        assert_eq!(invited(&answer), (true, false), "{answer}");
        assert_eq!(answer.header("access-control-allow-methods"), Some(methods));
        let headers = answer.header("access-control-allow-headers");
        assert_eq!(headers, Some("authorization, content-type"));
        assert!(answer.body.is_empty());
    }
    let begin = json!({"transport": "token", "application": shop.id});
    let flow = send(world.post(FLOWS).json(&begin))
        .await
        .expect(201)
        .json();
    assert_eq!(flow["tenant"], "home", "the application's");
    let enter = json!({
        "provider": "password", "answer": {"user_name": "ada", "password": PASSWORD},
    });
    let done = send(world.post(flow_path(&flow)).json(&enter)).await;
    let bearer = done.expect(200).json()["session"]["token"].clone();
    let bearer = bearer.as_str().unwrap();
    send(world.get(SESSION).bearer(bearer)).await.expect(200);
    let ask = json!({"application": "shop"});
    let token = send(world.post(TOKEN).bearer(bearer).json(&ask)).await;
    token.expect(200);
    // What goes wrong can be read too.
    let wrong = send(world.post(TOKEN).json(&ask)).await;
    wrong.expect_problem(401, "unauthenticated");
    send(world.delete(SESSION).bearer(bearer)).await.expect(204);
    // The cookie transport stays with our own pages.
    let begin = json!({"transport": "cookie", "application": "shop"});
    let refused = send(world.post(FLOWS).json(&begin)).await;
    refused.expect_problem(403, "origin_missing");
}

/// v5.0.0-3.4.2.
async fn s44_a_page_of_an_application_is_lent_no_cookie_across_sites(world: &World) {
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    world.application(ada.tenant, "shop").await;
    let mut browser = Browser::new(world);
    browser.sign_in(&ada, PASSWORD).await;
    let ask = json!({"application": "shop"});
    let with_cookies =
        |method: Method, path: &str| browser.call(method, path).without("origin").json(&ask);
    for (method, path) in [
        (Method::GET, SESSION),
        (Method::DELETE, SESSION),
        (Method::POST, TOKEN),
        (Method::POST, FLOWS),
    ] {
        for site in ["cross-site", "same-origin", "none", ""] {
            let call = from_app(with_cookies(method.clone(), path), site);
            let answer = call.send().await;
            assert_eq!(answer.code(), "origin_not_allowed", "{site}: {answer}");
            assert_eq!(invited(&answer), (false, false), "{answer}");
        }
        let call = with_cookies(method.clone(), path).header("origin", APP);
        let answer = call.send().await;
        assert_eq!(answer.code(), "origin_not_allowed", "{answer}");
    }
}

async fn s44_a_page_of_the_same_site_asks_for_its_own_application_alone(world: &World) {
    world.tenant("home").await;
    world.tenant("away").await;
    let ada = world.person_with_password("home", "ada").await;
    let away = world.person("away", "bob").await.tenant;
    world.application(ada.tenant, "shop").await;
    // One of the tenant that has other pages, and one of another tenant.
    let desk = world.application(ada.tenant, "desk").await;
    let operator = gatelodge_core::access::Caller::operator();
    let patch = gatelodge_core::service::ApplicationPatch {
        origins: Some(Vec::new()),
        ..Default::default()
    };
    let place = (ada.tenant, desk.id);
    let applications = world.platform.applications();
    applications
        .update(&operator, place, None, patch)
        .await
        .unwrap();
    let theirs = world.application(away, "theirs").await;
    let mut browser = Browser::new(world);
    browser.sign_in(&ada, PASSWORD).await;
    let call = |method: Method, path: &str, application: &str| {
        let call = browser.call(method, path).without("origin");
        from_app(call.json(&json!({"application": application})), "same-site")
    };
    for (path, method) in [(SESSION, "GET"), (TOKEN, "POST")] {
        let answer = preflight(world, path, method, "same-site").send().await;
        assert_eq!(invited(&answer), (true, true), "{answer}");
    }
    for (method, path) in [(Method::GET, SESSION), (Method::POST, TOKEN)] {
        let answer = call(method, path, "shop").send().await.expect(200);
        assert_eq!(invited(&answer), (true, true), "{answer}");
    }
    // Another application's tokens are none of its business.
    let answer = call(Method::POST, TOKEN, "desk").send().await;
    answer.expect_problem(403, "denied");
    let answer = call(Method::POST, TOKEN, "theirs").send().await;
    answer.expect_problem(404, "not_found");
    // It ends no session and begins none with the person's cookies.
    for (method, path) in [(Method::DELETE, SESSION), (Method::POST, FLOWS)] {
        let name = method.to_string();
        let answer = preflight(world, path, &name, "same-site").send().await;
        assert_eq!(invited(&answer), (true, false), "{answer}");
        let answer = call(method, path, "shop").send().await;
        answer.expect_problem(403, "origin_not_allowed");
    }
    // An origin that only another tenant has registered learns nothing of this person.
    let shop = applications
        .by_name(&operator, ada.tenant, "shop")
        .await
        .unwrap();
    applications
        .delete(&operator, ada.tenant, shop.id, None)
        .await
        .unwrap();
    assert_eq!(theirs.origins[0].as_str(), APP);
    let answer = call(Method::GET, SESSION, "shop").send().await;
    let answer = answer.expect_problem(403, "origin_not_allowed");
    assert!(!answer.text().contains("ada"), "{answer}");
}

async fn s44_no_other_route_is_open_to_pages_of_applications(world: &World) {
    let town = town(world).await;
    world.application(town.mayor.tenant, "shop").await;
    for operation in operations() {
        let is_open = matches!(
            operation.id.as_str(),
            "start_flow"
                | "read_flow"
                | "answer_flow"
                | "cancel_flow"
                | "read_session"
                | "end_session"
                | "create_token"
        );
        let path = operation.path.replace(['{', '}'], "");
        for site in ["cross-site", "same-site"] {
            let asked = preflight(world, &path, &operation.method, site)
                .send()
                .await;
            assert_eq!(invited(&asked).0, is_open, "{}: {asked}", operation.id);
            if is_open || operation.method == "GET" {
                continue;
            }
            let call = world.call(operation.method.parse().unwrap(), &path);
            let call = from_app(call.bearer(&town.root_token), site);
            let answer = call.json(&json!({})).send().await;
            answer.expect_problem(403, "origin_not_allowed");
        }
    }
    for method in ["PUT", "PATCH", "TRACE", "nonsense", ""] {
        let answer = preflight(world, TOKEN, method, "cross-site").send().await;
        assert_eq!(invited(&answer), (false, false), "{answer}");
    }
    for path in ["/", "/sign-in", "/account", "/openapi.json", "/readyz"] {
        let call = from_app(world.get(path), "cross-site");
        let answer = call.send_unchecked().await;
        assert_eq!(invited(&answer), (false, false), "{answer}");
    }
}

async fn s44_an_origin_is_invited_as_long_as_it_is_registered(world: &World) {
    let home = world.tenant("home").await;
    let is_invited = async |world: &World| {
        let answer = preflight(world, TOKEN, "POST", "cross-site").send().await;
        invited(&answer).0
    };
    assert!(!is_invited(world).await);
    let shop = world.application(home, "shop").await;
    let other = world.second_server().await;
    assert!(is_invited(world).await && is_invited(&other).await);
    for origin in [
        "https://APP.example.org",
        "https://app.example.org/",
        "https://app.example.org:443",
        "http://app.example.org",
        "https://app.example.org.evil.example",
        "null",
        "",
    ] {
        let call = world.call(Method::OPTIONS, TOKEN).header("origin", origin);
        let call = call.header("access-control-request-method", "POST");
        let answer = call.send().await;
        assert_eq!(
            answer.header("access-control-allow-origin"),
            None,
            "{answer}"
        );
    }
    // Two of them are none.
    let twice = preflight(world, TOKEN, "POST", "cross-site").header("origin", APP);
    twice.send().await.expect_problem(400, "invalid_request");
    let operator = gatelodge_core::access::Caller::operator();
    let applications = other.platform.applications();
    applications
        .delete(&operator, home, shop.id, None)
        .await
        .unwrap();
    assert!(!is_invited(world).await && !is_invited(&other).await);
}
