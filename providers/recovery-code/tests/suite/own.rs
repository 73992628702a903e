//! What holds for this provider beyond what holds for every one.

use std::collections::BTreeSet;

use gatelodge_core::{
    ErrorKind,
    model::{ProviderId, RecordId},
    provider::{Answer, Effect, Entry, FieldKind, LinkPurpose, Provider, Registry, Role, Turn},
};
use gatelodge_provider_recovery_code::register;
use serde_json::json;

use super::world::{PROVIDER, World, codes, errors, is_proven};

/// S16, v5.0.0-6.5.1.
#[tokio::test]
async fn s16_each_code_counts_once_and_the_count_falls_by_one() {
    let (world, codes) = World::with_codes().await;
    assert_eq!(world.listed().await, ["10 codes left"]);
    for (number, code) in codes.iter().enumerate() {
        let turn = world.sign_in(code).await;
        assert!(is_proven(&turn) && world.apply(turn.effects), "{number}");
        assert!(!is_proven(&world.sign_in(code).await), "{number}");
        let left = match 9 - number {
            0 => Vec::new(),
            1 => vec!["1 code left".to_owned()],
            left => vec![format!("{left} codes left")],
        };
        assert_eq!(world.listed().await, left);
        let counted = u32::try_from(9 - number).ok().filter(|left| *left > 0);
        assert_eq!(world.left().await, Vec::from_iter(counted.map(Some)));
    }
    let turn = world.sign_in(&codes[0]).await;
    assert_eq!(turn, Turn::refused("no_codes"));
}

/// S16: of answers that come at once, the effects of one are kept.
#[tokio::test]
async fn s16_of_answers_at_once_one_finds_the_version_that_it_read() {
    let (world, codes) = World::with_codes().await;
    let (one, other) = tokio::join!(world.sign_in(&codes[0]), world.sign_in(&codes[0]));
    assert!(is_proven(&one) && is_proven(&other));
    assert!(world.apply(one.effects));
    assert!(!world.apply(other.effects));
    // The last one is used up instead.
    for code in &codes[1..9] {
        assert!(world.apply(world.sign_in(code).await.effects));
    }
    let (one, other) = tokio::join!(world.sign_in(&codes[9]), world.sign_in(&codes[9]));
    assert!(matches!(one.effects[..], [Effect::UseUp { .. }]));
    assert!(world.apply(one.effects));
    assert!(!world.apply(other.effects));
}

/// v5.0.0-6.5.4: 24 characters of 32 are 120 bits.
#[tokio::test]
async fn a_set_has_ten_codes_that_are_like_no_others() {
    let (world, first) = World::with_codes().await;
    let mut seen: BTreeSet<String> = first.iter().cloned().collect();
    seen.extend(world.make_set().await);
    assert_eq!(seen.len(), 20);
    for code in seen {
        let groups: Vec<_> = code.split('-').map(str::len).collect();
        assert_eq!(groups, [4; 6], "{code}");
    }
}

#[tokio::test]
async fn nothing_is_kept_before_the_codes_are_put_aside() {
    let world = World::new();
    let (form, begun) = world.begin_enrolment().await;
    let [kept] = &form.fields[..] else {
        panic!("{form:?}");
    };
    assert_eq!(
        (kept.kind, kept.role, kept.required),
        (FieldKind::Checkbox, Role::Other, true)
    );
    for answer in [
        &[][..],
        &[("kept", "")],
        &[("kept", "false")],
        &[("other", "true")],
    ] {
        let turn = world.finish_enrolment(&begun, answer).await;
        assert_eq!(errors(&turn), [("kept", "required")]);
    }
    assert!(world.listed().await.is_empty());
    let turn = world.finish_enrolment(&begun, &[("kept", "true")]).await;
    assert!(world.apply(turn.effects));
    assert!(is_proven(&world.sign_in(&codes(&form)[0]).await));
}

#[tokio::test]
async fn a_new_set_takes_the_place_of_the_old_one() {
    let (world, old) = World::with_codes().await;
    let (form, _) = world.begin_enrolment().await;
    assert!(form.message.unwrap().contains("stop working"));
    assert!(is_proven(&world.sign_in(&old[0]).await), "not yet");
    let new = world.make_set().await;
    assert_eq!(world.listed().await, ["10 codes left"]);
    assert_eq!(world.sign_in(&old[0]).await, Turn::refused("wrong_code"));
    assert!(is_proven(&world.sign_in(&new[0]).await));
}

/// v5.0.0-6.5.2: hashes of 120 random bits, and nothing else of them.
#[tokio::test]
async fn of_the_codes_only_hashes_are_kept() {
    let world = World::new();
    let (form, begun) = world.begin_enrolment().await;
    let turn = world.finish_enrolment(&begun, &[("kept", "true")]).await;
    let [Effect::Put { record }] = &turn.effects[..] else {
        panic!("{turn:?}");
    };
    let kept = [&record.data.0, &begun.state.0].map(|bytes| String::from_utf8_lossy(bytes));
    for code in codes(&form) {
        let plain = code.replace('-', "");
        assert!(kept.iter().all(|kept| !kept.contains(&code)));
        assert!(kept.iter().all(|kept| !kept.contains(&plain)));
    }
    let stored: serde_json::Value = serde_json::from_slice(&record.data.0).unwrap();
    assert_eq!(stored["hashes"].as_array().unwrap().len(), 10);
}

#[tokio::test]
async fn a_code_is_accepted_however_it_is_typed() {
    let (world, codes) = World::with_codes().await;
    let code = &codes[0];
    for typed in [
        code.to_lowercase(),
        code.replace('-', " "),
        code.replace('-', ""),
        format!("  {}\n", code.replace('0', "o").replace('1', "l")),
        code.replace('0', "O").replace('1', "I"),
    ] {
        assert!(is_proven(&world.sign_in(&typed).await), "{typed}");
    }
}

/// S43: what cannot be read is a refused sign-in.
#[tokio::test]
async fn s43_a_corrupt_record_is_refused() {
    let (world, codes) = World::with_codes().await;
    let hash = "A".repeat(43) + "=";
    for data in [
        Vec::new(),
        b"\xff".to_vec(),
        b"{}".to_vec(),
        b"{\"hashes\":[]}".to_vec(),
        b"{\"hashes\":[\"AAAA\"]}".to_vec(),
        json!({"hashes": vec![hash; 11]}).to_string().into_bytes(),
    ] {
        world.records.lock().unwrap()[0].data.0 = data;
        let turn = world.sign_in(&codes[0]).await;
        assert_eq!(turn, Turn::refused("no_codes"));
    }
    // Whoever makes a new set gets rid of it.
    let codes = world.make_set().await;
    assert!(is_proven(&world.sign_in(&codes[0]).await));
}

#[tokio::test]
async fn what_can_be_no_code_is_invalid_and_who_has_none_is_refused() {
    let world = World::new();
    for (code, error) in [
        ("", "required"),
        ("4711", "malformed"),
        (&"-".repeat(80), "malformed"),
        (&"1".repeat(81), "too_long"),
    ] {
        assert_eq!(errors(&world.sign_in(code).await), [("code", error)]);
    }
    let turn = world.sign_in("4711-4711-4711-4711-4711-4711").await;
    assert_eq!(turn, Turn::refused("no_codes"));
}

#[tokio::test]
async fn nobody_a_foreign_state_and_a_link_are_refused() {
    let (mut world, codes) = World::with_codes().await;
    let (_, enrolling) = world.begin_enrolment().await;
    let answer = Answer::fields([("code", codes[0].as_str())]);
    let turn = PROVIDER
        .resume(&world.context(), enrolling.state.clone(), answer.clone())
        .await;
    assert_eq!(turn.unwrap(), Turn::refused("foreign_state"));
    let entry = Entry::Link {
        purpose: LinkPurpose::Reset,
        token: "t".into(),
    };
    let turn = PROVIDER.begin(&world.context(), entry).await.unwrap();
    assert_eq!(turn, Turn::refused("unsupported_entry"));
    world.facts.subject = None;
    let turn = PROVIDER
        .resume(&world.context(), enrolling.state.clone(), answer)
        .await;
    assert_eq!(turn.unwrap(), Turn::refused("no_subject"));
    let turn = PROVIDER.enrolment().unwrap().begin(&world.context()).await;
    assert_eq!(turn.unwrap(), Turn::refused("no_subject"));
}

#[tokio::test]
async fn a_set_can_be_taken_back() {
    let (world, codes) = World::with_codes().await;
    let enrolment = PROVIDER.enrolment().unwrap();
    let listed = enrolment.list(&world.context()).await.unwrap();
    let stranger = RecordId::generate(&world.environment);
    let error = enrolment.remove(&world.context(), stranger).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
    let effects = enrolment.remove(&world.context(), listed[0].id).await;
    assert!(world.apply(effects.unwrap()));
    let turn = world.sign_in(&codes[0]).await;
    assert_eq!(turn, Turn::refused("no_codes"));
}

#[tokio::test]
async fn it_only_stands_in_for_other_second_factors() {
    let description = PROVIDER.describe();
    assert!(description.backup && description.second_factor && !description.first_step);
}

#[tokio::test]
async fn the_registry_makes_it_from_an_empty_table_only() {
    let mut registry = Registry::new();
    register(&mut registry);
    let id = ProviderId::new("recovery-code").unwrap();
    let table = json!({"codes": 12}).as_object().unwrap().clone();
    let error = registry
        .configure(id.clone(), "recovery-code", table)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("`codes`"), "{error}");
    registry
        .configure(id, "recovery-code", Default::default())
        .unwrap();
}
