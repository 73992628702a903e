//! What ends links and mailed codes, whose they are, and how often they may be guessed.

use std::time::Duration;

use axum::http::Method;
use futures_util::future::join_all;
use gatelodge_core::{
    access::Caller,
    model::Grant,
    provider::{Delivery, LinkPurpose, LinkRequest},
};
use serde_json::{Value, json};

use crate::support::{
    Answer, MAILED, PASSWORD, Person, World, code_of, flow_path, link_of, on_each_storage, town,
};

on_each_storage!(
    s10_of_many_codes_tried_at_once_no_more_are_looked_at_than_the_limit,
    s13_a_mailed_code_counts_for_its_own_person_only,
    s19_a_used_link_is_used_at_a_server_that_starts_later,
    s20_s21_whoever_is_shut_out_gets_in_by_no_link,
    s24_a_proof_of_an_address_counts_for_that_address_and_account_only,
);

/// A link that an administrator hands over.
pub(crate) async fn told(world: &World, person: &Person, purpose: LinkPurpose) -> String {
    let request = LinkRequest {
        purpose,
        page: (purpose == LinkPurpose::Page).then(|| "/reports".to_owned()),
        delivery: Delivery::Told,
    };
    let place = (person.tenant, person.id);
    let users = world.platform.users();
    let made = users.make_link(&Caller::operator(), place, request).await;
    let address = made.unwrap().address.unwrap();
    let (_, token) = address.expose().split_once("?token=").unwrap();
    token.to_owned()
}

async fn use_link(world: &World, purpose: LinkPurpose, token: &str) -> Answer {
    let opened = world.open("home", purpose.as_str(), token).await;
    match opened.status.as_u16() {
        201 => world.fill(&opened.json(), MAILED, json!({})).await,
        _ => opened,
    }
}

/// Across flows, as somebody with many machines would.
async fn s10_of_many_codes_tried_at_once_no_more_are_looked_at_than_the_limit(world: &World) {
    world.tenant("home").await;
    let ada = world.invited("ada").await;
    world.invited("bob").await;
    let mut flows = Vec::new();
    for _ in 0..4 {
        flows.push(world.forget("home", "ada").await.expect(200).json());
    }
    let guesses = (0..40).map(|number| {
        let wrong = json!({"code": format!("{number:04} 0000")});
        world.fill(&flows[number % 4], MAILED, wrong)
    });
    let mut refused = 0;
    for answer in join_all(guesses).await {
        match answer.status.as_u16() {
            401 => refused += 1,
            429 => {}
            _ => panic!("{answer}"),
        }
    }
    assert!((1..=10).contains(&refused), "{refused} were looked at");
    // Then not even the right one is; and others are not hindered.
    let mail = world.newest(&ada, "reset").await;
    let right = world.fill(&flows[0], MAILED, code_of(&mail)).await;
    right.expect_problem(429, "too_many_requests");
    world.forget("home", "bob").await.expect(200);
}

async fn s13_a_mailed_code_counts_for_its_own_person_only(world: &World) {
    world.tenant("home").await;
    let (ada, bob) = (world.invited("ada").await, world.invited("bob").await);
    let ((adas, to_ada), (bobs, to_bob)) = (world.reset(&ada).await, world.reset(&bob).await);
    for (flow, code) in [(&adas, code_of(&to_bob)), (&bobs, code_of(&to_ada))] {
        let swapped = world.fill(flow, MAILED, code).await;
        swapped.expect_problem(401, "sign_in_refused");
    }
    // Nor does a link go on for somebody else than it was made for: Ada's session asks.
    let session = world.token(&ada, PASSWORD).await;
    let link = json!({"purpose": "reset", "token": link_of(&to_bob).token.expose()});
    let body = json!({"transport": "token", "tenant": "home", "link": link});
    let call = world.post("/api/v1/sign-in/flows").bearer(&session);
    let opened = call.json(&body).send().await;
    if opened.status == 201 {
        let flow: Value = opened.json();
        let done = world.fill(&flow, MAILED, json!({})).await;
        let shown = world.get(flow_path(&flow)).send().await;
        assert!(!shown.text().contains("\"ada\""), "{done} {shown}");
    }
    world
        .fill(&adas, MAILED, code_of(&to_ada))
        .await
        .expect(200);
}

async fn s19_a_used_link_is_used_at_a_server_that_starts_later(world: &World) {
    world.tenant("home").await;
    let ada = world.invited("ada").await;
    let (asked, mail) = world.reset(&ada).await;
    world.redeem(&ada, link_of(&mail)).await.expect(200);
    let later = world.second_server().await;
    later.redeem(&ada, link_of(&mail)).await.expect(404);
    let code = later.fill(&asked, MAILED, code_of(&mail)).await;
    code.expect_problem(401, "sign_in_refused");
}

type Event = (&'static str, Method, String, Option<Value>);

fn events(user: &str) -> Vec<Event> {
    let home = "/api/v1/tenants/home";
    let (put, delete) = (Method::PUT, Method::DELETE);
    let off = json!({"active": false});
    vec![
        ("lock", put.clone(), format!("{user}/lock"), Some(json!({}))),
        ("deactivate", Method::PATCH, user.to_owned(), Some(off)),
        ("delete", delete.clone(), user.to_owned(), None),
        ("tenant lock", put, format!("{home}/lock"), Some(json!({}))),
        ("tenant delete", delete, format!("{home}?force=true"), None),
    ]
}

/// Of every purpose, opened before it happened and after.
async fn s20_s21_whoever_is_shut_out_gets_in_by_no_link(world: &World) {
    for number in 0..5 {
        let world = world.another_like_this().await;
        let town = town(&world).await;
        let ada = world.invited("ada").await;
        let mut links = Vec::new();
        for purpose in LinkPurpose::ALL {
            // Only its owner can have these sent.
            if !matches!(purpose, LinkPurpose::Verify | LinkPurpose::SignIn) {
                let token = told(&world, &ada, purpose).await;
                let opened = world.open("home", purpose.as_str(), &token).await;
                links.push((purpose, token, opened.expect(201).json()));
            }
        }
        world.pass(Duration::from_secs(120));
        let (asked, mail) = world.reset(&ada).await;
        let root = world.session(&town.root).await;
        let (event, method, path, body) = events(&ada.path()).swap_remove(number);
        let mut call = world.call(method, path).bearer(&root);
        if let Some(body) = body {
            call = call.json(&body);
        }
        let done = call.send().await;
        assert!(done.status.is_success(), "{event}: {done}");
        for (purpose, token, opened) in &links {
            let held = world.fill(opened, MAILED, json!({})).await;
            let anew = use_link(&world, *purpose, token).await;
            for answer in [held, anew] {
                let is_refused = [401, 404].contains(&answer.status.as_u16());
                assert!(is_refused, "{event}, {purpose:?}: {answer}");
            }
        }
        let code = world.fill(&asked, MAILED, code_of(&mail)).await;
        assert!(
            [401, 404].contains(&code.status.as_u16()),
            "{event}: {code}"
        );
    }
}

/// An address is changed between the mail and its use; a code is entered for another account.
async fn s24_a_proof_of_an_address_counts_for_that_address_and_account_only(world: &World) {
    world.tenant("home").await;
    let ada = world.invited("ada").await;
    let bob = world.invited("bob").await;
    let mayor = world.person("home", "mayor").await;
    world.grant(&mayor, Grant::TenantAdministrator).await;
    let mayor = world.session(&mayor).await;
    let email = async |person: &Person| {
        let read = world.get(person.path()).bearer(&mayor).send().await;
        let read = read.expect(200).json();
        (read["email"].clone(), read["email_verified"].clone())
    };
    let change = async |person: &Person, email: &str| {
        let call = world.patch(person.path()).bearer(&mayor);
        let changed = call.json(&json!({"email": email})).send().await;
        changed.expect(200);
    };

    // Ada asks to verify an address; another one is stored before she confirms.
    let asked = ask_to_verify(world, &ada, "new@example.org").await;
    let mail = world.mails("new@example.org").await.pop().unwrap();
    change(&ada, "stored@example.org").await;
    let late = world.redeem(&ada, link_of(&mail)).await;
    let code = world.fill(&asked, MAILED, code_of(&mail)).await;
    for answer in [late, code] {
        assert!(
            [401, 404, 409].contains(&answer.status.as_u16()),
            "{answer}"
        );
    }
    assert_eq!(
        email(&ada).await,
        (json!("stored@example.org"), json!(false))
    );

    // Nor does the code for one account's address prove anything of another's.
    let asked = ask_to_verify(world, &bob, "wanted@example.org").await;
    let mail = world.mails("wanted@example.org").await.pop().unwrap();
    let before = email(&bob).await;
    world.pass(Duration::from_secs(120));
    let adas = ask_to_verify(world, &ada, "third@example.org").await;
    let swapped = world.fill(&adas, MAILED, code_of(&mail)).await;
    swapped.expect_problem(401, "sign_in_refused");
    let third = world.mails("third@example.org").await.pop().unwrap();
    let swapped = world.fill(&asked, MAILED, code_of(&third)).await;
    swapped.expect_problem(401, "sign_in_refused");
    assert_eq!(email(&bob).await, before);
    assert_eq!(
        email(&ada).await,
        (json!("stored@example.org"), json!(false))
    );
}

/// Somebody signed in, who was asked for the code of a mail to this address.
async fn ask_to_verify(world: &World, person: &Person, email: &str) -> Value {
    let session = world.token(person, PASSWORD).await;
    let body = json!({"transport": "token", "intent": "verify"});
    let call = world.post("/api/v1/sign-in/flows").bearer(&session);
    let flow = call.json(&body).send().await.expect(201).json();
    let proof = json!({"password": PASSWORD});
    world.fill(&flow, "password", proof).await.expect(200);
    let asked = world.fill(&flow, MAILED, json!({"email": email})).await;
    asked.expect(200).json()
}
