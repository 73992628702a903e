//! Keeping somebody signed in: the behaviour that
//! [`Silent`](gatelodge_core::provider::Silent) promises.

use std::time::Duration;

use gatelodge_core::{
    ErrorKind,
    model::{FactorClass, RecordId},
    provider::{Answer, Entry, Redeemed, Registry, State, Step},
    secret::Secret,
};
use serde_json::json;

use crate::{
    bench::provider_id,
    silent::{DAY, Desk, LIFETIME},
};

/// The longest token.
const MAX_TOKEN: usize = 2_048;
/// More than any window in which a token is answered twice.
const LONG_AFTER: Duration = Duration::from_secs(60 * 60);

pub(crate) async fn what_keeps_people_signed_in_is_no_other_step(desk: Desk) {
    let description = &desk.configured.description;
    assert!(description.silent, "it says that it keeps people signed in");
    assert_eq!(
        description.class,
        FactorClass::Remembered,
        "what a device proves is remembered"
    );
    let is_chosen = description.first_step || description.second_factor || description.enrolment;
    assert!(!is_chosen, "nobody chooses a device, or sets it up");
    let again = desk.anew().configured;
    assert!(again.description == *description, "it changes");
    let provider = &desk.configured.provider;
    let call = desk.of(desk.ada());
    let answer = Answer::fields([("token", "something")]);
    let state = State(b"something".to_vec());
    for turn in [
        provider.begin(&call.context(), Entry::Chosen {}).await,
        provider.resume(&call.context(), state, answer).await,
    ] {
        let turn = turn.expect("a step that it does not have is no fault");
        assert!(
            matches!(turn.step, Step::Refused { .. } | Step::Invalid { .. }),
            "a step that it does not have leads to {:?}",
            turn.step
        );
        assert!(turn.effects.is_empty(), "and has effects");
    }
}

pub(crate) async fn an_unknown_key_of_its_table_is_refused_by_name(desk: Desk) {
    let mut registry = Registry::new();
    (desk.register)(&mut registry);
    let kind = registry.kinds().next().expect("it registers a kind");
    let mut table = desk.table.clone();
    table.insert("suite_unknown_key".to_owned(), json!(1));
    let Err(error) = registry.configure(provider_id(), kind, table) else {
        panic!("an unknown key in its table is accepted");
    };
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("suite_unknown_key"), "{error}");
}

pub(crate) async fn each_token_is_worth_one_sign_in_and_gives_the_next(desk: Desk) {
    let kept = desk.stay(desk.ada(), LIFETIME).await;
    let mut token = kept.token;
    for _ in 0..5 {
        desk.pass(DAY);
        let back = desk.come(&token).await.expect("the token is its successor");
        assert_eq!(back.user, desk.ada().id, "it is its owner's");
        assert_ne!(back.token, token, "a token is replaced with each use");
        token = back.token;
    }
    assert_eq!(
        desk.list(desk.ada()).await.len(),
        1,
        "it is one device all along"
    );
}

pub(crate) async fn a_proof_is_as_old_as_the_sign_in_and_names_its_record(desk: Desk) {
    let kept = desk.stay(desk.ada(), LIFETIME).await;
    desk.pass(DAY);
    let back = desk.come(&kept.token).await.expect("it is known");
    assert_eq!(back.proof.at, Some(desk.proven_at()), "it was proven then");
    let listed = desk.list(desk.ada()).await;
    let ids: Vec<_> = listed.iter().map(|device| Some(device.id)).collect();
    assert_eq!(ids, [back.proof.credential], "the proof names the device");
    assert!(back.proof.scope.is_none() && back.proof.mailbox.is_none());
}

pub(crate) async fn an_end_does_not_move(desk: Desk) {
    let begun = desk.environment.now();
    let kept = desk.stay(desk.ada(), LIFETIME).await;
    assert_eq!(
        kept.expires_at,
        begun.checked_add(LIFETIME).expect("a time")
    );
    desk.pass(LIFETIME - Duration::from_secs(1));
    let back = desk.come(&kept.token).await.expect("it has not ended yet");
    assert_eq!(back.expires_at, kept.expires_at, "no use moves the end");
    desk.pass(Duration::from_secs(1));
    assert!(desk.come(&back.token).await.is_none(), "it has ended");
    assert!(desk.list(desk.ada()).await.is_empty(), "and is not listed");
}

pub(crate) async fn a_lifetime_that_became_shorter_holds(desk: Desk) {
    let kept = desk.stay(desk.ada(), LIFETIME).await;
    desk.pass(2 * DAY);
    let back = desk.come_for(&kept.token, 3 * DAY).await;
    let token = back.expect("it is younger than that").token;
    assert!(
        desk.come_for(&token, 2 * DAY).await.is_none(),
        "it is older"
    );
    assert!(desk.come(&token).await.is_none(), "and has ended by that");
}

pub(crate) async fn a_token_counts_in_its_tenant_only(desk: Desk) {
    let kept = desk.stay(desk.ada(), LIFETIME).await;
    let look = desk.look(desk.elsewhere(), &kept.token, LIFETIME).await;
    assert!(
        matches!(look, Redeemed::Refused { ended: None, .. }),
        "a token of another tenant is refused, and nothing ends"
    );
    assert!(desk.come(&kept.token).await.is_some());
}

pub(crate) async fn a_damaged_token_is_refused_and_harms_nobody(desk: Desk) {
    let kept = desk.stay(desk.ada(), LIFETIME).await;
    let text = kept.token.expose();
    let mut damaged = vec![
        String::new(),
        ".".to_owned(),
        "\u{0}".to_owned(),
        "…".to_owned(),
        "a".repeat(100_000),
        format!("{text}{text}"),
        text.chars().rev().collect(),
        text.to_ascii_uppercase(),
    ];
    for at in 0..text.len() {
        let changed = text.char_indices().map(|(place, letter)| match letter {
            'A' if place == at => 'B',
            _ if place == at => 'A',
            letter => letter,
        });
        damaged.push(changed.collect());
        damaged.push(text.chars().take(at).collect());
    }
    for token in damaged.into_iter().filter(|token| token != text) {
        assert!(
            desk.come(&Secret::new(token)).await.is_none(),
            "a damaged token proves"
        );
    }
    assert!(
        desk.come(&kept.token).await.is_some(),
        "the right one still does"
    );
}

pub(crate) async fn a_token_fits_into_a_cookie(desk: Desk) {
    let kept = desk.stay(desk.ada(), LIFETIME).await;
    let back = desk.come(&kept.token).await.expect("it is known");
    for token in [&kept.token, &back.token] {
        assert!(
            (1..=MAX_TOKEN).contains(&token.len()),
            "{} bytes",
            token.len()
        );
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
        assert!(token.expose().chars().all(plain), "odd characters");
        for personal in [desk.ada().id.to_string(), desk.ada().user_name.clone()] {
            assert!(!token.expose().contains(&personal), "it names its owner");
        }
    }
}

pub(crate) async fn another_instance_recognises_the_token(mut desk: Desk) {
    let kept = desk.stay(&desk.ada().clone(), LIFETIME).await;
    desk.restart();
    let back = desk.come(&kept.token).await.expect("another one made it");
    desk.restart();
    assert!(desk.come(&back.token).await.is_some());
    desk.restart();
    assert!(desk.revoke(&kept.token).await.is_some());
}

pub(crate) async fn who_loses_a_race_looks_again_and_is_known(desk: Desk) {
    let kept = desk.stay(desk.ada(), LIFETIME).await;
    let mut looks = Vec::new();
    for _ in 0..4 {
        looks.push(desk.look(desk.nobody(), &kept.token, LIFETIME).await);
    }
    let mut tokens = Vec::new();
    for look in looks {
        let back = match desk.settle(look) {
            Some(back) => back,
            None => desk.come(&kept.token).await,
        };
        tokens.push(back.expect("each of the tabs is known").token);
    }
    tokens.dedup();
    assert_eq!(tokens.len(), 1, "all of them keep the same");
    desk.pass(LONG_AFTER);
    for token in &tokens {
        assert!(desk.come(token).await.is_some());
    }
}

pub(crate) async fn a_copy_ends_the_device_and_leaves_the_others(desk: Desk) {
    let other = desk.stay(desk.ada(), LIFETIME).await;
    let bobs = desk.stay(desk.bob(), LIFETIME).await;
    let first = desk.stay(desk.ada(), LIFETIME).await;
    let back = desk.come(&first.token).await.expect("it is known");
    desk.pass(LONG_AFTER);
    assert!(desk.come(&first.token).await.is_none(), "a copy proves");
    assert!(desk.come(&back.token).await.is_none(), "the device goes on");
    assert!(desk.come(&other.token).await.is_some(), "another one ended");
    assert!(desk.come(&bobs.token).await.is_some(), "another's ended");
}

pub(crate) async fn of_two_who_see_a_copy_one_ends_the_device(desk: Desk) {
    let first = desk.stay(desk.ada(), LIFETIME).await;
    desk.come(&first.token).await.expect("it is known");
    desk.pass(LONG_AFTER);
    let one = desk.look(desk.nobody(), &first.token, LIFETIME).await;
    let other = desk.look(desk.nobody(), &first.token, LIFETIME).await;
    assert_eq!(desk.settle(one), Some(None), "it ends");
    assert_eq!(
        desk.settle(other),
        None,
        "it ended already, and is told once"
    );
}

pub(crate) async fn a_device_that_was_revoked_is_gone(desk: Desk) {
    let kept = desk.stay(desk.ada(), LIFETIME).await;
    let other = desk.stay(desk.ada(), LIFETIME).await;
    for nothing in ["", "x", "a.b.c"] {
        let revoked = desk.revoke(&Secret::new(nothing)).await;
        assert!(revoked.is_none(), "what is no token ends something");
    }
    let device = desk.come(&kept.token).await.expect("it is known");
    let revoked = desk
        .revoke(&device.token)
        .await
        .expect("its device is there");
    assert_eq!(revoked.user, desk.ada().id);
    assert_eq!(Some(revoked.device), device.proof.credential);
    assert!(desk.apply(revoked.user, &revoked.effects));
    assert!(desk.come(&device.token).await.is_none(), "it still proves");
    assert!(desk.revoke(&device.token).await.is_none(), "it ends twice");
    assert!(desk.come(&other.token).await.is_some(), "another one ended");
}

pub(crate) async fn what_is_listed_is_the_subjects_and_can_be_removed(desk: Desk) {
    assert!(desk.list(desk.ada()).await.is_empty());
    let (one, other) = (
        desk.stay(desk.ada(), LIFETIME).await,
        desk.stay(desk.ada(), LIFETIME).await,
    );
    let device = desk.come(&one.token).await.expect("it is known");
    assert_eq!(desk.list(desk.ada()).await.len(), 2);
    assert!(
        desk.list(desk.bob()).await.is_empty(),
        "somebody else's is listed"
    );
    let id = device.proof.credential.expect("it names its record");
    let unknown = RecordId::generate(&desk.environment);
    for (person, id) in [(desk.bob(), id), (desk.ada(), unknown)] {
        let call = desk.of(person);
        let refused = desk.silent().remove(&call.context(), id).await;
        let error = refused.expect_err("somebody else's, or nothing, is removed");
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
    let call = desk.of(desk.ada());
    let effects = desk.silent().remove(&call.context(), id).await;
    assert!(desk.apply(desk.ada().id, &effects.expect("it is there")));
    assert!(desk.come(&device.token).await.is_none());
    assert!(desk.come(&other.token).await.is_some());
}

pub(crate) async fn a_damaged_device_proves_nothing(desk: Desk) {
    for damage in [Vec::new(), b"{}".to_vec(), vec![0xff; 100]] {
        let desk = desk.anew();
        let kept = desk.stay(desk.ada(), LIFETIME).await;
        for stored in desk.records.lock().expect("not poisoned").all_mut() {
            // What belongs to nobody may be needed to find out that it is nobody's.
            if stored.record.user.is_some() {
                stored.record.data.0.clone_from(&damage);
            }
        }
        assert!(
            desk.come(&kept.token).await.is_none(),
            "a damaged device proves"
        );
        desk.list(desk.ada()).await;
    }
}

pub(crate) async fn no_token_is_shown_in_debug(desk: Desk) {
    let kept = desk.stay(desk.ada(), LIFETIME).await;
    let look = desk.look(desk.nobody(), &kept.token, LIFETIME).await;
    let Redeemed::Proven { successor, .. } = &look else {
        panic!("it is known");
    };
    let shown = format!(
        "{kept:?} {:?} {look:?} {:?}",
        kept.effects, successor.effects
    );
    for token in [&kept.token, &successor.token] {
        assert!(!shown.contains(token.expose()), "a token is shown");
    }
}

pub(crate) async fn the_same_inputs_give_the_same_tokens(desk: Desk) {
    let other = desk.anew();
    for seed in [Duration::ZERO, DAY] {
        desk.pass(seed);
        other.pass(seed);
        let (one, two) = (
            desk.stay(desk.ada(), LIFETIME).await,
            other.stay(other.ada(), LIFETIME).await,
        );
        assert!(one == two, "time and randomness come from elsewhere");
        let (one, two) = (desk.come(&one.token).await, other.come(&two.token).await);
        assert!(one == two, "time and randomness come from elsewhere");
    }
    let different = desk.anew_with(7);
    let (one, two) = (
        desk.stay(desk.ada(), LIFETIME).await,
        different.stay(different.ada(), LIFETIME).await,
    );
    assert_ne!(one.token, two.token, "other random bytes, another token");
}
