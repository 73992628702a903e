//! Tokens that somebody else made: with another header, another key, other claims.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatelodge_core::secret::Secret;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::world::{DAY, ORIGIN, World};

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// What a token says.
pub(crate) fn claims(token: &Secret) -> Value {
    decoded(token.expose().split('.').nth(1).unwrap())
}

fn header(token: &Secret) -> Value {
    decoded(token.expose().split('.').next().unwrap())
}

fn encoded(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn secret(world: &World) -> Vec<u8> {
    let records = world.records.lock().unwrap();
    let found = records
        .iter()
        .find(|stored| stored.key.as_deref() == Some("signing-key"));
    let keys: Value = serde_json::from_slice(&found.unwrap().record.data.0).unwrap();
    let text = keys["current"]["secret"].as_str().unwrap();
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// A token of these texts, signed with a key.
fn signed(header: &str, claims: &str, key: &[u8], algorithm: Algorithm) -> Secret {
    let message = format!("{}.{}", encoded(header), encoded(claims));
    let key = EncodingKey::from_secret(key);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
    Secret::new(format!("{message}.{signature}"))
}

async fn world() -> (World, Secret, Value, Value, Vec<u8>) {
    let world = World::new();
    let token = world.issue().await.token;
    let (header, claims, key) = (header(&token), claims(&token), secret(&world));
    (world, token, header, claims, key)
}

#[tokio::test]
async fn what_is_signed_by_hand_counts_if_nothing_is_changed() {
    let (world, _, header, claims, key) = world().await;
    assert_eq!(
        header,
        json!({"typ": "device+jwt", "alg": "HS256", "kid": header["kid"]})
    );
    assert_eq!(claims["iss"], ORIGIN);
    let own = signed(
        &header.to_string(),
        &claims.to_string(),
        &key,
        Algorithm::HS256,
    );
    assert!(world.redeem(&own).await.is_some());
}

/// S31: no other algorithm, no other key, no header but ours.
#[tokio::test]
async fn s31_another_algorithm_key_or_header_is_refused() {
    let (world, token, own, claims, key) = world().await;
    let claims = claims.to_string();
    let kid = own["kid"].as_str().unwrap();
    let with = |name: &str, value: Value| {
        let mut header = own.clone();
        header[name] = value;
        header.to_string()
    };
    let without = |name: &str| {
        let mut header = own.clone();
        header.as_object_mut().unwrap().remove(name);
        header.to_string()
    };
    let headers = [
        with("alg", json!("none")),
        with("alg", json!("None")),
        with("alg", json!("hs256")),
        with("alg", json!("HS512")),
        with("alg", json!("RS256")),
        with("alg", json!("")),
        with("alg", json!(["HS256"])),
        with("alg", Value::Null),
        with("typ", json!("JWT")),
        with("typ", json!("at+jwt")),
        with("typ", json!("DEVICE+JWT")),
        with("typ", json!("application/device+jwt")),
        with("typ", Value::Null),
        with("kid", json!("other")),
        with("kid", json!("../../signing-key")),
        with("kid", json!("' OR 1=1 --")),
        with("kid", json!("")),
        with("kid", Value::Null),
        with("kid", json!(7)),
        with("crit", json!(["exp"])),
        with("crit", json!([])),
        with("b64", json!(false)),
        with("zip", json!("DEF")),
        with("jwk", json!({"kty": "oct", "k": encoded("key")})),
        with("jku", json!("https://evil.example/keys")),
        with("x5u", json!("https://evil.example/cert")),
        with("cty", json!("JWT")),
        without("alg"),
        without("typ"),
        without("kid"),
        format!(r#"{{"typ":"device+jwt","alg":"none","alg":"HS256","kid":"{kid}"}}"#),
        format!(r#"{{"typ":"device+jwt","alg":"HS256","kid":"x","kid":"{kid}"}}"#),
        "{}".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        String::new(),
    ];
    for header in headers {
        let forged = signed(&header, &claims, &key, Algorithm::HS256);
        assert!(world.redeem(&forged).await.is_none(), "{header}");
    }
    let header = own.to_string();
    for (key, algorithm) in [
        (b"".to_vec(), Algorithm::HS256),
        (vec![0; 32], Algorithm::HS256),
        (kid.as_bytes().to_vec(), Algorithm::HS256),
        (URL_SAFE_NO_PAD.encode(&key).into_bytes(), Algorithm::HS256),
        (key.clone(), Algorithm::HS384),
        (key.clone(), Algorithm::HS512),
    ] {
        let forged = signed(&header, &claims, &key, algorithm);
        assert!(world.redeem(&forged).await.is_none(), "{algorithm:?}");
    }
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let header = with("alg", json!(format!("{algorithm:?}")));
        let forged = signed(&header, &claims, &key, algorithm);
        assert!(world.redeem(&forged).await.is_none(), "{algorithm:?}");
    }
    assert_eq!(world.devices(), 1, "none of this is a theft");
    assert!(world.redeem(&token).await.is_some());
}

/// S32: every claim is there, of its type, once.
#[tokio::test]
async fn s32_a_claim_that_is_missing_or_of_another_type_is_refused() {
    let (mut world, token, header, own, key) = world().await;
    let header = header.to_string();
    let exp = own["exp"].as_i64().unwrap();
    let mut texts = Vec::new();
    for name in ["iss", "aud", "sub", "jti", "iat", "exp"] {
        let mut claims = own.clone();
        claims.as_object_mut().unwrap().remove(name);
        texts.push(claims.to_string());
        let wrong = [
            Value::Null,
            json!(true),
            json!({}),
            json!([]),
            json!([own[name]]),
            json!(""),
            json!(-1),
            json!(1.5),
            json!(exp.to_string()),
            json!(u64::MAX),
            json!(1e300),
            json!("\u{0}"),
        ];
        for value in wrong {
            let mut claims = own.clone();
            claims[name] = value;
            texts.push(claims.to_string());
        }
    }
    let mut claims = own.clone();
    claims["aud"] = json!([own["aud"], "other"]);
    texts.push(claims.to_string());
    for (name, value) in [
        ("nbf", json!(0)),
        ("email", json!("x")),
        ("admin", json!(true)),
    ] {
        let mut claims = own.clone();
        claims[name] = value;
        texts.push(claims.to_string());
    }
    let plain = own.to_string();
    texts.push(format!(
        "{},\"exp\":{}}}",
        &plain[..plain.len() - 1],
        exp + 9
    ));
    texts.push(format!("{{\"sub\":\"x\",{}", &plain[1..]));
    // A later end than the row says.
    let mut claims = own.clone();
    claims["exp"] = json!(exp + 86_400);
    texts.push(claims.to_string());
    texts.extend([
        "".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
    ]);
    for text in texts {
        let forged = signed(&header, &text, &key, Algorithm::HS256);
        assert!(world.redeem(&forged).await.is_none(), "{text}");
    }
    // A token that says nothing true but is signed is a copy that somebody kept.
    assert!(world.devices() <= 1);
    world.pass(DAY);
    let _ = world.redeem(&token).await;
}

#[tokio::test]
async fn s14_a_token_changed_in_any_place_is_refused() {
    let (world, token, ..) = world().await;
    let text = token.expose();
    for at in 0..text.len() {
        for with in ["A", "b", ".", "=", "+", " ", "%"] {
            if &text[at..=at] == with {
                continue;
            }
            let changed = format!("{}{with}{}", &text[..at], &text[at + 1..]);
            let forged = Secret::new(changed.as_str());
            assert!(world.redeem(&forged).await.is_none(), "{at} {with}");
        }
        let cut = Secret::new(&text[..at]);
        assert!(world.redeem(&cut).await.is_none(), "{at}");
    }
    let parts: Vec<_> = text.split('.').collect();
    for changed in [
        format!("{text}."),
        format!(".{text}"),
        format!("{text}=="),
        format!("{}..{}", parts[0], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.{}.{}", parts[0], parts[1], parts[2], parts[2]),
        format!("{text}{}", "A".repeat(3_000)),
        "A".repeat(100_000),
        ".".repeat(100),
        "..".to_owned(),
        String::new(),
    ] {
        assert!(world.redeem(&Secret::new(changed.as_str())).await.is_none());
    }
    assert_eq!(world.devices(), 1);
    assert!(world.redeem(&token).await.is_some());
}

/// S14: a token of somebody else's device is somebody else's.
#[tokio::test]
async fn s14_no_claim_makes_it_another_users() {
    let (mut world, _, header, own, key) = world().await;
    let alice = world.alice().id;
    world.become_somebody_else();
    let hatter = world.issue().await.token;
    let mut claims = own;
    claims["sub"] = self::claims(&hatter)["sub"].clone();
    let forged = signed(
        &header.to_string(),
        &claims.to_string(),
        &key,
        Algorithm::HS256,
    );
    // Even who has the key needs the token that the device holds.
    assert!(world.redeem(&forged).await.is_none());
    let next = world.issue().await.token;
    assert_ne!(world.redeem(&next).await.unwrap().user, alice);
}
