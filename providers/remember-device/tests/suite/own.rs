//! Devices: their life, their clock, their keys.

use std::time::Duration;

use gatelodge_core::{
    ErrorKind,
    model::{FactorClass, SessionId},
    provider::{
        Effect, Entry, PastProof, Provider, ProviderTable, Redeemed, Registry, State, Step,
    },
    secret::Secret,
};
use gatelodge_provider_remember_device::{Keys, MAX_DEVICES, MAX_TOKEN, register};
use jiff::Timestamp;
use serde_json::json;

use super::world::{DAY, MONTH, PROVIDER, SECOND, World, silent};

#[tokio::test]
async fn a_token_is_worth_one_sign_in_and_its_successor_the_next() {
    let mut world = World::new();
    let kept = world.issue().await;
    let mut token = kept.token.clone();
    for _ in 0..20 {
        world.pass(DAY);
        let next = world.redeem(&token).await.unwrap();
        assert_eq!(next.user, world.alice().id);
        assert_eq!(next.expires_at, kept.expires_at, "an end does not slide");
        assert_ne!(next.token, token);
        token = next.token;
    }
    assert_eq!(world.devices(), 1);
}

#[tokio::test]
async fn a_token_holds_nothing_of_the_person_and_fits_into_a_cookie() {
    let world = World::new();
    let token = world.issue().await.token;
    let text = token.expose();
    assert!(text.len() < MAX_TOKEN / 2, "{}", text.len());
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    assert!(text.chars().all(plain));
    let claims = super::jose::claims(&token);
    let mut names: Vec<_> = claims.as_object().unwrap().keys().cloned().collect();
    // In their own order or in the alphabet's, as other crates of a build ask for.
    names.sort_unstable();
    assert_eq!(names, ["aud", "exp", "iat", "iss", "jti", "sub"]);
    let tenant = world.facts.tenant.as_ref().unwrap().id.to_string();
    assert_eq!(claims["aud"], json!(tenant));
    let shown = claims.to_string();
    let alice = world.alice();
    for secret in [
        alice.id.to_string(),
        alice.user_name,
        "teaparty.example\",\"em".into(),
    ] {
        assert!(!shown.contains(&secret), "{shown}");
    }
}

#[tokio::test]
async fn the_proof_is_as_old_as_the_sign_in_it_stands_for() {
    let mut world = World::new();
    let past = |seconds, id: &str| PastProof {
        provider: gatelodge_core::model::ProviderId::new(id).unwrap(),
        class: FactorClass::Knowledge,
        amr: "pwd".to_owned(),
        at: world
            .facts
            .now
            .checked_sub(Duration::from_secs(seconds))
            .unwrap(),
    };
    let (password, code) = (past(60, "password"), past(20, "totp"));
    let proven_at = code.at;
    world.facts.proofs = vec![password, code];
    let mut token = world.issue().await.token;
    for _ in 0..3 {
        world.pass(DAY);
        let next = world.redeem(&token).await.unwrap();
        assert_eq!(next.auth_at, proven_at);
        token = next.token;
    }
}

/// S06: the end holds to the second, however often it is used.
#[tokio::test]
async fn s06_a_device_ends_at_its_second() {
    for lifetime in [Duration::from_secs(90), DAY, MONTH, 2 * MONTH] {
        let mut world = World::new();
        let begun = world.facts.now;
        let kept = world.issue_for(lifetime).await;
        let lasts = lifetime.min(MONTH);
        assert_eq!(kept.expires_at, begun.checked_add(lasts).unwrap());
        world.pass(lasts - SECOND);
        let next = world.redeem(&kept.token).await.unwrap();
        world.pass(SECOND);
        assert_eq!(
            world.try_redeem(&next.token).await.unwrap_err(),
            "unknown_device"
        );
        assert_eq!(world.listed().await, []);
        // It is so too while the row is still there.
        for stored in world.records.lock().unwrap().iter_mut() {
            stored.record.expires_at = None;
        }
        assert_eq!(world.try_redeem(&next.token).await.unwrap_err(), "expired");
        world.back(SECOND);
        assert!(world.redeem(&next.token).await.is_some());
    }
}

#[tokio::test]
async fn a_shorter_lifetime_holds_at_once() {
    let mut world = World::new();
    let token = world.issue().await.token;
    world.pass(3 * DAY);
    let redeemed = world.look_for(&token, 3 * DAY + SECOND).await;
    assert!(matches!(redeemed, Redeemed::Proven { .. }));
    for lifetime in [3 * DAY, DAY, Duration::ZERO] {
        let redeemed = world.look_for(&token, lifetime).await;
        let Redeemed::Refused { reason, ended } = redeemed else {
            panic!("{lifetime:?}");
        };
        assert_eq!(reason, "too_old");
        assert!(matches!(ended.unwrap().effects[..], [Effect::UseUp { .. }]));
    }
}

/// A clock that is wrong for a while harms nobody: what comes from the future is
/// not taken, and is no theft.
#[tokio::test]
async fn s06_a_clock_that_jumps_by_two_years_ends_or_waits() {
    let years = 730 * DAY;
    let mut world = World::new();
    let token = world.issue().await.token;
    world.pass(years);
    assert!(world.redeem(&token).await.is_none());
    world.back(years);
    let next = world.redeem(&token).await.unwrap().token;
    world.back(years);
    assert_eq!(world.try_redeem(&next).await.unwrap_err(), "not_yet");
    assert_eq!(world.try_redeem(&token).await.unwrap_err(), "not_yet");
    assert_eq!(world.devices(), 1);
    world.pass(years);
    assert!(world.redeem(&next).await.is_some());
}

/// Two servers need not agree to the second.
#[tokio::test]
async fn clocks_may_be_a_minute_apart() {
    let mut world = World::new();
    let first = world.issue().await.token;
    world.back(60 * SECOND);
    let second = world.redeem(&first).await.unwrap().token;
    world.back(60 * SECOND);
    assert_eq!(
        world.redeem(&first).await.map(|next| next.token),
        None,
        "made later"
    );
    world.pass(60 * SECOND);
    assert_eq!(world.redeem(&first).await.unwrap().token, second);
    world.back(SECOND);
    assert_eq!(world.try_redeem(&first).await.unwrap_err(), "not_yet");
    assert_eq!(world.devices(), 1);
}

/// S18: of any number who redeem one token at once, one rotates it, and all of them
/// get the same successor.
#[tokio::test]
async fn s18_all_who_redeem_a_token_at_once_keep_the_same_one() {
    let world = World::new();
    let token = world.issue().await.token;
    let mut looks = Vec::new();
    for _ in 0..20 {
        looks.push(world.look(&token).await);
    }
    let (mut first, mut lost) = (Vec::new(), 0);
    for look in looks {
        match world.settle(look) {
            Some(outcome) => first.push(outcome.unwrap().token),
            None => lost += 1,
        }
    }
    assert_eq!((first.len(), lost), (1, 19));
    for _ in 0..19 {
        assert_eq!(world.redeem(&token).await.unwrap().token, first[0]);
    }
}

#[tokio::test]
async fn the_replaced_one_gets_the_same_successor_for_half_a_minute() {
    let mut world = World::new();
    let token = world.issue().await.token;
    world.pass(DAY);
    let next = world.redeem(&token).await.unwrap().token;
    world.pass(29 * SECOND);
    assert_eq!(world.redeem(&token).await.unwrap().token, next);
    // Looking again does not make the window longer.
    world.pass(SECOND);
    assert_eq!(world.try_redeem(&token).await.unwrap_err(), "stolen_device");
    assert_eq!(world.try_redeem(&next).await.unwrap_err(), "unknown_device");
}

#[tokio::test]
async fn an_older_one_is_a_theft_at_once_and_the_owner_is_told() {
    let mut world = World::new();
    let other = world.issue().await.token;
    let first = world.issue().await.token;
    let second = world.redeem(&first).await.unwrap().token;
    let third = world.redeem(&second).await.unwrap().token;
    let ended = match world.look(&first).await {
        Redeemed::Refused { reason, ended } => {
            assert_eq!(reason, "stolen_device");
            ended.unwrap()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(ended.user, world.alice().id);
    assert_eq!(world.try_redeem(&first).await.unwrap_err(), "stolen_device");
    for token in [&first, &second, &third] {
        assert_eq!(world.try_redeem(token).await.unwrap_err(), "unknown_device");
    }
    let templates: Vec<_> = world
        .mails
        .lock()
        .unwrap()
        .iter()
        .map(|m| m.template.clone())
        .collect();
    assert_eq!(templates, ["device_stolen"]);
    world.pass(DAY);
    assert!(world.redeem(&other).await.is_some(), "other devices stay");
}

#[tokio::test]
async fn where_no_mail_is_sent_none_is_asked_for() {
    let mut world = World::new();
    world.facts.channels = Vec::new();
    let first = world.issue().await.token;
    world.redeem(&first).await.unwrap();
    world.pass(DAY);
    assert!(world.redeem(&first).await.is_none());
    assert!(world.mails.lock().unwrap().is_empty());
}

/// v5.0.0-9.2.3.
#[tokio::test]
async fn a_token_counts_in_its_tenant_and_at_its_origin_only() {
    let mut world = World::new();
    let token = world.issue().await.token;
    let tenant = world.facts.tenant.clone().unwrap();
    let environment = gatelodge_core::Environment::system();
    let mut other = tenant.clone();
    other.id = gatelodge_core::model::TenantId::generate(&environment);
    world.facts.tenant = Some(other);
    assert_eq!(world.try_redeem(&token).await.unwrap_err(), "bad_token");
    world.facts.tenant = Some(tenant);
    let origin = world.facts.origin.clone();
    world.facts.origin = "https://other.example".parse().unwrap();
    assert_eq!(world.try_redeem(&token).await.unwrap_err(), "bad_token");
    world.facts.origin = origin;
    assert!(world.redeem(&token).await.is_some());
}

#[tokio::test]
async fn signing_out_ends_the_device_also_with_an_older_token() {
    let mut world = World::new();
    let (first, other) = (world.issue().await.token, world.issue().await.token);
    let second = world.redeem(&first).await.unwrap().token;
    assert!(world.revoke(&second).await);
    assert!(!world.revoke(&second).await, "once is enough");
    assert_eq!(
        world.try_redeem(&second).await.unwrap_err(),
        "unknown_device"
    );
    let next = world.redeem(&other).await.unwrap().token;
    world.pass(DAY);
    assert!(world.revoke(&other).await, "and it is no theft then");
    assert!(world.redeem(&next).await.is_none());
    assert!(world.mails.lock().unwrap().is_empty());
    for text in ["", "x", "a.b.c", &"a".repeat(5_000)] {
        assert!(!world.revoke(&Secret::new(text)).await);
    }
}

#[tokio::test]
async fn devices_are_listed_and_removed_by_their_owner_only() {
    let mut world = World::new();
    world.facts.client.user_agent = Some("ä".repeat(300) + "\n");
    let made = world.facts.now;
    let token = world.issue().await.token;
    world.pass(DAY);
    world.redeem(&token).await.unwrap();
    let [device] = &world.listed().await[..] else {
        panic!("one device");
    };
    assert_eq!(device.label, "ä".repeat(100));
    assert_eq!(
        (device.created_at, device.last_used_at),
        (made, world.facts.now)
    );
    assert_eq!(device.expires_at, made.checked_add(MONTH).unwrap());
    world.become_somebody_else();
    assert_eq!(world.listed().await, []);
    let refused = silent().remove(&world.context(), device.id).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_browser_that_says_nothing_is_called_unknown() {
    for agent in [None, Some(""), Some(" \t ")] {
        let mut world = World::new();
        world.facts.client.user_agent = agent.map(str::to_owned);
        world.issue().await;
        assert_eq!(world.listed().await[0].label, "Unknown browser");
    }
}

#[tokio::test]
async fn for_one_too_many_the_longest_unused_one_ends() {
    let mut world = World::new();
    let mut tokens = Vec::new();
    for _ in 0..MAX_DEVICES {
        tokens.push(world.issue().await.token);
        world.pass(SECOND);
    }
    let used = world.redeem(&tokens[0]).await.unwrap().token;
    world.pass(SECOND);
    world.issue().await;
    assert_eq!(world.devices(), MAX_DEVICES);
    assert!(world.redeem(&tokens[1]).await.is_none());
    assert!(world.redeem(&used).await.is_some());
    assert!(world.redeem(&tokens[2]).await.is_some());
}

fn keys(world: &World) -> Keys {
    let records = world.records.lock().unwrap();
    let found = records
        .iter()
        .find(|stored| stored.key.as_deref() == Some("signing-key"));
    serde_json::from_slice(&found.unwrap().record.data.0).unwrap()
}

#[tokio::test]
async fn of_servers_that_make_the_first_key_at_once_one_does() {
    let world = World::new();
    let (session, context) = (SessionId::from_uuid(Default::default()), world.context());
    let one = silent().issue(&context, session, DAY).await.unwrap();
    let other = silent().issue(&context, session, DAY).await.unwrap();
    let alice = world.alice().id;
    assert!(world.apply(alice, &one.effects));
    assert!(!world.apply(alice, &other.effects), "it is asked again");
    let again = world.issue().await;
    for token in [one.token, again.token] {
        assert!(world.redeem(&token).await.is_some());
    }
    assert!(world.redeem(&other.token).await.is_none());
}

#[tokio::test]
async fn keys_rotate_while_tokens_are_in_use() {
    let mut world = World::new();
    world.issue().await;
    let first = keys(&world);
    world.pass(MONTH - DAY);
    let mut token = world.issue().await.token;
    world.pass(DAY - SECOND);
    token = world.redeem(&token).await.unwrap().token;
    assert_eq!(keys(&world), first);
    world.pass(SECOND);
    // Two come at once when it is due: one of them makes the new key.
    let (idle, again) = (token.clone(), token.clone());
    token = world.redeem(&token).await.unwrap().token;
    let second = keys(&world);
    assert_ne!(second.current, first.current);
    assert_eq!(second.previous.as_ref(), Some(&first.current));
    assert_eq!(world.redeem(&again).await.unwrap().token, token);
    // What the old key signed counts as long as it can live.
    world.pass(31 * SECOND);
    assert_eq!(world.try_redeem(&idle).await.unwrap_err(), "stolen_device");
    world.pass(MONTH);
    let newest = world.issue().await.token;
    let third = keys(&world);
    assert_eq!(third.previous, Some(second.current));
    assert!(world.redeem(&newest).await.is_some());
}

#[tokio::test]
async fn a_token_of_the_key_before_counts_until_the_last_of_them_has_ended() {
    let mut world = World::new();
    world.issue().await;
    world.pass(MONTH - SECOND);
    let token = world.issue().await.token;
    world.pass(SECOND);
    world.issue().await;
    world.pass(MONTH - 2 * SECOND);
    let next = world.redeem(&token).await.unwrap();
    assert_eq!(
        next.expires_at,
        world.facts.now.checked_add(SECOND).unwrap()
    );
}

#[tokio::test]
async fn what_cannot_be_read_proves_nothing() {
    let damages: [fn(&mut Vec<u8>); 4] = [
        |data| data.clear(),
        |data| data.truncate(data.len() / 2),
        |data| *data = b"{}".to_vec(),
        |data| *data = b"null".to_vec(),
    ];
    for damage in damages {
        let world = World::new();
        let token = world.issue().await.token;
        world.spoil("device:", damage);
        assert_eq!(
            world.try_redeem(&token).await.unwrap_err(),
            "unreadable_device"
        );
        assert_eq!(world.listed().await, []);
        let world = World::new();
        let token = world.issue().await.token;
        world.spoil("signing-key", damage);
        let context = world.context();
        let error = silent().redeem(&context, &token, MONTH).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(!format!("{error:?}").contains("secret"));
    }
}

#[tokio::test]
async fn it_is_no_step_that_anybody_could_choose() {
    let world = World::new();
    let context = world.context();
    let begun = PROVIDER.begin(&context, Entry::Chosen {}).await.unwrap();
    let answer = gatelodge_core::provider::Answer::fields([("token", "x")]);
    let answered = PROVIDER
        .resume(&context, State::default(), answer)
        .await
        .unwrap();
    for turn in [begun, answered] {
        assert!(matches!(turn.step, Step::Refused { .. }) && turn.effects.is_empty());
    }
    let description = PROVIDER.describe();
    assert!(!description.first_step && !description.second_factor && !description.backup);
    assert_eq!(description.class, FactorClass::Remembered);
}

#[test]
fn an_unknown_key_is_refused_and_led_to_the_setting() {
    let mut registry = Registry::new();
    register(&mut registry);
    let id = gatelodge_core::model::ProviderId::new("remember-device").unwrap();
    let table: ProviderTable = json!({"days": 3}).as_object().unwrap().clone();
    let error = registry
        .configure(id, "remember-device", table)
        .unwrap_err();
    assert_eq!(
        error.message(),
        "`days` is not a key of the remember-device provider, which has none; the days are `session.remember_days`"
    );
}

#[tokio::test]
async fn debug_shows_no_token_and_no_key() {
    let world = World::new();
    let kept = world.issue().await;
    let text = kept.token.expose().to_owned();
    let signature = text.rsplit('.').next().unwrap().to_owned();
    let keys = keys(&world);
    let redeemed = world.look(&kept.token).await;
    let secret = serde_json::to_value(&keys).unwrap()["current"]["secret"].clone();
    for shown in [
        format!("{kept:?}"),
        format!("{keys:?}"),
        format!("{redeemed:?}"),
        format!("{:?}", kept.effects),
    ] {
        assert!(!shown.contains(&signature) && !shown.contains(secret.as_str().unwrap()));
    }
    assert!(keys.current.made_at > Timestamp::UNIX_EPOCH);
}
