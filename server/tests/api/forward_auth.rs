//! Applications on other hosts, whose proxy asks about every request.

use std::time::Duration;

use axum::http::Method;
use gatelodge_core::{access::Caller, model::WebOrigin, service::ApplicationPatch};
use url::Url;

use crate::support::{Answer, Browser, Call, PASSWORD, Person, World, on_each_storage};

on_each_storage!(
    somebody_enters_an_application_and_its_proxy_learns_who_it_is,
    whoever_is_no_browser_on_its_way_to_a_page_is_told_to_sign_in,
    s06_a_code_counts_once_for_a_minute_on_its_host_and_in_its_browser,
    s06_of_64_exchanges_at_once_at_two_servers_one_succeeds,
    s31_a_pass_is_nothing_without_its_session_its_application_and_its_host,
    sessions_that_are_not_whole_or_not_of_the_tenant_enter_nowhere,
    a_proxy_that_is_set_up_wrongly_is_told_what_is_wrong,
    s28_the_way_leads_to_pages_of_the_host_alone,
);

const APP: &str = "app.localhost:8081";
const ORIGIN: &str = "http://app.localhost:8081";
const PAGE: &str = "/wiki/Start?lang=en&x=%2Fa";

/// A browser that is at the application's host and at ours.
#[derive(Clone)]
struct Visitor<'w> {
    there: Browser<'w>,
    here: Browser<'w>,
}

impl<'w> Visitor<'w> {
    fn new(world: &'w World) -> Self {
        Self {
            there: Browser::new(world),
            here: Browser::new(world),
        }
    }

    async fn signed_in(world: &'w World, person: &Person) -> Self {
        let mut visitor = Self::new(world);
        visitor.here.sign_in(person, PASSWORD).await;
        visitor
    }

    /// What the proxy asks about a request of this browser.
    fn question(&self, application: &str, page: &str) -> Call<'w> {
        let path = format!("/api/v1/forward-auth?application={application}");
        proxied(self.there.call(Method::GET, path), page)
    }

    async fn ask(&mut self, page: &str) -> Answer {
        let call = self.question("wiki", page);
        self.there.send(call).await
    }

    /// From the page of the application to where the code is exchanged.
    async fn code_for(&mut self, page: &str) -> String {
        let way = location(&self.ask(page).await.expect(303));
        let path = local(&way);
        let entered = self
            .here
            .send(plain(self.here.call(Method::GET, path)))
            .await;
        location(&entered.expect(303))
    }

    async fn exchange(&mut self, address: &str) -> Answer {
        let call = proxied(self.there.call(Method::GET, local(address)), "/");
        self.there.send(call).await
    }

    /// All of the way in.
    async fn enter(&mut self) -> Answer {
        let accept = self.code_for(PAGE).await;
        self.exchange(&accept).await.expect(303)
    }
}

fn plain(call: Call<'_>) -> Call<'_> {
    call.without("origin").header("accept", "text/html")
}

/// As a proxy passes it on: it may well leave `Host` as it was.
fn proxied<'w>(call: Call<'w>, page: &str) -> Call<'w> {
    plain(call)
        .host(APP)
        .header("x-forwarded-proto", "http")
        .header("x-forwarded-host", APP)
        .header("x-forwarded-uri", page)
        .header("x-forwarded-method", "GET")
}

fn location(answer: &Answer) -> String {
    answer.header("location").unwrap().to_owned()
}

fn local(address: &str) -> String {
    let address = Url::parse("https://here.example").unwrap().join(address);
    let address = address.unwrap();
    format!("{}?{}", address.path(), address.query().unwrap_or_default())
}

async fn home(world: &World) -> Person {
    world.tenant("home").await;
    let ada = world.person_with_password("home", "ada").await;
    world.application(ada.tenant, "wiki").await;
    set_origins(world, &ada, "wiki", &[ORIGIN]).await;
    ada
}

async fn set_origins(world: &World, ada: &Person, name: &str, origins: &[&str]) {
    let applications = world.platform.applications();
    let operator = Caller::operator();
    let wiki = applications
        .by_name(&operator, ada.tenant, name)
        .await
        .unwrap();
    let origins = origins.iter().map(|origin| WebOrigin::new(origin).unwrap());
    let patch = ApplicationPatch {
        origins: Some(origins.collect()),
        ..ApplicationPatch::default()
    };
    let place = (ada.tenant, wiki.id);
    applications
        .update(&operator, place, None, patch)
        .await
        .unwrap();
}

async fn somebody_enters_an_application_and_its_proxy_learns_who_it_is(world: &World) {
    let ada = home(world).await;
    let mut visitor = Visitor::new(world);
    let way = location(&visitor.ask(PAGE).await.expect(303));
    assert!(way.contains("/t/home/enter?application="), "{way}");
    // Not signed in yet: first that, and then back here.
    let first = visitor
        .here
        .send(plain(visitor.here.call(Method::GET, local(&way))))
        .await;
    let sign_in = location(&first.expect(303));
    assert!(
        sign_in.starts_with("/t/home/sign-in?application="),
        "{sign_in}"
    );
    let page = visitor
        .here
        .send(plain(visitor.here.call(Method::GET, &sign_in)))
        .await;
    let policy = page
        .expect(200)
        .header("content-security-policy")
        .unwrap()
        .to_owned();
    assert!(
        policy.contains(&format!("form-action 'self' {ORIGIN};")),
        "{policy}"
    );
    visitor.here.sign_in(&ada, PASSWORD).await;
    let entered = visitor.enter().await;
    assert_eq!(location(&entered), format!("{ORIGIN}{PAGE}"));
    let answer = visitor.ask(PAGE).await.expect(200);
    assert_eq!(answer.header("remote-user"), Some("ada"));
    assert_eq!(
        answer.header("remote-subject"),
        Some(ada.id.to_string().as_str())
    );
    assert_eq!(answer.header("remote-tenant"), Some("home"));
    assert_eq!(answer.header("remote-roles"), Some(""));
    // Nobody has verified an address.
    assert_eq!(answer.header("remote-email"), Some(""));
    // Not only pages, now that somebody is known.
    let post = visitor
        .question("wiki", "/edit")
        .header("x-forwarded-method", "POST");
    post.send().await.expect(200);
}

async fn whoever_is_no_browser_on_its_way_to_a_page_is_told_to_sign_in(world: &World) {
    let ada = home(world).await;
    let visitor = Visitor::new(world);
    let ask = || visitor.question("wiki", PAGE);
    for call in [
        ask().without("accept").header("accept", "application/json"),
        ask()
            .without("x-forwarded-method")
            .header("x-forwarded-method", "POST"),
        ask().header("sec-fetch-mode", "cors"),
        ask().header("authorization", "Bearer something"),
    ] {
        let answer = call.send().await.expect_problem(401, "unauthenticated");
        assert_eq!(answer.header("location"), None, "{answer}");
        assert_eq!(answer.header("set-cookie"), None, "{answer}");
    }
    // For proxies that take no other answer than 401.
    let path = "/api/v1/forward-auth?application=wiki&redirect=false";
    let call = proxied(visitor.there.call(Method::GET, path), PAGE);
    let answer = call.send().await.expect_problem(401, "unauthenticated");
    assert!(location(&answer).contains("/t/home/enter?"), "{answer}");
    assert!(answer.header("set-cookie").is_some(), "{answer}");
    // On https, no other host of the domain can plant what tells browsers apart.
    set_origins(world, &ada, "wiki", &["https://app.localhost:8081"]).await;
    let call = ask().without("x-forwarded-proto");
    let answer = call.header("x-forwarded-proto", "https").send().await;
    let cookie = answer.expect(303).header("set-cookie").unwrap().to_owned();
    assert!(cookie.starts_with("__Host-gl-browser="), "{cookie}");
    for attribute in ["; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
}

async fn s06_a_code_counts_once_for_a_minute_on_its_host_and_in_its_browser(world: &World) {
    let ada = home(world).await;
    let visitor = Visitor::signed_in(world, &ada).await;
    let is_refused = async |visitor: &mut Visitor<'_>, call: Call<'_>| {
        let answer = call.send().await.expect(303);
        assert!(location(&answer).ends_with("/enter"), "{answer}");
        assert_eq!(answer.header("set-cookie"), None, "{answer}");
        visitor.ask(PAGE).await.expect(303);
        // Where those end is said in words.
        let page = world
            .get("/enter")
            .header("accept", "text/html")
            .send()
            .await;
        assert!(page.expect(404).text().contains("used already"), "no words");
    };

    let mut once = visitor.clone();
    let accept = once.code_for(PAGE).await;
    once.exchange(&accept).await.expect(303);
    let mut again = visitor.clone();
    again.there.cookies = once.there.cookies.clone();
    again
        .there
        .cookies
        .retain(|name, _| !name.ends_with("gl-pass"));
    let call = proxied(again.there.call(Method::GET, local(&accept)), "/");
    is_refused(&mut again, call).await;

    let mut late = visitor.clone();
    let accept = late.code_for(PAGE).await;
    world.pass(Duration::from_secs(60));
    let call = proxied(late.there.call(Method::GET, local(&accept)), "/");
    is_refused(&mut late, call).await;

    let mut elsewhere = visitor.clone();
    let accept = elsewhere.code_for(PAGE).await;
    let call = proxied(elsewhere.there.call(Method::GET, local(&accept)), "/");
    let call = call
        .without("x-forwarded-host")
        .header("x-forwarded-host", "other.localhost");
    is_refused(&mut elsewhere, call).await;

    // Somebody else's browser, with a cookie of its own and without any.
    for known in [true, false] {
        let mut thief = Visitor::new(world);
        if known {
            thief.ask(PAGE).await.expect(303);
        }
        let accept = visitor.clone().code_for(PAGE).await;
        let call = proxied(thief.there.call(Method::GET, local(&accept)), "/");
        is_refused(&mut thief, call).await;
    }
    for nonsense in ["", "?code=", "?code=abc", "?code=a&code=b"] {
        let path = format!("/.gatelodge/accept{nonsense}");
        let call = proxied(visitor.there.call(Method::GET, path), "/");
        is_refused(&mut visitor.clone(), call).await;
    }
}

async fn s06_of_64_exchanges_at_once_at_two_servers_one_succeeds(world: &World) {
    let ada = home(world).await;
    let mut visitor = Visitor::signed_in(world, &ada).await;
    let accept = visitor.code_for(PAGE).await;
    let other = world.second_server().await;
    let browser = &visitor.there.cookies["gl-browser"];
    let exchanges = (0..64).map(|number| {
        let server = if number % 2 == 0 { world } else { &other };
        let call = proxied(server.call(Method::GET, local(&accept)), "/");
        call.header("cookie", format!("gl-browser={browser}"))
            .send()
    });
    let answers = futures_util::future::join_all(exchanges).await;
    let won = answers
        .iter()
        .filter(|answer| answer.header("set-cookie").is_some());
    assert_eq!(won.count(), 1);
}

async fn s31_a_pass_is_nothing_without_its_session_its_application_and_its_host(world: &World) {
    let ada = home(world).await;
    world.application(ada.tenant, "desk").await;
    set_origins(world, &ada, "desk", &[ORIGIN]).await;
    let enter = async || {
        let mut visitor = Visitor::signed_in(world, &ada).await;
        visitor.enter().await;
        visitor.ask(PAGE).await.expect(200);
        visitor
    };
    // Another application of the same origin.
    let mut visitor = enter().await;
    visitor.question("desk", PAGE).send().await.expect(303);
    // Another origin of the same application.
    set_origins(world, &ada, "wiki", &[ORIGIN, "http://other.localhost"]).await;
    let call = visitor.question("wiki", PAGE).without("x-forwarded-host");
    let other = call.header("x-forwarded-host", "other.localhost");
    other.send().await.expect(303);
    visitor.ask(PAGE).await.expect(200);
    // Withdrawn, it lets nobody in, and again when it is back.
    set_origins(world, &ada, "wiki", &["http://other.localhost"]).await;
    visitor.ask(PAGE).await.expect_problem(403, "denied");
    set_origins(world, &ada, "wiki", &[ORIGIN]).await;
    visitor.ask(PAGE).await.expect(200);
    // Changed by one bit, too long, or the session's own token.
    let pass = visitor.there.cookies["gl-pass"].clone();
    let session = visitor.here.named("gl-session-")[0].1.to_owned();
    let (start, end) = pass.split_at(pass.len() - 3);
    for wrong in [
        format!("{start}AAA"),
        format!("{end}{start}"),
        "A".repeat(9_000),
        session,
    ] {
        let mut forger = Visitor::new(world);
        forger.there.cookies.insert("gl-pass".to_owned(), wrong);
        forger.ask(PAGE).await.expect(303);
    }
    // The session's end is everybody's.
    visitor.here.delete("/api/v1/session").await.expect(204);
    visitor.ask(PAGE).await.expect(303);
    let mut visitor = enter().await;
    world.lock(&ada).await;
    visitor.ask(PAGE).await.expect(303);
}

async fn sessions_that_are_not_whole_or_not_of_the_tenant_enter_nowhere(world: &World) {
    let ada = home(world).await;
    world.tenant("away").await;
    let bob = world.person_with_password("away", "bob").await;
    let mut visitor = Visitor::signed_in(world, &bob).await;
    let way = location(&visitor.ask(PAGE).await.expect(303));
    let answer = visitor
        .here
        .send(plain(visitor.here.call(Method::GET, local(&way))))
        .await;
    let sign_in = location(&answer.expect(303));
    assert!(sign_in.starts_with("/t/home/sign-in?"), "{sign_in}");
    // Nor by the address of the own tenant.
    let call = plain(
        visitor
            .here
            .call(Method::GET, local(&way).replace("/t/home/", "/t/away/")),
    );
    visitor.here.send(call).await.expect(404);

    let token = world.scoped_session(&ada).await;
    let call = plain(world.get(local(&way))).bearer(&token);
    call.send().await.expect(403);
}

async fn a_proxy_that_is_set_up_wrongly_is_told_what_is_wrong(world: &World) {
    home(world).await;
    let visitor = Visitor::new(world);
    let ask = |application: &str| visitor.question(application, PAGE);
    for (call, status, detail) in [
        (ask("nobodys"), 403, "no registered application `nobodys`"),
        (ask(""), 403, "no registered application ``"),
        (
            ask("wiki")
                .without("x-forwarded-host")
                .header("x-forwarded-host", "elsewhere.example"),
            403,
            "has not registered the origin `http://elsewhere.example`",
        ),
        (
            ask("wiki")
                .without("x-forwarded-proto")
                .header("x-forwarded-proto", "https"),
            403,
            "has not registered the origin `https://app.localhost:8081`",
        ),
        (
            ask("wiki").without("x-forwarded-proto"),
            400,
            "`X-Forwarded-Proto`",
        ),
        (
            ask("wiki").header("x-forwarded-host", "elsewhere.example"),
            400,
            "more than once",
        ),
    ] {
        let answer = call.send().await.expect(status);
        let said = answer.json()["detail"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(said.contains(detail), "{answer}");
    }
    let without = proxied(world.get("/api/v1/forward-auth"), PAGE)
        .send()
        .await;
    without.expect(400);
    // Without the proxy's header, it is the host that the browser asked for.
    let call = ask("wiki").without("x-forwarded-host");
    call.send().await.expect(303);
}

/// Nothing that the proxy was asked for leads a browser away from the host.
async fn s28_the_way_leads_to_pages_of_the_host_alone(world: &World) {
    let ada = home(world).await;
    let visitor = Visitor::signed_in(world, &ada).await;
    for page in [
        "//evil.example/",
        "/\\evil.example/",
        "@evil.example/",
        ".evil.example/",
        "https://evil.example/",
        "",
        ":8443/",
    ] {
        let mut visitor = visitor.clone();
        let accept = visitor.code_for(page).await;
        assert!(
            accept.starts_with(&format!("{ORIGIN}/.gatelodge/accept?code=")),
            "{accept}"
        );
        let to = location(&visitor.exchange(&accept).await.expect(303));
        let url = Url::parse(&to).unwrap();
        assert_eq!(
            url.origin().ascii_serialization(),
            ORIGIN,
            "{page} led to {to}"
        );
    }
    // A longer address than is carried along.
    let mut visitor = visitor.clone();
    let accept = visitor.code_for(&format!("/{}", "a".repeat(1_000))).await;
    let to = location(&visitor.exchange(&accept).await.expect(303));
    assert_eq!(to, format!("{ORIGIN}/"));
    let away = proxied(world.get("/.gatelodge/sign-out"), "/").send().await;
    assert!(location(&away.expect(303)).ends_with("/sign-out"));
}

/// What holds for our host and all below it is no business of an application's.
#[tokio::test]
async fn browsers_are_told_nothing_of_how_to_reach_the_applications_host() {
    const HSTS: &str = "strict-transport-security";
    let world = World::with(|config| {
        config.server.origin = Some("https://id.example.org".parse().unwrap());
    })
    .await;
    home(&world).await;
    let ask = proxied(world.get("/api/v1/forward-auth?application=wiki"), PAGE);
    let asked = ask.send().await.expect(303);
    let back = proxied(world.get("/.gatelodge/accept?code=abc"), "/");
    let came_back = back.send().await.expect(303);
    for answer in [asked, came_back] {
        assert_eq!(answer.header(HSTS), None, "{answer}");
    }
    let ours = world.get("/enter").send().await;
    assert!(ours.header(HSTS).is_some(), "{ours}");
}
