//! S26, S44: a third party that has browsers send a form. It comes from a page of its own,
//! with or without cookies; nothing is done for those.

use std::{collections::BTreeMap, time::Duration};

use axum::http::Method;
use gatelodge_core::secret::Secret;

use super::{
    House,
    callbacks::{lost, with, without},
    visitor::encoded,
};
use crate::support::{Answer, World, on_each_storage};

on_each_storage!(
    s26_a_form_leads_on_by_a_handle_that_counts_once,
    s44_a_form_does_nothing_for_the_cookies_that_come_with_it,
    s48_a_form_that_is_none_is_not_read,
);

/// The way on from a form, a path of this server.
fn way_on(answer: &Answer, brought: &BTreeMap<String, Secret>) -> String {
    assert_eq!(answer.status, 303, "{answer}");
    assert!(answer.header("set-cookie").is_none(), "{answer}");
    let to = answer.header("location").unwrap();
    for secret in ["code", "state"] {
        assert!(!to.contains(brought[secret].expose()), "{to}");
    }
    let path = to.strip_prefix("https://id.example.org").expect(to);
    assert!(path.starts_with("/callback/posting?handle="), "{path}");
    path.to_owned()
}

async fn s26_a_form_leads_on_by_a_handle_that_counts_once(world: &World) {
    let house = House::usual(world).await;
    let mut ada = house.visitor();
    let url = ada.leave("/t/home", "posting").await;
    let brought = house.outside.authorize("posting", &url, "ada");
    let mut eve = house.visitor();
    eve.leave("/t/home", "posting").await;

    for wrong in [
        without(&brought, "state"),
        with(&brought, "state", ""),
        with(&brought, "state", &"x".repeat(43)),
    ] {
        let answer = ada.posted("posting", encoded(&wrong)).send().await;
        lost(&ada, &answer, "a wrong state").await;
    }
    let path = "/callback/plain";
    let form = "application/x-www-form-urlencoded";
    let other = house.world.post(path).body(form, encoded(&brought));
    lost(&ada, &other.send().await, "another connection").await;

    for (visitor, id, why) in [
        (house.visitor(), "posting", "no cookie"),
        (eve.clone(), "posting", "another browser"),
        (ada.clone(), "plain", "another connection"),
    ] {
        let mut visitor = visitor;
        let sent = ada.posted("posting", encoded(&brought)).send().await;
        let path = way_on(&sent, &brought);
        let moved = path.replace("/callback/posting", &format!("/callback/{id}"));
        let answer = visitor.get(&moved).await;
        lost(&visitor, &answer, why).await;
        // Whoever had it in hand spent it.
        let answer = ada.get(&path).await;
        lost(&ada, &answer, why).await;
    }
    let sent = ada.posted("posting", encoded(&brought)).send().await;
    let path = way_on(&sent, &brought);
    let prefetch = ada
        .call(Method::GET, &path)
        .header("sec-purpose", "prefetch");
    assert_eq!(ada.browser.send(prefetch).await.status, 204);
    house.world.pass(Duration::from_secs(60));
    let answer = ada.get(&path).await;
    lost(&ada, &answer, "after a minute").await;
    for handle in ["", "x", brought["state"].expose(), brought["code"].expose()] {
        let path = format!("/callback/posting?handle={handle}");
        let answer = ada.get(&path).await;
        lost(&ada, &answer, handle).await;
    }

    let sent = ada.posted("posting", encoded(&brought)).send().await;
    let path = way_on(&sent, &brought);
    ada.open(&path).await.expect(200);
    assert!(ada.session().await.is_some());
    let mut again = eve.clone();
    let answer = again.get(&path).await;
    lost(&again, &answer, "the handle again").await;
    let answer = eve.posted("posting", encoded(&brought)).send().await;
    lost(&eve, &answer, "the form again").await;
    assert_eq!(house.people("home").await.len(), 1);
}

async fn s44_a_form_does_nothing_for_the_cookies_that_come_with_it(world: &World) {
    let house = House::usual(world).await;
    // Somebody who is signed in, and is made to send an attacker's callback.
    let mut victim = house.visitor();
    victim.come("/t/home", "posting", "victim").await;
    let who = victim.is_who().await.unwrap();
    let mut eve = house.visitor();
    let url = eve.leave("/t/home", "posting").await;
    let brought = house.outside.authorize("posting", &url, "eve");
    let sessions = house.sessions("home").await;
    let origins = [
        Some("https://posting.example"),
        Some("https://evil.example"),
        Some("https://id.example.org"),
        Some("null"),
        None,
    ];
    let pairs = victim.browser.cookies.iter();
    let pairs: Vec<_> = pairs
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    for origin in origins {
        let form = "application/x-www-form-urlencoded";
        let call = house.world.post("/callback/posting");
        let call = call.body(form, encoded(&brought));
        let call = call.header("cookie", pairs.join("; "));
        let call = match origin {
            Some(origin) => call.header("origin", origin),
            None => call,
        };
        let path = way_on(&call.send().await, &brought);
        let answer = victim.get(&path).await;
        // The victim is neither somebody else now nor signed out.
        assert_eq!(answer.status, 404, "{origin:?}: {answer}");
        assert_eq!(victim.is_who().await, Some(who.clone()), "{origin:?}");
        assert_eq!(house.sessions("home").await, sessions, "{origin:?}");
    }
    // A cookie twice is somebody's plant, and refused before anything is looked at.
    let twice = format!("{0}; {0}", pairs[0]);
    let call = eve.posted("posting", encoded(&brought));
    let answer = call.header("cookie", twice).send().await;
    assert!(answer.status.is_client_error(), "{answer}");
}

async fn s48_a_form_that_is_none_is_not_read(world: &World) {
    let house = House::usual(world).await;
    let mut ada = house.visitor();
    let url = ada.leave("/t/home", "posting").await;
    let brought = house.outside.authorize("posting", &url, "ada");
    let body = encoded(&brought);
    for kind in [
        "",
        "text/plain",
        "application/json",
        "multipart/form-data; boundary=x",
        "text/html",
        "xapplication/x-www-form-urlencoded",
    ] {
        let call = house
            .world
            .post("/callback/posting")
            .body(kind, body.clone());
        let answer = call.send().await;
        assert_eq!(answer.status, 415, "{kind:?}: {answer}");
    }
    let none = house.world.post("/callback/posting").send().await;
    assert_eq!(none.status, 415, "{none}");
    for (body, status) in [
        (format!("{body}&x={}", "y".repeat(32 * 1024)), 413),
        (format!("{body}&x={}", "y".repeat(4 << 20)), 413),
        (format!("{body}&{body}"), 400),
        (format!("{body}&state=x"), 400),
    ] {
        let answer = ada.posted("posting", body.clone()).send().await;
        let end = &body[body.len().saturating_sub(40)..];
        assert_eq!(answer.status, status, "{end}: {answer}");
    }
    let mut bytes = body.clone().into_bytes();
    bytes.extend(b"&x=\xff\xfe\x00");
    let answer = ada.posted("posting", bytes).send().await;
    assert!(!answer.status.is_server_error(), "{answer}");
    ada.back("posting", &brought).await.expect(200);
    assert!(ada.session().await.is_some(), "it still counts");
}
