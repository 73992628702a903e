//! S26: what comes to a callback counts once, for the sign-in, browser, connection and
//! host that it belongs to.

use std::{collections::BTreeMap, time::Duration};

use axum::http::Method;
use gatelodge_core::secret::Secret;
use gatelodge_server::config::Config;
use serde_json::json;

use super::{House, Visitor, connection, visitor::encoded};
use crate::support::{Answer, World, on_each_storage};

on_each_storage!(
    s26_a_callback_that_does_not_fit_is_nobodys_and_uses_nothing_up,
    s26_a_callback_counts_once,
    s26_a_callback_is_over_after_ten_minutes,
    s26_looking_at_a_callback_does_nothing,
    s26_a_callback_of_one_tenants_host_is_none_of_anothers,
);

type Brought = BTreeMap<String, Secret>;

pub(super) fn with(brought: &Brought, name: &str, value: &str) -> Brought {
    let mut brought = brought.clone();
    brought.insert(name.to_owned(), Secret::new(value));
    brought
}

pub(super) fn without(brought: &Brought, name: &str) -> Brought {
    let mut brought = brought.clone();
    brought.remove(name);
    brought
}

/// The page that says that a sign-in is over, without what differs by chance; nobody is
/// signed in.
async fn is_lost(visitor: &mut Visitor<'_>, id: &str, brought: &Brought, why: &str) -> String {
    let answer = visitor.arrive(id, brought).await;
    lost(visitor, &answer, why).await
}

pub(super) async fn lost(visitor: &Visitor<'_>, answer: &Answer, why: &str) -> String {
    assert_eq!(answer.status, 404, "{why}: {answer}");
    assert!(answer.header("set-cookie").is_none(), "{why}: {answer}");
    assert!(visitor.session().await.is_none(), "{why}");
    let text = answer.text();
    let id = answer.header("x-request-id").unwrap();
    text.replace(id, "<request>")
}

/// Requests that are none.
async fn no_callback_at_all(ada: &mut Visitor<'_>, brought: &Brought) {
    // Twice the same name is no callback.
    for name in ["state", "code", "iss"] {
        let query = encoded(brought);
        let more = encoded(&BTreeMap::from([(name.to_owned(), brought[name].clone())]));
        let path = format!("/callback/plain?{query}&{more}");
        let answer = ada.get(&path).await;
        assert!(answer.status.is_client_error(), "{name}: {answer}");
        assert!(ada.session().await.is_none(), "{name}");
    }
    // Nor is one at an address that is no connection's.
    for id in ["nowhere", "PLAIN", "password", "..%2fplain", "%20"] {
        let answer = ada
            .get(&format!("/callback/{id}?{}", encoded(brought)))
            .await;
        assert!(answer.status.is_client_error(), "{id}: {answer}");
        assert!(ada.session().await.is_none(), "{id}");
    }
}

async fn s26_a_callback_that_does_not_fit_is_nobodys_and_uses_nothing_up(world: &World) {
    let creates = json!({"new_accounts": "create"});
    let twins = ["plain", "twin"].map(|id| connection(id, creates.clone()));
    let house = House::on(world, twins.into(), |_| {}).await;
    let mut ada = house.visitor();
    let url = ada.leave("/t/home", "plain").await;
    let brought = house.outside.authorize("plain", &url, "ada");
    let state = brought["state"].expose().to_owned();
    let mut eve = house.visitor();
    let eves = eve.leave("/t/home", "plain").await;
    let eves = house.outside.authorize("plain", &eves, "eve");
    let mut nobody = house.visitor();

    let mut pages = vec![
        is_lost(&mut ada, "plain", &without(&brought, "state"), "no state").await,
        is_lost(
            &mut nobody,
            "plain",
            &without(&brought, "state"),
            "no state, no cookie",
        )
        .await,
        is_lost(&mut ada, "plain", &BTreeMap::new(), "nothing").await,
        is_lost(
            &mut nobody,
            "plain",
            &brought,
            "another browser, without cookies",
        )
        .await,
        is_lost(
            &mut eve,
            "plain",
            &brought,
            "another browser with a flow of its own",
        )
        .await,
        is_lost(&mut ada, "twin", &brought, "another connection").await,
        is_lost(&mut ada, "plain", &eves, "the state of another browser").await,
    ];
    let wrong = [
        String::new(),
        " ".to_owned(),
        state.to_uppercase(),
        format!("{state} "),
        format!("{state}A"),
        state[1..].to_owned(),
        "x".repeat(43),
        "x".repeat(8_000),
        "\u{0}".to_owned(),
        "ü".to_owned(),
        "' or '1'='1".to_owned(),
        "*".to_owned(),
        "%".to_owned(),
    ];
    for state in &wrong {
        let brought = with(&brought, "state", state);
        pages.push(is_lost(&mut ada, "plain", &brought, state).await);
    }
    pages.dedup();
    assert_eq!(pages.len(), 1, "one page for all of them");

    no_callback_at_all(&mut ada, &brought).await;
    assert!(house.people("home").await.is_empty());

    // All that was in vain: it still counts where it belongs.
    ada.back("plain", &brought).await.expect(200);
    assert!(ada.session().await.is_some());
    eve.back("plain", &eves).await.expect(200);
    assert!(eve.session().await.is_some());
}

async fn s26_a_callback_counts_once(world: &World) {
    let house = House::usual(world).await;
    let mut ada = house.visitor();
    let url = ada.leave("/t/home", "plain").await;
    let brought = house.outside.authorize("plain", &url, "ada");
    let left = ada.clone();
    // Of two that come at the same moment one gets in.
    let (mut one, mut other) = (ada.clone(), ada.clone());
    let both = tokio::join!(
        one.arrive("plain", &brought),
        other.arrive("plain", &brought)
    );
    let ends = [both.0.status.as_u16(), both.1.status.as_u16()];
    let count = |wanted: u16| ends.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(303), count(404)), (1, 1), "{ends:?}");
    assert_eq!(house.sessions("home").await, 1);
    house.outside.asked();
    for (mut again, why) in [(left, "as it left"), (house.visitor(), "another browser")] {
        is_lost(&mut again, "plain", &brought, why).await;
    }
    let refused = BTreeMap::from([
        ("state".to_owned(), brought["state"].clone()),
        ("error".to_owned(), Secret::new("access_denied")),
    ]);
    let mut again = ada.clone();
    is_lost(&mut again, "plain", &refused, "an error for it").await;
    assert!(
        house.outside.asked().is_empty(),
        "no code is redeemed twice"
    );
    assert_eq!(house.sessions("home").await, 1);

    // An error counts as well: then the code comes too late.
    let mut bob = house.visitor();
    let url = bob.leave("/t/home", "plain").await;
    let brought = house.outside.authorize("plain", &url, "bob");
    let mut refused = without(&brought, "code");
    refused.insert("error".to_owned(), Secret::new("access_denied"));
    let page = bob.back("plain", &refused).await;
    assert!(page.text().contains("You came back without"), "{page}");
    is_lost(&mut bob, "plain", &brought, "after an error").await;
}

async fn s26_a_callback_is_over_after_ten_minutes(world: &World) {
    let house = House::usual(world).await;
    for id in ["plain", "posting"] {
        let mut ada = house.visitor();
        let url = ada.leave("/t/home", id).await;
        let brought = house.outside.authorize(id, &url, "ada");
        house.world.pass(Duration::from_secs(600));
        let answer = ada.arrive(id, &brought).await;
        lost(&ada, &answer, id).await;
    }
    assert!(house.people("home").await.is_empty());
}

async fn s26_looking_at_a_callback_does_nothing(world: &World) {
    let house = House::usual(world).await;
    let mut ada = house.visitor();
    let url = ada.leave("/t/home", "plain").await;
    let brought = house.outside.authorize("plain", &url, "ada");
    let path = format!("/callback/plain?{}", encoded(&brought));
    house.outside.asked();
    for (name, value) in [
        ("sec-purpose", "prefetch"),
        ("sec-purpose", "prefetch;prerender"),
        ("purpose", "prefetch"),
    ] {
        let call = ada.call(Method::GET, &path).header(name, value);
        let answer = ada.browser.send(call).await;
        assert_eq!(answer.status, 204, "{value}: {answer}");
    }
    let head = ada.call(Method::HEAD, &path);
    let head = ada.browser.send(head).await;
    assert_eq!(head.status, 204, "HEAD: {head}");
    assert!(head.header("set-cookie").is_none(), "HEAD: {head}");
    assert!(house.outside.asked().is_empty());
    assert!(house.people("home").await.is_empty());
    for method in [Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
        let call = ada.call(method, &path);
        let answer = ada.browser.send(call).await;
        assert!(answer.status.is_client_error(), "{answer}");
    }
    ada.back("plain", &brought).await.expect(200);
    assert!(ada.session().await.is_some(), "it still counts");
}

const HOME: &str = "home.id.example.org";
const AWAY: &str = "away.id.example.org";

fn hosts(config: &mut Config) {
    config.tenancy.host_pattern = Some("{tenant}.id.example.org".parse().unwrap());
}

fn at<'h>(house: &'h House, host: &'static str) -> Visitor<'h> {
    Visitor {
        host: Some(host),
        ..house.visitor()
    }
}

/// The address on a tenant's host that a browser is led on to, which counts once.
async fn led_on(house: &House, brought: &BTreeMap<String, Secret>) -> String {
    // Cookies of the tenant's host do not come to the server's.
    let mut there = house.visitor();
    let answer = there.arrive("plain", brought).await.expect(303);
    assert!(answer.header("set-cookie").is_none(), "{answer}");
    let to = answer.header("location").unwrap();
    for secret in ["code", "state"] {
        assert!(!to.contains(brought[secret].expose()), "{to}");
    }
    let path = to.strip_prefix("https://home.id.example.org");
    path.expect(to).to_owned()
}

async fn s26_a_callback_of_one_tenants_host_is_none_of_anothers(world: &World) {
    let creates = json!({"new_accounts": "create"});
    let twins = ["plain", "twin"].map(|id| connection(id, creates.clone()));
    let house = House::on(world, twins.into(), |plan| hosts(&mut plan.config)).await;
    let mut ada = at(&house, HOME);
    let url = ada.leave("", "plain").await;
    let query: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
    let callback = "https://id.example.org/callback/plain";
    assert_eq!(
        query["redirect_uri"], callback,
        "the third party knows one address"
    );
    let brought = house.outside.authorize("plain", &url, "ada");

    // What a third party brings is taken at the server's host alone.
    for host in [HOME, AWAY] {
        let mut visitor = Visitor {
            host: Some(host),
            ..ada.clone()
        };
        let answer = visitor.arrive("plain", &brought).await;
        lost(&visitor, &answer, host).await;
    }
    // A handle is for the browser, host and connection that it leads to; each try spends it.
    let mut eve = at(&house, HOME);
    eve.leave("", "plain").await;
    let mut wrong = [
        (at(&house, HOME), "plain", "no cookie"),
        (eve, "plain", "another browser"),
        (ada.clone(), "twin", "another connection"),
    ];
    for (visitor, id, why) in &mut wrong {
        let path = led_on(&house, &brought).await;
        let path = path.replace("/callback/plain", &format!("/callback/{id}"));
        let answer = visitor.get(&path).await;
        lost(visitor, &answer, why).await;
        let answer = ada.get(&path).await;
        lost(&ada, &answer, "it was spent").await;
    }
    // Nor at another tenant's host, should the cookies be there.
    let path = led_on(&house, &brought).await;
    let mut elsewhere = Visitor {
        host: Some(AWAY),
        ..ada.clone()
    };
    let answer = elsewhere.get(&path).await;
    lost(&elsewhere, &answer, AWAY).await;
    assert!(house.people("home").await.is_empty());
    let late = led_on(&house, &brought).await;
    house.world.pass(Duration::from_secs(60));
    let answer = ada.get(&late).await;
    lost(&ada, &answer, "after a minute").await;

    let mut ada = at(&house, HOME);
    let url = ada.leave("", "plain").await;
    let brought = house.outside.authorize("plain", &url, "ada");
    let path = led_on(&house, &brought).await;
    ada.open(&path).await.expect(200);
    assert_eq!(ada.is_who().await.unwrap().0, "home");
}
