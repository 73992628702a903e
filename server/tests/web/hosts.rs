//! Tenants that have hosts of their own.

use axum::http::StatusCode;
use gatelodge_core::model::{Grant, Tenant};
use gatelodge_server::config::{Config, TenantHost};

use crate::{
    applications::{BACK, register},
    browser::{Answer, Browser},
    world::{PASSWORD, World},
};

const SERVER: &str = "https://id.example.org";
/// By its name.
const ACME: &str = "https://acme.id.example.org";
/// By a host that is named for it.
const LISTED: &str = "https://login.other.example";

pub(crate) fn hosts(config: &mut Config) {
    config.server.origin = Some(SERVER.parse().unwrap());
    config.tenancy.host_pattern = Some("{tenant}.id.example.org".parse().unwrap());
    config.tenancy.hosts = vec![TenantHost {
        host: "login.other.example".parse().unwrap(),
        tenant: "Other".to_owned(),
    }];
}

/// `acme` at its name, `other` at a host that is named for it, and `a b`, whose name
/// no host can have; with `ada`, who administers, and `bob` in each.
async fn world() -> (World, Tenant) {
    let world = World::with(hosts).await;
    let acme = people(&world).await;
    (world, acme)
}

async fn people(world: &World) -> Tenant {
    let mut made = Vec::new();
    for name in ["acme", "other", "a b"] {
        let tenant = world.tenant(name).await;
        world.user(tenant.id, "ada", &Grant::ALL).await;
        world.user(tenant.id, "bob", &[]).await;
        made.push(tenant);
    }
    made.remove(0)
}

fn forms(page: &Answer) -> String {
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    let mut parts = policy.split("; ");
    let forms = parts.find(|part| part.starts_with("form-action"));
    forms.unwrap().to_owned()
}

#[tokio::test]
async fn a_tenants_pages_are_at_the_root_of_its_own_host() {
    let (world, _) = world().await;
    for (origin, tenant) in [(ACME, "acme"), (LISTED, "other")] {
        let mut browser = world.browser().at(origin);
        let start = browser.get("/").await;
        assert_eq!(start.location().as_deref(), Some("/sign-in"));
        let page = browser.get("/sign-in").await;
        page.assert_says(tenant);
        assert!(!page.body.contains("name=\"tenant\""), "{}", page.body);
        let account = browser.sign_in("", "ada", PASSWORD).await;
        account.assert_says("Hello, ada");
        account.assert_says(tenant);
        for link in account.links() {
            assert!(!link.contains("/t/"), "{link} leaves the tenant's host");
        }
        for name in browser.cookies.keys() {
            assert!(name.starts_with("__Host-gl-"), "{name}");
        }
        browser.open("/console").await.assert_says("Organisations");
        let page = browser.get("/account").await;
        browser.submit(&page, "/sign-out", &[]).await;
        assert_eq!(
            browser.get("/account").await.location().as_deref(),
            Some("/sign-in?return_to=%2Faccount")
        );
    }
}

#[tokio::test]
async fn on_a_tenants_host_there_is_no_other_tenant() {
    let (world, _) = world().await;
    let mut browser = world.browser().at(ACME);
    for path in [
        "/t/other",
        "/t/other/sign-in",
        "/t/a%20b/account",
        "/t/nowhere/sign-in",
    ] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        answer.assert_says("Nothing here");
    }
    let page = browser.get("/sign-in").await;
    // Who is in another tenant only is nobody here.
    let fields = [
        ("tenant", "other"),
        ("user_name", "bob"),
        ("password", PASSWORD),
    ];
    let answer = browser.submit(&page, "/sign-in", &fields).await;
    if let Some(to) = answer.location() {
        assert_eq!(to, "/account");
        browser.get("/account").await.assert_says("acme");
    }
}

#[tokio::test]
async fn the_own_path_leads_to_the_own_address() {
    let (world, acme) = world().await;
    let mut browser = world.browser().at(ACME);
    for (path, to) in [
        ("/t/acme".to_owned(), "/"),
        ("/t/ACME/".to_owned(), "/"),
        ("/t/acme/sign-in?a=1&b=%2F".to_owned(), "/sign-in?a=1&b=%2F"),
        (format!("/t/{}/account", acme.id), "/account"),
    ] {
        let to = format!("{ACME}{to}");
        let mut from_afar = world.browser().at(SERVER);
        for answer in [browser.get(&path).await, from_afar.get(&path).await] {
            assert_eq!(answer.location().as_deref(), Some(to.as_str()), "{path}");
            assert!(!answer.headers.contains_key("set-cookie"));
        }
    }
    // Whatever else is in the path.
    for path in ["/t/acme//evil.example/", "/t/acme/..//evil.example"] {
        let answer = browser.get(path).await;
        let to = answer.location().unwrap_or_else(|| format!("{ACME}/"));
        assert!(to.starts_with(&format!("{ACME}/")), "{to}");
    }
}

#[tokio::test]
async fn what_is_sent_to_the_path_of_a_tenant_with_a_host_is_refused() {
    let (world, _) = world().await;
    for origin in [SERVER, ACME] {
        let mut browser = world.browser().at(origin);
        for path in [
            "/t/acme/sign-in",
            "/t/acme/sign-out",
            "/t/acme/account/sessions/end",
        ] {
            let answer = browser.post(path, &[("a", "b")]).await;
            assert_eq!(answer.status, StatusCode::CONFLICT, "{path}");
            answer.assert_says("This can’t be done now");
            answer.assert_says(ACME);
        }
    }
    // A tenant without one is where it was.
    let mut browser = world.browser().at(SERVER);
    browser
        .sign_in("/t/a%20b", "ada", PASSWORD)
        .await
        .assert_says("Hello, ada");
}

/// S07.
#[tokio::test]
async fn s07_a_host_that_is_nobodys_is_misdirected_whether_its_name_was_possible_or_not() {
    let (world, _) = world().await;
    let mut told = Vec::new();
    for origin in [
        "https://evil.example",
        "https://nowhere.id.example.org",
        // It has another one.
        "https://other.id.example.org",
        "https://acme.id.example.org:8443",
        "https://acme.id.example.org.",
        "https://acme.id.example.org.evil.example",
        "https://a.acme.id.example.org",
        "https://.id.example.org",
        "https://login.other.example:80",
        "https://xlogin.other.example",
    ] {
        let mut browser = world.browser().at(origin);
        for path in [
            "/sign-in",
            "/t/acme/sign-in",
            "/assets/page.css",
            "/nothing",
        ] {
            let answer = browser.get(path).await;
            assert_eq!(answer.status.as_u16(), 421, "{origin}{path}");
            assert!(!answer.body.contains("evil"), "{}", answer.body);
            let id = answer.headers["x-request-id"].to_str().unwrap();
            told.push(answer.body.replace(id, ""));
        }
        let answer = browser.post("/sign-in", &[]).await;
        assert_eq!(answer.status.as_u16(), 421, "{origin}");
    }
    told.dedup();
    assert_eq!(told.len(), 1);
}

/// S07.
#[tokio::test]
async fn s07_no_other_header_says_whose_page_it_is() {
    let (world, _) = world().await;
    let mut browser = world.browser().at(SERVER);
    let headers = [
        ("x-forwarded-host", "acme.id.example.org"),
        ("forwarded", "host=acme.id.example.org;proto=http"),
        ("x-forwarded-proto", "http"),
        ("x-original-host", "acme.id.example.org"),
    ];
    let page = browser.get_with_all("/sign-in", &headers).await;
    assert!(page.body.contains("name=\"tenant\""), "{}", page.body);
    let mut browser = world.browser().at(ACME);
    let headers = headers.map(|(name, value)| (name, value.replace("acme", "other")));
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let away = browser.get_with_all("/t/acme/sign-in", &headers).await;
    assert_eq!(away.location().unwrap(), format!("{ACME}/sign-in"));
}

#[tokio::test]
async fn an_origin_counts_on_its_own_host_and_on_no_other() {
    let (world, _) = world().await;
    let every = [SERVER, ACME, LISTED, "https://evil.example"];
    for at in [SERVER, ACME, LISTED] {
        for from in every {
            let mut browser = world.browser().at(at);
            browser.get("/sign-in").await;
            browser.origin = Some(from);
            let answer = browser.post("/sign-in", &[]).await;
            match at == from {
                true => assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{from} at {at}"),
                false => assert_eq!(answer.status, StatusCode::FORBIDDEN, "{from} at {at}"),
            }
        }
        let mut browser = world.browser().at(at);
        let page = browser.get("/sign-in").await;
        assert!(!page.headers.contains_key("access-control-allow-origin"));
    }
}

#[tokio::test]
async fn whoever_is_signed_in_elsewhere_is_nobody_on_a_tenants_host() {
    let (world, _) = world().await;
    let mut other = world.browser().at(LISTED);
    other
        .sign_in("", "ada", PASSWORD)
        .await
        .assert_says("Hello, ada");
    let mut server = world.browser().at(SERVER);
    server.sign_in("/t/a%20b", "ada", PASSWORD).await;
    for (cookies, at) in [
        (&other.cookies, ACME),
        (&server.cookies, ACME),
        (&server.cookies, LISTED),
    ] {
        // Browsers keep them apart; somebody may not.
        let mut browser = world.browser().at(at);
        browser.cookies = cookies.clone();
        for path in ["/account", "/console", "/account/sessions/end"] {
            let answer = browser.get(path).await;
            assert_ne!(answer.status, StatusCode::OK, "{path} at {at}");
            assert!(!answer.says("Hello"), "{path} at {at}");
        }
        assert!(
            browser
                .get("/account")
                .await
                .location()
                .unwrap()
                .starts_with("/sign-in")
        );
        // The name under which its own session would be does not help.
        let tag = {
            let mut own = world.browser().at(at);
            own.sign_in("", "bob", PASSWORD).await;
            own.cookies_like("__Host-gl-session-").remove(0).0
        };
        let token = cookies
            .iter()
            .find(|(name, _)| name.contains("gl-session-"))
            .unwrap()
            .1;
        browser.cookies.insert(tag, token.clone());
        assert!(
            browser
                .get("/account")
                .await
                .location()
                .unwrap()
                .starts_with("/sign-in")
        );
    }
}

#[tokio::test]
async fn a_sign_in_goes_on_where_it_began() {
    let (world, _) = world().await;
    let mut other = world.browser().at(LISTED);
    let page = other.get("/sign-in").await;
    let form = page.form("/sign-in");
    let flow = form.hidden("flow").to_owned();
    // The flow's cookie is not at the other host.
    let mut acme = world.browser().at(ACME);
    let answer = acme.get(&format!("/sign-in?flow={flow}")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    // And would not help if it were.
    acme.cookies = other.cookies.clone();
    let answer = acme.get(&format!("/sign-in?flow={flow}")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let fields = [("user_name", "ada"), ("password", PASSWORD)];
    let answer = acme.submit(&page, "/sign-in", &fields).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(acme.cookies_like("__Host-gl-session-").is_empty());
    other
        .submit_on(&page, "/sign-in", &fields)
        .await
        .assert_says("Hello, ada");
}

#[tokio::test]
async fn a_protected_page_of_the_host_is_returned_to() {
    let (world, tenant) = world().await;
    let users = format!("/console/tenants/{}/users?q=a%26b", tenant.id);
    for path in ["/account", users.as_str()] {
        let mut browser: Browser = world.browser().at(ACME);
        let away = browser.get(path).await.location().unwrap();
        assert!(away.starts_with("/sign-in?return_to=%2F"), "{away}");
        let page = browser.get(&away).await;
        let fields = [("user_name", "ada"), ("password", PASSWORD)];
        let back = browser.submit(&page, "/sign-in", &fields).await;
        assert_eq!(back.location().as_deref(), Some(path));
    }
}

#[tokio::test]
async fn an_application_leads_to_the_host_of_its_tenant() {
    let (world, acme) = world().await;
    let application = register(&world, acme.id, "wiki").await;
    let mut browser = world.browser().at(SERVER);
    let back = "https%3A%2F%2Fapp.example.org%2Fsigned-in%3Ffrom%3Dgate";
    let asked = format!("/sign-in?application=wiki&return_to={back}");
    let to = browser.get(&asked).await.location().unwrap();
    let expected = format!(
        "{ACME}/sign-in?application={}&return_to={back}",
        application.id
    );
    assert_eq!(to, expected);
    let mut browser = world.browser().at(ACME);
    let page = browser.get(to.strip_prefix(ACME).unwrap()).await;
    let fields = [("user_name", "ada"), ("password", PASSWORD)];
    let back = browser.submit(&page, "/sign-in", &fields).await;
    assert_eq!(back.location().as_deref(), Some(BACK));
    // It is nobody's on the host of another one.
    let answer = world
        .browser()
        .at(LISTED)
        .get("/sign-in?application=wiki")
        .await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_set_up_ends_on_the_host_of_the_first_tenant() {
    let world = World::with(hosts).await;
    let mut browser = world.browser().at(SERVER);
    let token = world.set_up_token().await;
    let page = browser
        .open(&format!("/setup?token={}", token.expose()))
        .await;
    assert_eq!(
        forms(&page),
        "form-action 'self' https://login.other.example https://*.id.example.org"
    );
    let fields = [
        ("tenant", "Acme"),
        ("user_name", "ada"),
        ("password", PASSWORD),
    ];
    let done = browser.submit(&page, "/setup", &fields).await;
    assert_eq!(
        done.location().unwrap(),
        format!("{ACME}/sign-in?notice=set_up")
    );
}

#[tokio::test]
async fn the_console_says_where_a_tenants_people_sign_in() {
    let (world, acme) = world().await;
    for at in [ACME, LISTED] {
        let mut browser = world.browser().at(at);
        browser.sign_in("", "ada", PASSWORD).await;
        let page = browser.get(&format!("/console/tenants/{}", acme.id)).await;
        page.assert_says(&format!("{ACME}/sign-in"));
    }
}
