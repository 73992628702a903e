//! S23, S44: identities are linked, unlinked and used to go elsewhere by their owner, who
//! is signed in, on our own pages, and by nobody else.

use std::time::Duration;

use axum::http::Method;
use gatelodge_core::model::Grant;
use serde_json::{Value, json};

use super::{
    House, Visitor, connection,
    visitor::{away, form_of, forms, forms_of},
};
use crate::support::{Answer, Call, Person, World, on_each_storage};

on_each_storage!(
    s23_nobody_links_without_a_session_of_their_own,
    s23_nobody_unlinks_what_is_anothers,
    s23_a_link_needs_a_fresh_proof,
    s44_no_other_site_links_unlinks_or_switches,
);

const FLOWS: &str = "/api/v1/sign-in/flows";

async fn house(world: &World) -> House {
    let refuses = json!({"new_accounts": "refuse"});
    House::on(world, vec![connection("plain", refuses)], |_| {}).await
}

/// Somebody who is linked, and signed in.
async fn linked<'h>(house: &'h House, tenant: &str, name: &str) -> (Person, Visitor<'h>) {
    let address = format!("{name}@elsewhere.example");
    let person = house.user_at(tenant, name, &address).await;
    let mut visitor = house.visitor();
    visitor.sign_in(&person).await;
    visitor.link(&person, "plain", name).await;
    assert_eq!(house.links(&person).await.len(), 1);
    (person, visitor)
}

/// What nobody else may change.
async fn kept(house: &House) -> Value {
    let sessions = [house.sessions("home").await, house.sessions("away").await];
    json!([
        house.people("home").await,
        house.people("away").await,
        sessions
    ])
}

fn flow<'w>(call: Call<'w>, intent: &str, more: Value) -> Call<'w> {
    let mut body = json!({"transport": "token", "intent": intent});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    call.json(&body)
}

/// Nor does the callback of a link count where its session is not, or no longer.
async fn a_link_needs_its_session_to_the_end(house: &House) {
    let (bob, mut bobs) = linked(house, "home", "bob").await;
    let url = bobs.leave_to_link(&bob, "plain").await;
    let brought = house.outside.authorize("plain", &url, "of-bobs");
    let flows: Vec<_> = bobs.browser.named("flow");
    let flows: Vec<(String, String)> = flows
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    house.world.lock(&bob).await;
    let page = bobs.back("plain", &brought).await;
    assert_eq!(house.links(&bob).await.len(), 1, "{page}");
    let mut thief = house.visitor();
    thief.browser.cookies.extend(flows);
    let page = thief.back("plain", &brought).await;
    assert_eq!(house.links(&bob).await.len(), 1, "{page}");
    assert!(thief.session().await.is_none());
}

/// CVE-2026-105207: an identity was linked without a sign-in.
async fn s23_nobody_links_without_a_session_of_their_own(world: &World) {
    let house = house(world).await;
    let (ada, _) = linked(&house, "home", "ada").await;
    let link = house.links(&ada).await[0].id.to_string();
    let limited = house.world.scoped_session(&ada).await;
    let ended = house.world.session(&ada).await;
    house
        .world
        .delete("/api/v1/session")
        .bearer(&ended)
        .send()
        .await
        .expect(204);
    let before = kept(&house).await;
    let wanted = [
        ("link", json!({"provider": "plain"})),
        ("link", json!({"provider": "plain", "tenant": "home"})),
        ("remove", json!({"factor": link})),
    ];
    for (intent, more) in &wanted {
        let nobody = flow(house.world.post(FLOWS), intent, more.clone())
            .send()
            .await;
        nobody.expect_problem(401, "unauthenticated");
        let over = flow(house.world.post(FLOWS).bearer(&ended), intent, more.clone());
        over.send().await.expect_problem(401, "unauthenticated");
        let scoped = flow(
            house.world.post(FLOWS).bearer(&limited),
            intent,
            more.clone(),
        );
        let scoped = scoped.send().await;
        assert!(
            [403, 404].contains(&scoped.status.as_u16()),
            "{intent}: {scoped}"
        );
    }
    let switch = json!({"transport": "cookie", "intent": "switch", "tenant": "away"});
    let mut nobody = house.visitor();
    let answer = nobody.browser.post(FLOWS, &switch).await;
    answer.expect_problem(401, "unauthenticated");
    for path in ["/api/v1/account/identities", "/api/v1/account/tenants"] {
        house.world.get(path).send().await.expect(401);
        house
            .world
            .get(path)
            .bearer(&limited)
            .send()
            .await
            .expect(403);
    }
    // On the pages one has to sign in first, and then nothing is under way.
    let mut nobody = house.visitor();
    for path in [
        "/t/home/account/connections/plain/link".to_owned(),
        format!("/t/home/account/factors/{link}/remove"),
    ] {
        let answer = nobody.get(&path).await;
        let to = answer.header("location").expect("to the sign-in");
        assert!(to.starts_with("/t/home/sign-in"), "{answer}");
        assert!(away(&answer).is_none(), "{answer}");
    }
    a_link_needs_its_session_to_the_end(&house).await;
    let after = kept(&house).await;
    assert_eq!(before[0]["ada"], after[0]["ada"]);
}

async fn s23_nobody_unlinks_what_is_anothers(world: &World) {
    let house = house(world).await;
    let (ada, _) = linked(&house, "home", "ada").await;
    let (bob, mut bobs) = linked(&house, "home", "bob").await;
    let (tourist, _) = linked(&house, "away", "tourist").await;
    let mayor = house.world.person("home", "mayor").await;
    house.world.grant(&mayor, Grant::TenantAdministrator).await;
    let stranger = house.world.person("away", "stranger").await;
    house
        .world
        .grant(&stranger, Grant::TenantAdministrator)
        .await;
    let link = house.links(&ada).await[0].id;
    let path = format!("{}/identities/{link}", ada.path());
    let others = format!("{}/identities/{link}", bob.path());
    let theirs = house.links(&tourist).await[0].id;
    let limited = house.world.scoped_session(&ada).await;
    let before = kept(&house).await;
    let tokens = [
        ("bob", house.world.session(&bob).await, 403),
        ("ada herself", house.world.session(&ada).await, 403),
        ("limited", limited, 403),
        (
            "another tenant's administrator",
            house.world.session(&stranger).await,
            404,
        ),
    ];
    for (who, token, status) in &tokens {
        for path in [&path, &others] {
            let answer = house.world.delete(path).bearer(token).send().await;
            assert_eq!(answer.status, *status, "{who}: {answer}");
        }
        let list = format!("{}/identities", ada.path());
        let answer = house.world.get(list).bearer(token).send().await;
        assert_eq!(answer.status, *status, "{who}: {answer}");
    }
    let nobody = house.world.delete(&path).send().await;
    nobody.expect_problem(401, "unauthenticated");
    let token = house.world.session(&mayor).await;
    for wrong in [
        others,
        format!("{}/identities/{theirs}", ada.path()),
        format!(
            "/api/v1/tenants/home/users/{}/identities/{theirs}",
            tourist.id
        ),
        format!("{}/identities/x", ada.path()),
    ] {
        let answer = house.world.delete(&wrong).bearer(&token).send().await;
        assert_eq!(answer.status, 404, "{wrong}: {answer}");
    }
    // In a flow, and on the page.
    for link in [link, theirs] {
        let token = house.world.session(&bob).await;
        let more = json!({"factor": link.to_string()});
        let answer = flow(house.world.post(FLOWS).bearer(&token), "remove", more)
            .send()
            .await;
        assert_eq!(answer.status, 404, "{answer}");
        let answer = bobs
            .get(&format!("/t/home/account/factors/{link}/remove"))
            .await;
        assert_eq!(answer.status, 404, "{answer}");
    }
    let mut after = kept(&house).await;
    // The sessions were made on the way.
    after[2] = before[2].clone();
    assert_eq!(before, after);
    house
        .world
        .delete(&path)
        .bearer(&token)
        .send()
        .await
        .expect(204);
    assert!(house.links(&ada).await.is_empty(), "whose office it is may");
}

async fn s23_a_link_needs_a_fresh_proof(world: &World) {
    let house = house(world).await;
    let ada = house.user_at("home", "ada", "ada@elsewhere.example").await;
    let mut visitor = house.visitor();
    visitor.sign_in(&ada).await;
    house.world.pass(Duration::from_secs(20 * 60));
    let page = visitor.open("/t/home/account/connections/plain/link").await;
    assert!(away(&page).is_none(), "a proof comes first: {page}");
    // The third party is no way around it, and a wrong password none either.
    for form in forms_of(&page, "plain") {
        visitor.send(&form, &[]).await;
    }
    let form = form_of(&page, "password");
    let again = visitor
        .send(&form, &[("password", "a wrong password 41")])
        .await;
    assert!(away(&again).is_none(), "{again}");
    assert!(house.links(&ada).await.is_empty());
    let url = visitor.leave_to_link(&ada, "plain").await;
    visitor.return_from("plain", &url, "ada").await;
    assert_eq!(house.links(&ada).await.len(), 1);
}

const FOREIGN: [Option<&str>; 5] = [
    Some("https://evil.example"),
    Some("null"),
    Some("http://id.example.org"),
    Some("https://plain.example"),
    None,
];

/// A form as another site has it sent, with the person's cookies.
async fn forged(visitor: &Visitor<'_>, origin: Option<&str>, path: &str, body: &str) -> Answer {
    let call = visitor.call(Method::POST, path);
    let call = call.body("application/x-www-form-urlencoded", body);
    let call = match origin {
        Some(origin) => call.header("origin", origin),
        None => call,
    };
    call.send().await
}

async fn s44_no_other_site_links_unlinks_or_switches(world: &World) {
    let house = house(world).await;
    let (ada, _) = linked(&house, "home", "ada").await;
    let there = house
        .user_at("away", "countess", "ada@elsewhere.example")
        .await;
    let mut own = house.visitor();
    own.sign_in(&there).await;
    own.link(&there, "plain", "ada").await;
    let mut visitor = house.visitor();
    visitor.come("/t/home", "plain", "ada").await;
    let link = house.links(&ada).await[0].id;
    let away_id = house.tenant("away").await.to_string();
    let page = visitor.open("/t/home/account").await;
    let switch = forms(&page)
        .into_iter()
        .find(|form| form.action.ends_with("/account/switch"))
        .expect("a way to the other tenant");
    let csrf = switch.value("csrf").unwrap().to_owned();
    let before = kept(&house).await;

    let tenant = format!("tenant={away_id}");
    let proven = format!("{tenant}&csrf={csrf}");
    for origin in FOREIGN {
        for body in [&tenant, &proven] {
            for path in ["/t/home/account/switch", "/account/switch"] {
                let answer = forged(&visitor, origin, path, body).await;
                assert_eq!(answer.status, 403, "{origin:?} {path}: {answer}");
                assert!(answer.header("set-cookie").is_none(), "{answer}");
            }
        }
        for body in [
            json!({"transport": "cookie", "intent": "switch", "tenant": "away"}),
            json!({"transport": "cookie", "intent": "link", "provider": "plain"}),
            json!({"transport": "cookie", "intent": "remove", "factor": link.to_string()}),
        ] {
            let call = visitor.browser.call(Method::POST, FLOWS).without("origin");
            let call = match origin {
                Some(origin) => call.header("origin", origin),
                None => call,
            };
            let answer = call.json(&body).send().await;
            assert_eq!(answer.status, 403, "{origin:?} {body}: {answer}");
            assert!(answer.header("set-cookie").is_none(), "{answer}");
        }
    }
    // From our own origin without the session's proof, or with another's.
    let ours = Some("https://id.example.org");
    for csrf in ["", "x", "&csrf=", "&csrf=AAAA"] {
        let body = format!("{tenant}{csrf}");
        let answer = forged(&visitor, ours, "/t/home/account/switch", &body).await;
        assert_eq!(answer.status, 403, "{csrf}: {answer}");
    }
    // What an address alone can do: nothing.
    for path in [
        format!("/t/home/account/switch?{proven}"),
        "/t/home/account/connections/plain/link".to_owned(),
        format!("/t/home/account/factors/{link}/remove"),
        format!("/t/home/account/factors/{link}/remove?action=remove&csrf={csrf}"),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let call = visitor
                .call(method, &path)
                .header("sec-fetch-site", "cross-site");
            let mut victim = visitor.clone();
            let answer = victim.browser.send(call).await;
            if answer.status == 303 {
                victim.follow(answer).await;
            }
        }
    }
    assert_eq!(before, kept(&house).await);
    assert_eq!(visitor.is_who().await.unwrap().0, "home");

    // And the same by their own hand.
    let page = visitor.send(&switch, &[]).await;
    assert_eq!(page.path, "/t/away/account");
}
