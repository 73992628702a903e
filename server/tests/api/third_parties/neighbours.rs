//! S25: what one third party says counts for its own connection alone.

use std::collections::BTreeMap;

use axum::http::Method;
use gatelodge_core::secret::Secret;
use serde_json::json;

use super::{
    House,
    callbacks::with,
    connection,
    visitor::{encoded, form_of},
};
use crate::support::{World, flow_path, on_each_storage};

on_each_storage!(
    s25_what_one_third_party_gives_is_worth_nothing_at_another,
    s25_an_issuer_that_a_request_names_changes_nothing,
    s26_the_code_of_another_sign_in_is_refused,
);

async fn two(world: &World) -> House {
    let creates = json!({"new_accounts": "create"});
    let both = ["one", "other"].map(|id| connection(id, creates.clone()));
    House::on(world, both.into(), |_| {}).await
}

async fn s25_what_one_third_party_gives_is_worth_nothing_at_another(world: &World) {
    let house = two(world).await;
    // The same subject at both is two people.
    for id in ["one", "other"] {
        let said = json!({"preferred_username": format!("same-by-{id}")});
        house.says(id, &said);
        let mut visitor = house.visitor();
        visitor.come("/t/home", id, "same").await;
        let who = visitor.is_who().await.unwrap();
        assert_eq!(who.1, format!("same-by-{id}"));
    }
    let people = house.people("home").await;
    let sessions = house.sessions("home").await;

    // A token of one's, in all ways in which it shows, at the other.
    for (said, reason) in [
        (json!({"iss": "https://one.example/realm"}), "wrong_issuer"),
        (json!({"aud": "client-of-one"}), "wrong_audience"),
        (
            json!({"aud": ["client-of-other", "client-of-one"], "azp": "client-of-other"}),
            "wrong_audience",
        ),
        (json!({"azp": "client-of-one"}), "wrong_authorized_party"),
    ] {
        house.says("other", &said);
        house.world.pass(std::time::Duration::from_millis(1));
        let mut visitor = house.visitor();
        let page = visitor.come("/t/home", "other", "same").await;
        assert!(visitor.session().await.is_none(), "{said}: {page}");
        assert_eq!(house.refusals("home", "other").await[0], reason, "{said}");
    }
    house.party("other", |liar| liar);

    // The callback of one: with its issuer (mix-up), at its address, with its code.
    let mut visitor = house.visitor();
    let url = visitor.leave("/t/home", "other").await;
    let brought = house.outside.authorize("other", &url, "same");
    house.outside.asked();
    let mixed = with(&brought, "iss", "https://one.example/realm");
    let page = visitor.back("other", &mixed).await;
    assert!(visitor.session().await.is_none(), "{page}");
    assert!(house.outside.asked().is_empty(), "the code goes to nobody");

    let mut visitor = house.visitor();
    let url = visitor.leave("/t/home", "other").await;
    let at_one = house.outside.authorize("one", &url, "same");
    let mut visitor_at_one = visitor.clone();
    let answer = visitor_at_one.arrive("one", &at_one).await;
    assert_eq!(answer.status, 404, "{answer}");

    let mut visitor = house.visitor();
    let to_one = visitor.leave("/t/home", "one").await;
    let code = house.outside.authorize("one", &to_one, "same")["code"].clone();
    let mut other = house.visitor();
    let url = other.leave("/t/home", "other").await;
    let mut brought = house.outside.authorize("other", &url, "same");
    brought.insert("code".to_owned(), code);
    house.outside.asked();
    let page = other.back("other", &brought).await;
    assert!(other.session().await.is_none(), "{page}");
    let hosts: Vec<_> = house.outside.asked();
    let is_own = |url: &url::Url| url.host_str() == Some("other.example");
    assert!(hosts.iter().all(is_own), "{hosts:?}");

    assert_eq!(people, house.people("home").await);
    assert_eq!(sessions, house.sessions("home").await);
}

/// Supabase GHSA-9wqv-qrhh-87f4.
async fn s25_an_issuer_that_a_request_names_changes_nothing(world: &World) {
    let house = two(world).await;
    let evil = "https://evil.example";
    let names = [
        "issuer",
        "iss",
        "client_id",
        "redirect_uri",
        "connection",
        "token",
    ];
    // In the form that chooses the third party.
    for name in names {
        let mut visitor = house.visitor();
        let page = visitor.open("/t/home/sign-in?again=1").await;
        let form = form_of(&page, "one");
        let page = visitor.send(&form, &[(name, evil)]).await;
        if let Some(url) = super::visitor::away(&page) {
            assert_eq!(url.host_str(), Some("one.example"), "{name}");
            assert!(!url.as_str().contains("evil.example"), "{name}: {url}");
        }
    }
    // In what a client of the API sends.
    for body in [
        json!({"provider": "one", "answer": {"issuer": evil}}),
        json!({"provider": "one", "issuer": evil}),
        json!({"provider": "one", "answer": {"id_token": "e30.e30."}}),
        json!({"provider": evil}),
    ] {
        let mut visitor = house.visitor();
        let start = json!({"transport": "cookie", "tenant": "home"});
        let flow = visitor.browser.post("/api/v1/sign-in/flows", &start).await;
        let path = flow_path(&flow.expect(201).json());
        let answer = visitor.browser.post(&path, &body).await;
        assert!(!answer.text().contains("evil.example/"), "{body}: {answer}");
        assert!(visitor.session().await.is_none(), "{body}");
    }
    // In the callback, beside what belongs there or in its place.
    for (name, value) in [
        ("issuer", evil),
        ("id_token", "e30.e30."),
        ("access_token", "x"),
        ("token_type", "Bearer"),
        ("user", "{\"name\":{\"firstName\":\"x\"}}"),
        ("client_id", "client-of-other"),
    ] {
        let mut visitor = house.visitor();
        let url = visitor.leave("/t/home", "one").await;
        let mut brought = house.outside.authorize("one", &url, "mallory");
        brought.remove("code");
        let brought = with(&brought, name, value);
        house.outside.asked();
        let page = visitor.back("one", &brought).await;
        assert!(visitor.session().await.is_none(), "{name}: {page}");
        assert!(house.outside.asked().is_empty(), "{name}");
    }
    let is_ours = |url: &url::Url| url.host_str() != Some("evil.example");
    assert!(house.outside.asked().iter().all(is_ours));
    assert!(house.people("home").await.is_empty());
}

/// A code that an attacker got for themselves, put into the victim's sign-in, and one that
/// was stolen from the victim, put into the attacker's (RFC 9700 section 4.5).
async fn s26_the_code_of_another_sign_in_is_refused(world: &World) {
    let house = two(world).await;
    let mut sides = Vec::new();
    for subject in ["victim", "attacker"] {
        let mut visitor = house.visitor();
        let url = visitor.leave("/t/home", "one").await;
        let brought = house.outside.authorize("one", &url, subject);
        sides.push((visitor, brought));
    }
    let codes: Vec<_> = sides
        .iter()
        .map(|(_, brought)| brought["code"].clone())
        .collect();
    for (number, (visitor, brought)) in sides.iter_mut().enumerate() {
        let mut swapped: BTreeMap<String, Secret> = brought.clone();
        swapped.insert("code".to_owned(), codes[1 - number].clone());
        let path = format!("/callback/one?{}", encoded(&swapped));
        let call = visitor.call(Method::GET, &path);
        let answer = visitor.browser.send(call).await;
        let page = visitor.follow(answer).await;
        assert!(visitor.session().await.is_none(), "{page}");
    }
    assert!(house.people("home").await.is_empty());
    assert_eq!(house.refusals("home", "one").await.len(), 2);
}
