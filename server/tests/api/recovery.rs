//! Invitations, forgotten passwords, and addresses that are shown to be one's own.

use std::time::Duration;

use futures_util::future::join_all;
use gatelodge_core::{
    model::{RegistrationSettings, TenantSettings},
    provider::Message,
};
use serde_json::json;

use crate::support::{
    DUTY, MAILED, OTHER_PASSWORD, PASSWORD, World, code_of, flow_path, link_of, on_each_storage,
    redacted,
};

on_each_storage!(
    an_invitation_verifies_the_address_and_lets_choose_a_password,
    a_forgotten_password_is_replaced_by_a_link_and_every_session_ends,
    a_forgotten_password_is_replaced_by_the_code_of_the_same_mail,
    s03_a_password_is_set_only_after_what_was_mailed,
    s11_the_present_password_cannot_be_guessed_where_it_is_changed,
    s12_a_reset_leaves_the_second_factor_to_be_proven,
    s41_asking_for_a_mail_answers_everybody_alike,
    s41_asking_for_a_mail_many_times_at_once_answers_everybody_alike,
    an_address_is_changed_by_its_owner_once_it_is_verified,
    who_has_an_address_verifies_it_before_the_first_session,
);

async fn an_invitation_verifies_the_address_and_lets_choose_a_password(world: &World) {
    world.tenant("home").await;
    let ada = world.person("home", "ada").await;
    let mail = world.invite(&ada).await;
    assert!(mail.code.is_none(), "nobody has a page open to type it");
    let token = link_of(&mail).token.expose();
    for _ in 0..3 {
        let opened = world.open("home", "invite", token).await.expect(201);
        assert_eq!(opened.json()["step"]["provider"], MAILED);
    }
    let flow = world.redeem(&ada, link_of(&mail)).await.expect(200).json();
    assert_eq!(
        flow["state"], "active",
        "no session before the duty is done"
    );
    let weak = world.choose(&flow, "short").await;
    weak.expect_problem(422, "validation_failed");
    let done = world.choose(&flow, PASSWORD).await.expect(200).json();
    assert_eq!(done["state"], "complete");
    let session = done["session"]["token"].as_str().unwrap();
    assert!(world.accepts(session).await);
    world.sign_in(&ada, PASSWORD).await.expect(200);
    // What only a verified address gets.
    world.reset(&ada).await;
}

/// W4, S20
async fn a_forgotten_password_is_replaced_by_a_link_and_every_session_ends(world: &World) {
    world.tenant("home").await;
    let ada = world.invited("ada").await;
    let session = world.token(&ada, PASSWORD).await;
    let (asked, mail) = world.reset(&ada).await;
    assert!(world.accepts(&session).await, "asking changes nothing");
    // In another browser than the one that asked.
    let flow = world.redeem(&ada, link_of(&mail)).await.expect(200).json();
    assert!(world.accepts(&session).await, "nor does opening the link");
    let done = world.choose(&flow, OTHER_PASSWORD).await.expect(200).json();
    let new = done["session"]["token"].as_str().unwrap();
    assert!(world.accepts(new).await && !world.accepts(&session).await);
    world.sign_in(&ada, PASSWORD).await.expect(401);
    world.sign_in(&ada, OTHER_PASSWORD).await.expect(200);
    // The browser that asked is too late.
    world.fill(&asked, MAILED, code_of(&mail)).await.expect(401);
    world.newest(&ada, "credential_changed").await;
}

async fn a_forgotten_password_is_replaced_by_the_code_of_the_same_mail(world: &World) {
    world.tenant("home").await;
    let ada = world.invited("ada").await;
    let (flow, mail) = world.reset(&ada).await;
    let code = mail.code.as_ref().unwrap().expose().replace(' ', "-");
    let next = world.fill(&flow, MAILED, json!({"code": code})).await;
    let done = world.choose(&next.expect(200).json(), OTHER_PASSWORD).await;
    assert_eq!(done.expect(200).json()["state"], "complete");
    world.sign_in(&ada, OTHER_PASSWORD).await.expect(200);
    world.redeem(&ada, link_of(&mail)).await.expect(404);
}

/// Keycloak CVE-2026-18963.
async fn s03_a_password_is_set_only_after_what_was_mailed(world: &World) {
    world.tenant("home").await;
    let ada = world.invited("ada").await;
    let recovery = json!({"tenant": "home", "intent": "recover"});
    let begun = world.begin(recovery).await;
    let asked = world.forget("home", "ada").await.expect(200).json();
    for flow in [begun, asked] {
        for provider in [DUTY, "password", "totp"] {
            let values = json!({"user_name": "ada", "password": OTHER_PASSWORD});
            let answered = world.fill(&flow, provider, values).await;
            assert!(answered.status.is_client_error(), "{answered}");
        }
    }
    world.sign_in(&ada, OTHER_PASSWORD).await.expect(401);
    world.sign_in(&ada, PASSWORD).await.expect(200);
}

/// Where somebody came in another way, the present password is asked for.
async fn s11_the_present_password_cannot_be_guessed_where_it_is_changed(world: &World) {
    let world = &world.another_by(|plan| plan.mailed_sign_in = true).await;
    world.tenant("home").await;
    let ada = world.invited("ada").await;
    let session = world.token(&ada, PASSWORD).await;
    let body = json!({"transport": "token", "intent": "enrol", "provider": "password"});
    let call = world.post("/api/v1/sign-in/flows").bearer(&session);
    let flow = call.json(&body).send().await.expect(201).json();
    let chosen = json!({"provider": MAILED});
    let call = world.post(flow_path(&flow)).json(&chosen);
    call.send().await.expect(200);
    world.fill(&flow, MAILED, json!({})).await.expect(200);
    let mail = world.newest(&ada, "magic_link").await;
    let asks = world.fill(&flow, MAILED, code_of(&mail)).await.expect(200);
    assert_eq!(
        asks.json()["step"]["form"]["fields"][0]["name"],
        "current_password"
    );
    let mut tries = 0;
    let limited = loop {
        let wrong = json!({"current_password": "a wrong one", "new_password": OTHER_PASSWORD});
        let answer = world.fill(&flow, "password", wrong).await;
        if answer.status != 401 {
            break answer;
        }
        tries += 1;
        assert!(tries < 20, "nothing stops the guessing");
    };
    limited.expect_problem(429, "too_many_requests");
}

/// F6
async fn s12_a_reset_leaves_the_second_factor_to_be_proven(world: &World) {
    world.tenant("home").await;
    let ada = world.invited("ada").await;
    let session = world.token(&ada, PASSWORD).await;
    crate::second_factors::set_up_app(world, &session).await;
    let (_, mail) = world.reset(&ada).await;
    let flow = world.redeem(&ada, link_of(&mail)).await.expect(200).json();
    assert_eq!(flow["step"]["providers"][0]["id"], "totp", "{flow}");
    let skipped = json!({"password": OTHER_PASSWORD});
    let skipped = world.fill(&flow, DUTY, skipped).await;
    assert!(skipped.status.is_client_error(), "{skipped}");
}

/// Somebody with a mailbox, somebody whose address is not verified, somebody
/// locked, somebody without an address, nobody.
async fn s41_asking_for_a_mail_answers_everybody_alike(world: &World) {
    world.tenant("home").await;
    world.invited("ada").await;
    world.person_with_password("home", "bob").await;
    let locked = world.invited("carol").await;
    world.lock(&locked).await;
    let mut seen = Vec::new();
    for name in ["ada", "bob", "carol", "nobody", "ada@example.com"] {
        let asked = world.forget("home", name).await.expect(200);
        let flow = asked.json();
        let again = json!({"provider": MAILED, "action": "send_again"});
        let again = world.post(flow_path(&flow)).json(&again).send().await;
        let wrong = json!({"code": "0000 0000"});
        let wrong = world.fill(&flow, MAILED, wrong).await;
        let seen_now = [asked, again, wrong].map(|answer| {
            let mut said = redacted(answer.json());
            if let Some(step) = said["step"].as_object_mut() {
                step.remove("id");
            }
            let wait = answer.header("retry-after").map(str::to_owned);
            (answer.status, wait, said)
        });
        seen.push(seen_now);
    }
    for other in &seen[1..] {
        assert_eq!(*other, seen[0]);
    }
    assert!(world.mails("bob@example.com").await.is_empty());
}

/// Of several who ask at once one has the mail sent: the others must not be told so.
async fn s41_asking_for_a_mail_many_times_at_once_answers_everybody_alike(world: &World) {
    world.tenant("home").await;
    world.invited("ada").await;
    let recovery = json!({"tenant": "home", "intent": "recover"});
    for name in ["ada", "nobody"] {
        let mut flows = Vec::new();
        for _ in 0..8 {
            flows.push(world.begin(recovery.clone()).await);
        }
        let asking = flows.iter();
        let asking = asking.map(|flow| world.fill(flow, MAILED, json!({"user_name": name})));
        for asked in join_all(asking).await {
            assert_eq!(asked.status, 200, "{name}: {asked}");
        }
        world.pass(Duration::from_secs(60));
        let again = json!({"provider": MAILED, "action": "send_again"});
        let asking = flows.iter();
        let asking = asking.map(|flow| world.post(flow_path(flow)).json(&again).send());
        for asked in join_all(asking).await {
            assert_eq!(asked.status, 200, "{name}, again: {asked}");
        }
    }
    let mails = world.mails("ada@example.com").await;
    let resets = mails.iter().filter(|mail| mail.template == "reset");
    assert_eq!(resets.count(), 2);
}

/// U4
async fn an_address_is_changed_by_its_owner_once_it_is_verified(world: &World) {
    world.tenant("home").await;
    let ada = world.invited("ada").await;
    let session = world.token(&ada, PASSWORD).await;
    let body = json!({"transport": "token", "intent": "verify"});
    let call = world.post("/api/v1/sign-in/flows").bearer(&session);
    let flow = call.json(&body).send().await.expect(201).json();
    let proof = json!({"password": PASSWORD});
    let next = world.fill(&flow, "password", proof).await.expect(200);
    let wrong = json!({"email": "no address"});
    let wrong = world.fill(&next.json(), MAILED, wrong).await;
    wrong.expect_problem(422, "validation_failed");
    let new = json!({"email": "lovelace@example.org"});
    let asked = world.fill(&next.json(), MAILED, new).await.expect(200);
    let email = async || {
        let users = world.platform.users();
        let operator = gatelodge_core::access::Caller::operator();
        let read = users.read(&operator, ada.tenant, ada.id).await.unwrap();
        (
            read.user.email.unwrap().to_string(),
            read.user.email_verified,
        )
    };
    assert_eq!(email().await, (ada.mailbox(), true), "until it is verified");
    let mails = world.mails("lovelace@example.org").await;
    let mail: &Message = mails.last().unwrap();
    assert_eq!(mail.template, "verify");
    let done = world.fill(&asked.json(), MAILED, code_of(mail)).await;
    assert_eq!(done.expect(200).json()["state"], "complete");
    assert_eq!(email().await, ("lovelace@example.org".to_owned(), true));
    // Told where nobody who took the account over would read it.
    world.newest(&ada, "address_changed").await;
}

async fn who_has_an_address_verifies_it_before_the_first_session(world: &World) {
    let home = world.tenant("home").await;
    let registration = RegistrationSettings {
        email_verified: Some(true),
        ..Default::default()
    };
    let settings = TenantSettings {
        registration,
        ..Default::default()
    };
    world.put_settings(home, settings).await;
    let ada = world.person_with_password("home", "ada").await;
    let flow = world.sign_in(&ada, PASSWORD).await.expect(200).json();
    assert_eq!(flow["state"], "active", "{flow}");
    assert!(
        world.mails(&ada.mailbox()).await.is_empty(),
        "nothing is sent unasked"
    );
    let asks = flow["step"]["provider"].as_str().unwrap().to_owned();
    let stored = json!({"email": ada.mailbox()});
    let asked = world.fill(&flow, &asks, stored).await.expect(200).json();
    let mail = world.newest(&ada, "verify").await;
    let done = world.fill(&asked, MAILED, code_of(&mail)).await;
    let done = done.expect(200).json();
    assert_eq!(done["state"], "complete");
    world.pass(Duration::from_secs(60));
    let session = world.token(&ada, PASSWORD).await;
    assert!(world.accepts(&session).await, "once is enough");
}
