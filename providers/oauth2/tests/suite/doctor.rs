//! What is found to be wrong with a connection.

use gatelodge_core::{
    Error, ErrorKind,
    provider::{Finding, ThirdParty as _, Verdict},
};
use gatelodge_provider_oauth2::OAuth2Provider;
use serde_json::json;

use super::world::{SECRET, World, by_addresses, connections, json_answer, provider};

async fn findings(provider: &OAuth2Provider, world: &World) -> Vec<Finding> {
    let findings = provider.diagnose(&world.context()).await;
    let shown = format!("{findings:?}");
    assert!(!shown.contains(SECRET), "{shown}");
    for finding in &findings {
        assert!(finding.text.ends_with('.'), "{}", finding.text);
        assert_eq!(finding.remedy.is_some(), finding.verdict != Verdict::Good);
    }
    findings
}

/// Everybody answers, at this time.
fn reachable(date: &'static str) -> World {
    World::new(move |request| {
        assert_eq!(request.method, "GET");
        assert!(
            request.headers.is_empty() && request.body.0.is_empty(),
            "no credentials"
        );
        let mut answer = json_answer(404, &json!({}));
        answer.headers.insert("date".to_owned(), date.to_owned());
        Ok(answer)
    })
}

fn found<'a>(findings: &'a [Finding], check: &str) -> &'a Finding {
    let found = findings.iter().find(|finding| finding.check == check);
    found.unwrap_or_else(|| panic!("{check}: {findings:?}"))
}

#[tokio::test]
async fn with_a_sound_connection_everything_is_good() {
    for provider in connections() {
        let world = reachable("Fri, 27 Nov 2026 12:00:30 GMT");
        let findings = findings(&provider, &world).await;
        let is_good = |finding: &Finding| finding.verdict == Verdict::Good;
        assert!(findings.iter().all(is_good), "{findings:?}");
        let callback = &found(&findings, "callback").text;
        assert!(
            callback.contains("`https://id.example.org/callback/code`"),
            "{callback}"
        );
        let rehearsal = &found(&findings, "rehearsal").text;
        assert!(rehearsal.ends_with("and none was believed."), "{rehearsal}");
        found(&findings, "clock");
        found(&findings, "token_url");
    }
}

#[tokio::test]
async fn an_address_that_nobody_answers_at_is_told_with_the_reason() {
    let world = World::new(|request| match request.url.path() {
        "/token" => Err(Error::new(
            ErrorKind::Unavailable,
            "the certificate of `party.example` is not valid",
        )),
        _ => Ok(json_answer(200, &json!({}))),
    });
    let findings = findings(&by_addresses(json!({})), &world).await;
    let token = found(&findings, "token_url");
    assert_eq!(token.verdict, Verdict::Bad);
    assert_eq!(
        token.text,
        "Nobody answers at `token_url`: the certificate of `party.example` is not valid."
    );
    assert_eq!(found(&findings, "user_url").verdict, Verdict::Good);
}

#[tokio::test]
async fn an_address_that_redirects_is_doubtful() {
    let world = World::new(|_| Ok(json_answer(301, &json!({}))));
    let findings = findings(&by_addresses(json!({})), &world).await;
    assert_eq!(found(&findings, "authorization_url").verdict, Verdict::Good);
    for check in ["token_url", "user_url"] {
        assert_eq!(found(&findings, check).verdict, Verdict::Doubtful);
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_doubtful() {
    let world = reachable("Fri, 27 Nov 2026 12:05:00 GMT");
    let findings = findings(&by_addresses(json!({})), &world).await;
    let clock = found(&findings, "clock");
    assert_eq!(clock.verdict, Verdict::Doubtful);
    assert!(clock.text.contains("300 seconds"), "{}", clock.text);
}

#[tokio::test]
async fn a_configuration_that_lets_nobody_in_is_bad() {
    // The same field cannot be a number and a name.
    let provider = provider(json!({"preset": "github", "user_name_field": "id"}));
    let world = reachable("Fri, 27 Nov 2026 12:00:00 GMT");
    let findings = findings(&provider, &world).await;
    let rehearsal = found(&findings, "rehearsal");
    assert_eq!(rehearsal.verdict, Verdict::Bad, "{}", rehearsal.text);
}

#[tokio::test]
async fn without_a_callback_nobody_comes_back() {
    let mut world = reachable("Fri, 27 Nov 2026 12:00:00 GMT");
    world.facts.callback = None;
    let findings = findings(&by_addresses(json!({})), &world).await;
    assert_eq!(found(&findings, "callback").verdict, Verdict::Bad);
}
