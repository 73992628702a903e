//! Signed tokens: who gets one, which count, and how keys take turns.

use std::{collections::BTreeSet, time::Duration};

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use gatelodge_core::{
    ErrorKind, Platform, Result,
    access::Caller,
    model::{ApplicationName, Audience, ClientFacts, Grant, Tenant},
    seal::SealContext,
    secret::{Secret, Token},
    service::{ApplicationRef, NewApplication},
    storage::{Mode, Scope},
    tokens::{
        AccessRequest, ClaimShape, Claims, KeyInfo, KeyState, OVERLAP, Rotation, TokenFault,
        TokenKind,
    },
};
use gatelodge_storage_suite::memory::MemoryStorage;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{World, kind};

const ACCESS: TokenKind = TokenKind::Access;
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const VALUE: &str = "signing_keys/access";

/// A tenant with the application `shop`, and somebody signed in there.
async fn shop(w: &World) -> (Tenant, Token) {
    let acme = w.tenant("acme").await;
    let new = NewApplication {
        name: ApplicationName::new("shop").unwrap(),
        audience: Audience::new("shop").unwrap(),
        origins: Vec::new(),
        return_to: Vec::new(),
    };
    let applications = w.platform.applications();
    let operator = Caller::operator();
    applications.create(&operator, acme.id, new).await.unwrap();
    w.user(&acme, "ada", "word").await;
    let session = sign_in(w, &acme).await;
    (acme, session)
}

async fn sign_in(w: &World, tenant: &Tenant) -> Token {
    let browser = w.signed_in(tenant, "ada", "word").await;
    browser.token().unwrap().clone()
}

/// An access token for `shop`, from one of the servers.
async fn issue(platform: &Platform, session: &Token) -> Result<Secret> {
    let checked = platform.sessions().check(session).await?;
    let checked = checked.expect("the session is valid");
    let caller = Caller {
        principal: checked.principal(),
        client: ClientFacts::default(),
    };
    let request = AccessRequest {
        session: &checked,
        application: &ApplicationRef::parse("shop").unwrap(),
        origin: None,
    };
    let issued = platform.tokens().issue_access(&caller, request).await?;
    Ok(issued.token)
}

async fn verify(platform: &Platform, token: &Secret) -> Result<Claims> {
    let tokens = platform.tokens();
    tokens.verify(ACCESS, token, Some("shop")).await
}

/// Why a token is refused.
#[track_caller]
fn fault(verified: Result<Claims>) -> TokenFault {
    let error = verified.expect_err("the token is refused");
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    let source = std::error::Error::source(&error).expect("it says why");
    *source.downcast_ref().expect("in one of its own words")
}

async fn keys(platform: &Platform) -> Vec<KeyInfo> {
    let tokens = platform.tokens();
    tokens.keys(&Caller::operator()).await.unwrap()
}

async fn states(platform: &Platform) -> Vec<KeyState> {
    keys(platform).await.iter().map(|key| key.state).collect()
}

async fn rotate(platform: &Platform, how: Rotation) -> (KeyInfo, bool) {
    let tokens = platform.tokens();
    let operator = Caller::operator();
    tokens.rotate(&operator, ACCESS, how).await.unwrap()
}

fn part(token: &Secret, number: usize) -> Value {
    let part = token.expose().split('.').nth(number).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// The server's own key, for tokens that it would never make.
struct Forge(Ed25519KeyPair);

impl Forge {
    async fn of(platform: &Platform) -> Self {
        let storage = platform.storage();
        let mut unit = storage.begin(Scope::Platform, Mode::Read).await.unwrap();
        let stored = unit.installation().value(VALUE).await.unwrap().unwrap();
        unit.rollback().await.unwrap();
        let stored: Value = serde_json::from_slice(&stored.value).unwrap();
        let sealed = STANDARD.decode(stored[0]["sealed"].as_str().unwrap());
        let place: &[&[u8]] = &[b"access", stored[0]["kid"].as_str().unwrap().as_bytes()];
        let context = SealContext {
            purpose: "signing key",
            place,
        };
        let private = platform.keys().open_sealed(&context, &sealed.unwrap());
        Self(Ed25519KeyPair::from_pkcs8(&private.unwrap()).unwrap())
    }

    fn sign(&self, header: &str, payload: &str) -> Secret {
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(payload)
        );
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(message.as_bytes()));
        Secret::new(format!("{message}.{signature}"))
    }
}

#[tokio::test]
async fn a_token_that_was_made_counts_for_its_audience_and_says_who() {
    let w = World::new().await;
    let (acme, session) = shop(&w).await;
    let token = issue(&w.platform, &session).await.unwrap();
    let claims = verify(&w.platform, &token).await.unwrap();
    assert_eq!(claims.text("tenant"), Some(acme.id.to_string().as_str()));
    assert_eq!(claims.text("iss"), Some(w.platform.issuer()));
    let amr: Vec<_> = claims.texts("amr").collect();
    assert_eq!((claims.text("acr"), amr), (Some("aal1"), vec!["pwd"]));
    let tokens = w.platform.tokens();
    for other in [Some("other"), Some(""), None] {
        let verified = tokens.verify(ACCESS, &token, other).await;
        assert_eq!(fault(verified), TokenFault::Audience);
    }
    assert_eq!(format!("{claims:?}").matches("pwd").count(), 0);
    // Whoever is granted everything there is still gets one of less than 4 KiB.
    let users = w.platform.users();
    let ada = users.by_login(&Caller::operator(), acme.id, "ada").await;
    let ada = ada.unwrap().user;
    for grant in Grant::ALL {
        w.grant((acme.id, ada.id), grant).await;
    }
    let token = issue(&w.platform, &session).await.unwrap();
    assert!(token.len() < 4_096 - 200, "{}", token.len());
    assert_eq!(part(&token, 1)["roles"].as_array().unwrap().len(), 2);
}

/// S31, with the server's own key. v5.0.0-9.1.1, v5.0.0-9.1.2, v5.0.0-9.1.3.
#[tokio::test]
async fn s31_only_a_header_of_ours_is_believed() {
    let w = World::new().await;
    let (_, session) = shop(&w).await;
    let token = issue(&w.platform, &session).await.unwrap();
    let forge = Forge::of(&w.platform).await;
    let (header, payload) = (part(&token, 0), part(&token, 1).to_string());
    let again = forge.sign(&header.to_string(), &payload);
    verify(&w.platform, &again).await.unwrap();
    for (field, value, expected) in [
        ("alg", json!("none"), TokenFault::Algorithm),
        ("alg", json!("HS256"), TokenFault::Algorithm),
        ("alg", json!("ES256"), TokenFault::Algorithm),
        ("alg", json!("eddsa"), TokenFault::Algorithm),
        ("typ", json!("JWT"), TokenFault::Kind),
        ("typ", json!("at+JWT"), TokenFault::Kind),
        ("typ", json!("application/at+jwt"), TokenFault::Kind),
        ("typ", json!("device+jwt"), TokenFault::Kind),
        ("kid", json!(""), TokenFault::Key),
        ("kid", json!("../../etc/passwd"), TokenFault::Key),
        ("kid", json!("' OR 1=1 --"), TokenFault::Key),
        ("kid", json!(7), TokenFault::Header),
        ("crit", json!(["exp"]), TokenFault::Header),
        ("jwk", json!({"kty": "OKP"}), TokenFault::Header),
        ("jku", json!("https://evil.example"), TokenFault::Header),
        ("x5u", json!("https://evil.example"), TokenFault::Header),
        ("x5c", json!([]), TokenFault::Header),
        ("zip", json!("DEF"), TokenFault::Header),
        ("b64", json!(false), TokenFault::Header),
        ("cty", json!("JWT"), TokenFault::Header),
    ] {
        let mut header = header.clone();
        header[field] = value.clone();
        let token = forge.sign(&header.to_string(), &payload);
        let found = fault(verify(&w.platform, &token).await);
        assert_eq!(found, expected, "{field} {value}");
    }
    let text = header.to_string();
    let list = json!([header["alg"], header["kid"], header["typ"]]);
    for header in [
        String::new(),
        "{}".to_owned(),
        list.to_string(),
        format!("{{\"alg\":\"none\",{}", text.split_at(1).1),
    ] {
        let token = forge.sign(&header, &payload);
        let found = fault(verify(&w.platform, &token).await);
        assert_eq!(found, TokenFault::Header, "{header}");
    }
    let other = Ed25519KeyPair::from_seed_unchecked(&[66; 32]).unwrap();
    let forged = Forge(other).sign(&text, &payload);
    let found = fault(verify(&w.platform, &forged).await);
    assert_eq!(found, TokenFault::Signature);
}

#[tokio::test]
async fn s31_a_token_is_whole_and_of_one_form() {
    let w = World::new().await;
    let (_, session) = shop(&w).await;
    let token = issue(&w.platform, &session).await.unwrap();
    let text = token.expose();
    let (message, signature) = text.rsplit_once('.').unwrap();
    for other in [
        String::new(),
        "..".to_owned(),
        message.to_owned(),
        format!("{message}."),
        format!("{text}="),
        format!(" {text}"),
        format!("{text}\n"),
        format!("{text}.{signature}"),
        format!("{message}.{}", signature.split_at(1).1),
        format!("{message}.{signature}A"),
        text.replace('.', ".."),
        "x".repeat(100_000),
    ] {
        fault(verify(&w.platform, &Secret::new(other)).await);
    }
    let long = Secret::new(format!("{text}.{}", "x".repeat(8 * 1024)));
    assert_eq!(fault(verify(&w.platform, &long).await), TokenFault::TooLong);
    for position in (0..message.len()).step_by(7) {
        let mut changed = text.as_bytes().to_vec();
        changed[position] ^= 1;
        let changed = Secret::new(String::from_utf8(changed).unwrap());
        fault(verify(&w.platform, &changed).await);
    }
}

/// S32, with the server's own key. v5.0.0-9.2.1.
#[tokio::test]
async fn s32_a_claim_is_there_once_and_of_its_type() {
    let w = World::new().await;
    let (_, session) = shop(&w).await;
    let token = issue(&w.platform, &session).await.unwrap();
    let forge = Forge::of(&w.platform).await;
    let (header, payload) = (part(&token, 0).to_string(), part(&token, 1));
    let refused = async |payload: String| {
        let token = forge.sign(&header, &payload);
        fault(verify(&w.platform, &token).await)
    };
    for rule in ACCESS.profile().claims {
        let name = rule.name;
        let value = payload[name].to_string();
        let mut without = payload.clone();
        without.as_object_mut().unwrap().remove(name);
        assert_eq!(refused(without.to_string()).await, TokenFault::Claims);
        let whole = payload.to_string();
        let twice = format!("{{\"{name}\":{value},{}", whole.split_at(1).1);
        assert_eq!(refused(twice).await, TokenFault::Claims, "{name} twice");
        for written in [
            "null",
            "true",
            "{}",
            "[[]]",
            "[7]",
            "7.5",
            "1e400",
            "-1",
            "\"\"",
            "1e3",
            "99999999999999999999",
            "\"1790000000\"",
        ] {
            if rule.shape == ClaimShape::Text && written == "\"1790000000\"" {
                continue;
            }
            let mut other = payload.clone();
            other[name] = json!("@@");
            let other = other.to_string().replace("\"@@\"", written);
            let found = refused(other).await;
            assert_eq!(found, TokenFault::Claims, "{name} {written}");
        }
    }
    for claim in ["scope", "admin", "nbf", ""] {
        let mut more = payload.clone();
        more[claim] = json!("x");
        assert_eq!(
            refused(more.to_string()).await,
            TokenFault::Claims,
            "{claim}"
        );
    }
    for text in ["", "{", "[]", "null", "{} {}"] {
        assert_eq!(refused(text.to_owned()).await, TokenFault::Claims, "{text}");
    }
    let mut other = payload.clone();
    other["iss"] = json!(format!("{}/", w.platform.issuer()));
    assert_eq!(refused(other.to_string()).await, TokenFault::Issuer);
}

/// S06.
#[tokio::test]
async fn s06_a_token_counts_by_the_servers_clock() {
    let w = World::new().await;
    let (_, session) = shop(&w).await;
    let token = issue(&w.platform, &session).await.unwrap();
    let forge = Forge::of(&w.platform).await;
    w.pass(Duration::from_secs(299));
    verify(&w.platform, &token).await.unwrap();
    w.pass(Duration::from_secs(1));
    let found = fault(verify(&w.platform, &token).await);
    assert_eq!(found, TokenFault::Time);
    let now = w.now().as_second();
    for (iat, exp) in [
        (now, now + 301),
        (now, 253_402_207_200),
        (now - 600, now + 1),
        (now + 61, now + 90),
        (now + 1, now),
        (now - 10, now),
        (0, 1),
    ] {
        let mut payload = part(&token, 1);
        payload["iat"] = json!(iat);
        payload["exp"] = json!(exp);
        let token = forge.sign(&part(&token, 0).to_string(), &payload.to_string());
        let found = fault(verify(&w.platform, &token).await);
        assert_eq!(found, TokenFault::Time, "{iat} {exp}");
    }
}

#[tokio::test]
async fn the_next_key_is_published_an_hour_before_it_signs() {
    let w = World::new().await;
    let (acme, session) = shop(&w).await;
    w.platform.tokens().tend().await.unwrap();
    assert_eq!(states(&w.platform).await, [KeyState::Signing]);
    let old = issue(&w.platform, &session).await.unwrap();
    let (next, is_new) = rotate(&w.platform, Rotation::Overlapping).await;
    assert!(is_new && next.state == KeyState::Waiting);
    assert_eq!(next.signs_from, w.now() + OVERLAP);
    let again = rotate(&w.platform, Rotation::Overlapping).await;
    assert_eq!(again, (next.clone(), false), "one waits already");
    let published = w.platform.tokens().published_keys().await.unwrap();
    assert_eq!(published.len(), 2);
    w.pass(OVERLAP - MINUTE);
    let still = issue(&w.platform, &sign_in(&w, &acme).await).await.unwrap();
    assert_eq!(part(&still, 0)["kid"], part(&old, 0)["kid"]);
    w.pass(MINUTE);
    let session = sign_in(&w, &acme).await;
    let new = issue(&w.platform, &session).await.unwrap();
    assert_eq!(part(&new, 0)["kid"], json!(next.kid));
    verify(&w.platform, &still).await.unwrap();
    assert_eq!(
        states(&w.platform).await,
        [KeyState::Retiring, KeyState::Signing]
    );
    w.pass(OVERLAP);
    w.platform.tokens().tend().await.unwrap();
    let left = keys(&w.platform).await;
    assert_eq!(left.len(), 1);
    assert_eq!(
        (left[0].kid.clone(), left[0].state),
        (next.kid, KeyState::Signing)
    );
}

#[tokio::test]
async fn a_key_is_replaced_when_it_has_signed_for_ninety_days() {
    let w = World::new().await;
    w.platform.tokens().tend().await.unwrap();
    let first = keys(&w.platform).await[0].clone();
    w.pass(90 * DAY - OVERLAP - MINUTE);
    w.platform.tokens().tend().await.unwrap();
    assert_eq!(states(&w.platform).await, [KeyState::Signing]);
    w.pass(MINUTE);
    for _ in 0..3 {
        w.platform.tokens().tend().await.unwrap();
    }
    let two = keys(&w.platform).await;
    assert_eq!(two.len(), 2);
    assert_eq!(two[1].signs_from, first.signs_from + 90 * DAY);
    // A server that slept through the hour goes on with the key that was made.
    w.pass(30 * DAY);
    w.platform.tokens().tend().await.unwrap();
    let left = keys(&w.platform).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].kid, two[1].kid);
}

#[tokio::test]
async fn servers_that_make_a_key_at_once_make_one() {
    for storage in [MemoryStorage::new(), MemoryStorage::side_by_side()] {
        let w = World::new().await;
        let storage = std::sync::Arc::new(storage);
        let one = w.node_on(storage.clone()).await.unwrap();
        let other = w.node_on(storage).await.unwrap();
        let (first, second) = (one.tokens(), other.tokens());
        let all = tokio::join!(
            first.tend(),
            second.tend(),
            first.published_keys(),
            second.published_keys()
        );
        assert!(all.0.is_ok() && all.1.is_ok());
        assert_eq!(all.2.unwrap(), all.3.unwrap());
        assert_eq!(keys(&one).await.len(), 1);
        w.pass(90 * DAY);
        let both = tokio::join!(first.tend(), second.tend());
        assert!(both.0.is_ok() && both.1.is_ok());
        assert_eq!(states(&other).await, [KeyState::Signing, KeyState::Waiting]);
    }
}

#[tokio::test]
async fn a_withdrawn_key_signs_and_verifies_nothing_more() {
    let w = World::new().await;
    let (_, session) = shop(&w).await;
    let other = w.another_node().await;
    let before = issue(&other, &session).await.unwrap();
    rotate(&w.platform, Rotation::Overlapping).await;
    let (key, is_new) = rotate(&w.platform, Rotation::AtOnce).await;
    assert!(is_new && key.state == KeyState::Signing);
    for node in [&w.platform, &other] {
        assert_eq!(fault(verify(node, &before).await), TokenFault::Key);
        assert_eq!(keys(node).await, std::slice::from_ref(&key));
        let after = issue(node, &session).await.unwrap();
        assert_eq!(part(&after, 0)["kid"], json!(key.kid));
    }
}

/// However the clock is set, there is a key that signs, and one list of them.
#[tokio::test]
async fn a_clock_that_jumps_leaves_a_key_that_signs() {
    let w = World::new().await;
    let (acme, _) = shop(&w).await;
    w.platform.tokens().tend().await.unwrap();
    let start = w.now();
    for there in [
        start - 2 * 365 * DAY,
        start + 2 * 365 * DAY,
        start,
        Timestamp::UNIX_EPOCH,
    ] {
        w.clock.set(there);
        for _ in 0..5 {
            w.platform.tokens().tend().await.unwrap();
            let states = states(&w.platform).await;
            let signing = states.iter().filter(|state| **state == KeyState::Signing);
            assert_eq!(signing.count(), 1, "{there}");
            let published = w.platform.tokens().published_keys().await.unwrap();
            let kids: BTreeSet<_> = published.iter().map(|key| &key.kid).collect();
            let infos = keys(&w.platform).await;
            let signer = infos.iter().find(|key| key.state == KeyState::Signing);
            assert!(kids.contains(&signer.unwrap().kid));
            w.pass(MINUTE);
        }
    }
    assert!(keys(&w.platform).await.len() <= 4);
    w.clock.set(start + MINUTE);
    let session = sign_in(&w, &acme).await;
    let token = issue(&w.platform, &session).await.unwrap();
    verify(&w.platform, &token).await.unwrap();
}

#[tokio::test]
async fn keys_are_looked_after_by_the_platforms_administrators_and_are_logged() {
    let w = World::new().await;
    let acme = w.tenant("acme").await;
    let tokens = w.platform.tokens();
    let (_, chief) = w
        .administrator(&acme, "chief", Grant::TenantAdministrator)
        .await;
    assert_eq!(kind(tokens.keys(&chief).await), ErrorKind::Denied);
    let refused = tokens.rotate(&chief, ACCESS, Rotation::AtOnce).await;
    assert_eq!(kind(refused), ErrorKind::Denied);
    let (_, root) = w
        .administrator(&acme, "root", Grant::PlatformAdministrator)
        .await;
    let (key, _) = tokens
        .rotate(&root, ACCESS, Rotation::AtOnce)
        .await
        .unwrap();
    assert_eq!(
        tokens.keys(&root).await.unwrap(),
        std::slice::from_ref(&key)
    );
    let mut unit = w
        .platform
        .storage()
        .begin(Scope::Platform, Mode::Read)
        .await
        .unwrap();
    let filter = gatelodge_core::model::AuditFilter::default();
    let page = gatelodge_core::storage::Page::first(9);
    let events = unit.audit().list(&filter, page).await.unwrap();
    unit.rollback().await.unwrap();
    let event = events.iter().find(|event| event.action == "key.rotate");
    assert_eq!(event.unwrap().object_id.as_ref(), Some(&key.kid));
}

/// A key is sealed for its kind and id: moved to another, it opens nothing.
#[tokio::test]
async fn a_key_that_was_tampered_with_in_the_storage_signs_nothing() {
    let w = World::new().await;
    let (_, session) = shop(&w).await;
    issue(&w.platform, &session).await.unwrap();
    for change in [
        |keys: &mut Value| keys[0]["kid"] = json!("another"),
        |keys: &mut Value| keys[0]["sealed"] = json!("AAAA"),
        |keys: &mut Value| keys[0]["more"] = json!(1),
        |keys: &mut Value| *keys = json!("keys"),
    ] {
        let storage = w.platform.storage();
        let mut unit = storage.begin(Scope::Platform, Mode::Write).await.unwrap();
        let stored = unit.installation().value(VALUE).await.unwrap().unwrap();
        let mut changed: Value = serde_json::from_slice(&stored.value).unwrap();
        change(&mut changed);
        let value = changed.to_string().into_bytes();
        let installation = unit.installation();
        let version = installation.put(VALUE, &value, stored.version).await;
        unit.commit().await.unwrap();
        let issued = issue(&w.platform, &session).await;
        assert_eq!(kind(issued), ErrorKind::Corrupt);
        // As it was.
        let mut unit = storage.begin(Scope::Platform, Mode::Write).await.unwrap();
        let installation = unit.installation();
        installation
            .put(VALUE, &stored.value, version.unwrap())
            .await
            .unwrap();
        unit.commit().await.unwrap();
        issue(&w.platform, &session).await.unwrap();
    }
}
