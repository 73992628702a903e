//! S32: every claim is there, once, and what it has to be.

use gatelodge_verifier::Refusal;
use serde_json::{Value, json};

use crate::forge::{AUDIENCE, Forge, ISSUER, NOW, header, payload};

const TEXTS: [&str; 8] = [
    "iss",
    "aud",
    "sub",
    "client_id",
    "tenant",
    "sid",
    "jti",
    "acr",
];
const TIMES: [&str; 3] = ["iat", "exp", "auth_time"];
const LISTS: [&str; 2] = ["amr", "roles"];

/// The payload as text, with a claim written in this way.
fn with(claim: &str, written: &str) -> String {
    let mut claims = payload();
    claims[claim] = json!("@@");
    claims.to_string().replace("\"@@\"", written)
}

#[track_caller]
fn refused(payload: &str) -> Refusal {
    let forge = Forge::new();
    match forge.check(&forge.signed(&header().to_string(), payload)) {
        Ok(_) => panic!("`{payload}` is let in"),
        Err(refusal) => refusal,
    }
}

/// S32, v5.0.0-9.2.1.
#[test]
fn s32_a_claim_of_another_type_is_refused() {
    for claim in TEXTS {
        for written in ["7", "null", "true", "[]", "{}", "1e400", r#"["x"]"#, "\"\""] {
            refused(&with(claim, written));
        }
    }
    for claim in TIMES.into_iter().chain(["nbf"]) {
        for written in [
            "\"1790000000\"",
            "null",
            "true",
            "[]",
            "[1790000000]",
            "{}",
            "1790000000.5",
            "1790000000.0",
            "1.79e9",
            "1e400",
            "-1",
            "-1790000000",
            "18446744073709551616",
            "99999999999999999999999999",
            "\"\"",
            "0x6ab13280",
        ] {
            let refusal = refused(&with(claim, written));
            assert!(
                matches!(refusal, Refusal::Claims),
                "{claim} {written}: {refusal}"
            );
        }
    }
    for claim in LISTS {
        for written in ["\"pwd\"", "null", "7", "{}", "[7]", "[null]", "[[\"pwd\"]]"] {
            refused(&with(claim, written));
        }
    }
}

/// S32: `iss` and `aud` as lists that hold the right one are not the right one.
/// v5.0.0-9.2.3.
#[test]
fn s32_issuer_and_audience_are_one_text_each() {
    let list = |text: &str| json!([text, "https://evil.example"]).to_string();
    refused(&with("iss", &list(ISSUER)));
    refused(&with("aud", &list(AUDIENCE)));
    refused(&with("aud", &json!([AUDIENCE]).to_string()));
    for other in [
        "https://evil.example",
        "https://id.example.org/",
        "https://ID.example.org",
        "http://id.example.org",
        "https://id.example.org.evil.example",
        "id.example.org",
        " https://id.example.org",
    ] {
        let refusal = refused(&with("iss", &json!(other).to_string()));
        assert!(matches!(refusal, Refusal::Issuer), "{other}: {refusal}");
    }
    for other in [
        "https://other.example.org",
        "https://api.example.org/",
        "HTTPS://API.EXAMPLE.ORG",
        "*",
        ISSUER,
    ] {
        let refusal = refused(&with("aud", &json!(other).to_string()));
        assert!(matches!(refusal, Refusal::Audience), "{other}: {refusal}");
    }
}

#[test]
fn s32_a_claim_that_is_missing_or_comes_twice_is_refused() {
    for claim in TEXTS.into_iter().chain(TIMES).chain(LISTS) {
        let mut claims = payload();
        let value = claims.as_object_mut().unwrap().remove(claim).unwrap();
        assert!(
            matches!(refused(&claims.to_string()), Refusal::Claims),
            "{claim}"
        );
        let whole = payload().to_string();
        for twice in [
            format!("{{\"{claim}\":{value},{}", &whole[1..]),
            format!("{},\"{claim}\":{value}}}", &whole[..whole.len() - 1]),
        ] {
            assert!(matches!(refused(&twice), Refusal::Claims), "{claim}");
        }
    }
    for text in ["", "{}", "[]", "null", "7", "\"x\"", "{", "{} {}"] {
        refused(text);
    }
}

/// S06.
#[test]
fn s06_a_token_counts_until_its_last_second_and_not_after() {
    let forge = Forge::new();
    let token = forge.signed(&header().to_string(), &payload().to_string());
    let keys = forge.keys();
    let at = |now| keys.verify(&token, ISSUER, AUDIENCE, now);
    assert!(at(NOW).is_ok());
    assert!(at(NOW + 299).is_ok());
    for now in [NOW + 300, NOW + 301, NOW + 10_000_000, u64::MAX] {
        assert!(matches!(at(now), Err(Refusal::Expired)), "{now}");
    }
    // The server's clock may be ahead a little.
    assert!(at(NOW - 60).is_ok());
    for now in [NOW - 61, 1, 0] {
        assert!(matches!(at(now), Err(Refusal::TooEarly)), "{now}");
    }
    let not_before = |seconds: u64| with("nbf", &seconds.to_string());
    assert!(matches!(refused(&not_before(NOW + 61)), Refusal::TooEarly));
    let token = forge.signed(&header().to_string(), &not_before(NOW + 60));
    assert!(forge.check(&token).is_ok());
}

#[test]
fn s06_a_token_that_lives_for_longer_than_any_is_none() {
    for (iat, exp) in [
        (NOW, NOW + 3_601),
        (NOW, u64::MAX),
        (0, NOW + 1),
        (NOW, NOW),
        (NOW + 10, NOW + 5),
    ] {
        let mut claims = payload();
        claims["iat"] = json!(iat);
        claims["exp"] = json!(exp);
        let refusal = refused(&claims.to_string());
        assert!(matches!(refusal, Refusal::Claims), "{iat} {exp}: {refusal}");
    }
}

#[test]
fn a_token_that_is_limited_to_a_purpose_is_refused() {
    for scope in [json!("page:/report"), json!(""), json!(null), json!([])] {
        let refusal = refused(&with("scope", &scope.to_string()));
        assert!(matches!(refusal, Refusal::Scoped), "{scope}: {refusal}");
    }
}

#[test]
fn what_a_newer_server_adds_is_passed_over() {
    let forge = Forge::new();
    let mut claims = payload();
    claims["locale"] = json!("de");
    claims["act"] = json!({"sub": Value::Null});
    let token = forge.signed(&header().to_string(), &claims.to_string());
    assert!(forge.check(&token).is_ok());
}

/// A page of a log shows no more than ids.
#[test]
fn claims_show_little_of_themselves() {
    let forge = Forge::new();
    let token = forge.signed(&header().to_string(), &payload().to_string());
    let shown = format!("{:?}", forge.check(&token).unwrap());
    assert!(!shown.contains("administrator"), "{shown}");
}
