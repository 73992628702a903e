//! What holds for every link and code by mail, whatever it is for.

use std::time::Duration;

use futures_util::future::join_all;
use gatelodge_core::provider::Message;
use serde_json::{Value, json};

use crate::support::{
    Answer, MAILED, OTHER_PASSWORD, PASSWORD, Person, World, code_of, link_of, on_each_storage,
    town,
};

const MINUTE: Duration = Duration::from_secs(60);

on_each_storage!(
    s04_a_link_opens_once_and_so_does_the_code_beside_it,
    s04_a_newer_link_a_new_password_and_a_new_address_end_a_link,
    s05_a_link_opens_only_what_it_was_made_for,
    s06_a_link_opens_until_its_last_second,
    s11_guessing_a_code_is_limited_across_flows,
    s17_neither_link_nor_code_is_in_an_answer,
    s18_of_parallel_redemptions_one_succeeds,
    a_lock_refuses_without_using_the_link_up,
    another_mail_is_sent_a_minute_later_and_five_an_hour,
    a_link_to_a_page_gives_a_session_for_that_page,
    a_link_signs_in_where_that_is_allowed,
    a_mailed_link_is_told_to_nobody_and_others_to_whoever_runs_the_platform,
    what_is_missing_for_a_link_is_named,
);

async fn home(world: &World) -> Person {
    world.tenant("home").await;
    world.invited("ada").await
}

async fn make(world: &World, token: &str, person: &Person, body: Value) -> Answer {
    let path = format!("{}/links", person.path());
    world.post(path).bearer(token).json(&body).send().await
}

async fn s04_a_link_opens_once_and_so_does_the_code_beside_it(world: &World) {
    let ada = home(world).await;
    let (asked, mail) = world.reset(&ada).await;
    let flow = world.redeem(&ada, link_of(&mail)).await.expect(200).json();
    let code = world.fill(&asked, MAILED, code_of(&mail)).await;
    code.expect_problem(401, "sign_in_refused");
    world.redeem(&ada, link_of(&mail)).await.expect(404);
    // Whoever opened it goes on.
    world.choose(&flow, OTHER_PASSWORD).await.expect(200);
}

async fn s04_a_newer_link_a_new_password_and_a_new_address_end_a_link(world: &World) {
    let ada = home(world).await;
    let (_, older) = world.reset(&ada).await;
    world.pass(2 * MINUTE);
    let (_, newer) = world.reset(&ada).await;
    assert_ne!(link_of(&older).token, link_of(&newer).token);
    world.redeem(&ada, link_of(&older)).await.expect(404);

    change_password(world, &ada).await;
    world.redeem(&ada, link_of(&newer)).await.expect(404);

    world.pass(2 * MINUTE);
    let (_, last) = world.reset(&ada).await;
    let mayor = world.person("home", "mayor").await;
    let grant = gatelodge_core::model::Grant::TenantAdministrator;
    world.grant(&mayor, grant).await;
    let mayor = world.session(&mayor).await;
    let change = json!({"email": "other@example.com"});
    let call = world.patch(ada.path()).bearer(&mayor).json(&change);
    let changed = call.send().await.expect(200);
    assert_eq!(changed.json()["email_verified"], false);
    world.redeem(&ada, link_of(&last)).await.expect(404);
    world.sign_in(&ada, OTHER_PASSWORD).await.expect(200);
}

/// Signed in, on the account page.
async fn change_password(world: &World, person: &Person) {
    let body = json!({"transport": "token", "intent": "enrol", "provider": "password"});
    let session = world.token(person, PASSWORD).await;
    let call = world.post("/api/v1/sign-in/flows").bearer(&session);
    let flow = call.json(&body).send().await.expect(201).json();
    let proof = json!({"password": PASSWORD});
    let next = world.fill(&flow, "password", proof).await.expect(200);
    let new = json!({"new_password": OTHER_PASSWORD});
    let changed = world.fill(&next.json(), "password", new).await;
    changed.expect(200);
}

async fn s05_a_link_opens_only_what_it_was_made_for(world: &World) {
    let ada = home(world).await;
    world.tenant("away").await;
    let (_, mail) = world.reset(&ada).await;
    let token = link_of(&mail).token.expose();
    for purpose in ["invite", "verify", "sign-in", "page"] {
        world.open("home", purpose, token).await.expect(404);
    }
    world.open("away", "reset", token).await.expect(404);
    let unknown = world.open("home", "device", token).await;
    unknown.expect_problem(400, "invalid_request");
    // It is no session, no flow and no password either.
    assert!(!world.accepts(token).await);
    let path = format!("/api/v1/sign-in/flows/{token}");
    world.get(path).send().await.expect(404);
    world.sign_in(&ada, token).await.expect(401);
    // And what is none opens nothing.
    let session = world.token(&ada, PASSWORD).await;
    let (short, _) = token.split_at(63);
    for wrong in ["", "x", &session, short, &format!("{token}A")] {
        let opened = world.open("home", "reset", wrong).await;
        assert!([404, 422].contains(&opened.status.as_u16()), "{opened}");
    }
    world.open("home", "reset", token).await.expect(201);
}

async fn s06_a_link_opens_until_its_last_second(world: &World) {
    let ada = home(world).await;
    let (asked, mail) = world.reset(&ada).await;
    let (link, code) = (link_of(&mail), code_of(&mail));
    world.pass(30 * MINUTE - Duration::from_secs(1));
    let token = link.token.expose();
    let opened = world.open("home", "reset", token).await.expect(201);
    world.pass(Duration::from_secs(2));
    let late = world.fill(&opened.json(), MAILED, json!({})).await;
    late.expect_problem(401, "sign_in_refused");
    world.open("home", "reset", token).await.expect(404);
    // The flow that asked for it has ended long ago.
    world.fill(&asked, MAILED, code).await.expect(404);
    // Nor does a clock that jumps bring it back.
    world.pass(Duration::from_secs(2 * 365 * 24 * 3_600));
    world.open("home", "reset", token).await.expect(404);
}

async fn s11_guessing_a_code_is_limited_across_flows(world: &World) {
    let ada = home(world).await;
    let mut tries = 0;
    let limited = loop {
        let asked = world.forget("home", "ada").await;
        if asked.status != 200 {
            break asked;
        }
        let wrong = json!({"code": "0000 0000"});
        let answer = world.fill(&asked.json(), MAILED, wrong).await;
        if answer.status != 401 {
            break answer;
        }
        tries += 1;
        assert!(tries < 20, "nothing stops the guessing");
    };
    limited.expect_problem(429, "too_many_requests");
    // The link and another way in stay open: nobody can lock somebody else out.
    let mail = world.newest(&ada, "reset").await;
    let token = link_of(&mail).token.expose();
    world.open("home", "reset", token).await.expect(201);
    world.sign_in(&ada, PASSWORD).await.expect(200);
}

/// A canary: what was mailed is looked for in everything that was answered.
async fn s17_neither_link_nor_code_is_in_an_answer(world: &World) {
    let mayor = town(world).await.mayor_token;
    let ada = world.invited("ada").await;
    let asked = world.forget("home", "ada").await;
    let mail = world.newest(&ada, "reset").await;
    let flow = world.redeem(&ada, link_of(&mail)).await;
    let done = world.choose(&flow.json(), OTHER_PASSWORD).await;
    let body = json!({"purpose": "reset", "delivery": "mail"});
    world.pass(2 * MINUTE);
    let made = make(world, &mayor, &ada, body).await.expect(201);
    let second = world.newest(&ada, "reset").await;
    let audit = world.get("/api/v1/tenants/home/audit-events?limit=100");
    let audit = audit.bearer(&mayor).send().await.expect(200);
    for answer in [asked, flow, done, made, audit] {
        for mail in [&mail, &second] {
            let code = mail.code.as_ref().unwrap().expose();
            let text = answer.text();
            assert!(!text.contains(link_of(mail).token.expose()), "{answer}");
            assert!(!text.contains(code), "{answer}");
            assert!(!text.contains(&code.replace(' ', "")), "{answer}");
        }
    }
}

/// R5, S18: at two servers.
async fn s18_of_parallel_redemptions_one_succeeds(world: &World) {
    let ada = home(world).await;
    let (asked, mail) = world.reset(&ada).await;
    let other = world.second_server().await;
    let token = link_of(&mail).token.expose();
    let mut flows = Vec::new();
    for _ in 0..8 {
        for server in [world, &other] {
            let opened = server.open("home", "reset", token).await.expect(201);
            flows.push((server, opened.json()));
        }
    }
    let code = world.fill(&asked, MAILED, code_of(&mail));
    let links = flows
        .iter()
        .map(|(server, flow)| server.fill(flow, MAILED, json!({})));
    let (code, mut answers) = futures_util::future::join(code, join_all(links)).await;
    answers.push(code);
    let opened = answers.iter().filter(|answer| answer.status == 200);
    assert_eq!(opened.count(), 1);
    let lost = answers.iter().filter(|answer| answer.status != 200);
    assert!(
        lost.clone().all(|answer| answer.status == 401),
        "{:?}",
        lost.map(|a| a.status).collect::<Vec<_>>()
    );
}

/// U7
async fn a_lock_refuses_without_using_the_link_up(world: &World) {
    let ada = home(world).await;
    let (asked, mail) = world.reset(&ada).await;
    world.lock(&ada).await;
    world.redeem(&ada, link_of(&mail)).await.expect(401);
    let refused = world.fill(&asked, MAILED, code_of(&mail)).await;
    refused.expect_problem(401, "sign_in_refused");
    let operator = gatelodge_core::access::Caller::operator();
    let users = world.platform.users();
    users.unlock(&operator, ada.tenant, ada.id).await.unwrap();
    let flow = world.redeem(&ada, link_of(&mail)).await.expect(200);
    world.choose(&flow.json(), OTHER_PASSWORD).await.expect(200);
}

/// Whoever asks for the mails of others fills no mailbox, and ends no link that
/// is on its way.
async fn another_mail_is_sent_a_minute_later_and_five_an_hour(world: &World) {
    let ada = home(world).await;
    let resets = async || {
        let mails = world.mails(&ada.mailbox()).await;
        mails.iter().filter(|mail| mail.template == "reset").count()
    };
    let (_, first) = world.reset(&ada).await;
    for _ in 0..3 {
        world.forget("home", "ada").await.expect(200);
    }
    assert_eq!(resets().await, 1);
    let token = link_of(&first).token.expose();
    world.open("home", "reset", token).await.expect(201);
    for sent in 2..=5 {
        world.pass(MINUTE);
        world.forget("home", "ada").await.expect(200);
        assert_eq!(resets().await, sent);
    }
    for _ in 0..5 {
        world.pass(MINUTE);
        world.forget("home", "ada").await.expect(200);
    }
    assert_eq!(resets().await, 5);
    world.pass(60 * MINUTE);
    world.forget("home", "ada").await.expect(200);
    assert_eq!(resets().await, 6);
}

async fn a_link_to_a_page_gives_a_session_for_that_page(world: &World) {
    let town = town(world).await;
    let ada = world.invited("ada").await;
    let (mayor, root) = (&town.mayor_token, &town.root_token);
    let page = json!({"purpose": "page", "page": "/reports/7?year=2026", "delivery": "mail"});
    make(world, mayor, &ada, page).await.expect(201);
    let mail = world.newest(&ada, "page_link").await;
    let done = world.redeem(&ada, link_of(&mail)).await.expect(200).json();
    assert_eq!(done["state"], "complete", "{done}");
    assert_eq!(done["session"]["scope"], "page:/reports/7?year=2026");
    let session = done["session"]["token"].as_str().unwrap();
    let path = "/api/v1/account/sessions";
    world.get(path).bearer(session).send().await.expect(403);
    for (page, field) in [
        (json!({"purpose": "page", "delivery": "mail"}), "page"),
        (
            json!({"purpose": "page", "page": "https://evil.example/", "delivery": "mail"}),
            "page",
        ),
        (
            json!({"purpose": "page", "page": "//evil.example/", "delivery": "mail"}),
            "page",
        ),
        (
            json!({"purpose": "page", "page": "/\\evil.example/", "delivery": "told"}),
            "page",
        ),
        (
            json!({"purpose": "reset", "page": "/reports", "delivery": "mail"}),
            "page",
        ),
        (
            json!({"purpose": "page", "page": format!("/{}", "a".repeat(500)), "delivery": "mail"}),
            "page",
        ),
    ] {
        let wrong = make(world, root, &ada, page).await;
        let wrong = wrong.expect_problem(422, "validation_failed");
        assert_eq!(wrong.fields(), [field]);
    }
}

async fn a_link_signs_in_where_that_is_allowed(world: &World) {
    let world = &world.another_by(|plan| plan.mailed_sign_in = true).await;
    let ada = home(world).await;
    let flow = world.begin(json!({"tenant": "home"})).await;
    let offered = flow["step"]["providers"].as_array().unwrap();
    assert!(offered.iter().any(|offer| offer["id"] == MAILED), "{flow}");
    let chosen = json!({"provider": MAILED});
    let path = crate::support::flow_path(&flow);
    let asks = world.post(&path).json(&chosen).send().await.expect(200);
    let name = json!({"user_name": "ada"});
    let asked = world.fill(&asks.json(), MAILED, name).await.expect(200);
    let mail: Message = world.newest(&ada, "magic_link").await;
    let done = world.fill(&asked.json(), MAILED, code_of(&mail)).await;
    let done = done.expect(200).json();
    assert_eq!(done["session"]["amr"], json!(["otp"]));
    assert!(
        world
            .accepts(done["session"]["token"].as_str().unwrap())
            .await
    );
    world.redeem(&ada, link_of(&mail)).await.expect(404);
}

async fn a_mailed_link_is_told_to_nobody_and_others_to_whoever_runs_the_platform(world: &World) {
    let town = town(world).await;
    let ada = world.invited("ada").await;
    let reset = |delivery: &str| json!({"purpose": "reset", "delivery": delivery});
    let mailed = make(world, &town.mayor_token, &ada, reset("mail")).await;
    let mailed = mailed.expect(201).json();
    assert!(mailed.get("link").is_none(), "{mailed}");
    let denied = make(world, &town.mayor_token, &ada, reset("told")).await;
    denied.expect_problem(403, "denied");
    let told = make(world, &town.root_token, &ada, reset("told")).await;
    let told = told.expect(201).json();
    let link = told["link"].as_str().unwrap();
    let (path, token) = link.split_once("?token=").unwrap();
    assert_eq!(
        path,
        format!("{}/t/{}/link/reset", world.origin, ada.tenant)
    );
    let opened = world.open("home", "reset", token).await.expect(201);
    let flow = world
        .fill(&opened.json(), MAILED, json!({}))
        .await
        .expect(200);
    world.choose(&flow.json(), OTHER_PASSWORD).await.expect(200);
    // The person learns of it.
    world.newest(&ada, "credential_changed").await;
    // Of an administrator's account only another one's equal makes links.
    let above = make(world, &town.mayor_token, &town.root, reset("mail")).await;
    assert_eq!(above.status, 404);
}

async fn what_is_missing_for_a_link_is_named(world: &World) {
    let town = town(world).await;
    let (mayor, eve) = (&town.mayor_token, world.person("home", "eve").await);
    let reset = json!({"purpose": "reset", "delivery": "mail"});
    let unverified = make(world, mayor, &eve, reset.clone()).await;
    let unverified = unverified.expect_problem(409, "refused");
    assert!(unverified.text().contains("not verified"), "{unverified}");
    let change = json!({"email": null});
    let call = world.patch(eve.path()).bearer(mayor).json(&change);
    call.send().await.expect(200);
    let nowhere = make(world, mayor, &eve, reset).await;
    assert!(nowhere.text().contains("no e-mail address"), "{nowhere}");
    for body in [
        json!({}),
        json!({"purpose": "invite"}),
        json!({"purpose": "steal", "delivery": "mail"}),
        json!({"purpose": "invite", "delivery": "post"}),
        json!({"purpose": "invite", "delivery": "mail", "to": "eve@evil.example"}),
    ] {
        let wrong = make(world, mayor, &eve, body).await;
        wrong.expect_problem(400, "invalid_request");
    }
}
