//! What the doctor finds: each thing that can be wrong is planted, and seen.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatelodge_core::provider::{Finding, ThirdParty, Verdict};
use gatelodge_provider_oidc::Lie;
use serde_json::json;

use super::world::{World, generic, preset, with};

async fn findings(world: &World) -> Vec<Finding> {
    let findings = world.provider.diagnose(&world.context()).await;
    for finding in &findings {
        assert!(finding.text.ends_with('.'), "{finding:?}");
        assert_eq!(
            finding.remedy.is_none(),
            finding.verdict == Verdict::Good,
            "{finding:?}"
        );
        let shown = format!("{finding:?}");
        assert!(!shown.contains("secret 4711"), "{shown}");
    }
    findings
}

/// Checks that a finding is there, and that nothing else is as bad.
async fn assert_finds(world: &World, verdict: Verdict, check: &str, words: &str) {
    let findings = findings(world).await;
    let found = findings
        .iter()
        .find(|one| one.check == check && one.verdict == verdict);
    let found = found.unwrap_or_else(|| panic!("no finding `{check}` in {findings:#?}"));
    assert!(found.text.contains(words), "{found:?}");
    let others: Vec<_> = findings
        .iter()
        .filter(|one| one.verdict >= verdict && one.check != check)
        .collect();
    assert!(others.is_empty(), "{others:#?}");
}

#[tokio::test]
async fn a_good_connection_has_good_findings_only() {
    let mut world = World::new(generic());
    let date = jiff::fmt::rfc2822::to_string(&world.facts.now.to_zoned(jiff::tz::TimeZone::UTC));
    world.liar = world.liar.clone().with_header("date", &date.unwrap());
    let findings = findings(&world).await;
    assert!(
        findings.iter().all(|one| one.verdict == Verdict::Good),
        "{findings:#?}"
    );
    let of = |check: &str| findings.iter().find(|one| one.check == check).unwrap();
    assert!(
        of("callback")
            .text
            .contains("`https://gatelodge.example/callback/party-1`")
    );
    assert!(of("rehearsal").text.contains("lies"));
    for check in ["discovery", "keys", "pkce", "clock", "client"] {
        of(check);
    }
}

#[tokio::test]
async fn a_third_party_that_is_not_there_is_found() {
    let mut world = World::new(generic());
    world.is_down = true;
    assert_finds(&world, Verdict::Bad, "discovery", "there is no answer").await;
}

#[tokio::test]
async fn metadata_that_are_wrong_are_found() {
    for (lie, words) in [
        (Lie::OtherMetadataIssuer, "byte for byte"),
        (Lie::MetadataIssuerWithSlash, "byte for byte"),
        (Lie::TokenEndpointInClear, "`token_endpoint`"),
        (Lie::RedirectingMetadata, "status 302"),
        (Lie::HugeMetadata, "256 KiB"),
    ] {
        let mut world = World::new(generic());
        world.liar = world.liar.clone().telling(lie);
        assert_finds(&world, Verdict::Bad, "discovery", words).await;
    }
}

#[tokio::test]
async fn keys_that_are_of_no_use_are_found() {
    for (lie, words) in [
        (Lie::NoKeys, "No published key is for ES256."),
        (Lie::KeyForEncryption, "No published key"),
        (Lie::RedirectingKeys, "status 302"),
    ] {
        let mut world = World::new(generic());
        world.liar = world.liar.clone().telling(lie);
        assert_finds(&world, Verdict::Bad, "keys", words).await;
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_found() {
    for (seconds, verdict) in [
        (-30, Verdict::Doubtful),
        (45, Verdict::Doubtful),
        (3_600, Verdict::Bad),
    ] {
        let mut world = World::new(generic());
        let there = world.facts.now + jiff::SignedDuration::from_secs(seconds);
        let date = jiff::fmt::rfc2822::to_string(&there.to_zoned(jiff::tz::TimeZone::UTC));
        world.liar = world.liar.clone().with_header("date", &date.unwrap());
        assert_finds(&world, verdict, "clock", "differ by").await;
    }
}

#[tokio::test]
async fn what_the_metadata_do_not_offer_is_found() {
    for (member, value, more, verdict, check) in [
        (
            "code_challenge_methods_supported",
            json!(["plain"]),
            json!({}),
            Verdict::Doubtful,
            "pkce",
        ),
        (
            "response_modes_supported",
            json!(["query"]),
            json!({"response_mode": "form_post"}),
            Verdict::Bad,
            "response_mode",
        ),
        (
            "token_endpoint_auth_methods_supported",
            json!(["client_secret_post"]),
            json!({}),
            Verdict::Bad,
            "client_auth",
        ),
        (
            "end_session_endpoint",
            json!(null),
            json!({"sign_out": true}),
            Verdict::Bad,
            "sign_out",
        ),
        (
            "userinfo_endpoint",
            json!(null),
            json!({}),
            Verdict::Doubtful,
            "userinfo",
        ),
    ] {
        let mut world = World::new(with(generic(), more));
        world.liar = world.liar.clone().with_metadata(member, value);
        assert_finds(&world, verdict, check, "").await;
    }
}

#[tokio::test]
async fn a_client_that_cannot_be_right_is_found() {
    let example = with(generic(), json!({"client_secret": "secret"}));
    assert_finds(
        &World::new(example),
        Verdict::Doubtful,
        "client_secret",
        "example",
    )
    .await;
    let blank = with(
        generic(),
        json!({"client_secret": "the client's secret 4711\n"}),
    );
    assert_finds(&World::new(blank), Verdict::Bad, "client_secret", "blank").await;
    let id = json!({
        "client_secret": "a1b2c3d4-0000-4000-8000-0000000000aa",
        "client_id": "a1b2c3d4-0000-4000-8000-0000000000ab",
    });
    let world = World::new(with(preset("microsoft"), id));
    assert_finds(&world, Verdict::Bad, "client_secret", "id").await;
    assert_finds(
        &World::new(preset("google")),
        Verdict::Doubtful,
        "client_id",
        "Google",
    )
    .await;
    let mut world = World::new(generic());
    let other = World::new(with(
        generic(),
        json!({"client_secret": "another secret 0815"}),
    ));
    world.liar = other.liar.clone();
    assert_finds(&world, Verdict::Bad, "client", "`invalid_client`").await;
}

#[tokio::test]
async fn a_secret_that_ends_is_found() {
    let now = 1_790_000_000;
    for (end, verdict) in [(now - 1, Verdict::Bad), (now + 86_400, Verdict::Doubtful)] {
        let claims = URL_SAFE_NO_PAD.encode(json!({"exp": end}).to_string());
        let keys = json!({"client_secret": format!("e30.{claims}.c2ln")});
        let world = World::new(with(generic(), keys));
        assert_finds(&world, verdict, "client_secret", "expire").await;
    }
}

#[tokio::test]
async fn choices_that_could_be_better_are_found() {
    let id = json!({"client_id": "a1b2c3d4-0000-4000-8000-0000000000ab"});
    let world = World::new(with(preset("microsoft"), id));
    assert_finds(&world, Verdict::Doubtful, "organisations", "every tenant").await;
    let keys = json!({"issuer": "http://127.0.0.1:9000", "loopback": true});
    let world = World::new(with(generic(), keys));
    assert_finds(&world, Verdict::Doubtful, "loopback", "tries only").await;
    let findings = findings(&World::new(preset("linkedin"))).await;
    for check in ["nonce", "pkce"] {
        let is_there = |one: &Finding| one.check == check && one.verdict == Verdict::Doubtful;
        assert!(findings.iter().any(is_there), "{check}");
    }
}

#[tokio::test]
async fn a_callback_that_is_not_there_or_not_safe_is_found() {
    let mut world = World::new(generic());
    world.facts.callback = None;
    assert_finds(&world, Verdict::Bad, "callback", "no address").await;
    world.facts.callback = "http://localhost:8080/callback/party-1".parse().ok();
    assert_finds(&world, Verdict::Doubtful, "callback", "not `https`").await;
}
