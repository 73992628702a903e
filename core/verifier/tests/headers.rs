//! S31: what a token says of itself decides nothing.

use gatelodge_verifier::{KeySet, Refusal};
use serde_json::{Value, json};

use crate::forge::{AUDIENCE, Forge, ISSUER, KID, NOW, encoded, header, payload};

fn with(field: &str, value: Value) -> String {
    let mut header = header();
    header[field] = value;
    header.to_string()
}

#[track_caller]
fn refused(forge: &Forge, token: &str) -> Refusal {
    match forge.check(token) {
        Ok(_) => panic!("`{token}` is let in"),
        Err(refusal) => refusal,
    }
}

#[test]
fn a_token_of_the_server_counts() {
    let forge = Forge::new();
    let token = forge.signed(&header().to_string(), &payload().to_string());
    let claims = forge.check(&token).unwrap();
    assert_eq!(claims.user, "0190a6c2-0000-7000-8000-000000000001");
    assert_eq!(claims.tenant, "0190a6c2-0000-7000-8000-000000000003");
    assert_eq!(claims.expires_at, NOW + 300);
    assert!(claims.has_role("tenant_administrator") && !claims.has_role("root"));
    assert!(claims.has_two_factors());
    let on_the_curve = json!({"alg": "ES256", "typ": "at+jwt", "kid": "of-the-curve"});
    let token = forge.signed_on_the_curve(&on_the_curve.to_string(), &payload().to_string());
    assert!(forge.check(&token).is_ok());
}

/// S31, v5.0.0-9.1.2.
#[test]
fn s31_no_signature_is_no_signature() {
    let forge = Forge::new();
    for alg in ["none", "None", "NONE", "nOnE", "", "null"] {
        let header = with("alg", json!(alg));
        let unsigned = format!("{}.{}.", encoded(&header), encoded(payload().to_string()));
        assert!(
            matches!(refused(&forge, &unsigned), Refusal::Algorithm),
            "{alg}"
        );
        let signed = forge.signed(&header, &payload().to_string());
        assert!(
            matches!(refused(&forge, &signed), Refusal::Algorithm),
            "{alg}"
        );
    }
    let token = forge.signed(&header().to_string(), &payload().to_string());
    let (message, signature) = token.rsplit_once('.').unwrap();
    for other in [
        "",
        "AA",
        &signature[..84],
        &encoded([0; 64]),
        &encoded([0; 63]),
    ] {
        let refusal = refused(&forge, &format!("{message}.{other}"));
        assert!(matches!(refusal, Refusal::Signature), "{other}: {refusal}");
    }
    refused(&forge, message);
}

/// S31: the public key is no secret that both sides share.
#[test]
fn s31_the_public_key_signs_nothing() {
    let forge = Forge::new();
    let public = forge.ed_public().to_vec();
    // RFC 8410: the key as a SubjectPublicKeyInfo.
    let mut der = vec![
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    der.extend_from_slice(&public);
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(&der)
    );
    let secrets = [
        public.clone(),
        der,
        pem.clone().into_bytes(),
        pem.trim_end().as_bytes().to_vec(),
        encoded(&public).into_bytes(),
        forge.ed_jwk(KID).to_string().into_bytes(),
        forge.published().into_bytes(),
        Vec::new(),
        vec![0],
    ];
    for secret in secrets {
        for alg in ["HS256", "EdDSA", "HS512"] {
            let header = with("alg", json!(alg));
            let token = Forge::signed_by_secret(&secret, &header, &payload().to_string());
            refused(&forge, &token);
        }
    }
}

/// S31: each key signs in its own way alone.
#[test]
fn s31_an_algorithm_is_the_keys_and_never_the_tokens() {
    let forge = Forge::new();
    for (alg, kid) in [
        ("ES256", KID),
        ("EdDSA", "of-the-curve"),
        ("RS256", KID),
        ("PS256", KID),
        ("Ed25519", KID),
        ("eddsa", KID),
        ("EdDSA ", KID),
    ] {
        let header = json!({"alg": alg, "typ": "at+jwt", "kid": kid}).to_string();
        for token in [
            forge.signed(&header, &payload().to_string()),
            forge.signed_on_the_curve(&header, &payload().to_string()),
        ] {
            let refusal = refused(&forge, &token);
            let expected = matches!(refusal, Refusal::Algorithm | Refusal::Signature);
            assert!(expected, "{alg} {kid}: {refusal}");
        }
    }
}

/// S31: a key that comes with the token, or that it points to, is never looked at.
/// v5.0.0-9.1.3.
#[test]
fn s31_keys_come_from_the_server_and_never_with_the_token() {
    let (forge, attacker) = (Forge::new(), Forge::of(66));
    for (field, value) in [
        ("jwk", attacker.ed_jwk("mine")),
        ("jku", json!("https://evil.example/jwks.json")),
        ("x5u", json!("https://evil.example/cert.pem")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("abc")),
        ("x5t#S256", json!("abc")),
    ] {
        for kid in [KID, "mine"] {
            let mut header = header();
            header["kid"] = json!(kid);
            header[field] = value.clone();
            for signer in [&attacker, &forge] {
                let token = signer.signed(&header.to_string(), &payload().to_string());
                assert!(
                    matches!(refused(&forge, &token), Refusal::Header),
                    "{field}"
                );
            }
        }
    }
    for kid in [
        "",
        "mine",
        "OF-THE-SERVER",
        " of-the-server",
        "of-the-server\u{0}",
        "../../dev/null",
        "/dev/null",
        "' OR '1'='1",
        "of-the-server' UNION SELECT 'x",
        "|cat /etc/passwd",
    ] {
        for signer in [&forge, &attacker] {
            let token = signer.signed(&with("kid", json!(kid)), &payload().to_string());
            assert!(
                matches!(refused(&forge, &token), Refusal::UnknownKey),
                "{kid:?}"
            );
        }
    }
    let token = attacker.signed(&header().to_string(), &payload().to_string());
    assert!(matches!(refused(&forge, &token), Refusal::Signature));
}

/// S31, RFC 8725 sections 3.10 and 3.11: nothing beside `alg`, `typ` and `kid`.
/// v5.0.0-9.2.2.
#[test]
fn s31_a_header_says_three_things_and_no_more() {
    let forge = Forge::new();
    for (field, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("crit", json!(null)),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
        ("cty", json!("JWT")),
        ("anything", json!(1)),
        ("", json!(1)),
    ] {
        let token = forge.signed(&with(field, value), &payload().to_string());
        assert!(
            matches!(refused(&forge, &token), Refusal::Header),
            "{field}"
        );
    }
    for typ in [
        "JWT",
        "jwt",
        "at+JWT",
        "AT+JWT",
        "application/at+jwt",
        "id+jwt",
        "device+jwt",
        "logout+jwt",
        "",
        " at+jwt",
    ] {
        let token = forge.signed(&with("typ", json!(typ)), &payload().to_string());
        assert!(matches!(refused(&forge, &token), Refusal::Kind), "{typ:?}");
    }
    for header in [
        "{}".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        "\"EdDSA\"".to_owned(),
        String::new(),
        r#"{"alg":"EdDSA","typ":"at+jwt"}"#.to_owned(),
        format!(r#"{{"alg":"EdDSA","kid":"{KID}"}}"#),
        format!(r#"{{"typ":"at+jwt","kid":"{KID}"}}"#),
        format!(r#"{{"alg":"EdDSA","alg":"EdDSA","typ":"at+jwt","kid":"{KID}"}}"#),
        format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"x","kid":"{KID}"}}"#),
        format!(r#"{{"alg":["EdDSA"],"typ":"at+jwt","kid":"{KID}"}}"#),
        format!(r#"{{"alg":"EdDSA","typ":null,"kid":"{KID}"}}"#),
        r#"{"alg":"EdDSA","typ":"at+jwt","kid":7}"#.to_owned(),
        format!(r#"["EdDSA","at+jwt","{KID}"]"#),
        format!("{}x", header()),
    ] {
        let token = forge.signed(&header, &payload().to_string());
        assert!(
            matches!(refused(&forge, &token), Refusal::Header),
            "{header}"
        );
    }
}

/// One token has one form: nothing that decodes to the same counts for it.
#[test]
fn s31_a_token_has_one_form() {
    let forge = Forge::new();
    let token = forge.signed(&header().to_string(), &payload().to_string());
    let parts: Vec<_> = token.split('.').collect();
    let (head, body, signature) = (parts[0], parts[1], parts[2]);
    for other in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "....".to_owned(),
        format!(" {token}"),
        format!("{token} "),
        format!("{token}\n"),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}="),
        format!("{token}=="),
        format!("{head}=.{body}.{signature}"),
        format!("{head}.{body}=.{signature}"),
        format!("{head}.{body}.{signature}.{signature}"),
        format!("{head}.{body}.{body}.{signature}.{signature}"),
        format!("{head}\n.{body}.{signature}"),
        format!("{body}.{head}.{signature}"),
        token.replace('.', "%2E"),
        format!("Bearer {token}"),
        json!({"protected": head, "payload": body, "signature": signature}).to_string(),
        "x".repeat(8 * 1024),
    ] {
        refused(&forge, &other);
    }
    let long = forge.signed(
        &header().to_string(),
        &json!({"iss": "x".repeat(8 * 1024)}).to_string(),
    );
    assert!(matches!(refused(&forge, &long), Refusal::TooLong));
}

#[test]
fn keys_for_something_else_are_passed_over() {
    let forge = Forge::new();
    let change = |field: &str, value: Value| {
        let mut key = forge.ed_jwk(KID);
        key[field] = value;
        key
    };
    let token = forge.signed(&header().to_string(), &payload().to_string());
    for key in [
        change("use", json!("enc")),
        change("alg", json!("HS256")),
        change("alg", json!("ES256")),
        change("kty", json!("oct")),
        change("crv", json!("Ed448")),
        change("crv", json!("X25519")),
        change("x", json!("AA")),
        change("x", json!(7)),
        change("y", json!("AA")),
        json!({"kty": "RSA", "kid": KID, "n": "AA", "e": "AQAB", "alg": "RS256", "use": "sig"}),
        json!({"kty": "oct", "kid": KID, "k": encoded(forge.ed_public()), "alg": "HS256", "use": "sig"}),
        json!({}),
        json!(7),
    ] {
        let text = json!({"keys": [key]}).to_string();
        let keys = KeySet::parse(text.as_bytes()).unwrap();
        let refusal = keys.verify(&token, ISSUER, AUDIENCE, NOW).unwrap_err();
        let expected = matches!(refusal, Refusal::UnknownKey | Refusal::Signature);
        assert!(expected, "{text}: {refusal}");
    }
    let twice = json!({"keys": [forge.ed_jwk(KID), Forge::of(9).ed_jwk(KID)]}).to_string();
    let many: Vec<_> = (0..65).map(|n| forge.ed_jwk(&n.to_string())).collect();
    for text in [
        twice,
        json!({ "keys": many }).to_string(),
        "{}".to_owned(),
        "[]".to_owned(),
        "<html>".to_owned(),
        String::new(),
        json!({"keys": {}}).to_string(),
        format!("{}{}", forge.published(), " ".repeat(64 * 1024)),
    ] {
        assert!(KeySet::parse(text.as_bytes()).is_err());
    }
}
