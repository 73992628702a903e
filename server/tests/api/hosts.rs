//! The API on hosts that are a tenant's own.

use axum::http::Method;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatelodge_core::{
    access::Caller,
    model::{Grant, TenantName},
    provider::{Delivery, LinkPurpose, LinkRequest},
    service::TenantPatch,
};
use gatelodge_server::config::{Config, TenantHost};
use serde_json::{Value, json};

use crate::support::{
    Browser, Call, PASSWORD, World, description::operations, flow_path, on_each_storage, town,
};

on_each_storage!(
    a_sign_in_on_a_tenants_host_is_in_that_tenant,
    s31_a_session_of_another_tenant_is_none_on_a_tenants_host,
    a_sign_in_that_began_elsewhere_does_not_go_on_on_a_tenants_host,
    s07_hosts_of_nobody_answer_like_foreign_hosts,
    s07_links_lead_to_the_tenants_origin_whatever_a_request_says,
    s44_pages_of_another_origin_of_ours_are_foreign_on_a_tenants_host,
    what_belongs_to_no_tenant_is_told_on_every_host,
    access_tokens_are_the_servers_on_every_host,
    the_way_into_an_application_leads_over_the_tenants_host,
    a_tenant_that_is_renamed_is_at_its_new_name,
);

const SERVER: &str = "https://id.example.org";
const HOME: &str = "home.id.example.org";
/// That of `away`, named for it.
const AWAY: &str = "login.away.example";
const FLOWS: &str = "/api/v1/sign-in/flows";
const SESSION: &str = "/api/v1/session";

fn hosts(config: &mut Config) {
    config.server.origin = Some(SERVER.parse().unwrap());
    config.tenancy.host_pattern = Some("{tenant}.id.example.org".parse().unwrap());
    config.tenancy.hosts = vec![TenantHost {
        host: AWAY.parse().unwrap(),
        tenant: "away".to_owned(),
    }];
}

fn own(call: Call<'_>) -> Call<'_> {
    call.host(HOME)
}

async fn begin(world: &World, host: &str, body: Value) -> Value {
    let call = world.post(FLOWS).host(host).json(&body);
    call.send().await.expect(201).json()
}

fn password(name: &str) -> Value {
    json!({"provider": "password", "answer": {"user_name": name, "password": PASSWORD}})
}

async fn a_sign_in_on_a_tenants_host_is_in_that_tenant(world: &World) {
    let world = &world.another_with(hosts).await;
    let town = town(world).await;
    world.person_with_password("home", "ada").await;
    world.person_with_password("away", "ada").await;
    world.person_with_password("away", "eve").await;
    for named in [
        json!(null),
        json!("home"),
        json!("HOME"),
        json!(town.mayor.tenant),
    ] {
        let mut body = json!({"transport": "token"});
        if !named.is_null() {
            body["tenant"] = named.clone();
        }
        let flow = begin(world, HOME, body).await;
        assert_eq!(flow["tenant"], "home", "{named}");
        let call = own(world.post(flow_path(&flow))).json(&password("ada"));
        let done = call.send().await.expect(200).json();
        let token = done["session"]["token"].as_str().unwrap();
        let session = own(world.get(SESSION)).bearer(token).send().await;
        assert_eq!(session.expect(200).json()["tenant"]["name"], "home");
    }
    // A name that is unique, and somebody else's, is nobody's here.
    let flow = begin(world, HOME, json!({"transport": "token"})).await;
    let call = own(world.post(flow_path(&flow))).json(&password("eve"));
    call.send().await.expect_problem(401, "sign_in_refused");

    let unknown = json!({"transport": "token", "tenant": "nowhere"});
    let unknown = own(world.post(FLOWS)).json(&unknown).send().await;
    let unknown = unknown.expect_problem(404, "not_found").json();
    for named in [json!("away"), json!("lodge"), json!(town.stranger.tenant)] {
        for more in [json!({}), json!({"device_token": "abc"})] {
            let mut body = json!({"transport": "token", "tenant": named});
            body.as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            let answer = own(world.post(FLOWS)).json(&body).send().await;
            assert_eq!(answer.expect_problem(404, "not_found").json(), unknown);
        }
    }
    // With cookies the own origin counts.
    let body = json!({"transport": "cookie"});
    let call = || own(world.post(FLOWS)).json(&body);
    let answer = call()
        .header("origin", format!("https://{HOME}"))
        .send()
        .await;
    let cookie = answer.expect(201).header("set-cookie").unwrap().to_owned();
    assert!(
        cookie.starts_with("__Host-gl-flow-") && !cookie.contains("Domain"),
        "{cookie}"
    );
    let answer = call().send().await.expect_problem(403, "origin_missing");
    assert!(
        answer.text().contains(&format!("https://{HOME}")),
        "{answer}"
    );
    for foreign in [SERVER, "https://login.away.example", "null"] {
        let answer = call().header("origin", foreign).send().await;
        answer.expect_problem(403, "origin_not_allowed");
    }
}

async fn s31_a_session_of_another_tenant_is_none_on_a_tenants_host(world: &World) {
    let world = &world.another_with(hosts).await;
    let town = town(world).await;
    let at = |host: &'static str, token: &str| world.get(SESSION).host(host).bearer(token).send();
    at(HOME, &town.citizen_token).await.expect(200);
    at("id.example.org", &town.citizen_token).await.expect(200);
    at(AWAY, &town.tourist_token).await.expect(200);
    // Nor of an administrator of everything.
    for (host, token) in [
        (HOME, &town.tourist_token),
        (HOME, &town.root_token),
        (AWAY, &town.mayor_token),
        (AWAY, &town.root_token),
    ] {
        at(host, token).await.expect_problem(401, "unauthenticated");
    }
    for operation in operations() {
        let is_open = matches!(
            operation.path.as_str(),
            "/api/v1/forward-auth" | "/.well-known/jwks.json" | "/api/v1/setup"
        ) || operation.path.starts_with(FLOWS);
        if is_open {
            continue;
        }
        let path = operation
            .path
            .replace("{tenant}", &town.root.tenant.to_string());
        let method: Method = operation.method.to_uppercase().parse().unwrap();
        let call = world.call(method, path).host(HOME).bearer(&town.root_token);
        let answer = call.send_unchecked().await;
        match operation.body.is_null() {
            true => drop(answer.expect_problem(401, "unauthenticated")),
            // What it sends is looked at first.
            false => assert!(answer.status.is_client_error(), "{answer}"),
        }
    }
    // A cookie by whatever name.
    let mut browser = Browser::new(world);
    let tourist = world.person_with_password("away", "ada").await;
    browser.sign_in(&tourist, PASSWORD).await;
    let (_, token) = browser.named("gl-session-").remove(0);
    let citizen = world.person_with_password("home", "ada").await;
    let mut other = Browser::new(world);
    other.sign_in(&citizen, PASSWORD).await;
    let (own_name, own_token) = other.named("gl-session-").remove(0);
    let ask = |value: &str| {
        let cookie = format!("{own_name}={value}");
        own(world.get(SESSION)).header("cookie", cookie).send()
    };
    ask(own_token).await.expect(200);
    ask(token).await.expect_problem(401, "unauthenticated");
}

async fn a_sign_in_that_began_elsewhere_does_not_go_on_on_a_tenants_host(world: &World) {
    let world = &world.another_with(hosts).await;
    town(world).await;
    world.person_with_password("away", "ada").await;
    world.person_with_password("home", "ada").await;
    let missing = own(world.get(format!("{FLOWS}/nothing"))).send().await;
    let missing = missing.expect_problem(404, "not_found").json();
    for (host, body) in [
        (AWAY, json!({"transport": "token"})),
        ("id.example.org", json!({"transport": "token"})),
        (
            "id.example.org",
            json!({"transport": "token", "tenant": "away"}),
        ),
    ] {
        let flow = begin(world, host, body).await;
        let path = flow_path(&flow);
        let answer = own(world.post(&path)).json(&password("ada"));
        let calls = [
            own(world.get(&path)),
            answer,
            own(world.call(Method::DELETE, &path)),
        ];
        for call in calls {
            let answer = call.send().await.expect_problem(404, "not_found");
            assert_eq!(answer.json(), missing);
        }
        // Nothing has happened to it.
        world.get(&path).host(host).send().await.expect(200);
    }
}

async fn s07_hosts_of_nobody_answer_like_foreign_hosts(world: &World) {
    let world = &world.another_with(hosts).await;
    town(world).await;
    let foreign = world.get(SESSION).host("evil.example").send().await;
    let foreign = foreign.expect_problem(421, "misdirected").comparable();
    for host in [
        "nowhere.id.example.org",
        "away.id.example.org",
        "home.id.example.org:444",
        "home.id.example.org.",
        "home..id.example.org",
        "a.home.id.example.org",
        "id.example.org.home.id.example.org",
        "-home.id.example.org",
        "home%2eid.example.org",
        "login.away.example:80",
        "login.home.example",
    ] {
        let answer = world.get(SESSION).host(host).send().await;
        assert_eq!(answer.comparable(), foreign, "{host}");
    }
    for host in ["HOME.id.example.org", "home.id.example.org:443"] {
        let answer = world.get(SESSION).host(host).send().await;
        answer.expect_problem(401, "unauthenticated");
    }
    // Another header says nothing.
    for (name, value) in [
        ("x-forwarded-host", HOME),
        ("forwarded", "host=home.id.example.org"),
    ] {
        let body = json!({"transport": "token"});
        let call = world.post(FLOWS).header(name, value).json(&body);
        let flow = call.send().await.expect(201).json();
        assert!(flow.get("tenant").is_none_or(Value::is_null), "{flow}");
    }
    let two = own(world.get(SESSION)).header("host", AWAY).send().await;
    two.expect_problem(421, "misdirected");
}

async fn s07_links_lead_to_the_tenants_origin_whatever_a_request_says(world: &World) {
    let world = &world.another_with(hosts).await;
    let town = town(world).await;
    let body = json!({"purpose": "reset", "delivery": "told"});
    for (person, base) in [
        (&town.citizen, format!("https://{HOME}/link/reset?token=")),
        (&town.tourist, format!("https://{AWAY}/link/reset?token=")),
    ] {
        // From the server's host, by an administrator of another tenant.
        let call = world.post(format!("{}/links", person.path()));
        let call = call.bearer(&town.root_token).json(&body);
        let call = call.header("x-forwarded-host", "evil.example");
        let made = call.send().await.expect(201).json();
        let address = made["link"].as_str().unwrap();
        assert!(address.starts_with(&base), "{address}");
    }
    // As the command line does it.
    let request = LinkRequest {
        purpose: LinkPurpose::Reset,
        page: None,
        delivery: Delivery::Told,
    };
    let users = world.platform.users();
    let place = (town.citizen.tenant, town.citizen.id);
    let made = users
        .make_link(&Caller::operator(), place, request)
        .await
        .unwrap();
    let address = made.address.unwrap();
    assert!(
        address
            .expose()
            .starts_with("https://home.id.example.org/link/")
    );
}

async fn s44_pages_of_another_origin_of_ours_are_foreign_on_a_tenants_host(world: &World) {
    let world = &world.another_with(hosts).await;
    let town = town(world).await;
    let origins = [
        SERVER.to_owned(),
        format!("https://{HOME}"),
        format!("https://{AWAY}"),
    ];
    for host in ["id.example.org", HOME, AWAY] {
        for origin in &origins {
            let call = world
                .post(FLOWS)
                .host(host)
                .json(&json!({"transport": "token"}));
            let answer = call.header("origin", origin).send().await;
            if origin.ends_with(&format!("//{host}")) {
                answer.expect(201);
            } else {
                answer.expect_problem(403, "origin_not_allowed");
            }
        }
    }
    // Applications call the host of their own tenant, and the server's.
    world.application(town.citizen.tenant, "shop").await;
    for (host, status) in [("id.example.org", 201), (HOME, 201), (AWAY, 403)] {
        let call = world
            .post(FLOWS)
            .host(host)
            .json(&json!({"transport": "token"}));
        let call = call.header("origin", "https://app.example.org");
        call.header("sec-fetch-site", "cross-site")
            .send()
            .await
            .expect(status);
    }
}

async fn what_belongs_to_no_tenant_is_told_on_every_host(world: &World) {
    let world = &world.another_with(hosts).await;
    town(world).await;
    for host in ["id.example.org", HOME, AWAY] {
        for path in [
            "/.well-known/jwks.json",
            "/openapi.json",
            "/healthz",
            "/readyz",
        ] {
            world.get(path).host(host).send().await.expect(200);
        }
    }
    world
        .get("/healthz")
        .host("nowhere.id.example.org")
        .send()
        .await
        .expect(200);
    world
        .get("/.well-known/jwks.json")
        .host("nowhere.id.example.org")
        .send()
        .await
        .expect(421);
}

async fn access_tokens_are_the_servers_on_every_host(world: &World) {
    let world = &world.another_with(hosts).await;
    let town = town(world).await;
    world.application(town.citizen.tenant, "shop").await;
    for host in ["id.example.org", HOME] {
        let call = world
            .post("/api/v1/token")
            .host(host)
            .bearer(&town.citizen_token);
        let made = call
            .json(&json!({"application": "shop"}))
            .send()
            .await
            .expect(200)
            .json();
        let token = made["access_token"].as_str().unwrap();
        let claims = token.split('.').nth(1).unwrap();
        let claims = URL_SAFE_NO_PAD.decode(claims);
        let claims: Value = serde_json::from_slice(&claims.unwrap()).unwrap();
        assert_eq!(claims["iss"], SERVER);
    }
}

async fn the_way_into_an_application_leads_over_the_tenants_host(world: &World) {
    let world = &world.another_with(hosts).await;
    let town = town(world).await;
    world.application(town.citizen.tenant, "wiki").await;
    let proxied = |path: &str| {
        let call = world
            .get(path)
            .host("app.example.org")
            .header("accept", "text/html");
        let call = call.header("x-forwarded-proto", "https");
        call.header("x-forwarded-host", "app.example.org")
            .header("x-forwarded-uri", "/page")
    };
    let answer = proxied("/api/v1/forward-auth?application=wiki")
        .send()
        .await
        .expect(303);
    let way = answer.header("location").unwrap();
    let path = way.strip_prefix("https://home.id.example.org").unwrap();
    assert!(path.starts_with("/enter?application="), "{way}");
    let away = own(world.get(path))
        .header("accept", "text/html")
        .send()
        .await
        .expect(303);
    let sign_in = away.header("location").unwrap();
    assert!(sign_in.starts_with("/sign-in?application="), "{sign_in}");
    assert!(sign_in.contains("&return_to=%2Fenter%3F"), "{sign_in}");
    let page = own(world.get(sign_in))
        .header("accept", "text/html")
        .send()
        .await
        .expect(200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.contains("form-action 'self' https://app.example.org;"),
        "{policy}"
    );
    for (asked, to) in [
        ("", "https://id.example.org/sign-out"),
        ("?application=wiki", "https://home.id.example.org/sign-out"),
        ("?application=nothing", "https://id.example.org/sign-out"),
        ("?application=%00", "https://id.example.org/sign-out"),
    ] {
        let answer = proxied(&format!("/.gatelodge/sign-out{asked}"))
            .send()
            .await;
        assert_eq!(answer.expect(303).header("location"), Some(to), "{asked}");
    }
}

async fn a_tenant_that_is_renamed_is_at_its_new_name(world: &World) {
    let world = &world.another_with(hosts).await;
    let town = town(world).await;
    world.grant(&town.mayor, Grant::PlatformAdministrator).await;
    let patch = TenantPatch {
        name: Some(TenantName::new("house").unwrap()),
        ..TenantPatch::default()
    };
    let tenants = world.platform.tenants();
    tenants
        .update(&Caller::operator(), town.citizen.tenant, None, patch)
        .await
        .unwrap();
    let ask = |host: &'static str| {
        world
            .get(SESSION)
            .host(host)
            .bearer(&town.citizen_token)
            .send()
    };
    ask(HOME).await.expect_problem(421, "misdirected");
    ask("house.id.example.org").await.expect(200);
}
