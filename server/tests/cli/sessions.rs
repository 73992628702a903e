//! What a command does to people who are signed in at a running server.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::installation::{Installation, Server};

const PASSWORD: &str = "correct horse battery staple";

/// A server with the tenant `acme` in which `ada` is signed in, and her session's token.
fn signed_in() -> (Installation, Server, String) {
    let installation = Installation::with_tenants(&["acme"]);
    let create = "user create -t acme --user-name ada --password-stdin --permanent";
    installation.with_input(create, PASSWORD).done();
    let server = installation.server();
    let token = server.sign_in("acme", "ada", PASSWORD);
    assert!(server.accepts(&token));
    (installation, server, token)
}

/// Asks until the server has heard of it; what is asked a second later must be refused.
fn assert_refused_soon(server: &Server, token: &str) {
    let start = Instant::now();
    loop {
        let asked_after = start.elapsed();
        if !server.accepts(token) {
            return;
        }
        let is_early = asked_after < Duration::from_secs(1);
        assert!(is_early, "the server did not hear of it within a second");
    }
}

#[test]
fn sessions_are_listed_and_ended() {
    let (installation, server, token) = signed_in();
    let listed = installation.json("user sessions -t acme ada");
    let session = &listed["items"][0];
    assert_eq!(session["ended_at"], json!(null));
    assert_eq!(session["amr"], json!(["pwd"]));
    assert!(!listed.to_string().contains(&token));
    let table = installation.line("user sessions -t acme ada").done();
    assert!(table.contains("  open until "), "{table}");

    let text = installation.line("user end-sessions -t acme ada").done();
    assert_eq!(text, "Ended 1 session of user `ada` of tenant `acme`.\n");
    assert_refused_soon(&server, &token);
    let text = installation.line("user sessions -t acme ada").done();
    assert_eq!(
        text,
        "The user `ada` of tenant `acme` has no open sessions.\n"
    );
    let all = installation.json("user sessions -t acme ada --all");
    assert_eq!(all["items"][0]["end_reason"], "revoked");
    let ended = installation.json("user end-sessions -t acme ada");
    assert_eq!(ended["ended"], 0);
    server.sign_in("acme", "ada", PASSWORD);
}

#[test]
fn a_user_locked_from_the_command_line_is_refused_within_a_second() {
    let (installation, server, token) = signed_in();
    installation.line("user lock -t acme ada").done();
    assert_refused_soon(&server, &token);
}

#[test]
fn a_user_deactivated_from_the_command_line_is_refused_within_a_second() {
    let (installation, server, token) = signed_in();
    installation.line("user deactivate -t acme ada").done();
    assert_refused_soon(&server, &token);
}

#[test]
fn a_tenant_with_open_sessions_is_deleted_by_force_only() {
    let (installation, server, token) = signed_in();
    let message = installation.line("tenant delete acme --yes").refused(1);
    assert_eq!(
        message,
        "tenant `acme` has 1 open session; end them first, or add `--force` to end them now"
    );
    assert!(server.accepts(&token));
    let deleted = installation.json("tenant delete acme --yes --force");
    assert_eq!(deleted["ended"], 1);
    assert_refused_soon(&server, &token);
}

#[test]
fn devices_are_listed_and_forgotten() {
    let (installation, server, _) = signed_in();
    let none = installation.line("user devices -t acme ada").done();
    let words = "The user `ada` of tenant `acme` stays signed in on no device.\n";
    assert_eq!(none, words);

    let [session, device] = server.stay("acme", "ada", PASSWORD);
    let listed = installation.json("user devices -t acme ada");
    assert_eq!(listed["devices"].as_array().unwrap().len(), 1);
    let shown = listed.to_string();
    assert!(!shown.contains(&session) && !shown.contains(&device));
    let id = listed["devices"][0]["id"].as_str().unwrap();
    let text = installation.line("user devices -t acme ada").done();
    assert!(text.starts_with(id) && text.contains("  until "), "{text}");

    let nobodys = "01890000-0000-7000-8000-000000000000";
    let forget = |id: &str| format!("user forget-device -t acme ada {id}");
    let message = installation.line(&forget(nobodys)).refused(1);
    assert!(message.contains("device"), "{message}");
    let text = installation.line(&forget(id)).done();
    let said = format!(
        "Forgot the device {id} of user `ada` of tenant `acme`. Its sessions have ended.\n"
    );
    assert_eq!(text, said);
    assert_refused_soon(&server, &session);
    assert!(!server.knows(&device), "the device goes on");
    installation.line(&forget(id)).refused(1);
    assert_eq!(installation.line("user devices -t acme ada").done(), none);
    let listed = installation.json("user devices -t acme ada");
    assert_eq!(listed["devices"], json!([]));
}
